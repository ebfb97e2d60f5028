//! `mainstay backup create`: walk, dumps, tar, pack, seal, store at every destination, read back, sign.
//!
//! The order is what makes an archive trustworthy: it gets its name when it is whole and on the disk, it is called good
//! when it was read back from there, and only then its sidecar is written. So a killed run leaves nothing that is listed.

mod apply;
mod manuscript;
mod pending;
mod plan;
mod readback;
mod source;
mod summary;
mod usual;

use std::sync::Arc;

pub use source::recipe;

use super::{Padlock, Record, Set, Settings, place::Opened};
use crate::{
    error::{Error, Kind, Result},
    report::{Finding, Report},
    system::{
        Context,
        archive::Seal,
        file,
        state::{Lock, Request},
    },
};

/// What `backup create` was asked to do besides.
#[derive(Clone, Copy, Debug, Default)]
pub struct Create {
    /// Print the plan and stop.
    pub dry_run: bool,
    /// Do nothing where nothing has changed.
    pub if_changed: bool,
    /// Count an archive as good although it holds so much less than the last good one.
    pub accept_smaller: bool,
}

/// Makes an archive of every backup. What fails is told in the report and stops no other backup.
///
/// # Errors
///
/// The configuration cannot be carried out (a recipient that is none), in which case nothing was touched; or a signal came.
pub async fn create(settings: &Settings, request: Create, report: &mut Report, context: &Context) -> Result<()> {
    let mut seals = Vec::new();
    for set in &settings.sets {
        seals.push(Arc::new(seal(set, context).await?));
    }
    for (set, seal) in settings.sets.iter().zip(seals) {
        match one(settings, set, seal, request, report, context).await {
            Err(error) if error.kind != Kind::Interrupted => {
                report.findings.push(Finding::of_error(ID, &set.name, &error));
            }
            done => done?,
        }
    }
    Ok(())
}

/// Who can open the archives of a backup.
async fn seal(set: &Set, context: &Context) -> Result<Seal> {
    match &set.lock {
        Padlock::Passphrase(secret) => Ok(Seal::passphrase(secret.resolve(context).await?)),
        Padlock::Recipients { keys, file: None } => Seal::recipients(keys, None),
        Padlock::Recipients { keys, file: Some(path) } => {
            let text = file::read_text(path, LARGEST).map_err(|cause| {
                Error::new(Kind::Config, format!("read the recipients of `{}` from `{}`", set.name, path.display()))
                    .because(file::why(&cause))
                    .hint("write one public key a line; `mainstay backup keygen` makes one")
            })?;
            Seal::recipients(keys, Some((path, &text)))
        }
    }
}

async fn one(
    settings: &Settings,
    set: &Set,
    seal: Arc<Seal>,
    request: Create,
    report: &mut Report,
    context: &Context,
) -> Result<()> {
    // Held to the end: the record, the sequence number and the leftovers of killed runs are its holder's.
    let _lock = match request.dry_run {
        true => None,
        false => match lock(settings, set, report, context).await? {
            Some(lock) => Some(lock),
            None => return Ok(()),
        },
    };
    let record = Record::load(&settings.state, &settings.project, &set.name)?;
    let places = Opened::all(set, settings, &record, context).await;
    let mut sketch = plan::plan(settings, set, &seal, &record, &places, context).await?;
    if request.dry_run {
        sketch.list_paths();
        report.add_plan(&sketch.plan);
        report.findings.extend(places.iter().filter_map(|place| summary::blocked(set, place)));
        return Ok(());
    }
    report.add_plan(&sketch.plan);
    apply::apply(sketch, apply::Work { settings, set, seal, request, record, places }, report, context).await
}

/// The lock of a backup; `None` where another run has it, which the report says.
///
/// # Errors
///
/// The state folder cannot be used, or a signal ended the wait.
pub async fn lock(settings: &Settings, set: &Set, report: &mut Report, context: &Context) -> Result<Option<Lock>> {
    let name = format!("{}-{}", settings.project, set.name);
    let request = Request { job: "backup", name: &name, command: &settings.command, wait: settings.lock_wait };
    let told = (ID, set.name.as_str(), "another run of this backup");
    settings.state.lock_or_tell(context, request, told, report).await
}

/// What the findings of this job are called.
pub(super) const ID: &str = "backup.create";

/// No list of recipients is larger.
const LARGEST: u64 = 1 << 20;
