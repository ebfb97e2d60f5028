//! What is seen under a path, and what can be set there.

use rustix::fs::Stat;

use crate::rules::{
    difference::{Found, FoundKind},
    manifest::Mtime,
};

/// What is under a path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// What a comparison needs.
    pub found: Found,
    /// The number of the file in its file system.
    pub inode: u64,
    /// The file system.
    pub device: u64,
    /// Whether it is a file with further names.
    pub is_shared: bool,
}

/// A mounted file system.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ground {
    pub(super) device: u64,
    pub(super) mount: Option<u64>,
}

/// Attributes that can be set on what is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Attributes {
    /// Permission bits.
    pub mode: u32,
    /// Owner and group; `None` leaves them.
    pub owner: Option<(u64, u64)>,
    /// When the content last changed; `None` leaves it.
    pub mtime: Option<Mtime>,
}

impl Seen {
    pub(super) fn of(stat: &Stat, kind: FoundKind) -> Self {
        let is_shared = stat.st_nlink > 1 && !matches!(kind, FoundKind::Directory { .. });
        let time = |seconds, nanos: u64| Mtime { seconds, nanos: nanos.try_into().unwrap_or(0) };
        Self {
            found: Found {
                kind,
                mode: stat.st_mode & 0o7777,
                uid: stat.st_uid.into(),
                gid: stat.st_gid.into(),
                mtime: time(stat.st_mtime, stat.st_mtime_nsec),
                ctime: time(stat.st_ctime, stat.st_ctime_nsec),
            },
            inode: stat.st_ino,
            device: stat.st_dev,
            is_shared,
        }
    }

    /// Its attributes as they are.
    pub fn attributes(&self) -> Attributes {
        let Found { mode, uid, gid, mtime, .. } = self.found;
        Attributes { mode, owner: Some((uid, gid)), mtime: Some(mtime) }
    }
}
