//! The machine that mainstay runs on, as something to check.

use std::time::Duration;

use super::Subject;
use crate::{
    rules::{
        host_disk::{Room, Use},
        host_updates,
    },
    system::Context,
};

/// The `[host]` section: what is expected of this machine.
#[derive(Clone, Debug)]
pub struct Host {
    /// What the jobs keep here, and where.
    pub uses: Vec<Use>,
    /// How little room is too little.
    pub room: Room,
    /// How bad what waits is; `None` where nobody asks.
    pub updates: Option<host_updates::Policy>,
    /// Whether the clock is asked about.
    pub clock: bool,
    /// Which containers are asked about: these names, all for an empty list, none without.
    pub containers: Option<Vec<String>>,
}

/// The machine in one run.
pub struct HostScope<'a> {
    /// What is expected.
    pub host: &'a Host,
    /// The world.
    pub context: &'a Context,
}

/// A rehearsal of an upgrade on a slow disk.
const TIMEOUT: Duration = Duration::from_secs(60);

impl Subject for Host {
    type Scope<'a> = HostScope<'a>;

    /// One word, so that it can be chosen: `mainstay check host`.
    fn name(&self) -> &str {
        "host"
    }

    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    fn scope<'a>(&'a self, context: &'a Context) -> HostScope<'a> {
        HostScope { host: self, context }
    }
}
