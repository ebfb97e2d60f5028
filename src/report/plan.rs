//! What will be done, before anything is.

use serde::{Serialize, Serializer, ser::SerializeMap};

/// The steps of a change, computed from looking only. Rendered by `--dry-run`, consumed by `apply`.
#[derive(Clone, Debug, Serialize)]
pub struct Plan<A> {
    /// One line: what this plan does.
    pub title: String,
    /// In the order in which they are applied.
    pub steps: Vec<Step<A>>,
    /// What the operator should know that is not a step.
    pub notes: Vec<String>,
}

/// One step of a [`Plan`].
#[derive(Clone, Debug)]
pub struct Step<A> {
    /// What is done, in the terms of the job.
    pub action: A,
    /// What it is done to.
    pub target: String,
    /// Why, in words.
    pub reason: String,
    /// What it can cost.
    pub risk: Risk,
    /// What must still hold when it is applied; a changed world skips the step and says so.
    pub requires: Vec<String>,
    /// Whether it must run even after a failure or a signal, like starting a container again.
    pub owed: bool,
}

/// What a step can cost, ordered.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Nothing is interrupted or lost.
    Safe,
    /// Something is away for a while.
    Disruptive,
    /// Something is gone for good.
    Destructive,
}

impl<A> Plan<A> {
    /// An empty plan.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), steps: Vec::new(), notes: Vec::new() }
    }
}

impl<A: Serialize> Serialize for Step<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("action", &self.action)?;
        map.serialize_entry("target", &self.target)?;
        map.serialize_entry("reason", &self.reason)?;
        map.serialize_entry("risk", &self.risk)?;
        map.serialize_entry("requires", &self.requires)?;
        map.serialize_entry("owed", &self.owed)?;
        map.end()
    }
}
