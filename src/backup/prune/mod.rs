//! `backup prune`: removes archives that no rule of `keep` asks for, and what killed runs left.
//!
//! Nothing is removed that the rules do not name at two listings, one when the plan is made and one right before; nothing
//! where a listing failed; nothing that is younger than a day. What makes a file a listed archive, its sidecar, goes first:
//! at no moment, also of a kill, is an archive listed whose file is going or gone. What is left of a killed prune is an
//! archive without a sidecar, which the next one clears.
//!
//! The caller holds the lock of the backup.

mod apply;
#[cfg(test)]
mod killed;
mod outlook;
mod plan;
#[cfg(test)]
mod tests;

use serde::{Serialize, Serializer};

pub use apply::apply;
pub use plan::plan;

use crate::report::{Finding, Plan};

/// What prune is going to do, and where it can do nothing.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// Every archive and leftover of every destination, kept ones too, each with its reason.
    pub plan: Plan<PruneAction>,
    /// Destinations that cannot be pruned, and what is odd at the others.
    pub findings: Vec<Finding>,
}

/// What becomes of an archive, or of what is left of one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PruneAction {
    /// The files of a killed run go.
    Clear(Work),
    /// It stays.
    Keep(Work),
    /// The archive goes.
    Remove(Work),
}

/// An archive at a destination.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Work {
    /// The name of the backup.
    pub name: String,
    /// The destination, as the configuration has it.
    pub destination: String,
    /// The archive's id.
    pub id: String,
    /// The length of all its files.
    pub bytes: u64,
}

/// The id of the findings of this job.
const ID: &str = "backup.prune";

impl PruneAction {
    /// The word for it: `clear`, `keep`, `remove`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Clear(_) => "clear",
            Self::Keep(_) => "keep",
            Self::Remove(_) => "remove",
        }
    }

    /// What it is done to.
    pub fn work(&self) -> &Work {
        match self {
            Self::Clear(work) | Self::Keep(work) | Self::Remove(work) => work,
        }
    }

    /// Whether something goes.
    pub fn removes(&self) -> bool {
        !matches!(self, Self::Keep(_))
    }
}

impl Serialize for PruneAction {
    /// The word; what it is done to is the step's target.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl Work {
    /// What a step is called.
    fn target(&self) -> String {
        format!("{} at {}", self.id, self.destination)
    }
}
