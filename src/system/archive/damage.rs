//! The damages that reading finds, each with what to do about it.

use std::io;

use super::{Damage, Flaw};

/// The damage that a reader below has found; what it has not put into words is this machine's.
pub(super) fn carried(error: io::Error) -> Damage {
    match error.downcast::<Damage>() {
        Ok(damage) => damage,
        Err(error) => system(format!("it could not be read: {error}")),
    }
}

pub(super) fn altered(why: impl Into<String>) -> Damage {
    Damage::new(Flaw::Altered, why, OTHER_ARCHIVE)
}

pub(super) fn truncated(why: impl Into<String>) -> Damage {
    Damage::new(Flaw::Truncated, why, OTHER_ARCHIVE)
}

pub(super) fn hostile(why: impl Into<String>) -> Damage {
    Damage::new(Flaw::Hostile, why, "do not restore it, and find out who made it")
}

pub(super) fn bomb(why: impl Into<String>) -> Damage {
    Damage::new(Flaw::Bomb, why, "do not restore it, and find out who made it")
}

pub(super) fn system(why: impl Into<String>) -> Damage {
    Damage::new(Flaw::System, why, "mend what the system says, then run it again")
}

pub(super) fn stopped() -> Damage {
    Damage::new(Flaw::Stopped, "it was not read to its end, because a signal came", "run it again")
}

const OTHER_ARCHIVE: &str = "use another copy or an older archive, which `mainstay backup list` shows";
