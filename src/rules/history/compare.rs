//! What is new in a run, and what has recovered.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Run;
use crate::{
    error::Kind,
    report::{State, Status},
};

/// What was wrong when it was last looked at.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Known {
    /// The id of the finding, or the action that failed.
    pub id: String,
    /// What it is about.
    pub subject: String,
    /// How bad it was.
    pub status: Status,
    /// Since when.
    pub since: Timestamp,
}

/// What was wrong before and is not any more.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Recovered {
    /// The id of the finding, or the action that failed; `run` for an error that ended runs.
    pub id: String,
    /// What it is about.
    pub subject: String,
    /// How bad it was.
    pub was: Status,
    /// Since when.
    pub since: Timestamp,
    /// How it ended.
    pub how: Gone,
}

/// How something wrong ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gone {
    /// It is only a warning now.
    Eased,
    /// A run over all of it says nothing of it any more: it was taken out of the configuration, or does not apply.
    NotReported,
    /// It was looked at and is right.
    Right,
}

/// The id of an error that ended a run, among what recovered.
const RUN: &str = "run";

impl Run {
    /// Marks what is new against the run of the same command and project before this one, what has recovered since, and what
    /// has been wrong for how long. What this run did not look at stays as it was known.
    pub fn compare(&mut self, before: Option<&Self>) {
        let started = self.started;
        let known: BTreeMap<(String, String), Known> = before
            .map(Self::known)
            .unwrap_or_default()
            .into_iter()
            .map(|known| ((known.id.clone(), known.subject.clone()), known))
            .collect();
        let earlier = |id: &str, subject: &str, status: Status| {
            let known = known.get(&(id.to_owned(), subject.to_owned()));
            // What was only a warning and is a failure now is news.
            known.filter(|known| is_bad(known.status) || !is_bad(status)).map(|known| known.since)
        };
        for trouble in &mut self.findings {
            let since = earlier(&trouble.id, &trouble.subject, trouble.status);
            (trouble.new, trouble.since) = (since.is_none(), Some(since.unwrap_or(started)));
        }
        for change in self.changes.iter_mut().filter(|change| change.state == State::Failed) {
            let since = earlier(&change.action, &change.target, Status::Fail);
            (change.new, change.since) = (since.is_none(), Some(since.unwrap_or(started)));
        }
        self.ended(before);
        let mut open = Vec::new();
        for (_, known) in known {
            match self.fate(&known) {
                Fate::Stays => {}
                Fate::Unseen => open.push(known),
                Fate::Gone(how) => {
                    let Known { id, subject, status: was, since } = known;
                    self.recovered.push(Recovered { id, subject, was, since, how });
                }
            }
        }
        self.open = open;
    }

    /// Everything that was wrong after this run, whether it looked at it or not.
    pub fn known(&self) -> Vec<Known> {
        let since = |since: Option<Timestamp>| since.unwrap_or(self.started);
        let findings = self.findings.iter().map(|trouble| Known {
            id: trouble.id.clone(),
            subject: trouble.subject.clone(),
            status: trouble.status,
            since: since(trouble.since),
        });
        let failed = self.changes.iter().filter(|change| change.state == State::Failed).map(|change| Known {
            id: change.action.clone(),
            subject: change.target.clone(),
            status: Status::Fail,
            since: since(change.since),
        });
        findings.chain(failed).chain(self.open.iter().cloned()).collect()
    }

    /// The errors that end runs are one thing that can recover, by a run that comes to its end. A lock that another run held
    /// and a signal are no state of things: each signal is news, and neither ends what was so before.
    fn ended(&mut self, before: Option<&Self>) {
        let started = self.started;
        let since = before.and_then(|before| {
            let error = before.error.as_ref()?;
            error.since.or_else(|| lasts(error.kind).then_some(before.started))
        });
        match (&mut self.error, since) {
            (Some(error), since) if !lasts(error.kind) => {
                (error.new, error.since) = (error.kind == Kind::Interrupted, since);
            }
            (Some(error), since) => (error.new, error.since) = (since.is_none(), Some(since.unwrap_or(started))),
            (None, Some(since)) => self.recovered.push(Recovered {
                id: RUN.to_owned(),
                subject: String::new(),
                was: Status::Fail,
                since,
                how: Gone::Right,
            }),
            (None, None) => {}
        }
    }

    /// What this run says of something that was wrong before.
    fn fate(&self, known: &Known) -> Fate {
        let failed = self.changes.iter().filter(|change| change.action == known.id && change.target == known.subject);
        let states: BTreeSet<bool> = failed.map(|change| change.state == State::Failed).collect();
        match (states.contains(&true), states.contains(&false)) {
            (true, _) => return Fate::Stays,
            (false, true) => return Fate::Gone(Gone::Right),
            (false, false) => {}
        }
        match self.status_of(&known.id, &known.subject) {
            Some(Status::Warn) if is_bad(known.status) => Fate::Gone(Gone::Eased),
            Some(Status::Pass) => Fate::Gone(Gone::Right),
            Some(_) => Fate::Stays,
            None if self.covers(&known.subject) => Fate::Gone(Gone::NotReported),
            None => Fate::Unseen,
        }
    }

    /// Whether a thing that this run does not mention is not wrong any more: it came to its end and left nothing out that the
    /// thing could be a part of.
    fn covers(&self, subject: &str) -> bool {
        self.error.is_none()
            && !self.partial
            && !self.locked
            && (self.names.is_empty() || self.names.iter().any(|name| name == subject))
    }
}

/// What became of something that was wrong.
enum Fate {
    Gone(Gone),
    Stays,
    Unseen,
}

/// More than a warning.
fn is_bad(status: Status) -> bool {
    matches!(status, Status::Fail | Status::Unknown)
}

/// Whether an error says how things are, and not only how this run went.
fn lasts(kind: Kind) -> bool {
    !matches!(kind, Kind::Interrupted | Kind::Locked)
}
