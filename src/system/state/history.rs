//! The history: one line of JSON a run, in files that are only appended to.
//!
//! A record is one write under a lock, so runs at the same time do not mix. What `kill -9`, a full disk or a power cut tears
//! is one line: the next record begins on a line of its own, and readers pass over what is no record.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{State, atomic::sync_folder, backwards::Backwards};
use crate::{
    error::{Error, Kind, Result},
    rules::history::{self, Run},
};

/// The files of a state folder that remember runs: `history.jsonl`, and `history.000001.jsonl` and so on for older ones.
#[derive(Clone, Debug)]
pub struct History {
    state: State,
    /// How large a file grows, in bytes.
    largest: u64,
    /// How many files there are beside the one that grows.
    kept: usize,
}

/// Why a run was not written down.
#[derive(Clone, Debug)]
pub enum Unwritten {
    /// The disk is full, or something is in the way.
    Failed(Error),
    /// The folder is somebody else's, and this user cannot write there.
    NotOurs,
}

/// Whether a record must survive a power cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flush {
    /// It waits for the disk.
    Always,
    /// Only where the record says something new. To lose one that says that nothing has changed costs less than the wait.
    News,
}

/// The runs, the newest first. What cannot be read is passed over and counted.
#[derive(Debug)]
pub struct Runs {
    /// The oldest first.
    files: Vec<File>,
    lines: Option<Backwards>,
    foreign: usize,
}

/// Together 40 MiB: with the default timers more than half a year of all jobs.
const LARGEST: u64 = 4 << 20;
const KEPT: usize = 9;

/// How long another run may be at its record. It takes a moment; one that hangs is not waited for.
const PATIENCE: Duration = Duration::from_secs(2);

const CURRENT: &str = "history.jsonl";

impl State {
    /// What is remembered of the runs with this folder.
    pub fn history(&self) -> History {
        History { state: self.clone(), largest: LARGEST, kept: KEPT }
    }
}

impl History {
    /// The file that grows.
    pub fn path(&self) -> PathBuf {
        self.state.folder().join(CURRENT)
    }

    /// Whether this user can write here: somebody else's folder is none to complain of.
    pub fn is_ours(&self) -> bool {
        may_write(self.state.folder())
    }

    /// Compares a run with the one before it of the same command and project, and writes it down.
    ///
    /// # Errors
    ///
    /// It was not written; `run` is compared all the same, as far as the history can be read.
    pub async fn append(&self, run: &mut Run, flush: Flush) -> Result<(), Unwritten> {
        let lock = match self.enter() {
            Ok(lock) => lock,
            Err(unwritten) => {
                run.compare(self.last_like(run).as_ref());
                return Err(unwritten);
            }
        };
        // Without the lock the record is one write all the same; only nothing is moved or mended.
        let alone = is_free(&lock).await;
        run.compare(self.last_like(run).as_ref());
        let flush = flush == Flush::Always || run.has_news();
        self.write(&history::write(run), alone, flush).map_err(|error| Unwritten::Failed(self.trouble(&error)))
    }

    /// The run before this one of the same command and project.
    pub fn last_like(&self, run: &Run) -> Option<Run> {
        let mut lines = self.runs().ok()?;
        // The name stands in the line as it is: to look for it costs a tenth of reading the record.
        let name = format!("\"command\":\"{}\"", run.command);
        std::iter::from_fn(|| lines.line())
            .filter(|line| std::str::from_utf8(line).is_ok_and(|line| line.contains(&name)))
            .filter_map(|line| history::read(&line))
            .find(|known| known.is_alike(run))
    }

    /// The runs that are remembered, the newest first; none where nothing has been written yet.
    ///
    /// # Errors
    ///
    /// The files cannot be read.
    pub fn runs(&self) -> Result<Runs> {
        let open = |path: &Path| match File::open(path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::new(Kind::Failed, format!("read the history `{}`", path.display()))
                .because(error)
                .hint("run as the user who runs the jobs, or with sudo")),
        };
        // The newest is opened first: where it is moved meanwhile, it is met again under its new name and known by its number.
        let newest = open(&self.path())?;
        let known = newest.as_ref().and_then(|file| file.metadata().ok()).map(|found| (found.dev(), found.ino()));
        let mut files = Vec::new();
        for (_, path) in self.older() {
            let file = open(&path)?;
            let number = file.as_ref().and_then(|file| file.metadata().ok()).map(|found| (found.dev(), found.ino()));
            files.extend(file.filter(|_| number != known));
        }
        files.extend(newest);
        Ok(Runs { files, lines: None, foreign: 0 })
    }

    /// Makes the folder and opens the file whose lock is held for a record.
    fn enter(&self) -> Result<File, Unwritten> {
        if !self.is_ours() {
            return Err(Unwritten::NotOurs);
        }
        self.state.open().map_err(Unwritten::Failed)?;
        let path = self.state.folder().join("history.lock");
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        opened.map_err(|error| Unwritten::Failed(self.trouble(&error)))
    }

    fn write(&self, record: &[u8], alone: bool, flush: bool) -> io::Result<()> {
        let path = self.path();
        let mut file = open(&path)?;
        let mut length = file.metadata()?.len();
        let mut fresh = length == 0;
        if alone && length > 0 && length + record.len() as u64 > self.largest {
            self.turn()?;
            file = open(&path)?;
            (length, fresh) = (0, true);
        }
        let mut last = [b'\n'];
        if length > 0 {
            file.read_exact_at(&mut last, length - 1)?;
        }
        let whole = match last {
            [b'\n'] => record.to_vec(),
            // What was torn stays on its own line.
            _ => [b"\n", record].concat(),
        };
        if let Err(error) = write_once(&mut file, &whole) {
            if alone {
                // Not even a torn line; where that fails too, the next record heals it.
                let _ = file.set_len(length);
            }
            return Err(error);
        }
        if flush {
            file.sync_data()?;
            if fresh {
                sync_folder(self.state.folder())?;
            }
        }
        Ok(())
    }

    /// Gives the file that is full its number, and removes the oldest.
    fn turn(&self) -> io::Result<()> {
        let older = self.older();
        let next = older.last().map_or(1, |(number, _)| number + 1);
        fs::rename(self.path(), self.state.folder().join(format!("history.{next:06}.jsonl")))?;
        let gone = (older.len() + 1).saturating_sub(self.kept);
        for (_, path) in older.into_iter().take(gone) {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    /// The files that do not grow any more, the oldest first.
    fn older(&self) -> Vec<(u64, PathBuf)> {
        let number = |name: &OsStr| name.to_str()?.strip_prefix("history.")?.strip_suffix(".jsonl")?.parse().ok();
        let entries = fs::read_dir(self.state.folder()).into_iter().flatten().flatten();
        let mut older: Vec<(u64, PathBuf)> =
            entries.filter_map(|entry| Some((number(&entry.file_name())?, entry.path()))).collect();
        older.sort_unstable();
        older
    }

    fn trouble(&self, error: &io::Error) -> Error {
        let folder = self.state.folder().display();
        let hint = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                format!("free some space (`df -h {folder}`, `df -i {folder}`)")
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                format!("`{folder}` is mounted read-only: choose another with $MAINSTAY_STATE or `state = \"DIR\"`")
            }
            _ => format!("see who may write to `{folder}`: `ls -la {folder}`"),
        };
        Error::new(Kind::Failed, format!("write this run into the history `{}`", self.path().display()))
            .because(error)
            .hint(hint)
    }
}

impl Runs {
    /// How many lines so far were no records: torn ones, or of another version.
    pub fn foreign(&self) -> usize {
        self.foreign
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.lines.as_mut().and_then(Iterator::next) {
                Some(Ok(line)) => return Some(line),
                Some(Err(_)) => self.foreign += 1,
                None => {
                    let file = self.files.pop()?;
                    self.lines = Backwards::new(file, history::LONGEST).ok();
                }
            }
        }
    }
}

impl Iterator for Runs {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        loop {
            match history::read(&self.line()?) {
                Some(run) => return Some(run),
                None => self.foreign += 1,
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

/// One write(2); a part of it is a failure, and the next write says which.
fn write_once(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match file.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether this user can be meant to write there: the folder is his, or it, or the first one above it that exists, lets him.
fn may_write(folder: &Path) -> bool {
    use rustix::{fs::Access, io::Errno};
    if fs::metadata(folder).is_ok_and(|folder| folder.uid() == rustix::process::geteuid().as_raw()) {
        return true;
    }
    let there = folder.ancestors().find_map(|folder| match rustix::fs::access(folder, Access::WRITE_OK) {
        Err(Errno::NOENT) => None,
        answer => Some(answer),
    });
    !matches!(there, Some(Err(Errno::ACCESS | Errno::PERM)))
}

/// Waits for the lock for a moment; whether it is ours now.
async fn is_free(lock: &File) -> bool {
    let begun = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return true,
            Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => sleep(Duration::from_millis(5)).await,
            // A file system without locks, or a run that hangs at its record.
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests;
