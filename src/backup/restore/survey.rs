//! Compares an archive with the target: reads the one to its end, and looks at the other.

use std::{
    convert::Infallible,
    fs::File,
    hash::{BuildHasher, RandomState},
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::Path,
};

use super::{
    STAGING,
    changes::{At, Changes},
    request::Overwrite,
    selection::Selection,
    wanting::Wanting,
};
use crate::{
    rules::{
        difference::{Difference, FoundKind, judge, judge_link},
        manifest::{Entry, Flags, Kind, Mtime},
    },
    system::tree::{Seen, Tree, join, shown, split},
};

/// What is compared, and how.
pub(super) struct Question<'a> {
    pub selection: &'a Selection,
    pub wanting: &'a Wanting,
    pub overwrite: Overwrite,
    /// When the archive was made, where somebody has said so.
    pub created: Option<Mtime>,
    /// Where lists take their space.
    pub spool: &'a Path,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Survey {
    pub changes: Changes,
    /// Files that were changed after the archive was made, and that nobody has named: the first of them, and how many.
    pub conflicts: (u64, Vec<String>),
    /// Paths that lie behind a link or file that is not the archive's.
    pub obstacles: Vec<String>,
    /// Entries whose setuid, setgid or sticky bits are taken off.
    pub stripped: u64,
    /// Files on the disk that could not be read, and so count as different.
    pub unread: u64,
}

/// The manifest as it comes out of the archive, with a way back to each entry.
pub(super) struct List {
    out: BufWriter<File>,
    at: u64,
    index: Vec<(u64, u64)>,
    hasher: RandomState,
    youngest: Option<Mtime>,
}

impl List {
    /// An empty list that takes its space in `folder`.
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        let out = BufWriter::new(tempfile::tempfile_in(folder)?);
        Ok(Self { out, at: 0, index: Vec::new(), hasher: RandomState::new(), youngest: None })
    }

    /// Adds the next entry of the archive.
    pub(super) fn add(&mut self, entry: &Entry) -> io::Result<()> {
        let line = entry.to_line();
        self.index.push((self.hasher.hash_one(&entry.path), self.at));
        self.at += line.len() as u64 + 1;
        self.youngest = self.youngest.max(Some(entry.mtime));
        writeln!(self.out, "{line}")
    }

    /// Ends it.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.index.sort_unstable();
        self.out.flush()
    }

    fn has(&self, path: &[u8]) -> bool {
        let hash = self.hasher.hash_one(path);
        self.index.binary_search_by_key(&hash, |(hash, _)| *hash).is_ok()
    }

    /// The entry with this path; where the archive has several, one of them.
    fn find(&self, path: &[u8]) -> io::Result<Option<Entry>> {
        let hash = self.hasher.hash_one(path);
        let from = self.index.partition_point(|(other, _)| *other < hash);
        for (_, at) in self.index[from..].iter().take_while(|(other, _)| *other == hash) {
            let mut line = String::new();
            BufReader::new(At { file: self.out.get_ref(), at: *at }).read_line(&mut line)?;
            let entry = Entry::from_line(line.trim_end()).map_err(|_| damaged())?;
            if entry.path == path {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    fn each(&self, mut each: impl FnMut(Entry) -> io::Result<()>) -> io::Result<()> {
        for line in BufReader::with_capacity(1 << 16, At { file: self.out.get_ref(), at: 0 }).lines() {
            each(Entry::from_line(&line?).map_err(|_| damaged())?)?;
        }
        Ok(())
    }
}

/// Compares every selected entry with the target; `None` where there is no such folder yet.
pub(super) fn survey(list: &List, mut tree: Option<Tree>, question: &Question<'_>) -> io::Result<Survey> {
    let mut survey = Survey {
        changes: Changes::new(question.spool)?,
        conflicts: (0, Vec::new()),
        obstacles: Vec::new(),
        stripped: 0,
        unread: 0,
    };
    // No archive is older than the youngest file in it.
    let created = question.created.or(list.youngest).unwrap_or_default();
    list.each(|entry| {
        if !question.selection.takes(&entry.path, entry.kind == Kind::Directory) {
            return Ok(());
        }
        survey.stripped += u64::from(question.wanting.strips(&entry));
        let difference = match &mut tree {
            None => Difference::Create,
            Some(tree) => {
                if let Some(obstacle) = obstacle(tree, list, question.selection, &entry.path)? {
                    survey.obstacles.push(obstacle);
                }
                compare(tree, list, question, &entry, created, &mut survey.unread)?
            }
        };
        let accepted = question.overwrite == Overwrite::Newer || question.selection.names(&entry.path);
        if difference == Difference::Newer && !accepted {
            survey.conflicts.0 += 1;
            if survey.conflicts.1.len() < 20 {
                survey.conflicts.1.push(shown(&entry.path));
            }
        }
        survey.changes.add(difference, &entry)
    })?;
    if let Some(tree) = &mut tree {
        extras(tree, list, question.selection, &mut survey.changes)?;
    }
    survey.obstacles.dedup();
    survey.changes.finish()?;
    Ok(survey)
}

fn compare(
    tree: &mut Tree,
    list: &List,
    question: &Question<'_>,
    entry: &Entry,
    created: Mtime,
    unread: &mut u64,
) -> io::Result<Difference> {
    let seen = tree.look(&entry.path)?;
    let Kind::HardLink { target } = &entry.kind else {
        return Ok(against(tree, question, entry, seen.as_ref(), created, unread));
    };
    let Some(file) = list.find(target)? else { return Ok(Difference::Create) };
    let own = Entry { path: entry.path.clone(), ..file.clone() };
    let own = against(tree, question, &own, seen.as_ref(), created, unread);
    let other = tree.look(target)?;
    let linked = seen.zip(other.as_ref()).is_some_and(|(a, b)| (a.device, a.inode) == (b.device, b.inode));
    let file = against(tree, question, &file, other.as_ref(), created, unread);
    Ok(judge_link(own, file, linked))
}

fn against(
    tree: &mut Tree,
    question: &Question<'_>,
    entry: &Entry,
    seen: Option<&Seen>,
    created: Mtime,
    unread: &mut u64,
) -> Difference {
    let content = || {
        // What we may not read may well be another content; it is replaced, and kept like all that is.
        Ok::<_, Infallible>(tree.hash(&entry.path).unwrap_or_else(|_| {
            *unread += 1;
            [0; 32]
        }))
    };
    match judge(entry, question.wanting.of(entry), seen.map(|seen| &seen.found), created, content) {
        // Its other names may not be ours: a file of its own takes its place, and theirs stays as it is.
        Ok(Difference::ModeOnly) if seen.is_some_and(|seen| seen.is_shared) => Difference::Change,
        Ok(difference) => difference,
        Err(never) => match never {},
    }
}

/// The first thing on the way to a path that is no folder, unless the archive itself puts a folder there.
fn obstacle(tree: &mut Tree, list: &List, selection: &Selection, path: &[u8]) -> io::Result<Option<String>> {
    let (folder, _) = split(path);
    if tree.folder(folder).is_ok() {
        return Ok(None);
    }
    for end in (0..=folder.len()).filter(|end| folder.get(*end).is_none_or(|byte| *byte == b'/')) {
        let ancestor = &folder[..end];
        match tree.look(ancestor)? {
            None => return Ok(None),
            Some(seen) if matches!(seen.found.kind, FoundKind::Directory { .. }) => {}
            Some(_) if list.has(ancestor) && selection.takes(ancestor, true) => return Ok(None),
            Some(_) => return Ok(Some(shown(ancestor))),
        }
    }
    Ok(None)
}

/// What is in the archive's own folders and not in the archive.
fn extras(tree: &mut Tree, list: &List, selection: &Selection, changes: &mut Changes) -> io::Result<()> {
    list.each(|entry| {
        if entry.kind != Kind::Directory || !selection.takes(&entry.path, true) {
            return Ok(());
        }
        let mut names = match tree.names(&entry.path) {
            // Not there, or not a folder, or not to be read: then nothing can be said about it.
            Err(_) => return Ok(()),
            Ok(names) => names,
        };
        names.sort();
        for path in names.iter().map(|name| join(&entry.path, name)) {
            if list.has(&path) || split(&path).1.starts_with(STAGING.as_bytes()) {
                continue;
            }
            if let Some(seen) = tree.look(&path)? {
                changes.add(Difference::Extra, &as_entry(path, &seen))?;
            }
        }
        Ok(())
    })
}

/// What is on the disk, in the words of a manifest; its content does not matter.
fn as_entry(path: Vec<u8>, seen: &Seen) -> Entry {
    let found = &seen.found;
    let kind = match &found.kind {
        FoundKind::Directory { .. } => Kind::Directory,
        FoundKind::File { size } => Kind::File { size: *size, sha256: [0; 32] },
        FoundKind::Other => Kind::File { size: 0, sha256: [0; 32] },
        FoundKind::Symlink { target } => Kind::Symlink { target: target.clone() },
    };
    let (mode, uid, gid, mtime) = (found.mode, found.uid, found.gid, found.mtime);
    Entry { path, kind, mode, uid, gid, user: None, group: None, mtime, flags: Flags::default() }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the plan's list is damaged")
}
