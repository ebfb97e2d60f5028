//! Processes of this machine, as the kernel tells them in `/proc`. Linux only; elsewhere there are none to see.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use super::file;

/// Command lines and environments are smaller; more is not read.
const LIMIT: u64 = 4 << 20;

/// The kernel's clock has ticks of 10 ms, and two of its files are read one after the other. A start is told this much
/// late rather than early, so that who compares it with a file's time raises no false alarm.
const LATE: Duration = Duration::from_millis(40);

/// Ticks of a second in `/proc`: 100 on every architecture that Linux shows to programs.
const TICKS: u64 = 100;

/// One process.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// Its pid.
    pub pid: u32,
    /// Its parent's.
    pub parent: u32,
    /// When it started; up to 60 ms late, never early.
    pub started: Option<Timestamp>,
    /// Its arguments; a program that sets its title has one.
    pub arguments: Vec<String>,
    /// The user that it runs as.
    pub owner: u32,
    /// Whether it lives in a pid namespace below ours: in a container.
    pub contained: bool,
}

/// The process of this pid, when it is there.
pub fn process(pid: u32, now: Timestamp) -> Option<Seen> {
    let mut arguments = arguments(pid).ok()?;
    // A title is padded with NULs up to the end of the old arguments.
    while arguments.pop_if(|word| word.is_empty()).is_some() {}
    let stat = fs::read_to_string(entry(pid, "stat")).ok()?;
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let status = fs::read_to_string(entry(pid, "status")).ok()?;
    let (parent, ticks) = read_stat(&stat)?;
    let started = start(ticks, &uptime, now);
    Some(Seen { pid, parent, started, arguments, owner: owner(&status)?, contained: namespaces(&status) > 1 })
}

/// Every process whose arguments `wanted` accepts, by pid.
pub fn find(wanted: impl Fn(&[String]) -> bool, now: Timestamp) -> Vec<Seen> {
    pids().into_iter().filter_map(|pid| process(pid, now)).filter(|seen| wanted(&seen.arguments)).collect()
}

/// The pids of a process's children.
pub fn children(pid: u32) -> Vec<u32> {
    let parent = |child: u32| Some(read_stat(&fs::read_to_string(entry(child, "stat")).ok()?)?.0);
    pids().into_iter().filter(|child| parent(*child) == Some(pid)).collect()
}

/// The words a process was started with.
///
/// # Errors
///
/// There is no such process, or it may not be looked at.
pub fn arguments(pid: u32) -> io::Result<Vec<String>> {
    file::read(&entry(pid, "cmdline"), LIMIT).map(|bytes| words(&bytes))
}

/// The environment a process was started with.
///
/// # Errors
///
/// There is no such process, or it may not be looked at.
pub fn environment(pid: u32) -> io::Result<BTreeMap<String, String>> {
    file::read(&entry(pid, "environ"), LIMIT).map(|bytes| variables(&bytes))
}

/// The folder a process is in now.
///
/// # Errors
///
/// There is no such process, or it may not be looked at.
pub fn folder(pid: u32) -> io::Result<PathBuf> {
    fs::read_link(entry(pid, "cwd"))
}

/// The session of a process, by the pid of its leader.
pub fn session(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(entry(pid, "stat")).ok()?;
    // proc(5): (3) state (4) ppid (5) pgrp (6) session.
    stat.get(stat.rfind(')')? + 1..)?.split_whitespace().nth(3)?.parse().ok()
}

/// NUL-ended words, as in `cmdline`.
pub fn words(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    match text.strip_suffix('\0').unwrap_or(&text) {
        "" => Vec::new(),
        text => text.split('\0').map(str::to_owned).collect(),
    }
}

/// NUL-ended `NAME=value`, as in `environ`; the first of a name counts, as the C library and Python take it.
pub fn variables(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for word in words(bytes) {
        if let Some((name, value)) = word.split_once('=') {
            variables.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
    }
    variables
}

fn entry(pid: u32, name: &str) -> PathBuf {
    Path::new("/proc").join(pid.to_string()).join(name)
}

/// Every process that can be seen, by pid.
pub fn pids() -> Vec<u32> {
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids: Vec<u32> = folders.filter_map(|folder| folder.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    pids
}

/// The parent and the start, in ticks after boot. The name in parentheses may hold anything, even parentheses.
fn read_stat(stat: &str) -> Option<(u32, u64)> {
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
    // proc(5): (3) state (4) ppid … (22) starttime.
    let parent = fields.nth(1)?.parse().ok()?;
    Some((parent, fields.nth(17)?.parse().ok()?))
}

fn start(ticks: u64, uptime: &str, now: Timestamp) -> Option<Timestamp> {
    let uptime: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    let since_boot = Duration::from_millis(ticks.checked_mul(1000 / TICKS)?);
    let age = Duration::try_from_secs_f64(uptime).ok()?.saturating_sub(since_boot).saturating_sub(LATE);
    now.checked_sub(SignedDuration::try_from(age).ok()?).ok()
}

/// The effective user: the second of four.
fn owner(status: &str) -> Option<u32> {
    status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().nth(1)?.parse().ok()
}

/// How many pids it has: one in each namespace from ours down to its own.
fn namespaces(status: &str) -> usize {
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    line.map_or(1, |pids| pids.split_whitespace().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_blanks_and_empty_words() {
        assert_eq!(words(b"gunicorn\0-n\0my app\0\0"), ["gunicorn", "-n", "my app", ""]);
        assert_eq!(words(b""), Vec::<String>::new());
        assert_eq!(
            variables(b"A=1\0B=x=y\0odd\0A=2\0").into_iter().collect::<Vec<_>>(),
            [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "x=y".to_owned()),]
        );
    }

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 999";
        assert_eq!(read_stat(stat), Some((7, 12345)));
        assert_eq!(read_stat("42 (a"), None);
        assert_eq!(read_stat("42 (a) S"), None);
    }

    #[test]
    fn a_start_is_counted_back_from_now_and_is_never_early() {
        let now: Timestamp = "2026-11-23T18:00:00Z".parse().unwrap();
        let started = start(1_000, "70.00 9.9", now).unwrap();
        assert_eq!(started, "2026-11-23T17:59:00.04Z".parse().unwrap());
        assert_eq!(start(1_000, "1.0", now), Some(now), "a start after now is now");
        assert_eq!(start(u64::MAX, "1.0", now), None);
        assert_eq!(start(1, "NaN", now), None);
    }

    #[test]
    fn a_process_in_a_container_has_more_than_one_pid() {
        assert_eq!(namespaces("Name:\tx\nNSpid:\t4242\t1\n"), 2);
        assert_eq!(namespaces("Name:\tx\nNSpid:\t4242\n"), 1);
        assert_eq!(namespaces(""), 1);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "compares with this machine's clock")]
    fn this_process_is_seen_as_it_is() {
        let now = Timestamp::now();
        let seen = process(std::process::id(), now).unwrap();
        assert!(!seen.contained);
        assert_eq!(seen.owner, rustix::process::geteuid().as_raw());
        let age = now.duration_since(seen.started.unwrap());
        assert!(age.as_secs() < 3600 && age >= SignedDuration::ZERO, "{age}");
        assert!(find(|arguments| arguments == seen.arguments, now).iter().any(|other| other.pid == seen.pid));
    }
}
