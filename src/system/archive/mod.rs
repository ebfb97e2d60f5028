//! Archives: tar, packed, sealed by age; written and read as streams, with memory that does not grow with what is in them.
//!
//! An archive opens with `age -d … | tar xz` alone. Everything here blocks: it runs on threads of its own.
//!
//! Writing, from above: [`write()`] has a thread on which `walk` finds what `selection` keeps, `source` takes each file,
//! `tape` makes tar of it and `listing` the manifest; `gzip` or `zstd` packs blocks of that on all cores, and [`Seal`] encrypts
//! what comes out, in its order, on the caller's thread.
//!
//! Reading, from below: `open` makes a tar stream out of ciphertext, `entries` cuts it into what it holds, `reading` holds
//! that against the manifest, and [`verify()`] and [`extract()`] say what becomes of it.

mod accounts;
mod blocks;
mod damage;
mod entries;
mod extract;
mod gzip;
mod keys;
mod ledger;
mod listing;
mod names;
mod noise;
mod notes;
mod open;
mod owners;
mod reading;
#[cfg(test)]
mod reading_tests;
mod recipient;
mod relay;
mod seal;
mod selection;
mod shape;
mod source;
mod stage;
mod survey;
mod tape;
mod tree;
mod verify;
mod walk;
mod write;
mod zstd;

use std::{fmt, fs::File, path::PathBuf};

pub use accounts::Accounts;
pub use extract::{Bits, Options as ExtractOptions, Owner, Staged, extract, extract_tar};
pub use keys::{Keys, Nobody, Person};
pub use reading::Terms;
pub use seal::{RunKey, Seal};
pub use stage::Stage;
pub use survey::{Survey, survey};
pub use verify::{Glance, glance, verify};
pub use write::{content, write};

use crate::rules::{manifest::Mtime, sidecar::Contents};

/// How archives are packed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Compression {
    /// `.tar.gz.age`.
    #[default]
    Gzip,
    /// `.tar.zst.age`.
    Zstd,
}

impl Compression {
    /// What comes after the archive's id in the name of its file.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Gzip => ".tar.gz.age",
            Self::Zstd => ".tar.zst.age",
        }
    }
}

/// What goes into an archive.
#[derive(Debug, Default)]
pub struct Recipe {
    /// The archive's id, for the manifest.
    pub id: String,
    /// The folder that paths start from; absolute.
    pub root: PathBuf,
    /// What is kept, in the syntax of `.gitignore`.
    pub include: Vec<String>,
    /// Whether `include` is the default, whose entries may be absent as long as one file matches.
    pub include_is_default: bool,
    /// What is left out, in the same syntax.
    pub exclude: Vec<String>,
    /// Entries of `include` that may match nothing.
    pub optional: Vec<String>,
    /// Whether folders on other file systems are left out.
    pub one_file_system: bool,
    /// Folders that are never entered, wherever they are: the destinations.
    pub never: Vec<PathBuf>,
    /// What is not below the root: the outputs of dumps, the configuration file.
    pub extra: Vec<Extra>,
    /// How it is packed.
    pub compression: Compression,
}

/// A file that is put into the archive from elsewhere.
#[derive(Debug)]
pub struct Extra {
    /// Its path in the archive.
    pub path: Vec<u8>,
    /// Its content, from the start, with its length and owner as the file says.
    pub file: File,
    /// Its permission bits in the archive.
    pub mode: u32,
    /// Its time in the archive.
    pub mtime: Mtime,
}

/// Something about a source that the operator should know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Note {
    /// From the root of the backup.
    pub path: Vec<u8>,
    /// What it is.
    pub what: Oddity,
    /// In words, for example what the system said.
    pub detail: String,
}

/// What can be odd about a source.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Oddity {
    /// It changed while it was read, also when it was read again.
    Changed,
    /// It shrank while it was read; its end is filled up with zeros.
    Damaged,
    /// A destination of the backup that lies in a source; it is left out.
    Destination,
    /// A link that leads out of the root.
    LeavesRoot,
    /// A folder whose content is left out: another file system is mounted there, or it is one of its own outer folders.
    OtherFileSystem,
    /// It is more than a file: setuid, setgid or sticky, or with capabilities. A restore brings back an ordinary one.
    Privileged,
    /// The archive has something else by this name: its manifest, the output of a dump; it is left out.
    Reserved,
    /// A socket, FIFO or device, left out.
    Special,
    /// It cannot be read, and is not in the archive.
    Unreadable,
    /// A folder that nothing names could not be looked into for what the patterns may match in it.
    Unsearched,
    /// It was there when the folder was listed, and gone when it was to be read.
    Vanished,
}

/// An archive that was written.
#[derive(Debug)]
pub struct Written {
    /// The length of the ciphertext.
    pub bytes: u64,
    /// The SHA-256 of the ciphertext.
    pub sha256: [u8; 32],
    /// What is in it.
    pub contents: Contents,
    /// The digest of names, modes and content: what `--if-changed` compares.
    pub content: [u8; 32],
    /// What the operator should know.
    pub notes: Vec<Note>,
}

/// Limits that a reader holds an archive to, so that a stranger's cannot fill the disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Bytes of the unpacked tar stream.
    pub unpacked: u64,
    /// Entries, without the manifest.
    pub entries: u64,
    /// Bytes of all files together with their holes, which the stream does not have.
    pub content: u64,
}

impl Limits {
    /// What the signed sidecar of the archive says is in it.
    pub fn of(contents: &Contents) -> Self {
        let entries = contents.files.saturating_add(contents.directories).saturating_add(contents.links);
        Self { unpacked: contents.unpacked, entries, content: contents.bytes }
    }

    /// For an archive that nobody vouches for, where `room` bytes are free: what does not fit is not unpacked.
    pub fn of_stranger(room: u64) -> Self {
        // A header and a body fill a block each, and no file system keeps a file in less than that either.
        Self { unpacked: room, entries: room / 512, content: room }
    }
}

/// An archive that was read to its end and is all right.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verified {
    /// The length of the ciphertext.
    pub bytes: u64,
    /// The SHA-256 of the ciphertext.
    pub sha256: [u8; 32],
    /// What is in it.
    pub contents: Contents,
    /// The digest of names, modes and content.
    pub content: [u8; 32],
    /// Whether it has a manifest; one that was made by hand has none.
    pub manifest: bool,
    /// What the operator should know: the first thousand of them.
    pub notes: Vec<Note>,
}

/// Why an archive is not good.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Damage {
    /// Which sort, for programs.
    pub reason: Flaw,
    /// What is wrong, as a fragment after "the archive is not good: ".
    pub why: String,
    /// What to do, in the imperative.
    pub fix: String,
}

/// The sorts of damage; the words are `data.reason` of a finding.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Flaw {
    /// Bytes are not those that were written.
    Altered,
    /// It would unpack to more than its limits.
    Bomb,
    /// It tries to write outside of where it is unpacked, or holds what no backup holds.
    Hostile,
    /// Content and manifest do not agree.
    Manifest,
    /// It is not an archive of age, or not of a tar.
    NotAnArchive,
    /// The operator wanted it to end.
    Stopped,
    /// Reading or writing failed on this machine.
    System,
    /// The end is missing.
    Truncated,
    /// None of the identities opens it.
    WrongKey,
    /// The passphrase does not open it.
    WrongPassphrase,
}

impl Flaw {
    /// The word of `data.reason`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Altered => "altered",
            Self::Bomb => "bomb",
            Self::Hostile => "hostile",
            Self::Manifest => "manifest",
            Self::NotAnArchive => "not-an-archive",
            Self::Stopped => "stopped",
            Self::System => "system",
            Self::Truncated => "truncated",
            Self::WrongKey => "wrong-key",
            Self::WrongPassphrase => "wrong-passphrase",
        }
    }
}

impl Damage {
    /// A damage of this sort.
    pub fn new(reason: Flaw, why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { reason, why: why.into(), fix: fix.into() }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Damage {}
