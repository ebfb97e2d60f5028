//! What to back up, for whom and where: plain data, filled by `cli` from flags, environment and file.

use std::{path::PathBuf, time::Duration};

use crate::{
    error::{Error, Kind, Result},
    rules::{retention::Keep, s3_policy::Vault},
    system::{
        archive::Compression,
        secret::Secret,
        signature::PublicKey,
        state::State,
        store::{Mounted, Place, S3Options},
    },
};

/// Everything that a `mainstay backup` run was asked to work on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The project of the configuration.
    pub project: String,
    /// The backups, in the order of the configuration or the command line.
    pub sets: Vec<Set>,
    /// Where records, keys and locks are kept.
    pub state: State,
    /// The name of this machine.
    pub host: String,
    /// The configuration file, which is part of every backup; `None` where the run has none.
    pub config: Option<PathBuf>,
    /// How long to wait for another run of the same backup.
    pub lock_wait: Duration,
    /// The command as the operator knows it; other runs are told.
    pub command: String,
}

/// One configured backup.
#[derive(Clone, Debug)]
pub struct Set {
    /// Its name in the configuration.
    pub name: String,
    /// The folder that paths start from; absolute.
    pub root: PathBuf,
    /// What is kept, in the syntax of `.gitignore`.
    pub include: Vec<String>,
    /// Whether `include` is the default, whose entries may be absent.
    pub include_is_default: bool,
    /// What is left out, in the same syntax.
    pub exclude: Vec<String>,
    /// Entries of a written `include` that may match nothing.
    pub optional: Vec<String>,
    /// Who can open the archives.
    pub lock: Padlock,
    /// Where archives go.
    pub to: Vec<Place>,
    /// The destinations that a backup must reach to be good: all of `to`, or some.
    pub required: Vec<Place>,
    /// How archives are packed.
    pub compression: Compression,
    /// Whether a folder must be on a mounted medium.
    pub mounted: Mounted,
    /// Public keys whose archives are accepted besides this host's own, as `minisign` prints them.
    pub signers: Vec<String>,
    /// The time zone of `keep`'s calendar.
    pub timezone: String,
    /// Prune never goes below so many good archives.
    pub min_good: u64,
    /// Whether folders on other file systems are left out.
    pub one_file_system: bool,
    /// A command to run after a restore in place.
    pub after_restore: Option<Vec<String>>,
    /// How many archives stay.
    pub keep: Keep,
    /// How old the newest good archive may be.
    pub max_age: Duration,
    /// How long ago the last drill may be.
    pub max_drill_age: Duration,
    /// Commands whose output goes into the archive.
    pub dumps: Vec<Dump>,
    /// How S3 is reached.
    pub s3: S3Options,
}

/// Who can open the archives.
#[derive(Clone, Debug)]
pub enum Padlock {
    /// Whoever has one of these keys.
    Recipients {
        /// `age1…` and SSH public keys.
        keys: Vec<String>,
        /// A file with one recipient a line.
        file: Option<PathBuf>,
    },
    /// Whoever knows the passphrase.
    Passphrase(Secret),
}

/// A command whose output goes into the archive as a file.
#[derive(Clone, Debug)]
pub struct Dump {
    /// The name of the file in the archive.
    pub name: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Its deadline.
    pub timeout: Duration,
    /// Less output than this is a failure.
    pub min_bytes: u64,
}

/// A bucket without a region of its own is in this one (Amazon S3, GetBucketLocation).
const HOME: &str = "us-east-1";

impl Set {
    /// What the policies around a bucket of `to` are made from.
    pub fn vault<'a>(&'a self, bucket: &'a str, prefix: &'a str) -> Vault<'a> {
        Vault {
            bucket,
            prefix,
            kms_key: self.s3.kms_key.as_deref(),
            region: self.s3.region.as_deref().unwrap_or(HOME),
            locked_days: self.s3.object_lock.map(|lock| lock.as_secs().div_ceil(86_400)),
        }
    }
}

impl Settings {
    /// Whose archives of this backup are accepted: this host's key, where it has one yet, and `signers`.
    ///
    /// # Errors
    ///
    /// The host's key is there and cannot be read, or a signer is no key.
    pub fn accepted(&self, set: &Set) -> Result<Vec<PublicKey>> {
        let mut accepted: Vec<PublicKey> = PublicKey::of_host(&self.state)?.into_iter().collect();
        for signer in &set.signers {
            accepted.push(signer.parse().map_err(|why| {
                Error::new(Kind::Config, format!("use the signer `{signer}`"))
                    .because(why)
                    .hint("write it as `minisign` prints it: RW…")
            })?);
        }
        Ok(accepted)
    }
}
