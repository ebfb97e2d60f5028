//! What this host remembers of a schedule between runs: `schedule/PROJECT-NAME.json` in the state folder.
//!
//! Nothing hangs on it. It is written before machines are waited for, so that a run that follows a killed one does not ask
//! again for what Amazon has been asked a moment ago and does not show yet.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    rules::{
        archive_id::set_name,
        fleet::{Act, Machine},
    },
    system::state::{Advice, State},
};

/// The memory of one schedule.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct Record {
    /// What was asked of machines, by `REGION/KIND/ID`.
    pub asked: BTreeMap<String, Asked>,
    /// Since when machines cannot be stopped because something is being done to them.
    pub deferred: BTreeMap<String, Timestamp>,
}

/// What was asked of a machine.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Asked {
    /// `start` or `stop`.
    pub act: String,
    /// When.
    pub at: Timestamp,
}

/// For so long Amazon's own answer to a call is believed rather than a description that may be older (EC2 API Reference,
/// "Eventual consistency").
pub const BELIEVED: SignedDuration = SignedDuration::from_mins(5);

impl Record {
    /// What is remembered of a schedule; nothing where there is no record, or none that can be read: it is worth no failure.
    ///
    /// # Errors
    ///
    /// The state folder cannot be looked into.
    pub fn load(state: &State, project: &str, name: &str) -> Result<Self> {
        state.recall(ROOM, &set_name(project, name), ADVICE)
    }

    /// Writes it in one step.
    ///
    /// # Errors
    ///
    /// The state folder cannot be written to.
    pub fn save(&self, state: &State, project: &str, name: &str) -> Result<()> {
        state.remember(ROOM, &set_name(project, name), self)
    }

    /// Notes that a machine was asked for something.
    pub fn ask(&mut self, machine: &Machine, act: Act, at: Timestamp) {
        self.asked.insert(key(machine), Asked { act: act.word().to_owned(), at });
    }

    /// Whether a machine was asked for the same a moment ago.
    pub fn has_asked(&self, machine: &Machine, act: Act, now: Timestamp) -> bool {
        self.asked.get(&key(machine)).is_some_and(|asked| {
            let age = now.duration_since(asked.at);
            asked.act == act.word() && age >= SignedDuration::ZERO && age < BELIEVED
        })
    }

    /// Forgets a machine that has got where it should be.
    pub fn forget(&mut self, machine: &Machine) {
        self.asked.remove(&key(machine));
    }

    /// Since when those of these machines have been deferred that are so now; the others of them are forgotten.
    pub fn defer<'a>(
        &mut self,
        machines: impl Iterator<Item = (&'a Machine, bool)>,
        now: Timestamp,
    ) -> Vec<(&'a Machine, Timestamp)> {
        let mut since = Vec::new();
        for (machine, is_deferred) in machines {
            let known = self.deferred.remove(&key(machine));
            if is_deferred {
                let at = known.unwrap_or(now);
                self.deferred.insert(key(machine), at);
                since.push((machine, at));
            }
        }
        since
    }
}

fn key(machine: &Machine) -> String {
    format!("{}/{}/{}/{}", machine.account, machine.region, machine.kind.word(), machine.id)
}

/// The folder of the records inside the state folder.
const ROOM: &str = "schedule";

const ADVICE: Advice = Advice { unread: "run as the user who applies the schedules", damaged: None };
