//! `mainstay report`.

use std::path::PathBuf;

use clap::Args;

/// Show the state of everything at a glance, in the terminal or as a page
///
/// Looks at every site, certificate, backup and schedule of the configuration, as `check` does, and shows it with the
/// archives, the hours of the schedules and what failed lately. Changes nothing but the page. Ends with 1 when something
/// is wrong, as `check` does.
#[derive(Args, Debug, Default)]
#[command(after_long_help = EXAMPLES)]
pub struct ReportArgs {
    /// Also write it as one page of HTML that needs nothing else: no network, no script
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  mainstay report                              everything at a glance
  mainstay report --html /srv/status/index.html     the same as a page, for a browser or a mail
  mainstay report --quiet                      only what is to be looked at
  mainstay report --format json                for programs";
