//! `mainstay history`.

use std::time::Duration;

use clap::Args;

use crate::rules::units::parse_duration;

/// List what was done, what failed and what has recovered
///
/// Every run that changes or judges something leaves one record in the state folder: when, who, what came of it, what was
/// changed and why. Runs that say the same as the one before them are told in one line; `-v` lists each with its findings
/// and changes, and so does `--format json`.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct HistoryArgs {
    /// How far to look back
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "7d", help_heading = "Selection")]
    pub since: Duration,

    /// Only the runs of this job (`check`, `backup`, `renew-cert`, `schedule`, `notify`) or command (`backup create`)
    #[arg(long, value_name = "NAME", help_heading = "Selection")]
    pub job: Option<String>,

    /// Only runs that were not good: something failed or could not be determined, or an error ended them
    #[arg(long, help_heading = "Selection")]
    pub failed: bool,
}

const EXAMPLES: &str = "\
Examples:
  mainstay history                             the last seven days
  mainstay history --since 90d --failed        what went wrong in three months
  mainstay history --job backup -v             each run of a job, with what was changed and why
  mainstay history --format json               for programs: every record as it was written";
