//! The sources of a backup, one after the other: sorted in each folder, a folder before what is in it, with memory for the
//! folders that are open and nothing more.
//!
//! Nothing is opened by its path: each folder is opened from the one that it is in, so that a folder which is moved away
//! meanwhile does not change what the rest of the walk sees.

use std::{
    ffi::{CStr, CString, OsStr},
    fmt,
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Component, Path},
};

use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat, statat},
    io::Errno,
};

use super::{
    Oddity, Recipe,
    names::Names,
    notes::Notes,
    selection::{Selection, Verdict},
};
use crate::{
    error::{Error, Kind, Result},
    rules::manifest,
    system::{Cancel, file},
};

/// Longer paths cannot be named to the system, so no restore could bring them back.
const LONGEST_PATH: usize = 4096;

/// Something that goes into the archive.
pub(super) struct Found<'a> {
    /// From the root of the backup.
    pub(super) path: &'a [u8],
    /// What the system said when it was found.
    pub(super) stat: &'a Stat,
    /// What it is.
    pub(super) what: What,
    /// Whether an entry of `include` names it, without wildcards.
    pub(super) named: bool,
    folder: BorrowedFd<'a>,
    name: &'a CStr,
    followed: bool,
}

/// What goes into an archive.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum What {
    /// A folder.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link, and where it leads.
    Symlink(Vec<u8>),
}

impl Found<'_> {
    /// Opens it for reading. A pipe or a device that took the file's place meanwhile blocks nobody, and a link that did
    /// is not followed.
    pub(super) fn open(&self) -> io::Result<File> {
        let mut flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        flags.set(OFlags::NOFOLLOW, !self.followed);
        Ok(File::from(openat(self.folder, self.name, flags, Mode::empty())?))
    }
}

/// Who is told what is found, and may add to the notes.
pub(super) type Visit<'a> = &'a mut dyn FnMut(&Found<'_>, &mut Notes) -> Result<()>;

/// The walk of one recipe.
pub(super) struct Walk<'a> {
    recipe: &'a Recipe,
    cancel: &'a Cancel,
    selection: Selection,
    notes: Notes,
    /// Folders that are never entered.
    never: Vec<Identity>,
    /// Files that come from elsewhere.
    extra: Vec<Identity>,
    /// The folders from the root down to the one that is being read.
    frames: Vec<Frame>,
}

/// How the file system knows a file: its device and its inode.
pub(super) type Identity = (u64, u64);

/// The identity that this tells.
pub(super) fn identity(stat: &Stat) -> Identity {
    (stat.st_dev, stat.st_ino)
}

/// A folder that is being read.
struct Frame {
    folder: OwnedFd,
    names: Names,
    /// How long the folder's own path is.
    length: usize,
    stat: Stat,
    kept: bool,
    /// Whether it was visited itself: one that is only searched is visited when something is found in it.
    visited: bool,
}

/// What a name stands for.
struct Sight {
    stat: Stat,
    /// It is a link, and this is what it leads to.
    followed: bool,
    /// It is a link that should be followed, and cannot be.
    dangling: Option<Errno>,
}

impl<'a> Walk<'a> {
    /// Opens the root.
    ///
    /// # Errors
    ///
    /// The root cannot be read or is a destination, or a pattern is none.
    pub(super) fn new(recipe: &'a Recipe, cancel: &'a Cancel) -> Result<Self> {
        let selection = Selection::new(recipe)?;
        let trouble = |why: &dyn fmt::Display| {
            Error::new(Kind::Failed, format!("read the root of the backup, `{}`", recipe.root.display())).because(why)
        };
        let unreadable =
            |error: Errno| trouble(&file::why(&error.into())).hint("set `root` to a folder that this user can read");
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(CWD, &recipe.root, flags, Mode::empty()).map_err(unreadable)?;
        let (names, read) = Names::read(folder.as_fd());
        read.map_err(unreadable)?;
        let stat = fstat(&folder).map_err(unreadable)?;
        // A destination that is not there yet has nothing in it that could be found.
        let never = recipe.never.iter().filter_map(|path| rustix::fs::stat(path).ok());
        let never: Vec<_> = never.map(|stat| identity(&stat)).collect();
        if never.contains(&identity(&stat)) {
            return Err(trouble(&"it is a destination of this backup")
                .hint("name a folder outside of it in `to`, best on another disk"));
        }
        let extra = recipe.extra.iter().map(|extra| fstat(&extra.file).map(|stat| identity(&stat)));
        let extra = extra.collect::<Result<_, _>>().map_err(unreadable)?;
        let frames = vec![Frame { folder, names, length: 0, stat, kept: false, visited: true }];
        Ok(Self { recipe, cancel, selection, notes: Notes::default(), never, extra, frames })
    }

    /// Walks to the end, and tells what it found odd.
    ///
    /// # Errors
    ///
    /// The operator wants the run to end, or what `visit` said.
    pub(super) fn run(&mut self, visit: Visit<'_>) -> Result<()> {
        let mut path = Vec::new();
        while let Some(frame) = self.frames.last_mut() {
            if self.cancel.is_raised() {
                return Err(Error::new(Kind::Interrupted, "finish the backup").because("a signal ended it"));
            }
            path.truncate(frame.length);
            let Some(name) = frame.names.next().map(CStr::to_owned) else {
                self.frames.pop();
                continue;
            };
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend(name.to_bytes());
            self.step(&path, &name, visit)?;
        }
        Ok(())
    }

    /// Fails where an entry that must match something has not, or nothing was found at all.
    pub(super) fn check(&self, files: u64) -> Result<()> {
        self.selection.check(files)
    }

    /// What the walk found odd; entries that have matched nothing since they were checked are told as well.
    pub(super) fn into_notes(self) -> Notes {
        let Self { mut notes, selection, .. } = self;
        for entry in selection.unmet() {
            notes.miss(entry.as_bytes(), true, &io::ErrorKind::NotFound.into());
        }
        notes
    }

    fn step(&mut self, path: &[u8], name: &CString, visit: Visit<'_>) -> Result<()> {
        let frame = self.frames.last().expect("a name is in a folder");
        let (parent_kept, named) = (frame.kept, self.selection.names(path));
        let sight = match look(frame.folder.as_fd(), name, self.selection.leads_to_named(path)) {
            Ok(sight) => sight,
            // What it was is not known any more; files are what backups are about.
            Err(error) => {
                if self.selection.judge(path, false, parent_kept) == Verdict::Kept {
                    self.notes.miss(path, named, &error.into());
                }
                return Ok(());
            }
        };
        let kind = FileType::from_raw_mode(sight.stat.st_mode);
        let verdict = self.selection.judge(path, kind == FileType::Directory, parent_kept);
        let kept = verdict == Verdict::Kept;
        if verdict == Verdict::LeftOut || self.is_taken(path, &sight.stat, kept) {
            return Ok(());
        }
        if path.len() > LONGEST_PATH {
            self.notes.miss(path, true, &io::Error::other(format!("its path is longer than {LONGEST_PATH} bytes")));
            return Ok(());
        }
        let what = match kind {
            FileType::Directory => return self.enter(path, name, &sight, kept, visit),
            FileType::RegularFile => What::File,
            FileType::Symlink => {
                let folder = self.frames.last().expect("a name is in a folder").folder.as_fd();
                match readlinkat(folder, name, Vec::new()) {
                    Ok(target) => What::Symlink(target.into_bytes()),
                    Err(error) => {
                        self.notes.miss(path, named, &error.into());
                        return Ok(());
                    }
                }
            }
            _ => {
                self.notes.push(path, Oddity::Special, special(kind));
                return Ok(());
            }
        };
        if let What::Symlink(target) = &what {
            if let Some(error) = sight.dangling {
                let why = format!("`include` names it, and it leads nowhere: {}", file::why(&error.into()));
                self.notes.miss(path, true, &io::Error::other(why));
            } else if leaves_root(&self.recipe.root, path, target) {
                self.notes.push(path, Oddity::LeavesRoot, format!("it leads to `{}`", target.escape_ascii()));
            }
        }
        self.tell(path, name, &sight, what, visit)
    }

    /// Goes into a folder.
    fn enter(&mut self, path: &[u8], name: &CString, sight: &Sight, kept: bool, visit: Visit<'_>) -> Result<()> {
        let own = identity(&sight.stat);
        if let Some(outer) = self.frames.iter().find(|frame| identity(&frame.stat) == own) {
            if kept {
                let outer = path[..outer.length].escape_ascii();
                self.notes.push(path, Oddity::OtherFileSystem, format!("it is the folder `/{outer}` once more"));
            }
            return Ok(());
        }
        let is_named = self.selection.leads_to_named(path);
        let frame = self.frames.last().expect("a name is in a folder");
        let is_foreign = self.recipe.one_file_system && sight.stat.st_dev != frame.stat.st_dev && !is_named;
        if kept {
            self.tell(path, name, sight, What::Directory, visit)?;
        }
        if is_foreign {
            // A pattern that is searched for is not searched for on other file systems: that is what the setting says.
            if kept {
                self.notes.push(path, Oddity::OtherFileSystem, "another file system is mounted there");
            }
            return Ok(());
        }
        let frame = self.frames.last().expect("a name is in a folder");
        let mut flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        flags.set(OFlags::NOFOLLOW, !sight.followed);
        let opened = openat(&frame.folder, name.as_c_str(), flags, Mode::empty()).map(|folder| {
            let (names, read) = Names::read(folder.as_fd());
            let stat = sight.stat;
            (Frame { folder, names, length: path.len(), stat, kept, visited: kept }, read)
        });
        let read = match opened {
            Ok((frame, read)) => {
                self.frames.push(frame);
                read
            }
            Err(error) => Err(error),
        };
        match read {
            Err(error) if kept => self.notes.miss(path, is_named, &error.into()),
            Err(Errno::NOENT) | Ok(()) => {}
            Err(error) => self.notes.push(path, Oddity::Unsearched, file::why(&error.into())),
        }
        Ok(())
    }

    /// Whether the archive has something else by this name, or the folder is a destination.
    fn is_taken(&mut self, path: &[u8], stat: &Stat, kept: bool) -> bool {
        if self.never.contains(&identity(stat)) {
            if kept {
                self.notes.push(path, Oddity::Destination, "it is a destination of this backup");
            }
            return true;
        }
        if path == manifest::FOLDER.as_bytes() {
            if kept {
                self.notes.push(path, Oddity::Reserved, "archives keep their list of files there");
            }
            return true;
        }
        let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        for (extra, own) in self.recipe.extra.iter().zip(&self.extra) {
            let below = extra.path.strip_prefix(path).is_some_and(|rest| rest.first() == Some(&b'/'));
            if extra.path != path && (is_folder || !below) {
                continue;
            }
            if kept && *own != identity(stat) {
                self.notes.push(path, Oddity::Reserved, "something else has this name in the archive");
            }
            return true;
        }
        false
    }

    /// Tells what was found, and before it the folders that it is in and that nobody was told of.
    fn tell(&mut self, path: &[u8], name: &CStr, sight: &Sight, what: What, visit: Visit<'_>) -> Result<()> {
        for inner in 1..self.frames.len() {
            let (outer, rest) = self.frames.split_at_mut(inner);
            let (outer, frame) = (&outer[inner - 1], &mut rest[0]);
            if !frame.visited {
                frame.visited = true;
                let found = Found {
                    path: &path[..frame.length],
                    stat: &frame.stat,
                    what: What::Directory,
                    named: false,
                    folder: outer.folder.as_fd(),
                    name: c".",
                    followed: false,
                };
                visit(&found, &mut self.notes)?;
            }
        }
        let frame = self.frames.last().expect("a name is in a folder");
        let found = Found {
            path,
            stat: &sight.stat,
            what,
            named: self.selection.names(path),
            folder: frame.folder.as_fd(),
            name,
            followed: sight.followed,
        };
        visit(&found, &mut self.notes)
    }
}

/// Looks what a name stands for; a link is followed where `follow` says so.
fn look(folder: BorrowedFd<'_>, name: &CStr, follow: bool) -> Result<Sight, Errno> {
    let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if !follow || FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        return Ok(Sight { stat, followed: false, dangling: None });
    }
    Ok(match statat(folder, name, AtFlags::empty()) {
        Ok(stat) => Sight { stat, followed: true, dangling: None },
        Err(error) => Sight { stat, followed: false, dangling: Some(error) },
    })
}

/// Whether a link leads out of the root, as its text reads: what links on the way would change is not looked at.
fn leaves_root(root: &Path, link: &[u8], target: &[u8]) -> bool {
    let target = Path::new(OsStr::from_bytes(target));
    let inside = match target.strip_prefix(root) {
        Ok(inside) => inside.to_owned(),
        Err(_) if target.is_absolute() => return true,
        Err(_) => Path::new(OsStr::from_bytes(link)).parent().unwrap_or(Path::new("")).join(target),
    };
    let mut depth = 0_i64;
    inside.components().any(|component| {
        match component {
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
            _ => {}
        }
        depth < 0
    })
}

fn special(kind: FileType) -> &'static str {
    match kind {
        FileType::Socket => "it is a socket",
        FileType::Fifo => "it is a FIFO",
        _ => "it is a device",
    }
}

#[cfg(test)]
mod tests;
