//! One judged fact.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::Error;

/// The verdict of one check about one subject, ordered from harmless to worst.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Does not apply; the summary says why. Never counts.
    Skip,
    /// Was looked at and is right.
    Pass,
    /// Works, but somebody should look at it.
    Warn,
    /// Could not be looked at. Never counts as a pass.
    Unknown,
    /// Is wrong.
    Fail,
}

impl Status {
    /// The word that every output format uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Unknown => "unknown",
            Self::Fail => "fail",
        }
    }

    /// Whether nobody needs to do anything.
    pub fn is_fine(self) -> bool {
        matches!(self, Self::Pass | Self::Skip)
    }
}

/// What one check found about one subject: the verdict, the evidence, and what to do.
///
/// Built like `Finding::fail("tls.name", "prime", "the certificate is for another host").observed("…").fix("…")`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[must_use]
pub struct Finding {
    /// A check id of the public contract, for example `tls.validity`.
    pub id: &'static str,
    /// The name of the site (or other configured thing) as the operator wrote it.
    pub subject: String,
    /// The verdict.
    pub status: Status,
    /// One line without a full stop.
    pub summary: String,
    /// What would have been right.
    pub expected: Option<String>,
    /// What was seen, secrets redacted.
    pub observed: Option<String>,
    /// Why it is so; "because of ID: …" where another finding explains this one.
    pub cause: Option<String>,
    /// What to do.
    pub fix: Option<String>,
    /// The command line that shows the same by hand, with the real host and container filled in.
    pub by_hand: Option<String>,
    /// Facts for machines; keys are part of the contract. `reason` tells failures of one id apart, `at` is `file:line`.
    pub data: Map<String, Value>,
    /// How long the check took, in seconds.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
}

impl Finding {
    /// A finding with a verdict and its one-line summary.
    pub fn new(id: &'static str, subject: impl Into<String>, status: Status, summary: impl Into<String>) -> Self {
        Self {
            id,
            subject: subject.into(),
            status,
            summary: summary.into(),
            expected: None,
            observed: None,
            cause: None,
            fix: None,
            by_hand: None,
            data: Map::new(),
            took: Duration::ZERO,
        }
    }

    /// It is right.
    pub fn pass(id: &'static str, subject: impl Into<String>, summary: impl Into<String>) -> Self {
        Self::new(id, subject, Status::Pass, summary)
    }

    /// It is wrong.
    pub fn fail(id: &'static str, subject: impl Into<String>, summary: impl Into<String>) -> Self {
        Self::new(id, subject, Status::Fail, summary)
    }

    /// It works, but somebody should look at it.
    pub fn warn(id: &'static str, subject: impl Into<String>, summary: impl Into<String>) -> Self {
        Self::new(id, subject, Status::Warn, summary)
    }

    /// It could not be looked at; the summary says why.
    pub fn unknown(id: &'static str, subject: impl Into<String>, summary: impl Into<String>) -> Self {
        Self::new(id, subject, Status::Unknown, summary)
    }

    /// Something could not be done at all; why, and what to do, are the error's.
    pub fn of_error(id: &'static str, subject: impl Into<String>, error: &Error) -> Self {
        let finding = Self::fail(id, subject, format!("could not {}", error.what)).data("reason", "failed");
        let finding = if error.why.is_empty() { finding } else { finding.cause(error.why.join(": ")) };
        match error.hints.as_slice() {
            [] => finding.fix("mend the cause and run the command again"),
            hints => finding.fix(hints.join("; ")),
        }
    }

    /// It does not apply; the summary says why.
    pub fn skip(id: &'static str, subject: impl Into<String>, summary: impl Into<String>) -> Self {
        Self::new(id, subject, Status::Skip, summary)
    }

    /// What would have been right.
    pub fn expected(mut self, text: impl Into<String>) -> Self {
        self.expected = Some(text.into());
        self
    }

    /// What was seen.
    pub fn observed(mut self, text: impl Into<String>) -> Self {
        self.observed = Some(text.into());
        self
    }

    /// Why it is so.
    pub fn cause(mut self, text: impl Into<String>) -> Self {
        self.cause = Some(text.into());
        self
    }

    /// What to do.
    pub fn fix(mut self, text: impl Into<String>) -> Self {
        self.fix = Some(text.into());
        self
    }

    /// The hand-run command that shows the same.
    pub fn by_hand(mut self, command: impl Into<String>) -> Self {
        self.by_hand = Some(command.into());
        self
    }

    /// Adds a fact for machines.
    pub fn data(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }

    /// Marks the finding as a symptom of another one, which is named in `cause` and in `data.because_of`.
    pub fn because_of(mut self, root: &Finding) -> Self {
        self.cause = Some(format!("because of {}: {}", root.id, root.summary));
        self.data("because_of", root.id)
    }
}

/// Seconds with microsecond precision, so that reports stay readable.
fn seconds<S: serde::Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((took.as_secs_f64() * 1e6).round() / 1e6)
}
