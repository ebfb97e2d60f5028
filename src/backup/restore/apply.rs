//! Carries a plan out: stages, reads the archive to its end, swaps, checks.

use std::{
    collections::HashMap,
    io::{self, BufWriter, Write},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    ID,
    arrange::{Arranging, Obstacle, Written},
    changes::Changes,
    commit::{Stuck, back, forward},
    ending::{self, Ended},
    journal::{Header, steps},
    plan::{Action, Restore, is_empty, pending_finding, target_error},
    request::{Privileges, Request, Restored, Revert, Summary, Target},
    room,
    source::{Failure, Watch, block, is_meant, keep_secrets_in, read, unpacker},
    stage::{ENTRIES, JOURNAL, Site, Stage},
    undo::clear_ended,
    wanting::Wanting,
};
use crate::{
    error::{Error, Kind, Result},
    report::{Finding, Outcome, Plan, State as Result_},
    rules::{
        difference::Difference,
        manifest::{Entry, Kind as EntryKind},
    },
    system::{Context, process::Command, tree::shown},
};

/// Carries out what [`super::plan`] has planned.
///
/// The target is either as it was or as the archive says; after a crash [`super::resume`] or [`super::undo`] makes it so.
///
/// # Errors
///
/// The state folder cannot be used, the lock of the target is held, or a signal came before the swap. Everything else is a
/// finding and a failed outcome.
pub async fn apply(restore: Restore, context: &Context) -> Result<Restored> {
    keep_secrets_in();
    let begun = Instant::now();
    let Restore { plan, request, fresh, changes, sha256, .. } = restore;
    let folder = request.target.folder().clone();
    if let Some(finding) = pending_finding(&request.name, &folder)? {
        return Ok(refused(&plan, vec![finding]));
    }
    if plan.steps.is_empty() {
        let Request { name, overwrite, state, .. } = request.clone();
        let revert = Revert { name, target: Some(folder.clone()), overwrite, state };
        block(move || clear_ended(&revert)).await??;
        let finding =
            Finding::pass(ID, &request.name, format!("{} is as in archive {}", folder.display(), request.source.id));
        return Ok(Restored { outcomes: Vec::new(), findings: vec![finding], summary: None });
    }
    let staged = match stage(&request, fresh, changes, sha256, context).await {
        Ok(staged) => staged,
        Err(failure) => {
            let finding = failure.into_finding(&request.name, &request.source)?;
            return Ok(refused(&plan, vec![finding]));
        }
    };
    if context.cancel.is_raised() {
        // The stage is dropped, and so removed.
        return Err(
            Error::new(Kind::Interrupted, format!("restore to `{}`", folder.display())).because("a signal came")
        );
    }
    let label = format!("restore to {}", folder.display());
    context.progress.begin(&label, None);
    let ended = {
        let request = request.clone();
        block(move || commit(staged, &request)).await
    };
    context.progress.end();
    let ended = match ended?? {
        Ok(ended) => ended,
        Err(finding) => return Ok(refused(&plan, vec![finding])),
    };
    let summary = summarise(&request, &ended, begun.elapsed());
    let mut outcomes: Vec<_> = plan
        .steps
        .iter()
        .filter(|step| step.action != Action::AfterRestore)
        .map(|step| outcome(step.action, &step.target, Result_::Done, &step.reason))
        .collect();
    let mut findings = ended.findings;
    if let (Target::InPlace(_), Some(command)) = (&request.target, &request.after) {
        outcomes.push(run_after(command, &request, &mut findings, context).await);
    }
    Ok(Restored { outcomes, findings, summary: Some(summary) })
}

/// What has been staged: whole, authenticated, and nothing is changed yet.
struct Staged {
    stage: Stage,
    written: Written,
}

/// Unpacks into the staging folder and writes the journal; nothing that people see is touched.
async fn stage(
    request: &Request,
    fresh: bool,
    changes: Option<Changes>,
    sha256: Option<String>,
    context: &Context,
) -> Result<Staged, Failure> {
    let folder = request.target.folder().clone();
    let unpack = unpacker(&request.source);
    let wanting = Wanting::here(request.privileges);
    let inner = request.clone();
    read(&request.source, context, "restore", move |reader, context| {
        let trouble = |error: &io::Error| Failure::Run(target_error(&folder, error));
        let Some(mut site) = Site::open(&folder).map_err(|error| trouble(&error))? else {
            return Err(Failure::Run(
                Error::new(Kind::Locked, format!("restore to `{}`", folder.display()))
                    .because("another restore is at work there")
                    .hint("try again when it is done"),
            ));
        };
        let before = site.before.clone();
        let room = inner.state.room("restore")?;
        let is_new = site.is_new();
        let prepared = site.tidy().map_err(|error| trouble(&error)).and_then(|()| {
            if fresh && !is_empty(Some(site.tree.again()), &folder)? {
                return Err(changed(&folder, b"").into());
            }
            room::check(&mut site.tree, &inner, changes.as_ref(), &folder)?;
            Ok(())
        });
        if let Err(failure) = prepared {
            site.abandon();
            return Err(failure);
        }
        let mut stage = site.stage().map_err(|error| trouble(&error))?;
        let chosen = changes.as_ref().map(Chosen::of).transpose().map_err(|error| trouble(&error))?;
        let unpacking = stage.unpacking().map_err(|error| trouble(&error))?;
        let entries = stage.path(0, ENTRIES);
        let mut entries = BufWriter::new(stage.tree.create(&entries, 0o600).map_err(|error| trouble(&error))?);
        let mut kept = Ok(());
        let mut borrowed = HashMap::new();
        let flusher = stage.flusher().map_err(|error| trouble(&error))?;
        let takes = |path: &[u8]| fresh || chosen.as_ref().is_none_or(|chosen| chosen.needs(path));
        let verified = unpack.extract(
            reader,
            &unpacking,
            &takes,
            Watch {
                each: &mut |entry| {
                    let taken = match chosen.as_ref().filter(|_| !fresh) {
                        None => Some(entry.clone()),
                        Some(chosen) => chosen.told(entry, &mut borrowed),
                    };
                    if let (Some(entry), Ok(())) = (taken, &kept) {
                        kept = writeln!(entries, "{}", entry.to_line());
                    }
                },
                tick: &|bytes| context.progress.advance(bytes),
                stop: &context.cancel,
            },
        );
        // Ended before the stage is, which is removed after an error.
        let flushed = flusher.end();
        let verified = verified?;
        flushed.map_err(|error| trouble(&error))?;
        is_meant(&verified, sha256.as_deref())?;
        let written = kept
            .and_then(|()| chosen.as_ref().map_or(Ok(()), |chosen| chosen.clear(&mut stage)))
            .and_then(|()| {
                changes.as_ref().filter(|_| !fresh).map_or(Ok(()), |changes| add_attributes(changes, &mut entries))
            })
            .and_then(|()| entries.flush())
            .map_err(Obstacle::System)
            .and_then(|()| {
                let mut header = Header::new(&stage.folder, &inner.source.id, folder.clone());
                header.made_target = is_new;
                header.privileged = inner.privileges == Privileges::Keep;
                let draft = stage.draft()?;
                let mut arranging = Arranging::new(&mut stage, &wanting, before, &room)?;
                match changes.as_ref().filter(|_| !fresh) {
                    Some(changes) => arranging.chosen(changes)?,
                    None => arranging.everything()?,
                }
                arranging.write(draft, header)
            });
        match written {
            Ok(written) => Ok(Staged { stage, written }),
            Err(Obstacle::Changed(path)) => Err(changed(&folder, &path).into()),
            Err(Obstacle::System(error)) => Err(trouble(&error)),
        }
    })
    .await
}

/// Makes everything durable, and swaps. The inner error is a finding: nothing is changed then, or it can be gone on with.
fn commit(staged: Staged, request: &Request) -> Result<std::result::Result<Ended, Finding>> {
    let Staged { mut stage, written } = staged;
    let folder = request.target.folder();
    ending::remember(request, &written.header)?;
    if let Err(error) = stage.seal() {
        return Err(target_error(folder, &error));
    }
    let trouble = |error: &io::Error| target_error(folder, error);
    let journal = stage.path(0, JOURNAL);
    let steps_of = |stage: &mut Stage| stage.tree.file(&journal).and_then(steps);
    let taken = steps_of(&mut stage)
        .map_err(|error| Stuck::System(Vec::new(), error))
        .and_then(|steps| forward(&mut stage.tree, steps, &mut || Ok(())));
    let Err(stuck) = taken else {
        return Ok(Ok(ending::finish(&mut stage.tree, &written.header, written.replaces, request.into())?));
    };
    let reason = match &stuck {
        Stuck::Changed(_) => "changed",
        Stuck::System(..) => "system",
    };
    let undone = steps_of(&mut stage)
        .map_err(|error| Stuck::System(Vec::new(), error))
        .and_then(|steps| back(&mut stage.tree, steps, &Default::default(), &mut || Ok(())));
    let finding = match undone {
        Ok(()) => {
            stage.remove().map_err(|error| trouble(&error))?;
            Finding::fail(ID, &request.name, format!("nothing was restored to {}: {stuck}", folder.display()))
                .fix(format!("see what works in {} and make a new plan", folder.display()))
                .data("reason", reason)
        }
        Err(worse) => {
            let name = &request.name;
            Finding::fail(ID, name, format!("the restore to {} stopped half-way: {stuck}", folder.display()))
                .cause(format!("it could not be taken back either: {worse}"))
                .fix(format!(
                    "mend that, then run `mainstay backup restore {name} --resume` to finish it, or `mainstay backup restore {name} --undo` to take it back"
                ))
                .data("reason", "pending")
        }
    };
    Ok(Err(finding.data("archive", request.source.id.as_str())))
}

/// Which paths a plan has chosen, and which are needed because a chosen one is another name of them.
struct Chosen {
    hasher: std::hash::RandomState,
    chosen: Vec<u64>,
    extra: Vec<Vec<u8>>,
}

impl Chosen {
    fn of(changes: &Changes) -> io::Result<Self> {
        use std::hash::BuildHasher;
        let mut this = Self { hasher: std::hash::RandomState::new(), chosen: Vec::new(), extra: Vec::new() };
        let mut targets = Vec::new();
        changes.each(|difference, entry| {
            if is_written(difference) {
                this.chosen.push(this.hasher.hash_one(&entry.path[..]));
                if let EntryKind::HardLink { target } = entry.kind {
                    targets.push(target);
                }
            }
            Ok(())
        })?;
        this.chosen.sort_unstable();
        targets.retain(|target| !this.takes(target));
        targets.sort();
        targets.dedup();
        this.extra = targets;
        Ok(this)
    }

    /// Whether the plan puts it in place.
    fn takes(&self, path: &[u8]) -> bool {
        use std::hash::BuildHasher;
        self.chosen.binary_search(&self.hasher.hash_one(path)).is_ok()
    }

    /// Whether it must be unpacked.
    fn needs(&self, path: &[u8]) -> bool {
        self.takes(path) || self.is_extra(path)
    }

    /// Whether it is unpacked only for the sake of another name.
    fn is_extra(&self, path: &[u8]) -> bool {
        self.extra.binary_search_by(|extra| extra.as_slice().cmp(path)).is_ok()
    }

    /// The entry as it will be in the target, where it is put there. A name of a file that stays itself becomes a file of
    /// its own: `borrowed` keeps such files until their other names come.
    fn told(&self, entry: &Entry, borrowed: &mut HashMap<Vec<u8>, Entry>) -> Option<Entry> {
        if !self.takes(&entry.path) {
            if self.is_extra(&entry.path) {
                borrowed.insert(entry.path.clone(), entry.clone());
            }
            return None;
        }
        match &entry.kind {
            EntryKind::HardLink { target } => match borrowed.get(target) {
                Some(file) => Some(Entry { path: entry.path.clone(), ..file.clone() }),
                None => Some(entry.clone()),
            },
            _ => Some(entry.clone()),
        }
    }

    /// Removes what is staged only for the sake of another name.
    fn clear(&self, stage: &mut Stage) -> io::Result<()> {
        self.extra.iter().try_for_each(|path| {
            let path = stage.path(0, &crate::system::tree::join(super::stage::NEW, path));
            stage.tree.remove(&path)
        })
    }
}

/// Whether the content is written anew.
pub(super) fn is_written(difference: Difference) -> bool {
    matches!(difference, Difference::Change | Difference::Create | Difference::KindChange | Difference::Newer)
}

/// What only gets other attributes is checked in the end like the rest.
fn add_attributes(changes: &Changes, out: &mut impl Write) -> io::Result<()> {
    changes.each(|difference, entry: Entry| match difference {
        Difference::ModeOnly => writeln!(out, "{}", entry.to_line()),
        _ => Ok(()),
    })
}

fn changed(folder: &std::path::Path, path: &[u8]) -> Error {
    let path = if path.is_empty() { folder.display().to_string() } else { shown(path) };
    Error::new(Kind::Failed, format!("restore to `{}`", folder.display()))
        .because(format!("`{path}` has changed since the plan was made"))
        .hint("make a new plan: run the same command again")
}

async fn run_after(command: &[String], request: &Request, findings: &mut Vec<Finding>, context: &Context) -> Outcome {
    let shown = shell_words::join(command);
    let Some((program, arguments)) = command.split_first() else {
        return outcome(Action::AfterRestore, &shown, Result_::Skipped, "the command is empty");
    };
    if findings.iter().any(|finding| finding.status == crate::report::Status::Fail) {
        return outcome(Action::AfterRestore, &shown, Result_::Skipped, "what was restored is not as it should be");
    }
    let command = Command::new(program).args(arguments).timeout(Duration::from_secs(10 * 60));
    match context.runner.run(command).await {
        Ok(output) if output.success() => outcome(Action::AfterRestore, &shown, Result_::Done, "it ended well"),
        Ok(output) => failed_after(&shown, output.complaint(), request, findings),
        Err(error) => failed_after(&shown, error.to_string(), request, findings),
    }
}

fn failed_after(shown: &str, why: String, request: &Request, findings: &mut Vec<Finding>) -> Outcome {
    findings.push(
        Finding::fail(ID, &request.name, format!("everything is restored, but `{shown}` failed"))
            .observed(why.clone())
            .fix("run it by hand")
            .data("reason", "after-restore"),
    );
    outcome(Action::AfterRestore, shown, Result_::Failed, &why)
}

fn summarise(request: &Request, ended: &Ended, took: Duration) -> Summary {
    Summary {
        archive: request.source.id.clone(),
        target: request.target.folder().clone(),
        entries: ended.entries,
        files: ended.files,
        bytes: ended.bytes,
        took,
        undo_folder: ended.undo_folder.clone(),
    }
}

fn refused(plan: &Plan<Action>, findings: Vec<Finding>) -> Restored {
    let why = findings.first().map(|finding| finding.summary.clone()).unwrap_or_default();
    let outcomes = plan.steps.iter().map(|step| outcome(step.action, &step.target, Result_::Skipped, &why)).collect();
    Restored { outcomes, findings, summary: None }
}

fn outcome(action: Action, target: &str, state: Result_, detail: &str) -> Outcome {
    Outcome { action: action.word().to_owned(), target: target.to_owned(), state, detail: detail.to_owned(), fix: None }
}
