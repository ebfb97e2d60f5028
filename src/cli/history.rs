//! `mainstay history`: what the state folder remembers, in the order of time.

use super::{
    Done,
    args::{Cli, HistoryArgs},
    config, elapsed, host,
    render::{View, history::list},
};
use crate::{
    error::{Error, Kind, Result},
    overview::history::{Filter, Listing, look},
    report::Report,
    system::{Context, state::State},
};

/// What `--job` takes: the jobs and their commands.
const JOBS: &[&str] = &[
    "check",
    "backup",
    "backup create",
    "backup verify",
    "backup restore",
    "backup prune",
    "backup drill",
    "backup init",
    "renew-cert",
    "schedule",
    "schedule apply",
    "schedule override",
    "schedule deploy",
    "notify",
];

/// Lists the runs that are asked for.
pub(super) fn run(args: &HistoryArgs, cli: &Cli, view: &View, context: &Context) -> Result<Done> {
    let started = context.clock.now();
    if let Some(job) = args.job.as_deref().filter(|job| !JOBS.contains(job)) {
        let shown: String = job.chars().filter(|c| !c.is_control()).collect();
        let error =
            Error::new(Kind::Usage, format!("list the runs of `{shown}`")).because("there is no such job or command");
        let near = config::nearest(job, JOBS.iter().copied());
        let error = near.into_iter().fold(error, |error, near| error.hint(format!("did you mean `{near}`?")));
        return Err(error.hint("jobs are `check`, `backup`, `renew-cert`, `schedule` and `notify`"));
    }
    // Where the file is broken the history can still be read, if it is in its usual place.
    let loaded = config::load(cli.global.config.as_deref(), context);
    let setting = match &loaded {
        Ok(loaded) => loaded.as_ref().and_then(|loaded| loaded.model.state.clone()),
        Err(error) if context.variable("MAINSTAY_STATE").is_none() => return Err(error.clone()),
        Err(_) => None,
    };
    let history = State::find(context, setting.as_deref())?.history();
    let filter = Filter { job: args.job.clone(), failed: args.failed, ..Filter::last(args.since, started) };
    let listing = look(&history, &filter)?;
    let mut report = Report::new("history", host(), started);
    report.result = Some(serde_json::json!({ "runs": listing.runs, "unreadable": listing.foreign }));
    report.took = elapsed(started, context);
    let text = match &listing {
        Listing { empty: true, .. } => {
            format!("no run has been recorded yet in `{}`\n", history.path().display())
        }
        Listing { runs, .. } if runs.is_empty() => format!(
            "no run of this kind since {} (UTC); --since 90d looks further back\n",
            filter.since.unwrap_or(started).strftime("%Y-%m-%d %H:%M")
        ),
        listing => list(listing, view),
    };
    if listing.foreign > 0 {
        anstream::eprintln!(
            "warning: passed over {} lines of `{}` that are no records (torn by a crash, or of another version)",
            listing.foreign,
            history.path().display()
        );
    }
    Ok(Done::Data { text, report: Box::new(report) })
}
