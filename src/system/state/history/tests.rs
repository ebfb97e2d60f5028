//! Records under bad conditions: torn lines, many writers, files that are moved, folders of others.

use std::{
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::{
    report::{Finding, Report},
    rules::{history::Facts, redact::Redact},
};

fn run(command: &str, minute: u32, wrong: bool) -> Run {
    let started = Timestamp::from_second(1_795_000_000 + i64::from(minute) * 60).unwrap();
    let mut report = Report::new(command, "web-1", started);
    report.findings.push(match wrong {
        true => Finding::fail("tls.validity", "prime", "expired").fix("renew it"),
        false => Finding::pass("tls.validity", "prime", "fine"),
    });
    let facts = Facts {
        started,
        seconds: 1.0,
        host: "web-1".into(),
        user: "root".into(),
        sudo: None,
        project: Some("prime".into()),
        job: "check".into(),
        command: command.into(),
        names: Vec::new(),
        partial: false,
        otherwise: false,
        exit: u8::from(wrong),
    };
    Run::of_report(facts, &report, &Redact::default())
}

fn history(folder: &Path) -> History {
    State::at(folder.join("state")).history()
}

async fn append(history: &History, command: &str, minute: u32, wrong: bool) -> Run {
    let mut run = run(command, minute, wrong);
    history.append(&mut run, Flush::Always).await.unwrap();
    run
}

fn tear(path: &Path, torn: &[u8]) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(torn).unwrap();
}

#[tokio::test]
async fn records_are_read_the_newest_first_and_compared_with_their_like() {
    let place = tempfile::tempdir().unwrap();
    let history = history(place.path());
    assert_eq!(history.runs().unwrap().count(), 0, "and no folder is made");
    assert!(!place.path().join("state").exists());
    assert!(append(&history, "check", 0, true).await.findings[0].new);
    assert!(append(&history, "backup create", 1, true).await.findings[0].new, "another command");
    assert!(!append(&history, "check", 2, true).await.has_news());
    assert_eq!(append(&history, "check", 3, false).await.recovered.len(), 1);
    let commands: Vec<String> = history.runs().unwrap().map(|run| run.command).collect();
    assert_eq!(commands, ["check", "check", "backup create", "check"]);
    assert_eq!(fs::metadata(history.path()).unwrap().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn what_was_torn_costs_one_line_and_is_counted() {
    let place = tempfile::tempdir().unwrap();
    let history = history(place.path());
    append(&history, "check", 0, true).await;
    for (minute, torn) in [(1, &b"{\"schema\":1,\"sta"[..]), (2, b"\0\0\0\0"), (3, b"\n\n"), (4, &[0xff, 0xfe, b'\n'])]
    {
        tear(&history.path(), torn);
        assert!(!append(&history, "check", minute, true).await.has_news(), "the run before is found");
    }
    let mut runs = history.runs().unwrap();
    assert_eq!(runs.by_ref().count(), 5);
    assert_eq!(runs.foreign(), 3);
}

#[tokio::test]
async fn a_file_that_is_full_gets_a_number_and_the_oldest_goes() {
    let place = tempfile::tempdir().unwrap();
    let history = History { largest: 1000, kept: 3, ..history(place.path()) };
    for minute in 0..40 {
        append(&history, "check", minute, true).await;
    }
    let minutes: Vec<i64> = history.runs().unwrap().map(|run| (run.started.as_second() - 1_795_000_000) / 60).collect();
    let expected: Vec<i64> = (0..40).rev().take(minutes.len()).collect();
    assert_eq!(minutes, expected, "without a gap");
    assert!((6..16).contains(&minutes.len()), "{minutes:?}");
    assert_eq!(history.older().len(), 3);
    assert!(history.older()[0].0 > 3, "numbers go on");
    assert!(!append(&history, "check", 41, true).await.has_news(), "known over the files");
}

#[tokio::test]
async fn a_reader_meets_no_run_twice_while_the_file_is_moved_away() {
    let place = tempfile::tempdir().unwrap();
    let history = history(place.path());
    append(&history, "check", 0, false).await;
    append(&history, "check", 1, false).await;
    fs::hard_link(history.path(), place.path().join("state/history.000001.jsonl")).unwrap();
    assert_eq!(history.runs().unwrap().count(), 2, "as if it had been moved between two looks");
}

#[test]
fn many_writers_leave_whole_lines() {
    static MINUTE: AtomicU32 = AtomicU32::new(0);
    let place = tempfile::tempdir().unwrap();
    let history = History { largest: 20_000, kept: 100, ..history(place.path()) };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                for _ in 0..40 {
                    let minute = MINUTE.fetch_add(1, Ordering::Relaxed);
                    runtime.block_on(append(&history, "check", minute, true));
                }
            });
        }
    });
    let mut runs = history.runs().unwrap();
    let mut minutes: Vec<i64> = runs.by_ref().map(|run| run.started.as_second()).collect();
    minutes.sort_unstable();
    minutes.dedup();
    assert_eq!((minutes.len(), runs.foreign()), (160, 0));
    let news = history.runs().unwrap().filter(Run::has_news).count();
    assert_eq!(news, 1, "one of them was the first to see it");
}

#[tokio::test]
async fn without_the_lock_a_record_is_written_all_the_same() {
    let place = tempfile::tempdir().unwrap();
    let history = history(place.path());
    append(&history, "check", 0, true).await;
    let held = File::open(place.path().join("state/history.lock")).unwrap();
    held.lock().unwrap();
    let mut second = run("check", 1, true);
    history.append(&mut second, Flush::News).await.unwrap();
    assert_eq!(history.runs().unwrap().count(), 2);
}

#[tokio::test]
async fn a_file_in_the_way_is_told_with_what_to_do() {
    let place = tempfile::tempdir().unwrap();
    let history = history(place.path());
    append(&history, "check", 0, true).await;
    fs::remove_file(history.path()).unwrap();
    fs::create_dir(history.path()).unwrap();
    let unwritten = history.append(&mut run("check", 1, true), Flush::News).await.unwrap_err();
    let Unwritten::Failed(error) = unwritten else { panic!("{unwritten:?}") };
    assert!(error.to_string().starts_with("could not write this run into the history"), "{error}");
    assert!(!error.hints.is_empty());
}

#[tokio::test]
async fn the_folder_of_another_user_is_none_of_ours() {
    if rustix::process::geteuid().is_root() {
        // Root may write everywhere; the tests of the program meet this as an ordinary user.
        assert!(may_write(Path::new("/proc")));
        return;
    }
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o500)).unwrap();
    let unwritten = history(place.path()).append(&mut run("check", 0, true), Flush::News).await.unwrap_err();
    assert!(matches!(unwritten, Unwritten::NotOurs), "{unwritten:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever a crash leaves at the end of the file, the records before and after it are read.
    #[test]
    fn whatever_is_torn_the_other_records_are_read(torn in prop::collection::vec(any::<u8>(), 0..80)) {
        let place = tempfile::tempdir().unwrap();
        let history = history(place.path());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(append(&history, "check", 0, true));
        tear(&history.path(), &torn);
        runtime.block_on(append(&history, "check", 1, true));
        prop_assert_eq!(history.runs().unwrap().count(), 2);
    }
}
