//! What earlier runs tell: 90 days of each job, and what failed.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde::Serialize;

use crate::{
    overview::history::SPAN,
    report::{State, Status},
    rules::history::Run,
};

/// How many failures are told.
const FAILURES: usize = 12;

/// The runs of the last days.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Past {
    /// Why the history cannot be read.
    pub error: Option<String>,
    /// A row for each job that ran, in the order of the jobs.
    pub lanes: Vec<Lane>,
    /// The latest failures, the newest first; what failed several times in a row is one.
    pub failures: Vec<Failure>,
}

/// The days of a job.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Lane {
    /// The first word of the command: `check`, `backup`, `renew-cert`, `schedule`.
    pub job: String,
    /// The days, the oldest first, in UTC.
    pub days: Vec<Day>,
}

/// A day of a job.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Day {
    /// The date in UTC.
    pub date: Date,
    /// How many runs began on it.
    pub runs: usize,
    /// The worst of them; `null` where there was none.
    pub status: Option<Status>,
}

/// Runs of one command that failed, one after the other.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Failure {
    /// When the first of them began.
    pub at: Timestamp,
    /// The command.
    pub command: String,
    /// The worst of them.
    pub status: Status,
    /// What was wrong, in the newest of them.
    pub summary: String,
    /// How many runs.
    pub runs: usize,
    /// When the next run began that was fine.
    pub recovered: Option<Timestamp>,
}

/// The jobs in the order in which they are drawn.
const JOBS: &[&str] = &["check", "backup", "renew-cert", "schedule"];

impl Past {
    /// What these runs tell, in any order.
    pub(super) fn of(runs: Result<Vec<Run>, String>, at: Timestamp) -> Self {
        let mut runs = match runs {
            Ok(runs) => runs,
            Err(error) => return Self { error: Some(error), ..Self::default() },
        };
        runs.sort_by_key(|run| run.started);
        let today = date(at);
        let jobs = JOBS.iter().filter(|job| runs.iter().any(|run| run.job == **job));
        let lanes: Vec<Lane> = jobs.map(|job| Lane::of(job, &runs, today)).collect();
        let has_run = |lane: &Lane| lane.days.iter().any(|day| day.runs > 0);
        Self { error: None, lanes: lanes.into_iter().filter(has_run).collect(), failures: failures(&runs) }
    }
}

impl Lane {
    fn of(job: &str, runs: &[Run], today: Date) -> Self {
        // Every five minutes is a run: each is looked at once, not once a day that is drawn.
        let mut by_date: BTreeMap<Date, (usize, Option<Status>)> = BTreeMap::new();
        for run in runs.iter().filter(|run| run.job == job) {
            let (count, worst) = by_date.entry(date(run.started)).or_default();
            *count += 1;
            *worst = (*worst).max(Some(run.status));
        }
        let day = |ago: u16| {
            let date = today.saturating_sub(i64::from(ago).days());
            let (runs, status) = by_date.get(&date).copied().unwrap_or_default();
            Day { date, runs, status }
        };
        Self { job: job.to_owned(), days: (0..SPAN).rev().map(day).collect() }
    }
}

/// What failed, the newest first. Runs of one command over the same things are one row of runs; what another run did not
/// look at has not recovered.
fn failures(runs: &[Run]) -> Vec<Failure> {
    let mut failures: Vec<Failure> = Vec::new();
    let mut open: Vec<(&Run, usize)> = Vec::new();
    for run in runs {
        let place = open.iter().position(|(first, _)| covers(run, first));
        match (run.is_good(), place) {
            (true, Some(place)) => {
                let (_, at) = open.remove(place);
                failures[at].recovered = Some(run.started);
            }
            (true, None) => {}
            (false, Some(place)) => {
                let failure = &mut failures[open[place].1];
                failure.runs += 1;
                failure.status = failure.status.max(run.status);
                failure.summary = summary(run);
            }
            (false, None) => {
                open.push((run, failures.len()));
                failures.push(Failure {
                    at: run.started,
                    command: std::iter::once(run.command.as_str())
                        .chain(run.names.iter().map(String::as_str))
                        .collect::<Vec<_>>()
                        .join(" "),
                    status: run.status,
                    summary: summary(run),
                    runs: 1,
                    recovered: None,
                });
            }
        }
    }
    failures.reverse();
    failures.truncate(FAILURES);
    failures
}

/// Whether a run looked at all that an earlier one did.
fn covers(run: &Run, earlier: &Run) -> bool {
    let all = run.names.is_empty() && !run.partial;
    run.is_alike(earlier) && (all || (run.names == earlier.names && run.partial == earlier.partial))
}

/// What was wrong, in one line: the error, what could not be done, or the worst finding.
fn summary(run: &Run) -> String {
    let change = || {
        let failed = run.changes.iter().find(|change| change.state == State::Failed)?;
        Some(format!("{} {}: {}", failed.action, failed.target, failed.detail))
    };
    let finding = || {
        // The first of the worst: that is how the report tells them.
        let worst = run.findings.iter().rev().max_by_key(|trouble| trouble.status)?;
        Some(format!("{}: {} ({})", worst.subject, worst.summary, worst.id))
    };
    let error = run.error.as_ref().map(ToString::to_string);
    error.or_else(change).or_else(finding).unwrap_or_else(|| run.status.word().to_owned())
}

fn date(at: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(at).date()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::history::{self, Trouble};

    fn run(started: &str, command: &str, names: &[&str], wrong: Option<&str>) -> Run {
        let line = serde_json::json!({
            "schema": history::SCHEMA, "started": started, "seconds": 1.0, "host": "web-1", "job": command.split(' ').next(),
            "command": command, "names": names, "status": if wrong.is_some() { "fail" } else { "pass" }, "exit": 0,
        });
        let mut run: Run = serde_json::from_value(line).unwrap();
        run.findings = wrong
            .map(|summary| Trouble {
                id: "tls.chain".into(),
                subject: "prime".into(),
                status: Status::Fail,
                summary: summary.into(),
                cause: None,
                fix: None,
                reason: None,
                since: None,
                new: false,
            })
            .into_iter()
            .collect();
        run
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_job_has_a_row_of_ninety_days_with_the_worst_of_each() {
        let runs = vec![
            run("2026-11-25T23:59:59Z", "check", &[], None),
            run("2026-11-25T00:00:00Z", "check", &[], Some("x")),
            run("2026-08-28T12:00:00Z", "backup create", &[], None),
            run("2026-08-27T12:00:00Z", "renew-cert", &[], None),
        ];
        let past = Past::of(Ok(runs), at("2026-11-25T12:00:00Z"));
        let told: Vec<_> = past.lanes.iter().map(|lane| (lane.job.as_str(), lane.days.len())).collect();
        assert_eq!(told, [("check", 90), ("backup", 90)], "what ran before is not drawn");
        let last = past.lanes[0].days.last().unwrap();
        assert_eq!((last.runs, last.status), (2, Some(Status::Fail)));
        assert_eq!(past.lanes[1].days[0].status, Some(Status::Pass));
        assert_eq!(past.lanes[0].days[88].status, None);
    }

    #[test]
    fn failures_in_a_row_are_one_and_only_what_was_looked_at_recovers() {
        let runs = vec![
            run("2026-11-20T01:00:00Z", "check", &[], Some("first")),
            run("2026-11-20T02:00:00Z", "check", &[], Some("second")),
            run("2026-11-20T03:00:00Z", "check", &["shop"], None),
            run("2026-11-20T04:00:00Z", "backup create", &["app"], Some("third")),
            run("2026-11-20T05:00:00Z", "check", &[], None),
            run("2026-11-20T06:00:00Z", "check", &[], Some("fourth")),
        ];
        let told: Vec<_> = failures(&runs)
            .into_iter()
            .map(|failure| {
                let recovered = failure.recovered.map(|at| at.to_string());
                (failure.command, failure.runs, failure.summary, recovered)
            })
            .collect();
        assert_eq!(
            told,
            [
                ("check".to_owned(), 1, "prime: fourth (tls.chain)".to_owned(), None),
                ("backup create app".to_owned(), 1, "prime: third (tls.chain)".to_owned(), None),
                (
                    "check".to_owned(),
                    2,
                    "prime: second (tls.chain)".to_owned(),
                    Some("2026-11-20T05:00:00Z".to_owned())
                ),
            ]
        );
    }

    #[test]
    fn without_a_history_there_is_nothing_to_draw_and_one_that_cannot_be_read_says_why() {
        assert_eq!(Past::of(Ok(Vec::new()), at("2026-11-25T12:00:00Z")).lanes, []);
        assert_eq!(Past::of(Err("torn".into()), at("2026-11-25T12:00:00Z")).error.as_deref(), Some("torn"));
    }
}
