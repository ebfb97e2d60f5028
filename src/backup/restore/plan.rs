//! What a restore would do: looks only.

use std::{
    io::{self, Read},
    path::Path,
};

use secrecy::{ExposeSecret, SecretSlice};

use serde::Serialize;

use super::{
    ID, STAGING,
    changes::{Changes, Count},
    request::{Listing, Request, Target},
    selection::Selection,
    source::{Failure, Watch, block, is_meant, keep_secrets_in, read, unpacker},
    survey::{List, Question, Survey, survey},
    undo::unfinished,
    wanting::Wanting,
};
use crate::{
    error::{Error, Kind, Result},
    report::{Finding, Plan, Risk, Step},
    rules::{
        difference::Difference,
        dotenv,
        manifest::{Mtime, hex},
        units,
    },
    system::{
        Context,
        archive::{Glance, Oddity},
        tree::{Tree, shown},
    },
};

/// One kind of change.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Run the configured command afterwards.
    AfterRestore,
    /// Replace content by older or equally old content.
    Change,
    /// Write what is not there.
    Create,
    /// Set mode, owner and time.
    ModeOnly,
    /// Replace content that is younger than the archive.
    OverwriteNewer,
    /// Put a folder where a file or link is, or the other way round.
    ReplaceKind,
}

impl Action {
    /// The word of plans and outcomes.
    pub fn word(self) -> &'static str {
        match self {
            Self::AfterRestore => "after-restore",
            Self::Change => "change",
            Self::Create => "create",
            Self::ModeOnly => "mode-only",
            Self::OverwriteNewer => "overwrite-newer",
            Self::ReplaceKind => "replace-kind",
        }
    }
}

/// What [`plan`] says.
#[derive(Debug)]
pub enum Planned {
    /// It can be applied.
    Ready(Box<Restore>),
    /// It cannot; the findings say why.
    Refused(Vec<Finding>, Option<Box<Refused>>),
}

/// What was compared before a restore was refused.
#[derive(Debug)]
pub struct Refused {
    /// What would have been done.
    pub plan: Plan<Action>,
    /// Path by path.
    pub changes: Changes,
}

/// A restore that can be applied.
pub struct Restore {
    /// What will be done, in words.
    pub plan: Plan<Action>,
    /// What the operator should know before.
    pub findings: Vec<Finding>,
    /// Path by path; `None` where the target is fresh and the archive was not looked into.
    pub changes: Option<Changes>,
    pub(super) request: Request,
    /// Whether nothing is in the target and everything is restored.
    pub(super) fresh: bool,
    /// The hash of the very archive that was looked into.
    pub(super) sha256: Option<String>,
}

/// Plans a restore. Writes nothing but a nameless file in the state folder.
///
/// # Errors
///
/// The target or the state folder cannot be used, or a signal came. What is wrong with the archive is no error but
/// [`Planned::Refused`].
pub async fn plan(request: Request, context: &Context) -> Result<Planned> {
    keep_secrets_in();
    if let Some(finding) = request.source.refusal(&request.name, request.unsigned) {
        return Ok(Planned::Refused(vec![finding], None));
    }
    let selection = Selection::new(&request.include, &request.target)?;
    let folder = request.target.folder().clone();
    if let Some(finding) = pending_finding(&request.name, &folder)? {
        return Ok(Planned::Refused(vec![finding], None));
    }
    let tree = open(&folder)?;
    let fresh = selection.is_everything() && is_empty(tree, &folder)?;
    if let (true, Listing::Counts, Some(sidecar)) = (fresh, request.listing, &request.source.sidecar) {
        let contents = &sidecar.contents;
        let count = Count {
            entries: contents.files + contents.directories + contents.links,
            files: contents.files,
            bytes: contents.bytes,
            first: Vec::new(),
        };
        let damaged = damaged_finding(&request.name, contents.damaged, &[]);
        let plan = write_plan(&request, &[(Difference::Create, count)]);
        let sha256 = request.source.sha256().map(str::to_owned);
        let findings = damaged.into_iter().collect();
        return Ok(Planned::Ready(Box::new(Restore { plan, findings, changes: None, request, fresh, sha256 })));
    }
    let Found { survey, sha256, damaged, keys } = match look_into(&request, selection, context).await {
        Ok(found) => found,
        Err(failure) => return Ok(Planned::Refused(vec![failure.into_finding(&request.name, &request.source)?], None)),
    };
    let refusals = refusals(&request, &survey);
    let counts: Vec<_> = Difference::ALL.into_iter().map(|kind| (kind, survey.changes.count(kind))).collect();
    let mut plan = write_plan(&request, &counts);
    plan.notes.extend(keys);
    plan.notes.extend(notes(&survey));
    if !refusals.is_empty() {
        return Ok(Planned::Refused(refusals, Some(Box::new(Refused { plan, changes: survey.changes }))));
    }
    let damaged = damaged_finding(&request.name, damaged.len() as u64, &damaged);
    Ok(Planned::Ready(Box::new(Restore {
        plan,
        findings: damaged.into_iter().collect(),
        changes: Some(survey.changes),
        request,
        fresh,
        sha256: Some(sha256),
    })))
}

/// What a look into the archive has found.
struct Found {
    survey: Survey,
    /// The hash of the archive that was looked into.
    sha256: String,
    /// Files that shrank while the archive was made.
    damaged: Vec<String>,
    /// What changes in files of environment variables, in words.
    keys: Vec<String>,
}

/// A file of environment variables that is larger is compared as a whole only.
const LARGEST_DOTENV: u64 = 256 << 10;

/// Reads the archive to its end and compares it with the target.
async fn look_into(request: &Request, selection: Selection, context: &Context) -> Result<Found, Failure> {
    let spool = request.state.room("restore")?;
    let unpack = unpacker(&request.source);
    let meant = request.source.sha256().map(str::to_owned);
    let created = request.source.sidecar.as_ref().map(|sidecar| Mtime {
        seconds: sidecar.created.as_second(),
        nanos: sidecar.created.subsec_nanosecond().unsigned_abs(),
    });
    let list_folder = spool.clone();
    let (list, verified, texts) = read(&request.source, context, "read the archive", move |reader, context| {
        let mut list = List::new(&list_folder).map_err(|error| spool_error(&list_folder, &error))?;
        let mut written = Ok(());
        let mut texts = Vec::new();
        let verified = unpack.verify(
            reader,
            Glance {
                select: &dotenv::is_named_so,
                limit: LARGEST_DOTENV,
                content: &mut |path, content| texts.push((path.to_vec(), SecretSlice::from(content))),
            },
            Watch {
                each: &mut |entry| {
                    if written.is_ok() {
                        written = list.add(entry);
                    }
                },
                tick: &|bytes| context.progress.advance(bytes),
                stop: &context.cancel,
            },
        )?;
        is_meant(&verified, meant.as_deref())?;
        written.and_then(|()| list.finish()).map_err(|error| spool_error(&list_folder, &error))?;
        Ok((list, verified, texts))
    })
    .await?;
    let (folder, overwrite) = (request.target.folder().clone(), request.overwrite);
    let wanting = Wanting::here(request.privileges);
    let (survey, keys) = block(move || {
        let tree = open(&folder)?;
        let keys = tree.as_ref().map(|tree| keys(tree.again(), &selection, &texts)).unwrap_or_default();
        let question = Question { selection: &selection, wanting: &wanting, overwrite, created, spool: &spool };
        let survey = survey(&list, tree, &question).map_err(|error| {
            Error::new(Kind::Failed, format!("compare the archive with `{}`", folder.display()))
                .because(error)
                .hint("run as a user who may read it, or restore to another folder with `--to DIR`")
        })?;
        Ok::<_, Error>((survey, keys))
    })
    .await??;
    let damaged = verified.notes.iter().filter(|note| note.what == Oddity::Damaged).map(|note| shown(&note.path));
    Ok(Found { survey, sha256: hex(&verified.sha256), damaged: damaged.collect(), keys })
}

/// What a restore changes in files of environment variables: keys only, so that a plan can be shown to anybody.
fn keys(mut tree: Tree, selection: &Selection, texts: &[(Vec<u8>, SecretSlice<u8>)]) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, archive) in texts.iter().filter(|(path, _)| selection.takes(path, false)) {
        let mut disk = Vec::new();
        let read = tree.file(path).and_then(|file| file.take(LARGEST_DOTENV + 1).read_to_end(&mut disk));
        let disk = SecretSlice::from(disk);
        let same = disk.expose_secret() == archive.expose_secret();
        // What is not there or cannot be read is told by the comparison.
        if read.is_ok_and(|read| read as u64 <= LARGEST_DOTENV) && !same {
            let [disk, archive] = [&disk, archive].map(|text| String::from_utf8_lossy(text.expose_secret()));
            lines.push(format!("{}: {} (values are not shown)", shown(path), dotenv::compare(&disk, &archive)));
        }
    }
    lines
}

/// The steps: one for each kind of change that there is.
fn write_plan(request: &Request, counts: &[(Difference, Count)]) -> Plan<Action> {
    let folder = request.target.folder().display().to_string();
    let mut plan = Plan::new(format!("restore {} to {folder}", request.source.id));
    let unchanged = || vec!["what is there is still as it was when the plan was made".to_owned()];
    for (difference, count) in counts.iter().filter(|(_, count)| count.entries > 0) {
        let what = describe(count);
        let (action, reason, risk) = match difference {
            Difference::Change => (Action::Change, format!("{what} with another content"), Risk::Disruptive),
            Difference::Create => (Action::Create, format!("{what} that {}", missing(count)), Risk::Safe),
            Difference::KindChange => {
                (Action::ReplaceKind, format!("{what} where something of another kind is"), Risk::Disruptive)
            }
            Difference::ModeOnly => {
                (Action::ModeOnly, format!("{what} with another mode, owner or time"), Risk::Disruptive)
            }
            Difference::Newer => (
                Action::OverwriteNewer,
                format!("{what} changed after the archive was made; what was changed since goes"),
                Risk::Destructive,
            ),
            Difference::Extra => {
                plan.notes.push(format!("{what} not in the archive: stays{}", list(&count.first)));
                continue;
            }
            Difference::Same => {
                plan.notes.push(format!("{what} as in the archive already: stays"));
                continue;
            }
        };
        let reason = format!("{reason}{}", list(&count.first));
        plan.steps.push(Step { action, target: folder.clone(), reason, risk, requires: unchanged(), owed: false });
    }
    if let (Target::InPlace(_), Some(command), false) = (&request.target, &request.after, plan.steps.is_empty()) {
        plan.steps.push(Step {
            action: Action::AfterRestore,
            target: shell_words::join(command),
            reason: "`after_restore` says so, so that the application sees what was restored".to_owned(),
            risk: Risk::Disruptive,
            requires: vec!["everything above is done".to_owned()],
            owed: false,
        });
    }
    plan
}

/// Why the plan cannot be applied.
fn refusals(request: &Request, survey: &Survey) -> Vec<Finding> {
    let mut findings = Vec::new();
    let folder = request.target.folder().display();
    let (count, first) = &survey.conflicts;
    if *count > 0 {
        let (file, was) = if *count == 1 { ("file", "was") } else { ("files", "were") };
        findings.push(
            Finding::fail(ID, &request.name, format!("{count} {file} in {folder} {was} changed after the archive was made"))
                .observed(first.join(", "))
                .fix("pass `--overwrite newer` to replace them, name those you mean with `--include PATH`, or restore elsewhere with `--to DIR`")
                .data("reason", "newer")
                .data("paths", first.clone()),
        );
    }
    if !survey.obstacles.is_empty() {
        let shown: Vec<_> = survey.obstacles.iter().take(20).cloned().collect();
        findings.push(
            Finding::fail(ID, &request.name, format!("something in {folder} is in the way of a folder"))
                .expected("a folder, or nothing")
                .observed(format!("a link or a file: {}", shown.join(", ")))
                .fix("include the folder itself, move what is there away, or restore elsewhere with `--to DIR`")
                .data("reason", "obstacle")
                .data("paths", shown),
        );
    }
    findings
}

fn notes(survey: &Survey) -> Vec<String> {
    let mut notes = Vec::new();
    if survey.stripped > 0 {
        notes.push(format!(
            "{} entries come back without their setuid, setgid or sticky bit; pass `--privileged` to keep them",
            survey.stripped
        ));
    }
    if survey.unread > 0 {
        notes.push(format!("{} files on the disk cannot be read and count as different", survey.unread));
    }
    notes
}

fn damaged_finding(name: &str, count: u64, paths: &[String]) -> Option<Finding> {
    let first: Vec<_> = paths.iter().take(20).cloned().collect();
    (count > 0).then(|| {
        Finding::warn(ID, name, format!("{count} files of the archive shrank while it was made, and end in zeros"))
            .fix("compare them with an older archive")
            .data("reason", "damaged")
            .data("paths", first)
    })
}

/// A restore that was killed must be finished or taken back before another one.
pub(super) fn pending_finding(name: &str, folder: &Path) -> Result<Option<Finding>> {
    Ok(unfinished(folder)?.into_iter().find(|found| found.is_pending).map(|found| {
        let text = format!("a restore of {} to {} was cut off", found.archive, folder.display());
        Finding::fail(ID, name, text)
            .fix(format!(
                "run `mainstay backup restore {name} --resume` to finish it, or `mainstay backup restore {name} --undo` to take it back"
            ))
            .data("reason", "pending")
            .data("archive", found.archive)
    }))
}

/// The target, where it is there.
pub(super) fn open(folder: &Path) -> Result<Option<Tree>> {
    match Tree::open(folder) {
        Ok(tree) => Ok(Some(tree)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(target_error(folder, &error)),
    }
}

/// Whether nothing is in the target but what restores have left.
pub(super) fn is_empty(tree: Option<Tree>, folder: &Path) -> Result<bool> {
    let Some(mut tree) = tree else { return Ok(true) };
    let names = tree.names(b"").map_err(|error| target_error(folder, &error))?;
    Ok(names.iter().all(|name| name.starts_with(STAGING.as_bytes())))
}

/// Why the target cannot be used, with what to do.
pub(super) fn target_error(folder: &Path, error: &io::Error) -> Error {
    let shown = folder.display();
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            format!("run as a user who may write to `{shown}`, or restore to another folder with `--to DIR`")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            format!("`{shown}` is mounted read-only: restore to another folder with `--to DIR`")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            format!("free some space (`df -h {shown}`, `df -i {shown}`); what was there before is unchanged")
        }
        io::ErrorKind::NotADirectory => "name a folder, not a file".to_owned(),
        _ => format!("check `{shown}` and the disk that it is on"),
    };
    Error::new(Kind::Failed, format!("restore to `{shown}`")).because(error).hint(hint)
}

fn spool_error(folder: &Path, error: &io::Error) -> Error {
    Error::new(Kind::Failed, format!("keep the list of the archive in `{}`", folder.display()))
        .because(error)
        .hint("choose another state folder with $MAINSTAY_STATE or `state = \"DIR\"`")
}

fn describe(count: &Count) -> String {
    let Count { entries, files, bytes, .. } = count;
    let plural = |number: u64, one: &str, many: &str| format!("{number} {}", if number == 1 { one } else { many });
    let others = entries.saturating_sub(*files);
    let files = format!("{} ({})", plural(*files, "file", "files"), units::tell_size(*bytes));
    match (others, count.files) {
        (0, _) => files,
        (_, 0) => plural(others, "folder or link", "folders and links"),
        _ => format!("{files} and {}", plural(others, "folder or link", "folders and links")),
    }
}

fn missing(count: &Count) -> &'static str {
    if count.entries == 1 { "is not there" } else { "are not there" }
}

fn list(first: &[String]) -> String {
    if first.is_empty() { String::new() } else { format!(": {}", first.join(", ")) }
}

impl std::fmt::Debug for Restore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Restore").field("plan", &self.plan).field("fresh", &self.fresh).finish_non_exhaustive()
    }
}
