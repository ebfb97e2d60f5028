//! The outage of the standalone method: who holds port 80, whether it may be stopped, and that it always comes back.
//!
//! ```text
//!  preflight ── refusals: nothing is stopped                                 what would not start again is never stopped
//!      │
//!  Outage::begin   journal, fsync ─► guardian ─► restart-policy lease ─► stop ─► port 80 is free
//!      │
//!  outage.run      certbot in a session of its own, dies with us, ends at its deadline or at a signal
//!      │
//!  outage.end      certbot gone ─► port 80 free ─► start, for minutes ─► prove ─► policy put back ─► journal closed
//! ```
//!
//! Four layers start what was stopped: [`Outage::end`], which no signal cuts short; the guardian, a process of its own that
//! does the same when this one is gone; the lease, by which the engine starts the containers itself after its own restart or
//! a reboot; and the journal, which [`recover`] replays in the next run of any command that may change something.
//!
//! An [`Outage`] must be ended. One that is dropped instead (a panic) leaves all to the guardian.

mod begin;
mod certbot;
mod end;
mod gather;
mod guardian;
mod links;
mod order;
mod preflight;
mod prove;
mod recover;

use std::{path::PathBuf, time::Duration};

use crate::{
    error::Error,
    report::{Finding, Outcome},
    rules::holder::Holder,
    system::{
        docker::Trouble,
        state::{Lineage, Owed, State},
    },
};

pub use begin::Outage;
pub use certbot::Certbot;
pub use gather::holders;
pub use guardian::guard;
pub use preflight::preflight;
pub use recover::{Recovered, recover, unfinished};

/// The longest time from the end of certbot to a proof that everything is back, or that it is not: what a signal, and a
/// systemd that stops the run, must wait for.
pub const ENDING: Duration =
    Duration::from_secs((end::TRIES.as_secs() + end::GONE.as_secs() + end::FREED.as_secs()) + prove::LONGEST.as_secs());

/// The port that HTTP-01 needs.
pub const PORT: u16 = 80;

/// What an outage is for, and what it may use.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The certificate's name in the configuration, for the journal and for texts.
    pub certificate: String,
    /// The command as the operator knows it, without `mainstay`: `renew-cert prime`.
    pub command: String,
    /// The containers or units (`nginx.service`) to stop; `None` for whatever holds port 80.
    pub stop: Option<Vec<String>>,
    /// A name that the site is served under, for the handshakes that prove that it is back.
    pub host: String,
    /// The engine that certbot's own container runs in, when it has one (`docker` or `podman`): the container must have the
    /// name [`Certbot::container`].
    pub engine: Option<String>,
    /// The lineage that certbot will work on, where there is one: whoever starts the site after a kill looks first whether its
    /// links are whole.
    pub lineage: Option<Lineage>,
    /// The folders that certbot will write to: its configuration, its work and its logs. Each must be writable before
    /// anything is stopped.
    pub writable: Vec<PathBuf>,
    /// Where the journal is kept.
    pub state: State,
    /// How long to wait for another run's outage (`--lock-wait`).
    pub lock_wait: Duration,
    /// Our own program, for the guardian and for certbot's session: `/proc/self/exe`.
    pub own: PathBuf,
}

/// What would be stopped, and whether it may be.
#[derive(Clone, Debug, Default)]
pub struct Preflight {
    /// In the order of stopping; started in the reverse order.
    pub stops: Vec<Stop>,
    /// Why nothing may be stopped; empty when it may.
    pub refusals: Vec<Refusal>,
    /// What the operator should know of it.
    pub notes: Vec<String>,
}

/// One thing that is stopped and started again.
#[derive(Clone, Debug, PartialEq)]
pub struct Stop {
    /// What is owed once it is stopped.
    pub owed: Owed,
    /// How it was found, after "it": `publishes 0.0.0.0:80`.
    pub how: String,
    /// How long the engine waits before it kills, in seconds.
    pub grace: u64,
    /// Where it answers, for the proof that it is back.
    pub(super) probes: Vec<crate::system::state::Probe>,
}

/// Why something may not be stopped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// A word for `data.reason`: `auto-remove`, `managed`, `nginx-test`, `unknown-holder`, `disk`, `engine-forbidden`, …
    pub reason: &'static str,
    /// What it is about: `the container `web``.
    pub subject: String,
    /// Why, as a sentence without a full stop.
    pub why: String,
    /// What to do, one imperative sentence.
    pub fix: String,
}

/// What came of an outage.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// How long nothing answered: from the first stop to the first answer. `None` when nothing was stopped, or when it is
    /// not back.
    pub downtime: Option<Duration>,
    /// Whether everything that was stopped is back and proved.
    pub back: bool,
    /// One for each thing that was started, and for what was put back.
    pub outcomes: Vec<Outcome>,
    /// What the operator should know: somebody else started it meanwhile, it is not back, …
    pub findings: Vec<Finding>,
}

/// Why an outage did not begin. What had been stopped has been started again.
#[derive(Debug)]
pub struct Unbegun {
    /// Why.
    pub error: Error,
    /// What came of starting again, where something had been stopped.
    pub ended: Option<Ended>,
}

impl Preflight {
    /// Whether it may be stopped.
    pub fn may_stop(&self) -> bool {
        self.refusals.is_empty()
    }
}

impl Stop {
    /// A unit that answers nowhere.
    #[cfg(test)]
    pub(super) fn of_unit(unit: &str) -> Self {
        Self { owed: Owed::Unit { unit: unit.to_owned() }, how: "is named".to_owned(), grace: 0, probes: Vec::new() }
    }

    /// The thing in a sentence: "the container `web`".
    pub fn title(&self) -> String {
        self.owed.title()
    }

    /// What a person would type to stop it.
    pub fn stop_by_hand(&self) -> String {
        self.owed.stop_by_hand()
    }

    /// What a person would type to start it again.
    pub fn start_by_hand(&self) -> String {
        self.owed.start_by_hand()
    }
}

impl Refusal {
    /// The refusal as a finding of `id` about the certificate.
    pub fn finding(&self, id: &'static str, certificate: &str) -> Finding {
        let summary = match self.reason {
            "disk" => format!("nothing may be stopped: {}: {}", self.subject, self.why),
            _ => format!("{} may not be stopped: {}", self.subject, self.why),
        };
        Finding::fail(id, certificate, summary).fix(&self.fix).data("reason", self.reason)
    }

    fn new(reason: &'static str, subject: impl Into<String>, why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { reason, subject: subject.into(), why: why.into(), fix: fix.into() }
    }

    /// What an engine that cannot be asked means for the holder of a port.
    fn of_trouble(trouble: &Trouble) -> Self {
        Self::new(trouble.reason(), "what holds port 80", trouble.to_string(), trouble.fix())
    }

    /// The same, with what is known of the holder all the same.
    fn held_by(self, holder: &Holder) -> Self {
        Self { why: format!("it is held by {}, and {}", holder.title(), self.why), ..self }
    }

    fn of_unknown(holder: &Holder) -> Self {
        let why = format!("port 80 is held by {}, which mainstay does not know how to start again", holder.title());
        Self::new("unknown-holder", "what holds port 80", why, "stop it by hand for the renewal, or renew by webroot")
    }
}
