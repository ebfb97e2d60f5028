//! What a tar stream holds, one thing after the other, read to the very end.
//!
//! Reads what GNU tar, bsdtar, busybox, Python and we write: old headers, ustar, pax, GNU's long names, base-256 numbers and
//! files with holes. Whatever two readers could understand in two ways is refused, because an archive that shows one thing to
//! the one who looks and another to the one who restores is an attack: a size that pax and header tell differently
//! (RUSTSEC-2026-0068, GHSA-3cv2-h65g-fgmm), names said twice, links and folders with a body, anything after the end.

mod header;
mod path;
mod pax;
mod sparse;

use std::io::{BufRead, ErrorKind};

use header::{BLOCK, Header, Sort, more_pieces};
pub(super) use path::{parted, shown};
use pax::{Pax, Scope};
pub(super) use sparse::Map;

use super::{
    Damage, Flaw, Limits,
    damage::{altered, bomb, carried, hostile, stopped, truncated},
};
use crate::{
    rules::manifest::{self, Entry, Flags, Kind, Mtime},
    system::Cancel,
};

/// Records of one header; extended attributes of 64 KiB each are among them.
const LONGEST_RECORDS: u64 = 1 << 20;

/// The largest number that a size in octal digits can say: what is larger stands in a pax record alone.
const LARGEST_OCTAL: u64 = 0o77_777_777_777;

/// A tar stream.
pub(super) struct Entries<'a, R> {
    input: R,
    limits: Limits,
    stop: &'a Cancel,
    /// Bytes read so far.
    unpacked: u64,
    /// Entries seen so far, the manifest not counted.
    count: u64,
    /// The length of all files so far.
    content: u64,
    /// What is left of the body of the current entry, and of the blanks after it.
    left: u64,
    padding: u64,
    /// What pax said about all entries.
    all: Pax,
}

/// Something in an archive.
#[derive(Debug)]
pub(super) enum Member {
    /// What a backup holds. The checksum of a file is not known yet.
    Entry {
        entry: Entry,
        /// Where its bytes belong, for a file with holes.
        map: Option<Map>,
        /// Whether it has file capabilities.
        capabilities: bool,
    },
    /// Our own file, which says what is in the archive.
    Manifest,
    /// What is never brought back: devices and FIFOs.
    Special { path: Vec<u8>, what: &'static str },
}

/// A piece of the content of a file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Piece<'a> {
    Data(&'a [u8]),
    /// So many zeros that take no room.
    Hole(u64),
}

/// Names that were told ahead of their entry.
#[derive(Default)]
struct Ahead {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    pax: Option<Pax>,
}

impl<'a, R: BufRead> Entries<'a, R> {
    pub(super) fn new(input: R, limits: Limits, stop: &'a Cancel) -> Self {
        let all = Pax::default();
        Self { input, limits, stop, unpacked: 0, count: 0, content: 0, left: 0, padding: 0, all }
    }

    /// Bytes read so far: at the end, the length of the stream.
    pub(super) fn unpacked(&self) -> u64 {
        self.unpacked
    }

    /// The next thing; what was not read of the one before is passed over. `None` only at the end of the stream, after an
    /// end marker and nothing else.
    pub(super) fn next(&mut self) -> Result<Option<Member>, Damage> {
        self.pass_over()?;
        let mut ahead = Ahead::default();
        loop {
            let Some(block) = self.block()? else {
                return Err(truncated("the end marker is missing"));
            };
            if block == [0; BLOCK] {
                if ahead.path.is_some() || ahead.link.is_some() || ahead.pax.is_some() {
                    return Err(altered("a header announces an entry that does not come"));
                }
                return self.end().map(|()| None);
            }
            let header = Header::read(&block).ok_or_else(|| self.no_header())?;
            let sort = header.sort()?;
            match sort {
                Sort::LongName | Sort::LongLink => {
                    // Ends with a NUL, which is not part of it.
                    let mut name = self.small_body(&header)?;
                    name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
                    let place = if sort == Sort::LongName { &mut ahead.path } else { &mut ahead.link };
                    if place.replace(name).is_some() {
                        return Err(hostile("one entry has two long names"));
                    }
                }
                Sort::PaxAll => {
                    let body = self.small_body(&header)?;
                    self.all.read(&body, Scope::All)?;
                }
                Sort::PaxNext => {
                    let body = self.small_body(&header)?;
                    let mut pax = self.all.clone();
                    pax.read(&body, Scope::Next)?;
                    if ahead.pax.replace(pax).is_some() {
                        return Err(hostile("one entry has two extended headers"));
                    }
                }
                sort => {
                    if let Some(member) = self.member(&header, sort, ahead)? {
                        return Ok(Some(member));
                    }
                    ahead = Ahead::default();
                }
            }
        }
    }

    /// Reads the content of the file that [`Entries::next`] gave last, with its map.
    pub(super) fn content(
        &mut self,
        map: Option<&Map>,
        sink: &mut dyn FnMut(Piece<'_>) -> Result<(), Damage>,
    ) -> Result<(), Damage> {
        let Some(map) = map else { return self.data(self.left, sink) };
        let mut at = 0;
        for (offset, length) in &map.pieces {
            if *offset > at {
                sink(Piece::Hole(offset - at))?;
            }
            self.data(*length, sink)?;
            at = offset + length;
        }
        if map.size > at { sink(Piece::Hole(map.size - at)) } else { Ok(()) }
    }

    /// The thing that a header announces; `None` for the place itself that all is unpacked to.
    fn member(&mut self, header: &Header<'_>, sort: Sort, ahead: Ahead) -> Result<Option<Member>, Damage> {
        let pax = match ahead.pax {
            Some(pax)
                if (pax.path.is_some() && ahead.path.is_some()) || (pax.link.is_some() && ahead.link.is_some()) =>
            {
                return Err(hostile("pax and GNU give two names to one entry"));
            }
            Some(pax) => pax,
            None => self.all.clone(),
        };
        let size = body_size(header.size()?, pax.size)?;
        let has_body = matches!(sort, Sort::File | Sort::Sparse);
        let raw = pax.sparse.name.clone().or(pax.path).or(ahead.path).unwrap_or_else(|| header.path());
        if !has_body && size > 0 {
            return Err(hostile(format!("`{}` is no file and has a content", shown(&raw))));
        }
        let Some(path) = path::clean(&raw)? else {
            if sort == Sort::Directory {
                return Ok(None);
            }
            return Err(hostile("it wants to be the folder that it is unpacked to"));
        };
        self.left = size;
        self.padding = padding(size);
        if sort == Sort::File && path == manifest::PATH.as_bytes() && !pax.sparse.is_said() {
            return Ok(Some(Member::Manifest));
        }
        self.count += 1;
        if self.count > self.limits.entries {
            return Err(bomb(format!("it holds more than {} entries", self.limits.entries)));
        }
        let link =
            |pax: Option<Vec<u8>>, ahead: Option<Vec<u8>>| pax.or(ahead).unwrap_or_else(|| header.link().to_vec());
        let mut map = None;
        let kind = match sort {
            Sort::Special(what) => return Ok(Some(Member::Special { path, what })),
            Sort::Directory => Kind::Directory,
            Sort::HardLink => {
                let target = path::clean(&link(pax.link, ahead.link))?;
                Kind::HardLink { target: target.ok_or_else(|| hostile("a hard link leads to a folder"))? }
            }
            Sort::Symlink => {
                let target = link(pax.link, ahead.link);
                if target.is_empty() || target.contains(&0) || target.len() > 4096 {
                    return Err(hostile(format!("the link `{}` leads nowhere that a link can lead", shown(&path))));
                }
                Kind::Symlink { target }
            }
            _ => {
                map = self.map(header, sort, &pax.sparse)?;
                let size = map.as_ref().map_or(size, |map| map.size);
                self.content = self.content.saturating_add(size);
                if self.content > self.limits.content {
                    return Err(bomb(format!("its files have more than {} bytes", self.limits.content)));
                }
                Kind::File { size, sha256: [0; 32] }
            }
        };
        let entry = Entry {
            path,
            kind,
            mode: header.mode()?,
            uid: pax.uid.map_or_else(|| header.uid(), Ok)?,
            gid: pax.gid.map_or_else(|| header.gid(), Ok)?,
            user: pax.user.or_else(|| header.user()),
            group: pax.group.or_else(|| header.group()),
            mtime: pax.mtime.map_or_else(|| Ok(Mtime { seconds: header.mtime()?, nanos: 0 }), Ok)?,
            flags: Flags::default(),
        };
        Ok(Some(Member::Entry { entry, map, capabilities: pax.capabilities }))
    }

    /// The map of a file with holes, read from wherever it stands; `None` for any other file.
    fn map(&mut self, header: &Header<'_>, sort: Sort, said: &sparse::Sparse) -> Result<Option<Map>, Damage> {
        if sort == Sort::Sparse {
            let (mut pieces, mut more) = header.pieces()?;
            while more {
                let block = self.block()?.ok_or_else(|| truncated("the end is missing"))?;
                let (next, again) = more_pieces(&block)?;
                if next.is_empty() || pieces.len() > sparse::MOST_PIECES {
                    return Err(sparse::wrong());
                }
                pieces.extend(next);
                more = again;
            }
            return Map::new(header.real_size()?, pieces, self.left).map(Some);
        }
        if !said.is_said() {
            return Ok(None);
        }
        let size = said.size.ok_or_else(sparse::wrong)?;
        let pieces = match (said.major, said.minor) {
            (Some(1), Some(0)) => self.map_before_content()?,
            (None | Some(0), _) => said.pieces()?,
            _ => return Err(sparse::wrong()),
        };
        Map::new(size, pieces, self.left).map(Some)
    }

    /// 1.0: decimal numbers, a line each: how many pieces, then offset and length of each; filled up to a whole block.
    fn map_before_content(&mut self) -> Result<Vec<(u64, u64)>, Damage> {
        let before = self.left;
        let mut line = Vec::new();
        let mut number = |entries: &mut Self| {
            line.clear();
            loop {
                if entries.left == 0 {
                    return Err(sparse::wrong());
                }
                let mut byte = [0];
                entries.exactly(&mut byte)?;
                entries.left -= 1;
                match byte {
                    [b'\n'] => return sparse::decimal(&line),
                    _ if line.len() > 20 => return Err(sparse::wrong()),
                    [byte] => line.push(byte),
                }
            }
        };
        let count = number(self)?;
        if count > sparse::MOST_PIECES as u64 {
            return Err(sparse::wrong());
        }
        let mut pieces = Vec::new();
        for _ in 0..count {
            pieces.push((number(self)?, number(self)?));
        }
        let fill = padding(before - self.left);
        if fill > self.left {
            return Err(sparse::wrong());
        }
        self.skip(fill)?;
        Ok(pieces)
    }

    /// The body of a header that tells about the next entry.
    fn small_body(&mut self, header: &Header<'_>) -> Result<Vec<u8>, Damage> {
        let size = header.size()?;
        if size > LONGEST_RECORDS {
            return Err(bomb("one entry has more than 1 MiB of names and attributes"));
        }
        let mut body = vec![0; usize::try_from(size).expect("1 MiB at the most")];
        self.exactly(&mut body)?;
        self.skip(padding(size))?;
        Ok(body)
    }

    /// Hands out the next `length` bytes.
    fn data(&mut self, length: u64, sink: &mut dyn FnMut(Piece<'_>) -> Result<(), Damage>) -> Result<(), Damage> {
        let mut rest = length;
        while rest > 0 {
            if self.stop.is_raised() {
                return Err(stopped());
            }
            let bytes = self.input.fill_buf().map_err(carried)?;
            if bytes.is_empty() {
                return Err(truncated("the end is missing"));
            }
            let some = bytes.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
            sink(Piece::Data(&bytes[..some]))?;
            self.input.consume(some);
            self.count_in(some)?;
            rest -= some as u64;
        }
        self.left = self.left.saturating_sub(length);
        Ok(())
    }

    fn pass_over(&mut self) -> Result<(), Damage> {
        let rest = self.left.saturating_add(std::mem::take(&mut self.padding));
        self.left = 0;
        self.skip(rest)
    }

    fn skip(&mut self, length: u64) -> Result<(), Damage> {
        self.data(length, &mut |_| Ok(()))
    }

    /// What comes after the first empty block: another one, and nothing but zeros up to the end of the stream.
    fn end(&mut self) -> Result<(), Damage> {
        if self.block()?.is_none_or(|second| second != [0; BLOCK]) {
            return Err(truncated("the end marker is not whole"));
        }
        loop {
            let bytes = self.input.fill_buf().map_err(carried)?;
            let some = bytes.len();
            if some == 0 {
                return Ok(());
            }
            if bytes.iter().any(|byte| *byte != 0) {
                return Err(altered("there is more after its end marker"));
            }
            self.input.consume(some);
            self.count_in(some)?;
        }
    }

    /// A whole block; `None` at the end of the stream.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, Damage> {
        if self.input.fill_buf().map_err(carried)?.is_empty() {
            return Ok(None);
        }
        let mut block = [0; BLOCK];
        self.exactly(&mut block)?;
        Ok(Some(block))
    }

    fn exactly(&mut self, bytes: &mut [u8]) -> Result<(), Damage> {
        self.input.read_exact(bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof if error.get_ref().is_none_or(|inner| !inner.is::<Damage>()) => {
                truncated("the end is missing")
            }
            _ => carried(error),
        })?;
        self.count_in(bytes.len())
    }

    fn count_in(&mut self, bytes: usize) -> Result<(), Damage> {
        self.unpacked += bytes as u64;
        if self.unpacked > self.limits.unpacked {
            return Err(bomb(format!("it unpacks to more than {} bytes", self.limits.unpacked)));
        }
        Ok(())
    }

    fn no_header(&self) -> Damage {
        if self.unpacked == BLOCK as u64 {
            return Damage::new(Flaw::NotAnArchive, "what is in it is no tar archive", "name an archive of a backup");
        }
        altered("where an entry should begin there is none")
    }
}

/// The length of a body, where header and pax agree about it.
///
/// They may differ only where the header cannot say it: its field is then empty, or full (what Python and bsdtar do).
fn body_size(header: u64, pax: Option<u64>) -> Result<u64, Damage> {
    match pax {
        None => Ok(header),
        Some(size) if size == header => Ok(size),
        Some(size) if size > LARGEST_OCTAL && matches!(header, 0 | LARGEST_OCTAL) => Ok(size),
        Some(size) => Err(hostile(format!("one entry has two lengths: {header} and {size} bytes"))),
    }
}

/// Bytes from the end of a body to the next block.
fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

/// A name that is not UTF-8 is of no use: the number counts then.
fn text_of(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty()).map(str::to_owned)
}
