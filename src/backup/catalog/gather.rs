//! How a catalogue is made: one listing, then the sidecars, several at a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read},
};

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

use super::{Archive, Catalog, Incomplete, Lack, Origin, Query, link};
use crate::{
    rules::{
        archive_id::{ArchiveId, Part, set_name},
        chain,
        sidecar::{LARGEST, Sidecar},
    },
    system::{
        signature::{self, PublicKey, Signature},
        store::{Object, Reason, Shelf, Trouble},
    },
};

/// So many sidecars are fetched at a time.
const AT_ONCE: usize = 8;

/// The catalogue of one backup.
pub(super) async fn one(shelf: &dyn Shelf, query: &Query<'_>) -> Result<Catalog, Trouble> {
    let set = set_name(query.project, query.name);
    let files = group(shelf.list().await?, |id| id.set() == set);
    let mut catalog = read(shelf, files, query.accepted).await?;
    // `a-b` and `c` make the same name as `a` and `b-c`; the sidecar tells them apart. A renamed one stays, to be reported.
    catalog.archives.retain(|archive| {
        let Sidecar { id, project, name, .. } = &archive.sidecar;
        (project == query.project && name == query.name) || *id != archive.id.to_string()
    });
    let seen = query.record.destinations.get(shelf.address());
    for archive in &mut catalog.archives {
        let id = archive.id.to_string();
        if seen.is_some_and(|seen| seen.damaged.contains(&id)) {
            archive.is_damaged = true;
            doubt(archive, "it was found damaged");
        }
    }
    let newest = seen.and_then(|seen| seen.good.as_ref()).map(|good| (good.id.as_str(), good.created));
    judge(shelf, &mut catalog, newest, query.min_good, query.now);
    Ok(catalog)
}

/// The catalogues of all backups.
pub(super) async fn all(
    shelf: &dyn Shelf,
    accepted: &[PublicKey],
    now: Timestamp,
) -> Result<BTreeMap<String, Catalog>, Trouble> {
    let catalog = read(shelf, group(shelf.list().await?, |_| true), accepted).await?;
    let mut sets: BTreeMap<String, Catalog> = BTreeMap::new();
    for archive in catalog.archives {
        sets.entry(archive.id.set().to_owned()).or_default().archives.push(archive);
    }
    for incomplete in catalog.incomplete {
        sets.entry(incomplete.id.set().to_owned()).or_default().incomplete.push(incomplete);
    }
    for catalog in sets.values_mut() {
        // Without a configuration nobody knows what prune may have taken: no number is missed.
        judge(shelf, catalog, None, 0, now);
    }
    Ok(sets)
}

/// The objects of one archive.
#[derive(Default)]
struct Files {
    archives: Vec<Object>,
    sidecars: Vec<Object>,
    signatures: Vec<Object>,
}

impl Files {
    /// In the order in which they are removed.
    fn into_objects(self) -> Vec<Object> {
        [self.sidecars, self.signatures, self.archives].concat()
    }

    /// The archives that a sidecar may mean: those of the name that it gives, else whatever is there. More than one is
    /// none, for nobody knows which one is read (Google Drive allows two files of one name).
    fn meant<'a>(&'a self, sidecar: &'a Sidecar) -> impl Iterator<Item = &'a Object> {
        let is_named = |object: &&Object| object.name == sidecar.file.name;
        let any_is = self.archives.iter().any(|object| is_named(&object));
        self.archives.iter().filter(move |object| !any_is || is_named(object))
    }
}

/// What a sidecar came to.
enum Told {
    /// It was read.
    Sidecar(Box<Sidecar>, Origin),
    /// It is there and says nothing; why.
    Nothing(String),
    /// It has gone since it was listed.
    Gone,
}

/// The objects by the archive they belong to; what is not ours is left out.
fn group(objects: Vec<Object>, wanted: impl Fn(&ArchiveId) -> bool) -> BTreeMap<ArchiveId, Files> {
    let mut groups: BTreeMap<ArchiveId, Files> = BTreeMap::new();
    for object in objects {
        let Some((id, part)) = ArchiveId::of_file(&object.name).filter(|(id, _)| wanted(id)) else { continue };
        let files = groups.entry(id).or_default();
        match part {
            Part::Archive => files.archives.push(object),
            Part::Sidecar => files.sidecars.push(object),
            Part::Signature => files.signatures.push(object),
        }
    }
    groups
}

/// Reads the sidecars of all archives that have one.
async fn read(
    shelf: &dyn Shelf,
    groups: BTreeMap<ArchiveId, Files>,
    accepted: &[PublicKey],
) -> Result<Catalog, Trouble> {
    let told: Vec<(ArchiveId, Files, Option<Told>)> = stream::iter(groups)
        .map(|(id, files)| async move {
            let both = !files.archives.is_empty() && !files.sidecars.is_empty();
            let told = if both { Some(tell(shelf, &files, accepted).await?) } else { None };
            Ok::<_, Trouble>((id, files, told))
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let mut catalog = Catalog::default();
    for (id, files, told) in told {
        let lack = |lack, why: &str, files: Files| Incomplete {
            id: id.clone(),
            lack,
            why: why.to_owned(),
            objects: files.into_objects(),
        };
        catalog.incomplete.push(match told {
            Some(Told::Sidecar(sidecar, origin)) => {
                catalog.archives.extend(archive(id, files, *sidecar, origin));
                continue;
            }
            Some(Told::Nothing(why)) => lack(Lack::Sense, &why, files),
            // It is being removed just now.
            Some(Told::Gone) => lack(Lack::Sidecar, "its sidecar has just gone", files),
            None if files.archives.is_empty() => lack(Lack::Archive, "its archive is missing", files),
            None => {
                lack(Lack::Sidecar, "its sidecar is missing: the run that made it was killed, or is at work", files)
            }
        });
    }
    Ok(catalog)
}

/// The archive that these files are; `None` where only its sidecar is there.
fn archive(id: ArchiveId, files: Files, sidecar: Sidecar, origin: Origin) -> Option<Archive> {
    let object = files.meant(&sidecar).next()?.clone();
    let is_ambiguous = files.meant(&sidecar).count() > 1 || files.sidecars.len() > 1 || files.signatures.len() > 1;
    let suspect = sidecar.suspect.clone();
    let objects = files.into_objects();
    let mut archive = Archive { id, object, sidecar, origin, suspect, is_damaged: false, is_ahead: false, objects };
    let (found, stored) = (&archive.object, &archive.sidecar.file);
    let wrong = if is_ambiguous {
        Some("one of its files is there twice".to_owned())
    } else if found.name != stored.name && archive.sidecar.id == archive.id.to_string() {
        Some(format!("its sidecar speaks of `{}`", stored.name))
    } else if found.bytes != stored.bytes {
        let how = if found.bytes < stored.bytes { "cut short" } else { "grown" };
        Some(format!("its file is {how}: it has {} bytes, and {} were stored", found.bytes, stored.bytes))
    } else {
        None
    };
    if let Some(why) = wrong {
        archive.is_damaged = true;
        doubt(&mut archive, &why);
    }
    Some(archive)
}

/// Reads one sidecar and its signature.
async fn tell(shelf: &dyn Shelf, files: &Files, accepted: &[PublicKey]) -> Result<Told, Trouble> {
    let bytes = match fetch(shelf, &files.sidecars[0], LARGEST).await? {
        Fetched::Bytes(bytes) => bytes,
        Fetched::Gone => return Ok(Told::Gone),
        Fetched::Unreadable(why) => return Ok(Told::Nothing(format!("its sidecar cannot be read: {why}"))),
    };
    let origin = match files.signatures.first() {
        None => Origin::Unsigned,
        Some(object) => match fetch(shelf, object, signature::LARGEST).await? {
            Fetched::Gone => Origin::Unsigned,
            Fetched::Unreadable(why) => Origin::Forged(format!("its signature cannot be read: {why}")),
            Fetched::Bytes(text) => match signature::verify(&bytes, &String::from_utf8_lossy(&text), accepted) {
                Signature::Signed(key) => Origin::Signed(key),
                Signature::Stranger(key) => Origin::Stranger(key),
                Signature::Forged(why) => Origin::Forged(why),
            },
        },
    };
    Ok(match Sidecar::from_bytes(&bytes) {
        Ok(sidecar) => Told::Sidecar(Box::new(sidecar), origin),
        Err(why) => Told::Nothing(format!("its sidecar is wrong: {why}")),
    })
}

enum Fetched {
    Bytes(Vec<u8>),
    Gone,
    Unreadable(String),
}

/// Reads a small object whole.
///
/// What is wrong with this one object is told about it; what is wrong with the destination is an error, or else a network
/// that breaks would look like a hundred damaged sidecars.
async fn fetch(shelf: &dyn Shelf, object: &Object, limit: u64) -> Result<Fetched, Trouble> {
    let too_large = || Fetched::Unreadable(format!("it is larger than {} KiB", limit >> 10));
    if object.bytes > limit {
        return Ok(too_large());
    }
    let reading = match shelf.open(&object.name).await {
        Ok(reading) => reading,
        Err(trouble) => return judge_trouble(trouble),
    };
    let reader = reading.reader;
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        reader.take(limit + 1).read_to_end(&mut bytes).map(|_| bytes)
    });
    let bytes = match read.await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => return unreadable(&object.name, &error),
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    };
    if bytes.len() as u64 > limit {
        return Ok(too_large());
    }
    match reading.done.await {
        Ok(()) => Ok(Fetched::Bytes(bytes)),
        Err(trouble) => judge_trouble(trouble),
    }
}

fn judge_trouble(trouble: Trouble) -> Result<Fetched, Trouble> {
    match trouble.reason {
        Reason::Missing => Ok(Fetched::Gone),
        Reason::Damaged => Ok(Fetched::Unreadable(trouble.why)),
        _ => Err(trouble),
    }
}

fn unreadable(name: &str, error: &io::Error) -> Result<Fetched, Trouble> {
    // A bad block of a disk is one object's trouble.
    if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) {
        return Ok(Fetched::Unreadable(error.to_string()));
    }
    Err(Trouble::new(
        Reason::Unreachable,
        format!("`{name}` cannot be read: {error}"),
        "see whether the destination can be reached, then try again",
    ))
}

/// Adds a reason not to rely upon an archive.
fn doubt(archive: &mut Archive, why: &str) {
    archive.suspect = Some(match archive.suspect.take() {
        Some(before) => format!("{before}; {why}"),
        None => why.to_owned(),
    });
}

/// Judges the chain of the archives whose signature is accepted: who has no key must not be able to let ours look wrong.
fn judge(shelf: &dyn Shelf, catalog: &mut Catalog, newest: Option<(&str, Timestamp)>, min_good: u64, now: Timestamp) {
    let signed: Vec<usize> =
        (0..catalog.archives.len()).filter(|at| matches!(catalog.archives[*at].origin, Origin::Signed(_))).collect();
    let links: Vec<_> = signed.iter().map(|at| link(&catalog.archives[*at], shelf)).collect();
    let incomplete: BTreeSet<u64> = catalog.incomplete.iter().map(|incomplete| incomplete.id.sequence()).collect();
    let verdict = chain::judge(&links, &chain::Known { newest, incomplete, min_good, now });
    for (at, mark) in signed.into_iter().zip(verdict.marks) {
        let archive = &mut catalog.archives[at];
        archive.is_ahead = mark.is_ahead;
        for why in mark.suspect {
            doubt(archive, &why);
        }
    }
    catalog.troubles = verdict.troubles;
}
