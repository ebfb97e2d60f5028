//! A destination that fills up while another one has room.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    dice::Dice,
    program::{World, is_root, skip, statuses},
    scene::names,
    tree::{self, look},
};

/// A small file system in memory, gone with the value.
pub struct Disk(PathBuf);

impl Disk {
    pub fn mount(point: &Path, size: &str) -> Result<Self, String> {
        fs::create_dir_all(point).expect("a mount point");
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", size, "tmpfs"]).arg(point).output();
        let output = output.map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(Self(point.to_owned())),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        }
    }

    pub fn resize(&self, size: &str) {
        let options = format!("remount,{size}");
        let status = Command::new("mount").args(["-o", &options]).arg(&self.0).status().expect("mount");
        assert!(status.success(), "another size");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Left mounted it costs a little memory; the test has its verdict already.
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn backup_case_45_and_04_a_full_destination_fails_alone_and_keeps_what_it_has() {
    let test = "full::backup_case_45_and_04_a_full_destination_fails_alone_and_keeps_what_it_has";
    if !is_root() {
        return skip(test, "only root can mount a small disk");
    }
    let world = World::new();
    let home = world.folder().to_path_buf();
    let disk = match Disk::mount(&home.join("small"), "size=3m") {
        Ok(disk) => disk,
        Err(why) => return skip(test, &format!("no tmpfs: {why}")),
    };
    let (full, fine) = (home.join("small/dest"), home.join("dest"));
    world.run(&["backup", "keygen", "key.txt"]).expect_code(0);
    let key = fs::read_to_string(home.join("key.txt")).expect("a key");
    let public = key.split("# public key: ").nth(1).and_then(|rest| rest.lines().next()).expect("its public half");
    world.file(
        "mainstay.toml",
        format!(
            "project = 'prime'\nstate = 'state'\n[backup.app]\nroot = 'app'\ninclude = ['.env', 'config/', 'data/']\n\
             recipients = ['{public}']\nto = ['small/dest', 'dest']\n"
        ),
    );
    let (mut dice, _) = Dice::new();
    tree::grow(&home.join("app"), 20, 100_000, &mut dice);
    world.run(&["backup", "create"]).expect_code(0);
    let (before, held) = (look(&full), names(&full));
    assert_eq!(held.len(), 4, "an archive and the marker: {held:?}");

    tree::grow(&home.join("app"), 20, 5_000_000, &mut dice);
    let sources = look(&home.join("app"));
    let run = world.run(&["backup", "create", "--format", "json"]);
    let report = run.expect_code(1).json();
    assert_eq!(statuses(&report, "backup.create"), ["pass", "fail"], "{run}");
    let failed = &report["findings"][1]["data"];
    assert_eq!(failed["reason"], "full", "{run}");
    assert!(failed["destination"].as_str().is_some_and(|place| place.ends_with("small/dest")), "{run}");
    assert!(look(&full) == before, "the archive that was there, and nothing else: {:?}", names(&full));
    assert_eq!(names(&fine).len(), 7, "both archives and the marker");
    assert!(look(&home.join("app")) == sources, "the sources are as they were");
    let verify = || {
        let run = world.run(&["backup", "verify", "--all", "--identity", "key.txt", "--format", "json"]);
        let report = run.expect_code(0).json();
        let statuses = statuses(&report, "backup.verify");
        assert!(statuses.iter().all(|status| *status == "pass"), "{run}");
        statuses.len()
    };
    assert_eq!(verify(), 3, "one on the full disk, two on the other");

    disk.resize("size=30m");
    world.run(&["backup", "create"]).expect_code(0);
    assert_eq!((names(&full).len(), names(&fine).len()), (7, 10), "as if nothing had been");
    assert_eq!(verify(), 5);
}
