//! The record of one run.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Known, Recovered};
use crate::{
    error::Kind,
    report::{Counts, State, Status},
};

/// The schema of a record. Raised when a field changes its meaning or goes; new fields do not raise it.
pub const SCHEMA: u32 = 1;

/// One run: who did what, what came of it, and what was new in it. Texts are short and hold no secrets.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Run {
    /// The schema of this record.
    pub schema: u32,
    /// When it began.
    pub started: Timestamp,
    /// How long it took.
    pub seconds: f64,
    /// The machine.
    pub host: String,
    /// The user of the process.
    #[serde(default)]
    pub user: String,
    /// Who called `sudo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sudo: Option<String>,
    /// The project of the configuration; none where there was none (`backup restore --from`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// `check`, `backup`, `renew-cert`, `schedule`; `notify` for messages that did not arrive.
    pub job: String,
    /// The command: `backup create`.
    pub command: String,
    /// What it was asked to work on; empty for everything that is configured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Whether a part was left out of each (`--only`, `--skip`): what is not mentioned was not looked at.
    #[serde(default, skip_serializing_if = "is_false")]
    pub partial: bool,
    /// Whether it looked in another way than usual (`--resolve`, `--staging`, …): it is compared with none but its like.
    #[serde(default, skip_serializing_if = "is_false")]
    pub otherwise: bool,
    /// Whether something was left undone because another run held its lock.
    #[serde(default, skip_serializing_if = "is_false")]
    pub locked: bool,
    /// The worst of everything; `fail` for a run that an error ended.
    pub status: Status,
    /// The exit code.
    pub exit: u8,
    /// How many findings there were of each status.
    #[serde(default)]
    pub counts: Counts,
    /// What is not fine: for each id and subject the worst.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Trouble>,
    /// What was looked at and is right.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fine: Vec<Fine>,
    /// What was changed, and what could not be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The error that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Ending>,
    /// What was wrong before and is not any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recovered: Vec<Recovered>,
    /// What was wrong before and was not looked at by this run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<Known>,
}

/// One thing that is not fine.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Trouble {
    /// The id of the finding, for example `tls.validity`.
    pub id: String,
    /// What it is about.
    pub subject: String,
    /// `warn`, `unknown` or `fail`.
    pub status: Status,
    /// One line; empty in a record that would be too long with it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// Why it is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// `data.reason` of the finding, which tells failures of one id apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when it has been so without a break, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Whether this run is the first to see it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub new: bool,
}

/// What is right: each of these checks of each of these subjects. Checks of the same subjects stand together, so that a
/// record of many sites stays short.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Fine {
    /// The ids of the findings.
    pub ids: Vec<String>,
    /// What they are about.
    pub subjects: Vec<String>,
}

/// One thing that was changed, or should have been.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Change {
    /// What was done.
    pub action: String,
    /// To what.
    pub target: String,
    /// `done` or `failed`.
    pub state: State,
    /// What came of it, or why not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Why it was done, as the plan said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// Since when it has failed without a break, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Whether this run is the first in which it failed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub new: bool,
}

/// The error that ended a run.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Ending {
    /// What sort of trouble.
    pub kind: Kind,
    /// What could not be done.
    pub what: String,
    /// The causes, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
    /// What to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
    /// Since when runs have ended with an error, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Whether the run before had none.
    #[serde(default, skip_serializing_if = "is_false")]
    pub new: bool,
}

impl Run {
    /// Whether another run is compared with this one: the same command of the same project.
    pub fn is_alike(&self, other: &Self) -> bool {
        (&self.command, &self.project, self.otherwise) == (&other.command, &other.project, other.otherwise)
    }

    /// Whether something came up or went away that was not so in the run before.
    pub fn has_news(&self) -> bool {
        self.findings.iter().any(|trouble| trouble.new)
            || self.changes.iter().any(|change| change.new)
            || self.error.as_ref().is_some_and(|error| error.new)
            || !self.recovered.is_empty()
    }

    /// Whether nobody needs to do anything: warnings are no failure.
    pub fn is_good(&self) -> bool {
        self.error.is_none() && !matches!(self.status, Status::Fail | Status::Unknown)
    }

    /// Whether another run was at work, and will say how it went.
    pub fn is_left_to_another(&self) -> bool {
        match &self.error {
            Some(error) => error.kind == Kind::Locked,
            None => self.locked && self.is_good(),
        }
    }

    /// What was done, without what failed.
    pub fn done(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.state == State::Done)
    }

    /// The status that this run saw of a finding; `None` where it did not look. The worst where there are several.
    pub fn status_of(&self, id: &str, subject: &str) -> Option<Status> {
        let trouble = self.findings.iter().find(|trouble| trouble.id == id && trouble.subject == subject);
        let is_fine = |fine: &Fine| {
            fine.subjects.iter().any(|known| known == subject) && fine.ids.iter().any(|known| known == id)
        };
        trouble.map(|trouble| trouble.status).or_else(|| self.fine.iter().any(is_fine).then_some(Status::Pass))
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "could not {}", self.what)?;
        self.why.iter().try_for_each(|why| write!(f, ": {why}"))
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}
