//! `mainstay timers`.

use clap::{Args, Subcommand};

use super::Effect;
use crate::setup::timers::Aim;

/// Let systemd or cron run the jobs of the configuration
///
/// Each job that has a section runs by itself at the times of `[timers]`: as a service and a timer of systemd, inside walls
/// that leave open what the job needs, or as lines of cron where systemd does not run. As root they are the system's, else
/// your own. What others wrote is never touched.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct TimersArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub command: TimersCommand,
}

/// One variant a subcommand.
#[derive(Debug, Subcommand)]
pub enum TimersCommand {
    /// Write what is missing or has changed, turn it on, and remove what has no section any more
    Install(TimersChangeArgs),
    /// Tell when each job ran last and runs next
    Show,
    /// Remove the timers of this configuration, and only those
    Remove(TimersChangeArgs),
}

/// `mainstay timers install` and `remove`.
#[derive(Args, Debug)]
pub struct TimersChangeArgs {
    /// Units of systemd, and nothing else
    #[arg(long, conflicts_with = "cron")]
    pub systemd: bool,

    /// Lines of cron, also where systemd runs
    #[arg(long)]
    pub cron: bool,

    /// Print the units or lines whole, and what would be done, and change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

impl TimersChangeArgs {
    /// What was asked for.
    pub fn aim(&self) -> Aim {
        match (self.systemd, self.cron) {
            (true, _) => Aim::Systemd,
            (_, true) => Aim::Cron,
            (false, false) => Aim::Auto,
        }
    }
}

impl TimersCommand {
    /// The name as the operator types it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Install(_) => "timers install",
            Self::Show => "timers show",
            Self::Remove(_) => "timers remove",
        }
    }

    /// What it does to the world.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Install(args) | Self::Remove(args) if !args.dry_run => Effect::Changes,
            Self::Install(_) | Self::Remove(_) | Self::Show => Effect::Looks,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  mainstay timers install --dry-run            the units, whole, and what would be done
  sudo mainstay timers install                 again after every change of the configuration
  mainstay timers install --cron               lines of cron instead
  mainstay timers show                         when each job ran last and runs next
  mainstay timers remove";
