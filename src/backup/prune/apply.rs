//! The acting half of prune.

use futures_util::future::join_all;
use jiff::tz::TimeZone;

use super::{
    PruneAction,
    outlook::{Fate, look},
    plan::policy,
};
use crate::{
    backup::Stock,
    error::Result,
    report::{Outcome, Plan, State, Step},
    system::{
        Context,
        store::{Destination, Object, Reason, Trouble},
    },
};

/// Removes what the plan says, at all destinations at once and archive by archive, as far as a second listing still says
/// so. A signal is heeded between archives. What stays has no outcome.
///
/// # Errors
///
/// As [`plan`](super::plan()): the policy cannot be applied at all.
pub async fn apply(
    plan: Plan<PruneAction>,
    stocks: &[Stock<'_, dyn Destination + '_>],
    context: &Context,
) -> Result<Vec<Outcome>> {
    let zones: Vec<TimeZone> = stocks.iter().map(|stock| policy(stock.set)).collect::<Result<_>>()?;
    let steps: Vec<Step<PruneAction>> = plan.steps.into_iter().filter(|step| step.action.removes()).collect();
    context.progress.begin("prune", Some(steps.len() as u64));
    let runs = stocks.iter().zip(&zones).map(|(stock, zone)| {
        let own: Vec<&Step<PruneAction>> =
            steps.iter().filter(|step| step.action.is_at(stock, stock.shelf.address())).collect();
        prune(stock, own, zone, context)
    });
    let outcomes = join_all(runs).await.into_iter().flatten().collect();
    context.progress.end();
    Ok(outcomes)
}

/// Removes what the steps of one destination say.
async fn prune(
    stock: &Stock<'_, dyn Destination + '_>,
    steps: Vec<&Step<PruneAction>>,
    zone: &TimeZone,
    context: &Context,
) -> Vec<Outcome> {
    if steps.is_empty() {
        return Vec::new();
    }
    let again = match look(stock, stock.shelf, zone, context.clock.now()).await {
        Ok(again) => again,
        Err(trouble) => return vec![unlisted(stock.shelf.address(), trouble)],
    };
    let mut outcomes = Vec::new();
    // What kept one archive from being removed would keep all that follow.
    let mut hopeless = None;
    for step in steps {
        let fate = again.fates.iter().find(|fate| fate.action == step.action);
        let outcome = if context.cancel.is_raised() {
            outcome(step, State::Skipped, "a signal came")
        } else if let Some(why) = hopeless {
            outcome(step, State::Skipped, why)
        } else if let Some(fate) = fate {
            let (outcome, then) = remove(stock.shelf, step, fate).await;
            hopeless = then;
            outcome
        } else {
            let now = again.fates.iter().find(|fate| fate.action.work().id == step.action.work().id);
            let why =
                now.map_or("it has gone meanwhile".to_owned(), |fate| format!("it shall stay now: {}", fate.reason));
            outcome(step, State::Skipped, &why)
        };
        outcomes.push(outcome);
        context.progress.advance(1);
    }
    outcomes
}

/// Removes the objects of one archive, its sidecar first; and why nothing more can be removed there, where that is so.
async fn remove(
    shelf: &(dyn Destination + '_),
    step: &Step<PruneAction>,
    fate: &Fate,
) -> (Outcome, Option<&'static str>) {
    for (at, object) in fate.objects.iter().enumerate() {
        let Err(trouble) = shelf.remove(&object.name).await else { continue };
        return refused(step, &fate.objects, at, trouble);
    }
    (outcome(step, State::Done, &step.reason), None)
}

/// What is to be said when the object at `at` could not be removed, after those before it were.
fn refused(
    step: &Step<PruneAction>,
    objects: &[Object],
    at: usize,
    trouble: Trouble,
) -> (Outcome, Option<&'static str>) {
    let Trouble { reason, why, fix } = trouble;
    if reason == Reason::Retained && at == 0 {
        return (outcome(step, State::Unchanged, "kept by lock"), None);
    }
    let partly = if at > 0 { "; the next prune removes the rest" } else { "" };
    let detail = format!("`{}` could not be removed: {why}{partly}", objects[at].name);
    let mut failed = outcome(step, State::Failed, &detail);
    if reason == Reason::Permission {
        failed.fix = Some(
            "leave it to the bucket's lifecycle rules, or prune with credentials that may delete: those that make archives \
             should not"
                .to_owned(),
        );
        return (failed, Some("nothing may be removed there"));
    }
    failed.fix = Some(fix);
    let gone = match reason {
        Reason::Retained | Reason::Damaged | Reason::Missing => None,
        _ => Some("nothing could be removed there"),
    };
    (failed, gone)
}

fn unlisted(destination: &str, trouble: Trouble) -> Outcome {
    Outcome {
        action: "list".to_owned(),
        target: destination.to_owned(),
        state: State::Failed,
        detail: format!("it could not be listed a second time, so nothing was removed: {}", trouble.why),
        fix: Some(trouble.fix),
    }
}

fn outcome(step: &Step<PruneAction>, state: State, detail: &str) -> Outcome {
    Outcome {
        action: step.action.word().to_owned(),
        target: step.target.clone(),
        state,
        detail: detail.to_owned(),
        fix: None,
    }
}
