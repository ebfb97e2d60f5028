//! What came of it: outcomes of steps, and the report of a whole run.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Finding, Plan, Status};
use crate::error::{Error, Kind, Result};

/// The schema of the JSON report. Raised when a field changes its meaning or goes; new fields do not raise it.
pub const SCHEMA: u32 = 1;

/// What came of one step of a plan.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The action as the plan named it.
    pub action: String,
    /// What it was done to.
    pub target: String,
    /// What came of it.
    pub state: State,
    /// One line: what was done, or why not.
    pub detail: String,
    /// What to do when it failed.
    pub fix: Option<String>,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It was done.
    Done,
    /// It was as it should be already.
    Unchanged,
    /// It was not attempted; the detail says why.
    Skipped,
    /// It was attempted and did not succeed.
    Failed,
}

/// How many findings there are of each status.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Counts {
    /// Right.
    pub pass: usize,
    /// Works, should be looked at.
    pub warn: usize,
    /// Wrong.
    pub fail: usize,
    /// Could not be looked at.
    pub unknown: usize,
    /// Does not apply.
    pub skip: usize,
}

impl Counts {
    /// How many of these there are.
    pub fn of<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Self {
        let mut counts = Self::default();
        for finding in findings {
            match finding.status {
                Status::Pass => counts.pass += 1,
                Status::Warn => counts.warn += 1,
                Status::Fail => counts.fail += 1,
                Status::Unknown => counts.unknown += 1,
                Status::Skip => counts.skip += 1,
            }
        }
        counts
    }
}

/// Everything a run has to say; every output format is written from this one value.
#[derive(Clone, Debug)]
pub struct Report {
    /// The command as the operator knows it, for example `check` or `backup create`.
    pub command: String,
    /// The name of this machine.
    pub host: String,
    /// When the run began.
    pub started: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// What was found.
    pub findings: Vec<Finding>,
    /// What was going to be done, as JSON of a [`Plan`](super::Plan).
    pub plan: Option<Value>,
    /// What was done.
    pub outcomes: Vec<Outcome>,
    /// Data of a command that returns some, under the key `result`.
    pub result: Option<Value>,
    /// What a person reads besides: a table, a sheet to print. Programs have the same in `result`.
    pub text: Option<String>,
    /// The number of the signal that ended the run before it was done; [`Report::of`] sets it.
    pub interrupted: Option<u8>,
    /// Whether something was left undone because another run holds its lock.
    pub locked: bool,
    /// Whether a warning counts as a failure (`--strict`).
    pub strict: bool,
}

impl Report {
    /// An empty report of a run that begins now.
    pub fn new(command: impl Into<String>, host: impl Into<String>, started: Timestamp) -> Self {
        Self {
            command: command.into(),
            host: host.into(),
            started,
            took: Duration::ZERO,
            findings: Vec::new(),
            plan: None,
            outcomes: Vec::new(),
            result: None,
            text: None,
            interrupted: None,
            locked: false,
            strict: false,
        }
    }

    /// This report of work that ended so, where something is in it also of work that `signal` has cut short: what was done
    /// until then is written, and the exit code is the signal's.
    ///
    /// # Errors
    ///
    /// What ended the work, where there is nothing to tell besides, or where it was no signal.
    pub fn of(mut self, work: Result<()>, signal: Option<u8>) -> Result<Self> {
        let error = match work {
            Ok(()) => return Ok(self),
            Err(error) if error.kind != Kind::Interrupted => return Err(error),
            Err(error) if self.findings.is_empty() && self.outcomes.is_empty() => return Err(error),
            Err(error) => error,
        };
        // As of one that nobody counted: SIGINT.
        self.interrupted = Some(signal.unwrap_or(2));
        self.findings.push(cut_short(error));
        Ok(self)
    }

    /// Adds the steps and notes of a plan to those that are there already: a command may work on several things.
    pub fn add_plan<A: Serialize>(&mut self, plan: &Plan<A>) {
        // Plain data always serialises.
        let Ok(mut fresh) = serde_json::to_value(plan) else { return };
        let Some(known) = &mut self.plan else {
            self.plan = Some(fresh);
            return;
        };
        known["title"] = format!("{}; {}", known["title"].as_str().unwrap_or_default(), plan.title).into();
        for key in ["steps", "notes"] {
            if let (Some(known), Some(fresh)) = (known[key].as_array_mut(), fresh[key].as_array_mut()) {
                known.append(fresh);
            }
        }
    }

    /// The worst of all findings and outcomes; `pass` when there is nothing. With `strict` a warning is a failure.
    pub fn status(&self) -> Status {
        let findings = self.findings.iter().filter_map(|finding| match finding.status {
            Status::Skip => None,
            Status::Warn if self.strict => Some(Status::Fail),
            status => Some(status),
        });
        let outcomes = self.outcomes.iter().map(|outcome| match outcome.state {
            State::Failed => Status::Fail,
            State::Done | State::Unchanged | State::Skipped => Status::Pass,
        });
        findings.chain(outcomes).max().unwrap_or(Status::Pass)
    }

    /// How many findings there are of each status.
    pub fn counts(&self) -> Counts {
        Counts::of(&self.findings)
    }

    /// The exit code of a run that ended with this report: the only mapping from results to a code.
    ///
    /// 0 nothing failed, 1 something did (with `strict` also a warning), 3 something could not be determined, 4 something
    /// was left undone because another run holds its lock, 128 + N the signal N ended it.
    pub fn exit(&self) -> u8 {
        if let Some(signal) = self.interrupted {
            return 128 + signal;
        }
        match self.status() {
            Status::Fail => 1,
            _ if self.locked => 4,
            Status::Pass | Status::Skip | Status::Warn => 0,
            Status::Unknown => 3,
        }
    }

    /// The same for the plugin convention of Nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
    pub fn nagios_exit(&self) -> u8 {
        if let Some(signal) = self.interrupted {
            return 128 + signal;
        }
        match self.status() {
            Status::Fail => 2,
            _ if self.locked => 3,
            Status::Pass | Status::Skip => 0,
            Status::Warn => 1,
            Status::Unknown => 3,
        }
    }
}

/// What a run that a signal has ended tells of itself.
fn cut_short(error: Error) -> Finding {
    let finding = Finding::unknown("run.interrupted", "", "a signal ended the run: what is not told here was not done");
    // What the summary does not say already.
    let why: Vec<String> = error.why.into_iter().filter(|why| !why.starts_with("a signal ")).collect();
    let finding = if why.is_empty() { finding } else { finding.cause(why.join(": ")) };
    let hint = error.hints.into_iter().next().unwrap_or_else(|| "run it again".to_owned());
    finding.fix(hint).data("reason", "signal")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(statuses: &[Status]) -> Report {
        let mut report = Report::new("check", "host", Timestamp::UNIX_EPOCH);
        for status in statuses {
            report.findings.push(Finding::new("tls.chain", "site", *status, "x"));
        }
        report
    }

    #[test]
    fn the_worst_status_decides_and_skip_never_counts() {
        use Status::{Fail, Pass, Skip, Unknown, Warn};
        let table: &[(&[Status], Status, u8, u8, u8)] = &[
            (&[], Pass, 0, 0, 0),
            (&[Skip], Pass, 0, 0, 0),
            (&[Pass, Skip], Pass, 0, 0, 0),
            (&[Pass, Warn], Warn, 0, 1, 1),
            (&[Warn, Unknown], Unknown, 3, 1, 3),
            (&[Pass, Unknown], Unknown, 3, 3, 3),
            (&[Unknown, Fail, Pass], Fail, 1, 1, 2),
        ];
        for (statuses, worst, exit, strict_exit, nagios) in table {
            let mut report = report(statuses);
            assert_eq!(report.status(), *worst, "{statuses:?}");
            assert_eq!(report.exit(), *exit, "{statuses:?}");
            assert_eq!(report.nagios_exit(), *nagios, "{statuses:?}");
            report.strict = true;
            assert_eq!(report.exit(), *strict_exit, "{statuses:?} strict");
        }
    }

    #[test]
    fn the_plans_of_several_things_are_one() {
        let mut report = report(&[]);
        for (title, note) in [("back up `app`", "one"), ("back up `db`", "two")] {
            let mut plan = Plan::<&str>::new(title);
            plan.notes.push(note.into());
            report.add_plan(&plan);
        }
        let plan = report.plan.unwrap();
        assert_eq!(
            (&plan["title"], &plan["notes"]),
            (&"back up `app`; back up `db`".into(), &serde_json::json!(["one", "two"]))
        );
    }

    #[test]
    fn a_lock_that_another_run_holds_counts_after_a_failure_and_before_all_else() {
        for (statuses, code, nagios) in
            [(&[][..], 4, 3), (&[Status::Skip], 4, 3), (&[Status::Unknown], 4, 3), (&[Status::Fail], 1, 2)]
        {
            let mut report = report(statuses);
            report.locked = true;
            assert_eq!((report.exit(), report.nagios_exit()), (code, nagios), "{statuses:?}");
        }
    }

    #[test]
    fn a_failed_outcome_fails_the_run() {
        let mut report = report(&[Status::Pass]);
        report.outcomes.push(Outcome {
            action: "start".into(),
            target: "web".into(),
            state: State::Failed,
            detail: "docker exited with status 1".into(),
            fix: None,
        });
        assert_eq!((report.status(), report.exit()), (Status::Fail, 1));
    }

    #[test]
    fn a_signal_ends_a_run_with_its_code_and_with_what_was_done() {
        let interrupted =
            || Err(Error::new(Kind::Interrupted, "finish").because("a signal ended the run").hint("go on"));
        let nothing = report(&[]).of(interrupted(), Some(15));
        assert_eq!(nothing.unwrap_err().kind, Kind::Interrupted, "an error tells as much");
        let cut = report(&[Status::Pass]).of(interrupted(), Some(15)).unwrap();
        assert_eq!((cut.exit(), cut.nagios_exit(), cut.status()), (143, 143, Status::Unknown));
        let told = cut.findings.last().unwrap();
        assert_eq!((told.id, told.cause.as_deref(), told.fix.as_deref()), ("run.interrupted", None, Some("go on")));
        let failed = report(&[Status::Pass]).of(Err(Error::new(Kind::Failed, "finish")), Some(15));
        assert_eq!(failed.unwrap_err().kind, Kind::Failed);
        assert_eq!(report(&[Status::Pass]).of(Ok(()), Some(15)).unwrap().exit(), 0, "it was done before");
    }
}
