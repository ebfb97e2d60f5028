//! What a restore would do, path by path: counted, and kept in a file that has no name, so that a million of them are no
//! weight.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::Path,
};

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::json;

use crate::{
    rules::{
        difference::Difference,
        manifest::{Entry, Kind},
    },
    system::tree::shown,
};

/// How many paths of a kind a plan shows.
const SHOWN: usize = 20;

/// Entries with what happens to each.
#[derive(Debug)]
pub struct Changes {
    out: BufWriter<File>,
    counts: BTreeMap<Difference, Count>,
}

/// How many paths of one kind there are.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Count {
    /// Paths.
    pub entries: u64,
    /// Of them, regular files with all their names.
    pub files: u64,
    /// The content of those files.
    pub bytes: u64,
    /// The first of the paths, as people read them.
    pub first: Vec<String>,
}

impl Changes {
    /// Nothing yet; `folder` is where the nameless file takes its space.
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self { out: BufWriter::new(tempfile::tempfile_in(folder)?), counts: BTreeMap::new() })
    }

    /// Adds an entry.
    pub(super) fn add(&mut self, difference: Difference, entry: &Entry) -> io::Result<()> {
        let count = self.counts.entry(difference).or_default();
        count.entries += 1;
        count.files += u64::from(matches!(entry.kind, Kind::File { .. } | Kind::HardLink { .. }));
        count.bytes += entry.size();
        if count.first.len() < SHOWN {
            let slash = if entry.kind == Kind::Directory { "/" } else { "" };
            count.first.push(format!("{}{slash}", shown(&entry.path)));
        }
        writeln!(self.out, "{} {}", letter(difference), entry.to_line())
    }

    /// Writes out what is still in memory; what comes after is only read.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// How many paths have this difference.
    pub fn count(&self, difference: Difference) -> Count {
        self.counts.get(&difference).cloned().unwrap_or_default()
    }

    /// Calls `each` for every entry, in the order of the archive; what is extra comes last.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or `each` says so.
    pub fn each(&self, mut each: impl FnMut(Difference, Entry) -> io::Result<()>) -> io::Result<()> {
        let file = self.out.get_ref();
        let wrong = || io::Error::new(io::ErrorKind::InvalidData, "the plan's list is damaged");
        for line in BufReader::with_capacity(1 << 16, At { file, at: 0 }).lines() {
            let line = line?;
            let (letter, line) = line.split_once(' ').ok_or_else(wrong)?;
            let difference = Difference::ALL.into_iter().find(|difference| self::letter(*difference) == letter);
            each(difference.ok_or_else(wrong)?, Entry::from_line(line).map_err(|_| wrong())?)?;
        }
        Ok(())
    }
}

impl Serialize for Changes {
    /// Counts and first paths of each kind that there is.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (difference, Count { entries, files, bytes, first }) in &self.counts {
            let count = json!({ "entries": entries, "files": files, "bytes": bytes, "first": first });
            map.serialize_entry(difference.word(), &count)?;
        }
        map.end()
    }
}

/// Reads a file from a position of its own.
pub(super) struct At<'a> {
    pub file: &'a File,
    pub at: u64,
}

impl io::Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = std::os::unix::fs::FileExt::read_at(self.file, buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

fn letter(difference: Difference) -> &'static str {
    match difference {
        Difference::Change => "c",
        Difference::Create => "+",
        Difference::Extra => "x",
        Difference::KindChange => "k",
        Difference::ModeOnly => "m",
        Difference::Newer => "n",
        Difference::Same => "=",
    }
}
