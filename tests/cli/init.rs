//! `mainstay init`: as a new user meets it, on machines that have little and on one with the runbook's containers.

use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};

use crate::{
    bed::Bed,
    program::{World, findings},
};

/// A world in which nothing but this `docker`, if any, is installed.
fn world(docker: Option<&str>) -> World {
    let mut world = World::new();
    world.file("bin/.keep", "");
    if let Some(script) = docker {
        let path = world.file("bin/docker", format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("our own file");
    }
    let bin = world.folder().join("bin");
    world.set("PATH", bin);
    world
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a file")
}

#[test]
fn an_empty_folder_becomes_a_file_of_comments_that_is_never_overwritten() {
    let world = world(None);
    let path = world.folder().join("mainstay.toml");
    let run = world.run(&["init"]);
    assert!(matches!(run.code, Some(0 | 3)), "{run}");
    run.expect_text("neither docker nor podman is installed").expect_text("mainstay config check");
    let written = text(&path);
    assert!(written.contains("# [site.prime]") && written.contains("# [backup.app]"), "{written}");
    world.run(&["config", "check"]).expect_code(0);
    world.run(&["init"]).expect_code(2).expect_text("never overwritten").expect_text("--dry-run");
    assert_eq!(text(&path), written);
}

#[test]
fn a_folder_with_secrets_gets_a_backup_with_a_new_key() {
    let world = world(None);
    world.file("app/.env", "SECRET=x\n");
    let config = "app.toml";
    let mut command = world.command(&["init", "--dry-run"]);
    let output = command.current_dir(world.folder().join("app")).output().expect("a run");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("# [backup.app]"), "a rehearsal makes no key: {shown}");
    assert!(!world.folder().join("app/mainstay-identity.txt").exists());

    let mut command = world.command(&["init", "--config", config]);
    let output = command.current_dir(world.folder().join("app")).output().expect("a run");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("there is no other way in"), "{said}");
    let key = world.folder().join("app/mainstay-identity.txt");
    assert_eq!(std::fs::metadata(&key).expect("the key").permissions().mode() & 0o777, 0o600);
    let written = text(&world.folder().join("app").join(config));
    assert!(written.contains("\n[backup.app]\n") && written.contains("recipients = [\"age1"), "{written}");
    assert!(!written.contains("AGE-SECRET-KEY"), "{written}");
    world.run(&["--config", "app/app.toml", "config", "check"]).expect_code(0);
}

#[test]
fn an_engine_that_hangs_or_refuses_is_told_and_holds_nobody_up() {
    for (script, says) in [
        ("exec /bin/sleep 60", "could not be asked"),
        (
            "echo 'permission denied while trying to connect to the Docker daemon socket' >&2; exit 1",
            "could not be asked",
        ),
        ("echo 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock' >&2; exit 1", "could not be asked"),
    ] {
        let world = world(Some(script));
        let run = world.run(&["init"]);
        run.expect_code(3).expect_text(says);
        assert!(run.took < Duration::from_secs(20), "{run}");
        world.run(&["config", "check"]).expect_code(0);
        let rehearsed = world.run(&["init", "--dry-run"]);
        assert!(rehearsed.stderr.contains(says) && rehearsed.stdout.contains(says), "{rehearsed}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_to_says_so_and_no_key_is_left_over() {
    let world = world(None);
    world.file(".env", "SECRET=x\n");
    let run = world.run(&["init", "--config", "no/such/folder/mainstay.toml"]);
    run.expect_code(1).expect_text("could not write");
    assert!(!world.folder().join("mainstay-identity.txt").exists(), "{run}");
}

#[test]
fn a_configuration_elsewhere_backs_up_the_folder_that_was_looked_at() {
    let world = world(None);
    world.file(".env", "SECRET=x\n");
    world.file("etc/.keep", "");
    let run = world.run(&["init", "--config", "etc/mainstay.toml"]);
    run.expect_text("is a new private key");
    let plan = world.run(&["--config", "etc/mainstay.toml", "backup", "create", "--dry-run"]);
    plan.expect_code(0).expect_text(".env");
}

#[test]
fn the_runbooks_containers_become_a_site_that_check_runs_on() {
    let Some(bed) = Bed::up("init::the_runbooks_containers_become_a_site_that_check_runs_on") else { return };
    let world = &bed.world;
    std::fs::remove_file(world.folder().join("mainstay.toml")).expect("the bed's own configuration");
    world.file(".env", "SECRET=x\n");
    let run = world.run(&["init", "--format", "json"]);
    assert!(matches!(run.code, Some(0 | 3)), "{run}");
    let report = run.json();
    let found = |id: &str| findings(&report, id).iter().map(|found| found["summary"].to_string()).collect::<String>();
    assert!(found("init.nginx").contains("prime.example.test"), "{run}");
    assert!(found("init.gunicorn").contains("workers 3"), "{run}");
    let written = text(&world.folder().join("mainstay.toml"));
    for part in
        ["https://prime.example.test", "prime_webtool_nginx_1", "service = \"web\"", "workers = 3", "[backup.app]"]
    {
        assert!(written.contains(part), "no {part}: {written}");
    }
    world.run(&["config", "check"]).expect_code(0);
    let run = world.run(&["check", "--only", "nginx,gunicorn", "--format", "json"]);
    let report = run.json();
    let statuses: Vec<_> = findings(&report, "gunicorn.settings").iter().map(|found| found["status"].clone()).collect();
    assert_eq!(statuses, ["pass"], "{run}");
}
