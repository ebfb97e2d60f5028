//! The job against moto (EC2, RDS, STS, EventBridge Scheduler for real, as far as it goes), and against a small cloud of our own
//! that answers as a test wants: states that take time, capacity, keys, throttling, pages. What moto cannot is said there.

#![expect(clippy::print_stdout, reason = "what is skipped is said")]

mod besides;
mod cloud;
mod doubt;
mod moto;
mod on_moto;
mod order;
mod refusals;
mod turning;

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use jiff::{Timestamp, tz::TimeZoneDatabase};

use super::*;
use crate::{
    report::{Outcome, Report, State as Came},
    rules::{
        calendar::Calendar,
        fleet::{Service, Wish},
    },
    system::{
        Context,
        aws::{Pace, Slowing},
        clock::Fixed,
        state::State,
    },
};

/// A Monday in office hours, and the evening after it.
const DAY: &str = "2030-11-25T18:00:00Z";
const EVENING: &str = "2030-11-26T00:10:00Z";

fn calendar() -> Calendar {
    let zone = TimeZoneDatabase::bundled().get("America/Detroit").unwrap();
    Calendar::new(zone, vec!["Mon-Fri 07:00-19:00".parse().unwrap()]).unwrap()
}

/// A world at an instant whose Amazon is at this address.
fn context(address: &str, now: &str) -> Context {
    let variables = [
        ("AWS_ENDPOINT_URL", address),
        ("AWS_ACCESS_KEY_ID", "AKIDTEST"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_REGION", "us-east-1"),
    ];
    let variables: BTreeMap<_, _> = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let clock = Arc::new(Fixed(now.parse::<Timestamp>().unwrap()));
    Context { clock, ..Context::real(variables, "/".into()) }
}

fn by_tag(service: Service, regions: &[&str]) -> Selector {
    Selector {
        service,
        regions: regions.iter().map(|region| (*region).to_owned()).collect(),
        tags: vec![("Schedule".into(), "office-hours".into())],
        ids: Vec::new(),
        clusters: Vec::new(),
        role: None,
        hibernate: Wish::Never,
        snapshot: Wish::Never,
    }
}

/// Instances and databases of one region with the tag.
fn office_hours() -> Schedule {
    let selectors = [Service::Ec2, Service::Rds].map(|service| by_tag(service, &["us-east-2"])).into();
    Schedule { selectors, ..Schedule::new("office-hours", calendar()) }
}

/// Settings that do not wait long: a look every moment, and half a second for everything.
fn settings(folder: &Path, schedules: Vec<Schedule>) -> Settings {
    let context = Context::real(BTreeMap::new(), "/".into());
    Settings {
        project: "prime".into(),
        all: schedules.clone(),
        schedules,
        state: State::find(&context, Some(&folder.join("state"))).unwrap(),
        lock_wait: Duration::ZERO,
        command: "schedule apply".into(),
        yes: false,
        patience: Patience {
            look: Duration::from_millis(20),
            limit: Duration::from_secs(3),
            capacity: Duration::from_millis(600),
            // The bucket of a region is the whole process's, and so every test's; that it is used is a test beside it.
            pace: Pace { wait: Duration::from_millis(1), slowing: Slowing::Call, ..Pace::default() },
        },
    }
}

/// One run of `apply`.
async fn run(settings: &Settings, context: &Context) -> Report {
    let mut report = Report::new("schedule apply", "web-1", context.clock.now());
    apply(settings, false, &mut report, context).await.unwrap();
    report
}

/// What came of the machines: `stop i-1: done`, in order.
fn came(report: &Report) -> Vec<String> {
    let mut told: Vec<String> = report
        .outcomes
        .iter()
        .map(|Outcome { action, target, state, .. }| {
            let word = match state {
                Came::Done => "done",
                Came::Unchanged => "unchanged",
                Came::Skipped => "skipped",
                Came::Failed => "failed",
            };
            format!("{action} {target}: {word}")
        })
        .collect();
    told.sort_unstable();
    told
}

fn detail<'a>(report: &'a Report, target: &str) -> &'a str {
    report.outcomes.iter().find(|outcome| outcome.target == target).map_or("", |outcome| outcome.detail.as_str())
}

/// The reason words of the findings that are not fine.
fn reasons(report: &Report) -> Vec<&str> {
    let bad = report.findings.iter().filter(|finding| !finding.status.is_fine());
    bad.filter_map(|finding| finding.data.get("reason")?.as_str()).collect()
}
