//! The commands for mainstay itself: what runs on its leash, and the guardian.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::program::{PROGRAM, World};

/// Starts a shell that starts something on a leash; the shell, and the first line that this printed.
fn leashed(world: &World, script: &str) -> (Child, String) {
    let line = format!("'{PROGRAM}' __leash $$ mark1 sh -c '{script}' & wait");
    let mut shell = world.wrapped("sh", &["-c", &line]).stderr(Stdio::inherit()).spawn().expect("a shell");
    let mut first = String::new();
    BufReader::new(shell.stdout.as_mut().expect("a pipe")).read_line(&mut first).expect("a line");
    (shell, first.trim().to_owned())
}

fn is_there(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn renew_case_28_what_is_on_the_leash_has_a_session_and_a_mark_and_dies_with_its_parent() {
    let world = World::new();
    let (mut shell, line) = leashed(&world, "echo $$ $MAINSTAY_RUN; exec sleep 600");
    let (pid, mark) = line.split_once(' ').expect("a pid and a mark");
    assert_eq!(mark, format!("mark1:{pid}"));
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let session = stat.rsplit_once(')').expect("a name").1.split_whitespace().nth(3).expect("a session");
    assert_eq!(session, pid, "it leads a session of its own");
    let pid = pid.parse().expect("a number");
    // Nothing of the shell's can tell it, but the kernel.
    shell.kill().expect("a child of ours");
    shell.wait().expect("a child of ours");
    let begun = Instant::now();
    while is_there(pid) {
        assert!(begun.elapsed() < Duration::from_secs(5), "it lives on");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_leash_whose_parent_has_gone_starts_nothing_and_a_program_that_is_not_there_is_named() {
    let world = World::new();
    let ran = world.folder().join("ran");
    world.run(&["__leash", "1", "mark1", "touch", &ran.to_string_lossy()]).expect_code(127).expect_text("has ended");
    assert!(!ran.exists());
    let own = std::process::id().to_string();
    world
        .run(&["__leash", &own, "mark1", "no-such-program"])
        .expect_code(127)
        .expect_text("no program: no-such-program");
    world.run(&["__leash"]).expect_code(127).expect_text("for mainstay itself");
}

#[test]
fn a_guardian_ends_when_it_is_dismissed_and_when_nothing_is_owed_and_no_signal_ends_it_before() {
    let world = World::new();
    let folder = world.folder().join("state");
    for dismissed in [true, false] {
        let mut command = Command::new(PROGRAM);
        command.arg("__guardian").arg(&folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut guardian = command.spawn().expect("the binary");
        let mut ready = [0];
        guardian.stdout.as_mut().expect("a pipe").read_exact(&mut ready).expect("it watches");
        assert_eq!(ready, *b"r");
        for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT] {
            kill_process(Pid::from_child(&guardian), signal).expect("a child of ours");
        }
        thread::sleep(Duration::from_millis(200));
        assert!(guardian.try_wait().expect("a child of ours").is_none(), "a signal is for the run that it guards");
        let mut stdin = guardian.stdin.take().expect("a pipe");
        if dismissed {
            stdin.write_all(b"d").expect("it reads");
        }
        drop(stdin);
        assert!(guardian.wait().expect("a child of ours").success());
        assert!(!folder.exists(), "nothing was owed, and no trace is left");
    }
    let mut alone = World::new();
    alone.set("MAINSTAY_STATE", &folder);
    let help = alone.run(&["--help"]);
    assert!(!help.stdout.contains("__"), "{help}");
}
