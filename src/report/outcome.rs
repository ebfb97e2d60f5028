//! What came of it: outcomes of steps, and the report of a whole run.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Finding, Plan, Status};

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
            locked: false,
            strict: false,
        }
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
        let mut counts = Counts::default();
        for finding in &self.findings {
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

    /// The exit code of a run that ended with this report: the only mapping from results to a code.
    ///
    /// 0 nothing failed, 1 something did (with `strict` also a warning), 3 something could not be determined, 4 something
    /// was left undone because another run holds its lock.
    pub fn exit(&self) -> u8 {
        match self.status() {
            Status::Fail => 1,
            _ if self.locked => 4,
            Status::Pass | Status::Skip | Status::Warn => 0,
            Status::Unknown => 3,
        }
    }

    /// The same for the plugin convention of Nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
    pub fn nagios_exit(&self) -> u8 {
        match self.status() {
            Status::Fail => 2,
            _ if self.locked => 3,
            Status::Pass | Status::Skip => 0,
            Status::Warn => 1,
            Status::Unknown => 3,
        }
    }
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
}
