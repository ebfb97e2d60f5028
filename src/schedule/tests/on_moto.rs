//! The whole job against moto, at instants of the future: moto knows only the real time, so its machines were started long
//! before.

use std::collections::BTreeMap;

use aws_credential_types::Credentials;

use super::{moto::Moto, *};
use crate::{
    rules::{
        calendar::State as Power,
        fleet::{Act, OVERRIDE, Override},
    },
    system::aws::scheduler::{Scheduler, SchedulerSwitch},
};

/// Takes on another role of another account, in moto, which asks nobody.
const ROLE: &str = "arn:aws:iam::444455556666:role/mainstay";

#[tokio::test]
async fn schedule_case_29_and_36_and_54_an_evening_stops_everything_once_and_the_morning_starts_it() {
    let Some(moto) = Moto::start("an_evening_stops_everything_once_and_the_morning_starts_it") else { return };
    let ids = moto.launch("us-east-2", 3, &[("Name", "web")]).await;
    let group = moto.launch("us-east-2", 1, &[("aws:autoscaling:groupName", "web")]).await;
    moto.database("us-east-2", "app", "postgres", None).await;
    let rds = aws_sdk_rds::Client::new(&moto.sdk("us-east-2").await);
    let tag = aws_sdk_rds::types::Tag::builder().key("Schedule").value("office-hours").build();
    let cluster = rds.create_db_cluster().db_cluster_identifier("aurora").engine("aurora-postgresql").tags(tag);
    cluster.master_username("root").master_user_password("hunter22").send().await.unwrap();
    moto.database("us-east-2", "aurora-1", "aurora-postgresql", Some("aurora")).await;

    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), vec![office_hours()]);
    let evening = context(&moto.url(), EVENING);
    let report = run(&settings, &evening).await;
    let mut expected: Vec<String> = ids.iter().map(|id| format!("stop {id} (web): done")).collect();
    expected.extend(["stop app: done".into(), "stop aurora: done".into()]);
    expected.sort_unstable();
    assert_eq!(came(&report), expected, "{report:#?}");
    assert_eq!((report.exit(), moto.state("us-east-2", &ids[0]).await.as_str()), (0, "stopped"));
    assert_eq!(moto.state("us-east-2", &group[0]).await, "running", "a member of a group is left alone");

    let again = run(&settings, &evening).await;
    assert!(again.outcomes.is_empty() && again.exit() == 0, "a second run finds nothing to do: {again:#?}");

    let morning = run(&settings, &context(&moto.url(), "2030-11-26T12:05:00Z")).await;
    assert_eq!(morning.outcomes.len(), 5, "{morning:#?}");
    assert!(morning.outcomes.iter().all(|outcome| outcome.action == "start" && outcome.state == Came::Done));
    assert_eq!(moto.state("us-east-2", &ids[0]).await, "running");
}

#[tokio::test]
async fn schedule_case_35_what_was_terminated_is_not_started_again() {
    let Some(moto) = Moto::start("schedule_case_35_what_was_terminated_is_not_started_again") else { return };
    let ids = moto.launch("us-east-2", 2, &[]).await;
    let ec2 = aws_sdk_ec2::Client::new(&moto.sdk("us-east-2").await);
    ec2.terminate_instances().instance_ids(&ids[0]).send().await.unwrap();
    ec2.stop_instances().instance_ids(&ids[1]).send().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let report = run(&settings(folder.path(), vec![office_hours()]), &context(&moto.url(), DAY)).await;
    assert_eq!(came(&report), [format!("start {}: done", ids[1])]);
    // moto would have revived it.
    assert_eq!(moto.state("us-east-2", &ids[0]).await, "terminated");
}

#[tokio::test]
async fn schedule_case_65_accounts_and_regions_are_looked_at_by_their_roles() {
    let Some(moto) = Moto::start("schedule_case_65_accounts_and_regions_are_looked_at_by_their_roles") else { return };
    let own = moto.launch("us-east-2", 1, &[]).await;
    let west = moto.launch("eu-west-1", 1, &[]).await;
    let mut other = by_tag(Service::Ec2, &["us-east-2"]);
    other.role = Some(Role { arn: ROLE.into(), external_id: None });
    let schedule = Schedule {
        selectors: vec![by_tag(Service::Ec2, &["us-east-2", "eu-west-1"]), other],
        ..Schedule::new("office-hours", calendar())
    };
    // The other account has one of its own.
    let sdk = moto.sdk("us-east-2").await;
    let assumed =
        aws_sdk_sts::Client::new(&sdk).assume_role().role_arn(ROLE).role_session_name("test").send().await.unwrap();
    let found = assumed.credentials().unwrap();
    let (id, secret, token) = (found.access_key_id(), found.secret_access_key(), found.session_token().to_owned());
    let credentials = Credentials::new(id, secret, Some(token), None, "test");
    let provider = aws_credential_types::provider::SharedCredentialsProvider::new(credentials);
    let there = aws_sdk_ec2::Client::new(&sdk.to_builder().credentials_provider(provider).build());
    let images = there.describe_images().owners("amazon").send().await.unwrap();
    let tag = aws_sdk_ec2::types::Tag::builder().key("Schedule").value("office-hours").build();
    let tags = aws_sdk_ec2::types::TagSpecification::builder().resource_type("instance".into()).tags(tag).build();
    let run_one = there.run_instances().image_id(images.images()[0].image_id().unwrap()).min_count(1).max_count(1);
    let launched = run_one.tag_specifications(tags).send().await.unwrap();
    let theirs = launched.instances()[0].instance_id().unwrap().to_owned();

    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), vec![schedule]);
    let context = context(&moto.url(), EVENING);
    let found = inventory(&settings, context.clock.now(), &context).await;
    let seen: BTreeMap<&str, &str> = found
        .entries
        .iter()
        .map(|entry| (entry.judgement.machine.id.as_str(), entry.judgement.machine.account.as_str()))
        .collect();
    let expected =
        [(own[0].as_str(), "123456789012"), (west[0].as_str(), "123456789012"), (theirs.as_str(), "444455556666")];
    assert_eq!(seen, BTreeMap::from(expected));
    let report = run(&settings, &context).await;
    assert_eq!(report.outcomes.iter().filter(|outcome| outcome.state == Came::Done).count(), 3, "{report:#?}");
}

#[tokio::test]
async fn schedule_case_27_and_28_an_override_is_a_tag_that_ends_and_is_then_taken_off() {
    let Some(moto) = Moto::start("schedule_case_27_and_28_an_override_is_a_tag_that_ends") else { return };
    let ids = moto.launch("us-east-2", 1, &[("Name", "web-1")]).await;
    moto.database("us-east-2", "app", "postgres", None).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), vec![office_hours()]);
    let evening = context(&moto.url(), EVENING);
    let until = "2030-11-26T03:00:00Z".parse().unwrap();
    let on = Override { state: Power::On, until, by: Some("ops".into()) };
    for target in ["web-1", "app"] {
        let mut report = Report::new("schedule override", "web-1", evening.clock.now());
        override_(&settings, target, Some(&on), &mut report, &evening).await.unwrap();
        assert_eq!(
            (report.outcomes[0].state, report.outcomes[0].detail.as_str()),
            (Came::Done, "on until 2030-11-26T03:00Z by ops")
        );
    }
    assert!(run(&settings, &evening).await.outcomes.is_empty(), "both are kept on");
    let mut nobody = Report::new("schedule override", "web-1", evening.clock.now());
    let error = override_(&settings, "web-9", None, &mut nobody, &evening).await.err().unwrap();
    assert!(error.to_string().contains("no machine of any schedule"), "{error}");

    // The host was down when it ended; the next run stops them and takes the tags off.
    let mut generous = settings.clone();
    generous.yes = true;
    let night = context(&moto.url(), "2030-11-26T05:00:00Z");
    let report = run(&generous, &night).await;
    assert_eq!(report.outcomes.iter().filter(|outcome| outcome.action == "untag").count(), 2, "{report:#?}");
    assert_eq!(moto.state("us-east-2", &ids[0]).await, "stopped");
    let found = inventory(&settings, night.clock.now(), &night).await;
    assert!(found.entries.iter().all(|entry| !entry.judgement.machine.tags.contains_key(OVERRIDE)));
}

#[tokio::test]
async fn schedule_case_30_a_start_after_the_boundary_is_left_alone_by_moto_too() {
    let Some(moto) = Moto::start("schedule_case_30_a_start_after_the_boundary_is_left_alone") else { return };
    moto.launch("us-east-2", 1, &[]).await;
    let folder = tempfile::tempdir().unwrap();
    // On the real clock the machine was launched a moment ago, after every boundary.
    let zone = jiff::tz::TimeZone::UTC;
    let always_over = Calendar::new(zone, vec!["Mon-Sun 00:00-00:01".parse().unwrap()]).unwrap();
    let schedule = Schedule {
        selectors: vec![by_tag(Service::Ec2, &["us-east-2"])],
        ..Schedule::new("office-hours", always_over)
    };
    let real = Context { clock: Arc::new(crate::system::clock::Machine), ..context(&moto.url(), DAY) };
    let report = run(&settings(folder.path(), vec![schedule.clone()]), &real).await;
    // In the one minute a day in which it is on there is nothing to do either.
    assert!(report.outcomes.is_empty(), "{report:#?}");
    let found = inventory(&settings(folder.path(), vec![schedule]), real.clock.now(), &real).await;
    assert!(["manual", "schedule"].contains(&found.entries[0].judgement.verdict.reason.word()));
    assert_eq!(found.entries[0].judgement.verdict.act, Act::Nothing);
}

#[tokio::test]
async fn late_stops_wait_for_a_word_and_a_machine_of_two_schedules_is_nobodys() {
    let Some(moto) = Moto::start("late_stops_wait_for_a_word_and_a_machine_of_two_schedules_is_nobodys") else {
        return;
    };
    moto.launch("us-east-2", 6, &[]).await;
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path(), vec![office_hours()]);
    let night = context(&moto.url(), "2030-11-26T05:00:00Z");
    let report = run(&settings, &night).await;
    assert!(report.outcomes.is_empty() && report.exit() == 1, "{report:#?}");
    assert_eq!(reasons(&report), ["late"]);
    let two = Schedule { name: "nights".into(), ..office_hours() };
    settings.all.push(two);
    settings.yes = true;
    let report = run(&settings, &night).await;
    assert!(report.outcomes.is_empty(), "{report:#?}");
    assert_eq!(reasons(&report), ["claimed"; 6]);
    settings.all.pop();
    assert_eq!(run(&settings, &night).await.outcomes.len(), 6);
}

#[tokio::test]
async fn schedule_case_32_two_runs_at_once_do_not_meet() {
    let Some(moto) = Moto::start("schedule_case_32_two_runs_at_once_do_not_meet") else { return };
    moto.launch("us-east-2", 1, &[]).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), vec![office_hours()]);
    let evening = context(&moto.url(), EVENING);
    let request = crate::system::state::Request {
        job: "schedule",
        name: "prime-office-hours",
        command: "schedule apply",
        wait: Duration::ZERO,
    };
    let lock = settings.state.lock(&evening, request).await.unwrap();
    let report = run(&settings, &evening).await;
    assert!(report.outcomes.is_empty() && report.exit() == 4, "{report:#?}");
    drop(lock);
    assert_eq!(run(&settings, &evening).await.outcomes.len(), 1);
}

pub(super) fn deployed(function: Option<&str>) -> Schedule {
    Schedule {
        deploy: Some(Deploy {
            group: "mainstay".into(),
            role: "arn:aws:iam::123456789012:role/mainstay-scheduler".into(),
            function: function.map(str::to_owned),
            dead_letter_queue: Some("arn:aws:sqs:us-east-2:123456789012:failed".into()),
        }),
        ..office_hours()
    }
}

const FUNCTION: &str = "arn:aws:lambda:us-east-2:123456789012:function:mainstay";

pub(super) async fn bring(settings: &Settings, request: DeployRequest, context: &Context) -> Report {
    let mut report = Report::new("schedule deploy", "web-1", context.clock.now());
    deploy(settings, request, &mut report, context).await.unwrap();
    report
}

#[tokio::test]
async fn schedule_case_67_and_68_a_deploy_sets_what_is_ours_and_keeps_the_rest() {
    let Some(moto) = Moto::start("schedule_case_67_and_68_a_deploy_sets_what_is_ours_and_keeps_the_rest") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let context = context(&moto.url(), DAY);
    let all = DeployRequest { all: true, ..DeployRequest::default() };
    let settings = settings(folder.path(), vec![deployed(Some(FUNCTION))]);
    let dry = bring(&settings, DeployRequest { dry_run: true, ..all }, &context).await;
    assert!(dry.outcomes.is_empty() && dry.plan.unwrap()["steps"].as_array().unwrap().len() == 3);
    let first = bring(&settings, all, &context).await;
    assert_eq!(
        came(&first),
        [
            "create group mainstay: done",
            "create prime.office-hours.off-1900: done",
            "create prime.office-hours.on-0700: done"
        ]
    );
    let sdk = moto.sdk("us-east-2").await;
    let scheduler = Scheduler::new(&sdk);
    let name = "prime.office-hours.off-1900";
    let client = aws_sdk_scheduler::Client::new(&sdk);
    let whole = client.get_schedule().group_name("mainstay").name(name).send().await.unwrap();
    assert_eq!(whole.schedule_expression_timezone(), Some("America/Detroit"));
    let policy = whole.target().and_then(|target| target.retry_policy()).unwrap();
    assert_eq!(policy.maximum_event_age_in_seconds(), Some(900), "a late stop is no stop");
    assert_eq!(came(&bring(&settings, all, &context).await), ["deploy mainstay in us-east-2: unchanged"]);

    // Somebody switches it off, and somebody else changes the hours: the first is kept, the second is brought back.
    let found = scheduler.get("mainstay", name).await.unwrap();
    let mut changed = found.wanted.clone();
    changed.expression = "cron(0 20 ? * MON *)".into();
    SchedulerSwitch::new(&sdk).update("mainstay", &changed, &found).await.unwrap();
    let kept = client.get_schedule().group_name("mainstay").name(name).send().await.unwrap();
    let update = client
        .update_schedule()
        .group_name("mainstay")
        .name(name)
        .schedule_expression(kept.schedule_expression().unwrap())
        .schedule_expression_timezone("America/Detroit")
        .description(kept.description().unwrap_or_default())
        .flexible_time_window(kept.flexible_time_window().unwrap().clone())
        .target(kept.target().unwrap().clone())
        .state("DISABLED".into());
    update.send().await.unwrap();
    let report = bring(&settings, all, &context).await;
    assert_eq!(came(&report), [format!("update {name}: done")]);
    let found = scheduler.get("mainstay", name).await.unwrap();
    assert!(found.disabled, "what a person switched off stays off");
    assert_eq!(found.wanted.expression, "cron(0 19 ? * MON,TUE,WED,THU,FRI *)");
    assert_eq!(found.wanted.timezone, "America/Detroit", "an update forgets what it does not name");

    // A schedule that the file has no longer goes, and what is not ours stays.
    let theirs = crate::system::aws::scheduler::Wanted { name: "somebody-elses".into(), ..found.wanted };
    SchedulerSwitch::new(&sdk).create("mainstay", &theirs).await.unwrap();
    let renamed = Schedule { name: "hours".into(), ..deployed(Some(FUNCTION)) };
    let settings = super::settings(folder.path(), vec![renamed]);
    bring(&settings, all, &context).await;
    let mut names = scheduler.names("mainstay").await.unwrap();
    names.sort_unstable();
    assert_eq!(names, ["prime.hours.off-1900", "prime.hours.on-0700", "somebody-elses"]);
}

#[tokio::test]
async fn schedule_case_66_and_69_without_a_function_each_machine_has_its_own_and_losses_are_told() {
    let Some(moto) = Moto::start("schedule_case_66_and_69_without_a_function_each_machine_has_its_own") else { return };
    let ids = moto.launch("us-east-2", 2, &[]).await;
    moto.database("us-east-2", "app", "postgres", None).await;
    let folder = tempfile::tempdir().unwrap();
    let context = context(&moto.url(), DAY);
    let mut schedule = deployed(None);
    schedule.calendar = schedule.calendar.with_exceptions(vec!["2030-11-28".parse().unwrap()], Vec::new());
    let settings = settings(folder.path(), vec![schedule]);
    let report = bring(&settings, DeployRequest { all: true, ..DeployRequest::default() }, &context).await;
    assert_eq!(report.outcomes.len(), 7, "a group, and two for each of three machines: {report:#?}");
    let notes = report.findings[0].data["notes"].to_string();
    for lost in ["2030-11-28", "order", "overrides", "tags"] {
        assert!(notes.contains(lost), "{lost}: {notes}");
    }
    let scheduler = Scheduler::new(&moto.sdk("us-east-2").await);
    let found = scheduler.get("mainstay", &format!("prime.office-hours.off-1900.{}", ids[0])).await.unwrap().wanted;
    assert_eq!(found.target, "arn:aws:scheduler:::aws-sdk:ec2:stopInstances");
    assert_eq!(found.input, format!("{{\"InstanceIds\":[\"{}\"]}}", ids[0]));
    let found = scheduler.get("mainstay", "prime.office-hours.on-0700.app").await.unwrap().wanted;
    assert_eq!(found.target, "arn:aws:scheduler:::aws-sdk:rds:startDBInstance");
    assert_eq!(found.queue.as_deref(), Some("arn:aws:sqs:us-east-2:123456789012:failed"));
}

#[tokio::test]
async fn schedule_case_69_a_boundary_in_a_gap_is_refused_unless_it_is_accepted() {
    let Some(moto) = Moto::start("schedule_case_69_a_boundary_in_a_gap_is_refused_unless_it_is_accepted") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let context = context(&moto.url(), DAY);
    let mut schedule = deployed(Some(FUNCTION));
    let zone = schedule.calendar.zone().clone();
    schedule.calendar = Calendar::new(zone, vec!["Mon-Sun 02:30-19:00".parse().unwrap()]).unwrap();
    let settings = settings(folder.path(), vec![schedule]);
    let mut report = Report::new("schedule deploy", "web-1", context.clock.now());
    let all = DeployRequest { all: true, ..DeployRequest::default() };
    let error = deploy(&settings, all, &mut report, &context).await.unwrap_err();
    assert!(error.to_string().contains("Sun 2031-03-09 02:30") && error.hints[1].contains("--accept-dst"), "{error:?}");
    assert!(!Scheduler::new(&moto.sdk("us-east-2").await).has_group("mainstay").await.unwrap(), "nothing was touched");
    let accepted = bring(&settings, DeployRequest { accept_dst: true, ..all }, &context).await;
    assert_eq!(accepted.exit(), 0);
}

#[tokio::test]
async fn schedule_case_70_an_override_of_a_deployed_schedule_fires_at_its_beginning_and_at_its_end() {
    let Some(moto) = Moto::start("schedule_case_70_an_override_of_a_deployed_schedule_fires") else { return };
    let ids = moto.launch("us-east-2", 1, &[]).await;
    let folder = tempfile::tempdir().unwrap();
    let context = context(&moto.url(), EVENING);
    let settings = settings(folder.path(), vec![deployed(Some(FUNCTION))]);
    let all = DeployRequest { all: true, ..DeployRequest::default() };
    bring(&settings, all, &context).await;
    let on = Override { state: Power::On, until: "2030-11-26T03:00:00Z".parse().unwrap(), by: None };
    let set = async |wanted: Option<&Override>| {
        let mut report = Report::new("schedule override", "web-1", context.clock.now());
        override_(&settings, &ids[0], wanted, &mut report, &context).await.unwrap();
        assert_eq!(report.exit(), 0, "{report:#?}");
    };
    set(Some(&on)).await;
    set(Some(&on)).await;
    let scheduler = Scheduler::new(&moto.sdk("us-east-2").await);
    let end = scheduler.get("mainstay", &format!("prime.office-hours.override-end.{}", ids[0])).await.unwrap().wanted;
    assert_eq!((end.expression.as_str(), end.timezone.as_str(), end.once), ("at(2030-11-26T03:00:00)", "UTC", true));
    let begin =
        scheduler.get("mainstay", &format!("prime.office-hours.override-begin.{}", ids[0])).await.unwrap().wanted;
    assert_eq!(begin.expression, "at(2030-11-26T00:11:30)");
    assert_eq!(
        came(&bring(&settings, all, &context).await),
        ["deploy mainstay in us-east-2: unchanged"],
        "a deploy leaves them"
    );
    // Ended by hand: nothing is left of its end, and the function looks now.
    set(None).await;
    let mut names = scheduler.names("mainstay").await.unwrap();
    names.retain(|name| name.contains("override"));
    assert_eq!(names, [format!("prime.office-hours.override-begin.{}", ids[0])]);
}

#[tokio::test]
async fn schedule_case_62_two_snapshots_of_ours_stay_and_all_of_others() {
    let Some(moto) = Moto::start("schedule_case_62_two_snapshots_of_ours_stay_and_all_of_others") else { return };
    moto.database("us-east-2", "app", "postgres", None).await;
    let rds = aws_sdk_rds::Client::new(&moto.sdk("us-east-2").await);
    rds.create_db_snapshot().db_instance_identifier("app").db_snapshot_identifier("by-hand").send().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut schedule = office_hours();
    schedule.selectors[1].snapshot = Wish::Require;
    let settings = settings(folder.path(), vec![schedule]);
    for day in ["26", "27", "28"] {
        let evening = run(&settings, &context(&moto.url(), &format!("2030-11-{day}T00:10:00Z"))).await;
        assert_eq!(evening.exit(), 0, "{evening:#?}");
        let morning = run(&settings, &context(&moto.url(), &format!("2030-11-{day}T12:10:00Z"))).await;
        assert_eq!(came(&morning), ["start app: done"]);
    }
    let left = rds.describe_db_snapshots().db_instance_identifier("app").snapshot_type("manual").send().await.unwrap();
    let mut names: Vec<&str> =
        left.db_snapshots().iter().filter_map(|snapshot| snapshot.db_snapshot_identifier()).collect();
    names.sort_unstable();
    assert_eq!(names, ["by-hand", "mainstay-app-20301127001000", "mainstay-app-20301128001000"]);
}

#[tokio::test]
async fn an_override_that_is_ended_by_hand_leaves_nothing_that_looks_like_a_persons_doing() {
    let Some(moto) = Moto::start("an_override_that_is_ended_by_hand_leaves_nothing") else { return };
    let ids = moto.launch("us-east-2", 1, &[]).await;
    let folder = tempfile::tempdir().unwrap();
    // On the real clock, for moto notes the time of each stop.
    let zone = jiff::tz::TimeZone::UTC;
    let always = Calendar::new(zone, vec!["Mon-Sun 00:00-24:00".parse().unwrap()]).unwrap();
    let selectors = vec![by_tag(Service::Ec2, &["us-east-2"])];
    let settings = settings(folder.path(), vec![Schedule { selectors, ..Schedule::new("office-hours", always) }]);
    let real = Context { clock: Arc::new(crate::system::clock::Machine), ..context(&moto.url(), DAY) };
    let until = real.clock.now().saturating_add(jiff::SignedDuration::from_hours(3)).unwrap();
    let off = Override { state: Power::Off, until, by: None };
    let set = async |wanted: Option<&Override>| {
        let mut report = Report::new("schedule override", "web-1", real.clock.now());
        override_(&settings, &ids[0], wanted, &mut report, &real).await.unwrap();
        assert_eq!(report.outcomes[0].state, Came::Done, "{report:#?}");
    };
    set(Some(&off)).await;
    assert_eq!(came(&run(&settings, &real).await), [format!("stop {}: done", ids[0])]);
    // moto and the tag count whole seconds.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    set(None).await;
    let report = run(&settings, &real).await;
    assert_eq!(came(&report), [format!("start {}: done", ids[0]), format!("untag {}: done", ids[0])], "{report:#?}");
    assert!(run(&settings, &real).await.outcomes.is_empty());
}
