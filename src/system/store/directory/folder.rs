//! An open folder: a descriptor, through which everything is read and written.
//!
//! Never a path: what is mounted over the path while a run lasts, or instead of it, gets nothing.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rustix::{
    fs::{
        Access, AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, RenameFlags, Stat, StatVfsMountFlags,
        accessat, flock, fstat, fstatfs, fstatvfs, fsync, linkat, openat, renameat, renameat_with, statat, unlinkat,
    },
    io::Errno,
};

use crate::system::store::{
    Object, Reason, Trouble,
    object::{TEMPORARY, is_object},
};

/// An open folder.
#[derive(Debug)]
pub(super) struct Folder {
    descriptor: OwnedFd,
    path: PathBuf,
}

/// How a file gets a name that no other one has, from the best way to the last resort.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    /// `renameat2` with `RENAME_NOREPLACE`.
    Rename,
    /// A second name, and the first is removed: for file systems that know no such flag (NFS).
    Link,
    /// A look, then a rename: for those that know no links either (FAT over FUSE). A lock on the folder keeps the runs of
    /// this machine apart meanwhile.
    Look,
}

/// The largest file of a FAT file system: 4 GiB - 1 (Microsoft FAT specification 1.03, `DIR_FileSize`).
const LARGEST_OF_FAT: u64 = u32::MAX as u64;

/// The number of FAT in statfs(2).
const FAT: u32 = 0x4d44;

/// How old a temporary file must be where nobody can be asked whether its writer lives: a day, in seconds.
const ABANDONED: i64 = 24 * 3600;

impl Folder {
    /// Opens a folder.
    ///
    /// # Errors
    ///
    /// As the system says: none there, no folder, no permission.
    pub(super) fn open(path: &Path) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptor = openat(CWD, path, flags, Mode::empty())?;
        Ok(Self { descriptor, path: path.to_owned() })
    }

    /// Where it was opened: for messages.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What the file system says of it.
    ///
    /// # Errors
    ///
    /// The medium is gone.
    pub(super) fn stat(&self) -> Result<Stat, Trouble> {
        fstat(self).map_err(|errno| self.trouble(errno))
    }

    /// Refuses a path that leads somewhere else than when the folder was opened: what was written would not be found.
    ///
    /// # Errors
    ///
    /// [`Reason::MediumAbsent`], [`Reason::MediumOther`].
    pub(super) fn expect_same(&self) -> Result<(), Trouble> {
        let own = self.stat()?;
        let fix = "leave the medium mounted while a backup runs, and run it again";
        match std::fs::metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) == (own.st_dev, own.st_ino) => Ok(()),
            Ok(_) => {
                let why = format!("`{}` is another folder than when the run began", self.path.display());
                Err(Trouble::new(Reason::MediumOther, why, fix))
            }
            Err(error) => {
                let why = format!("`{}` went away while the run lasted: {error}", self.path.display());
                Err(Trouble::new(Reason::MediumAbsent, why, fix))
            }
        }
    }

    /// Refuses a folder that this user cannot write to.
    ///
    /// # Errors
    ///
    /// [`Reason::Permission`].
    pub(super) fn expect_writable(&self) -> Result<(), Trouble> {
        let read_only = fstatvfs(self).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY));
        let access = if read_only {
            Err(Errno::ROFS)
        } else {
            accessat(self, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)
        };
        access.map_err(|errno| self.trouble(errno))
    }

    /// Bytes that still fit for this user.
    pub(super) fn free(&self) -> Option<u64> {
        let found = fstatvfs(self).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// The largest file that fits, where there is a limit.
    pub(super) fn largest(&self) -> Option<u64> {
        let found = fstatfs(self).ok()?;
        // The width of the number differs between machines; its value does not.
        (u32::try_from(found.f_type) == Ok(FAT)).then_some(LARGEST_OF_FAT)
    }

    /// Every regular file, without what this module keeps for itself. Links are not followed, and no objects.
    ///
    /// # Errors
    ///
    /// The folder cannot be read to its end.
    pub(super) fn objects(&self) -> Result<Vec<Object>, Trouble> {
        let mut objects = Vec::new();
        for name in self.names()? {
            if !is_object(&name) {
                continue;
            }
            let Some(found) = self.look(&name)? else { continue };
            if FileType::from_raw_mode(found.st_mode).is_file() {
                objects.push(Object {
                    name,
                    bytes: found.st_size.unsigned_abs(),
                    modified: Timestamp::from_second(found.st_mtime).ok(),
                    retained_until: None,
                });
            }
        }
        Ok(objects)
    }

    /// Opens a regular file for reading; `None` where there is none of that name.
    ///
    /// # Errors
    ///
    /// It is something else, or must not be read.
    pub(super) fn file(&self, name: &str) -> Result<Option<File>, Trouble> {
        // Without NONBLOCK a FIFO would wait for somebody to write.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = match openat(self, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(self.no_file(name)),
            Err(errno) => return Err(self.trouble(errno)),
        };
        let found = fstat(&file).map_err(|errno| self.trouble(errno))?;
        if FileType::from_raw_mode(found.st_mode).is_file() { Ok(Some(file.into())) } else { Err(self.no_file(name)) }
    }

    /// Removes a file, for good; whether there was one.
    ///
    /// # Errors
    ///
    /// It is still there.
    pub(super) fn remove(&self, name: &str) -> Result<bool, Trouble> {
        match unlinkat(self, name, AtFlags::empty()) {
            Ok(()) => self.flush().map(|()| true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(self.trouble(errno)),
        }
    }

    /// Removes a name that was given a moment ago and of which nobody has been told.
    pub(super) fn forget(&self, name: &str) {
        let _ = unlinkat(self, name, AtFlags::empty());
    }

    /// Renames a file to a name that no other one has.
    ///
    /// # Errors
    ///
    /// [`Reason::Collision`].
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), Trouble> {
        let mut result = Err(Errno::INVAL);
        for way in [Way::Rename, Way::Link, Way::Look] {
            result = self.rename_by(way, from, to);
            // What a file system says that does not know of a flag or of links.
            if !matches!(result, Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM | Errno::MLINK)) {
                break;
            }
        }
        match result {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) => Err(Trouble::new(
                Reason::Collision,
                format!("`{}` exists already", self.path.join(to).display()),
                "see who else writes archives of this name there; nothing was overwritten",
            )),
            Err(errno) => Err(self.trouble(errno)),
        }
    }

    fn rename_by(&self, way: Way, from: &str, to: &str) -> Result<(), Errno> {
        match way {
            Way::Rename => renameat_with(self, from, self, to, RenameFlags::NOREPLACE),
            Way::Link => {
                linkat(self, from, self, to, AtFlags::empty())?;
                // It has its name; the temporary one is removed again when its value is dropped, and by the next run.
                let _ = unlinkat(self, from, AtFlags::empty());
                Ok(())
            }
            Way::Look => {
                // A descriptor of its own, for a lock belongs to one. Where there are no locks it is left to chance.
                let alone = openat(self, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
                let _ = flock(&alone, FlockOperation::LockExclusive);
                match statat(self, to, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(_) => Err(Errno::EXIST),
                    Err(Errno::NOENT) => renameat(self, from, self, to),
                    Err(errno) => Err(errno),
                }
            }
        }
    }

    /// Brings the names to the disk. Some file systems (FUSE, network ones) cannot do that for a folder and say so; they
    /// have the names all the same.
    ///
    /// # Errors
    ///
    /// The disk is at fault.
    pub(super) fn flush(&self) -> Result<(), Trouble> {
        match fsync(self) {
            Ok(()) | Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(errno) => Err(self.trouble(errno)),
        }
    }

    /// Removes the temporary files of runs that are no more, and says which.
    ///
    /// # Errors
    ///
    /// One cannot be removed.
    pub(super) fn tidy(&self, now: Timestamp) -> Result<Vec<String>, Trouble> {
        let mut removed = Vec::new();
        for name in self.names()? {
            if name.starts_with(TEMPORARY) && self.is_abandoned(&name, now)? && self.remove(&name)? {
                removed.push(name);
            }
        }
        removed.sort();
        Ok(removed)
    }

    /// Whether the writer of a temporary file is gone: its lock is free. Where the file system knows no locks, whether it
    /// has not been written to for a day.
    fn is_abandoned(&self, name: &str, now: Timestamp) -> Result<bool, Trouble> {
        let Some(file) = self.file(name)? else { return Ok(false) };
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(_) => {
                let found = fstat(&file).map_err(|errno| self.trouble(errno))?;
                Ok(now.as_second().saturating_sub(found.st_mtime) > ABANDONED)
            }
        }
    }

    /// The names in it that are text; ours are.
    fn names(&self) -> Result<Vec<String>, Trouble> {
        let mut names = Vec::new();
        for entry in Dir::read_from(self).map_err(|errno| self.trouble(errno))? {
            let entry = entry.map_err(|errno| self.trouble(errno).doing("list it to the end"))?;
            if let Ok(name) = entry.file_name().to_str() {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// What is there under a name; `None` where it went away since the folder was listed.
    fn look(&self, name: &str) -> Result<Option<Stat>, Trouble> {
        match statat(self, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(found)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.trouble(errno)),
        }
    }

    fn no_file(&self, name: &str) -> Trouble {
        let path = self.path.join(name);
        let why = format!("`{}` is a link, a folder or a device, and no file", path.display());
        Trouble::new(Reason::Other, why, "see who has put it there, and remove it")
    }

    /// What the system says of this folder.
    pub(super) fn trouble(&self, errno: Errno) -> Trouble {
        Trouble::of_io(&io::Error::from(errno), &self.path)
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backup_case_05_every_way_to_a_name_overwrites_nothing() {
        for way in [Way::Rename, Way::Link, Way::Look] {
            let place = tempfile::tempdir().unwrap();
            let folder = Folder::open(place.path()).unwrap();
            let make = |name: &str| {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
                let file = openat(&folder, name, flags, Mode::RUSR | Mode::WUSR).unwrap();
                rustix::io::write(&file, name.as_bytes()).unwrap();
            };
            let read = |name: &str| std::fs::read_to_string(place.path().join(name)).ok();
            make("one");
            make("two");
            assert_eq!(folder.rename_by(way, "one", "name"), Ok(()), "{way:?}");
            assert_eq!(folder.rename_by(way, "two", "name"), Err(Errno::EXIST), "{way:?}");
            assert_eq!((read("one"), read("name"), read("two")), (None, Some("one".into()), Some("two".into())));
        }
    }

    #[test]
    fn backup_case_05_of_two_at_the_same_moment_one_gets_the_name_in_every_way() {
        for way in [Way::Rename, Way::Link, Way::Look] {
            let place = tempfile::tempdir().unwrap();
            let start = std::sync::Barrier::new(8);
            let results = std::thread::scope(|scope| {
                let racer = |from: String| {
                    let (place, start) = (place.path(), &start);
                    move || {
                        let folder = Folder::open(place).unwrap();
                        openat(&folder, &from, OFlags::WRONLY | OFlags::CREATE, Mode::RUSR).unwrap();
                        start.wait();
                        folder.rename_by(way, &from, "name")
                    }
                };
                let racers: Vec<_> = (0..8).map(|number| scope.spawn(racer(number.to_string()))).collect();
                racers.into_iter().map(|racer| racer.join().unwrap()).collect::<Vec<_>>()
            });
            assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{way:?}: {results:?}");
            assert!(results.iter().all(|result| matches!(result, Ok(()) | Err(Errno::EXIST))), "{way:?}: {results:?}");
        }
    }
}
