//! `mainstay renew-cert`: settings in, report out; and what every command does first that may change something.

use std::time::Duration;

use super::{
    Done,
    args::{Cli, Effect, RenewCertArgs},
    config, configuration, elapsed, host,
    settings::renew_cert_settings,
    warn,
};
use crate::{
    error::{Error, Kind, Result},
    renew_cert::{self, Mend, Request, outage},
    report::{Finding, Report},
    system::{
        Context,
        state::{Peek, State},
    },
};

/// How long a recovery may wait for the guardian, which starts everything before this run could.
const GUARDIAN: Duration = Duration::from_secs(300);

/// Runs it.
pub(super) async fn run(args: &RenewCertArgs, cli: &Cli, context: &Context) -> Result<Done> {
    let started = context.clock.now();
    let mut report = Report::new("renew-cert", host(), started);
    let done = match args.recover {
        true => replay(args, cli, &mut report, context).await,
        false => work(args, cli, &mut report, context).await,
    };
    report.took = elapsed(started, context);
    let report = report.of(done.and_then(|()| interrupted(context)), context.cancel.state().signal)?;
    Ok(Done::Report(Box::new(report)))
}

/// `--recover`.
async fn replay(args: &RenewCertArgs, cli: &Cli, report: &mut Report, context: &Context) -> Result<()> {
    let state = state(cli, context)?;
    if args.dry_run {
        report.findings.extend(outage::unfinished(&state, context)?);
    } else if !recover(&state, cli, context, report).await? {
        report.findings.push(Finding::pass("renew-cert.outage", "", "nothing is owed a start"));
    }
    Ok(())
}

/// Everything but `--recover`.
async fn work(args: &RenewCertArgs, cli: &Cli, report: &mut Report, context: &Context) -> Result<()> {
    let loaded = configuration(cli, context)?;
    warn(Some(&loaded));
    let mut settings = renew_cert_settings(&loaded, &args.names, context)?;
    settings.lock_wait = cli.global.lock_wait;
    settings.command = command(args);
    // What a run that was cut off owes comes first; a rehearsal only tells it.
    if args.dry_run {
        report.findings.extend(outage::unfinished(&settings.state, context)?);
    } else if !renew_cert::wait_for_others(&settings, report, context).await? {
        return Ok(());
    } else if matches!(settings.state.owed()?, Peek::Unfinished(_)) {
        recover(&settings.state, cli, context, report).await?;
    }
    let mend = match (args.repair, args.rollback) {
        (true, _) => Some(Mend::Newest),
        (_, true) => Some(Mend::Back),
        _ => None,
    };
    let Some(which) = mend else {
        let request = Request {
            dry_run: args.dry_run,
            explain: args.explain,
            force: args.force,
            remember: args.remember,
            staging: args.staging,
            may_stop: cli.global.yes,
        };
        return renew_cert::renew(&settings, request, report, context).await;
    };
    let [certificate] = &settings.certificates[..] else {
        return Err(Error::new(Kind::Usage, "mend several certificates at once")
            .because("--repair and --rollback are about one")
            .hint(format!("name it: mainstay renew-cert {} --repair", settings.certificates[0].name)));
    };
    renew_cert::mend(&settings, certificate, which, args.dry_run, report, context).await
}

/// The command as other runs are told of it.
fn command(args: &RenewCertArgs) -> String {
    let mut words = vec!["renew-cert".to_owned()];
    words.extend(args.names.iter().cloned());
    let flags = [
        (args.force, "--force"),
        (args.staging, "--staging"),
        (args.repair, "--repair"),
        (args.rollback, "--rollback"),
    ];
    words.extend(flags.into_iter().filter(|(given, _)| *given).map(|(_, flag)| flag.to_owned()));
    shell_words::join(words)
}

/// Replays the journal of a run that was killed, into the report; whether there was one.
///
/// # Errors
///
/// Another run is at work on it, or it cannot be read: nothing else may be changed then.
pub(super) async fn recover(state: &State, cli: &Cli, context: &Context, report: &mut Report) -> Result<bool> {
    let wait = cli.global.lock_wait.max(GUARDIAN);
    let Some(recovered) = outage::recover(state, cli.command.name(), wait, context).await? else { return Ok(false) };
    report.outcomes.extend(recovered.outcomes());
    report.findings.extend(recovered.ended.findings);
    Ok(true)
}

/// What every other command does first about a renewal that was cut off: one that may change something starts what was
/// stopped, one that only looks tells it.
pub(super) async fn first(cli: &Cli, context: &Context, report: &mut Report) {
    let effect = cli.command.effect();
    let found = match effect {
        Effect::None | Effect::Own => return,
        Effect::Looks => state(cli, context).and_then(|state| outage::unfinished(&state, context)),
        Effect::Changes => match state(cli, context).map(|state| (state.owed(), state)) {
            // A renewal that is at work starts everything itself.
            Ok((Ok(Peek::Unfinished(_)), state)) => recover(&state, cli, context, report).await.map(|_| None),
            Ok((answer, _)) => answer.map(|_| None),
            Err(error) => Err(error),
        },
    };
    match found {
        Ok(finding) => report.findings.extend(finding),
        // No folder for state: no journal either, and the command itself says so where it needs one.
        Err(error) if error.kind == Kind::Config => {}
        Err(error) => {
            let finding = Finding::fail("renew-cert.outage", "", error.to_string());
            report
                .findings
                .push(finding.fix(error.hints.first().cloned().unwrap_or_default()).data("reason", "journal"));
        }
    }
}

/// The state folder, also where the configuration is broken: what is owed does not depend on it.
fn state(cli: &Cli, context: &Context) -> Result<State> {
    let loaded = config::load(cli.global.config.as_deref(), context).ok().flatten();
    State::find(context, loaded.as_ref().and_then(|loaded| loaded.model.state.as_deref()))
}

/// The end of a run that a signal came to: everything owed has been put back.
fn interrupted(context: &Context) -> Result<()> {
    if context.cancel.is_raised() {
        return Err(Error::new(Kind::Interrupted, "finish").because("a signal came, and everything owed was started"));
    }
    Ok(())
}
