//! Kills at random moments between plan and end; after the next plain run the site is as it was.
//!
//! `MAINSTAY_OUTAGE_ROUNDS` says how many there are, `MAINSTAY_FAULT_SEED` repeats a run as far as the machine does its part
//! at the same moments.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::drive::{plain, start};
use crate::{
    acme::{self, CONTAINER, container, inside, inside_of, serves, wait_for, wrong},
    dice::Dice,
};

/// So many where nobody says how many: each way once.
const ROUNDS: usize = WAYS.len();

/// How a run is ended.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// `kill -9` of the process.
    Process,
    /// `kill -9` of its process group.
    Group,
    /// `kill -9` of its process group and of the guardian.
    Guardian,
    /// A signal that it handles.
    Asked(Signal),
    /// The same, twice.
    Twice(Signal),
}

const WAYS: [Way; 8] = [
    Way::Process,
    Way::Asked(Signal::TERM),
    Way::Guardian,
    Way::Asked(Signal::INT),
    Way::Group,
    Way::Twice(Signal::INT),
    Way::Asked(Signal::HUP),
    Way::Asked(Signal::QUIT),
];

#[derive(Default)]
struct Tally {
    kills: usize,
    /// Kills after which the site was down, or the journal open.
    midway: usize,
    wrong: usize,
}

#[test]
fn renew_case_26_and_27_the_site_comes_back_after_kills_at_any_moment() {
    if inside("outage::kills::renew_case_26_and_27_the_site_comes_back_after_kills_at_any_moment") {
        all_go_well();
    }
}

#[test]
fn renew_case_26_and_27_with_podman_the_site_comes_back_after_kills_at_any_moment() {
    if inside_of(
        "podman",
        "outage::kills::renew_case_26_and_27_with_podman_the_site_comes_back_after_kills_at_any_moment",
    ) {
        all_go_well();
    }
}

fn all_go_well() {
    let (mut dice, seed) = Dice::new();
    let rounds = std::env::var("MAINSTAY_OUTAGE_ROUNDS").map_or(ROUNDS, |text| text.parse().expect("a number"));
    println!("{rounds} kills; MAINSTAY_FAULT_SEED={seed} repeats them");
    let begun = Instant::now();
    let status = start().wait().expect("a child of ours");
    let mut length = begun.elapsed();
    assert!(status.success(), "an undisturbed run: {status}");
    assert_eq!(wrong(), [""; 0], "after an undisturbed run");
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for round in 0..rounds {
        let way = WAYS[round % WAYS.len()];
        let moment = kill(way, &mut length, &mut dice);
        let open = std::path::Path::new("/var/lib/mainstay/journal.json").exists();
        let midway = open || container(CONTAINER).is_none_or(|found| found["State"]["Running"] != true);
        let mut found = Vec::new();
        // The next plain run, at once: the guardian may be at work, and is waited for.
        let next = plain();
        if !next.status.success() {
            let said = String::from_utf8_lossy(&next.stdout).into_owned() + &String::from_utf8_lossy(&next.stderr);
            found.push(format!("the next run ended with {}: {said}", next.status));
        }
        // A guardian that found nothing left to do needs a moment to end.
        wait_for(Duration::from_secs(3), || acme::guardian().is_none());
        found.extend(wrong());
        let tally = tallies.entry(format!("{way:?}")).or_default();
        tally.kills += 1;
        tally.midway += usize::from(midway);
        tally.wrong += usize::from(!found.is_empty());
        println!("round {round}: {way:?} after {moment:?}: {}", if found.is_empty() { "well" } else { "WRONG" });
        for what in &found {
            println!("    {what}");
        }
        mend(&found);
    }
    for (way, Tally { kills, midway, wrong }) in &tallies {
        println!("{way}: {kills} kills, {midway} of them while something was owed, {wrong} went wrong");
    }
    let wrong: usize = tallies.values().map(|tally| tally.wrong).sum();
    println!("{} of {rounds} went well", rounds - wrong);
    assert_eq!(wrong, 0, "kills of {rounds} went wrong; they are above");
}

/// Starts a run and ends it at a random moment; one that has ended before is no kill, and another moment is chosen.
fn kill(way: Way, length: &mut Duration, dice: &mut Dice) -> Duration {
    loop {
        // The last ten seconds only watch over what is up again: every other kill comes before.
        let span = if dice.coin() { 1.0 } else { 0.4 };
        let moment = length.mul_f64(span * dice.share());
        let mut child = start();
        let pid = Pid::from_child(&child);
        thread::sleep(moment);
        if child.try_wait().expect("a child of ours").is_some() {
            *length = length.mul_f64(0.97);
            continue;
        }
        let guardian = acme::guardian().and_then(Pid::from_raw);
        match way {
            Way::Process => kill_process(pid, Signal::KILL).expect("a child of ours"),
            Way::Group => kill_process_group(pid, Signal::KILL).expect("a child of ours"),
            Way::Guardian => {
                // The guardian first, or it is at work already; a process that has ended is no trouble.
                let _ = guardian.map(|guardian| kill_process(guardian, Signal::KILL));
                kill_process_group(pid, Signal::KILL).expect("a child of ours");
            }
            Way::Asked(signal) => kill_process(pid, signal).expect("a child of ours"),
            Way::Twice(signal) => {
                kill_process(pid, signal).expect("a child of ours");
                thread::sleep(Duration::from_millis(u64::from(dice.coin()) * 400));
                let _ = kill_process(pid, signal);
            }
        }
        let status = child.wait().expect("a child of ours");
        if let Way::Asked(signal) | Way::Twice(signal) = way {
            // It has started everything itself; a signal before it listens, or in its last moment, is another matter.
            use std::os::unix::process::ExitStatusExt;
            let number = signal.as_raw();
            let expected = [Some(128 + number), Some(0)].contains(&status.code()) || status.signal() == Some(number);
            assert!(expected && serves(), "{way:?} after {moment:?}: {status}, serves: {}", serves());
        }
        return moment;
    }
}

/// What went wrong must not make the rounds that follow go wrong too.
fn mend(found: &[String]) {
    if found.is_empty() {
        return;
    }
    let _ = std::fs::remove_file("/var/lib/mainstay/journal.json");
    acme::attempt(&acme::engine(), &["update", "--restart=unless-stopped", CONTAINER]);
    acme::attempt(&acme::engine(), &["start", CONTAINER]);
    wait_for(Duration::from_secs(10), serves);
}
