//! `mainstay check` of the machine and of domains: only where the configuration asks for it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;

use crate::program::{World, is_root, skip};

fn world(text: &str) -> World {
    let world = World::new();
    world.file("mainstay.toml", text);
    world
}

#[test]
fn without_a_section_nothing_is_asked_of_the_machine() {
    let world = world("[site.a]\nurl = 'https://127.0.0.1:9/'\ntimeout = '1s'\n");
    let report = world.run(&["check", "--format", "json"]).json();
    let ids: Vec<&str> =
        report["findings"].as_array().expect("a list").iter().filter_map(|found| found["id"].as_str()).collect();
    assert!(ids.iter().all(|id| !id.starts_with("host.") && !id.starts_with("domain.")), "{ids:?}");
    world.run(&["check", "host"]).expect_code(2).expect_text("nothing in the configuration has this name");
}

#[test]
fn the_machine_is_chosen_by_one_word_and_each_check_can_be_switched_off() {
    let world =
        world("[host]\nclock = false\ncontainers = false\nupdates = 'off'\n[site.a]\nurl = 'https://127.0.0.1:9/'\n");
    let run = world.run(&["check", "host", "--format", "json"]);
    let report = run.json();
    let told: Vec<(&str, &str)> = report["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|found| (found["id"].as_str().expect("an id"), found["status"].as_str().expect("a status")))
        .collect();
    assert!(told.iter().all(|(id, _)| id.starts_with("host.")), "{told:?}");
    for id in ["host.updates", "host.clock", "host.containers"] {
        assert!(told.contains(&(id, "skip")), "{id}: {told:?}");
    }
    let disk = report["findings"].as_array().expect("a list").iter().find(|found| found["id"] == "host.disk");
    let disk = disk.expect("a finding");
    assert!(disk["data"]["bytes"]["total"].as_u64().is_some_and(|total| total > 0), "{disk}");
    assert_eq!(disk["subject"], json!("host"));
}

#[test]
fn thresholds_that_cannot_be_are_told_with_the_others() {
    let world = world("[host.disk]\nwarn = '5%'\nfail = '10%'\n[domain]\nwarn = '7d'\nfail = '30d'\nnames = []\n");
    let run = world.run(&["config", "check"]);
    run.expect_code(2).expect_text("would fail (`fail = \"10%\"`) before it warns").expect_text("an empty list");
    world.file("mainstay.toml", "[host]\ndisk = { warn = '10' }\ncontainer = ['web']\n");
    let run = world.run(&["config", "check"]);
    run.expect_code(2).expect_text("a share such as \"10%\"").expect_text("did you mean `containers`?");
}

#[test]
fn a_domain_that_nobody_can_register_is_skipped_and_a_silent_registry_is_unknown() {
    let text = "[domain]\nregistries = 'http://127.0.0.1:9/dns.json'\nnames = ['nas.local', 'www.example.org']\n";
    let run = world(text).run(&["check", "--format", "json"]);
    run.expect_code(3);
    let report = run.json();
    let told: Vec<_> =
        report["findings"].as_array().expect("a list").iter().map(|found| found["status"].clone()).collect();
    assert_eq!(told, [json!("skip"), json!("unknown")], "{run}");
    assert_eq!(report["findings"][1]["data"]["reason"], json!("unreachable"), "{run}");
}

/// A small file system in memory, gone with the value.
struct Disk(PathBuf);

impl Disk {
    fn mount(point: &Path, options: &str) -> Result<Self, String> {
        fs::create_dir_all(point).expect("a mount point");
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(point).output();
        let output = output.map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(Self(point.to_owned())),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_small_disk_that_fills_with_bytes_or_with_files_or_turns_read_only_is_told() {
    let test = "host::a_small_disk_that_fills_with_bytes_or_with_files_or_turns_read_only_is_told";
    if !is_root() {
        return skip(test, "only root can mount a small disk");
    }
    let world = world("state = 'small/state'\n[host]\nclock = false\ncontainers = false\nupdates = 'off'\n");
    let point = world.folder().join("small");
    // The folder of the state, the history and its lock take three of them.
    let disk = match Disk::mount(&point, "size=1m,nr_inodes=43") {
        Ok(disk) => disk,
        Err(why) => return skip(test, &format!("no tmpfs: {why}")),
    };
    let mount = fs::canonicalize(&point).expect("it is there").display().to_string();
    let told = || {
        let run = world.run(&["check", "host", "--only", "host.disk", "--format", "json"]);
        let report = run.json();
        let findings = report["findings"].as_array().expect("a list").clone();
        let found = findings.into_iter().find(|found| found["data"]["mount"] == json!(mount));
        let found = found.unwrap_or_else(|| panic!("nothing of {mount}: {run}"));
        (found["status"].as_str().expect("a status").to_owned(), found["data"]["reason"].clone())
    };
    assert_eq!(told(), ("pass".to_owned(), serde_json::Value::Null));
    fs::write(point.join("large"), vec![0; 940 << 10]).expect("it fits");
    assert_eq!(told(), ("warn".to_owned(), json!("full")));
    fs::write(point.join("larger"), vec![0; 60 << 10]).expect("it fits");
    assert_eq!(told(), ("fail".to_owned(), json!("full")));
    fs::remove_file(point.join("large")).expect("it was there");
    for at in 0..37 {
        fs::write(point.join(format!("file-{at}")), "").expect("it fits");
    }
    assert_eq!(told(), ("fail".to_owned(), json!("inodes")));
    for at in 0..37 {
        fs::remove_file(point.join(format!("file-{at}"))).expect("it was there");
    }
    let status = Command::new("mount").args(["-o", "remount,ro"]).arg(&disk.0).status().expect("mount");
    assert!(status.success());
    assert_eq!(told(), ("fail".to_owned(), json!("read-only")));
}
