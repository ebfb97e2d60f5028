//! `report`: the same state in the terminal, as data, and as a page that a real Chromium opens.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::{
    bed::{Bed, CONFIG},
    program::{Run, World, has_program, skip},
};

/// A system with a bit of everything: besides what is given, a site that is not there, a backup, and a schedule without
/// machines to be seen. Nothing outside loopback is asked.
fn furnish(world: &mut World, sites: &str) -> PathBuf {
    let state = world.folder().join("state");
    world.set("MAINSTAY_STATE", &state);
    world.set("AWS_ACCESS_KEY_ID", "x").set("AWS_SECRET_ACCESS_KEY", "y").set("AWS_MAX_ATTEMPTS", "1");
    world.set("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    world.run(&["backup", "keygen", "key.txt"]).expect_code(0);
    let key = std::fs::read_to_string(world.folder().join("key.txt")).expect("a key");
    let recipient = key.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("a public key").to_owned();
    let text = format!(
        "{sites}
[site.shop]
url = \"https://localhost:9\"
[backup.app]
recipients = [\"{recipient}\"]
to = [\"safe\"]
[schedule.office-hours]
timezone = \"America/Detroit\"
on = [\"Mon-Fri 07:30-19:00\"]
ec2 = [{{ regions = [\"us-east-2\"], ids = [\"i-0123456789abcdef0\"] }}]
"
    );
    world.file(".env", "TOKEN=1\n");
    world.run(&["backup", "create", "--config", world.file("all.toml", text).to_str().expect("UTF-8")]).expect_code(0);
    state
}

/// Ninety days of runs: checks that failed for a week, backups that failed once, a renewal a month.
fn remember(state: &Path) {
    let now = Timestamp::now();
    let mut lines = String::new();
    for ago in (0..90_i64).rev() {
        let at = now - (24 * ago).hours() - 2.hours();
        let trouble = json!([{ "id": "tls.chain", "subject": "prime", "status": "fail", "summary": "the <i>chain</i> is broken" }]);
        let run = |job: &str, command: &str, status: &str, findings: Value| {
            json!({ "schema": 1, "started": at, "seconds": 1.5, "host": "web-1", "project": "prime", "job": job,
                "command": command, "status": status, "exit": 0, "findings": findings })
        };
        let runs = [
            match ago {
                20..27 => Some(run("check", "check", "fail", trouble.clone())),
                40..42 => Some(run("check", "check", "warn", json!([]))),
                50 => None,
                _ => Some(run("check", "check", "pass", json!([]))),
            },
            Some(run("backup", "backup create", if ago == 33 { "fail" } else { "pass" }, json!([]))),
            (ago % 30 == 7).then(|| run("renew-cert", "renew-cert", "pass", json!([]))),
            Some(run("schedule", "schedule apply", if ago == 0 { "unknown" } else { "pass" }, json!([]))),
        ];
        for run in runs.into_iter().flatten() {
            lines += &format!("{run}\n");
        }
    }
    let file = state.join("history.jsonl");
    let fresh = std::fs::read_to_string(&file).unwrap_or_default();
    std::fs::write(file, lines + &fresh).expect("a history");
}

#[test]
fn everything_is_seen_at_a_glance_and_on_a_page_that_is_legible_and_asks_for_nothing() {
    let test = "report::everything_is_seen_at_a_glance_and_on_a_page_that_is_legible_and_asks_for_nothing";
    let Some(mut bed) = Bed::up(test) else { return };
    let state = furnish(&mut bed.world, CONFIG);
    remember(&state);

    let run = bed.world.run(&["report", "--config", "all.toml", "--html", "page.html", "--format", "json"]);
    run.expect_code(1);
    let result = &run.json()["result"];
    let of = |list: &str, name: &str| {
        let rows = result[list].as_array().unwrap_or_else(|| panic!("no {list}: {run}"));
        rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name} in {list}: {run}")).clone()
    };
    assert_eq!(of("sites", "prime")["status"], "pass", "{run}");
    assert_eq!(of("sites", "shop")["status"], "fail", "{run}");
    let certificate = of("certificates", "prime");
    assert!(
        certificate["days_left"].as_i64().unwrap() < certificate["lifetime_days"].as_i64().unwrap(),
        "{certificate}"
    );
    let backup = of("backups", "app");
    assert_eq!((&backup["status"], &backup["archives"]), (&json!("pass"), &json!(1)), "{backup}");
    assert!(backup["newest"]["age_seconds"].as_i64().unwrap() < 600, "{backup}");
    let schedule = of("schedules", "office-hours");
    assert_eq!((&schedule["status"], &schedule["week"][0][7]), (&json!("unknown"), &json!(30)), "{schedule}");
    assert!(schedule["next"]["at"].is_string(), "{schedule}");
    let lanes: Vec<&str> =
        result["past"]["lanes"].as_array().unwrap().iter().filter_map(|lane| lane["job"].as_str()).collect();
    assert_eq!(lanes, ["check", "backup", "renew-cert", "schedule"]);
    let failures = result["past"]["failures"].as_array().unwrap();
    let chain = failures.iter().find(|failure| failure["command"] == "check").expect("a week of failures");
    assert_eq!((&chain["runs"], chain["recovered"].is_string()), (&json!(7), true), "{chain}");
    assert!(failures.iter().any(|failure| failure["command"] == "schedule apply" && failure["recovered"].is_null()));

    for columns in [80, 120] {
        for colour in ["always", "never"] {
            let shown = bed
                .world
                .run_on_terminal(columns, &["report", "--config", "all.toml", "--no-progress", "--color", colour]);
            let plain = strip(&shown.stdout);
            assert_eq!(plain != shown.stdout, colour == "always", "{shown}");
            let wide = plain.lines().find(|line| line.chars().count() > columns);
            assert_eq!(wide, None, "wider than {columns}: {shown}");
            for text in [
                "To be looked at",
                "Sites",
                "Certificates",
                "Backups",
                "Schedules",
                "The last 30 days",
                "Recent failures",
            ] {
                assert!(plain.contains(text), "no {text}: {shown}");
            }
        }
    }
    let quiet = bed.world.run(&["report", "--config", "all.toml", "--quiet"]);
    assert!(!quiet.stdout.contains("Schedules") && quiet.stdout.contains("refused"), "{quiet}");

    let page = std::fs::read_to_string(bed.world.folder().join("page.html")).unwrap();
    assert!(page.contains("the &lt;i&gt;chain") && !page.contains("<i>"));
    assert!(!page.contains("<script") && !page.contains(" src="), "it needs nothing else");
    if !has_program("chromium") {
        return skip(test, "chromium is not installed");
    }
    look(&bed.world.folder().join("page.html"), "report");
}

#[test]
fn without_a_history_and_without_anything_configured_it_says_so() {
    let mut world = World::new();
    let state = world.folder().join("state");
    world.set("MAINSTAY_STATE", &state);
    world.file("mainstay.toml", "project = \"prime\"\n");
    let run = world.run(&["report", "--html", "page.html"]);
    run.expect_code(0).expect_text("nothing to look at");
    let page = std::fs::read_to_string(world.folder().join("page.html")).unwrap();
    assert!(page.contains("No run is on record yet"), "{page}");
    assert!(page.contains("nothing is configured that could be looked at") && !page.contains("all is well"), "{page}");
    run.expect_text("No run is on record yet");
    assert!(!state.exists(), "to look leaves no trace");
    if !has_program("chromium") {
        return skip(
            "report::without_a_history_and_without_anything_configured_it_says_so",
            "chromium is not installed",
        );
    }
    look(&world.folder().join("page.html"), "report-empty");
}

#[test]
fn a_machine_alone_is_looked_at_and_runs_of_other_projects_are_left_out() {
    let mut world = World::new();
    let state = world.folder().join("state");
    world.set("MAINSTAY_STATE", &state);
    let port = crate::server::closed_port();
    world.file(
        "other.toml",
        format!("project = 'other'\n[site.dead]\nurl = 'https://127.0.0.1:{port}'\nhttp = false\n"),
    );
    world.file("mainstay.toml", "project = 'prime'\n[host]\nupdates = 'off'\nclock = false\ncontainers = false\n");
    world.run(&["--config", "other.toml", "check"]).expect_code(1);
    world.run(&["config", "check"]).expect_code(0).expect_text("[host]");
    let run = world.run(&["report"]);
    assert!(!run.stdout.contains("nothing to look at") && !run.stdout.contains("dead"), "{run}");
    run.expect_text("No run is on record yet");
    // Two projects in one folder are told apart.
    world.run(&["check"]);
    world.run(&["history"]).expect_code(0).expect_text("check of prime").expect_text("check of other");
    // What cannot be read is told.
    let history = state.join("history.jsonl");
    let text = std::fs::read_to_string(&history).unwrap();
    std::fs::write(&history, format!("{{\"torn\n{text}")).unwrap();
    world.run(&["report"]).expect_text("one line of the history cannot be read");
}

#[test]
fn a_page_that_cannot_be_written_and_a_history_that_cannot_be_read_are_told() {
    let mut world = World::new();
    let state = world.folder().join("state");
    world.set("MAINSTAY_STATE", &state);
    world.file("mainstay.toml", "project = \"prime\"\n");
    world.run(&["report", "--html", "no/page.html"]).expect_code(1).expect_text("no/page.html");
    std::fs::create_dir_all(&state).unwrap();
    std::os::unix::fs::symlink("history.jsonl", state.join("history.jsonl")).unwrap();
    let run: Run = world.run(&["report", "--html", "page.html"]);
    run.expect_code(3).expect_text("it cannot be read").expect_text("report.history");
    assert!(std::fs::read_to_string(world.folder().join("page.html")).unwrap().contains("the history cannot be read"));
}

/// Opens a page in Chromium at the desk and on a phone, light and dark, and on paper; the pictures are kept.
fn look(page: &Path, name: &str) {
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testbed/page");
    let seen = Command::new("python3").arg(script).args([page, &pictures]).output().expect("python3");
    let text = String::from_utf8(seen.stdout).expect("UTF-8");
    assert!(seen.status.success(), "{text}{}", String::from_utf8_lossy(&seen.stderr));
    let views: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    assert_eq!(views.len(), 5, "{text}");
    for view in views {
        assert_eq!(view["console"], json!([]), "the console is silent: {view}");
        assert_eq!(view["asked"].as_array().expect("a list").len(), 1, "the page alone is asked for: {view}");
        assert_eq!(view["wrong"], json!([]), "legible: {view}");
        assert_eq!(view["wider"], 0, "nothing to scroll sideways: {view}");
        assert!(view["texts"].as_u64().expect("a number") > 10, "{view}");
        let picture = pictures.join(format!("{}.png", view["view"].as_str().expect("a name")));
        assert!(std::fs::metadata(&picture).expect("a picture").len() > 5_000, "{}", picture.display());
    }
    println!("pictures of the page are in {}", pictures.display());
}

/// Without the escapes of colours.
fn strip(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain += before;
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    plain + rest
}
