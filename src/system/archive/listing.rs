//! The manifest while the archive is being made: lines in an unlinked file, and what they add up to.

use std::{
    fs::File,
    io::{self, BufWriter, Read, Seek, Write},
    path::Path,
};

use sha2::{Digest, Sha256};

use super::tape::Tape;
use crate::{
    error::{Error, Kind, Result},
    rules::{
        manifest::{self, Entry, Flags, Header, Mtime},
        sidecar::Contents,
    },
};

/// Every entry so far.
pub(super) struct Listing {
    spool: BufWriter<File>,
    contents: Contents,
    content: Sha256,
    manifest: Sha256,
    length: u64,
}

impl Listing {
    /// Begins the manifest of an archive.
    ///
    /// # Errors
    ///
    /// There is no place for it.
    pub(super) fn new(archive: &str, root: &Path) -> Result<Self> {
        let spool = BufWriter::new(tempfile::tempfile().map_err(|error| no_place(&error))?);
        let mut listing =
            Self { spool, contents: Contents::default(), content: Sha256::new(), manifest: Sha256::new(), length: 0 };
        let root = root.to_string_lossy().into_owned();
        let header = Header { schema: manifest::SCHEMA, archive: archive.to_owned(), root };
        listing.line(&serde_json::to_string(&header).expect("plain fields always serialise"))?;
        Ok(listing)
    }

    /// Adds an entry that is in the archive.
    ///
    /// # Errors
    ///
    /// There is no place for it.
    pub(super) fn add(&mut self, entry: &Entry) -> Result<()> {
        let contents = &mut self.contents;
        match &entry.kind {
            manifest::Kind::Directory => contents.directories += 1,
            manifest::Kind::File { .. } | manifest::Kind::HardLink { .. } => contents.files += 1,
            manifest::Kind::Symlink { .. } => contents.links += 1,
        }
        contents.bytes += entry.size();
        contents.changed += u64::from(entry.flags.changed);
        contents.damaged += u64::from(entry.flags.damaged);
        entry.content_into(&mut self.content);
        self.line(&entry.to_line())
    }

    /// Writes the manifest as the last entry and ends the stream; tells what the archive holds, and the digest of its
    /// content.
    ///
    /// # Errors
    ///
    /// The list cannot be read again, or the archive not be written.
    pub(super) fn close<W: Write>(self, mut tape: Tape<W>, mtime: Mtime) -> Result<(Contents, [u8; 32])> {
        let mut spool = self.spool.into_inner().map_err(|error| no_place(error.error()))?;
        spool.rewind().map_err(|error| no_place(&error))?;
        let sha256 = self.manifest.finalize().into();
        let entry = Entry {
            path: manifest::PATH.into(),
            kind: manifest::Kind::File { size: self.length, sha256 },
            mode: 0o600,
            uid: rustix::process::geteuid().as_raw().into(),
            gid: rustix::process::getegid().as_raw().into(),
            user: None,
            group: None,
            mtime,
            flags: Flags::default(),
        };
        let mut write = || -> io::Result<()> {
            tape.head(&entry)?;
            let mut piece = vec![0; 64 << 10];
            let mut left = self.length;
            while left > 0 {
                let most = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                spool.read_exact(&mut piece[..most])?;
                tape.body(&piece[..most])?;
                left -= most as u64;
            }
            tape.fill()
        };
        write().map_err(|error| super::write::cannot_store(&error))?;
        let unpacked = tape.finish().map_err(|error| super::write::cannot_store(&error))?;
        let contents = Contents { unpacked, manifest_sha256: manifest::hex(&sha256), ..self.contents };
        Ok((contents, self.content.finalize().into()))
    }

    fn line(&mut self, line: &str) -> Result<()> {
        for part in [line.as_bytes(), b"\n"] {
            self.manifest.update(part);
            self.length += part.len() as u64;
            self.spool.write_all(part).map_err(|error| no_place(&error))?;
        }
        Ok(())
    }
}

fn no_place(error: &io::Error) -> Error {
    let folder = std::env::temp_dir();
    Error::new(Kind::Failed, format!("keep the list of files in `{}`", folder.display()))
        .because(error)
        .hint("free some space there, or set $TMPDIR to a folder on a disk that has some")
}
