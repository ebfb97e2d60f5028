//! `mainstay backup` as an operator, cron and a new machine meet it, with `age`, `tar` and `minisign` as the judges.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::program::{Run, Running, World, findings, has_program, skip};

/// A small application with a key and a destination: `.env`, `config/app.toml`, and the ten-line file.
struct App {
    world: World,
}

impl App {
    fn new() -> Self {
        let world = World::new();
        world.file("app/.env", "SECRET=hunter2\n");
        world.file("app/config/app.toml", "workers = 3\n");
        fs::set_permissions(world.folder().join("app/.env"), fs::Permissions::from_mode(0o600)).expect("a mode");
        fs::create_dir(world.folder().join("usb")).expect("a folder");
        let app = Self { world };
        app.run(&["backup", "keygen", "key.txt"]).expect_code(0);
        app.configure("");
        app
    }

    /// Writes the configuration: the short form, and these lines more.
    fn configure(&self, more: &str) {
        let text = format!(
            "project = \"prime\"\nstate = \"state\"\n\n[backup.app]\nroot = \"app\"\nrecipients = [\"{}\"]\nto = [\"usb\"]\n{more}",
            self.public_key()
        );
        self.world.file("mainstay.toml", text);
    }

    fn public_key(&self) -> String {
        let key = fs::read_to_string(self.path("key.txt")).expect("the key");
        key.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("a public key").to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.world.folder().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.world.run(arguments)
    }

    fn create(&self) -> Value {
        let run = self.run(&["backup", "create", "--format", "json"]);
        run.expect_code(0);
        run.json()
    }

    /// The files of the destination with this ending, oldest first.
    fn stored(&self, folder: &str, ending: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.retain(|path| path.to_string_lossy().ends_with(ending));
        paths.sort();
        paths
    }

    /// Everything below a folder with its mode and content, for a comparison.
    fn snapshot(&self, folder: &str) -> Vec<(String, u32, Vec<u8>)> {
        let mut all = Vec::new();
        walk(&self.path(folder), &mut all);
        all.sort();
        let root = self.path(folder).to_string_lossy().into_owned();
        all.into_iter().map(|(name, mode, content)| (name.replace(&root, ""), mode, content)).collect()
    }
}

fn walk(path: &Path, all: &mut Vec<(String, u32, Vec<u8>)>) {
    let found = fs::symlink_metadata(path).expect("it exists");
    let content = if found.is_file() { fs::read(path).expect("a file") } else { Vec::new() };
    all.push((path.to_string_lossy().into_owned(), found.mode() & 0o7777, content));
    if found.is_dir() {
        for entry in fs::read_dir(path).expect("a folder") {
            walk(&entry.expect("an entry").path(), all);
        }
    }
}

/// A script in a folder, which must succeed; what it printed.
#[track_caller]
fn judge(folder: &Path, script: &str) -> String {
    let output =
        Command::new("bash").args(["-e", "-o", "pipefail", "-c", script]).current_dir(folder).output().expect("bash");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_ten_line_file_makes_an_archive_that_age_tar_and_minisign_open() {
    if !["age", "minisign"].iter().all(|program| has_program(program)) {
        return skip("the_ten_line_file_makes_an_archive_that_age_tar_and_minisign_open", "no age or no minisign");
    }
    let app = App::new();
    let run = app.run(&["backup", "create"]);
    run.expect_code(0).expect_text("read back, opened and compared").expect_text("Recovery sheet");
    let key =
        run.stdout.lines().find_map(|line| line.trim().strip_prefix("signed by ")).expect("the key").trim().to_owned();
    judge(
        app.world.folder(),
        "mkdir by-hand; age -d -i key.txt usb/*.tar.gz.age | tar xz -C by-hand; diff -r app by-hand -x .mainstay -x mainstay.toml",
    );
    assert_eq!(fs::metadata(app.path("by-hand/.env")).unwrap().mode() & 0o777, 0o600);
    judge(app.world.folder(), &format!("minisign -V -P {key} -m usb/*.json -x usb/*.json.minisig"));
    judge(app.world.folder(), "sha256sum usb/*.age | cut -d' ' -f1 | xargs -I{} grep -q {} usb/*-000001.json");
    // The configuration is part of every backup, also where it is not below the root.
    judge(
        app.world.folder(),
        "cmp mainstay.toml by-hand/.mainstay/mainstay.toml; test -s by-hand/.mainstay/manifest.jsonl",
    );
    for path in app.stored("usb", "") {
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o077, 0, "{path:?} is nobody else's");
    }
    let again = app.run(&["backup", "create"]);
    assert!(!again.expect_code(0).stdout.contains("Recovery sheet"), "only the first time");
}

#[test]
fn a_rehearsal_writes_nothing_at_all() {
    let app = App::new();
    let before = app.snapshot(".");
    let run = app.run(&["backup", "create", "--dry-run"]);
    run.expect_code(0).expect_text(".env").expect_text("used for the first time");
    assert_eq!(app.snapshot("."), before);
    let plan = app.run(&["backup", "create", "--dry-run", "--format", "json"]).json();
    let actions: Vec<&str> =
        plan["plan"]["steps"].as_array().unwrap().iter().map(|step| step["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["archive", "store"]);
}

#[test]
fn what_has_not_changed_is_left_alone_and_what_has_is_not() {
    let app = App::new();
    app.create();
    let again = |app: &App| {
        app.run(&["backup", "create", "--if-changed"]).expect_code(0);
        app.stored("usb", ".age").len()
    };
    assert_eq!(again(&app), 1);
    fs::set_permissions(app.path("app/.env"), fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(again(&app), 2, "a mode is a change");
    app.world.file("app/.env", "SECRET=2\n");
    assert_eq!(again(&app), 3);
    // The same content, written again.
    app.world.file("app/config/app.toml", "workers = 3\n");
    assert_eq!(again(&app), 3);
    fs::remove_file(&app.stored("usb", ".age")[2]).unwrap();
    assert_eq!(again(&app), 3, "an archive that has gone does not count");
}

#[test]
fn the_list_is_the_contract_for_programs_and_fits_eighty_columns_for_people() {
    let app = App::new();
    let created = app.create();
    let id = findings(&created, "backup.create")[0]["data"]["archive"].as_str().unwrap().to_owned();
    let list = app.run(&["backup", "list", "--format", "json"]);
    list.expect_code(0);
    let report = list.json();
    let archive = &report["result"]["archives"][0];
    assert_eq!(archive["id"], id.as_str());
    assert_eq!(archive["name"], "app");
    assert_eq!(archive["destination"], app.path("usb").to_str().unwrap());
    assert_eq!(archive["files"], 3);
    assert_eq!(archive["sealed_for"], serde_json::json!([app.public_key()]));
    assert_eq!(archive["verified"]["how"], "decrypted");
    assert_eq!(archive["bytes"], fs::metadata(&app.stored("usb", ".age")[0]).unwrap().len());
    let people = app.run(&["backup", "list"]);
    assert!(people.expect_code(0).stdout.lines().skip(1).all(|line| line.chars().count() <= 80), "{people}");
    people.expect_text(&id).expect_text("good, newest");
}

#[test]
fn backup_case_09_a_flipped_byte_is_found_without_a_key_and_the_archive_counts_no_more() {
    let app = App::new();
    app.create();
    let path = &app.stored("usb", ".age")[0];
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
    let run = app.run(&["backup", "verify", "--format", "json"]);
    run.expect_code(1);
    assert_eq!(findings(&run.json(), "backup.verify")[0]["data"]["reason"], "altered");
    let opened = app.run(&["backup", "verify", "--identity", "key.txt", "--format", "json"]);
    opened.expect_code(1);
    let listed = app.run(&["backup", "list", "--format", "json"]).json();
    assert_eq!(listed["result"]["archives"][0]["good"], false, "the damage is remembered");
    app.run(&["backup", "restore", "app", "--to", "new", "--identity", "key.txt"]).expect_code(1);
    assert!(!app.path("new/.env").exists());
}

#[test]
fn backup_case_11_a_wrong_key_is_told_from_damage() {
    let app = App::new();
    app.create();
    app.run(&["backup", "keygen", "other.txt"]).expect_code(0);
    let run = app.run(&["backup", "verify", "--identity", "other.txt", "--format", "json"]);
    run.expect_code(1).expect_text(&app.public_key());
    assert_eq!(findings(&run.json(), "backup.verify")[0]["data"]["reason"], "wrong-key");
    let listed = app.run(&["backup", "list", "--format", "json"]).json();
    assert_eq!(listed["result"]["archives"][0]["good"], true, "the archive is as good as before");
}

#[test]
fn a_lost_host_comes_back_from_the_stick_with_the_key_and_the_sheet() {
    let app = App::new();
    let created = app.create();
    let signer = created["result"]["recovery"][0]["signed_by"].as_str().unwrap().to_owned();
    // A new machine: another home, no state, no configuration.
    let fresh = World::new();
    let (usb, key) = (app.path("usb"), app.path("key.txt"));
    let (usb, key) = (usb.to_str().unwrap(), key.to_str().unwrap());
    let base = ["backup", "restore", "--from", usb, "--to", "prime", "--identity", key];
    let refused = fresh.run(&base);
    refused.expect_code(1).expect_text("--signer");
    assert!(!fresh.folder().join("prime/.env").exists());
    fresh.run(&[&base[..], &["--signer", &signer]].concat()).expect_code(0);
    judge(app.world.folder(), &format!("diff -r app '{}' -x .mainstay", fresh.folder().join("prime").display()));
    assert_eq!(fs::metadata(fresh.folder().join("prime/.env")).unwrap().mode() & 0o777, 0o600);
    fresh.run(&["backup", "list", "--from", usb]).expect_code(0).expect_text("app at");
    fresh.run(&["backup", "verify", "--from", usb, "--signer", &signer, "--identity", key]).expect_code(0);
}

#[test]
fn a_hand_made_archive_restores_when_the_operator_says_that_it_may() {
    if !has_program("age") {
        return skip("a_hand_made_archive_restores_when_the_operator_says_that_it_may", "no age");
    }
    let app = App::new();
    judge(app.world.folder(), &format!("tar cz -C app . | age -r {} >by-hand.tar.gz.age", app.public_key()));
    let base = ["backup", "restore", "--from", "by-hand.tar.gz.age", "--to", "new", "--identity", "key.txt"];
    app.run(&base).expect_code(1).expect_text("--allow-unsigned");
    app.run(&[&base[..], &["--allow-unsigned"]].concat()).expect_code(0);
    judge(app.world.folder(), "diff -r app new");
}

#[test]
fn backup_case_33_a_restore_in_place_asks_first_and_can_be_taken_back() {
    let app = App::new();
    app.create();
    let good = app.snapshot("app");
    app.world.file("app/config/app.toml", "workers = 1\n");
    let changed = app.snapshot("app");
    let base = ["backup", "restore", "app", "--in-place", "--identity", "key.txt"];
    app.run(&base).expect_code(1).expect_text("--overwrite newer");
    // The plan is shown all the same to whoever asks only for that.
    app.run(&[&base[..], &["--dry-run"]].concat())
        .expect_code(1)
        .expect_text("overwrite-newer")
        .expect_text("what was changed since goes");
    let newer = [&base[..], &["--overwrite", "newer"]].concat();
    app.run(&newer).expect_code(2).expect_text("--yes");
    assert_eq!(app.snapshot("app"), changed, "nothing was touched until then");
    app.run(&[&newer[..], &["--yes"]].concat()).expect_code(0);
    let mut restored = app.snapshot("app");
    restored.retain(|(name, ..)| !name.contains(".mainstay-restore-"));
    assert_eq!(restored, good);
    app.run(&["backup", "restore", "app", "--undo"]).expect_code(0);
    assert_eq!(app.snapshot("app"), changed);
}

#[test]
fn backup_case_16_two_runs_at_once_do_not_meet() {
    let app = App::new();
    let script = app.path("started");
    app.configure(&format!(
        "[[backup.app.dump]]\nname = \"slow\"\ncommand = [\"sh\", \"-c\", \"touch {}; sleep 3; echo x\"]\n",
        script.display()
    ));
    let first = Running::start(&mut app.world.command(&["backup", "create"]));
    wait_for(&script);
    let second = app.run(&["backup", "create"]);
    second.expect_code(4);
    let silent = app.run(&["backup", "create", "--quiet"]);
    assert_eq!((silent.code, silent.stdout.as_str(), silent.stderr.as_str()), (Some(4), "", ""), "cron hears nothing");
    let patient = app.run(&["backup", "create", "--lock-wait", "30s"]);
    patient.expect_code(0);
    first.finish().expect_code(0);
    assert_eq!(app.stored("usb", ".age").len(), 2);
}

#[test]
fn backup_case_45_one_destination_that_fails_stops_no_other() {
    let app = App::new();
    let file = app.world.file("not-a-folder", "x");
    let text = fs::read_to_string(app.path("mainstay.toml")).unwrap();
    let both = format!("to = [\"usb\", \"{}\"]", file.display());
    app.world.file("mainstay.toml", text.replace("to = [\"usb\"]", &both));
    let run = app.run(&["backup", "create", "--format", "json"]);
    run.expect_code(1);
    let report = run.json();
    let statuses: Vec<_> = findings(&report, "backup.create").iter().map(|finding| finding["status"].clone()).collect();
    assert!(statuses.contains(&"pass".into()) && statuses.contains(&"fail".into()), "{run}");
    app.run(&["backup", "verify"]).expect_code(1);
    assert_eq!(app.stored("usb", ".minisig").len(), 1, "the good one is whole");
    // Where only the stick is required, the other one is worth a warning.
    app.world.file("mainstay.toml", text.replace("to = [\"usb\"]", &format!("{both}\nrequired = [\"usb\"]")));
    app.run(&["backup", "create"]).expect_code(0).expect_text("warn");
}

#[test]
fn backup_case_51_what_cannot_be_started_says_so_and_touches_nothing() {
    let app = App::new();
    app.world.file("mainstay.toml", "[backup.app]\nrecipients = [\"age1wrong\"]\nto = [\"usb\"]\n");
    app.run(&["backup", "create"]).expect_code(2).expect_text("age1wrong");
    app.world.file("mainstay.toml", "[backup.app]\nto = [\"usb\"]\n");
    app.run(&["backup", "create"]).expect_code(2).expect_text("recipients");
    fs::remove_file(app.path("mainstay.toml")).unwrap();
    app.run(&["backup", "create"]).expect_code(2).expect_text("mainstay.toml");
    assert!(app.stored("usb", "").is_empty() && !app.path("state").exists());
}

#[test]
fn backup_case_52_a_signal_leaves_nothing_behind() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let app = App::new();
        let started = app.path("started");
        app.configure(&format!(
            "[[backup.app.dump]]\nname = \"slow\"\ncommand = [\"sh\", \"-c\", \"touch {}; sleep 2; echo x\"]\n",
            started.display()
        ));
        let running = Running::start(&mut app.world.command(&["backup", "create"]));
        wait_for(&started);
        kill_process(running.id(), signal).expect("it runs");
        running.finish().expect_code(code);
        let left: Vec<_> =
            app.stored("usb", "").into_iter().filter(|path| !path.ends_with(".mainstay-dest.json")).collect();
        assert!(left.is_empty(), "{left:?}");
        app.configure("");
        app.create();
    }
}

#[test]
fn backup_case_20_and_21_a_source_that_is_not_there_and_a_set_that_shrank() {
    let app = App::new();
    for n in 0..9 {
        app.world.file(&format!("app/config/{n}.toml"), "x = 1\n");
    }
    app.create();
    for n in 0..9 {
        fs::remove_file(app.path(&format!("app/config/{n}.toml"))).unwrap();
    }
    let run = app.run(&["backup", "create", "--format", "json"]);
    run.expect_code(1);
    let report = run.json();
    let suspect = findings(&report, "backup.create").into_iter().find(|finding| finding["data"]["reason"] == "suspect");
    assert!(suspect.is_some(), "{run}");
    let listed = app.run(&["backup", "list", "--format", "json"]).json();
    let good: Vec<_> =
        listed["result"]["archives"].as_array().unwrap().iter().map(|archive| archive["good"].clone()).collect();
    assert_eq!(good, [true, false], "a suspect archive is kept and does not count");

    // It is no measure for the next one: neither by what the host remembers nor, without that, by what the stick has.
    app.run(&["backup", "create"]).expect_code(1).expect_text("-000001 had").expect_text("--accept-smaller");
    fs::remove_file(app.path("state/backup/prime-app.json")).unwrap();
    app.run(&["backup", "create"]).expect_code(1).expect_text("-000001 had");
    app.run(&["backup", "create", "--accept-smaller"]).expect_code(0).expect_text("accepted as it is");
    app.run(&["backup", "create"]).expect_code(0);

    let stored = app.stored("usb", ".age").len();
    app.configure("include = [\".env\", \"media/\"]\n");
    let run = app.run(&["backup", "create"]);
    run.expect_code(1).expect_text("media/");
    assert_eq!(app.stored("usb", ".age").len(), stored, "nothing was written");
}

#[test]
fn backup_case_50_a_dump_is_in_the_archive_and_one_that_fails_fails_the_run() {
    if !has_program("age") {
        return skip("backup_case_50_a_dump_is_in_the_archive_and_one_that_fails_fails_the_run", "no age");
    }
    let app = App::new();
    app.configure("[[backup.app.dump]]\nname = \"db.sql\"\ncommand = [\"echo\", \"select 1;\"]\n");
    app.create();
    let said = judge(app.world.folder(), "age -d -i key.txt usb/*-000001.tar.gz.age | tar xzO db.sql");
    assert_eq!(said, "select 1;\n");
    app.configure("[[backup.app.dump]]\nname = \"db.sql\"\ncommand = [\"false\"]\n");
    let run = app.run(&["backup", "create", "--format", "json"]);
    run.expect_code(1);
    let report = run.json();
    let reasons: Vec<_> =
        findings(&report, "backup.create").iter().map(|finding| finding["data"]["reason"].clone()).collect();
    assert!(reasons.contains(&"dump-failed".into()) && reasons.contains(&"suspect".into()), "{run}");
    let record = fs::read(app.path("state/backup/prime-app.json")).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    let good = &record["destinations"][app.path("usb").to_str().unwrap()]["good"]["id"];
    assert!(good.as_str().unwrap().ends_with("-000001"), "a suspect archive is not remembered as good: {record}");
}

#[test]
fn backup_case_12_a_passphrase_comes_from_the_environment_and_is_never_shown() {
    let mut app = App::new();
    let text = fs::read_to_string(app.path("mainstay.toml")).unwrap();
    let key = format!("recipients = [\"{}\"]", app.public_key());
    app.world.file(
        "mainstay.toml",
        text.replace(&key, "passphrase = { env = \"BACKUP_PASSPHRASE\" }\ncompression = \"zstd\""),
    );
    app.run(&["backup", "create"]).expect_code(1).expect_text("BACKUP_PASSPHRASE");
    app.world.set("BACKUP_PASSPHRASE", "correct horse");
    let run = app.run(&["backup", "create", "-vv"]);
    assert!(!run.expect_code(0).stdout.contains("correct horse") && !run.stderr.contains("correct horse"));
    assert_eq!(app.stored("usb", ".tar.zst.age").len(), 1);
    app.run(&["backup", "restore", "app", "--to", "new"]).expect_code(0);
    judge(app.world.folder(), "diff -r app new -x .mainstay");
    app.world.set("BACKUP_PASSPHRASE", "wrong horse");
    let run = app.run(&["backup", "verify", "--format", "json"]);
    run.expect_code(1);
    assert_eq!(findings(&run.json(), "backup.verify")[0]["data"]["reason"], "wrong-passphrase");
}

#[test]
fn backup_case_06_a_destination_that_was_another_one_before_is_refused() {
    let app = App::new();
    app.create();
    fs::rename(app.path("usb"), app.path("usb-away")).unwrap();
    fs::create_dir(app.path("usb")).unwrap();
    let run = app.run(&["backup", "create", "--format", "json"]);
    run.expect_code(1);
    assert_eq!(findings(&run.json(), "backup.create")[0]["data"]["reason"], "marker-gone");
    assert!(app.stored("usb", "").is_empty());
    app.run(&["backup", "list"]).expect_code(1);
    app.run(&["backup", "prune", "--dry-run"]).expect_code(1);
}

#[test]
fn a_drill_is_remembered_and_a_prune_keeps_what_it_should() {
    let app = App::new();
    app.create();
    app.create();
    let drill = app.run(&["backup", "drill", "--identity", "key.txt"]);
    drill.expect_code(0).expect_text("came back");
    assert!(
        fs::read_dir("/dev/shm")
            .into_iter()
            .flatten()
            .flatten()
            .all(|entry| !entry.file_name().to_string_lossy().starts_with("mainstay-drill-"))
    );
    app.run(&["backup", "prune"]).expect_code(0).expect_text("last drilled");
    assert_eq!(app.stored("usb", ".age").len(), 2);
    app.run(&["backup", "drill"]).expect_code(2).expect_text("--identity");
}

#[test]
fn an_orphan_is_adopted_after_it_was_read_to_its_end() {
    let app = App::new();
    app.create();
    fs::remove_file(&app.stored("usb", ".json.minisig")[0]).unwrap();
    fs::remove_file(&app.stored("usb", "-000001.json")[0]).unwrap();
    app.run(&["backup", "list"]).expect_code(0).expect_text("not counted");
    let base = ["backup", "verify", "--archive", "000001", "--adopt"];
    app.run(&base).expect_code(2);
    app.run(&[&base[..], &["--identity", "key.txt"]].concat()).expect_code(0);
    app.run(&["backup", "list"]).expect_code(0).expect_text("good, newest");
    app.run(&["backup", "verify"]).expect_code(0);
}

#[test]
fn init_says_where_the_keys_are_and_prints_the_policies_of_a_bucket() {
    let app = App::new();
    app.run(&["backup", "init"]).expect_code(0).expect_text("every key that opens the archives lives on this machine");
    app.run(&["backup", "init", "--print-policy"]).expect_code(2);
    let text = fs::read_to_string(app.path("mainstay.toml")).unwrap();
    app.world.file("mainstay.toml", text.replace("to = [\"usb\"]", "to = [\"s3://prime-backups/app\"]"));
    let run = app.run(&["backup", "init", "--print-policy", "--format", "json"]);
    run.expect_code(0);
    let policies = run.json()["result"]["policies"][0]["policies"].clone();
    assert_eq!(policies["writer"]["Version"], "2012-10-17");
    assert!(!policies["writer"].to_string().contains("s3:DeleteObject\""));
}

#[test]
fn an_rclone_remote_that_is_not_configured_is_named() {
    if !has_program("rclone") {
        return skip("an_rclone_remote_that_is_not_configured_is_named", "no rclone");
    }
    let app = App::new();
    let text = fs::read_to_string(app.path("mainstay.toml")).unwrap();
    app.world.file("mainstay.toml", text.replace("to = [\"usb\"]", "to = [\"usb\", \"rclone:nowhere:backups\"]"));
    let run = app.run(&["backup", "create"]);
    run.expect_code(1).expect_text("nowhere").expect_text("is good at");
}

#[test]
fn a_key_is_never_replaced_and_a_name_that_is_none_has_a_neighbour() {
    let app = App::new();
    let before = fs::read(app.path("key.txt")).unwrap();
    app.run(&["backup", "keygen", "key.txt"]).expect_code(1).expect_text("never replaced");
    assert_eq!(fs::read(app.path("key.txt")).unwrap(), before);
    app.run(&["backup", "create", "ap"]).expect_code(2).expect_text("did you mean `app`");
}

/// Waits until a file is there; a run that never makes it fails the test.
fn wait_for(path: &Path) {
    for _ in 0..1000 {
        if path.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{path:?} never came");
}
