//! The order of services, and what a failure of the first means for the second: moto turns everything at once.

use super::{
    cloud::{Cloud, Fake, Reply},
    *,
};
use crate::rules::fleet::{OVERRIDE, PROTECT};

fn shop(state: &str, database: &str) -> Vec<Fake> {
    vec![
        Fake::instance("i-0000000000000000a", state),
        Fake::instance("i-0000000000000000b", state),
        Fake::database("db", database),
    ]
}

#[tokio::test]
async fn schedule_case_63_the_database_runs_before_the_application_starts_and_until_it_has_stopped() {
    let cloud = Cloud::start(shop("stopped", "stopped"), |call, machines, _| {
        let database = machines.iter().find(|fake| fake.database).map(|fake| fake.state.clone());
        match call.action.as_str() {
            "StartInstances" => assert_eq!(database.as_deref(), Some("available"), "the database first"),
            "StopDBInstance" => {
                assert!(
                    machines.iter().filter(|fake| !fake.database).all(|fake| fake.state == "stopped"),
                    "the application first"
                );
            }
            _ => {}
        }
        None
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), vec![office_hours()]);
    let report = run(&settings, &context(&cloud.url, DAY)).await;
    assert_eq!(
        came(&report),
        ["start db: done", "start i-0000000000000000a: done", "start i-0000000000000000b: done"],
        "{report:#?}"
    );
    let report = run(&settings, &context(&cloud.url, EVENING)).await;
    assert_eq!((report.outcomes.len(), report.exit()), (3, 0), "{report:#?}");
    assert_eq!(
        cloud.changes(),
        [
            "StartDBInstance db",
            "StartInstances i-0000000000000000a i-0000000000000000b",
            "StopInstances i-0000000000000000a i-0000000000000000b",
            "StopDBInstance db",
        ]
    );
}

#[tokio::test]
async fn schedule_case_63_a_database_is_left_on_under_an_application_that_did_not_stop() {
    let cloud = Cloud::start(shop("running", "available"), |call, _, _| {
        let refused = call.action == "StopInstances";
        refused.then(|| Reply(400, "UnsupportedOperation", "You can't stop 'i-0000000000000000b' just so".into()))
    })
    .await;
    // Even the one that could be stopped is refused here, as its sentence names only the other.
    let folder = tempfile::tempdir().unwrap();
    let report = run(&settings(folder.path(), vec![office_hours()]), &context(&cloud.url, EVENING)).await;
    assert_eq!(report.exit(), 1);
    assert_eq!(cloud.count("StopDBInstance"), 0, "{report:#?}");
    assert!(detail(&report, "db").starts_with("order: "), "{report:#?}");
    assert_eq!(cloud.state("db"), "available");
}

#[tokio::test]
async fn schedule_case_63_an_application_is_not_started_without_its_database() {
    let cloud = Cloud::start(shop("stopped", "stopped"), |call, _, _| {
        (call.action == "StartDBInstance").then(|| Reply(400, "InsufficientDBInstanceCapacity", "none left".into()))
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let report = run(&settings(folder.path(), vec![office_hours()]), &context(&cloud.url, DAY)).await;
    assert_eq!((report.exit(), cloud.count("StartInstances")), (1, 0), "{report:#?}");
    assert!(detail(&report, "db").starts_with("capacity: "), "{report:#?}");
}

/// What is planned for the evening of a shop whose machines have these tags besides: machine, tag, value.
async fn evening(tags: &[(&str, &str, &str)]) -> (Vec<Entry>, Vec<String>) {
    let cloud = Cloud::start(shop("running", "available"), |_, _, _| None).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), vec![office_hours()]);
    let now = EVENING.parse().unwrap();
    let found = inventory(&settings, now, &context(&cloud.url, EVENING)).await;
    let mut machines: Vec<_> = found.entries.iter().map(|entry| entry.judgement.machine.clone()).collect();
    for (id, tag, value) in tags {
        let machine = machines.iter_mut().find(|machine| machine.id == *id).unwrap();
        machine.tags.insert((*tag).into(), (*value).into());
    }
    let mut entries = judge(&settings.schedules, &settings.all, &[Sighting { role: None, machines }], None, now);
    hold_order(&mut entries, &settings.schedules);
    let steps = steps(&entries, &settings.schedules).steps;
    let steps = steps.iter().map(|step| format!("{:?} {}", step.action, step.target).to_lowercase()).collect();
    (entries, steps)
}

const HOLDS: &str = "on until 2030-11-26T03:00Z by ops";

#[tokio::test]
async fn schedule_case_28_the_end_of_an_override_stays_until_what_it_held_back_is_done() {
    let ended = "on until 2030-11-26T00:05Z by ops";
    let (_, steps) = evening(&[("i-0000000000000000a", OVERRIDE, HOLDS), ("db", OVERRIDE, ended)]).await;
    assert_eq!(steps, ["stop i-0000000000000000b"], "the database is still needed, and its end still a boundary");
    let (_, steps) = evening(&[("db", OVERRIDE, ended)]).await;
    assert_eq!(steps, ["stop i-0000000000000000a", "stop i-0000000000000000b", "stop db"]);
}

#[tokio::test]
async fn schedule_case_63_what_is_protected_runs_on_and_needs_its_database() {
    let (_, steps) = evening(&[("i-0000000000000000a", PROTECT, "yes")]).await;
    assert_eq!(steps, ["stop i-0000000000000000b"]);
}

#[tokio::test]
async fn schedule_case_63_an_override_of_the_application_keeps_its_database_running() {
    let (entries, steps) = evening(&[("i-0000000000000000a", OVERRIDE, HOLDS)]).await;
    let told: Vec<_> = entries
        .iter()
        .map(|entry| {
            (
                entry.judgement.machine.id.as_str(),
                entry.judgement.verdict.act.word(),
                entry.judgement.verdict.reason.word(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("db", "none", "order"),
            ("i-0000000000000000a", "none", "override"),
            ("i-0000000000000000b", "stop", "schedule"),
        ]
    );
    assert_eq!(steps, ["stop i-0000000000000000b"], "what is left");
}
