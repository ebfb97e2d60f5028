//! `mainstay schedule`.

use clap::{Args, Subcommand};
use jiff::civil::Date;

use crate::rules::calendar::Day;

/// Say when machines run, and what that means
#[derive(Args, Debug)]
pub struct ScheduleArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ScheduleCommand,
}

/// One variant a subcommand.
#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// Print every start and stop between two dates, offline
    Simulate(SimulateArgs),
}

impl ScheduleCommand {
    /// The whole name as the operator types it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Simulate(_) => "schedule simulate",
        }
    }
}

/// Print every start and stop between two dates, offline
///
/// Follows the calendar of a schedule: windows, exceptions, and what changes of clocks do to both. Nothing is looked at
/// but the configuration, and nothing is changed.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct SimulateArgs {
    /// The schedule of the configuration
    pub name: String,

    /// The first date, in the schedule's own zone; today by default
    #[arg(long, value_name = "DATE", value_parser = date, help_heading = "Span")]
    pub from: Option<Date>,

    /// The last date, included; four weeks in all by default
    #[arg(long, value_name = "DATE", value_parser = date, help_heading = "Span")]
    pub to: Option<Date>,
}

/// Reads a date as the configuration writes it.
fn date(text: &str) -> Result<Date, String> {
    match text.parse() {
        Ok(Day::Once(date)) => Ok(date),
        Ok(Day::Yearly(..)) => Err("the year is missing: write 2026-11-26".into()),
        Err(_) if text.len() == "2026-11-26".len() && text.is_ascii() => Err("there is no such date".into()),
        Err(_) => Err("write 2026-11-26".into()),
    }
}

const EXAMPLES: &str = "\
Examples:
  mainstay schedule simulate office-hours            the next four weeks
  mainstay schedule simulate office-hours --from 2026-10-31 --to 2026-11-02    a change of clocks
  mainstay schedule simulate office-hours --from 2027-01-01 --to 2027-12-31 --format json";
