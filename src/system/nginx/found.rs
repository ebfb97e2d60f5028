//! Which of the processes is the nginx that is looked at.

use super::{Role, Start, role};
use crate::{rules::fresh::Worker, system::docker::Process};

/// A master with its workers.
pub(super) struct Found {
    /// How the master was started.
    pub(super) start: Start,
    /// Its workers.
    pub(super) workers: Vec<Worker>,
    /// What the operator should know about the choice.
    pub(super) note: Option<String>,
}

/// The master among these processes, the oldest where there are several.
pub(super) fn find(processes: &[Process]) -> Option<Found> {
    let roles: Vec<(&Process, Role)> =
        processes.iter().filter_map(|process| Some((process, role(&process.arguments)?))).collect();
    let masters: Vec<(&Process, &Start)> = roles
        .iter()
        .filter_map(|(process, role)| match role {
            Role::Master(start) => Some((*process, start)),
            _ => None,
        })
        .collect();
    // A master that was started by another one is its successor in an upgrade of the program.
    let is_child = |process: &Process| masters.iter().any(|(other, _)| other.pid == process.parent);
    let (master, start) = masters.iter().find(|(process, _)| !is_child(process)).or(masters.first())?;
    let mut workers: Vec<Worker> = roles
        .iter()
        .filter(|(process, _)| process.parent == master.pid)
        .filter_map(|(process, role)| match role {
            Role::Worker { leaving } => Some(Worker { pid: process.pid, started: process.started, leaving: *leaving }),
            _ => None,
        })
        .collect();
    if workers.is_empty() && !master.arguments.starts_with("nginx: ") {
        // `master_process off`: one process does it all, and keeps its command line.
        workers.push(Worker { pid: master.pid, started: master.started, leaving: false });
    }
    let others: Vec<String> =
        masters.iter().filter(|(other, _)| other.pid != master.pid).map(|(other, _)| other.pid.to_string()).collect();
    let note = (!others.is_empty())
        .then(|| format!("several masters run: looked at pid {}, not at {}", master.pid, others.join(", ")));
    Some(Found { start: (*start).clone(), workers, note })
}
