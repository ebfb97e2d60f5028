//! Why a destination did not do what it should.

use std::{fmt, io, path::Path};

use rustix::io::Errno;

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
    /// The clock of this machine is too wrong for the store.
    Clock,
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

    /// What the system said about a file or folder, with what to do: also for those who write to a
    /// [`Draft`](super::Draft).
    pub fn of_io(error: &io::Error, path: &Path) -> Self {
        let shown = path.display();
        let errno = error.raw_os_error().map(Errno::from_raw_os_error);
        let (reason, fix) = match (errno, error.kind()) {
            (Some(Errno::NOSPC | Errno::DQUOT), _) | (_, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                (
                    Reason::Full,
                    format!(
                        "free some space (`df -h {shown}`, `df -i {shown}`); the backups that are there are untouched"
                    ),
                )
            }
            (Some(Errno::FBIG), _) => (
                Reason::Full,
                "use a medium that takes larger files (FAT takes 4 GiB at most: format it with exFAT or ext4), \
                 or raise `ulimit -f`"
                    .to_owned(),
            ),
            (Some(Errno::NODEV | Errno::NXIO | Errno::NOTCONN | Errno::STALE | Errno::NOMEDIUM), _) => (
                Reason::MediumAbsent,
                format!("the medium went away: mount it again (`findmnt -T {shown}` shows what is there)"),
            ),
            (Some(Errno::IO), _) => {
                (Reason::Other, "the disk or its connection is failing: look at `dmesg`, and use another".to_owned())
            }
            (Some(Errno::ROFS), _) => (
                Reason::Permission,
                format!(
                    "`{shown}` is mounted read-only, perhaps after a fault: look at `dmesg`, then mount it writable"
                ),
            ),
            (Some(Errno::NOTDIR), _) => {
                (Reason::Configuration, "name a folder; a part of this path is a file".to_owned())
            }
            (Some(Errno::NAMETOOLONG), _) => (Reason::Configuration, "choose shorter names".to_owned()),
            (_, io::ErrorKind::PermissionDenied) => {
                (Reason::Permission, format!("run as a user who may read and write `{shown}` (`ls -ld {shown}`)"))
            }
            (_, io::ErrorKind::NotFound) => (Reason::Missing, format!("see where it went: `ls -l {shown}`")),
            (_, io::ErrorKind::TimedOut) => {
                (Reason::Unreachable, format!("see what `{shown}` is on: `findmnt -T {shown}`"))
            }
            _ => (Reason::Other, format!("check `{shown}` and the disk that it is on")),
        };
        Self::new(reason, format!("`{shown}`: {error}"), fix)
    }

    /// There is no such object.
    pub(super) fn missing(name: &str) -> Self {
        Self::new(Reason::Missing, format!("there is no `{name}`"), "see what there is: `mainstay backup list`")
    }

    /// Says what could not be done, in front of why.
    pub(super) fn doing(mut self, what: &str) -> Self {
        self.why = format!("could not {what}: {}", self.why);
        self
    }
}

impl Reason {
    /// The word of `data.reason`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Clock => "clock",
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
