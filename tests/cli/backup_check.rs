//! `check` over backups, as an operator and cron meet it.

use serde_json::Value;

use crate::program::{World, findings, has_program, skip, statuses};

const BACKUP: &str = "project = \"prime\"\n[backup.app]\npassphrase = { env = \"P\" }\nto = [\"to\"]\n";

/// A world with one backup and nothing else configured; its state is its own.
fn world() -> World {
    let mut world = World::new();
    let state = world.folder().join("state");
    world.set("MAINSTAY_STATE", state);
    world.file("mainstay.toml", BACKUP);
    world.file(".env", "TOKEN=1\n");
    world
}

#[test]
fn a_file_with_backups_and_no_site_is_something_to_check() {
    let world = world();
    let run = world.run(&["check", "--format", "json"]);
    run.expect_code(1);
    let report = run.json();
    let ids: Vec<&str> =
        report["findings"].as_array().unwrap().iter().map(|finding| finding["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["backup.fresh", "backup.fresh", "backup.secrets", "backup.repository"], "{run}");
    assert!(ids.len() == report["findings"].as_array().unwrap().iter().filter(|f| f["subject"] == "app").count());
    world.run(&["check", "app", "--only", "backup.repository"]).expect_code(0).expect_text("no git work tree");
    let left = std::fs::read_dir(world.folder().join("state")).unwrap().flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert!(left.iter().all(|name| name.starts_with("history.")), "a check leaves a record and nothing else: {left:?}");
    assert!(!world.folder().join("to").exists());
}

#[test]
fn names_choose_and_a_wrong_one_is_told_with_what_there_is() {
    let world = world();
    world
        .run(&["check", "ap"])
        .expect_code(2)
        .expect_text("nothing in the configuration has this name; there are `app`");
    world.run(&["check", "app", "--only", "tls"]).expect_code(2).expect_text("leave no check over");
    let explained = world.run(&["check", "app", "--explain"]);
    explained.expect_text("ls -l ").expect_text("git ls-files -- .env*");
    let list = world.run(&["check", "--list"]);
    for id in ["tls.chain", "backup.fresh", "backup.secrets", "backup.repository"] {
        list.expect_code(0).expect_text(id);
    }
}

#[test]
fn a_tracked_secret_fails_with_the_line_to_type() {
    if !has_program("git") {
        return skip("backup_check::a_tracked_secret_fails_with_the_line_to_type", "git is not installed");
    }
    let world = world();
    for arguments in [&["init", "-q", "."][..], &["add", ".env"]] {
        assert!(world.wrapped("git", arguments).status().unwrap().success());
    }
    let run = world.run(&["check", "--only", "backup.secrets", "--format", "json"]);
    run.expect_code(1);
    let report = run.json();
    let tracked =
        findings(&report, "backup.secrets").into_iter().find(|finding| finding["data"]["reason"] == "tracked");
    let fix = tracked.expect("it is tracked")["fix"].as_str().unwrap();
    assert!(fix.contains("rm --cached -- .env") && fix.contains("`/.env`"), "{run}");
    assert!(!run.stdout.contains("TOKEN"), "no content is shown: {run}");
    // The environment of a hook speaks of another repository.
    let mut hook = world.command(&["check", "--only", "backup.secrets", "--format", "json"]);
    hook.env("GIT_DIR", "/nowhere/.git").env("GIT_INDEX_FILE", "/nowhere/index");
    let again: Value = crate::program::Running::start(&mut hook).finish().json();
    assert_eq!(statuses(&again, "backup.secrets"), statuses(&report, "backup.secrets"));
}

#[test]
fn what_create_made_is_fresh_until_a_file_changes() {
    let mut world = World::new();
    let state = world.folder().join("state");
    world.set("MAINSTAY_STATE", state);
    world.run(&["backup", "keygen", "key.txt"]).expect_code(0);
    let key = std::fs::read_to_string(world.folder().join("key.txt")).unwrap();
    let key = key.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    world.file("app/.env", "TOKEN=1\n");
    world.file("app/config/app.toml", "workers = 3\n");
    let text = format!("project = \"prime\"\n[backup.app]\nroot = \"app\"\nrecipients = [\"{key}\"]\nto = [\"to\"]\n");
    world.file("mainstay.toml", text);
    let fresh = || {
        let run = world.run(&["check", "--only", "backup.fresh", "--format", "json"]);
        let report = run.json();
        let first = findings(&report, "backup.fresh")[0].clone();
        (first["status"].as_str().unwrap().to_owned(), first["data"].clone(), run)
    };
    assert_eq!(fresh().1["reason"], "none");
    assert_eq!(world.run(&["backup", "create"]).code, Some(0));
    let (status, data, run) = fresh();
    assert_eq!((status.as_str(), &data["changed"]), ("pass", &false.into()), "{run}");
    run.expect_code(0);
    world.file("app/.env", "TOKEN=22\n");
    let (status, data, run) = fresh();
    assert_eq!((status.as_str(), &data["reason"]), ("fail", &"changed".into()), "{run}");
    run.expect_code(1);
}

/// Rows 9 and 10 of what no other tool has: everything below is made by other programs, and nobody has a key.
#[test]
fn an_archive_that_minisign_signed_counts_and_a_planted_one_does_not() {
    const NAME: &str = "backup_check::an_archive_that_minisign_signed_counts_and_a_planted_one_does_not";
    if !has_program("minisign") {
        return skip(NAME, "minisign is not installed");
    }
    let world = world();
    let minisign = |arguments: &[&str]| {
        let output = world.wrapped("minisign", arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    minisign(&["-G", "-W", "-p", "key.pub", "-s", "key.sec"]);
    let key = std::fs::read_to_string(world.folder().join("key.pub")).unwrap();
    let key = key.lines().last().unwrap().to_owned();
    world.file("mainstay.toml", format!("{BACKUP}signers = [\"{key}\"]\nmounted = false\n"));
    let now = jiff::Timestamp::now();
    let id = format!("prime-app-{}-000001", now.strftime("%Y%m%dT%H%M%SZ"));
    let sidecar = serde_json::json!({
        "schema": 1, "id": id, "project": "prime", "name": "app", "host": "web-1", "tool": "by hand",
        "created": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), "sequence": 1, "previous": null,
        "file": { "name": format!("{id}.tar.gz.age"), "bytes": 6, "sha256": "00" },
        "contents": { "files": 1, "directories": 0, "links": 0, "bytes": 8, "unpacked": 1024, "changed": 0,
                      "damaged": 0, "unreadable": 0, "manifest_sha256": "00" },
        "sealed_for": ["passphrase"],
        "verified": { "at": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), "how": "decrypted" },
    });
    world.file(&format!("to/{id}.tar.gz.age"), "sealed");
    let path = world.file(&format!("to/{id}.json"), sidecar.to_string());
    minisign(&["-S", "-s", "key.sec", "-m", path.to_str().unwrap()]);
    let fresh = || {
        let run = world.run(&["check", "--only", "backup.fresh", "--format", "json"]);
        let report = run.json();
        let first = findings(&report, "backup.fresh")[0].clone();
        (first["status"].as_str().unwrap().to_owned(), first["data"]["reason"].clone(), run)
    };
    let (status, _, run) = fresh();
    assert_eq!(status, "pass", "{run}");
    std::fs::write(&path, sidecar.to_string().replace("web-1", "web-2")).unwrap();
    let (status, reason, run) = fresh();
    assert_eq!((status.as_str(), reason), ("fail", "none".into()), "{run}");
}
