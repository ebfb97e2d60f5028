//! The staging folders of a restore: private, in the target itself, gone when the restore fails.

use std::{
    fs::{self, DirBuilder, File},
    hash::{BuildHasher, RandomState},
    io,
    os::{fd::OwnedFd, unix::fs::DirBuilderExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::fs::FlockOperation;

use super::STAGING;
use crate::{
    rules::manifest::Mtime,
    system::{
        archive,
        tree::{Seen, Tree, join},
    },
};

/// The journal, once it is whole.
pub(super) const JOURNAL: &[u8] = b"journal.jsonl";
/// The journal while it is written.
const DRAFT: &[u8] = b"journal.part";
/// What was restored, for the check at the end.
pub(super) const ENTRIES: &[u8] = b"entries.jsonl";
/// Says that the restore has ended; the times of what it put in place are all before the time of this file.
pub(super) const DONE: &[u8] = b"done";
/// What is unpacked; afterwards, what was replaced.
pub(super) const NEW: &[u8] = b"new";
/// What waits to be replaced on file systems that cannot exchange two names.
pub(super) const OLD: &[u8] = b"old";

/// A target that nobody else restores to.
pub(super) struct Site {
    /// The target.
    pub tree: Tree,
    /// The target as it was before anything was done to it.
    pub before: Seen,
    /// Folders that were made for it, from the outside in; removed when nothing comes of it.
    made: Vec<PathBuf>,
}

/// The staging folders in a target; removed when dropped, until they are kept.
pub(super) struct Stage {
    /// The target.
    pub tree: Tree,
    /// The name of all of them.
    pub folder: Vec<u8>,
    /// Where there are some: paths from the target.
    pub yards: Vec<Vec<u8>>,
    made: Vec<PathBuf>,
    kept: bool,
}

/// A lock can outlive its holder for a moment: a program that is just being started has a copy of the descriptor until it
/// runs. So it is tried this often before another restore is believed to be at work.
const TRIES: u32 = 20;

/// How long to wait between two tries.
const AGAIN: Duration = Duration::from_millis(20);

impl Site {
    /// Opens the target, made where it is missing, and locks it. `None`: another restore is at work there.
    pub(super) fn open(folder: &Path) -> io::Result<Option<Self>> {
        let mut made = Vec::new();
        for ancestor in folder.ancestors().collect::<Vec<_>>().into_iter().rev() {
            // Like `mkdir -p`: with the umask, as the operator's other folders.
            match DirBuilder::new().mode(0o777).create(ancestor) {
                Ok(()) => made.push(ancestor.to_owned()),
                Err(_) if ancestor.is_dir() || ancestor.as_os_str().is_empty() => {}
                Err(error) => {
                    unmake(&made);
                    return Err(error);
                }
            }
        }
        let mut tree = Tree::open(folder)?;
        // The kernel's lock is gone with the process, however it ends. Network file systems that have none of it for
        // folders still have the lock of the backup's name, which the caller holds.
        let mut tries = TRIES;
        while rustix::fs::flock(tree.root(), FlockOperation::NonBlockingLockExclusive)
            == Err(rustix::io::Errno::WOULDBLOCK)
        {
            tries -= 1;
            if tries == 0 {
                return Ok(None);
            }
            thread::sleep(AGAIN);
        }
        let before = tree.look(b"")?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Some(Self { tree, before, made }))
    }

    /// Whether the target was made just now.
    pub(super) fn is_new(&self) -> bool {
        !self.made.is_empty()
    }

    /// Removes what killed restores left before they touched anything.
    pub(super) fn tidy(&mut self) -> io::Result<()> {
        for folder in staging_folders(&mut self.tree)? {
            if self.tree.look(&join(&folder, JOURNAL))?.is_none() {
                self.tree.remove(&folder)?;
            }
        }
        Ok(())
    }

    /// Makes the staging folder.
    pub(super) fn stage(self) -> io::Result<Stage> {
        // Nobody else can guess it, and two restores of one archive do not meet.
        let name = format!("{STAGING}{:016x}", RandomState::new().hash_one(()));
        let mut stage =
            Stage { tree: self.tree, folder: name.into_bytes(), yards: Vec::new(), made: self.made, kept: false };
        stage.add_yard(b"")?;
        Ok(stage)
    }

    /// Leaves no trace of a restore that did not begin.
    pub(super) fn abandon(self) {
        unmake(&self.made);
    }
}

impl Stage {
    /// Makes the staging folders on another file system in the target, whose path this is.
    pub(super) fn add_yard(&mut self, path: &[u8]) -> io::Result<usize> {
        self.yards.push(path.to_vec());
        let yard = self.yards.len() - 1;
        let folder = join(path, &self.folder);
        self.tree.create_folder(&folder, 0o700)?;
        for name in [NEW, OLD] {
            self.tree.create_folder(&join(&folder, name), 0o700)?;
        }
        Ok(yard)
    }

    /// A path in a yard's staging folder.
    pub(super) fn path(&self, yard: usize, name: &[u8]) -> Vec<u8> {
        join(&join(&self.yards[yard], &self.folder), name)
    }

    /// Where the archive is unpacked.
    pub(super) fn unpacking(&mut self) -> io::Result<archive::Stage> {
        let path = self.path(0, NEW);
        open_folder(&mut self.tree, &path).map(archive::Stage::of)
    }

    /// Brings what is unpacked to the disk while more of it comes, so that [`Stage::seal`] does not have to wait for all of it.
    pub(super) fn flusher(&mut self) -> io::Result<Flusher> {
        let path = self.path(0, NEW);
        let folder = open_folder(&mut self.tree, &path)?;
        let (end, ended) = channel::<()>();
        let thread = thread::spawn(move || {
            while ended.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                rustix::fs::syncfs(&folder)?;
            }
            Ok(())
        });
        Ok(Flusher { end, thread })
    }

    /// Begins the journal.
    pub(super) fn draft(&mut self) -> io::Result<File> {
        let path = self.path(0, DRAFT);
        self.tree.create(&path, 0o600)
    }

    /// Makes everything durable that has been staged, and then the journal: from here on the restore can be finished.
    pub(super) fn seal(&mut self) -> io::Result<()> {
        for yard in self.yards.clone() {
            rustix::fs::syncfs(open_folder(&mut self.tree, &yard)?)?;
        }
        let (draft, journal) = (self.path(0, DRAFT), self.path(0, JOURNAL));
        self.tree.rename(&draft, &journal)?;
        let folder = join(b"", &self.folder);
        sync_folder(&mut self.tree, &folder)?;
        self.kept = true;
        Ok(())
    }

    /// Removes all of it, and the target where it was made for this.
    pub(super) fn remove(mut self) -> io::Result<()> {
        self.kept = true;
        remove(&mut self.tree, &self.folder, &self.yards)?;
        unmake(&self.made);
        Ok(())
    }
}

/// A thread that flushes the stage from time to time.
pub(super) struct Flusher {
    end: Sender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Flusher {
    /// Ends it. The system tells each error of the disk once: here, and not to whoever flushes the stage in the end.
    pub(super) fn end(self) -> io::Result<()> {
        drop(self.end);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// A small restore is done before, and is flushed once.
const PAUSE: Duration = Duration::from_millis(500);

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.kept {
            // Whoever drops it has an error to report already; what stays is removed by the next restore.
            let _ = remove(&mut self.tree, &self.folder, &self.yards);
            unmake(&self.made);
        }
    }
}

/// Writes the mark in every yard that the restore has ended, later than anything that it did by that file system's clock.
pub(super) fn mark_done(
    tree: &mut Tree,
    folder: &[u8],
    yards: &[Vec<u8>],
    latest: &[Option<Mtime>],
) -> io::Result<Vec<Mtime>> {
    let mut marks = Vec::new();
    for (yard, latest) in yards.iter().zip(latest) {
        let path = join(&join(yard, folder), DONE);
        tree.remove(&path)?;
        let mut file = tree.create(&path, 0o600)?;
        loop {
            let mark = tree.look(&path)?.ok_or(io::ErrorKind::NotFound)?.found.ctime;
            if latest.is_none_or(|latest| mark > latest) {
                marks.push(mark);
                break;
            }
            // The clock of files ticks every few milliseconds.
            std::thread::sleep(std::time::Duration::from_millis(1));
            io::Write::write_all(&mut file, b"\n")?;
        }
        file.sync_all()?;
        sync_folder(tree, &join(yard, folder))?;
    }
    Ok(marks)
}

/// Removes the staging folders of one restore. The one with the journal goes last, and its journal first of all: what is
/// left of a removal that was cut off is then nobody's restore.
pub(super) fn remove(tree: &mut Tree, folder: &[u8], yards: &[Vec<u8>]) -> io::Result<()> {
    tree.remove(&join(folder, JOURNAL))?;
    for yard in yards.iter().rev() {
        tree.remove(&join(yard, folder))?;
    }
    tree.remove(folder)
}

/// The staging folders in a target itself.
pub(super) fn staging_folders(tree: &mut Tree) -> io::Result<Vec<Vec<u8>>> {
    let mut names = tree.names(b"")?;
    names.retain(|name| name.starts_with(STAGING.as_bytes()));
    names.sort();
    Ok(names)
}

/// Flushes a folder, so that the names in it survive a crash.
pub(super) fn sync_folder(tree: &mut Tree, path: &[u8]) -> io::Result<()> {
    match rustix::fs::fsync(open_folder(tree, path)?) {
        // FUSE and network file systems that cannot.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::OPNOTSUPP) => Ok(()),
        other => Ok(other?),
    }
}

fn open_folder(tree: &mut Tree, path: &[u8]) -> io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags};
    let folder: Arc<OwnedFd> = tree.folder(path)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(&*folder, c".", flags, Mode::empty())?)
}

fn unmake(made: &[PathBuf]) {
    for folder in made.iter().rev() {
        // Only where nothing is in it; somebody may have put something there meanwhile.
        let _ = fs::remove_dir(folder);
    }
}
