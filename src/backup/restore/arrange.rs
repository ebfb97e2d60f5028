//! From what is staged to a journal: the fewest steps that put all of it in place.
//!
//! What the target lacks is put there whole, a folder with everything in it. So a fresh target takes as many steps as the
//! archive has names at its top.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map},
    fs::File,
    io,
    path::Path,
};

use super::{
    changes::Changes,
    journal::{Bytes, Header, Looks, Step, Was, Writer},
    spool::Spool,
    stage::{NEW, OLD, Stage},
    wanting::Wanting,
};
use crate::{
    rules::{
        difference::{Difference, FoundKind, Wanted},
        manifest::{Entry, Kind},
    },
    system::tree::{Attributes, Ground, Seen, Tree, join, split},
};

/// A stage that is being made into a journal.
pub(super) struct Arranging<'a> {
    stage: &'a mut Stage,
    wanting: &'a Wanting,
    /// Folders that are put in place whole: what is in them is not mentioned again.
    placed: BTreeSet<Vec<u8>>,
    /// What has to be put in place, with what it replaces.
    places: Spool<(Bytes, Option<Was>)>,
    /// Files whose attributes are set.
    attributes: Spool<Step>,
    /// What the archive says of folders that are there.
    folders: HashMap<Vec<u8>, (Wanted, Entry)>,
    /// Folders of the target in which something changes, as they were.
    touched: BTreeMap<Vec<u8>, Seen>,
}

/// Why nothing could be arranged.
#[derive(Debug)]
pub(super) enum Obstacle {
    /// The target is not as it was when the plan was made.
    Changed(Vec<u8>),
    /// The system refused.
    System(io::Error),
}

impl<'a> Arranging<'a> {
    /// Nothing yet. `before` is the target as it was before the staging folder was made in it, `room` where long lists are
    /// put away.
    pub(super) fn new(stage: &'a mut Stage, wanting: &'a Wanting, before: Seen, room: &Path) -> io::Result<Self> {
        Ok(Self {
            stage,
            wanting,
            placed: BTreeSet::new(),
            places: Spool::new(room)?,
            attributes: Spool::new(room)?,
            folders: HashMap::new(),
            touched: BTreeMap::from([(Vec::new(), before)]),
        })
    }

    /// Puts everything in place that is staged: for a target in which nothing is.
    pub(super) fn everything(&mut self) -> Result<(), Obstacle> {
        let new = self.stage.path(0, NEW);
        let mut names = self.stage.tree.names(&new)?;
        names.sort();
        for name in names {
            self.place(&name)?;
        }
        Ok(())
    }

    /// Puts what the plan has chosen in place, and sets attributes where nothing else is to be done.
    pub(super) fn chosen(&mut self, changes: &Changes) -> Result<(), Obstacle> {
        let mut failed = None;
        changes
            .each(|difference, entry| {
                let done = match difference {
                    Difference::Change | Difference::Create | Difference::KindChange | Difference::Newer => {
                        self.place(&entry.path)
                    }
                    Difference::ModeOnly => self.attributes(&entry),
                    Difference::Same if entry.kind == Kind::Directory => self.know(entry),
                    Difference::Extra | Difference::Same => Ok(()),
                };
                done.map_err(|obstacle| {
                    failed = Some(obstacle);
                    io::ErrorKind::Other.into()
                })
            })
            .map_err(|error| failed.take().unwrap_or(Obstacle::System(error)))
    }

    /// Writes the journal.
    pub(super) fn write(self, file: File, mut header: Header) -> Result<Written, Obstacle> {
        let mut yards: HashMap<Ground, usize> = HashMap::from([(self.stage.tree.ground(b"")?, 0)]);
        let Self { mut places, mut attributes, stage, folders, mut touched, .. } = self;
        // The header names all yards, so they are looked for before the first step is written.
        let mut replaces = false;
        for place in places.read()? {
            let (path, was) = place?;
            replaces |= was.is_some();
            let folder = split(&path.0).0;
            let ground = stage.tree.ground(folder)?;
            if let hash_map::Entry::Vacant(vacant) = yards.entry(ground) {
                let top = mounted_at(&mut stage.tree, folder, ground)?;
                vacant.insert(stage.yards.len());
                touch(&mut touched, &mut stage.tree, &top)?;
                stage.add_yard(&top)?;
            }
        }
        header.yards = stage.yards.iter().cloned().map(Into::into).collect();
        let mut writer = Writer::new(file, &header)?;
        for (at, place) in places.read()?.enumerate() {
            let (path, was) = place?;
            let yard = yards[&stage.tree.ground(split(&path.0).0)?];
            let mut staged = join(&stage.path(0, NEW), &path.0);
            if yard > 0 {
                let there = join(&stage.path(yard, NEW), at.to_string().as_bytes());
                copy(&mut stage.tree, &staged, &there)?;
                staged = there;
            }
            let aside = join(&stage.path(yard, OLD), at.to_string().as_bytes());
            let inode = stage.tree.look(&staged)?.ok_or_else(|| Obstacle::Changed(path.0.clone()))?.inode;
            writer.add(&Step::Place { path, staged: staged.into(), aside: aside.into(), inode, was })?;
        }
        for step in attributes.read()? {
            writer.add(&step?)?;
        }
        for (path, seen) in touched {
            let new = folders.get(&path).map(|(wanted, entry)| looks(*wanted, entry, &seen));
            writer.add(&Step::Folder { path: path.into(), inode: seen.inode, old: (&seen).into(), new })?;
        }
        writer.finish()?;
        Ok(Written { header, replaces })
    }

    /// Puts what is staged under a path in place, or the outermost folder around it that the target lacks.
    fn place(&mut self, path: &[u8]) -> Result<(), Obstacle> {
        for end in path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at) {
            let ancestor = &path[..end];
            if self.placed.contains(ancestor) {
                return Ok(());
            }
            if self.touched.contains_key(ancestor) || self.folders.contains_key(ancestor) {
                continue;
            }
            match self.stage.tree.look(ancestor)? {
                None => {
                    self.placed.insert(ancestor.to_vec());
                    return self.add(ancestor, None);
                }
                Some(seen) if matches!(seen.found.kind, FoundKind::Directory { .. }) => {}
                Some(_) => return Err(Obstacle::Changed(ancestor.to_vec())),
            }
        }
        if self.placed.contains(path) {
            return Ok(());
        }
        let staged = join(&self.stage.path(0, NEW), path);
        let staged = self.stage.tree.look(&staged)?.ok_or_else(|| Obstacle::Changed(path.to_vec()))?;
        if matches!(staged.found.kind, FoundKind::Directory { .. }) {
            self.placed.insert(path.to_vec());
        }
        let was = self.stage.tree.look(path)?;
        self.add(path, was.as_ref().map(Was::of))
    }

    fn add(&mut self, path: &[u8], was: Option<Was>) -> Result<(), Obstacle> {
        self.touch(split(path).0)?;
        Ok(self.places.add(&(path.to_vec().into(), was))?)
    }

    fn touch(&mut self, folder: &[u8]) -> Result<(), Obstacle> {
        touch(&mut self.touched, &mut self.stage.tree, folder)
    }

    fn know(&mut self, entry: Entry) -> Result<(), Obstacle> {
        self.folders.insert(entry.path.clone(), (self.wanting.of(&entry), entry));
        Ok(())
    }

    fn attributes(&mut self, entry: &Entry) -> Result<(), Obstacle> {
        if entry.kind == Kind::Directory {
            self.touch(&entry.path)?;
            return self.know(entry.clone());
        }
        let seen = self.stage.tree.look(&entry.path)?.ok_or_else(|| Obstacle::Changed(entry.path.clone()))?;
        let new = looks(self.wanting.of(entry), entry, &seen);
        let (path, inode, old) = (entry.path.clone().into(), seen.inode, (&seen).into());
        Ok(self.attributes.add(&Step::Attributes { path, inode, old, new })?)
    }
}

/// A journal that was written.
pub(super) struct Written {
    pub header: Header,
    /// Whether something is replaced that must be kept.
    pub replaces: bool,
}

/// Notes how a folder is, before something changes in it.
fn touch(touched: &mut BTreeMap<Vec<u8>, Seen>, tree: &mut Tree, folder: &[u8]) -> Result<(), Obstacle> {
    if !touched.contains_key(folder) {
        let seen = tree.look(folder)?;
        let seen = seen.filter(|seen| matches!(seen.found.kind, FoundKind::Directory { .. }));
        let seen = seen.ok_or_else(|| Obstacle::Changed(folder.to_vec()))?;
        touched.insert(folder.to_vec(), seen);
    }
    Ok(())
}

fn looks(wanted: Wanted, entry: &Entry, seen: &Seen) -> Looks {
    let (uid, gid) = wanted.owner.unwrap_or((seen.found.uid, seen.found.gid));
    Looks { mode: wanted.mode, uid, gid, mtime: entry.mtime.into() }
}

/// The outermost folder around a path that is on the same file system: where it is mounted.
fn mounted_at(tree: &mut Tree, folder: &[u8], ground: Ground) -> io::Result<Vec<u8>> {
    let mut top = folder;
    while !top.is_empty() && tree.ground(split(top).0)? == ground {
        top = split(top).0;
    }
    Ok(top.to_vec())
}

/// Copies what is staged to another file system, with its attributes, and flushes it there.
fn copy(tree: &mut Tree, from: &[u8], to: &[u8]) -> io::Result<()> {
    let seen = tree.look(from)?.ok_or(io::ErrorKind::NotFound)?;
    match &seen.found.kind {
        FoundKind::Directory { .. } => {
            tree.create_folder(to, 0o700)?;
            for name in tree.names(from)? {
                copy(tree, &join(from, &name), &join(to, &name))?;
            }
        }
        FoundKind::File { .. } => {
            let (mut old, mut new) = (tree.file(from)?, tree.create(to, 0o600)?);
            io::copy(&mut old, &mut new)?;
        }
        FoundKind::Symlink { target } => tree.create_link(to, target)?,
        FoundKind::Other => return Err(io::ErrorKind::InvalidData.into()),
    }
    let attributes = seen.attributes();
    // Without root, to give it to oneself is no error, and to anybody else nobody asked for.
    let owner = attributes.owner.filter(|_| rustix::process::geteuid().is_root());
    tree.set(to, &Attributes { owner, ..attributes })
}

impl From<io::Error> for Obstacle {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}
