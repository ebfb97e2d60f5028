//! What Amazon refuses: single machines, whole batches, for now and for good. moto refuses little, and none of it for a while.

use super::{
    cloud::{Call, Cloud, Fake, Reply},
    *,
};

fn many(count: usize, state: &str) -> Vec<Fake> {
    (0..count).map(|at| Fake::instance(&format!("i-{at:017x}"), state)).collect()
}

fn is(call: &Call, action: &str) -> bool {
    call.action == action
}

/// Whether a call is about this machine.
fn about(call: &Call, at: usize) -> bool {
    call.ids().contains(&format!("i-{at:017x}").as_str())
}

async fn evening(cloud: &Cloud) -> Report {
    let folder = tempfile::tempdir().unwrap();
    run(&settings(folder.path(), vec![office_hours()]), &context(&cloud.url, EVENING)).await
}

async fn morning(cloud: &Cloud) -> Report {
    let folder = tempfile::tempdir().unwrap();
    run(&settings(folder.path(), vec![office_hours()]), &context(&cloud.url, DAY)).await
}

fn done(report: &Report) -> usize {
    report.outcomes.iter().filter(|outcome| outcome.state == Came::Done).count()
}

#[tokio::test]
async fn schedule_case_38_where_no_machine_is_free_the_other_zones_start_and_it_is_tried_again() {
    let mut fakes = many(4, "stopped");
    for fake in &mut fakes[2..] {
        fake.zone = "us-east-2b".into();
    }
    let cloud = Cloud::start(fakes, |call, _, before| {
        // Zone b has nothing for a while: the client itself tries each call five times.
        let full = is(call, "StartInstances") && (about(call, 2) || about(call, 3)) && before < 18;
        full.then(|| Reply(500, "InsufficientInstanceCapacity", "We currently do not have sufficient t3.large".into()))
    })
    .await;
    let report = morning(&cloud).await;
    assert_eq!((done(&report), report.exit()), (4, 0), "{report:#?}");
    assert!(detail(&report, "i-00000000000000002").contains("no machine of its type free at first"), "{report:#?}");
    assert!(!detail(&report, "i-00000000000000000").contains("free"), "{report:#?}");
}

#[tokio::test]
async fn schedule_case_38_and_39_what_stays_away_fails_and_a_quota_is_asked_once() {
    let cloud = Cloud::start(many(3, "stopped"), |call, _, _| {
        (is(call, "StartInstances") && about(call, 0))
            .then(|| Reply(500, "InsufficientInstanceCapacity", "We currently do not have sufficient t3.large".into()))
    })
    .await;
    let report = morning(&cloud).await;
    assert_eq!((done(&report), report.exit()), (2, 1), "{report:#?}");
    assert!(detail(&report, "i-00000000000000000").starts_with("capacity: "), "{report:#?}");

    let cloud = Cloud::start(many(3, "stopped"), |call, _, _| {
        is(call, "StartInstances").then(|| Reply(400, "InstanceLimitExceeded", "Your quota allows for 0 more".into()))
    })
    .await;
    let report = morning(&cloud).await;
    assert_eq!((cloud.count("StartInstances"), report.exit()), (1, 1), "{report:#?}");
    assert!(detail(&report, "i-00000000000000002").starts_with("quota: "), "{report:#?}");
}

#[tokio::test]
async fn schedule_case_40_one_bad_id_costs_one_call_and_no_other_machine() {
    let cloud = Cloud::start(many(120, "running"), |call, _, _| {
        (is(call, "StopInstances") && (about(call, 7) || about(call, 9))).then(|| {
            let message = "The instance IDs 'i-00000000000000007, i-00000000000000009' do not exist";
            Reply(400, "InvalidInstanceID.NotFound", message.into())
        })
    })
    .await;
    let report = evening(&cloud).await;
    assert_eq!((done(&report), report.exit()), (118, 1), "{report:#?}");
    assert_eq!(cloud.count("StopInstances"), 4, "three batches, and one again without the two");
    assert!(detail(&report, "i-00000000000000009").starts_with("gone: "), "{report:#?}");
    assert!(cloud.calls().iter().all(|call| call.ids().len() <= 50));
}

#[tokio::test]
async fn schedule_case_40_an_error_that_names_nobody_halves_its_batch() {
    let cloud = Cloud::start(many(50, "running"), |call, _, _| {
        (is(call, "StopInstances") && about(call, 31))
            .then(|| Reply(403, "UnauthorizedOperation", "You are not authorized to perform this operation.".into()))
    })
    .await;
    let report = evening(&cloud).await;
    assert_eq!((done(&report), report.exit()), (49, 1), "{report:#?}");
    assert!(detail(&report, "i-0000000000000001f").starts_with("denied: "), "{report:#?}");
    assert!(cloud.count("StopInstances") <= 13, "{}", cloud.count("StopInstances"));

    let none = Cloud::start(many(50, "running"), |call, _, _| {
        is(call, "StopInstances").then(|| Reply(403, "UnauthorizedOperation", "You are not authorized.".into()))
    })
    .await;
    let report = evening(&none).await;
    assert_eq!((done(&report), report.outcomes.len()), (0, 50));
    assert!(none.count("StopInstances") <= 12, "nobody is asked fifty times: {}", none.count("StopInstances"));
}

#[tokio::test]
async fn schedule_case_41_who_is_asked_to_slow_down_waits_and_asks_for_the_same() {
    // Two calls with five tries each are not enough.
    const REFUSALS: usize = 12;
    let cloud = Cloud::start(many(50, "running"), |call, _, before| {
        (is(call, "StopInstances") && before < REFUSALS)
            .then(|| Reply(503, "RequestLimitExceeded", "Request limit exceeded.".into()))
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path(), vec![office_hours()]);
    settings.patience.limit = Duration::from_secs(60);
    settings.patience.capacity = Duration::from_secs(60);
    let report = run(&settings, &context(&cloud.url, EVENING)).await;
    assert_eq!((done(&report), report.exit()), (50, 0), "{report:#?}");
    let calls = cloud.calls();
    let stops: Vec<_> = calls.iter().filter(|call| is(call, "StopInstances")).collect();
    assert_eq!(stops.len(), REFUSALS + 1, "one more, and that was taken");
    assert!(stops.iter().all(|call| call.ids().len() == 50), "never smaller calls");
}

#[tokio::test]
async fn schedule_case_41_what_is_refused_for_too_long_is_left_to_the_next_run() {
    let cloud = Cloud::start(many(50, "running"), |call, _, _| {
        is(call, "StopInstances").then(|| Reply(503, "Throttling", "Rate exceeded".into()))
    })
    .await;
    let report = evening(&cloud).await;
    assert_eq!((done(&report), report.exit()), (0, 1), "{report:#?}");
    assert!(detail(&report, "i-00000000000000000").starts_with("throttled: "), "{report:#?}");
    assert!(cloud.calls().iter().filter(|call| is(call, "StopInstances")).all(|call| call.ids().len() == 50));
}

#[tokio::test]
async fn schedule_case_44_hibernation_is_used_where_it_can_be_had() {
    let mut fakes = many(3, "running");
    fakes[0].hibernation = true;
    fakes[1].hibernation = true;
    let script = |call: &Call, _: &mut Vec<Fake>, _: usize| {
        let hibernates = call.parameters.get("Hibernate").is_some_and(|value| value == "true");
        (is(call, "StopInstances") && hibernates && about(call, 1)).then(|| {
            let message = "The instance 'i-00000000000000001' is not ready to hibernate yet";
            Reply(400, "UnsupportedHibernationConfiguration", message.into())
        })
    };
    for (wish, all) in [(Wish::Prefer, 3), (Wish::Require, 1)] {
        let cloud = Cloud::start(fakes.clone(), script).await;
        let folder = tempfile::tempdir().unwrap();
        let mut schedule = office_hours();
        schedule.selectors[0].hibernate = wish;
        let report = run(&settings(folder.path(), vec![schedule]), &context(&cloud.url, EVENING)).await;
        assert_eq!(done(&report), all, "{report:#?}");
        let calls = cloud.calls();
        let hibernated = calls.iter().rfind(|call| call.parameters.contains_key("Hibernate")).unwrap();
        assert_eq!(hibernated.ids(), ["i-00000000000000000"]);
        if wish == Wish::Require {
            assert!(detail(&report, "i-00000000000000002").starts_with("hibernate: "), "{report:#?}");
        }
    }
}

#[tokio::test]
async fn schedule_case_45_a_protected_machine_is_left_and_nothing_is_switched_off() {
    let cloud = Cloud::start(many(3, "running"), |call, _, _| {
        (is(call, "StopInstances") && about(call, 1)).then(|| {
            let message =
                "The instance 'i-00000000000000001' may not be stopped. Modify its 'disableApiStop' attribute";
            Reply(400, "OperationNotPermitted", message.into())
        })
    })
    .await;
    let report = evening(&cloud).await;
    assert_eq!((done(&report), report.exit()), (2, 0), "{report:#?}");
    assert!(detail(&report, "i-00000000000000001").starts_with("protected: "), "{report:#?}");
    assert_eq!(cloud.changes().iter().filter(|call| call.starts_with("Modify")).count(), 0);
}

#[tokio::test]
async fn schedule_case_51_a_database_that_is_busy_after_all_is_left_to_the_next_run() {
    let cloud = Cloud::start(vec![Fake::database("db", "available")], |call, _, _| {
        is(call, "StopDBInstance")
            .then(|| Reply(400, "InvalidDBInstanceState", "Instance db is not in available state.".into()))
    })
    .await;
    let report = evening(&cloud).await;
    assert_eq!((came(&report), report.exit()), (vec!["stop db: skipped".to_owned()], 0), "{report:#?}");
}

#[tokio::test]
async fn schedule_case_62_a_snapshot_before_a_stop_is_new_and_may_be_insisted_on() {
    let refuse = |call: &Call, _: &mut Vec<Fake>, _: usize| {
        let wants = call.parameters.contains_key("DBSnapshotIdentifier");
        (is(call, "StopDBInstance") && wants).then(|| Reply(400, "SnapshotQuotaExceeded", "100 is the most".into()))
    };
    for (wish, came_of_it) in [(Wish::Prefer, "done"), (Wish::Require, "failed")] {
        let cloud = Cloud::start(vec![Fake::database("db", "available")], refuse).await;
        let folder = tempfile::tempdir().unwrap();
        let mut schedule = office_hours();
        schedule.selectors[1].snapshot = wish;
        let report = run(&settings(folder.path(), vec![schedule]), &context(&cloud.url, EVENING)).await;
        assert_eq!(came(&report), [format!("stop db: {came_of_it}")], "{report:#?}");
        let calls = cloud.calls();
        let first = calls.iter().find(|call| is(call, "StopDBInstance")).unwrap();
        assert_eq!(first.parameters["DBSnapshotIdentifier"], "mainstay-db-20301126001000");
    }
}

#[tokio::test]
async fn schedule_case_64_all_pages_are_read() {
    let mut fakes = many(150, "running");
    fakes.extend((0..130).map(|at| Fake::database(&format!("db-{at}"), "available")));
    let cloud = Cloud::start(fakes, |_, _, _| None).await;
    let folder = tempfile::tempdir().unwrap();
    let context = context(&cloud.url, DAY);
    let found = inventory(&settings(folder.path(), vec![office_hours()]), context.clock.now(), &context).await;
    assert_eq!(
        (found.entries.len(), cloud.count("DescribeInstances"), cloud.count("DescribeDBInstances")),
        (280, 3, 3)
    );
}

#[tokio::test]
async fn schedule_case_65_a_region_that_cannot_be_seen_stops_no_other_and_fails_the_run() {
    let mut away = Fake::instance("i-0000000000000000f", "running");
    away.region = "eu-west-1".into();
    let mut database = Fake::database("db", "available");
    database.region = "eu-west-1".into();
    let cloud = Cloud::start(vec![Fake::instance("i-0000000000000000a", "running"), away, database], |call, _, _| {
        let refused = call.region == "eu-west-1" && is(call, "DescribeInstances");
        refused.then(|| Reply(403, "UnauthorizedOperation", "You are not authorized to perform this operation.".into()))
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let selectors = [Service::Ec2, Service::Rds].map(|service| by_tag(service, &["us-east-2", "eu-west-1"])).into();
    let schedule = Schedule { selectors, ..Schedule::new("office-hours", calendar()) };
    let report = run(&settings(folder.path(), vec![schedule]), &context(&cloud.url, EVENING)).await;
    assert_eq!(report.exit(), 1, "{report:#?}");
    assert!(came(&report).contains(&"stop i-0000000000000000a: done".to_owned()), "{report:#?}");
    assert_eq!(reasons(&report), ["denied"]);
    // Nobody can tell what uses the database there.
    assert_eq!(cloud.state("db"), "available", "{report:#?}");
}

#[tokio::test]
async fn nothing_to_do_costs_two_calls_a_region() {
    let cloud = Cloud::start(
        vec![Fake::instance("i-0000000000000000a", "running"), Fake::database("db", "available")],
        |_, _, _| None,
    )
    .await;
    let report = morning(&cloud).await;
    assert!(report.outcomes.is_empty());
    let actions: Vec<String> = cloud.calls().into_iter().map(|call| call.action).collect();
    assert!(actions.len() == 2 && actions.iter().all(|action| action.starts_with("Describe")), "{actions:?}");
}

#[tokio::test]
async fn schedule_case_65_a_role_that_trusts_nobody_stops_no_other_account() {
    let cloud = Cloud::start(vec![Fake::instance("i-0000000000000000a", "running")], |call, _, _| {
        is(call, "AssumeRole")
            .then(|| Reply(403, "AccessDenied", "User is not authorized to perform: sts:AssumeRole".into()))
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let mut other = by_tag(Service::Ec2, &["us-east-2", "eu-west-1"]);
    let secret = crate::system::secret::Secret::Literal("an-external-id".to_owned().into());
    other.role = Some(Role { arn: "arn:aws:iam::444455556666:role/mainstay".into(), external_id: Some(secret) });
    let schedule = Schedule {
        selectors: vec![by_tag(Service::Ec2, &["us-east-2"]), other],
        ..Schedule::new("office-hours", calendar())
    };
    let report = run(&settings(folder.path(), vec![schedule]), &context(&cloud.url, EVENING)).await;
    assert_eq!((came(&report), report.exit()), (vec!["stop i-0000000000000000a: done".to_owned()], 1), "{report:#?}");
    let [finding] = &report.findings[..] else { panic!("one trouble, one finding: {report:#?}") };
    assert!(finding.cause.as_deref().is_some_and(|cause| cause.contains("444455556666:role/mainstay")), "{finding:#?}");
    assert!(finding.fix.as_deref().is_some_and(|fix| fix.contains("trust this account")), "{finding:#?}");
    let asked = cloud.calls().into_iter().find(|call| is(call, "AssumeRole")).unwrap();
    assert_eq!(asked.parameters["ExternalId"], "an-external-id");
}
