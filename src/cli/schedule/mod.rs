//! `mainstay schedule`: from the command line to the job and back.

#[cfg(feature = "aws")]
mod fleet;
#[cfg(feature = "aws")]
mod package;
#[cfg(feature = "aws")]
mod policy;
#[cfg(feature = "aws")]
mod roster;
#[cfg(feature = "aws")]
mod savings;
mod simulation;

use super::{
    Done,
    args::{Cli, ScheduleArgs, ScheduleCommand, SimulateArgs},
    configuration,
    console::Console,
    elapsed, host, settings, warn,
};
use crate::{
    error::Result,
    report::Report,
    schedule::simulate,
    system::{Context, zone::Zones},
};
use simulation::Page;

pub(super) use simulation::grid;

/// Runs one of its subcommands.
pub(super) async fn run(args: &ScheduleArgs, cli: &Cli, console: &Console, context: &Context) -> Result<Done> {
    match &args.command {
        ScheduleCommand::Simulate(args) => follow(args, cli, context),
        #[cfg(feature = "aws")]
        command => fleet::run(command, cli, console, context).await,
        #[cfg(not(feature = "aws"))]
        command => {
            let _ = console;
            Err(left_out(command.name()))
        }
    }
}

/// What a binary without Amazon's clients says.
#[cfg(not(feature = "aws"))]
fn left_out(command: &str) -> crate::error::Error {
    use crate::error::{Error, Kind};
    Error::new(Kind::Usage, format!("run `mainstay {command}`"))
        .because("this mainstay was built without Amazon's clients (the feature `aws`)")
        .hint("use a binary with it; `mainstay schedule simulate` works without")
}

fn follow(args: &SimulateArgs, cli: &Cli, context: &Context) -> Result<Done> {
    let started = context.clock.now();
    let loaded = configuration(cli, context)?;
    warn(Some(&loaded));
    let zones = Zones::newest(context);
    let schedule = settings::schedule_settings(&loaded, &args.name, &zones)?;
    let (first, last) = settings::simulated_dates(args, &schedule, context)?;
    let simulation = simulate(&schedule, first, last);
    let console = Console::real(&context.environment);
    let page = Page { schedule: &schedule, simulation: &simulation, zones: &zones };
    let mut report = Report::new("schedule simulate", host(), started);
    report.result = Some(page.json());
    report.took = elapsed(started, context);
    Ok(Done::Data { text: page.text(console.stdout.then_some(console.columns)), report: Box::new(report) })
}
