//! The numbered cases of the reference that are about machines and need no Amazon.

use jiff::{Timestamp, tz::TimeZoneDatabase};

use super::*;
use crate::rules::calendar::{Calendar, Mode, State};

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Mon-Fri 07:00-19:00 in Detroit, as the runbook has it.
fn office_hours() -> Calendar {
    let zone = TimeZoneDatabase::bundled().get("America/Detroit").unwrap();
    Calendar::new(zone, vec!["Mon-Fri 07:00-19:00".parse().unwrap()]).unwrap()
}

fn machine(status: &str) -> Machine {
    Machine {
        id: "i-0123456789abcdef0".into(),
        kind: Kind::Instance,
        account: "111122223333".into(),
        region: "us-east-2".into(),
        arn: String::new(),
        tags: BTreeMap::new(),
        status: status.into(),
        classes: vec!["t3.large".into()],
        zone: Some("us-east-2a".into()),
        turn: Turn::Earlier,
        state_reason: None,
        details: Details::Instance(Instance::default()),
    }
}

fn tagged(status: &str, tags: &[(&str, &str)]) -> Machine {
    let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Machine { tags, ..machine(status) }
}

fn database(status: &str, details: Database) -> Machine {
    let engine = if details.engine.is_empty() { "postgres".to_owned() } else { details.engine.clone() };
    let details = Details::Database(Database { engine, ..details });
    Machine { id: "app".into(), kind: Kind::Database, details, ..machine(status) }
}

fn cluster(status: &str, details: Cluster) -> Machine {
    Machine { id: "app".into(), kind: Kind::Cluster, details: Details::Cluster(details), ..machine(status) }
}

fn aurora() -> Cluster {
    Cluster { engine: "aurora-postgresql".into(), mode: "provisioned".into(), ..Cluster::default() }
}

fn judge_by(calendar: &Calendar, machine: &Machine, now: &str, enforce: bool) -> Verdict {
    let now = instant(now);
    Wanted { schedule: "office-hours", calendar, decision: calendar.decide(now), enforce, now }.judge(machine)
}

fn judge(machine: &Machine, now: &str) -> Verdict {
    judge_by(&office_hours(), machine, now, false)
}

/// Act and reason word.
fn acts(machine: &Machine, now: &str) -> (Act, &'static str) {
    let verdict = judge(machine, now);
    (verdict.act, verdict.reason.word())
}

/// A Monday in office hours, and the evening after it.
const DAY: &str = "2026-11-23T18:00:00Z";
const EVENING: &str = "2026-11-24T00:10:00Z";

#[test]
fn schedule_case_26_what_keeps_hands_off_comes_before_an_override_and_that_before_the_calendar() {
    let holds = (OVERRIDE, "on until 2026-11-24T03:00Z by ops");
    assert_eq!(acts(&machine("running"), EVENING), (Act::Stop, "schedule"));
    assert_eq!(acts(&tagged("running", &[holds]), EVENING), (Act::Nothing, "override"));
    assert_eq!(acts(&tagged("stopped", &[holds]), EVENING), (Act::Start, "override"));
    assert_eq!(acts(&tagged("stopped", &[holds, (PROTECT, "")]), EVENING), (Act::Nothing, "protected"));
    // An override comes before an exception, which comes before a window.
    let closed = office_hours().with_exceptions(vec!["2026-11-23".parse().unwrap()], Vec::new());
    assert_eq!(judge_by(&closed, &machine("running"), DAY, false).act, Act::Stop);
    assert_eq!(judge_by(&closed, &tagged("running", &[holds]), DAY, false).act, Act::Nothing);
}

#[test]
fn schedule_case_27_an_override_ends_at_an_instant_and_one_that_cannot_be_read_keeps_all_hands_off() {
    let verdict = judge(&tagged("stopped", &[(OVERRIDE, "on until 2026-11-24T03:00Z by ops")]), EVENING);
    assert_eq!((verdict.act, verdict.desired), (Act::Start, Some(State::On)));
    assert_eq!(verdict.next, Some((instant("2026-11-24T03:00:00Z"), State::Off)));
    for unreadable in ["on", "", "on until tomorrow", "on until 2026-12-24T03:00Z", "on until 2026-11-24T03:00"] {
        for status in ["running", "stopped"] {
            assert_eq!(
                acts(&tagged(status, &[(OVERRIDE, unreadable)]), EVENING),
                (Act::Nothing, "override-unreadable")
            );
            assert_eq!(acts(&tagged(status, &[(OVERRIDE, unreadable)]), DAY), (Act::Nothing, "override-unreadable"));
        }
    }
    assert_eq!(LONGEST.as_hours(), 7 * 24);
}

#[test]
fn schedule_case_28_an_override_that_ended_unseen_holds_no_longer() {
    // Set at 20:00 local, when it was started by hand; ended at 22:00 local while this host was down.
    let mut left = tagged("running", &[(OVERRIDE, "on until 2026-11-24T03:00Z by ops")]);
    left.turn = Turn::At(instant("2026-11-24T01:00:00Z"));
    let verdict = judge(&left, "2026-11-24T05:00:00Z");
    assert_eq!((verdict.act, verdict.reason.word(), verdict.expired), (Act::Stop, "schedule", true));
    // Its end is a boundary: what a person started after it is a person's.
    left.turn = Turn::At(instant("2026-11-24T04:00:00Z"));
    assert_eq!(acts(&left, "2026-11-24T05:00:00Z"), (Act::Nothing, "manual"));
}

#[test]
fn schedule_case_29_a_stop_that_was_missed_is_made_up_for() {
    let mut missed = machine("running");
    missed.turn = Turn::At(instant("2026-11-23T12:00:00Z"));
    let verdict = judge(&missed, "2026-11-24T04:10:00Z");
    assert_eq!((verdict.act, verdict.late), (Act::Stop, true));
    let verdict = judge(&missed, EVENING);
    assert_eq!((verdict.act, verdict.late), (Act::Stop, false), "in time");
}

#[test]
fn schedule_case_30_what_a_person_started_after_the_boundary_is_left_until_the_next() {
    let mut started = machine("running");
    started.turn = Turn::At(instant("2026-11-24T02:00:00Z"));
    let verdict = judge(&started, "2026-11-24T04:10:00Z");
    assert_eq!((verdict.act, verdict.reason.word()), (Act::Nothing, "manual"));
    assert_eq!(verdict.reason.to_string(), "started by hand at 2026-11-24 02:00Z, left so until Tue 07:00");
    assert_eq!(judge_by(&office_hours(), &started, "2026-11-24T04:10:00Z", true).act, Act::Stop, "enforced");
    // The next evening it is a machine like all others.
    assert_eq!(judge(&started, "2026-11-25T00:10:00Z").act, Act::Stop);
}

#[test]
fn schedule_case_31_what_a_person_stopped_in_hours_is_left_and_rds_is_asked_who_did() {
    let mut stopped = machine("stopped");
    stopped.turn = match initiated("User initiated (2026-11-23 15:00:00 GMT)") {
        User::At(at) => Turn::At(at),
        User::Nobody => panic!("a person is named"),
    };
    assert_eq!(acts(&stopped, DAY), (Act::Nothing, "manual"));
    assert_eq!(judge(&stopped, "2026-11-24T13:00:00Z").act, Act::Start, "the next day");
    // RDS says nothing with its description: it has to be asked, and only where something differs.
    let asked = |status, now| {
        let mut row = database(status, Database::default());
        row.turn = Turn::NotAsked;
        Judgement { schedule: "a".into(), verdict: judge(&row, now), machine: row }.needs_history()
    };
    assert!(asked("available", EVENING) && !asked("available", DAY) && !asked("backing-up", EVENING));
    let mut silent = database("available", Database::default());
    silent.turn = Turn::Unknown;
    assert_eq!(acts(&silent, EVENING), (Act::Nothing, "unsure"), "nothing is stopped on doubt");
    silent.status = "stopped".into();
    assert_eq!(acts(&silent, DAY), (Act::Start, "schedule"));
}

#[test]
fn schedule_case_33_and_34_and_36_and_50_every_state_has_its_way() {
    use Act::{Nothing, Start, Stop};
    for (status, day, evening) in [
        ("pending", (Nothing, "waiting"), (Stop, "schedule")),
        ("running", (Nothing, "schedule"), (Stop, "schedule")),
        ("stopping", (Start, "schedule"), (Nothing, "waiting")),
        ("stopped", (Start, "schedule"), (Nothing, "schedule")),
    ] {
        assert_eq!((acts(&machine(status), DAY), acts(&machine(status), EVENING)), (day, evening), "{status}");
    }
    for (status, day, evening) in [
        ("starting", (Nothing, "waiting"), (Stop, "schedule")),
        ("available", (Nothing, "schedule"), (Stop, "schedule")),
        ("stopping", (Start, "schedule"), (Nothing, "waiting")),
        ("stopped", (Start, "schedule"), (Nothing, "schedule")),
    ] {
        let database = database(status, Database::default());
        assert_eq!((acts(&database, DAY), acts(&database, EVENING)), (day, evening), "{status}");
    }
}

#[test]
fn schedule_case_35_what_is_terminated_is_gone() {
    for status in ["shutting-down", "terminated"] {
        assert_eq!(machine(status).condition(), Condition::Gone);
        assert_eq!(acts(&machine(status), DAY).0, Act::Nothing);
    }
}

#[test]
fn schedule_case_37_a_start_that_fell_back_is_read_for_its_reason() {
    let failure = decode("Client.InternalError", "Client.InternalError: Client error on launch");
    assert_eq!(failure.reason, "kms");
    assert!(failure.fix.contains("kms:CreateGrant") && failure.why.contains("Client error on launch"), "{failure:?}");
    assert_eq!(
        decode("Server.InternalError", "Server.InternalError").reason,
        "refused",
        "Amazon's own trouble is no key"
    );
    assert_eq!(decode("Server.InsufficientInstanceCapacity", "no capacity").reason, "capacity");
}

#[test]
fn schedule_case_39_a_quota_is_named() {
    for code in ["InstanceLimitExceeded", "VcpuLimitExceeded", "Client.VolumeLimitExceeded"] {
        assert_eq!(decode(code, "You have requested more vCPU capacity than your current limit").reason, "quota");
    }
}

#[test]
fn schedule_case_40_the_ids_of_an_error_are_found_in_its_sentence() {
    for (message, ids) in [
        ("The instance ID 'i-0123456789abcdef0' does not exist", &["i-0123456789abcdef0"][..]),
        (
            "The instance IDs 'i-0123456789abcdef0, i-0123456789abcdef1' do not exist",
            &["i-0123456789abcdef0", "i-0123456789abcdef1"],
        ),
        ("This instance 'i-1a2b3c4d' is not in a state from which it can be started.", &["i-1a2b3c4d"]),
        ("You are not authorized to perform this operation.", &[]),
        ("vpc-0123456789abcdef0 ami-0123456789abcdef0 i-short i-0123456789abcdef0zz", &[]),
    ] {
        assert_eq!(ids_in(message), ids, "{message}");
    }
}

#[test]
fn schedule_case_42_spot_instances_are_stopped_only_where_that_is_possible() {
    let spot = |kind, status: &str, code: &str| Machine {
        details: Details::Instance(Instance { spot: Some(kind), ..Instance::default() }),
        state_reason: Some((code.to_owned(), String::new())),
        ..machine(status)
    };
    assert_eq!(acts(&spot(Spot::OneTime, "running", ""), EVENING), (Act::Nothing, "spot"));
    assert_eq!(acts(&spot(Spot::Persistent, "running", ""), EVENING), (Act::Stop, "schedule"));
    assert_eq!(acts(&spot(Spot::Persistent, "stopped", "Server.SpotInstanceShutdown"), DAY), (Act::Nothing, "spot"));
    let fleet = tagged("running", &[("aws:ec2spot:fleet-request-id", "sfr-1")]);
    assert_eq!(acts(&fleet, EVENING), (Act::Nothing, "fleet"));
}

#[test]
fn schedule_case_43_an_instance_store_cannot_be_stopped() {
    let details = Details::Instance(Instance { instance_store: true, ..Instance::default() });
    assert_eq!(acts(&Machine { details, ..machine("running") }, EVENING), (Act::Nothing, "unsupported"));
}

#[test]
fn schedule_case_45_protection_is_a_wish_and_never_switched_off() {
    assert_eq!(acts(&tagged("running", &[(PROTECT, "no")]), EVENING), (Act::Nothing, "protected"));
    assert_eq!(decode("OperationNotPermitted", "The instance 'i-1a2b3c4d' may not be stopped.").reason, "protected");
}

#[test]
fn schedule_case_46_members_of_groups_are_left_to_their_group() {
    for (tag, word) in [
        ("aws:autoscaling:groupName", "asg"),
        ("eks:cluster-name", "eks"),
        ("aws:elasticmapreduce:job-flow-id", "emr"),
        ("elasticbeanstalk:environment-name", "beanstalk"),
        ("aws:ec2:fleet-id", "fleet"),
    ] {
        let verdict = judge(&tagged("running", &[(tag, "web")]), EVENING);
        assert_eq!((verdict.act, verdict.reason.word()), (Act::Nothing, word));
        assert!(verdict.reason.to_string().contains("`web`"), "{verdict:?}");
    }
}

#[test]
fn schedule_case_51_a_database_that_is_being_worked_on_is_deferred() {
    for status in [
        "backing-up",
        "modifying",
        "maintenance",
        "rebooting",
        "upgrading",
        "renaming",
        "storage-optimization",
        "configuring-iam-database-auth",
        "resetting-master-credentials",
    ] {
        let database = database(status, Database::default());
        assert_eq!(acts(&database, EVENING), (Act::Nothing, "deferred"), "{status}");
        assert_eq!(acts(&database, DAY), (Act::Nothing, "schedule"), "{status}");
    }
}

#[test]
fn schedule_case_52_and_53_a_broken_database_is_told_and_not_touched() {
    for status in [
        "storage-full",
        "failed",
        "incompatible-network",
        "restore-error",
        "insufficient-capacity",
        "inaccessible-encryption-credentials",
    ] {
        for now in [DAY, EVENING] {
            assert_eq!(acts(&database(status, Database::default()), now), (Act::Nothing, "broken"), "{status}");
        }
    }
    let away = database("inaccessible-encryption-credentials-recoverable", Database::default());
    assert_eq!(acts(&away, DAY), (Act::Start, "schedule"), "a start may bring it back");
}

#[test]
fn schedule_case_54_a_member_is_stopped_with_its_cluster_only() {
    let member = Database { engine: "aurora-postgresql".into(), cluster: Some("prime".into()), ..Database::default() };
    assert_eq!(acts(&database("available", member), EVENING), (Act::Nothing, "member"));
    assert_eq!(acts(&cluster("available", aurora()), EVENING), (Act::Stop, "schedule"));
}

#[test]
fn schedule_case_55_and_56_what_amazon_does_not_stop_is_known_before_it_is_tried() {
    for details in [
        Cluster { global: Some("world".into()), ..aurora() },
        Cluster { mode: "serverless".into(), ..aurora() },
        Cluster { mode: "parallelquery".into(), ..aurora() },
        Cluster { engine: "mysql".into(), ..aurora() },
    ] {
        assert_eq!(acts(&cluster("available", details), EVENING), (Act::Nothing, "unsupported"));
    }
    let remote = Cluster { replica_of: Some("arn:aws:rds:eu-west-1:111122223333:cluster:app".into()), ..aurora() };
    assert_eq!(acts(&cluster("available", remote), EVENING), (Act::Nothing, "replica"));
    let custom = Database { engine: "custom-oracle-ee".into(), ..Database::default() };
    assert_eq!(acts(&database("available", custom), EVENING), (Act::Nothing, "unsupported"));
}

#[test]
fn schedule_case_57_and_58_replicas_and_sql_server_with_a_standby_are_not_stopped() {
    let source = Database { replicas: vec!["copy".into()], ..Database::default() };
    let verdict = judge(&database("available", source), EVENING);
    assert!(verdict.reason.word() == "replica" && verdict.reason.to_string().contains("`copy`"), "{verdict:?}");
    let replica = Database { replica_of: Some("app".into()), ..Database::default() };
    assert_eq!(acts(&database("available", replica), EVENING), (Act::Nothing, "replica"));
    for (engine, multi_az, expected) in
        [("sqlserver-se", true, "unsupported"), ("sqlserver-se", false, "schedule"), ("postgres", true, "schedule")]
    {
        let details = Database { engine: engine.into(), multi_az, ..Database::default() };
        assert_eq!(acts(&database("available", details), EVENING).1, expected, "{engine}");
    }
}

#[test]
fn schedule_case_59_other_products_behind_the_calls_of_rds_are_left_alone() {
    for engine in ["docdb", "neptune"] {
        let details = Database { engine: engine.into(), ..Database::default() };
        assert_eq!(acts(&database("available", details), EVENING), (Act::Nothing, "engine"));
        assert_eq!(acts(&cluster("available", Cluster { engine: engine.into(), ..aurora() }), EVENING).1, "engine");
    }
}

#[test]
fn schedule_case_60_a_database_that_started_itself_is_stopped_again_and_is_not_late() {
    let mut itself = database("available", Database::default());
    itself.turn = Turn::Itself(instant("2026-11-22T03:00:00Z"));
    let verdict = judge(&itself, "2026-11-22T03:20:00Z");
    assert_eq!((verdict.act, verdict.reason.word(), verdict.late), (Act::Stop, "restarted", false));
}

#[test]
fn schedule_case_22_and_23_one_sided_schedules_leave_the_other_side_to_people() {
    let starts = office_hours().with_mode(Mode::StartOnly);
    assert_eq!(judge_by(&starts, &machine("running"), EVENING, false).reason.word(), "one-sided");
    assert_eq!(judge_by(&starts, &machine("stopped"), DAY, false).act, Act::Start);
    let stops = office_hours().with_mode(Mode::StopOnly);
    assert_eq!(judge_by(&stops, &machine("stopped"), DAY, false).act, Act::Nothing);
    let mut started = machine("running");
    started.turn = Turn::At(instant("2026-11-23T20:00:00Z"));
    assert_eq!(judge_by(&stops, &started, EVENING, false).act, Act::Stop);
    started.turn = Turn::At(instant("2026-11-24T02:00:00Z"));
    assert_eq!(judge_by(&stops, &started, "2026-11-24T05:00:00Z", false).act, Act::Nothing, "a later start lives");
}

#[test]
fn savings_count_a_standby_and_every_member_and_say_what_has_no_price() {
    let pair = Machine { classes: vec!["db.r6g.large".into(); 2], ..database("available", Database::default()) };
    let single = machine("running");
    let prices = [("t3.large".to_owned(), 0.1)];
    let bill = bill(&office_hours(), &[&single, &pair], &prices, instant(DAY));
    let off = bill.off.unwrap();
    assert!((off - 108.0 / 168.0).abs() < 0.001, "108 of a week's 168 hours: {off}");
    let [one, two] = &bill.machines[..] else { panic!("two machines") };
    assert!((one.hours - off * 730.0).abs() < 0.01 && (one.money.unwrap() - off * 73.0).abs() < 0.01, "{one:?}");
    assert!((two.hours - 2.0 * one.hours).abs() < 0.01 && two.money.is_none(), "{two:?}");
    assert_eq!(two.unpriced, ["db.r6g.large"]);
    let starts = office_hours().with_mode(Mode::StartOnly);
    assert_eq!(super::bill(&starts, &[&single], &prices, instant(DAY)).off, None);
}
