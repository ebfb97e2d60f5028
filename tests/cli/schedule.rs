//! `mainstay schedule`: what a schedule will do, said offline.

use serde_json::json;

use crate::program::World;

/// A home with schedules for real zones, and no machine anywhere.
fn world() -> World {
    let world = World::new();
    let section = |name: &str, zone: &str, keys: &str| {
        format!(
            "[schedule.{name}]\ntimezone = '{zone}'\n{keys}\n\
             [[schedule.{name}.ec2]]\nregions = ['us-east-2']\nids = ['i-0123456789abcdef0']\n"
        )
    };
    let text = [
        section("office-hours", "America/Detroit", "on = ['Mon-Fri 07:00-19:00']\noff_dates = ['2026-11-26']"),
        section("nights", "America/Detroit", "on = ['Sat 22:00-01:30', 'Sun 02:10-02:50']"),
        section("early", "America/Detroit", "on = ['Sun 01:30-05:00']"),
        section("start", "Asia/Kathmandu", "on = ['Mon-Fri 07:00-19:00']\nmode = 'start-only'"),
        section("stop", "Asia/Kathmandu", "on = ['Mon-Fri 07:00-19:00']\nmode = 'stop-only'"),
        section("always", "Europe/Berlin", "on = ['Mon-Sun 00:00-24:00']"),
        section("never", "Europe/Berlin", "always_off = true"),
    ];
    world.file("mainstay.toml", text.concat());
    world
}

fn simulate(world: &World, name: &str, from: &str, to: &str) -> serde_json::Value {
    let run = world.run(&["schedule", "simulate", name, "--from", from, "--to", to, "--format", "json"]);
    run.expect_code(0);
    let report = run.json();
    assert_eq!((&report["command"], &report["status"]), (&json!("schedule simulate"), &json!("pass")), "{run}");
    report["result"].clone()
}

#[test]
fn schedule_case_04_and_05_the_repeated_hour_switches_nothing_twice() {
    let world = world();
    let result = simulate(&world, "early", "2026-11-01", "2026-11-01");
    assert_eq!(result["initial"], "off");
    assert_eq!(
        result["transitions"],
        json!([{"at": "2026-11-01T05:30:00Z", "state": "on"}, {"at": "2026-11-01T10:00:00Z", "state": "off"}])
    );
    let result = simulate(&world, "nights", "2026-11-01", "2026-11-01");
    assert_eq!(result["initial"], "on");
    assert_eq!(
        result["transitions"],
        json!([
            {"at": "2026-11-01T06:30:00Z", "state": "off"},
            {"at": "2026-11-01T07:10:00Z", "state": "on"},
            {"at": "2026-11-01T07:50:00Z", "state": "off"}
        ])
    );
}

#[test]
fn schedule_case_03_an_empty_window_is_told_to_people_and_programs() {
    let world = world();
    let result = simulate(&world, "nights", "2026-03-08", "2026-03-08");
    assert_eq!(result["transitions"], json!([{"at": "2026-03-08T06:30:00Z", "state": "off"}]));
    assert!(result["notes"].to_string().contains("Sun 02:10-02:50 is empty"), "{result}");
    let run = world.run(&["schedule", "simulate", "nights", "--from", "2026-03-08", "--to", "2026-03-08"]);
    run.expect_code(0).expect_text("Sun 02:10-02:50 is empty").expect_text("put forward from 02:00 to 03:00");
}

#[test]
fn a_person_reads_local_time_and_zone_and_an_ordinary_week() {
    let world = world();
    let arguments = ["schedule", "simulate", "office-hours", "--from", "2026-10-30", "--to", "2026-11-02"];
    let run = world.run(&arguments);
    run.expect_code(0);
    for line in [
        "office-hours: 2026-10-30 to 2026-11-02",
        "Mon  ·· ·· ·· ·· ·· ·· ·· ██ ██ ██ ██ ██ ██ ██ ██ ██ ██ ██ ██ ·· ·· ·· ·· ··",
        "Fri 2026-10-30 00:00 EDT    2026-10-30 04:00Z  off  outside every window",
        "Fri 2026-10-30 07:00 EDT    2026-10-30 11:00Z  on   Mon-Fri 07:00-19:00",
        "Mon 2026-11-02 19:00 EST    2026-11-03 00:00Z  off  Mon-Fri 07:00-19:00",
        "note: Sun 2026-11-01: the clocks are put back from 02:00 to 01:00",
    ] {
        assert!(run.stdout.lines().any(|other| other == line), "no line `{line}`: {run}");
    }
    assert!(run.stdout.contains("time zone America/Detroit (rules of 20"), "{run}");
    assert!(run.stderr.is_empty(), "{run}");
    let run = world.run_on_terminal(80, &arguments);
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80), "wider than 80 columns: {run}");
    // The widest row and a long note, where a person looks; a pipe gets the note whole.
    let run = world.run_on_terminal(80, &["schedule", "simulate", "office-hours", "--from", "2026-11-20"]);
    run.expect_text("2026-11-26 is an off date");
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80), "wider than 80 columns: {run}");
}

#[test]
fn four_weeks_from_today_are_the_default() {
    let result = world().run(&["schedule", "simulate", "office-hours", "--format", "json"]).json()["result"].clone();
    let date = |key: &str| result[key].as_str().expect("a date").parse::<jiff::civil::Date>().expect("a date");
    assert_eq!(date("from").until(date("to")).expect("in order").get_days(), 27);
}

#[test]
fn schedule_case_22_and_23_one_sided_schedules_only_start_or_only_stop() {
    let world = world();
    for (name, state, initial) in [("start", "on", "any"), ("stop", "off", "off")] {
        let result = simulate(&world, name, "2026-11-22", "2026-11-28");
        let states: Vec<_> =
            result["transitions"].as_array().expect("a list").iter().map(|act| &act["state"]).collect();
        assert_eq!(states, vec![state; 5], "{result}");
        assert_eq!(result["initial"], initial);
    }
    let run = world.run(&["schedule", "simulate", "start", "--from", "2026-11-22", "--to", "2026-11-28"]);
    run.expect_text("started").expect_text("left as it is").expect_text("2026-11-23 07:00 +0545");
}

#[test]
fn schedule_case_11_and_21_always_and_never_have_no_boundary() {
    let world = world();
    for (name, state) in [("always", "on"), ("never", "off")] {
        let result = simulate(&world, name, "2026-01-01", "2026-12-31");
        assert_eq!((&result["initial"], &result["transitions"]), (&json!(state), &json!([])));
        let run = world.run(&["schedule", "simulate", name, "--from", "2026-01-01"]);
        run.expect_text("nothing is started or stopped in this time");
    }
}

#[test]
fn what_makes_no_sense_on_the_command_line_ends_with_2_and_says_what_to_do() {
    let world = world();
    for (arguments, says) in [
        (&["office-huors"][..], "did you mean `office-hours`?"),
        (&["office-hours", "--from", "2026-02-30"], "there is no such date"),
        (&["office-hours", "--from", "11-26"], "the year is missing"),
        (&["office-hours", "--to", "tomorrow"], "write 2026-11-26"),
        (&["office-hours", "--from", "2026-11-26", "--to", "2026-11-25"], "end before it begins"),
        (&["office-hours", "--to", "2000-01-01"], "give --from too"),
        (&["office-hours", "--from", "2026-01-01", "--to", "2036-01-02"], "2036-01-01"),
        (&["office-hours", "--from", "0001-01-01", "--to", "0001-01-02"], "1970"),
        (&["office-hours", "--from", "9999-12-31"], "2199"),
        (&[], "<NAME>"),
    ] {
        let run = world.run(&[&["schedule", "simulate"], arguments].concat());
        run.expect_code(2).expect_text(says);
        assert!(run.stdout.is_empty(), "{run}");
    }
    let run = world.run(&["schedule", "simulate", "office-huors", "--format", "json"]);
    run.expect_code(2);
    assert_eq!(run.json()["error"]["kind"], "usage", "{run}");
    world.run(&["schedule", "simulate", "always", "--from", "2026-01-01", "--to", "2035-12-31"]).expect_code(0);
}

#[test]
fn without_a_schedule_or_a_file_it_says_what_to_write() {
    let world = World::new();
    world.run(&["schedule", "simulate", "office-hours"]).expect_code(2).expect_text("--config FILE");
    world.file("mainstay.toml", "[site.prime]\nurl = 'https://prime.example.test'\n");
    world.run(&["schedule", "simulate", "office-hours"]).expect_code(2).expect_text("[schedule.office-hours]");
}

#[test]
fn schedule_case_14_an_abbreviation_is_no_time_zone() {
    for (short, long) in [("EST", "America/New_York"), ("IST", "Asia/Kolkata"), ("CET", "Europe/Berlin")] {
        let world = World::new();
        world.file("mainstay.toml", format!("[schedule.a]\ntimezone = '{short}'\non = ['Mon 07:00-19:00']\n"));
        world.run(&["schedule", "simulate", "a"]).expect_code(2).expect_text("mainstay.toml:2:").expect_text(long);
    }
}

#[test]
fn schedule_case_19_to_21_windows_that_mean_nothing_are_errors_of_the_file() {
    for (keys, says) in [
        ("on = ['Mon 07:00-07:00']", "00:00-24:00"),
        ("on = ['Mon 24:00-06:00']", "24:00 can only be an end"),
        ("on = []", "empty list"),
        ("", "always_off = true"),
        ("always_off = true\non = ['Mon 07:00-19:00']", "always_off"),
        ("always_off = true\nmode = 'start-only'", "no other side"),
        ("on = ['31 07:00-19:00']", "`31` is not a day"),
        ("on = ['Mon 07:00-19:00']\noff_dates = ['2026-02-30']", "no such date"),
    ] {
        let world = World::new();
        let machines = "[[schedule.a.ec2]]\nregions = ['us-east-2']\nids = ['i-0123456789abcdef0']\n";
        world.file("mainstay.toml", format!("[schedule.a]\ntimezone = 'Europe/Berlin'\n{keys}\n{machines}"));
        world.run(&["schedule", "simulate", "a"]).expect_code(2).expect_text(says);
    }
}

#[test]
fn what_cannot_be_seen_is_unknown_and_what_makes_no_sense_ends_with_2() {
    let mut world = world();
    // Nothing listens there.
    world.set("AWS_ENDPOINT_URL", "http://127.0.0.1:9").set("AWS_ACCESS_KEY_ID", "A").set("AWS_SECRET_ACCESS_KEY", "S");
    let run = world.run(&["schedule", "plan", "office-hours", "--format", "json"]);
    run.expect_code(3);
    let report = run.json();
    assert_eq!(
        (&report["findings"][0]["status"], &report["findings"][0]["data"]["region"]),
        (&json!("unknown"), &json!("us-east-2")),
        "{run}"
    );
    world
        .run(&["schedule", "apply", "office-hours"])
        .expect_code(1)
        .expect_text("could not look at the instances in us-east-2");
    world.run(&["check", "office-hours"]).expect_code(3).expect_text("schedule.drift");
    for (arguments, says) in [
        (&["plan", "office-huors"][..], "did you mean `office-hours`?"),
        (&["plan", "office-hours", "--at", "tomorrow"], "it is no time"),
        (&["plan", "--at", "2026-11-24 19:00"], "several time zones"),
        (&["override", "web-1", "--on"], "--for"),
        (&["override", "web-1", "--for", "3h"], "--on"),
        (&["override", "web-1", "--on", "--for", "8d"], "seven days"),
        (&["override", "web-1", "--off", "--until", "2020-01-01T00:00Z"], "is over"),
        (&["deploy"], "no schedule has a `deploy` section"),
        (&["deploy", "office-hours"], "[schedule.office-hours.deploy]"),
    ] {
        world.run(&[&["schedule"], arguments].concat()).expect_code(2).expect_text(says);
    }
}

#[test]
fn schedule_case_69_a_deploy_refuses_a_boundary_in_a_gap_before_anybody_is_asked() {
    let world = World::new();
    let text = "[schedule.a]\ntimezone = 'America/Detroit'\non = ['Mon-Sun 02:30-19:00']\n\
                [[schedule.a.ec2]]\nregions = ['us-east-2']\nids = ['i-0123456789abcdef0']\n\
                [schedule.a.deploy]\nrole = 'arn:aws:iam::111122223333:role/s'\nvia = 'direct'\n";
    world.file("mainstay.toml", text);
    world.run(&["schedule", "deploy"]).expect_code(2).expect_text("02:30 (on)").expect_text("--accept-dst");
}

#[test]
fn the_policies_need_no_credentials_and_name_what_the_file_names() {
    let world = World::new();
    let text = "[schedule.a]\ntimezone = 'America/Detroit'\non = ['Mon-Fri 07:00-19:00']\n\
                [[schedule.a.ec2]]\nregions = ['us-east-2']\nids = ['i-0123456789abcdef0']\n\
                [[schedule.a.rds]]\nregions = ['us-east-2']\ntags = { Schedule = 'a' }\n\
                role = 'arn:aws:iam::444455556666:role/mainstay'\nexternal_id = 'a-secret'\n\
                [schedule.a.deploy]\nrole = 'arn:aws:iam::111122223333:role/s'\nfunction = 'arn:aws:lambda:us-east-2:111122223333:function:m'\n";
    world.file("mainstay.toml", text);
    let run = world.run(&["schedule", "policy", "--format", "json"]);
    run.expect_code(0);
    let policies = run.json()["result"]["policies"].clone();
    let own = policies["host"].to_string();
    assert!(own.contains("arn:aws:ec2:us-east-2:111122223333:instance/i-0123456789abcdef0"), "{own}");
    assert!(own.contains("arn:aws:iam::444455556666:role/mainstay") && !own.contains("rds:"), "{own}");
    let other = policies["account 444455556666"].to_string();
    assert!(other.contains("rds:StopDBInstance") && other.contains("aws:ResourceTag/Schedule"), "{other}");
    let trust = policies["scheduler trust"].to_string();
    assert!(trust.contains("aws:SourceAccount") && trust.contains(":schedule-group/mainstay"), "{trust}");
    assert!(policies["scheduler"].to_string().contains("lambda:InvokeFunction"), "{policies}");
    assert!(!run.stdout.contains("a-secret"), "{run}");
    let function = policies["function"].to_string();
    assert!(function.contains("sts:AssumeRole") && !function.contains("rds:"), "other accounts have roles: {function}");
    // Nobody can look at the volumes, so their keys are stars, and that is said.
    let volumes = policies["volumes"].to_string();
    assert!(volumes.contains("arn:aws:kms:us-east-2:111122223333:key/*"), "{volumes}");
    assert!(!own.contains("kms:"), "{own}");
    world
        .run(&["schedule", "policy"])
        .expect_code(0)
        .expect_text("function trust: who may take on the function's role");
}

#[cfg(feature = "aws")]
#[test]
fn a_machine_is_planned_overridden_and_checked_by_the_binary_itself() {
    let test = "schedule::a_machine_is_planned_overridden_and_checked_by_the_binary_itself";
    let Some(amazon) = crate::amazon::Amazon::start(test) else { return };
    let id = amazon.launch("us-east-2", &[("Schedule", "never"), ("Name", "web-1")]);
    let mut world = World::new();
    amazon.introduce(&mut world);
    world.file(
        "mainstay.toml",
        "project = 'prime'\n[schedule.never]\ntimezone = 'Europe/Berlin'\nalways_off = true\n\
         [[schedule.never.ec2]]\nregions = ['us-east-2']\ntags = { Schedule = 'never' }\n\
         [schedule.never.prices]\n't3.large' = 0.1\n",
    );
    let row = |world: &World| {
        let run = world.run(&["schedule", "plan", "--format", "json"]);
        run.expect_code(0);
        run.json()["result"]["resources"][0].clone()
    };
    let planned = row(&world);
    for (key, value) in [
        ("id", json!(id)),
        ("kind", json!("ec2")),
        ("account", json!("123456789012")),
        ("region", json!("us-east-2")),
        ("desired", json!("off")),
        ("actual", json!("on")),
        ("action", json!("stop")),
        ("reason", json!("schedule")),
        ("next", json!(null)),
    ] {
        assert_eq!(planned[key], value, "{key}: {planned}");
    }
    world.run(&["check", "never"]).expect_code(1).expect_text("runs and should be stopped");
    let dry = world.run(&["schedule", "apply", "--dry-run", "--format", "json"]);
    dry.expect_code(0);
    assert_eq!(dry.json()["plan"]["steps"][0]["action"], "stop", "{dry}");
    assert_eq!(amazon.states("us-east-2"), ["running"], "nothing was done");

    world.run(&["schedule", "override", "web-1", "--on", "--for", "3h"]).expect_code(0).expect_text("on until 20");
    let kept = row(&world);
    assert_eq!(
        (&kept["action"], &kept["reason"], &kept["desired"]),
        (&json!("none"), &json!("override"), &json!("on"))
    );
    assert!(kept["override"].as_str().is_some_and(|text| text.starts_with("on until 20")), "{kept}");
    world.run(&["check", "never"]).expect_code(0);
    world.run(&["schedule", "apply"]).expect_code(0).expect_text("nothing to do");
    world.run(&["schedule", "override", &id, "--clear"]).expect_code(0);
    world.run(&["schedule", "override", &id, "--clear"]).expect_code(0).expect_text("no override holds for it");
    assert_eq!(row(&world)["action"], "stop");
    world.run(&["schedule", "savings"]).expect_code(0).expect_text("off 100 % of the time");
    let run = world.run_on_terminal(80, &["schedule", "status", "--no-progress"]);
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80), "wider than 80 columns: {run}");
}
