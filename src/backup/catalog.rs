//! What a destination holds of one backup: archives with a signed sidecar, and what is none.

use crate::{
    rules::{archive_id::ArchiveId, sidecar::Sidecar},
    system::store::Object,
};

/// The archives of one backup at one destination.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Whole archives with a sidecar, oldest first.
    pub archives: Vec<Archive>,
    /// Archives without a sidecar, or a sidecar without its archive: killed runs, or one that is being made just now.
    pub incomplete: Vec<Incomplete>,
    /// What the operator should know: a gap, a repeat, an archive whose date does not fit.
    pub troubles: Vec<String>,
}

/// A whole archive.
#[derive(Clone, Debug)]
pub struct Archive {
    /// Its id.
    pub id: ArchiveId,
    /// The file with its archive.
    pub object: Object,
    /// What its sidecar says.
    pub sidecar: Sidecar,
    /// Whether it can be trusted to be ours.
    pub origin: Origin,
    /// Why it should not be relied upon although it is whole: its sidecar says that it is suspect, its name disagrees with the
    /// store's clock, its size is not the sidecar's.
    pub suspect: Option<String>,
}

/// Who made an archive, as far as its signature tells.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// Signed by a key that is accepted: this host's or one of `signers`; the key's id.
    Signed(String),
    /// Signed by a key that nobody has accepted; the key's id.
    Stranger(String),
    /// There is no signature.
    Unsigned,
    /// The signature does not belong to the sidecar; why.
    Forged(String),
}

/// Files that are no whole archive.
#[derive(Clone, Debug)]
pub struct Incomplete {
    /// The id that its names begin with.
    pub id: ArchiveId,
    /// The files that are there.
    pub objects: Vec<Object>,
    /// What is missing or wrong.
    pub why: String,
}
