//! Why a destination did not do what it should.

use std::fmt;

/// Why a destination did not do what it should, with what to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trouble {
    /// Which sort it is, for programs.
    pub reason: Reason,
    /// What happened, as a fragment after "could not …: ".
    pub why: String,
    /// What to do, in the imperative.
    pub fix: String,
}

/// The sorts of trouble with a destination; the words are `data.reason` of a finding.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reason {
    /// Another object has the name.
    Collision,
    /// The configuration names something that is not there: a bucket, a remote.
    Configuration,
    /// No credentials, expired ones, or of another account.
    Credentials,
    /// What was stored or read is not what it should be.
    Damaged,
    /// No space, no quota, or the file is larger than the file system takes.
    Full,
    /// The folder's marker is gone although it had one.
    MarkerGone,
    /// The medium is not mounted.
    MediumAbsent,
    /// The medium is another one than before.
    MediumOther,
    /// There is no such object.
    Missing,
    /// Not allowed.
    Permission,
    /// Everybody could read it.
    Public,
    /// The store keeps it until a date.
    Retained,
    /// A program that is needed (rclone) is not installed.
    Tool,
    /// It does not answer, or says that it cannot now.
    Unreachable,
    /// Anything else.
    Other,
}

impl Trouble {
    /// A trouble of this sort.
    pub fn new(reason: Reason, why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { reason, why: why.into(), fix: fix.into() }
    }
}

impl Reason {
    /// The word of `data.reason`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Collision => "collision",
            Self::Configuration => "configuration",
            Self::Credentials => "credentials",
            Self::Damaged => "damaged",
            Self::Full => "full",
            Self::MarkerGone => "marker-gone",
            Self::MediumAbsent => "medium-absent",
            Self::MediumOther => "medium-other",
            Self::Missing => "missing",
            Self::Other => "other",
            Self::Permission => "permission",
            Self::Public => "public",
            Self::Retained => "retained",
            Self::Tool => "tool",
            Self::Unreachable => "unreachable",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}
