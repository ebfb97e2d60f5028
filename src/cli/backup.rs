//! `mainstay backup …`: settings in, report out.

mod from;
mod keys;
mod policy;
mod restore;

use std::path::PathBuf;

use super::{
    Done,
    args::{
        BackupCommand, BackupCreateArgs, BackupDrillArgs, BackupInitArgs, BackupListArgs, BackupPruneArgs,
        BackupVerifyArgs, Cli, From,
    },
    config,
    confirm::confirm,
    console::Console,
    host,
    render::archives,
    settings::backup_settings,
};
use crate::{
    backup::{self, Holding, Settings, prune},
    error::{Error, Kind, Result},
    report::{Finding, Report},
    system::Context,
};

/// Runs one of the subcommands.
pub(super) async fn run(command: &BackupCommand, cli: &Cli, console: &Console, context: &Context) -> Result<Done> {
    let started = context.clock.now();
    let mut report = Report::new(command.name(), host(), started);
    let job = Job { command, cli, console, context };
    let done = match command {
        BackupCommand::Create(args) => job.create(args, &mut report).await,
        BackupCommand::Drill(args) => job.drill(args, &mut report).await,
        BackupCommand::Init(args) => job.init(args, &mut report).await,
        BackupCommand::Keygen(args) => {
            let file = args.file.clone().unwrap_or_else(|| PathBuf::from("mainstay-identity.txt"));
            backup::keygen(&context.folder.join(file), started, &mut report)
        }
        BackupCommand::List(args) => job.list(args, &mut report).await,
        BackupCommand::Prune(args) => job.prune(args, &mut report).await,
        BackupCommand::Restore(args) => job.restore(args, &mut report).await,
        BackupCommand::Verify(args) => job.verify(args, &mut report).await,
    };
    report.took = super::elapsed(started, context);
    Ok(Done::Report(Box::new(report.of(done, context.cancel.state().signal)?)))
}

/// One subcommand with what it may use.
#[derive(Clone, Copy)]
struct Job<'a> {
    command: &'a BackupCommand,
    cli: &'a Cli,
    console: &'a Console,
    context: &'a Context,
}

impl Job<'_> {
    /// The backups of the configuration that a command is about.
    fn settings(self, names: &[String]) -> Result<Settings> {
        let Some(loaded) = config::load(self.cli.global.config.as_deref(), self.context)? else {
            return Err(Error::new(Kind::Config, "find a configuration file")
                .because("there is no mainstay.toml here or above, in the user's folder or in /etc/mainstay")
                .hint("write one: [backup.app] with `recipients = [\"age1…\"]` and `to = [\"/mnt/usb/backups\"]`")
                .hint("or name one with --config FILE"));
        };
        super::warn(Some(&loaded));
        let mut settings = backup_settings(&loaded, names, self.context)?;
        settings.lock_wait = self.cli.global.lock_wait;
        settings.command = format!("mainstay {}", self.command.name());
        Ok(settings)
    }

    /// What a reading command is about, and the settings where they come from the configuration.
    async fn holdings(self, names: &[String], from: &From) -> Result<(Vec<Holding>, Option<Settings>)> {
        match from::origin(from, self.context) {
            Some(origin) => {
                let place = origin.place();
                let mut holdings = Holding::at(&place, &from::signers(from, self.context)?, self.context).await?;
                holdings.retain(|holding| names.is_empty() || names.contains(&holding.set.name));
                if holdings.is_empty() {
                    return Err(Error::new(Kind::Usage, format!("find `{}` at {}", names.join("`, `"), place))
                        .because("no archive there is of such a backup")
                        .hint("leave the name out to see what is there"));
                }
                Ok((holdings, None))
            }
            None => {
                let settings = self.settings(names)?;
                Ok((Holding::configured(&settings, self.context)?, Some(settings)))
            }
        }
    }

    async fn create(self, args: &BackupCreateArgs, report: &mut Report) -> Result<()> {
        let request =
            backup::Create { dry_run: args.dry_run, if_changed: args.if_changed, accept_smaller: args.accept_smaller };
        backup::create(&self.settings(&args.names)?, request, report, self.context).await
    }

    async fn list(self, args: &BackupListArgs, report: &mut Report) -> Result<()> {
        let (holdings, _) = self.holdings(&args.names, &args.from).await?;
        let stocks: Vec<_> = holdings.iter().map(Holding::stock).collect();
        let now = self.context.clock.now();
        let listing = backup::list(&stocks, now).await;
        report.text = Some(archives::table(&listing, now));
        report.result = serde_json::to_value(&listing).ok();
        report.findings = listing.findings;
        Ok(())
    }

    async fn verify(self, args: &BackupVerifyArgs, report: &mut Report) -> Result<()> {
        let (holdings, settings) = self.holdings(&args.names, &args.from).await?;
        let request = backup::Verify {
            archive: args.archive.clone(),
            all: args.all,
            keys: keys::given(&args.identities, &holdings, self).await?,
        };
        if args.adopt {
            let settings = settings.ok_or_else(|| {
                Error::new(Kind::Usage, "adopt an archive")
                    .because("--from says nothing of whose backup it is")
                    .hint("name the backup of the configuration whose destination it is at")
            })?;
            return backup::adopt(&settings, &holdings, &request, report, self.context).await;
        }
        let learnt = backup::verify(&holdings, &request, report, self.context).await?;
        match settings {
            Some(settings) => backup::remember(&settings, learnt, report, self.context).await,
            None => Ok(()),
        }
    }

    async fn drill(self, args: &BackupDrillArgs, report: &mut Report) -> Result<()> {
        let settings = self.settings(&args.names)?;
        let holdings = Holding::configured(&settings, self.context)?;
        let keys = keys::needed(&args.identities, &holdings, self).await?;
        let learnt = backup::drill(&holdings, &keys, &settings.state, report, self.context).await?;
        backup::remember(&settings, learnt, report, self.context).await
    }

    async fn init(self, args: &BackupInitArgs, report: &mut Report) -> Result<()> {
        let settings = self.settings(&args.names)?;
        if args.print_policy {
            return policy::print(&settings, report);
        }
        backup::init(&settings, report, self.context).await
    }

    async fn prune(self, args: &BackupPruneArgs, report: &mut Report) -> Result<()> {
        let mut settings = self.settings(&args.names)?;
        // Held to the end: what is being made just now must not be taken for what a killed run left.
        let mut locks = Vec::new();
        if !args.dry_run {
            let mut free = Vec::new();
            for set in &settings.sets {
                if let Some(lock) = backup::lock(&settings, set, report, self.context).await? {
                    locks.push(lock);
                    free.push(set.clone());
                }
            }
            settings.sets = free;
        }
        let holdings = Holding::configured(&settings, self.context)?;
        let stocks: Vec<_> = holdings.iter().map(Holding::stock).collect();
        let proposal = prune::plan(&stocks, self.context.clock.now()).await?;
        report.add_plan(&proposal.plan);
        report.findings.extend(proposal.findings);
        let goes = proposal.plan.steps.iter().filter(|step| step.action.removes()).count();
        if args.dry_run || goes == 0 {
            return Ok(());
        }
        if !confirm(&format!("remove {goes} archives for good?"), self.cli.global.yes, self.console)? {
            report.findings.push(Finding::skip("backup.prune", "", "nothing was removed: not confirmed"));
            return Ok(());
        }
        let destinations = holdings.iter().map(|holding| holding.open(self.context)).collect::<Result<Vec<_>>>()?;
        let acting: Vec<_> =
            holdings.iter().zip(&destinations).map(|(holding, open)| holding.stock_of(&**open)).collect();
        report.outcomes.extend(prune::apply(proposal.plan, &acting, self.context).await?);
        Ok(())
    }
}
