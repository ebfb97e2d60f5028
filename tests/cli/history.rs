//! What is remembered of runs, and how it is listed.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use serde_json::Value;

use crate::program::{PROGRAM, Run, Running, World, is_root, skip};

/// A check of a certificate folder's worth: a site whose port is closed, so that it fails at once.
fn world() -> World {
    let world = World::new();
    let port = crate::server::closed_port();
    world.file(
        "mainstay.toml",
        format!("project = 'prime'\nstate = 'state'\n[site.dead]\nurl = 'https://127.0.0.1:{port}'\nhttp = false\n"),
    );
    world
}

fn runs(world: &World, more: &[&str]) -> Vec<Value> {
    let run = world.run(&[&["history", "--format", "json"], more].concat());
    run.expect_code(0).json()["result"]["runs"].as_array().expect("runs").clone()
}

fn lines(world: &World) -> usize {
    fs::read_to_string(world.folder().join("state/history.jsonl")).map_or(0, |text| text.lines().count())
}

#[test]
fn an_empty_history_is_said_plainly() {
    let world = world();
    let run = world.run(&["history"]);
    run.expect_code(0).expect_text("no run has been recorded yet in");
    assert!(!world.folder().join("state").exists(), "a look leaves no trace");
    assert!(runs(&world, &[]).is_empty());
    world.run(&["check"]);
    world.run(&["history", "--job", "backup"]).expect_code(0).expect_text("no run of this kind since");
    world.run(&["history", "--job", "bakup"]).expect_code(2).expect_text("did you mean `backup`?");
}

#[test]
fn a_run_is_listed_with_what_is_new_and_what_says_the_same_is_one_line() {
    let world = world();
    for _ in 0..3 {
        world.run(&["check"]);
    }
    let run = world.run(&["history"]);
    run.expect_code(0).expect_text("2 runs since").expect_text("new ");
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80 || !line.starts_with("20")), "{run}");
    let all = runs(&world, &[]);
    assert_eq!(all.len(), 3);
    assert!(all[2]["findings"][0]["new"].as_bool() == Some(true) && all[0]["findings"][0].get("new").is_none());
    assert_eq!((&all[0]["command"], &all[0]["project"]), (&"check".into(), &"prime".into()));
    assert_eq!(all[0]["findings"][0]["since"], all[2]["started"]);
    let verbose = world.run(&["history", "-v"]);
    verbose.expect_code(0).expect_text("project prime; exit code").expect_text("do: ");
    assert_eq!(runs(&world, &["--failed"]).len(), 3);
    let terminal = world.run_on_terminal(80, &["history", "-v", "--color", "never"]);
    let wide = terminal.stdout.lines().find(|line| line.chars().count() > 80);
    assert_eq!(wide, None, "{terminal}");
}

#[test]
fn rehearsals_lists_and_bare_addresses_leave_no_record() {
    let world = world();
    let port = crate::server::closed_port();
    world.run(&["check", "--list"]).expect_code(0);
    world.run(&["check", &format!("https://127.0.0.1:{port}")]);
    world.run(&["config", "check"]);
    world.run(&["backup", "list"]);
    world.run(&["renew-cert", "--dry-run"]);
    assert_eq!(lines(&world), 0);
    world.run(&["check", "nosuch"]).expect_code(2);
    assert_eq!(lines(&world), 0, "and where there is no folder yet, a wrong command line makes none");
}

#[test]
fn a_run_that_ends_with_an_error_leaves_a_record_and_recovers() {
    let world = world();
    world.run(&["check"]);
    let good = fs::read_to_string(world.folder().join("mainstay.toml")).expect("the configuration");
    world.file("mainstay.toml", format!("{good}\n[backup.app]\nto = 3\n"));
    let mut broken = world.command(&["check"]);
    let state = world.folder().join("state");
    Running::start(broken.env("MAINSTAY_STATE", &state)).finish().expect_code(2);
    let last = fs::read_to_string(state.join("history.jsonl")).expect("a history");
    let last: Value = serde_json::from_str(last.lines().last().expect("a line")).expect("JSON");
    assert_eq!((&last["exit"], &last["error"]["kind"]), (&2.into(), &"config".into()));
}

#[test]
fn a_full_or_locked_up_folder_is_a_warning_and_the_job_is_done() {
    let world = world();
    let code = world.run(&["check"]).code;
    let path = world.folder().join("state/history.jsonl");
    fs::remove_file(&path).expect("removed");
    std::os::unix::fs::symlink("/dev/full", &path).expect("a link");
    let run = world.run(&["check"]);
    assert_eq!(run.code, code, "{run}");
    run.expect_text("warning: could not write this run into the history").expect_text("hint: free some space");
}

#[test]
fn a_check_by_somebody_else_says_nothing_of_a_state_folder_that_is_not_his() {
    let test = "history::a_check_by_somebody_else_says_nothing_of_a_state_folder_that_is_not_his";
    if !is_root() {
        return skip(test, "only root can become another user");
    }
    let world = world();
    fs::set_permissions(world.folder(), fs::Permissions::from_mode(0o755)).expect("a mode");
    let before = world.run(&["check"]);
    let records = lines(&world);
    let config = world.folder().join("mainstay.toml");
    let line = [PROGRAM, "--config", config.to_str().expect("UTF-8"), "check"];
    let mut command: Command =
        world.wrapped("setpriv", &[&["--reuid=65534", "--regid=65534", "--clear-groups"], &line[..]].concat());
    let run: Run = Running::start(&mut command).finish();
    if run.stderr.contains("setpriv") {
        return skip(test, &run.stderr);
    }
    assert_eq!((run.code, run.stderr.contains("warning")), (before.code, false), "{run}");
    assert_eq!(lines(&world), records);
}
