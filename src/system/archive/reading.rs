//! Reads an archive to its very end and holds it against its manifest, whatever becomes of its content.

use std::{
    io::{BufRead, Read},
    thread,
};

use sha2::{Digest, Sha256};

use super::{
    Damage, Limits, Note, Oddity, Verified,
    damage::{altered, hostile, stopped},
    entries::{Entries, Map, Member, Piece},
    keys::Keys,
    ledger::{Ledger, Reading},
    open::{self, Counted, Tally},
    shape::Shape,
};
use crate::{
    rules::manifest::{Entry, Kind},
    system::Cancel,
};

/// On what terms an archive is read.
pub struct Terms<'a> {
    /// What opens it.
    pub keys: &'a Keys,
    /// Who can open it, as its sidecar says: for the message where the keys are the wrong ones. May be empty.
    pub sealed_for: &'a [String],
    /// How much may be in it.
    pub limits: Limits,
    /// Told of so many more bytes of the ciphertext, on another thread.
    pub tick: &'a (dyn Fn(u64) + Sync),
    /// Whether the operator wants it to end; looked at between blocks, so a source that hangs must end by itself.
    pub stop: &'a Cancel,
}

/// What becomes of what is read.
pub(super) trait Sink {
    /// An entry begins. The checksum of a file is not known yet; `map` tells of holes.
    fn begin(&mut self, entry: &Entry, map: Option<&Map>) -> Result<(), Damage>;

    /// The next piece of the content of the file that was begun.
    fn piece(&mut self, piece: Piece<'_>) -> Result<(), Damage>;

    /// The entry is whole, with its checksum.
    fn end(&mut self, entry: &Entry) -> Result<(), Damage>;
}

/// Notes that are kept; more than that nobody reads.
const MOST_NOTES: usize = 1000;

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Reads an archive.
pub(super) fn read(reader: impl Read + Send, terms: &Terms<'_>, sink: &mut dyn Sink) -> Result<Verified, Damage> {
    let tally = Tally::default();
    let mut verified = thread::scope(|scope| {
        let tar = open::open(scope, reader, terms, &tally)?;
        read_tar(tar, terms.limits, terms.stop, sink)
    })?;
    // The threads are done; had one of them not come to the end of its stream, an error would have come first.
    let Counted { bytes, sha256 } = tally.counted().ok_or_else(|| altered("it goes on after its end"))?;
    (verified.bytes, verified.sha256) = (bytes, sha256);
    Ok(verified)
}

/// Reads a bare tar stream; of the ciphertext nothing is known then.
pub(super) fn read_tar(
    tar: impl BufRead,
    limits: Limits,
    stop: &Cancel,
    sink: &mut dyn Sink,
) -> Result<Verified, Damage> {
    let mut entries = Entries::new(tar, limits, stop);
    let (mut ledger, mut shape) = (Ledger::default(), Shape::default());
    let mut notes = Vec::new();
    let mut note = |note| {
        if notes.len() < MOST_NOTES {
            notes.push(note);
        }
    };
    let mut manifest = None;
    while let Some(member) = entries.next()? {
        if manifest.is_some() {
            return Err(hostile("something comes after its manifest, which is always the last"));
        }
        match member {
            Member::Manifest => {
                let mut reading = Reading::default();
                entries.content(None, &mut |piece| match piece {
                    Piece::Data(bytes) => reading.read(bytes, &ledger, &mut note),
                    Piece::Hole(_) => Ok(()),
                })?;
                manifest = Some(reading.end()?);
            }
            Member::Special { path, what } => {
                note(Note { path, what: Oddity::Special, detail: format!("{what}, left out") });
            }
            Member::Entry { mut entry, map, capabilities } => {
                if let Some(detail) = privileges(entry.mode, capabilities) {
                    note(Note { path: entry.path.clone(), what: Oddity::Privileged, detail });
                }
                sink.begin(&entry, map.as_ref())?;
                if let Kind::File { sha256, .. } = &mut entry.kind {
                    let mut digest = Sha256::new();
                    entries.content(map.as_ref(), &mut |piece| {
                        hash(piece, &mut digest, stop)?;
                        sink.piece(piece)
                    })?;
                    *sha256 = digest.finalize().into();
                }
                sink.end(&entry)?;
                shape.add(&entry);
                ledger.enter(&entry);
            }
        }
    }
    shape.judge()?;
    let has_manifest = manifest.is_some();
    let (mut contents, content) = ledger.close(manifest)?;
    contents.unpacked = entries.unpacked();
    Ok(Verified { bytes: 0, sha256: [0; 32], contents, content, manifest: has_manifest, notes })
}

fn hash(piece: Piece<'_>, digest: &mut Sha256, stop: &Cancel) -> Result<(), Damage> {
    match piece {
        Piece::Data(bytes) => digest.update(bytes),
        Piece::Hole(mut length) => {
            while length > 0 {
                if stop.is_raised() {
                    return Err(stopped());
                }
                let some = length.min(ZEROS.len() as u64);
                digest.update(&ZEROS[..usize::try_from(some).expect("64 KiB at the most")]);
                length -= some;
            }
        }
    }
    Ok(())
}

/// What makes an entry more than a file, in words.
fn privileges(mode: u32, capabilities: bool) -> Option<String> {
    let table = [
        (mode & 0o4000 != 0, "setuid"),
        (mode & 0o2000 != 0, "setgid"),
        (mode & 0o1000 != 0, "sticky"),
        (capabilities, "file capabilities"),
    ];
    let words: Vec<_> = table.into_iter().filter(|(holds, _)| *holds).map(|(_, word)| word).collect();
    if words.is_empty() { None } else { Some(words.join(", ")) }
}
