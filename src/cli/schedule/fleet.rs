//! The subcommands that ask Amazon.

use jiff::Timestamp;

use crate::{
    cli::{
        Done,
        args::{ApplyArgs, Cli, DeployArgs, NamesArgs, OverrideArgs, PlanArgs, ScheduleCommand, StatusArgs},
        configuration,
        console::Console,
        elapsed, host, settings, warn,
    },
    error::Result,
    report::Report,
    schedule::{DeployRequest, Inventory, Schedule, Settings, apply, deploy, inventory, override_},
    system::{Context, zone::Zones},
};

use super::{
    package, policy,
    roster::{Roster, Rows},
    savings,
};

/// Runs one of them.
pub(super) async fn run(command: &ScheduleCommand, cli: &Cli, console: &Console, context: &Context) -> Result<Done> {
    let started = context.clock.now();
    let mut report = Report::new(command.name(), host(), started);
    let job = Job { command, cli, console, context };
    let done = match command {
        ScheduleCommand::Apply(args) => job.apply(args, &mut report).await,
        ScheduleCommand::Deploy(args) => job.deploy(args, &mut report).await,
        ScheduleCommand::Override(args) => job.set(args, &mut report).await,
        ScheduleCommand::Policy(args) => {
            let upkeep = configuration(cli, context)?.model.database.is_some();
            policy::print(&job.settings(&args.names)?, upkeep, &mut report, context).await;
            Ok(())
        }
        ScheduleCommand::Savings(args) => job.savings(args, &mut report).await,
        ScheduleCommand::Plan(args) => job.plan(args, &mut report).await,
        ScheduleCommand::Status(args) => job.status(args, &mut report).await,
        // It needs nobody to be asked, and is run before it comes here.
        ScheduleCommand::Simulate(_) => Ok(()),
    };
    report.took = elapsed(started, context);
    Ok(Done::Report(Box::new(report.of(done, context.cancel.state().signal)?)))
}

/// One subcommand with what it may use.
#[derive(Clone, Copy)]
struct Job<'a> {
    command: &'a ScheduleCommand,
    cli: &'a Cli,
    console: &'a Console,
    context: &'a Context,
}

impl Job<'_> {
    /// The schedules of the configuration that a command is about.
    fn settings(self, names: &[String]) -> Result<Settings> {
        let loaded = configuration(self.cli, self.context)?;
        warn(Some(&loaded));
        let zones = Zones::newest(self.context);
        let mut settings = settings::fleet_settings(&loaded, names, &zones, self.context)?;
        settings.lock_wait = self.cli.global.lock_wait;
        settings.yes = self.cli.global.yes;
        settings.command = self.command.name().to_owned();
        Ok(settings)
    }

    async fn apply(self, args: &ApplyArgs, report: &mut Report) -> Result<()> {
        let settings = self.settings(&args.names)?;
        let at = self.context.clock.now();
        let found = apply(&settings, args.dry_run, report, self.context).await?;
        let roster = Roster { schedules: &settings.schedules, entries: &found.entries, at, blind: Vec::new() };
        report.result = Some(roster.json());
        Ok(())
    }

    async fn deploy(self, args: &DeployArgs, report: &mut Report) -> Result<()> {
        if let Some(file) = &args.package {
            return package::write(&self.context.folder.join(file), self.cli, report, self.context);
        }
        let settings = self.settings(&args.names)?;
        let request = DeployRequest { dry_run: args.dry_run, accept_dst: args.accept_dst, all: args.names.is_empty() };
        deploy(&settings, request, report, self.context).await
    }

    async fn set(self, args: &OverrideArgs, report: &mut Report) -> Result<()> {
        let settings = self.settings(&[])?;
        let now = self.context.clock.now();
        let wanted = settings::wanted_override(args, &settings.schedules, self.context)?;
        let found = override_(&settings, &args.target, wanted.as_ref(), report, self.context).await?;
        let roster = Roster { schedules: &settings.schedules, entries: &found.entries, at: now, blind: Vec::new() };
        report.result = Some(roster.json());
        Ok(())
    }

    async fn savings(self, args: &NamesArgs, report: &mut Report) -> Result<()> {
        let settings = self.settings(&args.names)?;
        let now = self.context.clock.now();
        let found = inventory(&settings, now, self.context).await;
        savings::tell(&settings, &found.entries, now, report);
        let blind = found.findings.into_iter().filter(|finding| finding.data.contains_key("region"));
        report.findings.extend(blind);
        Ok(())
    }

    async fn plan(self, args: &PlanArgs, report: &mut Report) -> Result<()> {
        let mut settings = self.settings(&args.names)?;
        let at = match &args.at {
            Some(text) => {
                // By then the runs in between will have made what would be late.
                settings.yes = true;
                settings::instant(text, &settings.schedules)?
            }
            None => self.context.clock.now(),
        };
        let found = inventory(&settings, at, self.context).await;
        self.tell(&settings, &found, at, Rows::Notable, report);
        report.findings.extend(found.findings);
        Ok(())
    }

    async fn status(self, args: &StatusArgs, report: &mut Report) -> Result<()> {
        let settings = self.settings(&args.names)?;
        let now = self.context.clock.now();
        let found = inventory(&settings, now, self.context).await;
        self.tell(&settings, &found, now, Rows::All, report);
        report.findings.extend(found.findings);
        Ok(())
    }

    /// The machines, for people and programs.
    fn tell(self, settings: &Settings, found: &Inventory, at: Timestamp, rows: Rows, report: &mut Report) {
        let rows = if self.cli.global.verbose > 0 { Rows::All } else { rows };
        let schedules = &settings.schedules;
        let is_blind = |schedule: &&Schedule| found.blind.iter().any(|blind| blind.concerns(schedule));
        let blind = schedules.iter().filter(is_blind).map(|schedule| schedule.name.as_str()).collect();
        let roster = Roster { schedules, entries: &found.entries, at, blind };
        report.text = Some(roster.text(rows, self.console.stdout.then_some(self.console.columns)));
        report.result = Some(roster.json());
    }
}
