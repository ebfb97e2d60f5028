//! What a run would do: looks at the sources and the destinations, and writes nothing.

use jiff::Timestamp;
use serde::Serialize;

use super::source;
use crate::{
    backup::{Record, Set, Settings, place::Opened},
    error::{Error, Kind, Result},
    report::{Plan, Risk, Step},
    rules::{
        archive_id::{ArchiveId, set_name},
        units::tell_size,
    },
    system::{
        Context,
        archive::{Seal, Survey},
    },
};

/// What is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    /// Read the sources.
    Archive,
    /// Run a command and keep its output.
    Dump,
    /// Keep the archive at a destination.
    Store,
}

impl Action {
    /// The word of the plan and of the outcomes.
    pub fn word(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Dump => "dump",
            Self::Store => "store",
        }
    }
}

/// A plan with what was seen while it was made.
pub(super) struct Sketch {
    pub plan: Plan<Action>,
    pub id: ArchiveId,
    pub started: Timestamp,
    pub survey: Survey,
}

impl Sketch {
    /// Adds the first paths to the plan, for somebody who only wants to see it.
    pub(super) fn list_paths(&mut self) {
        let Survey { first, files, directories, links, .. } = &self.survey;
        self.plan.notes.extend(first.iter().map(|path| String::from_utf8_lossy(path).into_owned()));
        let more = (files + directories + links).saturating_sub(first.len() as u64);
        if more > 0 {
            self.plan.notes.push(format!("and {more} more"));
        }
    }
}

/// Looks at everything that a run needs.
///
/// # Errors
///
/// There is nothing to archive, or not what the configuration says.
pub(super) async fn plan(
    settings: &Settings,
    set: &Set,
    seal: &Seal,
    record: &Record,
    places: &[Opened],
    context: &Context,
) -> Result<Sketch> {
    let started = context.clock.now();
    let id = ArchiveId::new(&settings.project, &set.name, started, next(settings, set, record, places).await?);
    let survey = source::survey(settings, set, context).await?;
    let mut plan = Plan::new(format!("back up `{}` as {id}", set.name));
    let size = tell_size(survey.bytes);
    plan.steps.push(step(
        Action::Archive,
        set.root.display().to_string(),
        format!("{} files, {size}, for {}", survey.files, seal.fingerprints().join(", ")),
    ));
    for dump in &set.dumps {
        plan.steps.push(step(
            Action::Dump,
            dump.name.clone(),
            format!("output of `{}`", shell_words::join(&dump.command)),
        ));
    }
    for place in places {
        let reason = match &place.state {
            Ok((_, condition)) if condition.is_new => "used for the first time".to_owned(),
            Ok(_) => format!("as {id}{}", set.compression.extension()),
            Err(trouble) => format!("will not work: {trouble}"),
        };
        plan.steps.push(step(Action::Store, place.address.clone(), reason));
        let notes = place.state.iter().flat_map(|(_, condition)| &condition.notes);
        plan.notes.extend(notes.map(|note| format!("{}: {note}", place.address)));
    }
    plan.notes.extend(seal.warnings());
    Ok(Sketch { plan, id, started, survey })
}

/// The next sequence number: after what this host remembers, and after everything that the destinations hold, so that a
/// host which lost its memory does not count anew.
async fn next(settings: &Settings, set: &Set, record: &Record, places: &[Opened]) -> Result<u64> {
    let ours = set_name(&settings.project, &set.name);
    let pending = record.pending.as_ref().and_then(|id| id.parse().ok()).map_or(0, |id: ArchiveId| id.sequence());
    let mut last = record.last.as_ref().map_or(0, |last| last.sequence).max(pending);
    for destination in places.iter().filter_map(Opened::destination) {
        // A destination that cannot be listed (credentials that may only write) leaves it to the record.
        let Ok(objects) = destination.list().await else { continue };
        let ids = objects.iter().filter_map(|object| Some(ArchiveId::of_file(&object.name)?.0));
        last = ids.filter(|id| id.set() == ours).map(|id| id.sequence()).fold(last, u64::max);
    }
    last.checked_add(1)
        .ok_or_else(|| Error::new(Kind::Failed, "count the archives").because("a name says that there are 2^64"))
}

fn step(action: Action, target: String, reason: String) -> Step<Action> {
    Step { action, target, reason, risk: Risk::Safe, requires: Vec::new(), owed: false }
}
