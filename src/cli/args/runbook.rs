//! `mainstay runbook`.

use std::path::PathBuf;

use clap::Args;

/// Write the maintenance document itself, from the configuration
///
/// Markdown with a chapter for each part of the maintenance: what is automated and when, and how each of it is done by hand
/// without mainstay (restores with age and tar, renewals, stopping and starting machines, every check), who has which role,
/// and a page for each kind of incident. It follows from the configuration alone, byte for byte the same on every machine,
/// so that it can be committed and compared. No secret is ever in it.
#[derive(Args, Debug, Default)]
#[command(after_long_help = EXAMPLES)]
pub struct RunbookArgs {
    /// Fail when this committed document is not the one that follows from the configuration
    #[arg(long, value_name = "FILE", conflicts_with = "live")]
    pub check: Option<PathBuf>,

    /// Add what is found on this machine and when things last ran; `--check` leaves that out
    #[arg(long)]
    pub live: bool,
}

const EXAMPLES: &str = "\
Examples:
  mainstay runbook > MAINTENANCE.md            write the document
  mainstay runbook --check MAINTENANCE.md      in CI: is the committed one up to date?
  mainstay runbook --live                      with what is found on this machine, to read now";
