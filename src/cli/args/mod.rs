//! The command line: clap derives and help texts, one file a command. Nothing is decided here.

mod backup;
mod check;
mod config;
mod history;
mod init;
mod renew_cert;
mod report;
mod runbook;
mod schedule;
mod timers;

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

use super::{
    render::Format,
    style::{self, Choice},
};
use crate::rules::units;

pub use backup::{
    BackupArgs, BackupCommand, BackupCreateArgs, BackupDrillArgs, BackupInitArgs, BackupKeygenArgs, BackupListArgs,
    BackupPruneArgs, BackupRestoreArgs, BackupVerifyArgs, From,
};
pub use check::CheckArgs;
pub use config::{ConfigArgs, ConfigCommand};
pub use history::HistoryArgs;
pub use init::InitArgs;
pub use renew_cert::RenewCertArgs;
pub use report::ReportArgs;
pub use runbook::RunbookArgs;
pub use schedule::{
    ApplyArgs, DeployArgs, NamesArgs, OverrideArgs, PlanArgs, ScheduleArgs, ScheduleCommand, SimulateArgs, StatusArgs,
};
pub use timers::{TimersArgs, TimersChangeArgs, TimersCommand};

/// Carry out the maintenance runbook: look, plan, apply, prove
///
/// mainstay replaces the MAINTENANCE.md that a small team works through by hand. It tells the truth (what could not be
/// looked at is `unknown`, never `pass`), leaves things no worse than it found them, and locks nobody in.
#[derive(Debug, Parser)]
#[command(name = "mainstay", version, max_term_width = 100, arg_required_else_help = true, after_long_help = EXIT_CODES)]
#[command(styles = style::help(), after_help = "Run `mainstay COMMAND --help` for examples.")]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// One variant a command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a first mainstay.toml from what is found here
    Init(InitArgs),
    /// Look at live sites, backups and certificates and judge what is really there
    Check(CheckArgs),
    /// Back up secrets and configuration, and prove that they can be restored
    Backup(BackupArgs),
    /// Renew certificates through certbot and prove that they are served
    RenewCert(RenewCertArgs),
    /// Start and stop machines on a schedule, and say what that means
    Schedule(ScheduleArgs),
    /// Let systemd or cron run the jobs
    Timers(TimersArgs),
    /// Show the state of everything at a glance, in the terminal or as a page
    Report(ReportArgs),
    /// List what was done, what failed and what has recovered
    History(HistoryArgs),
    /// Write the maintenance document itself, from the configuration
    Runbook(RunbookArgs),
    /// Check, show or describe the configuration file
    Config(ConfigArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell to write for
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a folder
    Man {
        /// The folder, made when it is not there
        dir: PathBuf,
    },
}

impl Command {
    /// How many signals it takes to end the command where it stands. What changes something ends itself at the first one,
    /// when it has put back what it owes.
    pub fn patience(&self) -> u32 {
        match self {
            Self::Backup(_) => 2,
            // What it stopped is started again, whatever happens.
            Self::RenewCert(_) => u32::MAX,
            Self::Schedule(args) => args.command.patience(),
            Self::Check(_)
            | Self::Completions { .. }
            | Self::Config(_)
            | Self::History(_)
            | Self::Init(_)
            | Self::Man { .. }
            | Self::Report(_)
            | Self::Runbook(_)
            | Self::Timers(_) => 1,
        }
    }

    /// What it does to the world: whether it starts first what a renewal that was cut off has stopped, or only tells it.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Backup(args) => args.command.effect(),
            Self::Check(args) if args.list => Effect::None,
            Self::Check(_) | Self::Report(_) => Effect::Looks,
            Self::RenewCert(_) => Effect::Own,
            Self::Schedule(args) => args.command.effect(),
            Self::Timers(args) => args.command.effect(),
            Self::Completions { .. }
            | Self::Config(_)
            | Self::History(_)
            | Self::Init(_)
            | Self::Man { .. }
            | Self::Runbook(_) => Effect::None,
        }
    }

    /// What the history says of a run; `None` where it changes and judges nothing: rehearsals, lists, and a check of bare
    /// addresses, which is about nothing that is configured.
    pub fn kept(&self) -> Option<Kept<'_>> {
        if matches!(self.effect(), Effect::None) {
            return None;
        }
        match self {
            Self::Backup(args) => args.command.kept(),
            Self::Check(args) => args.kept(),
            Self::RenewCert(args) => args.kept(),
            Self::Schedule(args) => args.command.kept(),
            // A report looks where `check` does, which is on record already; timers are set up, and judge nothing.
            Self::Completions { .. }
            | Self::Config(_)
            | Self::History(_)
            | Self::Init(_)
            | Self::Man { .. }
            | Self::Report(_)
            | Self::Runbook(_)
            | Self::Timers(_) => None,
        }
    }

    /// The name as the operator types it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Backup(args) => args.command.name(),
            Self::Check(_) => "check",
            Self::Init(_) => "init",
            Self::RenewCert(_) => "renew-cert",
            Self::Report(_) => "report",
            Self::Schedule(args) => args.command.name(),
            Self::Runbook(_) => "runbook",
            Self::Timers(args) => args.command.name(),
            Self::Config(_) => "config",
            Self::History(_) => "history",
            Self::Completions { .. } => "completions",
            Self::Man { .. } => "man",
        }
    }
}

/// What the history says of a run before it begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Kept<'a> {
    /// The job, as `[notify.ping]` and `[timers]` call it.
    pub job: &'static str,
    /// What it works on; empty for everything that is configured.
    pub names: &'a [String],
    /// Whether it leaves out a part of each.
    pub partial: bool,
    /// Whether it looks in another way than usual.
    pub otherwise: bool,
    /// Whether it is about a place that is named on the command line, whatever the configuration says.
    pub elsewhere: bool,
    /// Whether a timer runs this command: only such runs send the pings of their job.
    pub timed: bool,
}

impl<'a> Kept<'a> {
    /// The usual run of a job that works on these names.
    pub fn of(job: &'static str, names: &'a [String]) -> Self {
        Self { job, names, partial: false, otherwise: false, elsewhere: false, timed: false }
    }
}

/// What a command does to the world.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// It has nothing to do with this machine's state.
    None,
    /// It looks: `check`, every `--dry-run`.
    Looks,
    /// It may change something.
    Changes,
    /// It sees to the journal itself.
    Own,
}

/// Flags that every command takes, before or after its name.
#[derive(Args, Clone, Debug)]
pub struct Global {
    /// Use this configuration file instead of searching for one
    #[arg(long, global = true, value_name = "FILE", help_heading = "Configuration")]
    pub config: Option<PathBuf>,

    /// Write the result to standard output in this format; `human` by default
    #[arg(long, global = true, value_enum, help_heading = "Output")]
    pub format: Option<Format>,

    /// Also write the result to a file, for example `junit=report.xml` (can be repeated)
    #[arg(long = "output", global = true, value_name = "FORMAT=PATH", help_heading = "Output")]
    pub outputs: Vec<String>,

    /// Print only what is not fine: nothing at all when all is well, for cron
    #[arg(short, long, global = true, help_heading = "Output")]
    pub quiet: bool,

    /// Log to standard error what is being done; twice for more
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Output")]
    pub verbose: u8,

    /// When to use colour; `NO_COLOR` and a pipe switch it off too
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN", help_heading = "Output")]
    pub color: Choice,

    /// Show no progress on the terminal
    #[arg(long, global = true, help_heading = "Output")]
    pub no_progress: bool,

    /// Wait this long for another run to release its lock
    #[arg(long, global = true, value_name = "DURATION", default_value = "0s", help_heading = "Running")]
    #[arg(value_parser = units::parse_duration)]
    pub lock_wait: Duration,

    /// Answer every question with yes
    #[arg(long, global = true, help_heading = "Running")]
    pub yes: bool,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    done, nothing failed (warnings allowed unless --strict)
  1    a check failed, or a job failed in whole or in part
  2    wrong usage or wrong configuration; nothing was touched
  3    nothing failed, but something could not be determined
  4    another run holds the lock
  70   a bug in mainstay
  129, 130, 131, 143  ended by a signal; everything owed was put back

With --format nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN (also for usage and configuration).";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
