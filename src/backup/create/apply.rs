//! Carries a plan out: writes the archive once, to every destination at once, proves it, signs for it.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    Create, ID,
    manuscript::Manuscript,
    pending,
    plan::{Action, Sketch},
    readback::prove,
    source,
    summary::{self, Took},
    usual,
};
use crate::{
    backup::{Good, Last, Record, Set, Settings, dump, interrupted, place::Opened, recovery},
    error::{Error, Kind, Result},
    report::{Finding, Outcome, Report, State},
    rules::{
        archive_id,
        manifest::hex,
        sidecar::{self, Previous, Proof, Sidecar, StoredFile, Verified},
    },
    system::{
        Context,
        archive::{Extra, Seal},
        signature::Signer,
        store::{Destination, Reason, Trouble},
    },
};

/// What a plan is carried out with.
pub(super) struct Work<'a> {
    pub settings: &'a Settings,
    pub set: &'a Set,
    pub seal: Arc<Seal>,
    pub request: Create,
    pub record: Record,
    pub places: Vec<Opened>,
}

/// Carries the plan out. What fails at one destination is told in the report and stops no other.
///
/// # Errors
///
/// No archive could be made at all, or a signal came; then nothing is left of it anywhere.
pub(super) async fn apply(sketch: Sketch, mut work: Work<'_>, report: &mut Report, context: &Context) -> Result<()> {
    let (settings, set) = (work.settings, work.set);
    let key = Signer::open(&settings.state)?;
    let spool = settings.state.room("spool")?;
    for place in &mut work.places {
        make_ready(place, report).await;
    }
    if work.is_nowhere() {
        return work.nowhere(report);
    }
    report.outcomes.extend(pending::settle(&mut work.record, &work.places, sketch.started).await);
    let ours = archive_id::set_name(&settings.project, &set.name);
    let usual = usual::usual(&work.record, &ours, &work.places).await;
    let metadata = hex(&sketch.survey.metadata);
    let looks_the_same = |last: &Last| last.metadata == metadata;
    if work.request.if_changed && set.dumps.is_empty() && work.is_as_before(looks_the_same).await {
        report.findings.push(summary::unchanged(set, work.record.last.as_ref()));
        return work.record.save(&settings.state, &settings.project, &set.name);
    }
    let (dumps, mut lacks) = dumps(set, &spool, report, context).await;
    interrupted(context)?;

    context.progress.begin(&format!("archiving {}", set.name), Some(sketch.survey.bytes));
    let mut recipe = source::recipe(settings, set)?;
    recipe.id = sketch.id.to_string();
    recipe.extra.extend(dumps);
    let recipe = Arc::new((recipe, sketch.survey));
    let begun = Instant::now();
    let manuscript = Manuscript::write(&recipe, &work.seal, &mut work.places, &spool, context).await;
    context.progress.end();
    let making = begun.elapsed();
    let mut manuscript = match manuscript {
        Ok(manuscript) => manuscript,
        Err(_) if work.is_nowhere() => return work.nowhere(report),
        Err(error) => {
            report.findings.extend(work.places.iter().filter_map(|place| summary::blocked(set, place)));
            return Err(error);
        }
    };
    interrupted(context)?;
    let written = Arc::clone(&manuscript.written);
    report.findings.extend(summary::sources(set, &written.notes));
    if work.request.if_changed && work.is_as_before(|last| last.content == hex(&written.content)).await {
        report.findings.push(summary::unchanged(set, work.record.last.as_ref()));
        if let Some(last) = &mut work.record.last {
            last.metadata = metadata;
        }
        return work.record.save(&settings.state, &settings.project, &set.name);
    }
    if written.contents.unreadable > 0 {
        lacks.push("without files that could not be read".to_owned());
    }
    if written.contents.damaged > 0 {
        lacks.push("with files that shrank while they were read".to_owned());
    }
    let mut is_small = false;
    if let Some(how) = usual::shrunk(&written.contents, usual.as_ref()) {
        is_small = !work.request.accept_smaller;
        match is_small {
            true => lacks.push(how),
            false => report.findings.push(summary::accepted(set, &how)),
        }
    }
    let mut draft = Sidecar {
        schema: sidecar::SCHEMA,
        id: sketch.id.to_string(),
        project: settings.project.clone(),
        name: set.name.clone(),
        host: settings.host.clone(),
        tool: concat!("mainstay ", env!("CARGO_PKG_VERSION")).to_owned(),
        created: sketch.started,
        sequence: sketch.id.sequence(),
        previous: work.record.last.as_ref().map(|last| Previous { id: last.id.clone(), sha256: last.sha256.clone() }),
        file: StoredFile {
            name: format!("{}{}", sketch.id, set.compression.extension()),
            bytes: written.bytes,
            sha256: hex(&written.sha256),
        },
        contents: written.contents.clone(),
        sealed_for: work.seal.fingerprints().to_vec(),
        verified: Verified { at: sketch.started, how: Proof::Checksum },
        suspect: (!lacks.is_empty()).then(|| lacks.join("; ")),
    };
    if let Some(suspect) = &draft.suspect {
        report.findings.push(summary::suspect(set, suspect, is_small));
    }

    work.record.pending = Some(draft.id.clone());
    work.record.save(&settings.state, &settings.project, &set.name)?;
    let (mut opened, mut anywhere) = (false, false);
    for at in 0..work.places.len() {
        let place = &work.places[at];
        let Some(destination) = place.destination() else { continue };
        if context.cancel.is_raised() {
            break;
        }
        let stored = async {
            let begun = Instant::now();
            let receipt = manuscript.keep(at, destination, &draft.file.name).await?;
            let kept = Instant::now();
            // Opening it once is enough: the other destinations hold the same bytes, or their hash tells.
            let keys = manuscript.keys.as_ref().filter(|_| !opened);
            let how = prove(destination, &draft.file.name, &written, keys, receipt, context).await?;
            let took = Took { writing: making + (kept - begun), checking: kept.elapsed() };
            opened |= how == Proof::Decrypted;
            draft.verified = Verified { at: context.clock.now(), how };
            sign(destination, &draft, &key).await?;
            Ok::<_, Trouble>((how, took))
        };
        match stored.await {
            Ok((how, took)) => {
                anywhere = true;
                let Verified { at: verified, .. } = draft.verified;
                report.outcomes.push(outcome(Action::Store, &place.address, State::Done, &draft.id));
                report.findings.push(summary::stored(set, place, &draft, how, took));
                // A suspect archive is kept, and counts for nothing: also where the record is all that can be asked.
                if draft.suspect.is_none() {
                    let seen = work.record.at(&place.address);
                    let (id, created, content) = (draft.id.clone(), draft.created, hex(&written.content));
                    seen.good = Some(Good { id, created, verified, content });
                }
            }
            Err(trouble) => work.places[at].state = Err(trouble),
        }
    }
    work.tell_failures(report);
    let first = anywhere && work.record.last.is_none();
    if anywhere {
        work.record.last = Some(Last {
            id: draft.id.clone(),
            sequence: draft.sequence,
            sealed_for: draft.sealed_for.clone(),
            sha256: draft.file.sha256.clone(),
            content: hex(&written.content),
            metadata,
        });
        if draft.suspect.is_none() {
            work.record.usual = Some(usual::size(&draft));
        }
    }
    work.remember_media().await;
    // What is left at a place that failed is cleared by the next run, which finds it pending.
    if work.places.iter().all(|place| place.state.is_ok()) && !context.cancel.is_raised() {
        work.record.pending = None;
    }
    work.record.save(&settings.state, &settings.project, &set.name)?;
    if first {
        let places: Vec<&str> =
            work.places.iter().filter(|place| place.state.is_ok()).map(|place| place.address.as_str()).collect();
        recovery::append(report, &draft, &places, &key);
    }
    interrupted(context)
}

impl Work<'_> {
    /// Whether no destination is left.
    fn is_nowhere(&self) -> bool {
        self.places.iter().all(|place| place.state.is_err())
    }

    /// The end of a run without any destination: what each lacks says it all, unless none of them had to have the archive.
    fn nowhere(&self, report: &mut Report) -> Result<()> {
        self.tell_failures(report);
        match self.places.iter().any(|place| place.required) {
            true => Ok(()),
            false => Err(Error::new(Kind::Failed, "store the archive anywhere")
                .because("no destination can be used")
                .hint("mend one of the destinations; each says what is wrong with it")),
        }
    }

    /// Says of each destination that has no archive why it has none.
    fn tell_failures(&self, report: &mut Report) {
        for place in &self.places {
            let Err(trouble) = &place.state else { continue };
            let state = if place.required { State::Failed } else { State::Skipped };
            report.outcomes.push(outcome(Action::Store, &place.address, state, trouble.why.as_str()));
            report.findings.push(summary::failed(self.set, place, trouble));
        }
    }

    /// Whether the newest archive is the same by `is_same`, for the same people, and still is where it has to be.
    async fn is_as_before(&self, is_same: impl Fn(&Last) -> bool) -> bool {
        let Some(last) = self.record.last.as_ref().filter(|last| is_same(last)) else { return false };
        if last.sealed_for != self.seal.fingerprints() {
            return false;
        }
        for place in self.places.iter().filter(|place| place.required) {
            let Some(destination) = place.destination() else { return false };
            let good = self.record.destinations.get(&place.address).and_then(|seen| seen.good.as_ref());
            if good.is_none_or(|good| good.id != last.id) {
                return false;
            }
            match pending::examine(destination, &last.id).await {
                Ok(found) if found.is_none() => return false,
                // Credentials that may only write cannot look: then the record is all there is.
                Err(trouble) if trouble.reason != Reason::Permission => return false,
                Ok(_) | Err(_) => {}
            }
        }
        true
    }

    /// Remembers what marks each medium, so that another one in its place is refused.
    async fn remember_media(&mut self) {
        for place in &self.places {
            let Ok((destination, _)) = &place.state else { continue };
            // Read again: the marker of a new folder was made in this run.
            let identity = destination.inspect().await.ok().and_then(|condition| condition.identity);
            let seen = self.record.at(&place.address);
            seen.identity = identity.or(seen.identity.take());
        }
    }
}

/// Clears what killed runs left, and marks a destination that is new.
async fn make_ready(place: &mut Opened, report: &mut Report) {
    let Ok((destination, condition)) = &place.state else { return };
    match destination.tidy().await {
        Ok(removed) => report.outcomes.extend(removed.into_iter().map(|name| Outcome {
            action: "remove".into(),
            target: format!("{}/{name}", place.address),
            state: State::Done,
            detail: "left behind by a run that was ended".into(),
            fix: None,
        })),
        // It costs space and nothing else; the archive matters more.
        Err(trouble) => tracing::warn!(place = place.address, %trouble, "could not tidy up"),
    }
    if condition.is_new
        && let Err(trouble) = destination.prepare().await
    {
        place.state = Err(trouble);
    }
}

/// The outputs of the commands, and what is missing because one of them failed: the rest is worth keeping all the same.
async fn dumps(
    set: &Set,
    spool: &std::path::Path,
    report: &mut Report,
    context: &Context,
) -> (Vec<Extra>, Vec<String>) {
    let (mut taken, mut lacks) = (Vec::new(), Vec::new());
    for dump in &set.dumps {
        match dump::take(dump, spool, context).await {
            Ok(extra) => {
                report.outcomes.push(outcome(Action::Dump, &dump.name, State::Done, ""));
                taken.push(extra);
            }
            Err(none) => {
                report.outcomes.push(outcome(Action::Dump, &dump.name, State::Failed, &none.why));
                lacks.push(format!("without the dump `{}`", dump.name));
                let summary = format!("the dump `{}` is missing in the archive: {}", dump.name, none.why);
                let finding = Finding::fail(ID, &set.name, summary).fix(none.fix);
                report.findings.push(finding.data("reason", "dump-failed"));
            }
        }
    }
    (taken, lacks)
}

/// Writes the sidecar and, last of all, its signature.
async fn sign(destination: &dyn Destination, sidecar: &Sidecar, key: &Signer) -> Result<(), Trouble> {
    let text = sidecar.to_bytes();
    let signature = key
        .sign(&text, &sidecar.id)
        .map_err(|error| Trouble::new(Reason::Other, error.to_string(), error.hints.join("; ")))?;
    let objects = vec![
        (format!("{}.json", sidecar.id), Arc::from(text)),
        (format!("{}.json.minisig", sidecar.id), Arc::from(signature.into_bytes())),
    ];
    destination.put_in_order(objects).await
}

fn outcome(action: Action, target: &str, state: State, detail: &str) -> Outcome {
    Outcome { action: action.word().into(), target: target.into(), state, detail: detail.into(), fix: None }
}
