//! The tar format, written: POSIX ustar headers, with PAX records (POSIX.1-2008, pax) for what does not fit into them.
//!
//! Only what needs a record gets one. Names are bytes; those that fit into a header are never put into a record, which
//! should be UTF-8.

use std::io::{self, Write};

use tar::{EntryType, Header};

use crate::rules::manifest::{Entry, Kind};

/// Everything in a tar stream comes in so many bytes.
const BLOCK: u64 = 512;

/// The largest number that eleven octal digits hold: sizes and times.
const OCTAL: u64 = 0o77_777_777_777;

/// The largest owner that seven octal digits hold.
const OWNER: u64 = 0o7_777_777;

/// A part of a sparse file that is not a hole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Segment {
    /// Where it begins.
    pub(super) at: u64,
    /// Its length.
    pub(super) length: u64,
}

impl Segment {
    /// A file without holes, as its only part.
    pub(super) fn whole(size: u64) -> [Self; 1] {
        [Self { at: 0, length: size }]
    }
}

/// A tar stream that is being written.
pub(super) struct Tape<W> {
    out: W,
    written: u64,
}

impl<W: Write> Tape<W> {
    /// Begins a stream.
    pub(super) fn new(out: W) -> Self {
        Self { out, written: 0 }
    }

    /// Writes the headers of an entry. Its content must follow, as long as the entry says, and then [`Tape::fill`].
    pub(super) fn head(&mut self, entry: &Entry) -> io::Result<()> {
        let size = entry.size();
        self.headers(entry, size, None)
    }

    /// Writes the headers and the map of a file with holes (GNU tar, sparse format 1.0). Only the segments' bytes must
    /// follow, and then [`Tape::fill`].
    ///
    /// The map is the first thing in the stored content, as decimal numbers a line each, filled up to a whole block: how
    /// many segments, then where each begins and how long it is.
    pub(super) fn sparse_head(&mut self, entry: &Entry, segments: &[Segment]) -> io::Result<()> {
        let mut map = format!("{}\n", segments.len());
        for Segment { at, length } in segments {
            map += &format!("{at}\n{length}\n");
        }
        let mut map = map.into_bytes();
        map.resize(map.len().next_multiple_of(BLOCK as usize), 0);
        let stored: u64 = segments.iter().map(|segment| segment.length).sum();
        self.headers(entry, map.len() as u64 + stored, Some(entry.size()))?;
        self.body(&map)
    }

    /// Writes a piece of an entry's content.
    pub(super) fn body(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Writes zeros in place of content that is not there.
    pub(super) fn zeros(&mut self, mut length: u64) -> io::Result<()> {
        const ZEROS: [u8; 4096] = [0; 4096];
        while length > 0 {
            let piece = length.min(ZEROS.len() as u64);
            self.body(&ZEROS[..piece as usize])?;
            length -= piece;
        }
        Ok(())
    }

    /// Fills the last block of an entry's content.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        self.zeros(self.written.next_multiple_of(BLOCK) - self.written)
    }

    /// Ends the stream, and tells how long it is.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        self.zeros(2 * BLOCK)?;
        Ok(self.written)
    }

    /// `stored` bytes follow the headers; `real` is the length of a file with holes.
    fn headers(&mut self, entry: &Entry, stored: u64, real: Option<u64>) -> io::Result<()> {
        let mut records = Records::default();
        let mut header = Header::new_ustar();
        header.set_mode(entry.mode);
        header.set_size(stored);
        if stored > OCTAL {
            records.add("size", stored.to_string().as_bytes());
        }
        for (key, value) in [("uid", entry.uid), ("gid", entry.gid)] {
            if value > OWNER {
                records.add(key, value.to_string().as_bytes());
            }
        }
        header.set_uid(entry.uid);
        header.set_gid(entry.gid);
        let seconds = u64::try_from(entry.mtime.seconds).unwrap_or(0).min(OCTAL);
        header.set_mtime(seconds);
        if entry.mtime.nanos != 0 || seconds.try_into() != Ok(entry.mtime.seconds) {
            records.add("mtime", entry.mtime.to_text().as_bytes());
        }
        let (kind, target) = match &entry.kind {
            Kind::Directory => (EntryType::Directory, None),
            Kind::File { .. } => (EntryType::Regular, None),
            Kind::HardLink { target } => (EntryType::Link, Some(target)),
            Kind::Symlink { target } => (EntryType::Symlink, Some(target)),
        };
        header.set_entry_type(kind);

        let ustar = header.as_ustar_mut().expect("it was made as one");
        for (key, name, field) in [("uname", &entry.user, &mut ustar.uname), ("gname", &entry.group, &mut ustar.gname)]
        {
            // Always with a NUL at its end.
            match name.as_ref().map(|name| name.as_bytes()) {
                Some(name) if name.len() < field.len() => field[..name.len()].copy_from_slice(name),
                Some(name) => records.add(key, name),
                None => {}
            }
        }
        if let Some(target) = target {
            if target.len() > ustar.linkname.len() {
                records.add("linkpath", target);
            }
            put(&mut ustar.linkname, target);
        }
        let mut path = entry.path.clone();
        if kind == EntryType::Directory {
            path.push(b'/');
        }
        if let Some(real) = real {
            records.add("GNU.sparse.major", b"1");
            records.add("GNU.sparse.minor", b"0");
            records.add("GNU.sparse.name", &path);
            records.add("GNU.sparse.realsize", real.to_string().as_bytes());
            // Who does not know the records finds the parts under a name that says so.
            let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(&path);
            put(&mut ustar.name, &[b"GNUSparseFile.0/", name].concat());
        } else if let Some(slash) = split(&path, ustar.name.len(), ustar.prefix.len()) {
            put(&mut ustar.prefix, &path[..slash]);
            put(&mut ustar.name, &path[slash + 1..]);
        } else {
            if path.len() > ustar.name.len() {
                records.add("path", &path);
            }
            put(&mut ustar.name, &path);
        }
        header.set_cksum();
        if !records.0.is_empty() {
            self.records(&records)?;
        }
        self.body(header.as_bytes())
    }

    fn records(&mut self, records: &Records) -> io::Result<()> {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::XHeader);
        header.set_mode(0o600);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(records.0.len() as u64);
        // Always the same: a reader who knows PAX ignores it, and it costs nothing when it is compressed.
        put(&mut header.as_ustar_mut().expect("it was made as one").name, b"PaxHeaders/entry");
        header.set_cksum();
        self.body(header.as_bytes())?;
        self.body(&records.0)?;
        self.fill()
    }
}

/// PAX records: `LENGTH KEY=VALUE\n`, where the length counts itself.
#[derive(Default)]
struct Records(Vec<u8>);

impl Records {
    fn add(&mut self, key: &str, value: &[u8]) {
        // A blank, `=` and the line end.
        let rest = key.len() + value.len() + 3;
        let digits = |length: usize| length.to_string().len();
        let mut length = rest + digits(rest);
        if rest + digits(length) > length {
            length += 1;
        }
        self.0.extend(format!("{length} {key}=").as_bytes());
        self.0.extend(value);
        self.0.push(b'\n');
    }
}

/// Where a path that is too long for the name is cut into prefix and name, if there is such a slash.
fn split(path: &[u8], name: usize, prefix: usize) -> Option<usize> {
    if path.len() <= name {
        return None;
    }
    // A folder's last slash is part of its name.
    let last = path.len() - 1;
    let from = path.len() - 1 - name;
    (from..=prefix.min(last - 1)).find(|at| *at > 0 && path[*at] == b'/')
}

/// Copies what fits.
fn put(field: &mut [u8], bytes: &[u8]) {
    let length = bytes.len().min(field.len());
    field[..length].copy_from_slice(&bytes[..length]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::manifest::{Flags, Mtime};

    #[test]
    fn a_record_counts_its_own_length() {
        for length in (0..120).chain(980..1010) {
            let mut records = Records::default();
            records.add("path", &vec![b'x'; length]);
            let text = String::from_utf8(records.0).unwrap();
            let told: usize = text.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(told, text.len());
        }
    }

    #[test]
    fn a_long_path_is_cut_where_both_halves_fit() {
        let path = |lengths: &[usize]| {
            let names: Vec<_> = lengths.iter().map(|length| "x".repeat(*length)).collect();
            names.join("/").into_bytes()
        };
        assert_eq!(split(&path(&[100]), 100, 155), None);
        assert_eq!(split(&path(&[101]), 100, 155), None);
        assert_eq!(split(&path(&[50, 60]), 100, 155), Some(50));
        assert_eq!(split(&path(&[155, 100]), 100, 155), Some(155));
        assert_eq!(split(&path(&[156, 100]), 100, 155), None);
        assert_eq!(split(&path(&[155, 101]), 100, 155), None);
        assert_eq!(split(&path(&[100, 0]), 100, 155), None, "the name of a folder is never empty");
    }

    /// What the reader of the same crate makes of it.
    #[test]
    fn what_fits_into_no_header_is_in_the_records() {
        let long = "n".repeat(120);
        let entry = Entry {
            path: format!("{}/{long}", "d".repeat(200)).into_bytes(),
            kind: Kind::Symlink { target: vec![b't'; 300] },
            mode: 0o7777,
            uid: 4_000_000_000,
            gid: 0o7_777_777,
            user: Some("u".repeat(40)),
            group: Some("staff".into()),
            mtime: Mtime { seconds: -315_619_200, nanos: 1 },
            flags: Flags::default(),
        };
        let huge =
            Entry { path: b"huge".to_vec(), kind: Kind::File { size: 1 << 40, sha256: [0; 32] }, ..entry.clone() };
        let mut bytes = Vec::new();
        let mut tape = Tape::new(&mut bytes);
        tape.head(&entry).unwrap();
        tape.head(&huge).unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let mut entries = archive.entries().unwrap();
        let mut read = entries.next().unwrap().unwrap();
        assert_eq!(*read.path_bytes(), entry.path[..]);
        assert_eq!(read.link_name_bytes().unwrap().len(), 300);
        assert_eq!(read.header().mode().unwrap(), 0o7777);
        let records = read.pax_extensions().unwrap().unwrap();
        let mut texts: Vec<_> = records
            .map(|record| record.unwrap())
            .map(|r| format!("{}={}", r.key().unwrap(), r.value().unwrap()))
            .collect();
        texts.retain(|text| !text.starts_with("path") && !text.starts_with("linkpath"));
        let user = format!("uname={}", "u".repeat(40));
        assert_eq!(texts, ["uid=4000000000", "mtime=-315619199.999999999", &user]);
        assert_eq!(entries.next().unwrap().unwrap().size(), 1 << 40);
    }
}
