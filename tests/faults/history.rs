//! The history while runs are killed, and on a disk that is full or read-only.

use std::{fs, net::TcpListener, process::Stdio, thread};

use serde_json::Value;

use crate::{
    dice::Dice,
    full::Disk,
    program::{World, is_root, skip},
};

/// A check that fails at once: nothing listens where its site should be.
fn world() -> World {
    let world = World::new();
    let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
    world.file(
        "mainstay.toml",
        format!("project = 'prime'\nstate = 'state'\n[site.dead]\nurl = 'https://127.0.0.1:{port}'\nhttp = false\n"),
    );
    world
}

fn listed(world: &World) -> (usize, u64) {
    let run = world.run(&["history", "--format", "json"]);
    let result = &run.expect_code(0).json()["result"];
    (result["runs"].as_array().expect("runs").len(), result["unreadable"].as_u64().expect("a number"))
}

#[test]
fn runs_that_are_killed_tear_no_record_of_another() {
    let world = world();
    let (mut dice, seed) = Dice::new();
    println!("MAINSTAY_FAULT_SEED={seed} repeats these kills");
    let length = world.run(&["check"]).took;
    let mut whole = 1;
    for _ in 0..40 {
        let mut runs: Vec<_> = (0..3)
            .map(|_| {
                let mut command = world.command(&["check"]);
                command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary")
            })
            .collect();
        thread::sleep(length.mul_f64(dice.share() * 2.0));
        for run in &mut runs {
            whole += usize::from(run.try_wait().expect("a child of ours").is_some());
            run.kill().expect("a child of ours");
            run.wait().expect("a child of ours");
        }
    }
    let text = fs::read(world.folder().join("state/history.jsonl")).expect("a history");
    let records =
        text.split(|byte| *byte == b'\n').filter(|line| serde_json::from_slice::<Value>(line).is_ok()).count();
    assert!(records >= whole, "{records} records of {whole} runs that came to their end");
    let before = listed(&world);
    assert_eq!(before.0, records);
    world.run(&["check"]);
    assert_eq!(listed(&world), (records + 1, before.1), "and the next one begins on a line of its own");
    println!("120 runs, {whole} came to their end, {records} records, {} torn lines", before.1);
}

#[test]
fn a_full_or_read_only_disk_costs_the_record_and_nothing_else() {
    let test = "history::a_full_or_read_only_disk_costs_the_record_and_nothing_else";
    if !is_root() {
        return skip(test, "only root can mount a small disk");
    }
    let world = world();
    let state = world.folder().join("state");
    let disk = match Disk::mount(&state, "size=64k,mode=0700") {
        Ok(disk) => disk,
        Err(why) => return skip(test, &format!("no tmpfs: {why}")),
    };
    let first = world.run(&["check"]);
    assert_eq!(listed(&world), (1, 0), "{first}");
    // Records fill the page that the file has, then there is none left.
    let filler = fs::write(state.join("filler"), vec![0; 1 << 20]);
    assert!(filler.is_err(), "the disk is full");
    let mut last = world.run(&["check"]);
    for _ in 0..30 {
        if last.stderr.contains("warning") {
            break;
        }
        last = world.run(&["check"]);
    }
    assert_eq!(last.code, first.code, "{last}");
    last.expect_text("could not write this run into the history").expect_text("hint: free some space");
    let (before, torn) = listed(&world);
    assert_eq!(torn, 0, "a record that did not fit was taken back");

    disk.resize("ro");
    let run = world.run(&["check"]);
    assert_eq!(run.code, first.code, "{run}");
    run.expect_text("warning: could not").expect_text("read-only");
    disk.resize("rw");
    fs::remove_file(state.join("filler")).expect("removed");
    world.run(&["check"]);
    assert_eq!(listed(&world), (before + 1, 0));
}
