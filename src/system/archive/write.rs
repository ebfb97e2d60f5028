//! An archive is written: files, tar, gzip or Zstandard, age, and whoever stores it, all at the same time.

use std::{
    collections::HashMap,
    io::{self, BufWriter, Write},
    num::NonZero,
    thread,
};

use rustix::fs::Stat;
use sha2::{Digest, Sha256};

use super::{
    Compression, Extra, Oddity, Recipe, Survey, Written, gzip,
    listing::Listing,
    notes::Notes,
    owners::Owners,
    seal::{RunKey, Seal},
    source::{Care, Reader, Taken},
    tape::Tape,
    walk::{Found, Identity, Walk, What, identity},
    zstd,
};
use crate::{
    error::{Error, Kind, Result},
    rules::{
        archive_id::ArchiveId,
        manifest::{self, Entry, Flags, Mtime},
        sidecar::Contents,
    },
    system::Cancel,
};

/// More input is packed less hard: 3 % larger, in half the time.
const SMALL: u64 = 64 << 20;

/// Less input is packed harder by zstd, which costs a few milliseconds and makes up for the manifest.
const TINY: u64 = 8 << 20;

/// What is stored is handed on in pieces of this size.
const PIECE: usize = 1 << 20;

/// Writes an archive of what the recipe names into `sink`, and gives the key that opens what this run has written.
///
/// `survey` is what [`survey()`](super::survey()) found just before; `tick` is told the bytes of sources that were read.
/// After an error `sink` holds a beginning that nothing opens: the last part of the age file is missing.
///
/// # Errors
///
/// The sink fails, the recipients cannot be encrypted to, the root cannot be read, or the operator wants the run to end.
/// Trouble with single files is in [`Written::notes`].
pub fn write(
    recipe: &Recipe,
    survey: &Survey,
    seal: &Seal,
    sink: &mut dyn Write,
    tick: &(dyn Fn(u64) + Sync),
    cancel: &Cancel,
) -> Result<(Written, Option<RunKey>)> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let mut measured = Measured { sink: BufWriter::with_capacity(PIECE, sink), bytes: 0, digest: Sha256::new() };
    let (mut sealed, key) = seal.begin(&mut measured)?;
    let produce = |out: &mut dyn Write| Scribe::new(recipe, tick, out)?.run(recipe, cancel);
    let made = match recipe.compression {
        Compression::Gzip => {
            let level = if survey.bytes < SMALL { 6 } else { 4 };
            gzip::pack(level, cores.min(16), produce, &mut sealed)
        }
        Compression::Zstd => {
            let level = if survey.bytes < TINY { 7 } else { 3 };
            zstd::pack(level, cores, produce, &mut sealed)
        }
    };
    let (contents, content, notes) = made?;
    sealed.finish().and_then(Write::flush).map_err(|error| cannot_store(&error))?;
    let written =
        Written { bytes: measured.bytes, sha256: measured.digest.finalize().into(), contents, content, notes };
    Ok((written, key))
}

/// The digest of names, modes and content that [`Written::content`] would be, without an archive.
///
/// # Errors
///
/// The root cannot be read, or the operator wants the run to end.
pub fn content(recipe: &Recipe, cancel: &Cancel) -> Result<[u8; 32]> {
    let mut nowhere = io::sink();
    let (_, content, _) = Scribe::new(recipe, &|_| {}, &mut nowhere)?.run(recipe, cancel)?;
    Ok(content)
}

/// The error of an archive that could not be passed on.
pub(super) fn cannot_store(error: &io::Error) -> Error {
    Error::new(Kind::Failed, "write the archive").because(error)
}

/// Counts and hashes what goes through it.
struct Measured<W> {
    sink: W,
    bytes: u64,
    digest: Sha256,
}

impl<W: Write> Write for Measured<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

/// Makes the tar stream.
struct Scribe<'a> {
    tape: Tape<&'a mut dyn Write>,
    listing: Listing,
    owners: Owners,
    reader: Reader,
    /// Files that have other names still to come: where they are in the archive, and how many names.
    linked: HashMap<Identity, (Vec<u8>, u64)>,
    tick: &'a (dyn Fn(u64) + Sync),
}

impl<'a> Scribe<'a> {
    fn new(recipe: &Recipe, tick: &'a (dyn Fn(u64) + Sync), out: &'a mut dyn Write) -> Result<Self> {
        Ok(Self {
            tape: Tape::new(out),
            listing: Listing::new(&recipe.id, &recipe.root)?,
            owners: Owners::default(),
            reader: Reader::new(Care::default()),
            linked: HashMap::new(),
            tick,
        })
    }

    fn run(mut self, recipe: &Recipe, cancel: &Cancel) -> Result<(Contents, [u8; 32], Vec<super::Note>)> {
        let mut walk = Walk::new(recipe, cancel)?;
        walk.run(&mut |found, notes| self.found(found, notes))?;
        let mut notes = walk.into_notes();
        for extra in &recipe.extra {
            self.extra(extra, &mut notes)?;
        }
        let created = recipe.id.parse::<ArchiveId>().map_or(0, |id| id.created().as_second());
        let (contents, content) = self.listing.close(self.tape, Mtime { seconds: created, nanos: 0 })?;
        Ok((Contents { unreadable: notes.unreadable(), ..contents }, content, notes.into_vec()))
    }

    fn found(&mut self, found: &Found<'_>, notes: &mut Notes) -> Result<()> {
        let Found { path, stat, .. } = *found;
        let kind = match &found.what {
            What::Directory => manifest::Kind::Directory,
            What::Symlink(target) => manifest::Kind::Symlink { target: target.clone() },
            What::File => match self.earlier_name(stat) {
                Some(target) => manifest::Kind::HardLink { target },
                None => {
                    return match self.reader.take(|| found.open()) {
                        Ok(taken) => {
                            if taken.stat.st_nlink > 1 {
                                let others = taken.stat.st_nlink - 1;
                                self.linked.insert(identity(&taken.stat), (path.to_vec(), others));
                            }
                            let entry = self.entry(path, &taken.stat);
                            self.file(entry, taken, notes)
                        }
                        Err(error) => {
                            notes.miss(path, found.named, &error);
                            Ok(())
                        }
                    };
                }
            },
        };
        let entry = Entry { kind, ..self.entry(path, stat) };
        self.tape.head(&entry).map_err(|error| cannot_store(&error))?;
        self.listing.add(&entry)
    }

    /// A file that is not below the root.
    fn extra(&mut self, extra: &Extra, notes: &mut Notes) -> Result<()> {
        match self.reader.take(|| extra.file.try_clone()) {
            Ok(taken) => {
                let entry = Entry { mode: extra.mode, mtime: extra.mtime, ..self.entry(&extra.path, &taken.stat) };
                self.file(entry, taken, notes)
            }
            Err(error) => {
                notes.miss(&extra.path, true, &error);
                Ok(())
            }
        }
    }

    fn file(&mut self, mut entry: Entry, taken: Taken, notes: &mut Notes) -> Result<()> {
        let size = taken.size;
        entry.kind = manifest::Kind::File { size, sha256: [0; 32] };
        let head = match &taken.segments {
            Some(segments) => self.tape.sparse_head(&entry, segments),
            None => self.tape.head(&entry),
        };
        let poured = head.and_then(|()| self.reader.pour(taken, &mut self.tape, self.tick));
        let known = poured.map_err(|error| cannot_store(&error))?;
        entry.kind = manifest::Kind::File { size, sha256: known.sha256 };
        entry.flags = known.flags;
        match known.flags {
            Flags { damaged: true, .. } => {
                let what = "its end could not be read any more when it was its turn, and is filled up with zeros";
                notes.push(&entry.path, Oddity::Damaged, what);
            }
            Flags { changed: true, .. } => {
                notes.push(&entry.path, Oddity::Changed, "what is stored may be a mixture of before and after");
            }
            _ => {}
        }
        self.listing.add(&entry)
    }

    /// The name under which a file with several names is in the archive already.
    fn earlier_name(&mut self, stat: &Stat) -> Option<Vec<u8>> {
        if stat.st_nlink < 2 {
            return None;
        }
        let (name, others) = self.linked.get_mut(&identity(stat))?;
        *others -= 1;
        // After its last name nothing of it needs to be remembered.
        if *others > 0 { Some(name.clone()) } else { self.linked.remove(&identity(stat)).map(|(name, _)| name) }
    }

    /// All but the kind.
    fn entry(&mut self, path: &[u8], stat: &Stat) -> Entry {
        Entry {
            path: path.to_vec(),
            kind: manifest::Kind::Directory,
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid.into(),
            gid: stat.st_gid.into(),
            user: self.owners.user(stat.st_uid),
            group: self.owners.group(stat.st_gid),
            mtime: Mtime { seconds: stat.st_mtime, nanos: u32::try_from(stat.st_mtime_nsec).unwrap_or(0) },
            flags: Flags::default(),
        }
    }
}

#[cfg(test)]
mod tests;
