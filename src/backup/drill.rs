//! `mainstay backup drill`: a real restore into a private place, compared, timed, remembered.
//!
//! The newest archive of each place is taken, and an older one by chance: what nobody restores rots unnoticed.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::time::Instant;

use super::{Archive, Drill, Holding, Learnt, holding::Lesson, interrupted};
use crate::{
    error::{Error, Kind, Result},
    report::{Finding, Report},
    rules::{
        manifest::{Entry, Kind as What},
        units::tell_size,
    },
    system::{
        Context,
        archive::{Bits, Damage, ExtractOptions as Options, Flaw, Keys, Limits, Owner, Stage, Terms, extract},
        file,
        state::State,
        store::{Reading, Shelf},
    },
};

/// What a rehearsal showed.
#[derive(Debug, Default)]
struct Shown {
    files: u64,
    bytes: u64,
    /// Files that came back otherwise than the manifest says, the first ones by name.
    wrong: Vec<String>,
    /// How many files of the live tree are no longer as they were backed up; that is no fault.
    differs: u64,
}

/// Rehearses a restore from each of these places and returns what is to be remembered.
///
/// # Errors
///
/// There is no private place to restore to, or a signal came.
pub async fn drill(
    holdings: &[Holding],
    keys: &Arc<Keys>,
    state: &State,
    report: &mut Report,
    context: &Context,
) -> Result<Vec<Learnt>> {
    let mut learnt: Vec<Learnt> = Vec::new();
    for holding in holdings {
        let (name, address) = (&holding.set.name, holding.shelf.address());
        let catalog = match holding.catalog(context).await {
            Ok(catalog) => catalog,
            Err(trouble) => {
                let finding = Finding::fail(ID, name, format!("could not look at {address}: {trouble}"))
                    .fix(trouble.fix)
                    .data("destination", address)
                    .data("reason", trouble.reason.word());
                report.findings.push(finding);
                continue;
            }
        };
        let chosen = choose(&catalog.archives, context.clock.now().as_second());
        if chosen.is_empty() {
            let summary = format!("there is no archive at {address} to restore");
            report.findings.push(Finding::fail(ID, name, summary).fix("make one: `mainstay backup create`"));
        }
        for archive in chosen {
            interrupted(context)?;
            let began = Instant::now();
            let shown = rehearse(&*holding.shelf, archive, &holding.set.root, keys, state, context).await?;
            let seconds = began.elapsed().as_secs_f64();
            let good = shown.as_ref().is_ok_and(|shown| shown.wrong.is_empty());
            let drill = Drill {
                at: context.clock.now(),
                id: archive.id.to_string(),
                destination: address.to_owned(),
                seconds,
                files: shown.as_ref().map_or(0, |shown| shown.files),
                good,
            };
            learnt.push(Learnt {
                name: name.clone(),
                destination: address.to_owned(),
                lesson: Lesson::Rehearsed(drill),
            });
            report.findings.push(judge(name, address, archive, shown, seconds));
        }
    }
    // The last lesson of a backup is the one that stays: one bad archive among several is what `check` must hear of.
    learnt.sort_by_key(|learnt| !matches!(&learnt.lesson, Lesson::Rehearsed(drill) if !drill.good));
    learnt.reverse();
    Ok(learnt)
}

/// The newest archive, and one of the older ones.
fn choose(archives: &[Archive], chance: i64) -> Vec<&Archive> {
    let Some((newest, older)) = archives.split_last() else { return Vec::new() };
    let older = usize::try_from(chance).ok().and_then(|chance| older.get(chance % older.len().max(1)));
    [Some(newest), older].into_iter().flatten().collect()
}

/// Restores an archive into a private folder that is gone afterwards, and looks at every file.
async fn rehearse(
    shelf: &dyn Shelf,
    archive: &Archive,
    live: &Path,
    keys: &Arc<Keys>,
    state: &State,
    context: &Context,
) -> Result<Result<Shown, Damage>> {
    let place = private_place(archive, state)?;
    let Reading { reader, done } = match shelf.open(&archive.object.name).await {
        Ok(reading) => reading,
        Err(trouble) => return Ok(Err(Damage::new(Flaw::System, trouble.why, trouble.fix))),
    };
    let (cancel, progress) = (context.cancel.clone(), Arc::clone(&context.progress));
    let (keys, sidecar, live) = (Arc::clone(keys), archive.sidecar.clone(), live.to_owned());
    progress.begin(&format!("restoring {}", archive.id), Some(archive.object.bytes));
    let work = tokio::task::spawn_blocking(move || {
        let tick = |bytes| progress.advance(bytes);
        let terms = Terms {
            keys: &keys,
            sealed_for: &sidecar.sealed_for,
            limits: Limits::of(&sidecar.contents),
            tick: &tick,
            stop: &cancel,
        };
        restore_and_compare(reader, &terms, place.path(), &live)
    });
    let (shown, done) = tokio::join!(work, done);
    context.progress.end();
    interrupted(context)?;
    let shown = shown.map_err(|panic| Error::new(Kind::Failed, "rehearse a restore").because(panic))?;
    // A producer that failed looks like a short archive; its own words say more.
    Ok(done.map_err(|trouble| Damage::new(Flaw::System, trouble.why, trouble.fix)).and(shown))
}

/// A folder that only we can enter: in memory where the archive fits, so that no secret touches a disk.
fn private_place(archive: &Archive, state: &State) -> Result<tempfile::TempDir> {
    let wanted = archive.sidecar.contents.bytes.saturating_mul(2).saturating_add(16 << 20);
    let memory = Path::new("/dev/shm");
    let fits = rustix::fs::statvfs(memory).is_ok_and(|found| found.f_bavail.saturating_mul(found.f_frsize) > wanted);
    let folder: PathBuf = if fits { memory.to_owned() } else { state.room("drill")? };
    tempfile::Builder::new().prefix("mainstay-drill-").tempdir_in(&folder).map_err(|error| {
        Error::new(Kind::Failed, format!("make a private folder in `{}`", folder.display()))
            .because(error)
            .hint("free some space there, or move the state folder with `state = \"DIR\"`")
    })
}

fn restore_and_compare(
    reader: impl Read + Send,
    terms: &Terms<'_>,
    place: &Path,
    live: &Path,
) -> Result<Shown, Damage> {
    let system =
        |error: io::Error| Damage::new(Flaw::System, error.to_string(), "free some space and run the drill again");
    let root = place.join("restored");
    let stage = Stage::make(&root).map_err(system)?;
    let options = Options { select: &|_| true, owner: Owner::Own, bits: Bits::Strip };
    // Names and hashes only, but they are kept beside the files, which only we can read.
    let mut list = BufWriter::new(tempfile::tempfile_in(place).map_err(system)?);
    let mut written = Ok(());
    extract(reader, terms, &stage, &options, &mut |staged| {
        if written.is_ok() {
            written = writeln!(list, "{}", staged.entry.to_line());
        }
    })?;
    written.map_err(system)?;
    let mut list = list.into_inner().map_err(|error| system(error.into_error()))?;
    list.rewind().map_err(system)?;
    compare(list, &root, live).map_err(system)
}

/// Reads every file that came back, and looks whether the live one still is the same.
fn compare(list: File, root: &Path, live: &Path) -> io::Result<Shown> {
    let mut shown = Shown::default();
    for line in BufReader::new(list).lines() {
        let Ok(entry) = Entry::from_line(&line?) else { continue };
        let What::File { size, sha256 } = entry.kind else { continue };
        let path = Path::new(std::ffi::OsStr::from_bytes(&entry.path));
        shown.files += 1;
        shown.bytes += size;
        if !holds(&root.join(path), sha256) && shown.wrong.len() < SHOWN {
            shown.wrong.push(path.display().to_string());
        }
        if !holds(&live.join(path), sha256) {
            shown.differs += 1;
        }
    }
    Ok(shown)
}

/// Whether a file has exactly this content.
fn holds(path: &Path, sha256: [u8; 32]) -> bool {
    let hash = || {
        if !fs::symlink_metadata(path)?.is_file() {
            return Ok(None);
        }
        file::sha256(File::open(path)?).map(|(_, sha256)| Some(sha256))
    };
    hash().is_ok_and(|found| found == Some(sha256))
}

fn judge(name: &str, address: &str, archive: &Archive, shown: Result<Shown, Damage>, seconds: f64) -> Finding {
    let id = &archive.id;
    let finding = match shown {
        Err(damage) => Finding::fail(ID, name, format!("{id} from {address} did not come back: {damage}"))
            .fix(damage.fix)
            .data("reason", damage.reason.word()),
        Ok(shown) if !shown.wrong.is_empty() => {
            let names = shown.wrong.join("`, `");
            Finding::fail(ID, name, format!("{id} from {address} came back otherwise than it was: `{names}`"))
                .fix("verify the archive, and the disk that it was restored to")
                .data("reason", "differs")
        }
        Ok(shown) => {
            let (files, size) = (shown.files, tell_size(shown.bytes));
            let since = match shown.differs {
                0 => "all as they are now".to_owned(),
                count => format!("{count} of them have changed since"),
            };
            let summary = format!("{id} came back from {address} in {seconds:.1} s: {files} files, {size}, {since}");
            Finding::pass(ID, name, summary).data("changed_since", shown.differs).data("files", files)
        }
    };
    finding
        .data("destination", address)
        .data("archive", id.to_string())
        .data("restore_seconds", (seconds * 1000.0).round() / 1000.0)
}

/// What the findings of this job are called.
const ID: &str = "backup.drill";

/// So many names say enough.
const SHOWN: usize = 3;
