//! The one error type: what could not be done, why, and what to do next.
//!
//! A failed *check* is a [`Finding`](crate::report::Finding), never an [`Error`]: an error ends a run.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The result of everything that can end a run.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a run ended without a result. Rendered once, in `cli`.
///
/// ```
/// use mainstay::error::{Error, Kind};
/// let error = Error::new(Kind::Failed, "read `mainstay.toml`")
///     .because("permission denied")
///     .hint("run with sudo, or pass --config FILE");
/// assert_eq!(error.to_string(), "could not read `mainstay.toml`: permission denied");
/// ```
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[must_use]
pub struct Error {
    /// What sort of trouble it is; the exit code follows from it.
    pub kind: Kind,
    /// A lower-case fragment that fits after "could not".
    pub what: String,
    /// The causes, outermost first; a cause may have several lines (a configuration error shows its source line).
    pub why: Vec<String>,
    /// What to do next, one imperative sentence each.
    pub hints: Vec<String>,
}

/// The sorts of trouble that end a run, in alphabetical order.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The other end of our standard output went away; never shown.
    BrokenPipe,
    /// The configuration is wrong; nothing was touched.
    Config,
    /// Something outside this process refused or broke.
    Failed,
    /// A signal ended the run; everything owed was put back.
    Interrupted,
    /// Another run holds the lock.
    Locked,
    /// The command line is wrong; nothing was touched.
    Usage,
}

impl Error {
    /// An error of this kind; `what` fits after "could not".
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), why: Vec::new(), hints: Vec::new() }
    }

    /// Adds a cause: the next link of the chain.
    pub fn because(mut self, why: impl fmt::Display) -> Self {
        self.why.push(why.to_string());
        self
    }

    /// Adds a thing to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        if !self.hints.contains(&hint) {
            self.hints.push(hint);
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}", self.what)?;
        for why in &self.why {
            write!(f, ": {why}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
