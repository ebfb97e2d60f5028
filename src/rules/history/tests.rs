//! What is new, what has recovered, and what nobody looked at: told over several runs.

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    error::{Error, Kind},
    report::{Finding, Outcome, Report, State, Status},
    rules::redact::Redact,
};

fn facts(minute: i64) -> Facts {
    Facts {
        started: Timestamp::from_second(1_795_000_000 + minute * 60).unwrap(),
        seconds: 0.123_456,
        host: "web-1".into(),
        user: "root".into(),
        sudo: None,
        project: Some("prime".into()),
        job: "check".into(),
        command: "check".into(),
        names: Vec::new(),
        partial: false,
        otherwise: false,
        exit: 0,
    }
}

fn of(facts: Facts, findings: &[(&'static str, &str, Status)]) -> Run {
    let mut report = Report::new("check", "web-1", facts.started);
    for (id, subject, status) in findings {
        report.findings.push(Finding::new(id, *subject, *status, "a summary"));
    }
    Run::of_report(facts, &report, &Redact::default())
}

fn after(before: &Run, mut run: Run) -> Run {
    run.compare(Some(before));
    run
}

fn new(run: &Run) -> Vec<&str> {
    run.findings.iter().filter(|trouble| trouble.new).map(|trouble| trouble.id.as_str()).collect()
}

fn recovered(run: &Run) -> Vec<(&str, &str, Gone)> {
    run.recovered.iter().map(|one| (one.id.as_str(), one.subject.as_str(), one.how)).collect()
}

use Status::{Fail, Pass, Skip, Unknown, Warn};

const A: &str = "tls.validity";
const B: &str = "http.status";

#[test]
fn a_failure_is_new_once_and_keeps_its_begin_until_it_is_seen_right() {
    let mut first = of(facts(0), &[(A, "prime", Pass), (B, "prime", Fail)]);
    first.compare(None);
    assert_eq!(new(&first), [B], "nothing is known before the first run");
    let second = after(&first, of(facts(5), &[(A, "prime", Fail), (B, "prime", Unknown)]));
    assert_eq!(new(&second), [A], "what could not be looked at is as wrong as before");
    assert_eq!(second.findings[1].since, Some(first.started));
    let third = after(&second, of(facts(10), &[(A, "prime", Fail), (B, "prime", Pass)]));
    assert!(new(&third).is_empty() && third.has_news());
    assert_eq!(recovered(&third), [(B, "prime", Gone::Right)]);
    assert_eq!(third.recovered[0].since, first.started);
    let fourth = after(&third, of(facts(15), &[(A, "prime", Fail), (B, "prime", Pass)]));
    assert!(!fourth.has_news());
    assert_eq!(fourth.findings[0].since, Some(second.started));
}

#[test]
fn a_warning_that_becomes_a_failure_is_news_and_one_that_eases_is_a_recovery() {
    let table: &[(Status, Status, bool, Option<Gone>)] = &[
        (Pass, Warn, true, None),
        (Warn, Warn, false, None),
        (Warn, Fail, true, None),
        (Warn, Unknown, true, None),
        (Unknown, Fail, false, None),
        (Fail, Warn, false, Some(Gone::Eased)),
        (Warn, Pass, false, Some(Gone::Right)),
        (Fail, Skip, false, Some(Gone::NotReported)),
        (Pass, Pass, false, None),
    ];
    for (was, is, is_new, how) in table {
        let mut first = of(facts(0), &[(A, "prime", *was)]);
        first.compare(None);
        let second = after(&first, of(facts(5), &[(A, "prime", *is)]));
        assert_eq!(!new(&second).is_empty(), *is_new, "{was:?} to {is:?}");
        assert_eq!(second.recovered.first().map(|one| one.how), *how, "{was:?} to {is:?}");
    }
}

#[test]
fn what_a_run_did_not_look_at_has_not_recovered() {
    let mut first = of(facts(0), &[(A, "prime", Fail), (A, "other", Fail)]);
    first.compare(None);
    let narrow = [
        ("--only", Facts { partial: true, ..facts(5) }, &[(B, "prime", Pass)][..]),
        ("another site", Facts { names: vec!["third".into()], ..facts(5) }, &[(A, "third", Pass)]),
    ];
    for (what, facts_of_it, findings) in narrow {
        let second = after(&first, of(facts_of_it, findings));
        assert!(!second.has_news(), "{what}");
        assert_eq!(second.open.len(), 2, "{what}");
        let third = after(&second, of(facts(10), &[(A, "prime", Pass), (A, "other", Fail)]));
        assert_eq!(recovered(&third), [(A, "prime", Gone::Right)], "{what}");
        assert_eq!(third.findings[0].since, Some(first.started), "{what}");
        assert!(third.open.is_empty() && new(&third).is_empty(), "{what}");
    }
    let mut locked = of(facts(5), &[(A, "prime", Skip)]);
    locked.locked = true;
    let locked = after(&first, locked);
    assert_eq!((locked.open.len(), locked.has_news()), (2, false));
    let named = after(&first, of(Facts { names: vec!["prime".into()], ..facts(5) }, &[(B, "prime", Pass)]));
    assert_eq!(recovered(&named), [(A, "prime", Gone::NotReported)], "it looked at all of this site");
    let gone = after(&first, of(facts(5), &[]));
    assert_eq!(gone.recovered.len(), 2, "taken out of the configuration");
}

#[test]
fn an_error_that_ends_runs_is_new_once_and_recovers_and_ends_nothing_else() {
    let error =
        |minute, kind| Run::of_error(facts(minute), &Error::new(kind, "do it").because("x"), &Redact::default());
    let mut first = of(facts(0), &[(A, "prime", Fail)]);
    first.compare(None);
    let second = after(&first, error(5, Kind::Failed));
    assert!(second.error.as_ref().unwrap().new);
    assert_eq!(second.open.len(), 1);
    let third = after(&second, error(10, Kind::Config));
    assert!(!third.has_news());
    let held = after(&third, error(15, Kind::Locked));
    assert!(!held.has_news(), "another run is at work");
    let stopped = after(&held, error(20, Kind::Interrupted));
    assert!(stopped.has_news(), "each signal is news");
    let last = after(&stopped, of(facts(25), &[(A, "prime", Fail)]));
    assert_eq!(recovered(&last), [("run", "", Gone::Right)]);
    assert_eq!(last.recovered[0].since, second.started);
    assert!(new(&last).is_empty());
    let clean = of(facts(0), &[]);
    assert!(
        !after(&after(&clean, error(5, Kind::Interrupted)), of(facts(10), &[])).has_news(),
        "it was no state of things"
    );
}

#[test]
fn a_change_that_fails_is_news_until_it_is_done() {
    let with = |minute, state| {
        let mut report = Report::new("schedule apply", "web-1", facts(minute).started);
        report.plan = Some(json!({"steps": [{"action": "stop", "target": "i-1", "reason": "outside its hours"}]}));
        let outcome = |action: &str, target: &str, state| Outcome {
            action: action.into(),
            target: target.into(),
            state,
            detail: "d".into(),
            fix: Some("f".into()),
        };
        report.outcomes = vec![outcome("stop", "i-1", state), outcome("start", "i-2", State::Unchanged)];
        Run::of_report(facts(minute), &report, &Redact::default())
    };
    let mut first = with(0, State::Failed);
    first.compare(None);
    assert_eq!(first.changes.len(), 1, "what was left as it was is no change");
    assert_eq!(first.changes[0].reason.as_deref(), Some("outside its hours"));
    assert!(first.changes[0].new && first.changes[0].fix.is_some() && first.status == Fail);
    let second = after(&first, with(5, State::Failed));
    assert!(!second.has_news());
    let third = after(&second, with(10, State::Done));
    assert_eq!(recovered(&third), [("stop", "i-1", Gone::Right)]);
}

#[test]
fn a_record_tells_the_worst_of_each_thing_and_what_is_right_in_few_words() {
    let run = of(
        facts(0),
        &[
            (A, "prime", Warn),
            (A, "prime", Fail),
            (A, "prime", Pass),
            (A, "other", Pass),
            (B, "prime", Pass),
            (B, "other", Pass),
        ],
    );
    assert_eq!(run.findings.len(), 1);
    assert_eq!(run.findings[0].status, Fail);
    let line = String::from_utf8(write(&run)).unwrap();
    assert!(line.contains(r#""fine":[{"ids":["http.status"],"subjects":["other","prime"]},{"ids":["tls.validity"],"subjects":["other"]}]"#), "{line}");
    assert_eq!(run.status_of(A, "other"), Some(Pass));
    assert_eq!(run.status_of(A, "third"), None);
    let many: Vec<String> = (0..100).map(|number| format!("site-{number}")).collect();
    let all: Vec<_> = many.iter().flat_map(|site| [(A, site.as_str(), Pass), (B, site.as_str(), Pass)]).collect();
    assert!(write(&of(facts(0), &all)).len() < 1600, "a hundred sites");
}

#[test]
fn no_record_is_too_long_and_none_holds_a_secret() {
    let mut report = Report::new("check", "web-1", facts(0).started);
    for number in 0..10_000 {
        let finding = Finding::fail(A, format!("site-{number}-{}", "x".repeat(300)), "hunter2 ".repeat(200));
        report.findings.push(finding.cause("hunter2").fix("set hunter2"));
    }
    let redact = Redact::new(["hunter2".to_owned()]);
    let asked = Facts { names: vec!["https://x.example/?token=abc".into()], ..facts(0) };
    let line = write(&Run::of_report(asked, &report, &redact));
    assert!(line.len() <= LONGEST);
    let run = read(&line[..line.len() - 1]).unwrap();
    assert!(run.findings.len() > 500 && run.partial);
    assert_eq!(run.names, ["https://x.example/?…"]);
    assert!(!String::from_utf8(line).unwrap().contains("hunter2"));
    let error = Error::new(Kind::Failed, "hunter2").because("hunter2").hint("hunter2");
    assert!(!String::from_utf8(write(&Run::of_error(facts(0), &error, &redact))).unwrap().contains("hunter2"));
}

#[test]
fn a_reader_takes_fields_that_it_does_not_know_and_no_other_schema() {
    let line = r#"{"schema":1,"started":"2026-11-26T02:30:00Z","seconds":1.5,"host":"h","job":"backup","command":"backup create","status":"pass","exit":0,"later":{"x":1}}"#;
    let run = read(line.as_bytes()).unwrap();
    assert_eq!((run.command.as_str(), run.user.as_str(), run.findings.len()), ("backup create", "", 0));
    assert_eq!(read(line.replace("\"schema\":1", "\"schema\":2").as_bytes()), None);
    assert_eq!(read(&line.as_bytes()[..line.len() - 9]), None);
    assert_eq!(read(b"null"), None);
}

fn status() -> impl Strategy<Value = Status> {
    prop::sample::select(vec![Pass, Warn, Fail, Unknown, Skip])
}

proptest! {
    #[test]
    fn a_record_is_read_as_it_was_written(
        findings in prop::collection::vec((prop::sample::select(vec![A, B]), "\\PC{0,12}", status()), 0..12),
        names in prop::collection::vec("\\PC{0,8}", 0..3),
    ) {
        let findings: Vec<_> = findings.iter().map(|(id, subject, status)| (*id, subject.as_str(), *status)).collect();
        let mut run = of(Facts { names, ..facts(0) }, &findings);
        run.compare(None);
        let line = write(&run);
        prop_assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        prop_assert_eq!(read(&line[..line.len() - 1]), Some(run));
    }

    #[test]
    fn nothing_is_a_record_that_is_cut_or_changed_and_nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0usize..400) {
        let _ = read(&bytes);
        let line = write(&of(facts(0), &[(A, "prime", Fail)]));
        let end = cut.min(line.len() - 2);
        prop_assert_eq!(read(&line[..end]), None);
    }

    /// Whatever runs look at, in whatever order: what is known to be wrong is what the last look at each thing saw.
    #[test]
    fn what_is_known_to_be_wrong_is_what_was_last_seen(
        runs in prop::collection::vec(prop::collection::vec((prop::sample::select(vec!["a", "b", "c"]), status()), 0..4), 1..12),
    ) {
        let mut last: Option<Run> = None;
        let mut truth = std::collections::BTreeMap::new();
        for (minute, findings) in runs.iter().enumerate() {
            let mut seen = std::collections::BTreeMap::new();
            for (subject, status) in findings {
                let worst: &mut Status = seen.entry(*subject).or_insert(*status);
                *worst = (*worst).max(*status);
            }
            let all: Vec<_> = findings.iter().map(|(subject, status)| (A, *subject, *status)).collect();
            let mut run = of(Facts { partial: true, ..facts(i64::try_from(minute).unwrap()) }, &all);
            run.compare(last.as_ref());
            for (subject, status) in seen {
                match status {
                    Skip => {}
                    Pass => drop(truth.remove(subject)),
                    status => drop(truth.insert(subject, status)),
                }
            }
            let known: std::collections::BTreeMap<_, _> =
                run.known().into_iter().map(|known| (known.subject, known.status)).collect();
            let expected: std::collections::BTreeMap<_, _> =
                truth.iter().map(|(subject, status)| ((*subject).to_owned(), *status)).collect();
            prop_assert_eq!(known, expected);
            last = Some(run);
        }
    }
}
