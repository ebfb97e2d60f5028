//! The content of one file, taken so that it is what the file held at one moment, or said that it is not.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::FileExt,
};

use rustix::{
    fs::{Advice, FileType, SeekFrom, Stat, fadvise, fstat, seek},
    io::Errno,
};
use sha2::{Digest, Sha256};

use super::tape::{Segment, Tape};
use crate::rules::manifest::Flags;

/// How often a file that changes while it is read is read again.
const TRIES: u32 = 3;

/// Smaller holes are not worth a map.
const LEAST_HOLES: u64 = 64 << 10;

/// A file with more parts is stored as if it had no holes: zeros are packed well, and maps cost memory.
const MOST_SEGMENTS: usize = 10_000;

/// How much is read at once.
const PIECE: usize = 256 << 10;

/// Up to which size files are read whole before anything of them is written.
#[derive(Clone, Copy)]
pub(super) struct Care {
    /// Into memory.
    pub(super) memory: u64,
    /// Into an unlinked file. A larger file is read while it is written, and what happens to it meanwhile can only be
    /// told, not mended.
    pub(super) whole: u64,
}

impl Default for Care {
    fn default() -> Self {
        Self { memory: 12 << 20, whole: 64 << 20 }
    }
}

/// Reads files, one after the other, with the same memory.
pub(super) struct Reader {
    care: Care,
    /// The content of a file that is read whole.
    memory: Vec<u8>,
    piece: Vec<u8>,
}

/// A file whose header can be written now.
pub(super) struct Taken {
    /// What the system said before it was read.
    pub(super) stat: Stat,
    /// Its length in the archive.
    pub(super) size: u64,
    /// The parts that are no holes, where it has holes.
    pub(super) segments: Option<Vec<Segment>>,
    body: Body,
}

enum Body {
    Live(File),
    Memory(Known),
    Spool(File, Known),
}

/// What is known of a content that was read.
#[derive(Clone, Copy)]
pub(super) struct Known {
    /// Its SHA-256, holes included.
    pub(super) sha256: [u8; 32],
    /// What was odd.
    pub(super) flags: Flags,
}

impl Reader {
    /// A reader that takes this care.
    pub(super) fn new(care: Care) -> Self {
        Self { care, memory: Vec::new(), piece: vec![0; PIECE] }
    }

    /// Opens a file and, unless it is large, reads it whole: again, when it changes meanwhile.
    ///
    /// # Errors
    ///
    /// It cannot be opened or read, or is no regular file any more.
    pub(super) fn take(&mut self, mut open: impl FnMut() -> io::Result<File>) -> io::Result<Taken> {
        let mut tries = 1;
        loop {
            match self.attempt(&mut open, tries == TRIES) {
                Ok(Some(taken)) => return Ok(taken),
                Err(error) if error.kind() == io::ErrorKind::NotFound || tries == TRIES => return Err(error),
                Ok(None) | Err(_) => tries += 1,
            }
        }
    }

    /// Writes the content after its header, and tells what it is. `tick` is told the bytes that were read.
    ///
    /// # Errors
    ///
    /// Writing failed. Reading cannot fail here: what is missing is written as zeros, and the flags tell.
    pub(super) fn pour<W: Write>(&mut self, taken: Taken, tape: &mut Tape<W>, tick: &dyn Fn(u64)) -> io::Result<Known> {
        let Taken { stat, size, segments, body } = taken;
        let known = match body {
            Body::Memory(known) => {
                tape.body(&self.memory)?;
                tick(size);
                known
            }
            Body::Spool(spool, known) => {
                let length = spool.metadata()?.len();
                let scan = scan(&spool, &Segment::whole(length), &mut self.piece, |bytes| tape.body(bytes))?;
                scan.trouble.map_or(Ok(()), Err)?;
                tick(size);
                known
            }
            Body::Live(file) => {
                // Only advice: a file system that does not take it reads all the same.
                let _ = fadvise(&file, 0, None, Advice::Sequential);
                let segments = segments.unwrap_or_else(|| Segment::whole(size).to_vec());
                let mut scan = scan(&file, &segments, &mut self.piece, |bytes| {
                    tick(bytes.len() as u64);
                    tape.body(bytes)
                })?;
                let stored: u64 = segments.iter().map(|segment| segment.length).sum();
                let damaged = scan.delivered < stored;
                tape.zeros(stored - scan.delivered)?;
                scan.zeros_up_to(size);
                let changed = damaged || fstat(&file).is_ok_and(|after| !is_same(&stat, &after));
                Known { sha256: scan.digest.finalize().into(), flags: Flags { changed, damaged } }
            }
        };
        tape.fill()?;
        Ok(known)
    }

    /// Tries once; `None` is a file that changed meanwhile. What was `last` read counts, however it was.
    fn attempt(&mut self, open: &mut impl FnMut() -> io::Result<File>, last: bool) -> io::Result<Option<Taken>> {
        let file = open()?;
        let stat = fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::other("something else took its place while it was read"));
        }
        let mut size = u64::try_from(stat.st_size).unwrap_or(0);
        let segments = data(&file, &stat, size);
        if size > self.care.whole {
            return Ok(Some(Taken { stat, size, segments, body: Body::Live(file) }));
        }
        let parts = segments.clone().unwrap_or_else(|| Segment::whole(size).to_vec());
        let stored: u64 = parts.iter().map(|segment| segment.length).sum();
        let mut spool = match stored > self.care.memory {
            true => match tempfile::tempfile() {
                Ok(spool) => Some(spool),
                // Without a place to keep it, it is read as large files are.
                Err(_) => return Ok(Some(Taken { stat, size, segments, body: Body::Live(file) })),
            },
            false => None,
        };
        self.memory.clear();
        // A large file should not cost memory for the rest of the run.
        self.memory.shrink_to(PIECE);
        let memory = &mut self.memory;
        let mut keep = |bytes: &[u8]| match &mut spool {
            Some(spool) => spool.write_all(bytes),
            None => {
                memory.extend_from_slice(bytes);
                Ok(())
            }
        };
        let Ok(mut scan) = scan(&file, &parts, &mut self.piece, &mut keep) else {
            // The spool is full.
            return Ok(Some(Taken { stat, size, segments, body: Body::Live(file) }));
        };
        if let Some(error) = scan.trouble.take() {
            return Err(error);
        }
        let mut flags = Flags::default();
        if scan.delivered < stored {
            flags.changed = true;
            if segments.is_none() {
                // Its header is not written yet: what there was is the whole file.
                size = scan.reached;
            } else {
                flags.damaged = true;
                let mut missing = stored - scan.delivered;
                while missing > 0 {
                    let piece = missing.min(4096);
                    keep(&[0; 4096][..piece as usize])?;
                    missing -= piece;
                }
            }
        }
        scan.zeros_up_to(size);
        // Files of /proc tell no size, and a log may have grown.
        let more = file.read_at(&mut [0], size)? > 0;
        flags.changed |= more || !is_same(&stat, &fstat(&file)?);
        if flags.changed && !last {
            return Ok(None);
        }
        let known = Known { sha256: scan.digest.finalize().into(), flags };
        let body = match spool {
            Some(spool) => Body::Spool(spool, known),
            None => Body::Memory(known),
        };
        Ok(Some(Taken { stat, size, segments, body }))
    }
}

/// How far a file could be read.
struct Scan {
    digest: Sha256,
    /// The offset in the file.
    reached: u64,
    /// How much of it was delivered.
    delivered: u64,
    /// Why not more, unless the file just ended.
    trouble: Option<io::Error>,
}

impl Scan {
    /// A hole, or what is filled up.
    fn zeros_up_to(&mut self, offset: u64) {
        const ZEROS: [u8; 4096] = [0; 4096];
        while self.reached < offset {
            let piece = (offset - self.reached).min(ZEROS.len() as u64);
            self.digest.update(&ZEROS[..piece as usize]);
            self.reached += piece;
        }
    }
}

/// Reads the parts of a file one after the other, as far as they are there, and delivers them.
///
/// # Errors
///
/// What `deliver` said.
fn scan(
    file: &File,
    parts: &[Segment],
    piece: &mut [u8],
    mut deliver: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<Scan> {
    let mut scan = Scan { digest: Sha256::new(), reached: 0, delivered: 0, trouble: None };
    for part in parts {
        scan.zeros_up_to(part.at);
        let end = part.at + part.length;
        while scan.reached < end {
            let most = usize::try_from(end - scan.reached).unwrap_or(usize::MAX).min(piece.len());
            match file.read_at(&mut piece[..most], scan.reached) {
                Ok(0) => return Ok(scan),
                Ok(read) => {
                    scan.digest.update(&piece[..read]);
                    deliver(&piece[..read])?;
                    scan.reached += read as u64;
                    scan.delivered += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    scan.trouble = Some(error);
                    return Ok(scan);
                }
            }
        }
    }
    Ok(scan)
}

/// The parts of a file that are no holes; `None` where there are no holes that are worth it.
///
/// Parts begin and end at whole blocks of tar, since GNU tar reads each from a new one; a hole at the end is told by an
/// empty part there, as GNU tar tells it.
fn data(file: &File, stat: &Stat, size: u64) -> Option<Vec<Segment>> {
    let occupied = u64::try_from(stat.st_blocks).unwrap_or(0) * 512;
    if occupied + LEAST_HOLES > size {
        return None;
    }
    let mut parts: Vec<Segment> = Vec::new();
    let mut at = 0;
    while at < size {
        let start = match seek(file, SeekFrom::Data(at)) {
            Ok(start) => start,
            // There is no more data.
            Err(Errno::NXIO) => break,
            Err(_) => return None,
        };
        let end = seek(file, SeekFrom::Hole(start)).ok()?.min(size);
        let start = start.min(size) / 512 * 512;
        match parts.last_mut() {
            Some(last) if last.at + last.length >= start => last.length = end - last.at,
            _ => parts.push(Segment { at: start, length: end.saturating_sub(start) }),
        }
        let last = parts.last_mut().expect("one was just put there");
        last.length = (last.at + last.length).next_multiple_of(512).min(size) - last.at;
        at = end.max(at + 1);
        if parts.len() > MOST_SEGMENTS {
            return None;
        }
    }
    let end = parts.last().map_or(0, |last| last.at + last.length);
    if end < size {
        parts.push(Segment { at: size, length: 0 });
    }
    (parts != Segment::whole(size)).then_some(parts)
}

/// Whether nothing has happened to a file between two looks at it.
fn is_same(before: &Stat, after: &Stat) -> bool {
    let times = |stat: &Stat| (stat.st_mtime, stat.st_mtime_nsec, stat.st_ctime, stat.st_ctime_nsec);
    before.st_ino == after.st_ino && before.st_size == after.st_size && times(before) == times(after)
}

#[cfg(test)]
mod tests;
