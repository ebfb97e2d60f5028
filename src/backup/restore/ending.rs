//! After the swap: the mark that it has ended, the check of what is on the disk, and what is kept for the way back.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    check::check,
    commit::{Stuck, forward},
    journal::{Header, Step, Time, steps},
    plan::target_error,
    request::{Privileges, Request, Revert},
    stage::{DONE, JOURNAL, mark_done, remove, staging_folders},
    wanting::Wanting,
};
use crate::{
    error::{Error, Kind, Result},
    report::Finding,
    rules::{archive_id::set_name, manifest::Mtime},
    system::{
        state::{self, State},
        tree::{Tree, join},
    },
};

/// Where a backup was last restored to: `restore/NAME.json` in the state folder.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Memory {
    /// The restored folder.
    pub target: PathBuf,
    /// The name of the staging folders.
    pub folder: String,
    /// Where nothing was replaced, nothing is kept in the target: the journal is beside this file then, and these are the
    /// times at which the restore had ended in each yard.
    pub marks: Option<Vec<Time>>,
}

/// On whose behalf a restore ends.
#[derive(Clone, Copy)]
pub(super) struct For<'a> {
    pub name: &'a str,
    pub target: &'a Path,
    pub state: &'a State,
}

/// A restore that has ended.
pub(super) struct Ended {
    pub entries: u64,
    pub files: u64,
    pub bytes: u64,
    pub findings: Vec<Finding>,
    pub undo_folder: Option<PathBuf>,
}

/// Ends a restore whose steps have all been taken. May be cut off anywhere and begun again.
pub(super) fn finish(tree: &mut Tree, header: &Header, replaces: bool, whom: For<'_>) -> Result<Ended> {
    let folder = header.folder.as_bytes();
    let yards = header.yards();
    let trouble = |error: &io::Error| target_error(whom.target, error);
    let journal = join(folder, JOURNAL);
    forget_older(tree, folder).map_err(|error| trouble(&error))?;
    let folders = folders(tree, &journal).map_err(|error| trouble(&error))?;
    settle(tree, &folders).map_err(|error| trouble(&error))?;
    let latest = latest(tree, &journal, &yards).map_err(|error| trouble(&error))?;
    let marks = mark_done(tree, folder, &yards, &latest).map_err(|error| trouble(&error))?;
    let privileges = if header.privileged { Privileges::Keep } else { Privileges::Drop };
    let checked = check(tree, folder, &Wanting::here(privileges), whom);
    let mut checked = checked.map_err(|error| trouble(&error))?;
    let mut undo_folder = Some(whom.target.join(&header.folder));
    if !replaces {
        // A fresh target should hold what was restored and nothing else.
        let kept = keep_journal(tree, &journal, whom, marks, header);
        match kept {
            Ok(()) => {
                remove(tree, folder, &yards).map_err(|error| trouble(&error))?;
                // To remove it touched the folders that it was in.
                if !header.made_target {
                    settle(tree, &folders).map_err(|error| trouble(&error))?;
                }
                undo_folder = None;
            }
            Err(error) => checked.findings.push(
                Finding::warn(super::ID, whom.name, format!("{} stays in the target: {error}", header.folder))
                    .fix("make the state folder writable; the next restore removes it")
                    .data("reason", "state"),
            ),
        }
    }
    Ok(Ended {
        entries: checked.entries,
        files: checked.files,
        bytes: checked.bytes,
        findings: checked.findings,
        undo_folder,
    })
}

/// Remembers where the restore goes, so that `--resume` and `--undo` find it by the backup's name.
pub(super) fn remember(request: &Request, header: &Header) -> Result<()> {
    let memory = Memory { target: header.target.clone(), folder: header.folder.clone(), marks: None };
    memory.write(&request.state, &request.name)
}

impl Memory {
    /// The last restore of this backup.
    pub(super) fn read(state: &State, name: &str) -> Option<Self> {
        let text = fs::read(state.folder().join("restore").join(file_name(name, "json"))).ok()?;
        serde_json::from_slice(&text).ok()
    }

    pub(super) fn write(&self, state: &State, name: &str) -> Result<()> {
        let path = state.room("restore")?.join(file_name(name, "json"));
        let text = serde_json::to_vec_pretty(self).expect("plain fields always serialise");
        state::write(&path, &text, state::Mode::Exactly(0o600))
    }

    /// Opens the journal that is kept beside it.
    pub(super) fn journal(state: &State, name: &str) -> io::Result<File> {
        File::open(state.folder().join("restore").join(file_name(name, "journal")))
    }

    /// Forgets it: there is nothing left to take back.
    pub(super) fn forget(state: &State, name: &str) -> io::Result<()> {
        for extension in ["json", "journal"] {
            match fs::remove_file(state.folder().join("restore").join(file_name(name, extension))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The steps that set the attributes of folders.
pub(super) fn folders(tree: &mut Tree, journal: &[u8]) -> io::Result<Vec<Step>> {
    let file = tree.file(journal)?;
    let all = steps(file)?.filter(|step| !matches!(step, Ok(step) if !matches!(step, Step::Folder { .. })));
    all.collect()
}

fn settle(tree: &mut Tree, folders: &[Step]) -> io::Result<()> {
    match forward(tree, folders.iter().cloned().map(Ok), &mut || Ok(())) {
        // Somebody took a folder away: the check says so.
        Ok(()) | Err(Stuck::Changed(_)) => Ok(()),
        Err(Stuck::System(_, error)) => Err(error),
    }
}

/// What was kept of restores before this one goes now.
fn forget_older(tree: &mut Tree, folder: &[u8]) -> io::Result<()> {
    for older in staging_folders(tree)?.into_iter().filter(|older| older != folder) {
        let journal = join(&older, JOURNAL);
        let is_done = tree.look(&join(&older, DONE))?.is_some();
        let header = tree.file(&journal).and_then(Header::read);
        if let (true, Ok(header)) = (is_done, header) {
            remove(tree, &older, &header.yards())?;
        }
    }
    Ok(())
}

/// When the last change of what was put in place happened, in each yard.
fn latest(tree: &mut Tree, journal: &[u8], yards: &[Vec<u8>]) -> io::Result<Vec<Option<Mtime>>> {
    let mut latest = vec![None; yards.len()];
    let file = tree.file(journal)?;
    for step in steps(file)? {
        let (Step::Attributes { path, .. } | Step::Folder { path, .. } | Step::Place { path, .. }) = step? else {
            continue;
        };
        let Some(seen) = tree.look(&path.0)? else { continue };
        let yard = yard_of(yards, &path.0);
        latest[yard] = latest[yard].max(Some(seen.found.ctime));
    }
    Ok(latest)
}

/// The yard whose file system a path is on: the one with the longest path around it.
pub(super) fn yard_of(yards: &[Vec<u8>], path: &[u8]) -> usize {
    let around = |yard: &[u8]| yard.is_empty() || path == yard || (path.starts_with(yard) && path[yard.len()] == b'/');
    let fitting = yards.iter().enumerate().filter(|(_, yard)| around(yard));
    fitting.max_by_key(|(_, yard)| yard.len()).map_or(0, |(at, _)| at)
}

fn keep_journal(tree: &mut Tree, journal: &[u8], whom: For<'_>, marks: Vec<Mtime>, header: &Header) -> Result<()> {
    let room = whom.state.room("restore")?;
    let trouble = |error: &io::Error| Error::new(Kind::Failed, "keep the journal of the restore").because(error);
    let mut text = Vec::new();
    tree.file(journal).and_then(|mut file| file.read_to_end(&mut text)).map_err(|error| trouble(&error))?;
    state::write(&room.join(file_name(whom.name, "journal")), &text, state::Mode::Exactly(0o600))?;
    let marks = Some(marks.into_iter().map(Time::from).collect());
    Memory { target: header.target.clone(), folder: header.folder.clone(), marks }.write(whom.state, whom.name)
}

fn file_name(name: &str, extension: &str) -> String {
    // As in the names of archives: nothing in it can leave the folder.
    format!("{}.{extension}", set_name("of", name))
}

impl<'a> From<&'a Request> for For<'a> {
    fn from(request: &'a Request) -> Self {
        Self { name: &request.name, target: request.target.folder(), state: &request.state }
    }
}

impl Revert {
    /// The target that was meant: the one that is named, or the last one of this backup.
    pub(super) fn find(&self) -> Result<PathBuf> {
        let last = || Memory::read(&self.state, &self.name).map(|memory| memory.target);
        self.target.clone().or_else(last).ok_or_else(|| {
            Error::new(Kind::Failed, format!("find the last restore of `{}`", self.name))
                .because("this host remembers none")
                .hint("name the restored folder with `--to DIR`")
        })
    }
}
