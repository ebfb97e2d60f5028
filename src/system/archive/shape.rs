//! Whether the paths of an archive can stand beside each other: nothing below a file or a link, no link to what is not there.
//!
//! A restore finds that out on the disk; a check of a million entries must do it in little memory, so it keeps eight bytes of
//! each path, hashed with a key that an attacker does not know.

use std::hash::{BuildHasher, RandomState};

use super::{
    Damage,
    damage::hostile,
    entries::{parted, shown},
};
use crate::rules::manifest::{Entry, Kind};

/// What is known of the paths so far.
#[derive(Default)]
pub(super) struct Shape {
    key: RandomState,
    /// Everything that is no folder, in the order of the archive.
    things: Vec<u64>,
    /// Every folder: those that have an entry, and those that the paths of others go through.
    folders: Vec<u64>,
    /// Hard links: how many things came before, the target's hash, and for a message the path.
    links: Vec<(usize, u64, Box<[u8]>)>,
    /// The folder of the entry before, which most entries share.
    last: Vec<u8>,
}

impl Shape {
    pub(super) fn add(&mut self, entry: &Entry) {
        match &entry.kind {
            Kind::Directory => self.folder(&entry.path),
            Kind::File { .. } | Kind::Symlink { .. } => self.things.push(self.key.hash_one(&entry.path)),
            Kind::HardLink { target } => {
                self.links.push((self.things.len(), self.key.hash_one(target), entry.path.as_slice().into()));
                self.things.push(self.key.hash_one(&entry.path));
            }
        }
        let (folder, _) = parted(&entry.path);
        if folder != self.last {
            self.folder(folder);
            self.last.clear();
            self.last.extend_from_slice(folder);
        }
    }

    /// Notes a folder and those it is in, up to one that the entry before is in too.
    fn folder(&mut self, path: &[u8]) {
        let mut path = path;
        while !path.is_empty() && !is_below(&self.last, path) {
            self.folders.push(self.key.hash_one(path));
            path = parted(path).0;
        }
    }

    /// Judges them all.
    pub(super) fn judge(self) -> Result<(), Damage> {
        let Self { things, folders, links, .. } = self;
        let mut places: Vec<(u64, usize)> = things.into_iter().enumerate().map(|(at, thing)| (thing, at)).collect();
        places.sort_unstable();
        let first = |hash: u64| {
            let at = places.partition_point(|(thing, _)| *thing < hash);
            places.get(at).filter(|(thing, _)| *thing == hash).map(|(_, at)| *at)
        };
        if folders.into_iter().any(|folder| first(folder).is_some()) {
            return Err(hostile("it wants to write through a file or a link as if that were a folder"));
        }
        for (before, target, path) in links {
            if first(target).is_none_or(|at| at >= before) {
                return Err(hostile(format!("the hard link `{}` leads to nothing that comes before it", shown(&path))));
            }
        }
        Ok(())
    }
}

/// Whether `path` is `folder` or inside of it.
fn is_below(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::manifest::{Flags, Mtime};

    fn judge(entries: &[(&str, Kind)]) -> bool {
        let mut shape = Shape::default();
        for (path, kind) in entries {
            let (path, kind) = (path.as_bytes().to_vec(), kind.clone());
            let (mtime, flags) = (Mtime::default(), Flags::default());
            shape.add(&Entry { path, kind, mode: 0, uid: 0, gid: 0, user: None, group: None, mtime, flags });
        }
        shape.judge().is_ok()
    }

    #[test]
    fn backup_case_30_what_goes_through_a_link_or_a_file_is_found_without_a_disk() {
        let file = || Kind::File { size: 0, sha256: [0; 32] };
        let link = || Kind::Symlink { target: b"/etc".to_vec() };
        let hard = |target: &str| Kind::HardLink { target: target.into() };
        for (good, entries) in [
            (true, vec![("a", Kind::Directory), ("a/b", file()), ("c", link()), ("d", hard("a/b")), ("e", hard("c"))]),
            (true, vec![("a/b", file()), ("a/b", file()), ("a", Kind::Directory), ("ab", file())]),
            (false, vec![("a", link()), ("a/b", file())]),
            (false, vec![("a/b/c", file()), ("a", link())]),
            (false, vec![("a", file()), ("a", Kind::Directory)]),
            (false, vec![("x/y", file()), ("x/y/z/w", Kind::Directory)]),
            (false, vec![("a", hard("b")), ("b", file())]),
            (false, vec![("a", hard("a"))]),
            (false, vec![("d", Kind::Directory), ("a", hard("d"))]),
        ] {
            assert_eq!(judge(&entries), good, "{entries:?}");
        }
    }
}
