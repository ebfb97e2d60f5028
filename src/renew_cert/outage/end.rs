//! Starts what is owed, proves that it is back, and puts back what was changed for the time being.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Ended, begin::freed, certbot, links, prove::prove};
use crate::{
    report::{Finding, Outcome, State},
    system::{
        Context,
        docker::{Acting, Trouble},
        state::{Entry, Journal, Owed},
        systemd,
    },
};

/// The id of the findings about what was stopped.
pub(super) const ID: &str = "renew-cert.outage";

/// How long a start is tried again.
pub(super) const TRIES: Duration = Duration::from_secs(180);

/// How long one that is not there any more may take to appear again.
pub(super) const GONE: Duration = Duration::from_secs(15);

/// How long port 80 may still be taken before the start is tried all the same.
pub(super) const FREED: Duration = Duration::from_secs(10);

/// Gives back what an entry owes. Never cut short: the journal is closed when all of it is back, and only then.
pub(super) async fn give_back(entry: &Entry, since: Option<Instant>, journal: &Journal, context: &Context) -> Ended {
    let mut ended = Ended::nothing();
    if let Err(trouble) = certbot::clear(&entry.id, entry.container.as_ref(), &entry.engine, context).await {
        ended.findings.push(left_over(entry, &trouble));
    }
    ended.outcomes.extend(entry.lineage.as_ref().and_then(links::mend));
    let down = down(entry, since.is_some(), &mut ended, context).await;
    if !down.is_empty() {
        let begun = Instant::now();
        while !freed().await && begun.elapsed() < FREED {
            sleep(Duration::from_millis(20)).await;
        }
    }
    let mut left = entry.clone();
    for owed in entry.owed.iter().rev().filter(|owed| down.contains(owed)) {
        context.progress.say(&format!("starting {}", owed.title()));
        match start(owed, entry, context).await {
            Ok(()) => ended.outcomes.push(outcome("start", owed, Ok(()))),
            // Somebody has removed it, and may have something else in its place.
            Err(Unstarted { gone: true, .. }) => left.owed.retain(|other| other != owed),
            Err(Unstarted { why, .. }) => {
                ended.back = false;
                ended.outcomes.push(outcome("start", owed, Err(why)));
            }
        }
    }
    if !ended.back {
        ended.findings.push(not_back(entry, "it could not be started"));
    } else if !(left.owed.is_empty() && left.probes.is_empty()) {
        context.progress.say("waiting until it is proved to be back");
        let proof = prove(&left, context).await;
        ended.downtime = proof.back.zip(since).map(|(back, since)| back.duration_since(since));
        ended.back = proof.wrong.is_empty();
        for why in proof.wrong {
            ended.findings.push(not_back(entry, &why));
        }
        ended.findings.extend(proof.ailing.iter().map(|title| ailing(entry, title)));
    }
    for owed in entry.owed.iter().filter(|owed| !left.owed.contains(owed)) {
        let replaced = ended.back && !entry.probes.is_empty();
        ended.findings.push(gone(entry, owed, replaced));
        ended.back &= replaced;
    }
    let owed_policies = if ended.back { &left.owed[..] } else { &[] };
    for owed in owed_policies {
        if let Err(trouble) = put_back(owed, entry, context).await {
            ended.back = false;
            ended.outcomes.push(outcome("restart-policy", owed, Err(trouble.to_string())));
        }
    }
    if ended.back {
        // A client that was killed may have asked for its container a moment ago.
        let _ = certbot::clear(&entry.id, entry.container.as_ref(), &entry.engine, context).await;
        if let Err(error) = journal.close() {
            ended.findings.push(Finding::warn(ID, &entry.name, error.to_string()).fix(error.hints.join("; ")));
        }
    }
    ended
}

/// What does not run, of what is owed. What somebody else has started meanwhile is told, where this run knows that it had
/// stopped it.
async fn down<'e>(entry: &'e Entry, stopped: bool, ended: &mut Ended, context: &Context) -> Vec<&'e Owed> {
    let mut down = Vec::new();
    for owed in &entry.owed {
        let Owed::Container { engine, name, paused, id, .. } = owed else {
            down.push(owed);
            continue;
        };
        let found = Acting::new(context, engine, &entry.engine).look.inspect(name).await;
        let up = |state: &str| state == "running" || (*paused && state == "paused");
        match found {
            Ok(container) if up(&container.state) => {
                let anew = container.id != *id;
                let later = container.started.is_some_and(|started| started > entry.since);
                if stopped && (anew || later) {
                    let what = if anew { "made anew and started" } else { "started" };
                    let summary = format!("`{name}` was {what} by somebody else while the renewal had stopped it");
                    let fix = "see what does so (`docker compose up`, a timer, watchtower) and let it not run at the time of the renewal";
                    ended
                        .findings
                        .push(Finding::warn(ID, &entry.name, summary).fix(fix).data("reason", "started-meanwhile"));
                }
                if *paused && container.state == "running" {
                    down.push(owed);
                }
            }
            _ => down.push(owed),
        }
    }
    down
}

/// Why something is not started.
struct Unstarted {
    why: String,
    /// Whether there is nothing of this name any more.
    gone: bool,
}

/// Starts one thing, again and again for minutes: the port may be taken for a moment, the engine may be starting itself.
async fn start(owed: &Owed, entry: &Entry, context: &Context) -> Result<(), Unstarted> {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(100);
    loop {
        let unstarted = match attempt(owed, entry, context).await {
            Ok(()) => return Ok(()),
            Err(unstarted) => unstarted,
        };
        // One that is being made anew is away for a moment only.
        if begun.elapsed() > if unstarted.gone { GONE } else { TRIES } {
            return Err(unstarted);
        }
        let why = &unstarted.why;
        context.progress.say(&format!("{} could not be started yet, trying again: {why}", owed.title()));
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(10));
    }
}

async fn attempt(owed: &Owed, entry: &Entry, context: &Context) -> Result<(), Unstarted> {
    match owed {
        Owed::Container { engine, name, paused, .. } => {
            let acting = Acting::new(context, engine, &entry.engine);
            let unstarted = |trouble: Trouble| Unstarted {
                gone: matches!(trouble, Trouble::NoSuch { .. }),
                why: trouble.to_string(),
            };
            acting.start(name).await.map_err(unstarted)?;
            match paused {
                true => acting.pause(name).await.map_err(unstarted),
                false => Ok(()),
            }
        }
        Owed::Unit { unit } => systemd::start(unit, context).await.map_err(|why| Unstarted { why, gone: false }),
    }
}

/// Puts a restart policy back, unless somebody has given it another one meanwhile.
async fn put_back(owed: &Owed, entry: &Entry, context: &Context) -> Result<(), Trouble> {
    let Owed::Container { engine, name, policy, leased: true, .. } = owed else { return Ok(()) };
    let acting = Acting::new(context, engine, &entry.engine);
    let found = acting.look.inspect(name).await?;
    let now = found.raw.pointer("/HostConfig/RestartPolicy/Name").and_then(serde_json::Value::as_str);
    if now != Some("always") {
        return Ok(());
    }
    acting.restart_policy(name, policy).await
}

fn outcome(action: &str, owed: &Owed, answer: Result<(), String>) -> Outcome {
    let (state, detail, fix) = match answer {
        Ok(()) => (State::Done, format!("{} was started again", owed.title()), None),
        Err(why) if action == "start" => (
            State::Failed,
            format!("{} could not be started: {why}", owed.title()),
            Some(format!("type `{}`", owed.start_by_hand())),
        ),
        Err(why) => {
            let detail = format!("{} runs, but its restart policy is still `always`: {why}", owed.title());
            (State::Failed, detail, Some("run `mainstay renew-cert --recover`".to_owned()))
        }
    };
    Outcome { action: action.to_owned(), target: owed.name().to_owned(), state, detail, fix }
}

/// The loudest of all findings.
fn not_back(entry: &Entry, why: &str) -> Finding {
    let by_hand: Vec<String> = entry.owed.iter().rev().map(Owed::start_by_hand).collect();
    let by_hand = by_hand.join("; ");
    Finding::fail(ID, &entry.name, format!("the site is not back up: {why}"))
        .cause("it was stopped for the renewal; the guardian and every later run go on trying")
        .fix(format!("type `{by_hand}` now, and see `docker logs` for why it does not stay up"))
        .by_hand(by_hand)
        .data("reason", "site-down")
}

/// It is as it was.
fn ailing(entry: &Entry, title: &str) -> Finding {
    Finding::warn(ID, &entry.name, format!("{title} runs again, and is not healthy by its own health check"))
        .cause("it was unhealthy before it was stopped, so that is not this renewal's doing")
        .fix("see what its health check says: `docker inspect -f '{{json .State.Health}}' NAME`")
        .data("reason", "unhealthy-before")
}

/// Somebody removed it meanwhile. Where something answers in its place, that is as good; else there is nothing to start.
fn gone(entry: &Entry, owed: &Owed, replaced: bool) -> Finding {
    let title = owed.title();
    if replaced {
        let summary = format!(
            "{title} was removed by somebody else while the renewal had stopped it; something answers in its place"
        );
        return Finding::warn(ID, &entry.name, summary)
            .fix("see that what runs now is what should run")
            .data("reason", "replaced");
    }
    Finding::fail(ID, &entry.name, format!("the site is not back up: {title} is not there any more"))
        .cause("somebody removed it while the renewal had stopped it")
        .fix("start what should be in its place (`docker compose up -d`), then run `mainstay renew-cert --recover`")
        .data("reason", "site-down")
}

fn left_over(entry: &Entry, trouble: &Trouble) -> Finding {
    let name = entry.container.as_ref().map(|helper| helper.name.clone()).unwrap_or_default();
    Finding::warn(ID, &entry.name, format!("certbot's container `{name}` may still be there: {trouble}"))
        .fix(format!("type `docker rm -f {name}`"))
        .data("reason", "certbot-left")
}
