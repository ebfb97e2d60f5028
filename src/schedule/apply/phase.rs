//! Machines of one service on their way at once: asked, followed, and reported when they are there or cannot be.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::{
    batch::{Fate, Member, fate, send},
    job::{Job, Stage},
};
use crate::{
    rules::fleet::{Act, Failure, Kind, Service, Wish, snapshot_name},
    schedule::{Patience, Place},
    system::{
        Context,
        aws::{ec2::Ec2Switch, rds::RdsSwitch},
    },
};

/// So many databases are asked for at once in a region; RDS has no call for several.
const AT_ONCE: usize = 8;

/// Brings all of them where they are to go, or as far as they get. `asked` is told once of all that were sent, before
/// anything is waited for, and again after later calls.
///
/// A signal ends the wait and nothing else.
pub async fn run<'a>(
    jobs: &mut [Job<'a>],
    service: Service,
    patience: Patience,
    context: &Context,
    mut asked: impl FnMut(&[Job<'a>]),
) {
    let begun = Instant::now();
    loop {
        if jobs.iter().any(|job| job.stage == Stage::Ready) {
            ask(jobs, service, context.clock.now()).await;
            asked(jobs);
        }
        for job in jobs.iter_mut().filter(|job| !job.is_settled()) {
            if begun.elapsed() >= patience.limit {
                job.time_is_up(patience.limit);
            }
        }
        if jobs.iter().all(Job::is_settled) {
            return;
        }
        tokio::select! {
            () = sleep(patience.look) => {}
            () = context.cancel.raised(1) => return,
        }
        look(jobs, service, patience.look).await;
        for job in jobs.iter_mut().filter(|job| job.stage == Stage::Again) {
            // Each time twice as long as before, with the looks as the clock.
            let wait = patience.look * 2_u32.saturating_pow(job.refused.saturating_sub(1).min(6));
            if job.sent.is_none_or(|last| last.elapsed() >= wait) {
                job.stage = Stage::Ready;
            }
        }
        give_up(jobs, begun, patience);
    }
}

/// What has been refused for too long is left to the next run.
fn give_up(jobs: &mut [Job<'_>], begun: Instant, patience: Patience) {
    if begun.elapsed() < patience.capacity {
        return;
    }
    for job in jobs.iter_mut().filter(|job| job.refused > 0 && matches!(job.stage, Stage::Again | Stage::Ready)) {
        let capacity = job.note == Some(NO_CAPACITY);
        job.note = None;
        job.stage = Stage::Failed(match capacity {
            true => crate::rules::fleet::decode("InsufficientInstanceCapacity", ""),
            false => crate::rules::fleet::decode("RequestLimitExceeded", ""),
        });
    }
}

const NO_CAPACITY: &str = "Amazon had no machine of its type free at first";

/// Asks for everything that is ready, all places at once.
async fn ask(jobs: &mut [Job<'_>], service: Service, now: Timestamp) {
    let mut by_place: Vec<(Arc<Place>, Vec<usize>)> = Vec::new();
    for (at, job) in jobs.iter().enumerate().filter(|(_, job)| job.stage == Stage::Ready) {
        match by_place.iter_mut().find(|(place, _)| Arc::ptr_eq(place, job.place)) {
            Some((_, list)) => list.push(at),
            None => by_place.push((job.place.clone(), vec![at])),
        }
    }
    let asked = join_all(by_place.iter().map(|(place, list)| {
        let here: Vec<(usize, &Job<'_>)> = list.iter().filter_map(|at| Some((*at, jobs.get(*at)?))).collect();
        async move {
            match service {
                Service::Ec2 => instances(place, &here, now).await,
                Service::Rds => databases(place, &here, now).await,
            }
        }
    }))
    .await;
    for (at, answer) in asked.into_iter().flatten() {
        let Some(job) = jobs.get_mut(at) else { continue };
        job.snapshot = answer.snapshot;
        job.note = answer.note.or(job.note);
        match answer.fate {
            Fate::Accepted => job.accepted(),
            Fate::Again(failure) => {
                job.refused += 1;
                job.sent = Some(Instant::now());
                job.note = (failure.reason == "capacity").then_some(NO_CAPACITY);
                job.stage = Stage::Again;
            }
            Fate::Left(failure) => job.stage = Stage::Left(failure),
            Fate::Refused(failure) => job.stage = Stage::Failed(failure),
        }
    }
}

/// What Amazon said to one job.
struct Answer {
    fate: Fate,
    note: Option<&'static str>,
    snapshot: Option<String>,
}

impl From<Fate> for Answer {
    fn from(fate: Fate) -> Self {
        Self { fate, note: None, snapshot: None }
    }
}

/// Jobs with their places in the list of all.
type Numbered<'j, 'a> = Vec<(usize, &'j Job<'a>)>;

async fn instances(place: &Place, jobs: &[(usize, &Job<'_>)], now: Timestamp) -> Vec<(usize, Answer)> {
    let switch = Ec2Switch::new(&place.sdk);
    let mut answers = Vec::new();
    for act in [Act::Stop, Act::Start] {
        let own = jobs.iter().copied().filter(|(_, job)| job.act == act);
        let (sleepers, others): (Numbered<'_, '_>, Numbered<'_, '_>) = own.partition(|(_, job)| job.hibernates(now));
        let (unable, mut plain): (Numbered<'_, '_>, Numbered<'_, '_>) =
            others.into_iter().partition(|(_, job)| act == Act::Stop && job.entry.selector.hibernate == Wish::Require);
        answers.extend(unable.iter().map(|(at, _)| (*at, Fate::Refused(no_hibernation()).into())));
        let members = |list: &[(usize, &Job<'_>)]| list.iter().map(|(_, job)| member(job)).collect::<Vec<_>>();
        let hibernated = send(members(&sleepers), act, async |ids| switch.stop(ids, true).await).await;
        for (at, job) in sleepers {
            match hibernated.get(&job.machine().id) {
                // Not just now: where that is not insisted on, it is stopped as others are.
                Some(Fate::Refused(failure))
                    if failure.reason == "hibernate" && job.entry.selector.hibernate == Wish::Prefer =>
                {
                    plain.push((at, job));
                }
                Some(fate) => answers.push((at, fate.clone().into())),
                None => {}
            }
        }
        let call = async |ids: &[String]| match act {
            Act::Stop => switch.stop(ids, false).await,
            Act::Start | Act::Nothing => switch.start(ids).await,
        };
        let sent = send(members(&plain), act, call).await;
        answers.extend(plain.iter().filter_map(|(at, job)| Some((*at, sent.get(&job.machine().id)?.clone().into()))));
    }
    answers
}

fn member(job: &Job<'_>) -> Member {
    let machine = job.machine();
    let class = machine.classes.first().cloned().unwrap_or_default();
    Member { id: machine.id.clone(), pool: (class, machine.zone.clone().unwrap_or_default()) }
}

fn no_hibernation() -> Failure {
    Failure {
        reason: "hibernate",
        why: "it cannot hibernate: it was not launched for it, or a moment ago".to_owned(),
        fix: "set `hibernate = \"prefer\"` to stop it all the same".to_owned(),
    }
}

async fn databases(place: &Place, jobs: &[(usize, &Job<'_>)], now: Timestamp) -> Vec<(usize, Answer)> {
    let switch = RdsSwitch::new(&place.sdk);
    let mut answers = Vec::new();
    for some in jobs.chunks(AT_ONCE) {
        let asked = some.iter().map(|(at, job)| {
            let switch = &switch;
            async move { (*at, database(switch, job, now).await) }
        });
        answers.extend(join_all(asked).await);
    }
    answers
}

async fn database(switch: &RdsSwitch, job: &Job<'_>, now: Timestamp) -> Answer {
    let machine = job.machine();
    let wish = job.entry.selector.snapshot;
    if job.act == Act::Start {
        return said(switch.start(machine.kind, &machine.id).await, job.act).into();
    }
    if machine.kind == Kind::Cluster && wish == Wish::Require {
        return Fate::Refused(Failure {
            reason: "snapshot",
            why: "a snapshot before the stop is made of instances only, and it is a cluster".to_owned(),
            fix: "set `snapshot = \"best-effort\"` for it: Aurora keeps its own backups".to_owned(),
        })
        .into();
    }
    let snapshot = (machine.kind == Kind::Database && wish != Wish::Never).then(|| snapshot_name(&machine.id, now));
    let first = said(switch.stop(machine.kind, &machine.id, snapshot.as_deref()).await, job.act);
    match &first {
        Fate::Refused(failure) if failure.reason == "snapshot" && wish == Wish::Prefer => Answer {
            fate: said(switch.stop(machine.kind, &machine.id, None).await, job.act),
            note: Some("without a snapshot, for none could be made"),
            snapshot: None,
        },
        _ => Answer { fate: first, note: None, snapshot },
    }
}

fn said(answer: Result<(), crate::system::aws::Refusal>, act: Act) -> Fate {
    answer.map_or_else(|refusal| fate(&refusal, act), |()| Fate::Accepted)
}

/// Looks at all machines that are on their way, once a place.
async fn look(jobs: &mut [Job<'_>], service: Service, age: Duration) {
    let mut places: Vec<Arc<Place>> = Vec::new();
    for job in jobs.iter().filter(|job| !job.is_settled()) {
        if !places.iter().any(|place| Arc::ptr_eq(place, job.place)) {
            places.push(job.place.clone());
        }
    }
    // A little younger than the pause, or a look that has just been made by this very loop would be taken again.
    let age = age.mul_f64(0.9);
    let looked = join_all(places.iter().map(|place| place.look(service, age))).await;
    for (place, machines) in places.iter().zip(looked) {
        // What cannot be seen just now is looked at again, as long as there is time.
        let Ok(machines) = machines.inspect_err(|refusal| tracing::debug!(?refusal, "could not look")) else {
            continue;
        };
        let by_id: BTreeMap<_, _> =
            machines.iter().map(|machine| ((machine.kind, machine.id.as_str()), machine)).collect();
        for job in jobs.iter_mut().filter(|job| Arc::ptr_eq(job.place, place)) {
            let machine = job.machine();
            job.see(by_id.get(&(machine.kind, machine.id.as_str())).copied());
        }
    }
}
