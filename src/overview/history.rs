//! What was done lately: which runs are listed, and which of them say the same.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::{
    report::Status,
    rules::history::Run,
    system::state::{History, Runs},
};

/// Which runs are asked for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Filter {
    /// Those that began at this time or later.
    pub since: Option<Timestamp>,
    /// Those of this project, and those that began before a configuration could be read.
    pub project: Option<String>,
    /// Those of this job or command.
    pub job: Option<String>,
    /// Only those that were not good.
    pub failed: bool,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// The runs, the newest first.
    pub runs: Vec<Run>,
    /// Whether nothing has ever been written down.
    pub empty: bool,
    /// How many lines were no records.
    pub foreign: usize,
}

/// One line of a list: a run, or several of the same command that say the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<'a> {
    /// The newest of them.
    pub run: &'a Run,
    /// When the first of them began.
    pub first: Timestamp,
    /// How many they are.
    pub count: usize,
}

/// How many days are drawn, and looked back for the last run of a job.
pub const SPAN: u16 = 90;

/// A run is written down when it ends, so one that began earlier may stand later: by no more than a run takes.
const LONGEST: SignedDuration = SignedDuration::from_hours(48);

impl Filter {
    /// Those of one project in the last [`SPAN`] days.
    pub fn of_project(project: &str, now: Timestamp) -> Self {
        let length = Duration::from_hours(24 * u64::from(SPAN));
        Self { project: Some(project.to_owned()), ..Self::last(length, now) }
    }

    /// Those that began so long before now, or later.
    pub fn last(length: Duration, now: Timestamp) -> Self {
        let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
        Self { since: Some(now.checked_sub(length).unwrap_or(Timestamp::MIN)), ..Self::default() }
    }

    fn takes(&self, run: &Run) -> bool {
        self.since.is_none_or(|since| run.started >= since)
            && (self.project.is_none() || run.project.is_none() || self.project == run.project)
            && self.job.as_ref().is_none_or(|job| [&run.job, &run.command].contains(&job))
            && (!self.failed || !run.is_good())
    }
}

/// The runs that are asked for; reads no further back than they go.
///
/// # Errors
///
/// The history cannot be read.
pub fn look(history: &History, filter: &Filter) -> crate::error::Result<Listing> {
    Ok(take(history.runs()?, filter))
}

fn take(mut all: Runs, filter: &Filter) -> Listing {
    let mut listing = Listing { empty: true, ..Listing::default() };
    let earliest = filter.since.map(|since| since.checked_sub(LONGEST).unwrap_or(Timestamp::MIN));
    for run in all.by_ref() {
        listing.empty = false;
        if earliest.is_some_and(|earliest| run.started < earliest) {
            break;
        }
        if filter.takes(&run) {
            listing.runs.push(run);
        }
    }
    listing.foreign = all.foreign();
    listing
}

/// One row for all runs of a command that follow each other, change nothing and come to the same end.
pub fn rows(runs: &[Run]) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    // By command and project: the row that an older run of the kind may join.
    let mut open: BTreeMap<(&str, Option<&str>, bool), usize> = BTreeMap::new();
    for run in runs {
        let kind = (run.command.as_str(), run.project.as_deref(), run.otherwise);
        match open.get(&kind) {
            Some(at) if is_quiet(run) && says_the_same(rows[*at].run, run) => {
                rows[*at].count += 1;
                rows[*at].first = run.started;
            }
            _ => {
                rows.push(Row { run, first: run.started, count: 1 });
                match is_quiet(run) {
                    true => drop(open.insert(kind, rows.len() - 1)),
                    false => drop(open.remove(&kind)),
                }
            }
        }
    }
    rows
}

/// Whether there is nothing about it that was not so before.
fn is_quiet(run: &Run) -> bool {
    !run.has_news() && run.done().next().is_none() && run.error.is_none()
}

fn says_the_same(one: &Run, other: &Run) -> bool {
    let wrong = |run: &Run| -> Vec<(String, String, Status)> {
        run.known().into_iter().map(|known| (known.id, known.subject, known.status)).collect()
    };
    (one.exit, one.status, one.locked) == (other.exit, other.status, other.locked) && wrong(one) == wrong(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::{Finding, Outcome, Report, State},
        rules::{history::Facts, redact::Redact},
    };

    /// Runs of two commands, the newest last: `c` a check that is right, `C` one that is wrong, `b` a backup that changes
    /// something.
    fn runs(letters: &str) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for (minute, letter) in (0..).zip(letters.chars()) {
            let started = Timestamp::from_second(1_795_000_000 + minute * 60).unwrap();
            let command = if letter == 'b' { "backup create" } else { "check" };
            let mut report = Report::new(command, "h", started);
            report.findings.push(match letter {
                'C' => Finding::fail("tls.validity", "prime", "x"),
                _ => Finding::pass("tls.validity", "prime", "x"),
            });
            if letter == 'b' {
                report.outcomes.push(Outcome {
                    action: "write".into(),
                    target: "usb".into(),
                    state: State::Done,
                    detail: String::new(),
                    fix: None,
                });
            }
            let facts = Facts {
                started,
                seconds: 1.0,
                host: "h".into(),
                user: "root".into(),
                sudo: None,
                project: None,
                job: command.split(' ').next().unwrap_or_default().into(),
                command: command.into(),
                names: Vec::new(),
                partial: false,
                otherwise: false,
                exit: report.exit(),
            };
            let mut run = Run::of_report(facts, &report, &Redact::default());
            run.compare(runs.iter().rev().find(|known| known.is_alike(&run)));
            runs.push(run);
        }
        runs.reverse();
        runs
    }

    #[test]
    fn runs_that_say_the_same_are_one_row_and_news_stands_alone() {
        for (letters, counts) in [
            ("", &[][..]),
            ("c", &[1]),
            ("ccc", &[3]),
            // The first failure is news, those after it are its echo.
            ("ccCCC", &[2, 1, 2]),
            ("cbcbc", &[3, 1, 1]),
            ("CCc", &[1, 1, 1]),
        ] {
            let runs = runs(letters);
            let found: Vec<usize> = rows(&runs).iter().map(|row| row.count).collect();
            assert_eq!(found, counts, "{letters}");
        }
    }

    #[test]
    fn only_what_is_asked_for_is_listed() {
        let runs = runs("cbCC");
        let count = |filter: Filter| runs.iter().filter(|run| filter.takes(run)).count();
        assert_eq!(count(Filter::default()), 4);
        assert_eq!(count(Filter { failed: true, ..Filter::default() }), 2);
        assert_eq!(count(Filter { job: Some("backup".into()), ..Filter::default() }), 1);
        assert_eq!(count(Filter { job: Some("backup create".into()), ..Filter::default() }), 1);
        assert_eq!(count(Filter { since: Some(runs[1].started), ..Filter::default() }), 2);
        let far = Filter::last(Duration::MAX, runs[0].started);
        assert_eq!(count(far), 4);
    }
}
