//! `mainstay schedule`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use jiff::civil::Date;

use super::{Effect, Kept};
use crate::rules::{calendar::Day, units};

/// Start and stop machines on a schedule, and say what that means
#[derive(Args, Debug)]
pub struct ScheduleArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ScheduleCommand,
}

/// One variant a subcommand.
#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// Start and stop what is not where its schedule wants it, and see that it gets there
    Apply(ApplyArgs),
    /// Say what each machine does, what it should do, and what would be done
    Plan(PlanArgs),
    /// Hand the schedules to EventBridge Scheduler, or pack the function for AWS Lambda
    Deploy(DeployArgs),
    /// Keep one machine on or off for a while, whatever its schedule says
    Override(OverrideArgs),
    /// Print the exact IAM policies that the schedules need
    Policy(NamesArgs),
    /// Say how many hours, and how much money, the schedules save
    Savings(NamesArgs),
    /// Print every start and stop between two dates, offline
    Simulate(SimulateArgs),
    /// List every machine of the schedules with its state
    Status(StatusArgs),
}

impl ScheduleCommand {
    /// What it does to the world.
    pub fn effect(&self) -> Effect {
        let unless = |dry_run| if dry_run { Effect::Looks } else { Effect::Changes };
        match self {
            Self::Apply(args) => unless(args.dry_run),
            Self::Deploy(args) => unless(args.dry_run),
            Self::Override(_) => Effect::Changes,
            Self::Plan(_) | Self::Policy(_) | Self::Savings(_) | Self::Simulate(_) | Self::Status(_) => Effect::None,
        }
    }

    /// What the history says of it.
    pub(super) fn kept(&self) -> Option<Kept<'_>> {
        let of = |names| Kept::of("schedule", names);
        match self {
            Self::Apply(args) => (!args.dry_run).then(|| Kept { timed: true, ..of(&args.names) }),
            Self::Deploy(args) => (!args.dry_run && args.package.is_none()).then(|| of(&args.names)),
            Self::Override(args) => Some(of(std::slice::from_ref(&args.target))),
            Self::Plan(_) | Self::Policy(_) | Self::Savings(_) | Self::Simulate(_) | Self::Status(_) => None,
        }
    }

    /// How many signals it takes to end it where it stands.
    pub fn patience(&self) -> u32 {
        match self {
            // It tells what it has begun, and a deploy ends between two changes.
            Self::Apply(_) | Self::Deploy(_) => 2,
            _ => 1,
        }
    }

    /// The whole name as the operator types it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Apply(_) => "schedule apply",
            Self::Deploy(_) => "schedule deploy",
            Self::Override(_) => "schedule override",
            Self::Plan(_) => "schedule plan",
            Self::Policy(_) => "schedule policy",
            Self::Savings(_) => "schedule savings",
            Self::Simulate(_) => "schedule simulate",
            Self::Status(_) => "schedule status",
        }
    }
}

/// Start and stop what is not where its schedule wants it, and see that it gets there
///
/// For cron and systemd, every few minutes: what a run missed, the next one makes up for, and a second run finds nothing to do.
/// Databases are started before what uses them, and stopped after it; every machine is followed until it runs or is stopped.
/// What a person started or stopped since the last boundary is left so until the next one.
#[derive(Args, Debug)]
#[command(after_long_help = APPLY_EXAMPLES)]
pub struct ApplyArgs {
    /// The schedules of the configuration; all of them by default
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,

    /// Say what would be done, and do nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// Say what each machine does, what it should do, and what would be done
///
/// Looks at every machine of the schedules and compares it with the calendar: what is done now, what at the next boundary,
/// and why. What is left alone has a word for the reason: manual, protected, asg, spot, replica, deferred, unsupported.
/// Nothing is changed.
#[derive(Args, Debug)]
#[command(after_long_help = PLAN_EXAMPLES)]
pub struct PlanArgs {
    /// The schedules of the configuration; all of them by default
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,

    /// What would be done then: `2026-11-24 19:00` in the schedule's zone, or with an offset
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
}

/// List every machine of the schedules with its state
///
/// The same look as `plan`, with the machines that are as they should be, and overrides with their ends. Nothing is changed.
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// The schedules of the configuration; all of them by default
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
}

/// The schedules that a command is about
#[derive(Args, Debug)]
pub struct NamesArgs {
    /// The schedules of the configuration; all of them by default
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
}

/// Keep one machine on or off for a while, whatever its schedule says
///
/// Writes a tag with an absolute end on the machine itself: everybody sees it, it needs no host, and it ends by itself. The next
/// `apply` acts on it. No override lasts longer than seven days.
#[derive(Args, Debug)]
#[command(after_long_help = OVERRIDE_EXAMPLES)]
#[command(group = clap::ArgGroup::new("state").required(true).args(["on", "off", "clear"]))]
#[command(group = clap::ArgGroup::new("end").args(["lasting", "until"]))]
pub struct OverrideArgs {
    /// A machine by its id or `Name`, or a schedule for all of its machines
    pub target: String,

    /// Keep it running
    #[arg(long, requires = "end")]
    pub on: bool,

    /// Keep it stopped
    #[arg(long, requires = "end")]
    pub off: bool,

    /// End the override now
    #[arg(long, conflicts_with = "end")]
    pub clear: bool,

    /// For so long from now
    #[arg(long = "for", id = "lasting", value_name = "DURATION", value_parser = units::parse_duration)]
    pub lasting: Option<Duration>,

    /// Until then: `2026-11-24 22:00` in the schedule's zone, or with an offset
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
}

/// Hand the schedules to EventBridge Scheduler, or pack the function for AWS Lambda
///
/// Compiles each schedule with a `deploy` section into schedules of a group, and creates, updates or deletes what differs; what
/// somebody set besides, like switching one off, is kept. Says what EventBridge cannot have of a schedule.
#[derive(Args, Debug)]
#[command(after_long_help = DEPLOY_EXAMPLES)]
pub struct DeployArgs {
    /// The schedules of the configuration; all with a `deploy` section by default
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,

    /// Say what would be changed, and change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,

    /// Accept that nothing is done at a boundary that the clocks skip
    #[arg(long)]
    pub accept_dst: bool,

    /// Write this program and the configuration as a package for AWS Lambda, and deploy nothing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["names", "dry_run", "accept_dst"])]
    pub package: Option<PathBuf>,
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

const APPLY_EXAMPLES: &str = "\
Examples:
  mainstay schedule apply --dry-run                  what would be done
  mainstay schedule apply --quiet                    for cron: silent when all is well
  mainstay schedule apply office-hours --yes         also more late stops than `max_late`";

const OVERRIDE_EXAMPLES: &str = "\
Examples:
  mainstay schedule override i-0123456789abcdef0 --on --for 3h
  mainstay schedule override web-1 --off --until '2026-11-24 07:00'
  mainstay schedule override web-1 --clear";

const DEPLOY_EXAMPLES: &str = "\
Examples:
  mainstay schedule deploy --dry-run                 the difference
  mainstay schedule deploy                           bring EventBridge where the file is
  mainstay schedule deploy --package mainstay.zip    the function for `via = \"lambda\"`";

const PLAN_EXAMPLES: &str = "\
Examples:
  mainstay schedule plan                             what `apply` would do now
  mainstay schedule plan office-hours --at '2026-11-24 19:00'
  mainstay schedule plan --format json               for programs: `result.resources`";

const EXAMPLES: &str = "\
Examples:
  mainstay schedule simulate office-hours            the next four weeks
  mainstay schedule simulate office-hours --from 2026-10-31 --to 2026-11-02    a change of clocks
  mainstay schedule simulate office-hours --from 2027-01-01 --to 2027-12-31 --format json";
