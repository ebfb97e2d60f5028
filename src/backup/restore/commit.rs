//! The steps of a journal, taken or taken back. Both may be cut off anywhere and begun again, in either direction.

use std::{collections::HashSet, io};

use super::journal::{Bytes, Looks, Step, Was};
use crate::{
    rules::difference::FoundKind,
    system::tree::{Seen, Tree, shown},
};

/// Why a step could not be taken.
#[derive(Debug)]
pub(super) enum Stuck {
    /// The target is not as it was when the plan was made, or when the restore ended: the path.
    Changed(Vec<u8>),
    /// The system refused.
    System(Vec<u8>, io::Error),
}

/// Called before every change of the target; an error ends the run there, as a crash would.
pub(super) type Gate<'a> = &'a mut dyn FnMut() -> io::Result<()>;

/// Takes every step that has not been taken.
pub(super) fn forward(
    tree: &mut Tree,
    steps: impl Iterator<Item = io::Result<Step>>,
    gate: Gate<'_>,
) -> Result<(), Stuck> {
    for step in steps {
        match step.map_err(|error| Stuck::System(Vec::new(), error))? {
            Step::Attributes { path, inode, old, new } => change(tree, &path.0, inode, [old, new], gate)?,
            Step::Folder { path, inode, new: Some(new), .. } => {
                // Others may work in the folder, which touches its time: only whether it is the same one counts.
                let seen = look(tree, &path.0)?.filter(|seen| seen.inode == inode);
                let seen = seen.ok_or_else(|| Stuck::Changed(path.0.clone()))?;
                if Looks::from(&seen) != new {
                    act(&path.0, gate, || tree.set(&path.0, &new.into()))?;
                }
            }
            Step::Folder { .. } | Step::End { .. } => {}
            Step::Place { path, staged, aside, inode, was } => {
                Placing { path: &path.0, staged: &staged.0, aside: &aside.0, inode, was }.forward(tree, gate)?;
            }
        }
    }
    Ok(())
}

/// Takes back every step that has been taken. `touched` are folders in which others have worked since; their time stays.
pub(super) fn back(
    tree: &mut Tree,
    steps: impl Iterator<Item = io::Result<Step>>,
    touched: &HashSet<Vec<u8>>,
    gate: Gate<'_>,
) -> Result<(), Stuck> {
    for step in steps {
        match step.map_err(|error| Stuck::System(Vec::new(), error))? {
            Step::Attributes { path, inode, old, new } => change(tree, &path.0, inode, [new, old], gate)?,
            Step::Folder { path, inode, old, .. } => {
                let seen = look(tree, &path.0)?.filter(|seen| seen.inode == inode);
                let Some(seen) = seen else { continue };
                let mtime = if touched.contains(&path.0) { seen.found.mtime.into() } else { old.mtime };
                let old = Looks { mtime, ..old };
                if Looks::from(&seen) != old {
                    act(&path.0, gate, || tree.set(&path.0, &old.into()))?;
                }
            }
            Step::End { .. } => {}
            Step::Place { path, staged, aside, inode, was } => {
                Placing { path: &path.0, staged: &staged.0, aside: &aside.0, inode, was }.back(tree, gate)?;
            }
        }
    }
    Ok(())
}

/// Whether what a step has put in place is still exactly that; `after` is when the restore ended, by the file system's own
/// clock.
pub(super) fn is_untouched(
    tree: &mut Tree,
    step: &Step,
    after: Option<crate::rules::manifest::Mtime>,
) -> io::Result<bool> {
    let (path, inode) = match step {
        Step::Attributes { path, inode, .. } | Step::Place { path, inode, .. } => (path, *inode),
        Step::Folder { .. } | Step::End { .. } => return Ok(true),
    };
    let Some(seen) = tree.look(&path.0)?.filter(|seen| seen.inode == inode) else { return Ok(false) };
    let Some(after) = after else { return Ok(true) };
    is_older(tree, &path.0, &seen, after)
}

/// Whether nothing about it, nor about anything in it, has changed since.
fn is_older(tree: &mut Tree, path: &[u8], seen: &Seen, after: crate::rules::manifest::Mtime) -> io::Result<bool> {
    if seen.found.ctime >= after {
        return Ok(false);
    }
    if !matches!(seen.found.kind, FoundKind::Directory { empty: false }) {
        return Ok(true);
    }
    for name in tree.names(path)? {
        let inner = crate::system::tree::join(path, &name);
        let Some(seen) = tree.look(&inner)? else { return Ok(false) };
        if !is_older(tree, &inner, &seen, after)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A step that puts something in place.
struct Placing<'a> {
    path: &'a [u8],
    staged: &'a [u8],
    aside: &'a [u8],
    inode: u64,
    was: Option<Was>,
}

impl Placing<'_> {
    fn forward(&self, tree: &mut Tree, gate: Gate<'_>) -> Result<(), Stuck> {
        let live = look(tree, self.path)?;
        if has(live.as_ref(), self.inode) {
            return Ok(());
        }
        if !has(look(tree, self.staged)?.as_ref(), self.inode) {
            return Err(self.changed());
        }
        match (self.was, live) {
            (None, None) => act(self.path, gate, || tree.rename(self.staged, self.path)),
            (Some(was), Some(live)) if was.is(&live) => self.exchange(tree, was, gate),
            // The first of two steps was taken.
            (Some(was), None) if has(look(tree, self.aside)?.as_ref(), was.inode) => {
                act(self.path, gate, || tree.rename(self.staged, self.path))
            }
            _ => Err(self.changed()),
        }
    }

    fn exchange(&self, tree: &mut Tree, was: Was, gate: Gate<'_>) -> Result<(), Stuck> {
        match act(self.path, gate, || tree.exchange(self.staged, self.path)) {
            Err(Stuck::System(_, error)) if error.kind() == io::ErrorKind::Unsupported => {
                act(self.path, gate, || tree.rename(self.path, self.aside))?;
                return act(self.path, gate, || tree.rename(self.staged, self.path));
            }
            other => other?,
        }
        // Somebody may have been faster than we between the look and the exchange.
        if look(tree, self.staged)?.is_some_and(|seen| was.is(&seen)) {
            return Ok(());
        }
        act(self.path, gate, || tree.exchange(self.staged, self.path))?;
        Err(self.changed())
    }

    fn back(&self, tree: &mut Tree, gate: Gate<'_>) -> Result<(), Stuck> {
        let live = look(tree, self.path)?;
        if has(live.as_ref(), self.inode) {
            return match self.was {
                None => act(self.path, gate, || tree.rename(self.path, self.staged)),
                Some(was) if has(look(tree, self.staged)?.as_ref(), was.inode) => {
                    act(self.path, gate, || tree.exchange(self.path, self.staged))
                }
                Some(was) if has(look(tree, self.aside)?.as_ref(), was.inode) => {
                    act(self.path, gate, || tree.rename(self.path, self.staged))?;
                    act(self.path, gate, || tree.rename(self.aside, self.path))
                }
                Some(_) => Err(self.changed()),
            };
        }
        match (self.was, live) {
            (Some(was), Some(live)) if live.inode == was.inode => Ok(()),
            (Some(was), None) if has(look(tree, self.aside)?.as_ref(), was.inode) => {
                act(self.path, gate, || tree.rename(self.aside, self.path))
            }
            (None, _) if has(look(tree, self.staged)?.as_ref(), self.inode) => Ok(()),
            _ => Err(self.changed()),
        }
    }

    fn changed(&self) -> Stuck {
        Stuck::Changed(self.path.to_vec())
    }
}

impl Was {
    /// What has a path now.
    pub(super) fn of(seen: &Seen) -> Self {
        let is_folder = matches!(seen.found.kind, FoundKind::Directory { .. });
        Self { inode: seen.inode, mtime: (!is_folder).then(|| seen.found.mtime.into()) }
    }

    fn is(self, seen: &Seen) -> bool {
        self.inode == seen.inode && self.mtime.is_none_or(|mtime| mtime == seen.found.mtime.into())
    }
}

/// Sets attributes of a file that is as it should be before or after; a crash may have left some of each.
fn change(tree: &mut Tree, path: &[u8], inode: u64, [from, to]: [Looks; 2], gate: Gate<'_>) -> Result<(), Stuck> {
    let Some(seen) = look(tree, path)?.filter(|seen| seen.inode == inode) else {
        return Err(Stuck::Changed(path.to_vec()));
    };
    let now = Looks::from(&seen);
    let known = |part: fn(&Looks) -> (u64, u64)| part(&now) == part(&from) || part(&now) == part(&to);
    let same_owner = known(|looks| (looks.uid, looks.gid));
    // To give a file away takes its setuid and setgid bits.
    let same_mode = known(|looks| ((looks.mode & 0o1777).into(), 0));
    if !same_owner || !same_mode || ![from.mtime, to.mtime].contains(&now.mtime) {
        return Err(Stuck::Changed(path.to_vec()));
    }
    if now == to { Ok(()) } else { act(path, gate, || tree.set(path, &to.into())) }
}

fn look(tree: &mut Tree, path: &[u8]) -> Result<Option<Seen>, Stuck> {
    tree.look(path).map_err(|error| Stuck::System(path.to_vec(), error))
}

fn has(seen: Option<&Seen>, inode: u64) -> bool {
    seen.is_some_and(|seen| seen.inode == inode)
}

fn act(path: &[u8], gate: Gate<'_>, action: impl FnOnce() -> io::Result<()>) -> Result<(), Stuck> {
    gate().and_then(|()| action()).map_err(|error| Stuck::System(path.to_vec(), error))
}

impl std::fmt::Display for Stuck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Changed(path) => write!(f, "`{}` was changed by somebody else", shown(path)),
            Self::System(path, error) if path.is_empty() => write!(f, "{error}"),
            Self::System(path, error) => write!(f, "`{}`: {error}", shown(path)),
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(path: Vec<u8>) -> Self {
        Self(path)
    }
}
