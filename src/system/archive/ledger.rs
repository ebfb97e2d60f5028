//! What an archive was seen to hold, held against its manifest, in little memory: two running digests and eight bytes an entry.

use sha2::{Digest, Sha256};

use super::{Damage, Flaw, Note, Oddity, entries::shown};
use crate::rules::{
    manifest::{self, Entry, Header, Kind, LONGEST_LINE, SCHEMA},
    sidecar::Contents,
};

/// What was seen so far.
#[derive(Default)]
pub(super) struct Ledger {
    running: Sha256,
    content: Sha256,
    /// Of each entry the first bytes of its own digest, so that the first one that differs can be named.
    marks: Vec<u64>,
    contents: Contents,
}

impl Ledger {
    /// Writes down an entry whose content was read.
    pub(super) fn enter(&mut self, entry: &Entry) {
        entry.digest_into(&mut self.running);
        entry.content_into(&mut self.content);
        self.marks.push(mark(entry));
        match entry.kind {
            Kind::Directory => self.contents.directories += 1,
            Kind::File { size, .. } => {
                self.contents.files += 1;
                self.contents.bytes = self.contents.bytes.saturating_add(size);
            }
            Kind::HardLink { .. } => self.contents.files += 1,
            Kind::Symlink { .. } => self.contents.links += 1,
        }
    }

    /// What it comes to: the contents, with what the manifest says, and the digest of names, modes and content.
    pub(super) fn close(mut self, manifest: Option<Reading>) -> Result<(Contents, [u8; 32]), Damage> {
        if let Some(reading) = manifest {
            let Reading { entries, running, digest, changed, damaged, .. } = reading;
            if entries < self.marks.len() {
                return Err(differs(format!(
                    "the archive holds {} entries, and its manifest {entries}",
                    self.marks.len()
                )));
            }
            if running.finalize() != self.running.finalize_reset() {
                return Err(differs("the archive does not hold what its manifest says"));
            }
            (self.contents.changed, self.contents.damaged) = (changed, damaged);
            self.contents.manifest_sha256 = manifest::hex(&digest.finalize());
        }
        Ok((self.contents, self.content.finalize().into()))
    }
}

/// A manifest that is being read.
#[derive(Default)]
pub(super) struct Reading {
    line: Vec<u8>,
    /// How many lines there were, the header's among them.
    lines: usize,
    entries: usize,
    running: Sha256,
    /// Of the manifest as it is.
    digest: Sha256,
    changed: u64,
    damaged: u64,
}

impl Reading {
    /// Takes in the next bytes, and holds each line against what was seen.
    pub(super) fn read(&mut self, bytes: &[u8], ledger: &Ledger, note: &mut dyn FnMut(Note)) -> Result<(), Damage> {
        self.digest.update(bytes);
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.line.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            let line = std::mem::take(&mut self.line);
            self.take(&line, ledger, note)?;
            self.line = line;
            self.line.clear();
        }
        self.line.extend_from_slice(rest);
        if self.line.len() > LONGEST_LINE { Err(self.wrong("it is too long")) } else { Ok(()) }
    }

    /// The end: there must have been a header, and nothing without a line end.
    pub(super) fn end(self) -> Result<Self, Damage> {
        if self.lines == 0 || !self.line.is_empty() { Err(self.wrong("it is not whole")) } else { Ok(self) }
    }

    fn take(&mut self, line: &[u8], ledger: &Ledger, note: &mut dyn FnMut(Note)) -> Result<(), Damage> {
        if line.len() > LONGEST_LINE {
            return Err(self.wrong("it is too long"));
        }
        let text = std::str::from_utf8(line).map_err(|_| self.wrong("it is not UTF-8"))?;
        if self.lines == 0 {
            let header: Header = serde_json::from_str(text).map_err(|error| self.wrong(&error.to_string()))?;
            if header.schema != SCHEMA {
                let why = format!("its manifest has schema {}, and this mainstay reads {SCHEMA}", header.schema);
                return Err(Damage::new(Flaw::Manifest, why, "use a newer mainstay, or `age -d … | tar xz`"));
            }
            self.lines = 1;
            return Ok(());
        }
        let entry = Entry::from_line(text).map_err(|wrong| self.wrong(&wrong.0))?;
        match ledger.marks.get(self.entries) {
            Some(mark) if *mark == self::mark(&entry) => {}
            Some(_) => return Err(differs(format!("`{}` is not what the manifest says", shown(&entry.path)))),
            None => return Err(differs(format!("`{}` is in the manifest and not in the archive", shown(&entry.path)))),
        }
        entry.digest_into(&mut self.running);
        let flags = [
            (entry.flags.changed, Oddity::Changed, "it changed while it was read", &mut self.changed),
            (entry.flags.damaged, Oddity::Damaged, "it shrank while it was read", &mut self.damaged),
        ];
        for (is_set, what, detail, count) in flags {
            if is_set {
                *count += 1;
                note(Note { path: entry.path.clone(), what, detail: detail.into() });
            }
        }
        self.entries += 1;
        self.lines += 1;
        Ok(())
    }

    fn wrong(&self, why: &str) -> Damage {
        differs(format!("line {} of the manifest: {why}", self.lines + 1))
    }
}

fn mark(entry: &Entry) -> u64 {
    let mut digest = Sha256::new();
    entry.digest_into(&mut digest);
    let bytes: [u8; 32] = digest.finalize().into();
    u64::from_be_bytes(bytes[..8].try_into().expect("eight bytes"))
}

fn differs(why: impl Into<String>) -> Damage {
    Damage::new(Flaw::Manifest, why, "use another copy or an older archive, which `mainstay backup list` shows")
}
