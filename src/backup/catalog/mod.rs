//! What a destination holds of one backup: archives with a signed sidecar, and what is none.

mod gather;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Record, Set};
use crate::{
    error::{Error, Kind, Result},
    rules::{
        archive_id::ArchiveId,
        chain,
        sidecar::{Sidecar, Verified},
    },
    system::{
        signature::PublicKey,
        store::{Object, Shelf, Trouble},
    },
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

/// Which archives are looked for, and what is known of them.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The project of the configuration.
    pub project: &'a str,
    /// The name of the backup in the configuration.
    pub name: &'a str,
    /// Whose archives are accepted: this host's key and `signers`.
    pub accepted: &'a [PublicKey],
    /// What this host remembers.
    pub record: &'a Record,
    /// Prune never goes below so many good archives.
    pub min_good: u64,
    /// The present moment.
    pub now: Timestamp,
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
    /// Whether its file is known not to be what its sidecar says: found damaged, of another size, or there twice.
    pub is_damaged: bool,
    /// Whether its date is ahead of the store's own clock.
    pub is_ahead: bool,
    /// All its objects, in the order in which they are removed: what makes it a listed archive goes first.
    pub objects: Vec<Object>,
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
    /// What is missing.
    pub lack: Lack,
    /// The same in words.
    pub why: String,
}

/// What files lack to be a whole archive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lack {
    /// The archive itself.
    Archive,
    /// A sidecar that can be read and understood: there is one, so a whole archive may be behind it.
    Sense,
    /// The sidecar: the run that made it was killed, or is still at work.
    Sidecar,
}

impl<'a> Query<'a> {
    /// The query for a configured backup.
    pub fn of(project: &'a str, set: &'a Set, accepted: &'a [PublicKey], record: &'a Record, now: Timestamp) -> Self {
        Self { project, name: &set.name, accepted, record, min_good: set.min_good, now }
    }
}

impl Catalog {
    /// Lists the archives of one backup and reads their sidecars; nothing of the archives themselves.
    ///
    /// # Errors
    ///
    /// The destination cannot be listed or read: never an empty catalogue.
    pub async fn read(shelf: &dyn Shelf, query: &Query<'_>) -> Result<Self, Trouble> {
        gather::one(shelf, query).await
    }

    /// The catalogues of all backups there, by the set's name that their archives begin with: for a new machine, which
    /// knows nothing but where to look.
    ///
    /// # Errors
    ///
    /// The destination cannot be listed or read.
    pub async fn read_all(
        shelf: &dyn Shelf,
        accepted: &[PublicKey],
        now: Timestamp,
    ) -> Result<BTreeMap<String, Self>, Trouble> {
        gather::all(shelf, accepted, now).await
    }

    /// The newest archive that is good: signed, whole, not suspect.
    pub fn newest_good(&self) -> Option<&Archive> {
        self.archives.iter().rev().find(|archive| archive.is_good())
    }

    /// The highest number that is taken, whole archives or not; 0 where there is none.
    pub fn highest_sequence(&self) -> u64 {
        let whole = self.archives.iter().map(|archive| archive.id.sequence());
        let incomplete = self.incomplete.iter().map(|incomplete| incomplete.id.sequence());
        whole.chain(incomplete).max().unwrap_or(0)
    }

    /// The archive that the operator names: its id, the beginning of it or of its date that no other one shares, or
    /// `latest` for the newest good one.
    ///
    /// # Errors
    ///
    /// There is none, or more than one.
    pub fn find(&self, wanted: &str) -> Result<&Archive> {
        let trouble = |why: String, hint: &str| {
            Err(Error::new(Kind::Failed, format!("find the archive `{wanted}`")).because(why).hint(hint))
        };
        if wanted == "latest" {
            return match self.newest_good() {
                Some(archive) => Ok(archive),
                None if self.archives.is_empty() => {
                    trouble("there is no archive".into(), "run `mainstay backup create` first, or look elsewhere")
                }
                None => trouble(
                    "no archive is known to be good".into(),
                    "see `mainstay backup list`, and name one with --archive ID",
                ),
            };
        }
        let begins = |archive: &&Archive| {
            let id = archive.id.to_string();
            let date = id[archive.id.set().len()..].trim_start_matches('-');
            !wanted.is_empty() && (id.starts_with(wanted) || date.starts_with(wanted))
        };
        let found: Vec<&Archive> = match self.archives.iter().find(|archive| archive.id.to_string() == wanted) {
            Some(exact) => return Ok(exact),
            None => self.archives.iter().filter(begins).collect(),
        };
        match found[..] {
            [archive] => Ok(archive),
            [] => match self.incomplete.iter().find(|incomplete| incomplete.id.to_string() == wanted) {
                Some(incomplete) => trouble(incomplete.why.clone(), "choose another one from `mainstay backup list`"),
                None => trouble("there is none".into(), "see `mainstay backup list`"),
            },
            _ => {
                let ids: Vec<String> = found.iter().rev().take(3).map(|archive| archive.id.to_string()).collect();
                let more = if found.len() > 3 { ", …" } else { "" };
                trouble(format!("{} begin so: {}{more}", found.len(), ids.join(", ")), "give more of its id")
            }
        }
    }
}

impl Archive {
    /// Whether it can be relied upon: signed by an accepted key, proved good when it was made, and nothing speaks against it.
    pub fn is_good(&self) -> bool {
        self.doubt().is_none()
    }

    /// Why it does not count as good, as a fragment.
    pub fn doubt(&self) -> Option<String> {
        match &self.origin {
            Origin::Signed(_) => self.suspect.as_ref().map(|why| format!("suspect: {why}")),
            Origin::Stranger(key) => Some(format!("signed by the key {key}, which is not accepted")),
            Origin::Unsigned => Some("not signed".to_owned()),
            Origin::Forged(why) => Some(format!("forged: {why}")),
        }
    }

    /// How it was proved good, where that can be believed: an accepted key says so, and its file is still that one.
    pub fn verified(&self) -> Option<&Verified> {
        let believed = matches!(self.origin, Origin::Signed(_)) && !self.is_damaged;
        believed.then_some(&self.sidecar.verified)
    }

    /// Until when the store itself keeps one of its objects.
    pub fn retained_until(&self) -> Option<Timestamp> {
        self.objects.iter().filter_map(|object| object.retained_until).max()
    }

    /// When it was stored, where the store's own clock tells.
    fn stored(&self, shelf: &dyn Shelf) -> Option<Timestamp> {
        self.object.modified.filter(|_| shelf.keeps_time())
    }
}

impl Origin {
    /// The word for programs: `signed`, `stranger`, `unsigned`, `forged`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Signed(_) => "signed",
            Self::Stranger(_) => "stranger",
            Self::Unsigned => "unsigned",
            Self::Forged(_) => "forged",
        }
    }
}

/// The archive as a link of the chain of all of them.
fn link<'a>(archive: &'a Archive, shelf: &dyn Shelf) -> chain::Link<'a> {
    chain::Link { id: &archive.id, sidecar: &archive.sidecar, stored: archive.stored(shelf) }
}
