//! `mainstay schedule apply`: brings machines where their schedule wants them, and proves that they got there.
//!
//! It compares what is wanted with what is, at every run: a run that was missed is made up for by the next one, and a second
//! run right after the first finds nothing to do.

mod batch;
mod job;
mod phase;
mod record;
mod unit;

use std::{cell::RefCell, collections::BTreeMap};

use futures_util::future::join_all;
use jiff::Timestamp;

use super::{
    ID, Inventory, Settings, inventory,
    plan::{self, Entry},
};
use crate::{
    error::{Error, Kind, Result},
    report::{Outcome, Report, State},
    rules::fleet::{Act, Judgement, OVERRIDE},
    system::{
        Context,
        aws::{ec2::Ec2Switch, rds::RdsSwitch},
        state::{Lock, Request},
    },
};
use record::Record;
use unit::Unit;

/// Carries out what the schedules want now, or with `dry_run` says what that would be.
///
/// What fails is told in the report and stops nothing else. Schedules whose lock another run holds are left out.
///
/// # Errors
///
/// The state folder cannot be used; or a signal came, and then it is said what was begun.
pub async fn apply(settings: &Settings, dry_run: bool, report: &mut Report, context: &Context) -> Result<Inventory> {
    let mut settings = settings.clone();
    // Held to the end.
    let mut locks = Vec::new();
    if !dry_run {
        let mut free = Vec::new();
        for schedule in &settings.schedules {
            if let Some(lock) = lock(&settings, &schedule.name, report, context).await? {
                locks.push(lock);
                free.push(schedule.clone());
            }
        }
        settings.schedules = free;
        if settings.schedules.is_empty() {
            return Ok(Inventory::default());
        }
    }
    let now = context.clock.now();
    let mut found = inventory(&settings, now, context).await;
    if !dry_run {
        found.fail_unseen();
    }
    report.findings.extend(found.findings.iter().cloned());
    let mut plan = plan::steps(&found.entries, &settings.schedules);
    if !found.blind.is_empty() {
        plan.notes.push("what could not be looked at is not in it".to_owned());
    }
    report.add_plan(&plan);
    if dry_run {
        return Ok(found);
    }
    let records = records(&settings)?;
    let units = units(&settings, &found, &records, now);
    let done = join_all(units.into_iter().map(|unit| unit.run(&settings, &found, context))).await;
    let mut begun = 0;
    for mut unit in done {
        begun += unit.begun();
        report.outcomes.append(&mut unit.outcomes);
        report.findings.extend(unit.findings);
    }
    if context.cancel.is_raised() {
        let told = format!("{begun} starts and stops were begun and not waited for");
        return Err(Error::new(Kind::Interrupted, "finish")
            .because("a signal ended the run")
            .because(told)
            .hint("run it again: it goes on from what Amazon says of the machines"));
    }
    report.outcomes.extend(untag(&found, &report.outcomes, context).await);
    Ok(found)
}

/// The lock of a schedule; `None` where another run has it, which the report says.
async fn lock(settings: &Settings, name: &str, report: &mut Report, context: &Context) -> Result<Option<Lock>> {
    let full = format!("{}-{name}", settings.project);
    let request = Request { job: "schedule", name: &full, command: &settings.command, wait: settings.lock_wait };
    settings.state.lock_or_tell(context, request, (ID, name, "another run of this schedule"), report).await
}

/// What is remembered of each schedule, for all of its accounts.
fn records(settings: &Settings) -> Result<BTreeMap<&str, RefCell<Record>>> {
    let load = |name: &str| Record::load(&settings.state, &settings.project, name).map(RefCell::new);
    settings.schedules.iter().map(|schedule| Ok((schedule.name.as_str(), load(&schedule.name)?))).collect()
}

/// The machines of one schedule in one account are one unit: they are ordered among themselves and wait for nobody else.
fn units<'a>(
    settings: &'a Settings,
    found: &'a Inventory,
    records: &'a BTreeMap<&str, RefCell<Record>>,
    now: Timestamp,
) -> Vec<Unit<'a>> {
    let mut units: Vec<Unit<'a>> = Vec::new();
    for schedule in &settings.schedules {
        let Some(record) = records.get(schedule.name.as_str()) else { continue };
        for entry in found.entries.iter().filter(|entry| entry.judgement.schedule == schedule.name) {
            let role = found.places.get(entry.sighting).and_then(|place| place.role.as_deref());
            let known = units.iter_mut().find(|unit| unit.schedule.name == schedule.name && unit.role == role);
            match known {
                Some(unit) => unit.entries.push(entry),
                None => units.push(Unit { schedule, role, entries: vec![entry], record, now }),
            }
        }
    }
    units
}

/// Takes off the overrides that have ended, where nothing is left to be done because of them.
async fn untag(found: &Inventory, outcomes: &[Outcome], context: &Context) -> Vec<Outcome> {
    let left = |entry: &&Entry| {
        let Judgement { machine, verdict, .. } = &entry.judgement;
        let mut own = outcomes.iter().filter(|outcome| outcome.target == machine.title()).peekable();
        let arrived = own.peek().is_some() && own.all(|outcome| outcome.state == State::Done);
        plan::is_done_with(verdict) || verdict.expired && verdict.act != Act::Nothing && arrived
    };
    let mut removed = Vec::new();
    for entry in found.entries.iter().filter(left) {
        let machine = &entry.judgement.machine;
        let Some(place) = found.places.get(entry.sighting) else { continue };
        let done = match machine.kind.service() {
            crate::rules::fleet::Service::Ec2 => Ec2Switch::new(&place.sdk).untag(&machine.id, OVERRIDE).await,
            crate::rules::fleet::Service::Rds => RdsSwitch::new(&place.sdk).untag(&machine.arn, OVERRIDE).await,
        };
        let (state, detail, fix) = match done {
            Ok(()) => (State::Done, "its override has ended".to_owned(), None),
            // It has no effect any more: a tag too many is no failure of the schedule.
            Err(refusal) => {
                let trouble = super::trouble::Trouble::of(&refusal);
                (State::Skipped, format!("the override that has ended stays: {}", trouble.why), Some(trouble.fix))
            }
        };
        removed.push(Outcome { action: "untag".into(), target: machine.title(), state, detail, fix });
        if context.cancel.is_raised() {
            break;
        }
    }
    removed
}
