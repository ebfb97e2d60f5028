//! What a restore is asked, and what came of it: plain data.

use std::{path::PathBuf, sync::Arc, time::Duration};

use serde::Serialize;

use super::source::Unpack;
use crate::{
    backup::Origin,
    report::{Finding, Outcome},
    rules::sidecar::Sidecar,
    system::{state::State, store::Shelf},
};

/// What to restore, and where.
#[derive(Clone)]
pub struct Request {
    /// The name of the backup in the configuration, or what stands for it: the subject of findings.
    pub name: String,
    /// Which archive.
    pub source: Source,
    /// Where to.
    pub target: Target,
    /// What of it, in the syntax of `.gitignore`; everything where there is none.
    pub include: Vec<String>,
    /// What happens to files that were changed after the archive was made.
    pub overwrite: Overwrite,
    /// Whether an archive is taken that is not signed by an accepted key.
    pub unsigned: Unsigned,
    /// Whether setuid, setgid and sticky bits come back.
    pub privileges: Privileges,
    /// Whether the plan must know every path.
    pub listing: Listing,
    /// A command to run after a restore in place: the configured one, where the operator has agreed to it.
    pub after: Option<Vec<String>>,
    /// Where the plan's list and the memory of the last restore are kept.
    pub state: State,
}

/// An archive at a destination.
#[derive(Clone)]
pub struct Source {
    /// The destination.
    pub shelf: Arc<dyn Shelf>,
    /// The name of the archive's file there.
    pub object: String,
    /// What people call it: its id.
    pub id: String,
    /// Who made it, as far as its signature tells.
    pub origin: Origin,
    /// What its sidecar says; an archive that was made by hand has none.
    pub sidecar: Option<Sidecar>,
    /// How it is opened and unpacked.
    pub unpack: Arc<dyn Unpack>,
}

/// Where a restore goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// Where the files came from.
    InPlace(PathBuf),
    /// Another folder, made where it is missing.
    To(PathBuf),
}

/// What happens to files that were changed after the archive was made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Overwrite {
    /// They are replaced too (`--overwrite newer`).
    Newer,
    /// The restore is refused, unless `include` names each of them.
    #[default]
    Older,
}

/// Whether an archive is taken that is not signed by an accepted key.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Unsigned {
    /// It is (`--allow-unsigned`). A forged one never is.
    Accept,
    /// It is not.
    #[default]
    Refuse,
}

/// Whether setuid, setgid and sticky bits come back.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Privileges {
    /// They are taken off.
    #[default]
    Drop,
    /// They come back (`--privileged`).
    Keep,
}

/// Whether the plan must know every path.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Listing {
    /// Counts are enough where nothing is compared: a fresh target is restored in one pass over the archive.
    #[default]
    Counts,
    /// Every path (`-v`, JSON).
    Paths,
}

/// Which restore to take back or to go on with.
#[derive(Clone, Debug)]
pub struct Revert {
    /// The name of the backup: the subject of findings.
    pub name: String,
    /// The restored folder; the last one that this backup was restored to where there is none.
    pub target: Option<PathBuf>,
    /// Whether files that were changed since the restore are taken back too, and so lost.
    pub overwrite: Overwrite,
    /// Where the memory of the last restore is kept.
    pub state: State,
}

/// What came of a restore, of its undoing or of going on with it.
#[derive(Debug)]
pub struct Restored {
    /// What was done.
    pub outcomes: Vec<Outcome>,
    /// What is not as it should be, or that all is.
    pub findings: Vec<Finding>,
    /// What came back; `None` where nothing did.
    pub summary: Option<Summary>,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// The archive's id.
    pub archive: String,
    /// The restored folder.
    pub target: PathBuf,
    /// Files, folders and links that were written.
    pub entries: u64,
    /// Of them, files.
    pub files: u64,
    /// The content of those files.
    pub bytes: u64,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
    /// Where what was replaced is kept until the next restore; `None` where nothing was.
    pub undo_folder: Option<PathBuf>,
}

impl Target {
    /// The folder.
    pub fn folder(&self) -> &PathBuf {
        match self {
            Self::InPlace(folder) | Self::To(folder) => folder,
        }
    }
}

fn seconds<S: serde::Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((took.as_secs_f64() * 1e6).round() / 1e6)
}
