//! Takes a restore back, or goes on with one that was cut off.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    ID,
    commit::{Stuck, back, forward, is_untouched},
    ending::{self, For, Memory, folders, yard_of},
    journal::{Header, Step, steps},
    plan::{open, target_error},
    request::{Overwrite, Restored, Revert, Summary},
    source::{block, keep_secrets_in},
    stage::{DONE, JOURNAL, NEW, OLD, Site, remove, staging_folders, sync_folder},
};
use crate::{
    error::{Error, Kind, Result},
    report::{Finding, Outcome, State as Result_},
    rules::manifest::Mtime,
    system::{
        Context,
        tree::{Tree, join, shown, split},
    },
};

/// A restore that has left something in its target.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unfinished {
    /// The archive.
    pub archive: String,
    /// The folder that was restored to.
    pub target: PathBuf,
    /// Where the journal and the replaced files are.
    pub folder: PathBuf,
    /// Whether it was cut off, and must be finished or taken back; else it has ended, and can be taken back.
    pub is_pending: bool,
}

/// Restores of this backup that were cut off while they swapped: to be told of before anything else is done.
///
/// # Errors
///
/// The target cannot be read.
pub fn pending(revert: &Revert) -> Result<Vec<Unfinished>> {
    let memory = Memory::read(&revert.state, &revert.name).map(|memory| memory.target);
    let mut targets: Vec<_> = revert.target.iter().cloned().chain(memory).collect();
    targets.dedup();
    let mut found = Vec::new();
    for target in targets {
        found.extend(unfinished(&target)?.into_iter().filter(|unfinished| unfinished.is_pending));
    }
    Ok(found)
}

/// Goes on with a restore that was cut off while it swapped.
///
/// # Errors
///
/// There is none, the target cannot be used, or another restore is at work there.
pub async fn resume(revert: Revert, context: &Context) -> Result<Restored> {
    keep_secrets_in();
    let begun = Instant::now();
    context.progress.begin("finish the restore", None);
    let done = block(move || go_on(&revert, begun)).await;
    context.progress.end();
    done?
}

/// Takes a restore back: content, modes, owners and times are then what they were. What was changed since is not touched:
/// where there is such a thing, nothing is taken back.
///
/// # Errors
///
/// There is none, the target cannot be used, or another restore is at work there.
pub async fn undo(revert: Revert, context: &Context) -> Result<Restored> {
    keep_secrets_in();
    context.progress.begin("take the restore back", None);
    let done = block(move || take_back(&revert)).await;
    context.progress.end();
    done?
}

/// Every restore that has left a journal in a target.
pub(super) fn unfinished(target: &Path) -> Result<Vec<Unfinished>> {
    let Some(mut tree) = open(target)? else { return Ok(Vec::new()) };
    let trouble = |error: &io::Error| target_error(target, error);
    let mut found = Vec::new();
    for folder in staging_folders(&mut tree).map_err(|error| trouble(&error))? {
        // One that cannot be looked into belongs to somebody else's restore.
        let Ok(header) = tree.file(&join(&folder, JOURNAL)).and_then(Header::read) else { continue };
        let done = tree.look(&join(&folder, DONE)).map_err(|error| trouble(&error))?;
        found.push(Unfinished {
            archive: header.archive,
            target: target.to_owned(),
            folder: target.join(&header.folder),
            is_pending: done.is_none(),
        });
    }
    Ok(found)
}

fn go_on(revert: &Revert, begun: Instant) -> Result<Restored> {
    let target = revert.find()?;
    let trouble = |error: &io::Error| target_error(&target, error);
    let mut site = lock(&target)?;
    let found = unfinished(&target)?.into_iter().find(|found| found.is_pending);
    let Some(found) = found else {
        return Err(Error::new(Kind::Failed, format!("go on with a restore to `{}`", target.display()))
            .because("none was cut off there")
            .hint("start one: `mainstay backup restore`"));
    };
    let journal = join(&name_of(&found), JOURNAL);
    let header = site.tree.file(&journal).and_then(Header::read).map_err(|error| trouble(&error))?;
    let replaces = replaces(&mut site.tree, &journal).map_err(|error| trouble(&error))?;
    let steps = site.tree.file(&journal).and_then(steps).map_err(|error| trouble(&error))?;
    if let Err(stuck) = forward(&mut site.tree, steps, &mut || Ok(())) {
        return Ok(stopped(revert, &found, "finish", &stuck));
    }
    let whom = For { name: &revert.name, target: &target, state: &revert.state };
    let ended = ending::finish(&mut site.tree, &header, replaces, whom)?;
    let detail = format!("the restore of {} is finished", found.archive);
    let summary = Summary {
        archive: found.archive,
        target: target.clone(),
        entries: ended.entries,
        files: ended.files,
        bytes: ended.bytes,
        took: begun.elapsed().max(Duration::ZERO),
        undo_folder: ended.undo_folder,
    };
    Ok(Restored {
        outcomes: vec![outcome("resume", &target, Result_::Done, detail)],
        findings: ended.findings,
        summary: Some(summary),
    })
}

/// Removes what a restore that replaced nothing has left where it was killed between its end and its tidying up: it needs
/// no way back in the target, which should hold what was restored and nothing else.
pub(super) fn clear_ended(revert: &Revert) -> Result<()> {
    let target = revert.find()?;
    let trouble = |error: &io::Error| target_error(&target, error);
    let mut site = lock(&target)?;
    for found in unfinished(&target)?.into_iter().filter(|found| !found.is_pending) {
        let journal = join(&name_of(&found), JOURNAL);
        if replaces(&mut site.tree, &journal).map_err(|error| trouble(&error))? {
            continue;
        }
        let header = site.tree.file(&journal).and_then(Header::read).map_err(|error| trouble(&error))?;
        ending::finish(
            &mut site.tree,
            &header,
            false,
            For { name: &revert.name, target: &target, state: &revert.state },
        )?;
    }
    Ok(())
}

/// Whether a restore has replaced something that it must be able to put back.
fn replaces(tree: &mut Tree, journal: &[u8]) -> io::Result<bool> {
    let mut replaces = false;
    for step in tree.file(journal).and_then(steps)? {
        replaces |= matches!(step?, Step::Place { was: Some(_), .. });
    }
    Ok(replaces)
}

fn take_back(revert: &Revert) -> Result<Restored> {
    let target = revert.find()?;
    let trouble = |error: &io::Error| target_error(&target, error);
    let mut site = lock(&target)?;
    let mut left = unfinished(&target)?;
    left.sort_by_key(|found| !found.is_pending);
    let memory = Memory::read(&revert.state, &revert.name).filter(|memory| memory.target == target);
    let (found, marks, kept) = match (left.into_iter().next(), memory) {
        (Some(found), _) => (found, None, None),
        (None, Some(Memory { folder, marks: Some(marks), .. })) => {
            let mut journal = Memory::journal(&revert.state, &revert.name).map_err(|error| trouble(&error))?;
            let header = journal.try_clone().and_then(Header::read).map_err(|error| trouble(&error))?;
            journal.rewind().map_err(|error| trouble(&error))?;
            let folder = target.join(folder);
            let found = Unfinished { archive: header.archive, target: target.clone(), folder, is_pending: false };
            (found, Some(marks), Some(journal))
        }
        _ => {
            return Err(Error::new(Kind::Failed, format!("take back a restore to `{}`", target.display()))
                .because("none is left there: it was taken back, or never happened")
                .hint("restore an older archive instead: `mainstay backup restore --archive ID`"));
        }
    };
    let was_kept = kept.is_some();
    if let Some(journal) = kept {
        rebuild(&mut site.tree, &found, journal).map_err(|error| trouble(&error))?;
    }
    let folder = name_of(&found);
    let journal = join(&folder, JOURNAL);
    let header = site.tree.file(&journal).and_then(Header::read).map_err(|error| trouble(&error))?;
    let yards = header.yards();
    let marks = match marks {
        Some(marks) => marks.into_iter().map(|mark| Some(Mtime::from(mark))).collect(),
        None => marks_of(&mut site.tree, &folder, &yards).map_err(|error| trouble(&error))?,
    };
    let Since { changed, touched } =
        since(&mut site.tree, &journal, &yards, &marks, was_kept).map_err(|error| trouble(&error))?;
    if !found.is_pending && !changed.is_empty() && revert.overwrite == Overwrite::Older {
        if was_kept {
            remove(&mut site.tree, &folder, &yards).map_err(|error| trouble(&error))?;
        }
        return Ok(refused(revert, &found, &changed));
    }
    for yard in &yards {
        // From here on the restore is one that was cut off, whichever way it is gone on with.
        let place = join(yard, &folder);
        site.tree.remove(&join(&place, DONE)).map_err(|error| trouble(&error))?;
        sync_folder(&mut site.tree, &place).map_err(|error| trouble(&error))?;
    }
    let all = site.tree.file(&journal).and_then(steps).map_err(|error| trouble(&error))?;
    if let Err(stuck) = back(&mut site.tree, all, &touched, &mut || Ok(())) {
        return Ok(stopped(revert, &found, "take back", &stuck));
    }
    site.tree.sync().map_err(|error| trouble(&error))?;
    let folders = folders(&mut site.tree, &journal).map_err(|error| trouble(&error))?;
    remove(&mut site.tree, &folder, &yards).map_err(|error| trouble(&error))?;
    // To remove the staging folders touched the folders that they were in.
    if let Err(stuck) = back(&mut site.tree, folders.into_iter().map(Ok), &touched, &mut || Ok(())) {
        return Ok(stopped(revert, &found, "take back", &stuck));
    }
    if header.made_target {
        // Where somebody has put something into it since, it stays.
        let _ = std::fs::remove_dir(&target);
    }
    if Memory::read(&revert.state, &revert.name).is_some_and(|memory| memory.target == target) {
        Memory::forget(&revert.state, &revert.name).map_err(|error| {
            Error::new(Kind::Failed, "forget the restore that was taken back")
                .because(error)
                .hint("make the state folder writable")
        })?;
    }
    let detail = format!("{} is as it was before {} was restored", target.display(), found.archive);
    let finding = Finding::pass(ID, &revert.name, detail.clone());
    Ok(Restored {
        outcomes: vec![outcome("undo", &target, Result_::Done, detail)],
        findings: vec![finding],
        summary: None,
    })
}

/// What others have done since a restore ended.
struct Since {
    /// Restored things that are not what was restored any more.
    changed: Vec<Vec<u8>>,
    /// Folders in which something came or went.
    touched: HashSet<Vec<u8>>,
}

fn since(
    tree: &mut Tree,
    journal: &[u8],
    yards: &[Vec<u8>],
    marks: &[Option<Mtime>],
    was_kept: bool,
) -> io::Result<Since> {
    let mut since = Since { changed: Vec::new(), touched: HashSet::new() };
    let file = tree.file(journal)?;
    for step in steps(file)? {
        let step = step?;
        let (Step::Attributes { path, .. } | Step::Folder { path, .. } | Step::Place { path, .. }) = &step else {
            continue;
        };
        let mark = marks[yard_of(yards, &path.0)];
        match &step {
            Step::Folder { path, .. } => {
                // The staging folders came and went in these ones, which says nothing of others.
                let ours = was_kept && yards.contains(&path.0);
                let late = tree.look(&path.0)?.zip(mark).is_some_and(|(seen, mark)| seen.found.ctime >= mark);
                if late && !ours {
                    since.touched.insert(path.0.clone());
                }
            }
            step if mark.is_some() && !is_untouched(tree, step, mark)? => since.changed.push(path.0.clone()),
            _ => {}
        }
    }
    Ok(since)
}

/// When the restore had ended in each yard, where it has.
fn marks_of(tree: &mut Tree, folder: &[u8], yards: &[Vec<u8>]) -> io::Result<Vec<Option<Mtime>>> {
    let mut mark = |yard: &Vec<u8>| Ok(tree.look(&join(&join(yard, folder), DONE))?.map(|seen| seen.found.ctime));
    yards.iter().map(&mut mark).collect()
}

/// Makes the staging folders of a restore that has kept nothing in its target, so that it can be taken back as any other.
fn rebuild(tree: &mut Tree, found: &Unfinished, mut kept: File) -> io::Result<()> {
    let folder = name_of(found);
    let mut text = Vec::new();
    kept.read_to_end(&mut text)?;
    kept.rewind()?;
    let header = Header::read(kept.try_clone()?)?;
    for yard in header.yards() {
        let place = join(&yard, &folder);
        make(tree, &place)?;
        for name in [NEW, OLD] {
            make(tree, &join(&place, name))?;
        }
    }
    kept.rewind()?;
    for step in steps(kept)? {
        if let Step::Place { staged, .. } = step? {
            let parent = split(&staged.0).0;
            for end in (folder.len()..=parent.len()).filter(|end| parent.get(*end).is_none_or(|byte| *byte == b'/')) {
                if tree.look(&parent[..end])?.is_none() {
                    make(tree, &parent[..end])?;
                }
            }
        }
    }
    let (draft, journal) = (join(&folder, b"journal.part"), join(&folder, JOURNAL));
    tree.remove(&draft)?;
    let mut file = tree.create(&draft, 0o600)?;
    file.write_all(&text)?;
    file.sync_all()?;
    // It has ended; without the mark it would be one that was cut off.
    for yard in header.yards() {
        tree.create(&join(&join(&yard, &folder), DONE), 0o600)?;
    }
    tree.rename(&draft, &journal)?;
    sync_folder(tree, &folder)
}

fn make(tree: &mut Tree, path: &[u8]) -> io::Result<()> {
    match tree.create_folder(path, 0o700) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn lock(target: &Path) -> Result<Site> {
    if open(target)?.is_none() {
        return Err(Error::new(Kind::Failed, format!("find a restore in `{}`", target.display()))
            .because("there is no such folder")
            .hint("name the restored folder with `--to DIR`"));
    }
    Site::open(target).map_err(|error| target_error(target, &error))?.ok_or_else(|| {
        Error::new(Kind::Locked, format!("change `{}`", target.display()))
            .because("another restore is at work there")
            .hint("try again when it is done")
    })
}

fn name_of(found: &Unfinished) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    found.folder.file_name().unwrap_or_default().as_bytes().to_vec()
}

fn stopped(revert: &Revert, found: &Unfinished, what: &str, stuck: &Stuck) -> Restored {
    let name = &revert.name;
    let text = format!("could not {what} the restore of {} to {}: {stuck}", found.archive, found.target.display());
    let finding = Finding::fail(ID, name, text.clone())
        .fix(format!(
            "mend that, then run `mainstay backup restore {name} --resume` to finish it, or `mainstay backup restore {name} --undo` to take it back"
        ))
        .data("reason", "pending")
        .data("archive", found.archive.as_str());
    Restored {
        outcomes: vec![outcome(what, &found.target, Result_::Failed, text)],
        findings: vec![finding],
        summary: None,
    }
}

fn refused(revert: &Revert, found: &Unfinished, changed: &[Vec<u8>]) -> Restored {
    let first: Vec<_> = changed.iter().take(20).map(|path| shown(path)).collect();
    let text = format!("{} restored files or folders were changed since", changed.len());
    let finding = Finding::fail(ID, &revert.name, text.clone())
        .observed(first.join(", "))
        .fix("copy them away, then pass `--overwrite newer` to take them back too")
        .data("reason", "changed")
        .data("paths", first)
        .data("archive", found.archive.as_str());
    Restored {
        outcomes: vec![outcome("undo", &found.target, Result_::Skipped, text)],
        findings: vec![finding],
        summary: None,
    }
}

fn outcome(action: &str, target: &Path, state: Result_, detail: String) -> Outcome {
    Outcome { action: action.to_owned(), target: target.display().to_string(), state, detail, fix: None }
}
