//! What a restore is about to do to the target, written down and flushed before the first step is taken.
//!
//! A step names the inode that is put in place and the one that it replaces. Which steps have been taken is then seen on
//! the disk itself, at any time and after any crash: there is no counter that could be behind.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::PathBuf,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    rules::manifest::Mtime,
    system::tree::{Attributes, Seen},
};

/// Raised when a field changes its meaning or goes.
const SCHEMA: u32 = 1;

/// The first line of a journal.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Header {
    pub schema: u32,
    /// The name of the staging folders.
    pub folder: String,
    /// The archive that is restored, for people.
    pub archive: String,
    /// The target, for people and for the state folder.
    pub target: PathBuf,
    /// Whether the restore made the target itself.
    pub made_target: bool,
    /// Whether setuid, setgid and sticky bits came back.
    pub privileged: bool,
    /// The folders in which there are staging folders: the target (an empty path) and what is mounted in it.
    pub yards: Vec<Bytes>,
}

/// One step.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub(super) enum Step {
    /// Attributes of a file whose content stays.
    Attributes { path: Bytes, inode: u64, old: Looks, new: Looks },
    /// Attributes of a folder in which something changes; last of all, because every other step touches its time.
    Folder { path: Bytes, inode: u64, old: Looks, new: Option<Looks> },
    /// What is staged takes the path.
    Place {
        path: Bytes,
        /// Where it is staged, and where what it replaces stays afterwards.
        staged: Bytes,
        /// Where what it replaces waits, on file systems that cannot exchange two names in one step.
        aside: Bytes,
        inode: u64,
        /// What it replaces.
        was: Option<Was>,
    },
    /// The last line: a journal without it was not finished, and nothing of it was done.
    End { steps: u64 },
}

/// What a step replaces.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Was {
    pub inode: u64,
    /// Its time, as it was when the plan was made; `None` for a folder, whose time says little.
    pub mtime: Option<Time>,
}

/// Attributes as a journal keeps them.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Looks {
    pub mode: u32,
    pub uid: u64,
    pub gid: u64,
    pub mtime: Time,
}

/// Seconds and nanoseconds.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(super) struct Time(i64, u32);

/// A path in JSON: text where it is UTF-8, else base64.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Bytes(pub Vec<u8>);

/// Writes a journal.
pub(super) struct Writer {
    out: BufWriter<File>,
    steps: u64,
}

impl Writer {
    /// Begins a journal.
    pub(super) fn new(file: File, header: &Header) -> io::Result<Self> {
        let mut writer = Self { out: BufWriter::new(file), steps: 0 };
        writer.line(header)?;
        Ok(writer)
    }

    /// Adds a step.
    pub(super) fn add(&mut self, step: &Step) -> io::Result<()> {
        self.steps += 1;
        self.line(step)
    }

    /// Ends it, and flushes it to the disk.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let steps = self.steps;
        self.line(&Step::End { steps })?;
        self.out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }

    fn line(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        self.out.write_all(b"\n")
    }
}

impl Header {
    /// A header of this version.
    pub(super) fn new(folder: &[u8], archive: &str, target: PathBuf) -> Self {
        Self {
            schema: SCHEMA,
            folder: String::from_utf8_lossy(folder).into_owned(),
            archive: archive.to_owned(),
            target,
            made_target: false,
            privileged: false,
            yards: vec![Bytes(Vec::new())],
        }
    }

    /// The paths of the yards.
    pub(super) fn yards(&self) -> Vec<Vec<u8>> {
        self.yards.iter().map(|yard| yard.0.clone()).collect()
    }

    /// Reads the first line.
    pub(super) fn read(file: File) -> io::Result<Self> {
        Ok(open(file)?.0)
    }
}

/// Reads the steps of a whole journal, one after another.
pub(super) fn steps(file: File) -> io::Result<impl Iterator<Item = io::Result<Step>>> {
    let mut lines = open(file)?.1.lines();
    let mut seen = 0;
    let mut over = false;
    Ok(std::iter::from_fn(move || {
        if over {
            return None;
        }
        let step = match lines.next() {
            Some(line) => line.and_then(|line| Ok(serde_json::from_str(&line)?)),
            None => Err(wrong("the restore's journal has no end")),
        };
        match step {
            Ok(Step::End { steps }) if steps == seen => None,
            Ok(Step::End { .. }) => {
                over = true;
                Some(Err(wrong("the restore's journal lacks steps")))
            }
            step => {
                over = step.is_err();
                seen += 1;
                Some(step)
            }
        }
    }))
}

fn open(file: File) -> io::Result<(Header, BufReader<File>)> {
    let mut reader = BufReader::new(file);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let header: Header = serde_json::from_str(&line)?;
    if header.schema == SCHEMA {
        Ok((header, reader))
    } else {
        Err(wrong("the restore's journal was written by another version of mainstay"))
    }
}

fn wrong(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

impl From<Mtime> for Time {
    fn from(time: Mtime) -> Self {
        Self(time.seconds, time.nanos)
    }
}

impl From<Time> for Mtime {
    fn from(Time(seconds, nanos): Time) -> Self {
        Self { seconds, nanos }
    }
}

impl From<&Seen> for Looks {
    fn from(seen: &Seen) -> Self {
        let found = &seen.found;
        Self { mode: found.mode, uid: found.uid, gid: found.gid, mtime: found.mtime.into() }
    }
}

impl From<Looks> for Attributes {
    fn from(looks: Looks) -> Self {
        Self { mode: looks.mode, owner: Some((looks.uid, looks.gid)), mtime: Some(looks.mtime.into()) }
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A zero byte is in no path, so it tells the two ways apart.
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.serialize_str(&format!("\0{}", BASE64_STANDARD.encode(&self.0))),
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.strip_prefix('\0') {
            Some(encoded) => BASE64_STANDARD.decode(encoded).map(Self).map_err(serde::de::Error::custom),
            None => Ok(Self(text.into_bytes())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Seek;

    use super::*;

    fn journal(steps: &[Step]) -> File {
        let file = tempfile::tempfile().unwrap();
        let header = Header::new(b".mainstay-restore-1", "a", "/srv".into());
        let mut writer = Writer::new(file.try_clone().unwrap(), &header).unwrap();
        for step in steps {
            writer.add(step).unwrap();
        }
        writer.finish().unwrap();
        rewound(&file)
    }

    fn rewound(file: &File) -> File {
        let mut file = file.try_clone().unwrap();
        file.rewind().unwrap();
        file
    }

    fn place() -> Step {
        let bytes = |path: &[u8]| Bytes(path.to_vec());
        Step::Place {
            path: bytes(b"a\xff\n"),
            staged: bytes(b"new/a"),
            aside: bytes("ä".as_bytes()),
            inode: 7,
            was: Some(Was { inode: 8, mtime: Some(Time(-1, 5)) }),
        }
    }

    #[test]
    fn steps_are_read_back_with_names_of_any_bytes() {
        let file = journal(&[place(), place()]);
        let read: Vec<_> = steps(rewound(&file)).unwrap().map(Result::unwrap).collect();
        assert_eq!(read, [place(), place()]);
        assert_eq!(Header::read(rewound(&file)).unwrap().archive, "a");
    }

    #[test]
    fn a_journal_that_was_cut_anywhere_is_noticed() {
        let file = journal(&[place(), place()]);
        let length = file.metadata().unwrap().len();
        for cut in 0..length - 1 {
            file.set_len(cut).unwrap();
            let read = steps(rewound(&file)).and_then(Iterator::collect::<io::Result<Vec<_>>>);
            assert!(read.is_err(), "cut at {cut}");
            file.set_len(length).unwrap();
            let fresh = journal(&[place(), place()]);
            io::copy(&mut rewound(&fresh), &mut rewound(&file)).unwrap();
        }
    }
}
