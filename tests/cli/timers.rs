//! `mainstay timers`: a scripted `crontab` keeps its table in a file, and Debian's own one where it is installed.

use std::os::unix::fs::PermissionsExt;

use crate::program::{World, has_program, is_root, skip};

const CONFIG: &str = "project = 'prime'\nstate = 'state'\n[site.prime]\nurl = 'https://prime.example.test'\n\
    [certificate.prime]\nnames = ['prime.example.test']\nwebroot = '/srv/www'\n\
    [notify]\nwebhook = { env = 'HOOK' }\n";

/// A world whose only programs are these scripts.
fn world(programs: &[(&str, &str)]) -> World {
    let mut world = World::new();
    world.file("mainstay.toml", CONFIG);
    world.file("bin/.keep", "");
    for (name, script) in programs {
        let path = world.file(&format!("bin/{name}"), format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("our own file");
    }
    let bin = world.folder().join("bin");
    world.set("PATH", bin).set("XDG_STATE_HOME", "/nowhere");
    world
}

const CRONTAB: &str = "table=$HOME/table\ncase $1 in\n\
    -l) [ -e $table ] || { echo 'no crontab for ann' >&2; exit 1; }; exec /bin/cat $table ;;\n\
    -) exec /bin/cat > $table ;;\nesac";

#[test]
fn without_systemd_and_without_cron_it_is_an_error_and_a_rehearsal_shows_the_units() {
    let world = world(&[]);
    let run = world.run(&["timers", "install"]);
    run.expect_code(1).expect_text("neither systemd nor cron is here").expect_text("hint:");
    let run = world.run(&["timers", "install", "--dry-run"]);
    run.expect_code(0).expect_text("OnCalendar=*-*-* *:00/15:00 UTC").expect_text("mainstay-prime-renew-cert.service");
    run.expect_text("$HOOK").expect_text("KillMode=process").expect_text("nothing could be installed");
    let run = world.run(&["timers", "show"]);
    run.expect_code(0).expect_text("not installed").expect_text("every 15m");
}

#[test]
fn lines_of_cron_come_and_go_and_those_of_others_stay() {
    let world = world(&[("crontab", CRONTAB)]);
    let others = "MAILTO=ann\n# mine\n5 4 * * * /usr/bin/true 100\\%\n";
    world.file("table", others);
    let table = || std::fs::read_to_string(world.folder().join("table")).expect("the table");

    let run = world.run(&["timers", "install", "--dry-run"]);
    run.expect_code(0).expect_text("# BEGIN mainstay prime").expect_text("@reboot");
    assert_eq!(table(), others, "a rehearsal changes nothing");

    world.run(&["timers", "install"]).expect_code(0).expect_text("by cron, because systemd does not run here");
    let installed = table();
    assert!(installed.starts_with(others) && installed.contains("*/15 * * * * if [ -r "), "{installed}");
    world.run(&["timers", "install"]).expect_code(0).expect_text("everything is as the configuration wants it");
    assert_eq!(table(), installed);

    let run = world.run(&["timers", "show", "--format", "json"]);
    run.expect_code(0);
    let rows = run.json()["result"]["timers"].as_array().expect("timers").clone();
    assert_eq!((&rows[0]["job"], &rows[0]["by"], &rows[0]["state"]), (&"check".into(), &"cron".into(), &"on".into()));
    assert!(rows[0]["next"].is_string() && rows[0]["last"].is_null(), "{rows:?}");

    world.file(
        "mainstay.toml",
        CONFIG.replace(
            "[certificate.prime]\nnames = ['prime.example.test']\nwebroot = '/srv/www'\n",
            "[timers]\ncheck = 'every 5m'\n",
        ),
    );
    world.run(&["timers", "install", "--quiet"]).expect_code(0);
    assert!(table().contains("*/5 * * * *") && !table().contains("renew-cert"), "{}", table());

    world.run(&["timers", "remove"]).expect_code(0);
    assert_eq!(table(), others);
    world.run(&["timers", "remove"]).expect_code(0).expect_text("there are none of this configuration");
}

#[test]
fn a_crontab_that_refuses_is_a_failed_step_with_its_words() {
    let world = world(&[(
        "crontab",
        "[ $1 = - ] && { echo 'no space left' >&2; exit 1; }\necho 'no crontab for ann' >&2; exit 1",
    )]);
    world.run(&["timers", "install"]).expect_code(1).expect_text("no space left").expect_text("crontab -e");
}

#[test]
fn debians_crontab_takes_the_lines_and_gives_them_back() {
    let name = "timers::debians_crontab_takes_the_lines_and_gives_them_back";
    if !is_root() || !has_program("crontab") || !has_program("unshare") {
        skip(name, "needs root, crontab and unshare");
        return;
    }
    let world = World::new();
    world.file("mainstay.toml", CONFIG);
    // A spool of its own, so that the machine's tables are never touched.
    let script = format!(
        "mount -t tmpfs tmpfs /var/spool/cron || exit 77\nmkdir -m 1730 /var/spool/cron/crontabs; chgrp crontab /var/spool/cron/crontabs\n\
         echo '5 4 * * * true' | crontab - || exit 1\n{0} timers install --cron && crontab -l && {0} timers install --cron\n\
         {0} timers remove && echo LEFT && crontab -l",
        env!("CARGO_BIN_EXE_mainstay")
    );
    let output = world.wrapped("unshare", &["-m", "sh", "-c", &script]).output().expect("unshare");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() && (output.status.code() == Some(77) || said.is_empty()) {
        skip(name, "no mount namespace can be made here");
        return;
    }
    let told = format!("{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}");
    assert!(
        said.contains("# BEGIN mainstay prime") && said.contains("everything is as the configuration wants it"),
        "{told}"
    );
    assert!(said.ends_with("LEFT\n5 4 * * * true\n"), "{told}");
}

#[test]
fn a_configuration_without_sections_has_nothing_to_run() {
    let world = world(&[("crontab", CRONTAB)]);
    world.file("mainstay.toml", "project = 'prime'\n");
    world.run(&["timers", "install"]).expect_code(2).expect_text("add a section");
    world.run(&["timers", "show"]).expect_code(0).expect_text("no job has a section");
}
