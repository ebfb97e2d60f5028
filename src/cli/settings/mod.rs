//! What a job shall do: flags come before the environment, the environment before the file, the file before the defaults.

mod backup;
mod check;
mod glance;
mod host;
mod renew_cert;
mod runbook;
mod schedule;
mod timers;

pub use backup::backup_settings;
pub use check::check_settings;
pub use glance::glance_settings;
pub use host::{database_policy, domain_settings, host_settings};
pub use renew_cert::renew_cert_settings;
pub use runbook::runbook_settings;
pub use schedule::{fleet_settings, instant, schedule_settings, simulated_dates, wanted_override};
pub use timers::timers_settings;

use crate::error::{Error, Kind};

fn usage(what: impl Into<String>) -> Error {
    Error::new(Kind::Usage, what)
}

/// A word of the command line in a message: one line, whatever was typed.
fn shown(typed: &str) -> String {
    typed.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
