//! Makes files, folders and links below a stage, and nowhere else.
//!
//! Every path is gone part by part, each part opened relative to the folder before it and never through a link, so nothing
//! can lead out: what `openat2` promises with `RESOLVE_BENEATH` and `RESOLVE_NO_SYMLINKS` holds on every kernel. The folders
//! on the way to the last entry stay open, because the next entry is mostly beside it.

use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{
        AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid, chmodat, chownat, fchmod, fchown,
        fstat, futimens, linkat, mkdirat, openat, statat, symlinkat, unlinkat, utimensat,
    },
    io::Errno,
};

use super::{
    Damage, Flaw,
    damage::{hostile, system},
    entries::{parted, shown},
    stage::Stage,
};
use crate::rules::manifest::Mtime;

/// What the next entry is put into.
pub(super) struct Tree<'a> {
    stage: &'a Stage,
    /// The folders on the way to the last entry.
    open: Vec<Folder>,
    /// Their path.
    path: Vec<u8>,
}

/// What an entry gets besides its content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dress {
    pub(super) mode: u32,
    /// User and group; `None` leaves the owner as it is.
    pub(super) owner: Option<(u32, u32)>,
    pub(super) mtime: Mtime,
}

struct Folder {
    /// The length of the path up to here.
    length: usize,
    fd: OwnedFd,
    /// What it gets once nothing more is put into it: to be put into it must be open to us, and each time changes its time.
    last: Option<(u32, Timespec)>,
}

impl<'a> Tree<'a> {
    pub(super) fn new(stage: &'a Stage) -> Self {
        Self { stage, open: Vec::new(), path: Vec::new() }
    }

    /// Makes a folder, or dresses the one that is there.
    pub(super) fn folder(&mut self, path: &[u8], dress: Dress) -> Result<(), Damage> {
        self.enter(path)?;
        let folder = self.open.last_mut().expect("a path has a part");
        own(&folder.fd, dress.owner).map_err(|errno| trouble(path, errno))?;
        folder.last = Some((dress.mode, timespec(dress.mtime)));
        Ok(())
    }

    /// Makes an empty file that only we can read. One that an earlier entry has made is replaced, as `tar x` does.
    pub(super) fn file(&mut self, path: &[u8]) -> Result<File, Damage> {
        self.place(path, |folder, name| {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            openat(folder, name, flags, Mode::RUSR | Mode::WUSR)
        })
        .map(File::from)
    }

    /// Dresses a file that is written.
    pub(super) fn finish(&self, path: &[u8], file: &File, dress: Dress) -> Result<(), Damage> {
        let finish = || {
            own(file, dress.owner)?;
            if dress.mode != 0o600 || dress.owner.is_some() {
                set_mode(file, dress.mode)?;
            }
            futimens(file, &times(timespec(dress.mtime)))
        };
        finish().map_err(|errno| trouble(path, errno))
    }

    /// Makes a symbolic link. Nothing is ever opened through it.
    pub(super) fn symlink(&mut self, path: &[u8], target: &[u8], dress: Dress) -> Result<(), Damage> {
        self.place(path, |folder, name| symlinkat(target, folder, name))?;
        let (_, name) = parted(path);
        let folder = self.top();
        let finish = || {
            if let Some((user, group)) = dress.owner {
                let (user, group) = (Some(Uid::from_raw(user)), Some(Gid::from_raw(group)));
                tolerate(chownat(folder, name, user, group, AtFlags::SYMLINK_NOFOLLOW))?;
            }
            utimensat(folder, name, &times(timespec(dress.mtime)), AtFlags::SYMLINK_NOFOLLOW)
        };
        finish().map_err(|errno| trouble(path, errno))
    }

    /// Gives a file that is already here another name.
    pub(super) fn hard_link(&mut self, path: &[u8], target: &[u8]) -> Result<(), Damage> {
        let (folder, target_name) = parted(target);
        self.enter(folder)?;
        let beside = self.top().try_clone_to_owned().map_err(|error| system(format!("`{}`: {error}", shown(path))))?;
        let kind =
            statat(&beside, target_name, AtFlags::SYMLINK_NOFOLLOW).map(|stat| FileType::from_raw_mode(stat.st_mode));
        match kind {
            Ok(FileType::RegularFile | FileType::Symlink) => {}
            Err(Errno::NOENT) => {
                return Err(hostile(format!("the hard link `{}` leads to nothing that comes before it", shown(path))));
            }
            _ => return Err(hostile(format!("the hard link `{}` leads to what is no file", shown(path)))),
        }
        if path == target {
            return Err(hostile(format!("the hard link `{}` leads to itself", shown(path))));
        }
        self.place(path, |folder, name| linkat(&beside, target_name, folder, name, AtFlags::empty()))
    }

    /// Dresses the folders that are still open.
    pub(super) fn close(mut self) -> Result<(), Damage> {
        self.leave(0)
    }

    /// Makes something at a path with a call that refuses what exists, in the place of what an earlier entry has made there.
    fn place<T>(&mut self, path: &[u8], make: impl Fn(BorrowedFd<'_>, &[u8]) -> Result<T, Errno>) -> Result<T, Damage> {
        let (folder, name) = parted(path);
        self.enter(folder)?;
        let folder = self.top();
        match make(folder, name) {
            Err(Errno::EXIST) => {}
            made => return made.map_err(|errno| trouble(path, errno)),
        }
        match unlinkat(folder, name, AtFlags::empty()) {
            Ok(()) => make(folder, name).map_err(|errno| trouble(path, errno)),
            Err(Errno::ISDIR | Errno::PERM) => {
                Err(hostile(format!("`{}` is a folder in one entry and none in another", shown(path))))
            }
            Err(errno) => Err(trouble(path, errno)),
        }
    }

    /// Opens the folders of a path, and makes those that are missing.
    fn enter(&mut self, path: &[u8]) -> Result<(), Damage> {
        if path == self.path {
            return Ok(());
        }
        let keep = self.open.iter().take_while(|folder| {
            let own = &self.path[..folder.length];
            path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        });
        let keep = keep.count();
        self.leave(keep)?;
        while self.path.len() < path.len() {
            let start = if self.path.is_empty() { 0 } else { self.path.len() + 1 };
            let end = path[start..].iter().position(|byte| *byte == b'/').map_or(path.len(), |slash| start + slash);
            let folder = open_folder(self.top(), &path[start..end]).map_err(|errno| match errno {
                Errno::NOTDIR | Errno::LOOP => {
                    let file = shown(&path[..end]);
                    hostile(format!("it wants to write through `{file}`, which is a file or a link"))
                }
                errno => trouble(&path[..end], errno),
            });
            let (fd, last) = folder?;
            self.open.push(Folder { length: end, fd, last });
            self.path = path[..end].to_vec();
        }
        Ok(())
    }

    /// Closes folders until `keep` are open, and dresses each.
    fn leave(&mut self, keep: usize) -> Result<(), Damage> {
        while self.open.len() > keep {
            let folder = self.open.pop().expect("more than `keep`, so at least one");
            if let Some((mode, mtime)) = folder.last {
                let dressed = set_mode(&folder.fd, mode).and_then(|()| futimens(&folder.fd, &times(mtime)));
                dressed.map_err(|errno| trouble(&self.path, errno))?;
            }
            self.path.truncate(self.open.last().map_or(0, |above| above.length));
        }
        Ok(())
    }

    fn top(&self) -> BorrowedFd<'_> {
        self.open.last().map_or(self.stage.as_fd(), |folder| folder.fd.as_fd())
    }
}

/// Opens a folder by its one name, or makes it; with what it must get back when it is left.
fn open_folder(above: BorrowedFd<'_>, name: &[u8]) -> Result<(OwnedFd, Option<(u32, Timespec)>), Errno> {
    let open = || {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(above, name, flags, Mode::empty())
    };
    let (fd, closed) = match open() {
        Err(Errno::NOENT) => {
            mkdirat(above, name, Mode::RWXU)?;
            return Ok((open()?, None));
        }
        // It has got its mode already, and the archive comes back to it. The stage is ours alone, so what is a folder now is
        // the same folder in the next call.
        Err(Errno::ACCESS) => {
            let stat = statat(above, name, AtFlags::SYMLINK_NOFOLLOW)?;
            if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
                return Err(Errno::NOTDIR);
            }
            chmodat(above, name, Mode::RWXU, AtFlags::empty())?;
            (open()?, Some(stat.st_mode))
        }
        other => (other?, None),
    };
    let stat = fstat(&fd)?;
    let mode = closed.unwrap_or(stat.st_mode) & 0o7777;
    if mode & 0o700 != 0o700 {
        fchmod(&fd, Mode::RWXU)?;
    }
    let mtime = Timespec { tv_sec: stat.st_mtime, tv_nsec: i64::try_from(stat.st_mtime_nsec).unwrap_or(0) };
    Ok((fd, Some((mode, mtime))))
}

fn own(fd: impl AsFd, owner: Option<(u32, u32)>) -> Result<(), Errno> {
    let Some((user, group)) = owner else { return Ok(()) };
    tolerate(fchown(fd, Some(Uid::from_raw(user)), Some(Gid::from_raw(group))))
}

fn set_mode(fd: impl AsFd, mode: u32) -> Result<(), Errno> {
    tolerate(fchmod(fd, Mode::from_raw_mode(mode)))
}

/// A file system without owners and modes (FAT) refuses to set them. The files are what matters there, and whoever restores
/// compares afterwards what they have got.
fn tolerate(done: Result<(), Errno>) -> Result<(), Errno> {
    done.or_else(
        |errno| if matches!(errno, Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) { Ok(()) } else { Err(errno) },
    )
}

fn timespec(mtime: Mtime) -> Timespec {
    Timespec { tv_sec: mtime.seconds, tv_nsec: mtime.nanos.into() }
}

fn times(mtime: Timespec) -> Timestamps {
    Timestamps { last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }, last_modification: mtime }
}

/// What the system said about a path below the stage.
fn trouble(path: &[u8], errno: Errno) -> Damage {
    let why = format!("`{}` could not be written: {}", shown(path), std::io::Error::from(errno));
    let fix = match errno {
        Errno::NOSPC | Errno::DQUOT => "free some space, or restore to another place",
        Errno::NAMETOOLONG => "restore to a file system that takes such a name",
        Errno::MFILE | Errno::NFILE => "raise the limit of open files (`ulimit -n`)",
        _ => "mend what the system says, then run it again",
    };
    Damage::new(Flaw::System, why, fix)
}
