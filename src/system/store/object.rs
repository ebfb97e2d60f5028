//! What is kept at a destination: objects, how they come and how they go.

use std::{fs::File, io::Read, sync::Arc};

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::{Reason, Trouble};

/// What a look at a destination found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Condition {
    /// Whether it has been used before: it has a marker or objects. Where it was, and is not now, it is another one.
    pub is_new: bool,
    /// What marks this very medium (the marker's UUID), where there is such a thing.
    pub identity: Option<String>,
    /// Bytes that still fit, where that is known.
    pub free: Option<u64>,
    /// The largest file it takes, where there is a limit (FAT: 4 GiB - 1).
    pub largest: Option<u64>,
    /// Why nothing can be written there, where a look tells; reading may be all right.
    pub unwritable: Option<Trouble>,
    /// What the operator should know: no versioning, no lifecycle rule for unfinished uploads.
    pub notes: Vec<String>,
}

/// An object of a destination.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Object {
    /// Its name, without the destination's folder or prefix.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// When it was stored, by the store's own clock.
    pub modified: Option<Timestamp>,
    /// Until when the store itself keeps it from being removed (Object Lock), where that is known.
    pub retained_until: Option<Timestamp>,
}

/// An object that is being read.
pub struct Reading {
    /// Its bytes. Blocks: to be read on a thread of its own.
    pub reader: Box<dyn Read + Send>,
    /// Ends when the producer has: only if it ended well is what was read the whole object. A producer that was killed looks
    /// like an early end to the reader.
    pub done: BoxFuture<'static, Result<(), Trouble>>,
}

/// What is stored.
#[derive(Clone, Debug)]
pub enum Body {
    /// Little: a sidecar, a signature.
    Bytes(Arc<[u8]>),
    /// Much: a spooled archive, to be read from the start by position, so that each part can be sent again.
    Spool {
        /// An open file; its own position is not used.
        file: Arc<File>,
        /// How much of it is the object.
        bytes: u64,
        /// The SHA-256 of that.
        sha256: [u8; 32],
    },
}

/// What a destination says about an object that it has stored.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Receipt {
    /// Whether the store itself confirmed a checksum over all bytes.
    pub checksum: bool,
}

impl Body {
    /// The length of the object.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Spool { bytes, .. } => *bytes,
        }
    }
}

/// What the names of temporary files and unfinished objects begin with: never listed, removed by the next run.
pub(super) const TEMPORARY: &str = ".mainstay-tmp-";

/// The file that marks a folder as a destination; no object.
pub(super) const MARKER: &str = ".mainstay-dest.json";

/// What the names of removed files begin with that somebody still holds open, on FUSE (libfuse's `hard_remove`) and NFS
/// ("silly rename", Linux `fs/nfs/unlink.c`): the file system removes them by itself.
const REMOVED: [&str; 2] = [".fuse_hidden", ".nfs"];

/// Whether something with this name is an object, and not what this module or the file system keeps for itself.
pub(super) fn is_object(name: &str) -> bool {
    name != MARKER && !name.starts_with(TEMPORARY) && !REMOVED.iter().any(|beginning| name.starts_with(beginning))
}

/// Refuses a name that would lead out of the destination, or that this module keeps for itself. Names can come from a
/// stranger: a sidecar tells where its archive is.
pub(super) fn expect_name(name: &str) -> Result<(), Trouble> {
    let leads_away = name.is_empty() || name == "." || name == ".." || name.contains(['/', '\\', '\0']);
    if leads_away || name.len() > 255 || !is_object(name) {
        let why = format!("`{}` cannot be the name of an object", name.escape_debug());
        return Err(Trouble::new(Reason::Other, why, "look at where the name comes from; ours never look so"));
    }
    Ok(())
}

impl Reading {
    /// An object whose producer cannot fail apart from the reader: a file.
    pub fn of(reader: impl Read + Send + 'static) -> Self {
        Self { reader: Box::new(reader), done: Box::pin(std::future::ready(Ok(()))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_system_keeps_for_itself_is_no_object() {
        for name in [MARKER, ".mainstay-tmp-1", ".fuse_hidden0000000900000003", ".nfs000000000004a2c500000001"] {
            assert!(!is_object(name) && expect_name(name).is_err(), "{name}");
        }
        assert!(is_object("prime-app-20261123T181500Z-000042.tar.gz.age") && is_object(".hidden"));
    }
}
