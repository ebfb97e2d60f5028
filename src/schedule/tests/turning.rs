//! Machines that take their time, are on the wrong way, or do not get there. moto knows no state between two.

use super::{
    cloud::{Cloud, Fake, Reply},
    *,
};

fn only(fakes: Vec<Fake>) -> (Vec<Fake>, Schedule) {
    (fakes, office_hours())
}

const ONE: &str = "i-0000000000000000a";

#[tokio::test]
async fn schedule_case_33_what_is_starting_is_waited_for_and_then_stopped() {
    let mut fake = Fake::instance(ONE, "pending");
    fake.then = Some((3, "running".into(), String::new()));
    let (fakes, schedule) = only(vec![fake]);
    let cloud = Cloud::start(fakes, |call, machines, _| {
        assert!(call.action != "StopInstances" || machines[0].state == "running", "too early");
        None
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let report = run(&settings(folder.path(), vec![schedule]), &context(&cloud.url, EVENING)).await;
    assert_eq!((came(&report), cloud.count("StopInstances")), (vec![format!("stop {ONE}: done")], 1), "{report:#?}");
}

#[tokio::test]
async fn schedule_case_34_and_50_what_is_stopping_is_waited_for_and_then_started() {
    let mut fake = Fake::instance(ONE, "stopping");
    fake.then = Some((3, "stopped".into(), String::new()));
    let mut database = Fake::database("db", "stopping");
    database.then = Some((3, "stopped".into(), String::new()));
    let cloud = Cloud::start(vec![fake, database], |_, _, _| None).await;
    let folder = tempfile::tempdir().unwrap();
    let report = run(&settings(folder.path(), vec![office_hours()]), &context(&cloud.url, DAY)).await;
    assert_eq!(came(&report), ["start db: done".to_owned(), format!("start {ONE}: done")], "{report:#?}");
}

#[tokio::test]
async fn schedule_case_37_a_start_that_falls_back_tells_amazons_reason() {
    let cloud = Cloud::start(vec![Fake::instance(ONE, "stopped")], |call, machines, _| {
        if call.action == "StartInstances" {
            machines[0].state = "pending".into();
            machines[0].then = Some((1, "stopped".into(), "Client.InternalError".into()));
            // Amazon takes the call: the answer is the usual one, and nothing else turns the machine.
            machines[0].slow = 0;
            return Some(Reply(200, "", String::new()));
        }
        None
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let report = run(&settings(folder.path(), vec![office_hours()]), &context(&cloud.url, DAY)).await;
    assert_eq!((came(&report), report.exit()), (vec![format!("start {ONE}: failed")], 1), "{report:#?}");
    assert!(detail(&report, ONE).starts_with("kms: "), "{report:#?}");
    assert!(report.outcomes[0].fix.as_deref().unwrap().contains("kms:CreateGrant"));
}

#[tokio::test]
async fn schedule_case_48_what_does_not_stop_is_told_and_never_forced() {
    let cloud = Cloud::start(vec![Fake::instance(ONE, "running")], |call, machines, _| {
        if call.action == "StopInstances" {
            assert!(!call.parameters.contains_key("Force") && !call.parameters.contains_key("SkipOsShutdown"));
            machines[0].slow = 100_000;
        }
        None
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path(), vec![office_hours()]);
    settings.patience.limit = Duration::from_millis(200);
    let report = run(&settings, &context(&cloud.url, EVENING)).await;
    assert!(detail(&report, ONE).starts_with("stuck: ") && report.exit() == 1, "{report:#?}");
    assert_eq!(cloud.count("StopInstances"), 1);
}

#[tokio::test]
async fn schedule_case_49_a_description_older_than_the_call_causes_no_second_call() {
    let cloud = Cloud::start(vec![Fake::instance(ONE, "running")], |call, machines, before| {
        // The first looks after the call still show it running.
        if call.action == "StopInstances" {
            return Some(Reply(200, "", String::new()));
        }
        if call.action == "DescribeInstances" && before == 5 {
            machines[0].state = "stopped".into();
        }
        None
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let report = run(&settings(folder.path(), vec![office_hours()]), &context(&cloud.url, EVENING)).await;
    assert_eq!((came(&report), cloud.count("StopInstances")), (vec![format!("stop {ONE}: done")], 1), "{report:#?}");
}

#[tokio::test]
async fn schedule_case_49_nor_does_the_run_after_one_that_was_killed() {
    let cloud = Cloud::start(vec![Fake::instance(ONE, "running")], |call, machines, before| {
        if call.action == "StopInstances" {
            return Some(Reply(200, "", String::new()));
        }
        if call.action == "DescribeInstances" && before == 8 {
            machines[0].state = "stopped".into();
        }
        None
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path(), vec![office_hours()]);
    let evening = context(&cloud.url, EVENING);
    {
        settings.patience.look = Duration::from_secs(60);
        // Killed while it waits: what it asked for was written down before.
        let running = run(&settings, &evening);
        assert!(tokio::time::timeout(Duration::from_millis(700), running).await.is_err());
        settings.patience.look = Duration::from_millis(20);
    }
    let report = run(&settings, &evening).await;
    assert_eq!((came(&report), cloud.count("StopInstances")), (vec![format!("stop {ONE}: done")], 1), "{report:#?}");
    assert!(detail(&report, ONE).contains("asked by an earlier run"), "{report:#?}");
}

#[tokio::test]
async fn schedule_case_49_the_accounts_of_a_schedule_share_one_memory() {
    const OTHER: &str = "i-0000000000000000b";
    let away = Fake { region: "eu-west-1".into(), ..Fake::instance(OTHER, "running") };
    // Amazon takes the stops, and nothing shows of them until the test says so.
    let shown = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let turned = shown.clone();
    let cloud = Cloud::start(vec![Fake::instance(ONE, "running"), away], move |call, machines, _| {
        if call.action == "DescribeInstances" && turned.load(std::sync::atomic::Ordering::SeqCst) {
            machines.iter_mut().for_each(|fake| fake.state = "stopped".into());
        }
        (call.action == "StopInstances").then(|| Reply(200, "", String::new()))
    })
    .await;
    let role = Role { arn: "arn:aws:iam::444455556666:role/mainstay".into(), external_id: None };
    let other = Selector { role: Some(role), ..by_tag(Service::Ec2, &["eu-west-1"]) };
    let selectors = vec![by_tag(Service::Ec2, &["us-east-2"]), other];
    let folder = tempfile::tempdir().unwrap();
    let schedule = Schedule { selectors, ..Schedule::new("office-hours", calendar()) };
    let mut settings = settings(folder.path(), vec![schedule]);
    let evening = context(&cloud.url, EVENING);
    settings.patience.look = Duration::from_secs(60);
    let record = settings.state.folder().join("schedule/prime-office-hours.json");
    let remembered = || crate::system::file::read(&record, 1 << 20).map(|bytes| String::from_utf8(bytes).unwrap());
    {
        // Killed once both accounts have been asked, and have written it down.
        let killed = run(&settings, &evening);
        let both = async {
            while !remembered().is_ok_and(|text| text.contains(ONE) && text.contains(OTHER)) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            report = killed => panic!("it did not wait: {report:#?}"),
            both = tokio::time::timeout(Duration::from_secs(20), both) => both.expect("one account's memory is lost"),
        }
    }
    assert_eq!(cloud.count("StopInstances"), 2);
    settings.patience.look = Duration::from_millis(20);
    let second = run(&settings, &evening);
    let show = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        shown.store(true, std::sync::atomic::Ordering::SeqCst);
    };
    let (report, ()) = tokio::join!(second, show);
    assert_eq!(came(&report), [format!("stop {ONE}: done"), format!("stop {OTHER}: done")], "{report:#?}");
    assert_eq!(cloud.count("StopInstances"), 2, "nobody is asked twice");
    for id in [ONE, OTHER] {
        assert!(detail(&report, id).contains("asked by an earlier run"), "{report:#?}");
    }
    assert!(!remembered().unwrap().contains("i-0"), "what has arrived is forgotten");
}

#[tokio::test]
async fn a_signal_ends_the_wait_and_says_what_was_begun() {
    let mut fake = Fake::instance(ONE, "running");
    fake.slow = 100_000;
    let cloud = Cloud::start(vec![fake], |_, _, _| None).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), vec![office_hours()]);
    let evening = context(&cloud.url, EVENING);
    let cancel = evening.cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(400)).await;
        cancel.raise(15);
    });
    let mut report = Report::new("schedule apply", "web-1", evening.clock.now());
    let error = apply(&settings, false, &mut report, &evening).await.err().unwrap();
    assert_eq!(error.kind, crate::error::Kind::Interrupted);
    assert!(error.to_string().contains("1 starts and stops were begun"), "{error}");
}
