//! The machines of schedules against their calendars at one instant: pure, so that a plan can be made for any time and over
//! any inventory.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde::Serialize;

use super::{Schedule, Selector};
use crate::{
    report::{Finding, Plan, Risk, Step},
    rules::fleet::{
        Act, Condition, Details, Judgement, Kind, Machine, Obstacle, Reason, Service, Verdict, Wanted, Wish,
    },
};

/// The id of the findings of this job that are about machines.
pub const ID: &str = "schedule.machines";

/// The machines of one region of one account.
#[derive(Clone, Debug, Default)]
pub struct Sighting {
    /// The role that it was seen with; `None` for our own account.
    pub role: Option<String>,
    /// All machines that were told of, also those that nobody asked for.
    pub machines: Vec<Machine>,
}

/// A machine with what is to be done, and by which selector.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The machine and the verdict.
    pub judgement: Judgement,
    /// In which of the sightings it was.
    pub sighting: usize,
    /// The selector that picked it.
    pub selector: Selector,
}

/// Judges all machines that belong to the schedules, in the order of the schedules, then by account, region and kind. `all`
/// are those of the configuration: what two of them claim is nobody's. `home` is the number of our own account, where it is
/// known; where it is not, it may be any.
pub fn judge(
    schedules: &[Schedule],
    all: &[Schedule],
    sightings: &[Sighting],
    home: Option<&str>,
    now: Timestamp,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    let roles = roles_of(sightings);
    for schedule in schedules {
        let wanted = wanted(schedule, now);
        let mut own = Vec::new();
        let mut known = BTreeSet::new();
        for (at, sighting) in sightings.iter().enumerate() {
            let role = sighting.role.as_deref();
            for machine in &sighting.machines {
                let Some(selector) = schedule.picks(machine, role) else { continue };
                // What is gone is still listed for a while; what two roles lead to is one.
                if machine.condition() == Condition::Gone || !known.insert(machine.key()) {
                    continue;
                }
                let mut verdict = wanted.judge(machine);
                let seen = roles.get(&machine.key());
                let leads = |role: Option<&str>| {
                    seen.is_some_and(|roles| roles.contains(&role))
                        || match role {
                            // `arn:aws:iam::ACCOUNT:role/NAME`
                            Some(arn) => arn.split(':').nth(4) == Some(machine.account.as_str()),
                            None => home.is_none_or(|home| home == machine.account),
                        }
                };
                let wants = |schedule: &&Schedule| {
                    schedule.selectors.iter().any(|selector| {
                        let role = selector.role_arn();
                        leads(role) && selector.is_for(&machine.region, role) && selector.picks(machine)
                    })
                };
                let claims: Vec<String> = all.iter().filter(wants).map(|schedule| schedule.name.clone()).collect();
                if claims.len() > 1 {
                    verdict = nobodys(verdict, Reason::Claimed(claims));
                }
                let judgement = Judgement { schedule: schedule.name.clone(), machine: machine.clone(), verdict };
                own.push(Entry { judgement, sighting: at, selector: selector.clone() });
            }
        }
        without_members(&mut own);
        own.sort_by_key(|entry| entry.judgement.machine.key());
        entries.extend(own);
    }
    entries
}

/// What a schedule asks for.
pub fn wanted(schedule: &Schedule, now: Timestamp) -> Wanted<'_> {
    Wanted {
        schedule: &schedule.name,
        calendar: &schedule.calendar,
        decision: schedule.calendar.decide(now),
        enforce: schedule.enforce,
        now,
    }
}

/// Takes back the late stops of a schedule that has more of them than may be made without a person's word.
pub fn hold_late(entries: &mut [Entry], schedules: &[Schedule]) {
    for schedule in schedules {
        let is_late = |entry: &Entry| {
            let Judgement { schedule: name, verdict, .. } = &entry.judgement;
            *name == schedule.name && verdict.late && verdict.act == Act::Stop
        };
        let count = entries.iter().filter(|entry| is_late(entry)).count();
        if u64::try_from(count).unwrap_or(u64::MAX) <= schedule.max_late {
            continue;
        }
        for entry in entries.iter_mut().filter(|entry| is_late(entry)) {
            let verdict = &mut entry.judgement.verdict;
            verdict.act = Act::Nothing;
            verdict.reason = Reason::Late { count, most: schedule.max_late };
        }
    }
}

/// Takes back the stops of machines that others of the same schedule, account and region still need: what comes before them
/// in the order of stopping and stays as it is. An override of an application keeps its database running too.
pub fn hold_order(entries: &mut [Entry], schedules: &[Schedule]) {
    for schedule in schedules {
        let mut needed: BTreeMap<(String, String), String> = BTreeMap::new();
        for service in reversed(&schedule.order) {
            let is_own = |entry: &Entry| {
                let row = &entry.judgement;
                row.schedule == schedule.name && row.machine.kind.service() == service
            };
            for entry in entries.iter_mut().filter(|entry| is_own(entry)) {
                let Judgement { machine, verdict, .. } = &mut entry.judgement;
                let why = needed.get(&(machine.account.clone(), machine.region.clone()));
                if let (Act::Stop, Some(why)) = (verdict.act, why) {
                    verdict.act = Act::Nothing;
                    verdict.late = false;
                    verdict.reason = Reason::Order(why.clone());
                }
            }
            for Judgement { machine, verdict, .. } in
                entries.iter().filter(|entry| is_own(entry)).map(|entry| &entry.judgement)
            {
                let runs = matches!(machine.condition(), Condition::On | Condition::Starting | Condition::Busy);
                let stays = verdict.act != Act::Stop && needs_others(&verdict.reason);
                let comes = verdict.act == Act::Start;
                if (runs && stays) || comes {
                    let why = format!("{} runs and needs it ({})", machine.title(), verdict.reason.word());
                    needed.entry((machine.account.clone(), machine.region.clone())).or_insert(why);
                }
            }
        }
    }
}

/// Whether what runs for this reason needs what runs beside it. What somebody protects does, and what cannot be stopped.
/// What another service starts and ends is that service's business, as a member is its cluster's and a replica its source's.
fn needs_others(reason: &Reason) -> bool {
    match reason {
        Reason::Obstacle(obstacle) => {
            matches!(obstacle, Obstacle::Tagged | Obstacle::Spot(_) | Obstacle::Unsupported(_))
        }
        _ => true,
    }
}

/// What `apply` will do, step by step in its order.
pub fn steps(entries: &[Entry], schedules: &[Schedule]) -> Plan<Action> {
    let names: Vec<&str> = schedules.iter().map(|schedule| schedule.name.as_str()).collect();
    let mut plan = Plan::new(format!("bring the machines of `{}` where they should be", names.join("`, `")));
    for schedule in schedules {
        let own = || entries.iter().filter(|entry| entry.judgement.schedule == schedule.name);
        for (act, order) in [(Act::Stop, reversed(&schedule.order)), (Act::Start, schedule.order.clone())] {
            for service in order {
                let rows = own().filter(|entry| {
                    let row = &entry.judgement;
                    row.verdict.act == act && row.machine.kind.service() == service
                });
                plan.steps.extend(rows.map(step));
            }
        }
        for Judgement { machine, .. } in own().map(|entry| &entry.judgement).filter(|row| is_done_with(&row.verdict)) {
            plan.steps.push(Step {
                action: Action::Untag,
                target: machine.title(),
                reason: "its override has ended".to_owned(),
                risk: Risk::Safe,
                requires: Vec::new(),
                owed: false,
            });
        }
    }
    plan
}

/// Whether an override has ended and its end is of no more use. Until what it held back has been done, its end is the
/// boundary: without it what was done because of it would look like a person's doing.
pub fn is_done_with(verdict: &Verdict) -> bool {
    let is_settled = matches!(verdict.reason, Reason::AsWanted(_) | Reason::Manual { .. } | Reason::OneSided(_));
    verdict.expired && verdict.act == Act::Nothing && is_settled
}

/// One kind of step.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// A machine is started.
    Start,
    /// A machine is stopped.
    Stop,
    /// An override that has ended is taken off.
    Untag,
}

/// What a person should know of single machines besides what is done: findings of the schedule's name.
pub fn findings(entries: &[Entry]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut late = BTreeMap::new();
    for Judgement { schedule, machine, verdict } in entries.iter().map(|entry| &entry.judgement) {
        let title = machine.title();
        let finding = match &verdict.reason {
            Reason::Broken(status) => Finding::fail(ID, schedule, format!("{title} is `{status}`"))
                .fix("look at it in Amazon's console: no schedule can mend it"),
            Reason::Claimed(names) => Finding::fail(
                ID,
                schedule,
                format!("{title} belongs to `{}` at once, so it is left alone", names.join("`, `")),
            )
            .fix("let only one of the schedules select it"),
            Reason::Unreadable(why) => {
                Finding::fail(ID, schedule, format!("the override of {title} cannot be read: {why}")).fix(format!(
                    "set it anew with `mainstay schedule override {} --on --for 3h`, or take it off with --clear",
                    machine.id
                ))
            }
            Reason::Unsure => {
                Finding::unknown(ID, schedule, format!("who started {title} cannot be told, so it is not stopped"))
                    .fix("allow `rds:DescribeEvents` (see `mainstay schedule policy`), or set `enforce = true`")
            }
            Reason::Late { count, most } => {
                late.insert(schedule, (*count, *most));
                continue;
            }
            _ => continue,
        };
        findings.push(finding.data("reason", verdict.reason.word()).data("id", machine.id.clone()));
    }
    for (schedule, (count, most)) in late {
        let finding = Finding::fail(
            ID,
            schedule,
            format!("{count} machines would be stopped late, and at most {most} may without a word"),
        )
        .cause("the file was edited, a tag was set, or this host was away at the boundary")
        .fix("look at them with `mainstay schedule plan`, then run `mainstay schedule apply --yes`");
        findings.push(finding.data("reason", "late").data("count", count));
    }
    findings
}

/// The machines that schedules name and nobody has told of.
pub fn missing(schedules: &[Schedule], entries: &[Entry], seen: &[(Option<String>, String)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for schedule in schedules {
        let own: BTreeSet<(Kind, String)> = entries
            .iter()
            .filter(|entry| entry.judgement.schedule == schedule.name)
            .map(|entry| (entry.judgement.machine.kind, entry.judgement.machine.id.to_lowercase()))
            .collect();
        let mut absent = Vec::new();
        for selector in &schedule.selectors {
            // Where a region could not be looked at, nothing is known to be missing.
            let whole = selector.regions.iter().all(|region| {
                seen.iter().any(|(role, other)| role.as_deref() == selector.role_arn() && other == region)
            });
            let kind = match selector.service {
                Service::Ec2 => Kind::Instance,
                Service::Rds => Kind::Database,
            };
            let ids =
                selector.ids.iter().map(|id| (kind, id)).chain(selector.clusters.iter().map(|id| (Kind::Cluster, id)));
            absent.extend(
                ids.filter(|(kind, id)| whole && !own.contains(&(*kind, id.to_lowercase()))).map(|(_, id)| id.clone()),
            );
        }
        if !absent.is_empty() {
            let finding =
                Finding::warn(ID, &schedule.name, format!("`{}` is nowhere in its regions", absent.join("`, `")));
            findings
                .push(finding.fix("take it out of the configuration, or name its region").data("reason", "missing"));
        } else if own.is_empty()
            && schedule.selectors.iter().all(|selector| {
                selector.regions.iter().all(|region| {
                    seen.iter().any(|(role, other)| role.as_deref() == selector.role_arn() && other == region)
                })
            })
        {
            let finding = Finding::warn(ID, &schedule.name, "no machine belongs to it");
            findings.push(
                finding.fix("set the tags that it selects by, or correct `tags` and `regions`").data("reason", "empty"),
            );
        }
    }
    findings
}

fn step(entry: &Entry) -> Step<Action> {
    let Judgement { machine, verdict, .. } = &entry.judgement;
    let snapshot =
        match verdict.act == Act::Stop && entry.selector.snapshot != Wish::Never && machine.kind == Kind::Database {
            true => "; after a snapshot, for which older ones of mainstay's own than the last two go",
            false => "",
        };
    let (action, risk) = match verdict.act {
        Act::Stop => (Action::Stop, Risk::Disruptive),
        Act::Start | Act::Nothing => (Action::Start, Risk::Safe),
    };
    Step {
        action,
        target: machine.title(),
        reason: format!("{}{snapshot}", verdict.reason),
        risk,
        requires: vec![format!("it is still `{}`", machine.status)],
        owed: false,
    }
}

/// The roles by which each machine was seen: two may lead to the same account.
fn roles_of(sightings: &[Sighting]) -> HashMap<Key, Vec<Option<&str>>> {
    let mut roles: HashMap<Key, Vec<Option<&str>>> = HashMap::new();
    for sighting in sightings {
        for machine in &sighting.machines {
            roles.entry(machine.key()).or_default().push(sighting.role.as_deref());
        }
    }
    roles
}

type Key = (String, String, Kind, String);

fn nobodys(verdict: Verdict, reason: Reason) -> Verdict {
    Verdict { act: Act::Nothing, desired: None, next: None, late: false, reason, ..verdict }
}

/// A member whose cluster is here too needs no row of its own.
fn without_members(entries: &mut Vec<Entry>) {
    let clusters: BTreeSet<String> = entries
        .iter()
        .filter(|entry| entry.judgement.machine.kind == Kind::Cluster)
        .map(|entry| entry.judgement.machine.id.clone())
        .collect();
    entries.retain(|entry| match &entry.judgement.machine.details {
        Details::Database(database) => database.cluster.as_ref().is_none_or(|cluster| !clusters.contains(cluster)),
        Details::Cluster(_) | Details::Instance(_) => true,
    });
}

fn reversed<T: Clone>(list: &[T]) -> Vec<T> {
    list.iter().rev().cloned().collect()
}
