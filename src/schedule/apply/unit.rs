//! The machines of one schedule in one account, in their order: an application is not started before its database runs, and
//! no database is stopped under an application.

use std::{cell::RefCell, collections::BTreeMap};

use jiff::{SignedDuration, Timestamp};

use super::{
    job::{Job, Stage},
    phase,
    record::Record,
};
use crate::{
    report::{Finding, Outcome, State as Came},
    rules::{
        calendar::State,
        fleet::{Act, Failure, Reason, Service, superseded},
    },
    schedule::{Blind, Entry, ID, Inventory, Schedule, Settings, trouble::Trouble},
    system::{Context, aws::rds::RdsSwitch},
};

/// What is ordered among itself and waits for nobody else.
pub struct Unit<'a> {
    /// The schedule.
    pub schedule: &'a Schedule,
    /// The role that leads to the account.
    pub role: Option<&'a str>,
    /// Its machines.
    pub entries: Vec<&'a Entry>,
    /// What is remembered of the schedule, shared with its machines in other accounts.
    pub record: &'a RefCell<Record>,
    /// The instant that the plan is for.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Default)]
pub struct Done {
    /// Machine by machine.
    pub outcomes: Vec<Outcome>,
    /// What a person should know besides.
    pub findings: Vec<Finding>,
}

impl Done {
    /// How many were begun and not waited for.
    pub fn begun(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.detail.starts_with("begun")).count()
    }
}

/// What is deferred for longer than this deserves a look.
const LONG: SignedDuration = SignedDuration::from_hours(1);

impl<'a> Unit<'a> {
    /// Stops and starts, each in its own order, both at once.
    pub async fn run(self, settings: &Settings, found: &'a Inventory, context: &Context) -> Done {
        let mut done = Done { outcomes: Vec::new(), findings: self.deferred() };
        let scene = Scene { unit: &self, settings, found, context, record: self.record };
        let mut stops = self.schedule.order.clone();
        stops.reverse();
        let starts = self.schedule.order.clone();
        let (stopped, started) = tokio::join!(scene.chain(Act::Stop, &stops), scene.chain(Act::Start, &starts));
        done.outcomes.extend(stopped);
        done.outcomes.extend(started);
        let save = self.record.borrow().save(&settings.state, &settings.project, &self.schedule.name);
        if let Err(error) = save {
            let finding = Finding::warn(ID, &self.schedule.name, "what was done could not be written down");
            let fix = error.hints.join("; ");
            done.findings.push(finding.cause(error.to_string()).fix(fix).data("reason", "record"));
        }
        done
    }

    /// What has waited for too long for something that is being done to it.
    fn deferred(&self) -> Vec<Finding> {
        let rows = self.entries.iter().map(|entry| &entry.judgement);
        let machines = rows.map(|row| (&row.machine, matches!(row.verdict.reason, Reason::Deferred(_))));
        let since = self.record.borrow_mut().defer(machines, self.now);
        let long = since.into_iter().filter(|(_, at)| self.now.duration_since(*at) > LONG);
        long.map(|(machine, at)| {
            let hours = self.now.duration_since(at).as_hours();
            let summary =
                format!("{} is `{}` and has not been stopped for {hours} hours", machine.title(), machine.status);
            Finding::warn(ID, &self.schedule.name, summary)
                .fix("nothing, if that is meant to take so long; else look at it in Amazon's console")
                .data("reason", "deferred")
                .data("id", machine.id.clone())
        })
        .collect()
    }
}

/// Removes the snapshots that the one before this stop has made needless. What cannot be removed costs money and nothing else:
/// the next stop tries again.
async fn prune(job: &Job<'_>) -> Vec<Outcome> {
    let (Some(new), machine) = (&job.snapshot, job.machine()) else { return Vec::new() };
    let known = match job.place.snapshots(&machine.id).await {
        Ok(known) => known,
        Err(refusal) => {
            tracing::debug!(?refusal, "could not list the snapshots");
            return Vec::new();
        }
    };
    let switch = RdsSwitch::new(&job.place.sdk);
    let mut outcomes = Vec::new();
    for name in superseded(&machine.id, new, &known) {
        let (state, detail) = match switch.remove_snapshot(name).await {
            Ok(()) => (Came::Done, format!("{new} is newer")),
            Err(refusal) => (Came::Skipped, format!("it stays: {}", Trouble::of(&refusal).why)),
        };
        outcomes.push(Outcome { action: "remove".into(), target: name.to_owned(), state, detail, fix: None });
    }
    outcomes
}

/// Why the next service is not touched in a region.
struct Broken {
    why: String,
    /// Whether something failed, or only waits.
    failed: bool,
}

/// A unit with what it may use.
struct Scene<'s, 'a> {
    unit: &'s Unit<'a>,
    settings: &'s Settings,
    found: &'a Inventory,
    context: &'s Context,
    record: &'s RefCell<Record>,
}

impl<'a> Scene<'_, 'a> {
    /// One service after the other. Where one did not get there in a region, the next is not touched there.
    async fn chain(&self, act: Act, order: &[Service]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        // Regions in which the order is broken.
        let mut broken: BTreeMap<String, Broken> = BTreeMap::new();
        for (at, service) in order.iter().enumerate() {
            let mut jobs = self.jobs(act, *service, &broken);
            let planned: Vec<bool> = jobs.iter().map(|job| job.entry.judgement.verdict.act != Act::Nothing).collect();
            if !jobs.is_empty() && !self.context.cancel.is_raised() {
                self.say(act, *service, jobs.iter().filter(|job| !job.is_settled()).count());
                let asked = |jobs: &[Job<'a>]| self.note(jobs);
                phase::run(&mut jobs, *service, self.settings.patience, self.context, asked).await;
                self.forget(&jobs);
            }
            // A later service only waits where it has something to do.
            if at + 1 < order.len() {
                self.find_broken(act, *service, &jobs, &mut broken);
            }
            let told =
                jobs.iter().zip(planned).filter(|(job, planned)| *planned || matches!(job.stage, Stage::Failed(_)));
            outcomes.extend(told.map(|(job, _)| job.outcome()));
            for job in jobs.iter().filter(|job| job.stage == Stage::Arrived) {
                outcomes.extend(prune(job).await);
            }
        }
        outcomes
    }

    /// Tells whoever looks on why it takes minutes.
    fn say(&self, act: Act, service: Service, count: usize) {
        let verb = if act == Act::Stop { "stopping" } else { "starting" };
        let noun = match (service, count) {
            (_, 0) => return,
            (Service::Ec2, 1) => "instance",
            (Service::Ec2, _) => "instances",
            (Service::Rds, 1) => "database",
            (Service::Rds, _) => "databases",
        };
        let name = &self.unit.schedule.name;
        self.context.progress.say(&format!("{name}: {verb} {count} {noun}, which is waited for"));
    }

    /// What is to be moved, and what is on its way already and has to be waited for.
    fn jobs(&self, act: Act, service: Service, broken: &BTreeMap<String, Broken>) -> Vec<Job<'a>> {
        let mut jobs = Vec::new();
        for entry in self.unit.entries.iter().copied() {
            let row = &entry.judgement;
            let Some(place) = self.found.places.get(entry.sighting) else { continue };
            let wanted = if act == Act::Stop { State::Off } else { State::On };
            let moving = matches!(row.verdict.reason, Reason::OnItsWay(_)) && row.verdict.desired == Some(wanted);
            if row.machine.kind.service() != service || !(row.verdict.act == act || moving) {
                continue;
            }
            let mut job = Job::new(entry, place, act);
            if self.record.borrow().has_asked(&row.machine, act, self.unit.now) && job.stage == Stage::Ready {
                job.accepted();
                job.note = Some("asked by an earlier run");
            }
            if let Some(found) = broken.get(&row.machine.region).filter(|_| !moving) {
                let fix = "mend what is named; the next run goes on".to_owned();
                let order = Failure { reason: "order", why: found.why.clone(), fix };
                job.stage = if found.failed { Stage::Failed(order) } else { Stage::Left(order) };
            }
            jobs.push(job);
        }
        jobs
    }

    /// In which regions the next service must not be touched.
    fn find_broken(&self, act: Act, service: Service, jobs: &[Job<'a>], broken: &mut BTreeMap<String, Broken>) {
        let mut add = |region: &str, why: String, failed: bool| {
            let known = broken.entry(region.to_owned()).or_insert(Broken { why, failed });
            known.failed |= failed;
        };
        for job in jobs.iter().filter(|job| job.stage != Stage::Arrived) {
            let verb = if act == Act::Stop { "still runs" } else { "does not run" };
            let why = format!("{} {verb}", job.machine().title());
            // What is protected, or being worked on, is no failure, and neither is what has to wait for it.
            add(&job.machine().region, why, !matches!(job.stage, Stage::Left(_)));
        }
        if act != Act::Stop {
            return;
        }
        for Blind { region, role, service: unseen, .. } in
            self.found.blind.iter().filter(|blind| blind.concerns(self.unit.schedule))
        {
            if role.as_deref() == self.unit.role && unseen.is_none_or(|unseen| unseen == service) {
                add(region, format!("nobody can tell what else runs in {region}"), true);
            }
        }
    }

    /// Writes down what was asked, before it is waited for.
    fn note(&self, jobs: &[Job<'a>]) {
        let mut record = self.record.borrow_mut();
        for job in jobs.iter().filter(|job| job.stage == Stage::Sent && job.sent.is_some()) {
            record.ask(job.machine(), job.act, self.unit.now);
        }
        let name = &self.unit.schedule.name;
        if let Err(error) = record.save(&self.settings.state, &self.settings.project, name) {
            tracing::warn!(%error, "could not write down what was asked");
        }
    }

    fn forget(&self, jobs: &[Job<'a>]) {
        let mut record = self.record.borrow_mut();
        for job in jobs.iter().filter(|job| job.is_settled()) {
            record.forget(job.machine());
        }
    }
}
