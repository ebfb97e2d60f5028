//! The private folder that an archive is unpacked into, before anything of it is believed.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::fs::{CWD, Mode, OFlags, fchmod, fstat, mkdirat, openat, syncfs};

/// A folder that only its owner can look into, held open: whatever is mounted or renamed over its path meanwhile, it stays
/// the same.
#[derive(Debug)]
pub struct Stage(OwnedFd);

impl Stage {
    /// Makes the folder, which must not exist.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn make(path: &Path) -> io::Result<Self> {
        mkdirat(CWD, path, Mode::RWXU)?;
        let stage = Self::open(path)?;
        // A default ACL of the folder above may have given more.
        fchmod(&stage.0, Mode::RWXU)?;
        Ok(stage)
    }

    /// A folder that is open already, and that its owner has made private.
    pub fn of(folder: OwnedFd) -> Self {
        Self(folder)
    }

    /// Opens one that an earlier run has made; refuses a link, and what is not ours alone.
    ///
    /// # Errors
    ///
    /// What the system says, or that it is not private.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = openat(CWD, path, flags, Mode::empty())?;
        let stat = fstat(&folder)?;
        if stat.st_uid != rustix::process::geteuid().as_raw() || stat.st_mode & 0o022 != 0 {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "others may write to it"));
        }
        Ok(Self(folder))
    }

    /// Flushes everything in it to the disk, in one call for all files: what is renamed out of it after that is durable.
    ///
    /// # Errors
    ///
    /// What the system says; nothing of it can be relied upon then.
    pub fn sync(&self) -> io::Result<()> {
        Ok(syncfs(&self.0)?)
    }
}

impl AsFd for Stage {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
