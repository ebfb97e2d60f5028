//! `mainstay renew-cert`: settings in, report out.

use super::{Done, args::{Cli, RenewCertArgs}, configuration, elapsed, host, settings::renew_cert_settings, warn};
use crate::{
    error::{Error, Kind, Result},
    renew_cert::{self, Mend, Request, Settings, outage},
    report::{Finding, Report},
    system::{Context, state::State},
};

/// Runs it.
pub(super) async fn run(args: &RenewCertArgs, cli: &Cli, context: &Context) -> Result<Done> {
    let started = context.clock.now();
    let mut report = Report::new("renew-cert", host(), started);
    if args.recover {
        recover(args.dry_run, cli, &mut report, context).await?;
        report.took = elapsed(started, context);
        return Ok(Done::Report(Box::new(report)));
    }
    let loaded = configuration(cli, context)?;
    warn(Some(&loaded));
    let mut settings = renew_cert_settings(&loaded, &args.names, context)?;
    settings.lock_wait = cli.global.lock_wait;
    settings.command = command(args);
    replay(&settings, args.dry_run, &mut report, context).await?;
    let mend = match (args.repair, args.rollback) {
        (true, _) => Some(Mend::Newest),
        (_, true) => Some(Mend::Back),
        _ => None,
    };
    match mend {
        Some(which) => {
            let [certificate] = &settings.certificates[..] else {
                return Err(Error::new(Kind::Usage, "mend several certificates at once")
                    .because("--repair and --rollback are about one")
                    .hint(format!("name it: mainstay renew-cert {} --repair", settings.certificates[0].name)));
            };
            renew_cert::mend(&settings, certificate, which, args.dry_run, &mut report, context).await?;
        }
        None => {
            let request = Request {
                dry_run: args.dry_run,
                force: args.force,
                remember: args.remember,
                staging: args.staging,
                may_stop: cli.global.yes,
            };
            renew_cert::renew(&settings, request, &mut report, context).await?;
        }
    }
    report.took = elapsed(started, context);
    Ok(Done::Report(Box::new(report)))
}

/// What a run that was cut off owes comes first; a rehearsal only tells it.
async fn replay(settings: &Settings, dry_run: bool, report: &mut Report, context: &Context) -> Result<()> {
    if dry_run {
        report.findings.extend(outage::unfinished(&settings.state, context)?);
        return Ok(());
    }
    if let Some(recovered) = outage::recover(&settings.state, &settings.command, settings.lock_wait, context).await? {
        report.outcomes.extend(recovered.outcomes());
        report.findings.extend(recovered.ended.findings);
    }
    Ok(())
}

/// `--recover` needs no certificate, and where the state is elsewhere the configuration says so.
async fn recover(dry_run: bool, cli: &Cli, report: &mut Report, context: &Context) -> Result<()> {
    let loaded = super::config::load(cli.global.config.as_deref(), context)?;
    let state = State::find(context, loaded.as_ref().and_then(|loaded| loaded.model.state.as_deref()))?;
    if dry_run {
        report.findings.extend(outage::unfinished(&state, context)?);
        return Ok(());
    }
    match outage::recover(&state, "renew-cert --recover", cli.global.lock_wait, context).await? {
        Some(recovered) => {
            report.outcomes.extend(recovered.outcomes());
            report.findings.extend(recovered.ended.findings);
        }
        None => report.findings.push(Finding::pass("certificate.recover", "journal", "nothing is owed a start")),
    }
    Ok(())
}

/// The command as other runs are told of it.
fn command(args: &RenewCertArgs) -> String {
    let mut words = vec!["renew-cert".to_owned()];
    words.extend(args.names.iter().cloned());
    for (given, flag) in [(args.force, "--force"), (args.staging, "--staging"), (args.repair, "--repair"), (args.rollback, "--rollback")] {
        words.extend(given.then(|| flag.to_owned()));
    }
    shell_words::join(words)
}
