//! What is to be run when, and what each job needs of the machine: plain data, filled by `cli`.

use std::{path::PathBuf, time::Duration};

use super::Job;
use crate::{
    rules::calendar::Repeat,
    system::{state::State, systemd::Scope},
};

/// Everything that `mainstay timers` works on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The configuration's `project`: a part of every unit's name.
    pub project: String,
    /// The configuration; absolute, as each run names it.
    pub config: String,
    /// Our own binary; absolute.
    pub binary: String,
    /// The name of this machine.
    pub host: String,
    /// The state folder, made before the first run: a unit can only be let into a folder that is there.
    pub state: State,
    /// Whether every run finds the state folder by itself; else it is told by `$MAINSTAY_STATE`.
    pub state_follows: bool,
    /// The variables that the configuration takes secrets from.
    pub secrets: Vec<String>,
    /// Variables that are set now and change what a run does; a timer does not have them.
    pub set_now: Vec<String>,
    /// Whose timers they are, and where.
    pub home: Home,
    /// The jobs that have a section.
    pub tasks: Vec<Task>,
}

/// Whose timers they are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Home {
    /// Root's are the system's.
    pub scope: Scope,
    /// The folder of the units.
    pub units: PathBuf,
    /// The folder of root's units, for an ordinary user.
    pub roots: Option<PathBuf>,
    /// The file with the variables of every run, which may be absent.
    pub variables: String,
    /// The user's name, for an ordinary user.
    pub user: Option<String>,
}

/// One job with its calendar.
#[derive(Clone, Debug)]
pub struct Task {
    /// What is run.
    pub job: Job,
    /// When.
    pub calendar: Repeat,
    /// What it needs.
    pub needs: Needs,
}

/// What a job needs of the machine; the walls around it leave this open.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// Folders that it writes to, besides the state.
    pub writes: Vec<PathBuf>,
    /// Why it may write anywhere but to the system's own files; fits after "left open, because".
    pub anywhere: Option<String>,
    /// Whether it talks to the container engine.
    pub engine: bool,
    /// Commands that the configuration names, by their first word: what they need nobody knows.
    pub programs: Vec<String>,
    /// Files and folders that it reads, which must not be hidden from it.
    pub reads: Vec<PathBuf>,
    /// How long it may take to end after a signal, where it owes something.
    pub ending: Option<Duration>,
}

impl Settings {
    /// The name of a job's units, without `.timer` or `.service`.
    pub fn stem(&self, job: Job) -> String {
        format!("mainstay-{}-{job}", self.project)
    }

    /// The unit that starts at boot what a killed renewal has stopped; only certificates have one.
    pub fn recovery(&self) -> Option<String> {
        let task = self.tasks.iter().find(|task| task.job == Job::RenewCert)?;
        Some(format!("{}-recover.service", self.stem(task.job)))
    }
}
