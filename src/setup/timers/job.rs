//! The jobs that a timer can run.

use std::fmt;

/// A job that is run by a timer, in the order of the configuration's `[timers]`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Job {
    /// `mainstay check`.
    Check,
    /// `mainstay backup create`.
    Backup,
    /// `mainstay renew-cert`.
    RenewCert,
    /// `mainstay schedule apply`.
    Schedule,
}

impl Job {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Check, Self::Backup, Self::RenewCert, Self::Schedule];

    /// The key of `[timers]`, and a part of the unit's name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Backup => "backup",
            Self::RenewCert => "renew-cert",
            Self::Schedule => "schedule",
        }
    }

    /// What is run, without `mainstay` and its global flags.
    pub fn command(self) -> &'static [&'static str] {
        match self {
            Self::Check => &["check"],
            Self::Backup => &["backup", "create"],
            Self::RenewCert => &["renew-cert"],
            Self::Schedule => &["schedule", "apply"],
        }
    }

    /// What it does, after "mainstay:".
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Check => "look at what is configured",
            Self::Backup => "back up secrets and configuration",
            Self::RenewCert => "renew certificates",
            Self::Schedule => "start and stop machines by their hours",
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
