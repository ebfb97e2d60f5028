//! What a run that was ended in the middle left at the destinations: half an archive is removed, a whole one is counted.

use jiff::Timestamp;

use super::usual;
use crate::{
    backup::{Good, Last, Record, place::Opened},
    report::{Outcome, State},
    rules::{
        archive_id::{ArchiveId, Part},
        sidecar::Sidecar,
    },
    system::store::{Destination, Trouble, fetch},
};

/// Settles the archive that the record calls pending, at every destination that can be used; says what was removed.
///
/// The caller holds the lock, so nobody is still at work on it.
pub(super) async fn settle(record: &mut Record, places: &[Opened], now: Timestamp) -> Vec<Outcome> {
    let Some(id) = record.pending.clone() else { return Vec::new() };
    let Ok(parsed) = id.parse::<ArchiveId>() else { return Vec::new() };
    let (mut outcomes, mut settled) = (Vec::new(), true);
    for place in places {
        let Some(destination) = place.destination() else {
            settled = false;
            continue;
        };
        match examine(destination, &id).await {
            Ok(Some(sidecar)) => {
                let (created, suspect) = (sidecar.created, sidecar.suspect.is_some());
                let size = usual::size(&sidecar);
                let last = Last {
                    id: id.clone(),
                    sequence: parsed.sequence(),
                    sealed_for: sidecar.sealed_for,
                    sha256: sidecar.file.sha256,
                    ..Last::default()
                };
                if record.last.as_ref().is_none_or(|known| known.sequence < last.sequence) {
                    record.last = Some(last);
                }
                if !suspect {
                    let (id, verified) = (id.clone(), sidecar.verified.at);
                    let good = Good { id, created, verified, content: String::new() };
                    record.at(&place.address).good = Some(good);
                    record.usual = Some(size);
                }
            }
            Ok(None) => outcomes.extend(clear(destination, place, &id).await),
            Err(trouble) => {
                settled = false;
                tracing::warn!(place = place.address, %trouble, %now, "could not look for a half-written archive");
            }
        }
    }
    if settled {
        record.pending = None;
    }
    outcomes
}

/// The archive's sidecar, where all three files are there.
pub(super) async fn examine(destination: &dyn Destination, id: &str) -> Result<Option<Sidecar>, Trouble> {
    let objects = destination.list().await?;
    let parts = objects.iter().filter_map(|object| ArchiveId::of_file(&object.name));
    let parts: Vec<Part> = parts.filter(|(of, _)| of.to_string() == id).map(|(_, part)| part).collect();
    if ![Part::Archive, Part::Sidecar, Part::Signature].iter().all(|part| parts.contains(part)) {
        return Ok(None);
    }
    let text = fetch(destination, &format!("{id}.json"), crate::rules::sidecar::LARGEST).await?;
    Ok(Sidecar::from_bytes(&text).ok())
}

/// Removes what there is of the archive, its archive last: without a sidecar it is never listed.
async fn clear(destination: &dyn Destination, place: &Opened, id: &str) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let objects = destination.list().await.unwrap_or_default();
    let mut parts: Vec<_> = objects
        .iter()
        .filter_map(|object| Some((ArchiveId::of_file(&object.name)?, object.name.as_str())))
        .filter(|((of, _), _)| of.to_string() == id)
        .map(|((_, part), name)| (part, name))
        .collect();
    parts.sort_by_key(|(part, _)| std::cmp::Reverse(*part));
    for (_, name) in parts {
        match destination.remove(name).await {
            Ok(()) => outcomes.push(Outcome {
                action: "remove".into(),
                target: format!("{name} at {}", place.address),
                state: State::Done,
                detail: "half-written by a run that was ended".into(),
                fix: None,
            }),
            // Append-only credentials may not: it stays unlisted, and the store's own rules or a pruner remove it.
            Err(trouble) => tracing::warn!(name, %trouble, "could not remove a half-written archive"),
        }
    }
    outcomes
}
