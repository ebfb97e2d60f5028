//! Where archives go, as the configuration says it, and how that place is reached.

use std::{fmt, path::PathBuf, time::Duration};

use url::Url;

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

/// How a destination is reached, besides its address.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether a folder must be on a mounted medium.
    pub mounted: Mounted,
    /// What marked the medium when it was last seen, from the record; another one is refused.
    pub identity: Option<String>,
    /// The set of the backup ([`set_name`](crate::rules::archive_id::set_name)), whose lock the caller holds: what all its
    /// archives' names begin with. Empty where there is none, as with `--from`.
    pub set: String,
    /// Whose runs these are: project, backup and host. What a killed run of the same owner left behind is certainly
    /// nobody's, for the lock of the backup is held.
    pub owner: String,
    /// How S3 is reached.
    pub s3: S3Options,
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
