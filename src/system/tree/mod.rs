//! A folder seen through descriptors: no path in it can lead out of it, whatever its links say.
//!
//! Every folder on the way is opened by itself, and a link is never followed. So a folder that somebody replaces by a link
//! between two steps ends in an error, and not in a file somewhere else.

mod path;
mod seen;

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read},
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::Path,
    sync::Arc,
};

pub use path::{join, shown, split};
use rustix::{
    fs::{
        AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, RenameFlags, StatxFlags, Timespec, Timestamps, UTIME_OMIT, Uid,
    },
    io::Errno,
};
pub use seen::{Attributes, Ground, Seen};
use sha2::{Digest, Sha256};

use crate::rules::difference::FoundKind;

/// A folder and everything in it. Paths are bytes from this folder, without a slash at either end; the empty path is the
/// folder itself.
#[derive(Debug)]
pub struct Tree {
    root: Arc<OwnedFd>,
    /// The folder that was opened last: neighbours are looked at one after another.
    last: Option<(Vec<u8>, Arc<OwnedFd>)>,
}

impl Tree {
    /// The folder at `path`; here, and only here, links are followed.
    ///
    /// # Errors
    ///
    /// There is no such folder, or it cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self::of(rustix::fs::openat(CWD, path, flags, Mode::empty())?))
    }

    /// A folder that is open already.
    pub fn of(folder: OwnedFd) -> Self {
        Self { root: Arc::new(folder), last: None }
    }

    /// The descriptor of the folder itself.
    pub fn root(&self) -> &OwnedFd {
        &self.root
    }

    /// The same folder once more, for another thread.
    pub fn again(&self) -> Self {
        Self { root: Arc::clone(&self.root), last: None }
    }

    /// Forgets what is open: a folder may be another one now.
    pub fn forget(&mut self) {
        self.last = None;
    }

    /// Opens a folder in it.
    ///
    /// # Errors
    ///
    /// There is none, or something on the way is no folder.
    pub fn folder(&mut self, path: &[u8]) -> io::Result<Arc<OwnedFd>> {
        if path.is_empty() {
            return Ok(Arc::clone(&self.root));
        }
        let (mut at, rest) = match &self.last {
            Some((last, folder)) if last == path => return Ok(Arc::clone(folder)),
            Some((last, folder)) if path.starts_with(last) && path.get(last.len()) == Some(&b'/') => {
                (Arc::clone(folder), &path[last.len() + 1..])
            }
            _ => (Arc::clone(&self.root), path),
        };
        for name in rest.split(|byte| *byte == b'/') {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            at = Arc::new(rustix::fs::openat(&*at, plain(name)?, flags, Mode::empty())?);
        }
        self.last = Some((path.to_vec(), Arc::clone(&at)));
        Ok(at)
    }

    /// What has the path; `None` where nothing does, also because something on the way is no folder.
    ///
    /// # Errors
    ///
    /// It cannot be looked at.
    pub fn look(&mut self, path: &[u8]) -> io::Result<Option<Seen>> {
        let seen = if path.is_empty() {
            rustix::fs::fstat(&*self.root)
        } else {
            let (folder, name) = match self.parent(path) {
                Err(error) if is_absence(&error) => return Ok(None),
                other => other?,
            };
            rustix::fs::statat(&*folder, plain(name)?, AtFlags::SYMLINK_NOFOLLOW)
        };
        let stat = match seen {
            Err(error) if is_absence(&error.into()) => return Ok(None),
            other => other?,
        };
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => FoundKind::Directory { empty: self.is_empty(path)? },
            FileType::RegularFile => FoundKind::File { size: stat.st_size.try_into().unwrap_or(0) },
            FileType::Symlink => {
                let (folder, name) = self.parent(path)?;
                let target = rustix::fs::readlinkat(&*folder, plain(name)?, Vec::new())?;
                FoundKind::Symlink { target: target.into_bytes() }
            }
            _ => FoundKind::Other,
        };
        Ok(Some(Seen::of(&stat, kind)))
    }

    /// The SHA-256 of a file's content.
    ///
    /// # Errors
    ///
    /// It is no regular file, or cannot be read.
    pub fn hash(&mut self, path: &[u8]) -> io::Result<[u8; 32]> {
        let mut file = self.file(path)?;
        let mut digest = Sha256::new();
        let mut buffer = vec![0; 128 << 10];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(digest.finalize().into()),
                Ok(read) => digest.update(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Opens a regular file for reading.
    ///
    /// # Errors
    ///
    /// It is none, or cannot be read.
    pub fn file(&mut self, path: &[u8]) -> io::Result<File> {
        let (folder, name) = self.parent(path)?;
        // What is no regular file must not make us wait: a FIFO that has come meanwhile.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&*folder, plain(name)?, flags, Mode::empty())?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        Ok(file)
    }

    /// Makes a new file.
    ///
    /// # Errors
    ///
    /// Something has the path, or it cannot be written.
    pub fn create(&mut self, path: &[u8], mode: u32) -> io::Result<File> {
        let (folder, name) = self.parent(path)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&*folder, plain(name)?, flags, Mode::from_raw_mode(mode))?.into())
    }

    /// Makes a link.
    ///
    /// # Errors
    ///
    /// Something has the path, or it cannot be written.
    pub fn create_link(&mut self, path: &[u8], target: &[u8]) -> io::Result<()> {
        let (folder, name) = self.parent(path)?;
        Ok(rustix::fs::symlinkat(OsStr::from_bytes(target), &*folder, plain(name)?)?)
    }

    /// Makes a folder.
    ///
    /// # Errors
    ///
    /// Something has the path, or it cannot be written.
    pub fn create_folder(&mut self, path: &[u8], mode: u32) -> io::Result<()> {
        let (folder, name) = self.parent(path)?;
        Ok(rustix::fs::mkdirat(&*folder, plain(name)?, Mode::from_raw_mode(mode))?)
    }

    /// The names in a folder, in no order.
    ///
    /// # Errors
    ///
    /// It is none, or cannot be read.
    pub fn names(&mut self, path: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        self.entries(path)?.collect()
    }

    /// Whether nothing is in a folder. One that may not be read has something: whoever asks wants to know what would be lost.
    fn is_empty(&mut self, path: &[u8]) -> io::Result<bool> {
        match self.entries(path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
            other => Ok(other?.next().is_none()),
        }
    }

    fn entries(&mut self, path: &[u8]) -> io::Result<impl Iterator<Item = io::Result<Vec<u8>>>> {
        let folder = self.folder(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let entries = Dir::new(rustix::fs::openat(&*folder, c".", flags, Mode::empty())?)?;
        Ok(entries.filter_map(|entry| match entry {
            Ok(entry) if matches!(entry.file_name().to_bytes(), b"." | b"..") => None,
            Ok(entry) => Some(Ok(entry.file_name().to_bytes().to_vec())),
            Err(error) => Some(Err(error.into())),
        }))
    }

    /// Which mounted file system a folder is on: what has two answers cannot be renamed from one to the other.
    ///
    /// # Errors
    ///
    /// There is no such folder.
    pub fn ground(&mut self, path: &[u8]) -> io::Result<Ground> {
        let folder = self.folder(path)?;
        let device = rustix::fs::fstat(&*folder)?.st_dev;
        // A folder that is mounted in two places has one device, and still no name can be moved between them. Kernels
        // before 5.8 do not tell; then the device must do.
        let mount = rustix::fs::statx(&*folder, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)
            .ok()
            .filter(|seen| seen.stx_mask & StatxFlags::MNT_ID.bits() != 0)
            .map(|seen| seen.stx_mnt_id);
        Ok(Ground { device, mount })
    }

    /// How much still fits on the file system of a folder: bytes, and files where there is a limit.
    ///
    /// # Errors
    ///
    /// There is no such folder.
    pub fn room(&mut self, path: &[u8]) -> io::Result<(u64, Option<u64>)> {
        let folder = self.folder(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let room = rustix::fs::fstatvfs(rustix::fs::openat(&*folder, c".", flags, Mode::empty())?)?;
        // btrfs and others make files as they are needed, and tell 0.
        Ok((room.f_bavail.saturating_mul(room.f_frsize), (room.f_files > 0).then_some(room.f_favail)))
    }

    /// Sets attributes of what has the path, a link itself included.
    ///
    /// # Errors
    ///
    /// Nothing has the path, or it may not be done.
    pub fn set(&mut self, path: &[u8], attributes: &Attributes) -> io::Result<()> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let (folder, name) = if path.is_empty() { (self.folder(path)?, &b"."[..]) } else { self.parent(path)? };
        let it = rustix::fs::openat(&*folder, OsStr::from_bytes(name), flags, Mode::empty())?;
        let is_link = FileType::from_raw_mode(rustix::fs::fstat(&it)?.st_mode) == FileType::Symlink;
        if let Some((uid, gid)) = attributes.owner {
            let number = |number: u64| u32::try_from(number).ok().filter(|number| *number != u32::MAX);
            let (uid, gid) = number(uid).zip(number(gid)).ok_or(Errno::INVAL)?;
            let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
            rustix::fs::chownat(&it, c"", owner.0, owner.1, AtFlags::EMPTY_PATH)?;
        }
        if !is_link {
            // After the owner, since the kernel takes setuid away from a file that is given away. A descriptor of this
            // kind takes no `fchmod`; its name below /proc leads to the very same file.
            let mode = Mode::from_raw_mode(attributes.mode);
            rustix::fs::chmodat(CWD, descriptor(&it), mode, AtFlags::empty())?;
        }
        if let Some(mtime) = attributes.mtime {
            let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
            let time = Timespec { tv_sec: mtime.seconds, tv_nsec: mtime.nanos.into() };
            let times = Timestamps { last_access: omit, last_modification: time };
            if is_link || path.is_empty() {
                rustix::fs::utimensat(&*folder, OsStr::from_bytes(name), &times, AtFlags::SYMLINK_NOFOLLOW)?;
            } else {
                rustix::fs::utimensat(CWD, descriptor(&it), &times, AtFlags::empty())?;
            }
        }
        Ok(())
    }

    /// Gives what has one path another one, where nothing has it yet.
    ///
    /// # Errors
    ///
    /// Something has it (`AlreadyExists`), or it may not be done.
    pub fn rename(&mut self, from: &[u8], to: &[u8]) -> io::Result<()> {
        let ((old, old_name), (new, new_name)) = (self.parent(from)?, self.parent(to)?);
        let (old_name, new_name) = (plain(old_name)?, plain(new_name)?);
        self.forget();
        match rustix::fs::renameat_with(&*old, old_name, &*new, new_name, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS) => {
                // FUSE, NFS, old FAT: look first. Between the two calls somebody could be faster; there is no better way.
                match rustix::fs::statat(&*new, new_name, AtFlags::SYMLINK_NOFOLLOW) {
                    Err(Errno::NOENT) => Ok(rustix::fs::renameat(&*old, old_name, &*new, new_name)?),
                    Err(error) => Err(error.into()),
                    Ok(_) => Err(Errno::EXIST.into()),
                }
            }
            other => Ok(other?),
        }
    }

    /// Exchanges what has two paths, in one step.
    ///
    /// # Errors
    ///
    /// One of them has nothing, it may not be done, or the file system cannot do it (`Unsupported`).
    pub fn exchange(&mut self, one: &[u8], other: &[u8]) -> io::Result<()> {
        let ((one, one_name), (two, two_name)) = (self.parent(one)?, self.parent(other)?);
        self.forget();
        match rustix::fs::renameat_with(&*one, plain(one_name)?, &*two, plain(two_name)?, RenameFlags::EXCHANGE) {
            Err(Errno::INVAL | Errno::NOSYS) => Err(io::ErrorKind::Unsupported.into()),
            other => Ok(other?),
        }
    }

    /// Removes what has the path with everything in it; nothing is no error.
    ///
    /// # Errors
    ///
    /// Something is still there.
    pub fn remove(&mut self, path: &[u8]) -> io::Result<()> {
        let (folder, name) = match self.parent(path) {
            Err(error) if is_absence(&error) => return Ok(()),
            other => other?,
        };
        self.forget();
        remove_at(&*folder, plain(name)?)
    }

    /// Flushes the whole file system that the folder is on: one call for any number of files.
    ///
    /// # Errors
    ///
    /// What was written may not be on the disk.
    pub fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&*self.root)?)
    }

    /// The folder that has the path's last name, and the name.
    fn parent<'a>(&mut self, path: &'a [u8]) -> io::Result<(Arc<OwnedFd>, &'a [u8])> {
        let (folder, name) = split(path);
        // Only here an absolute path could pass for one from the folder.
        plain(if path.starts_with(b"/") { b"" } else { name })?;
        Ok((self.folder(folder)?, name))
    }
}

/// A name that can only be one in this very folder.
fn plain(name: &[u8]) -> io::Result<&OsStr> {
    match name {
        b"" | b"." | b".." => Err(io::Error::new(io::ErrorKind::InvalidInput, "a path with `.`, `..` or no name")),
        _ => Ok(OsStr::from_bytes(name)),
    }
}

/// Whether the path has nothing: no such name, or a file or link where a folder should be.
fn is_absence(error: &io::Error) -> bool {
    let loops = error.raw_os_error() == Some(Errno::LOOP.raw_os_error());
    loops || matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The path under which the kernel shows an open file.
fn descriptor(file: &OwnedFd) -> OsString {
    use std::os::fd::AsRawFd;
    OsString::from_vec(format!("/proc/self/fd/{}", file.as_raw_fd()).into_bytes())
}

fn remove_at(folder: impl AsFd, name: &OsStr) -> io::Result<()> {
    match rustix::fs::unlinkat(&folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        // Linux says EISDIR, POSIX says EPERM.
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let inside = match rustix::fs::openat(&folder, name, flags, Mode::empty()) {
        Err(Errno::ACCESS) => {
            // A folder of ours without permission for ourselves.
            rustix::fs::chmodat(&folder, name, Mode::RWXU, AtFlags::empty())?;
            rustix::fs::openat(&folder, name, flags, Mode::empty())?
        }
        other => other?,
    };
    // All names first: to remove while listing may leave some out.
    let mut names = Vec::new();
    for entry in Dir::read_from(&inside)? {
        names.push(entry?.file_name().to_owned());
    }
    for inner in names.iter().map(|name| name.to_bytes()).filter(|name| !matches!(*name, b"." | b"..")) {
        match remove_at(&inside, OsStr::from_bytes(inner)) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                rustix::fs::fchmod(&inside, Mode::RWXU)?;
                remove_at(&inside, OsStr::from_bytes(inner))?;
            }
            other => other?,
        }
    }
    Ok(rustix::fs::unlinkat(&folder, name, AtFlags::REMOVEDIR)?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests set their own stage")]
    use std::{
        fs,
        os::unix::fs::{MetadataExt, symlink},
    };

    use super::*;
    use crate::rules::manifest::Mtime;

    #[test]
    fn no_link_is_followed_and_no_path_leads_out() {
        let place = tempfile::tempdir().unwrap();
        let inside = place.path().join("in");
        fs::create_dir(&inside).unwrap();
        fs::write(place.path().join("secret"), "x").unwrap();
        symlink("..", inside.join("up")).unwrap();
        let mut tree = Tree::open(&inside).unwrap();
        assert_eq!(tree.look(b"up/secret").unwrap(), None);
        assert!(matches!(tree.look(b"up").unwrap().unwrap().found.kind, FoundKind::Symlink { .. }));
        for path in [&b"../secret"[..], b"/secret", b"./x", b"a//b", b"up/x"] {
            assert!(tree.create(path, 0o600).is_err(), "{}", shown(path));
        }
        assert!(tree.hash(b"up").is_err(), "a link is no file");
    }

    #[test]
    fn a_tree_is_removed_with_what_is_in_it_and_nothing_that_its_links_lead_to() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("a/b/c")).unwrap();
        fs::write(place.path().join("kept"), "x").unwrap();
        symlink("../../kept", place.path().join("a/b/link")).unwrap();
        symlink("/", place.path().join("a/root")).unwrap();
        let mut tree = Tree::open(place.path()).unwrap();
        tree.set(b"a/b", &Attributes { mode: 0, owner: None, mtime: None }).unwrap();
        tree.remove(b"a").unwrap();
        tree.remove(b"a").unwrap();
        assert_eq!(tree.names(b"").unwrap(), [b"kept"]);
    }

    #[test]
    fn attributes_are_set_on_a_link_itself_and_on_the_folder_itself() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("file"), "x").unwrap();
        symlink("file", place.path().join("link")).unwrap();
        let before = fs::metadata(place.path().join("file")).unwrap();
        let mut tree = Tree::open(place.path()).unwrap();
        let old = Mtime { seconds: -5, nanos: 7 };
        let attributes = Attributes { mode: 0o700, owner: None, mtime: Some(old) };
        tree.set(b"link", &attributes).unwrap();
        tree.set(b"", &attributes).unwrap();
        let file = fs::metadata(place.path().join("file")).unwrap();
        assert_eq!((file.mode(), file.mtime()), (before.mode(), before.mtime()));
        assert_eq!(tree.look(b"link").unwrap().unwrap().found.mtime, old);
        assert_eq!(tree.look(b"").unwrap().unwrap().found.mtime, old);
        tree.set(b"file", &Attributes { mode: 0o4711, ..attributes }).unwrap();
        let seen = tree.look(b"file").unwrap().unwrap().found;
        assert_eq!((seen.mode, seen.mtime), (0o4711, old));
    }
}
