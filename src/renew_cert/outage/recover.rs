//! Replays a journal that a killed run has left.

use std::time::Duration;

use super::{
    Ended,
    end::{ID, give_back},
};
use crate::{
    error::Result,
    report::{Finding, Outcome, State as Came},
    rules::units,
    system::{
        Context,
        state::{Entry, Journal, Owed, Peek, State},
    },
};

/// What a recovery found and did.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// What was owed.
    pub entry: Entry,
    /// What came of giving it back.
    pub ended: Ended,
}

/// Starts what an earlier run owes, when there is any: for `renew-cert --recover`, and first of all in every command that
/// may change something. Waits for a run that is at work on it, for at most `wait`. No signal cuts it short once it begins.
///
/// # Errors
///
/// Another run is at work on it, or the journal cannot be read.
pub async fn recover(state: &State, command: &str, wait: Duration, context: &Context) -> Result<Option<Recovered>> {
    // A look costs nothing; the lock's folder is only made where there is something to recover.
    if state.owed()? == Peek::Nothing {
        return Ok(None);
    }
    let journal = Journal::open(state, command, wait, context).await?;
    let Some(entry) = journal.read()? else { return Ok(None) };
    context.progress.say(&format!("`mainstay {}` was cut off: starting what it had stopped", entry.command));
    let ended = give_back(&entry, None, &journal, context).await;
    Ok(Some(Recovered { entry, ended }))
}

/// What is owed, for commands that only look (`check`, every `--dry-run`): a failure with the one command to type; nothing
/// while the run that stopped it is at work.
///
/// # Errors
///
/// The journal cannot be read.
pub fn unfinished(state: &State, context: &Context) -> Result<Option<Finding>> {
    let Peek::Unfinished(entry) = state.owed()? else { return Ok(None) };
    let titles: Vec<String> = entry.owed.iter().map(Owed::title).collect();
    let since = context.clock.now().duration_since(entry.since).try_into().unwrap_or_default();
    let age = units::print_duration(Duration::from_secs(Duration::as_secs(&since)));
    let what = if titles.is_empty() { "what certbot left".to_owned() } else { titles.join(", ") };
    Ok(Some(
        Finding::fail(
            ID,
            &entry.name,
            format!("`mainstay {}` was cut off {age} ago and may have left {what} stopped", entry.command),
        )
        .observed(format!("the journal `{}`", state.folder().join("journal.json").display()))
        .fix("run `mainstay renew-cert --recover`")
        .by_hand(entry.owed.iter().rev().map(Owed::start_by_hand).collect::<Vec<_>>().join("; "))
        .data("reason", "unfinished"),
    ))
}

impl Recovered {
    /// What was done, for the report: also where everything ran already.
    pub fn outcomes(&self) -> Vec<Outcome> {
        let mut outcomes = self.ended.outcomes.clone();
        for owed in &self.entry.owed {
            if self.ended.back && !outcomes.iter().any(|outcome| outcome.target == owed.name()) {
                outcomes.push(Outcome {
                    action: "start".to_owned(),
                    target: owed.name().to_owned(),
                    state: Came::Unchanged,
                    detail: format!(
                        "{} runs already; the journal of `mainstay {}` is closed",
                        owed.title(),
                        self.entry.command
                    ),
                    fix: None,
                });
            }
        }
        outcomes
    }
}
