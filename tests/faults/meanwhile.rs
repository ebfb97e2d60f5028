//! What comes in the middle of a standalone renewal: another run, a signal, the end of everybody who could clean up.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    acme::{CONTAINER, attempt, container, folder, guardian, inside, inside_of, processes, serves, wait_for, wrong},
    cron::{LIVE, Ran, command, configure, mainstay, serial, served},
};

/// A certbot that does this first, once the site is down.
fn certbot(first: &str) -> String {
    let path = folder().join("certbot");
    fs::write(&path, format!("#!/bin/sh\n[ \"$1\" = --version ] || {{ {first}; }}\nexec certbot \"$@\"\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    format!("method = \"standalone\"\ncertbot = [\"{}\"]\n", path.display())
}

/// A run that has stopped the site and is in the middle of its certbot.
fn midway(words: &[&str]) -> Child {
    midway_of(&mut command(words), || container(CONTAINER).is_some_and(|found| found["State"]["Running"] == false))
}

fn midway_of(command: &mut Command, is_down: impl Fn() -> bool) -> Child {
    let child = command.spawn().expect("the binary");
    assert!(wait_for(Duration::from_secs(30), is_down), "it is stopped");
    thread::sleep(Duration::from_millis(500));
    child
}

fn end(child: Child) -> Ran {
    child.wait_with_output().expect("a child of ours").into()
}

#[test]
fn renew_case_49_a_second_certificate_waits_for_the_outage_of_the_first_or_says_so() {
    if !inside("meanwhile::renew_case_49_a_second_certificate_waits_for_the_outage_of_the_first_or_says_so") {
        return;
    }
    let path = configure(&(certbot("sleep 8") + &format!("reload = {{ container = \"{CONTAINER}\" }}")));
    let second = format!(
        "[certificate.second]\nnames = [\"www.prime.example.test\"]\nagree_tos = true\nserver = \"{}\"\n\
         method = \"standalone\"\nreload = {{ container = \"{CONTAINER}\" }}\n",
        std::env::var("ACME").unwrap()
    );
    fs::write(&path, fs::read_to_string(&path).unwrap() + &second).unwrap();
    let first = midway(&["prime", "--force"]);
    let begun = Instant::now();
    let refused = mainstay(&["second"]).ended(4);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let told = refused.finding("certificate.renew", "locked");
    assert_eq!(told["status"], "skip", "quiet for cron: {told:#}");
    assert!(told["cause"].as_str().unwrap().contains("`mainstay renew-cert prime --force` (process"), "{told:#}");
    // With patience it is done afterwards; nginx reads another lineage, which is told of it, and is another matter.
    let waited = mainstay(&["second", "--lock-wait", "2m"]);
    assert_eq!(waited.outcome("request"), Some("done"), "{:#}\n{}", waited.report, waited.err);
    assert!(waited.err.contains("waiting for `mainstay renew-cert prime --force`"), "{}", waited.err);
    end(first).ended(0);
    assert_eq!(wrong(), [""; 0]);
}

#[test]
fn renew_case_26_a_signal_leaves_a_report_of_what_was_put_back() {
    if !inside("meanwhile::renew_case_26_a_signal_leaves_a_report_of_what_was_put_back") {
        return;
    }
    let before = serial(LIVE);
    configure(&(certbot("sleep 60") + &format!("reload = {{ container = \"{CONTAINER}\" }}")));
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129), (Signal::QUIT, 131)] {
        let child = midway(&["--force"]);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let ran = end(child).ended(code);
        assert_eq!((ran.outcome("stop"), ran.outcome("start")), (Some("done"), Some("done")), "{:#}", ran.report);
        assert_eq!((ran.outcome("renew"), &ran.report["status"]), (Some("failed"), &"fail".into()));
        ran.finding("run.interrupted", "signal");
        assert_eq!((wrong(), serial(LIVE)), (Vec::new(), before.clone()));
    }
    // With a terminal that takes nothing any more it is put back, and the code is the signal's, all the same.
    let closed = || fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = command(&["--force", "-v"]);
    let mut child = midway_of(command.stdout(closed()).stderr(closed()), || {
        container(CONTAINER).is_some_and(|found| found["State"]["Running"] == false)
    });
    kill_process(Pid::from_child(&child), Signal::HUP).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(129));
    assert_eq!(wrong(), [""; 0]);
}

#[test]
fn renew_case_28_an_orphan_of_certbot_on_port_80_is_ended_before_the_unit_is_started() {
    if !inside_of(
        "host",
        "meanwhile::renew_case_28_an_orphan_of_certbot_on_port_80_is_ended_before_the_unit_is_started",
    ) {
        return;
    }
    // In a group of its own it answers port 80 for good. What leaves the session too, as a daemon of a hook does, is not ours.
    let orphan = "python3 -c 'import os, http.server as h; os.setpgid(0, 0); h.test(h.SimpleHTTPRequestHandler, port=80)' \
                  >/dev/null 2>&1 & sleep 60";
    configure(&(certbot(orphan) + "reload = { systemd = \"nginx\" }"));
    let held = || processes().iter().any(|(_, line)| line.contains("http.server"));
    let start = || {
        let mut command = command(&["--force"]);
        let child = midway_of(command.stdout(Stdio::null()).stderr(Stdio::null()), held);
        assert!(!serves());
        child
    };
    // A signal: the run ends it itself.
    let mut child = start();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(!held() && serves());
    // The run is killed: the guardian does.
    let mut child = start();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(wait_for(Duration::from_secs(30), || serves() && !held()), "the guardian");
    assert!(wait_for(Duration::from_secs(30), || guardian().is_none()));
    // The guardian too: the next run does.
    let mut child = start();
    kill_process(guardian().and_then(Pid::from_raw).expect("a guardian"), Signal::KILL).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    thread::sleep(Duration::from_secs(1));
    assert!(held() && !serves(), "the orphan has the port");
    mainstay(&[]).ended(0);
    assert!(!held() && serves() && served() == serial(LIVE));
    assert!(!attempt("test", &["-e", "/var/lib/mainstay/journal.json"]).status.success());
}
