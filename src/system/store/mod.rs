//! Where archives are kept: a folder, S3, anything that rclone reaches.
//!
//! A destination is cut in two: [`Shelf`] looks, [`Destination`] acts, so that what makes a plan cannot write. A new one is
//! a file here and a line in [`open`]. `conformance` runs over all of them.

#[cfg(test)]
pub(crate) mod memory;

use std::{fmt, fs::File, io::Read, path::PathBuf, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use url::Url;

/// The looking half of a destination.
pub trait Shelf: Send + Sync {
    /// The address as the configuration has it; what people call the destination.
    fn address(&self) -> &str;

    /// Whether [`Object::modified`] is by the store's own clock, which nobody who stores something can set: then a name with
    /// another date is a sign of a wrong clock or of a forgery. The dates of files are anybody's.
    fn keeps_time(&self) -> bool {
        false
    }

    /// Whether the destination is there and is the right one: mounted, with its marker, reachable, not public. Writes
    /// nothing.
    ///
    /// # Errors
    ///
    /// Why nothing may be written there, for example [`Reason::MediumAbsent`].
    fn inspect(&self) -> BoxFuture<'_, Result<Condition, Trouble>>;

    /// Every object there, ours or not, without what killed runs left behind. A failed listing is an error and never an
    /// empty one.
    ///
    /// # Errors
    ///
    /// The destination cannot be listed, or not to the end.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Object>, Trouble>>;

    /// Opens an object for reading from its beginning to its end.
    ///
    /// # Errors
    ///
    /// There is none ([`Reason::Missing`]), or it cannot be read.
    fn open<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Reading, Trouble>>;
}

/// The acting half of a destination.
pub trait Destination: Shelf {
    /// Makes the destination ready on the first use (a folder's marker); changes nothing on later ones.
    ///
    /// # Errors
    ///
    /// It cannot be written to.
    fn prepare(&self) -> BoxFuture<'_, Result<(), Trouble>>;

    /// A file of the destination's own that an archive can be written into before it has its name; `None` where there are
    /// no such files and the archive is spooled elsewhere first.
    ///
    /// # Errors
    ///
    /// The destination cannot be written to.
    fn draft(&self) -> BoxFuture<'_, Result<Option<Box<dyn Draft>>, Trouble>>;

    /// Stores an object under a name that does not exist yet: whole and durable, or not at all. Never overwrites.
    ///
    /// # Errors
    ///
    /// It could not be stored; [`Reason::Collision`] where another object has the name.
    fn put<'a>(&'a self, name: &'a str, body: Body) -> BoxFuture<'a, Result<Receipt, Trouble>>;

    /// Removes an object. One that is gone already is no error.
    ///
    /// # Errors
    ///
    /// It is still there, for example [`Reason::Retained`].
    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), Trouble>>;

    /// Removes what killed runs left behind (temporary files, unfinished uploads), and says what. Only what is certainly
    /// ours and of no running run: the caller holds the lock of the backup.
    ///
    /// # Errors
    ///
    /// What could not be removed; nobody's backup fails for it.
    fn tidy(&self) -> BoxFuture<'_, Result<Vec<String>, Trouble>>;
}

/// Where archives go: an entry of `to`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// A folder; absolute.
    Folder(PathBuf),
    /// `rclone:REMOTE:PATH`, without the scheme.
    Rclone(String),
    /// `s3://BUCKET/PREFIX`.
    S3 {
        /// The bucket.
        bucket: String,
        /// The prefix without slashes at its ends; may be empty.
        prefix: String,
    },
}

/// Whether a folder must be on a mounted medium.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mounted {
    /// Where its path says so: `/mnt`, `/media`, `/run/media`, a mount point of `/etc/fstab`.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How S3 is reached.
#[derive(Clone, Debug, Default)]
pub struct S3Options {
    /// The region of the bucket.
    pub region: Option<String>,
    /// The address of a compatible store.
    pub endpoint: Option<Url>,
    /// The storage class of new archives.
    pub storage_class: Option<String>,
    /// The KMS key that encrypts the objects.
    pub kms_key: Option<String>,
    /// How long an archive cannot be deleted by anybody.
    pub object_lock: Option<Duration>,
}

/// An archive that is being written at its destination and has no name yet. Dropped without [`Draft::keep`], it is gone.
pub trait Draft: Send {
    /// The file to write to. The descriptor, not a path: what is mounted over the folder meanwhile does not get it.
    fn file(&self) -> &File;

    /// Flushes it to the disk and gives it its name; never overwrites.
    ///
    /// # Errors
    ///
    /// It could not be kept; it is gone then.
    fn keep(self: Box<Self>, name: &str) -> Result<Receipt, Trouble>;
}

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

impl Body {
    /// The length of the object.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Spool { bytes, .. } => *bytes,
        }
    }
}

impl Reading {
    /// An object whose producer cannot fail apart from the reader: a file.
    pub fn of(reader: impl Read + Send + 'static) -> Self {
        Self { reader: Box::new(reader), done: Box::pin(std::future::ready(Ok(()))) }
    }
}

impl fmt::Display for Place {
    /// As it stands in the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::Rclone(remote) => write!(f, "rclone:{remote}"),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}
