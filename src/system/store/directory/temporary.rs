//! A file that is being written and has no name that counts yet.

use std::{
    fs::File,
    io::{self, Write},
    sync::Arc,
    thread,
};

use rustix::{
    fs::{AtFlags, FlockOperation, Mode, OFlags, flock, fstat, openat, unlinkat},
    io::Errno,
};
use uuid::Uuid;

use super::folder::Folder;
use crate::system::store::{Trouble, object::TEMPORARY};

/// A temporary file of a folder: private, new, locked as long as its writer lives, and gone unless it is kept.
///
/// The lock (flock(2)) dies with the process, so that the next run can tell what a killed one left from what another one,
/// of another backup with the same destination, is writing just now.
pub(super) struct Temporary {
    folder: Arc<Folder>,
    file: File,
    name: String,
}

impl Temporary {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// The folder cannot be written to.
    pub(super) fn new(folder: &Arc<Folder>) -> Result<Self, Trouble> {
        loop {
            let name = format!("{TEMPORARY}{}", Uuid::new_v4());
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = openat(folder, &name, flags, Mode::RUSR | Mode::WUSR).map_err(|errno| folder.trouble(errno))?;
            // Where there are no locks, age tells (see `tidy`).
            let _ = flock(&file, FlockOperation::LockExclusive);
            // Somebody who tidied up may have had it in the moment before it was locked.
            if fstat(&file).is_ok_and(|found| found.st_nlink == 0) {
                continue;
            }
            return Ok(Self { folder: Arc::clone(folder), file: file.into(), name });
        }
    }

    /// The file, open for reading and writing.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Writes all of these bytes at the end of what is written.
    ///
    /// # Errors
    ///
    /// No space, or the medium is at fault.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<(), Trouble> {
        (&self.file).write_all(bytes).map_err(|error| self.trouble(&error))
    }

    /// Gives the file its name, never over another one, after everything has reached the disk. `still` is asked last,
    /// whether the folder is the one that it was.
    ///
    /// The order is what makes it survive a power cut: the content is flushed before the name exists, and the name before
    /// anybody is told.
    ///
    /// # Errors
    ///
    /// The name is taken, `still` said no, or the disk did. No file with the name is left by us then.
    pub(super) fn keep(self, name: &str, still: impl FnOnce() -> Result<(), Trouble>) -> Result<(), Trouble> {
        self.file.sync_all().map_err(|error| self.trouble(&error))?;
        still()?;
        self.name(name)?;
        self.folder.flush().inspect_err(|_| {
            // Whether the name would outlive a power cut is not known, and the caller is told that there is none.
            self.folder.forget(name);
        })
    }

    /// Gives the file its name, never over another one. It has been flushed, and the folder is flushed afterwards.
    ///
    /// # Errors
    ///
    /// The name is taken, or the disk is at fault.
    pub(super) fn name(&self, name: &str) -> Result<(), Trouble> {
        self.folder.rename(&self.name, name)
    }

    fn trouble(&self, error: &io::Error) -> Trouble {
        Trouble::of_io(error, self.folder.path())
    }
}

/// Brings the content of all of these files to the disk, at the same time: a file system writes its journal once then.
///
/// # Errors
///
/// The disk is at fault.
pub(super) fn flush(temporaries: &[Temporary]) -> Result<(), Trouble> {
    thread::scope(|scope| {
        let flushes: Vec<_> = temporaries.iter().map(|temporary| scope.spawn(|| temporary.file.sync_all())).collect();
        for (flush, temporary) in flushes.into_iter().zip(temporaries) {
            let flushed = flush.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            flushed.map_err(|error| temporary.trouble(&error))?;
        }
        Ok(())
    })
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After it was kept there is none of that name.
        match unlinkat(&*self.folder, &self.name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            // The next run removes it.
            Err(errno) => tracing::warn!(file = self.name, %errno, "a temporary file stays"),
        }
    }
}
