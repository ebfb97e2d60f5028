//! What is to become of each archive at one destination, by one listing.

use jiff::{Timestamp, tz::TimeZone};

use super::{PruneAction, Work};
use crate::{
    backup::{Archive, Catalog, Incomplete, Lack, Origin, Stock},
    rules::{
        archive_id::ArchiveId,
        retention::{Candidate, clock_is_behind, decide, is_young},
    },
    system::store::{Object, Shelf, Trouble},
};

/// What is to become of everything at one destination.
pub(super) struct Outlook {
    /// Archives, oldest first, then what is left of killed runs.
    pub fates: Vec<Fate>,
    /// The archive that proves that this machine's clock is late; nothing goes then.
    pub late: Option<ArchiveId>,
    /// How many stay for no other reason than that the store keeps them.
    pub locked: usize,
    /// How many archives have lost their sidecars, where there are so many that no killed run explains it.
    pub stripped: Option<usize>,
}

/// What is to become of one of them.
pub(super) struct Fate {
    /// What is done.
    pub action: PruneAction,
    /// Why.
    pub reason: String,
    /// Its objects, in the order in which they are removed.
    pub objects: Vec<Object>,
}

/// Lists a destination and decides.
///
/// # Errors
///
/// It is not there, is another one, or cannot be listed to the end.
pub(super) async fn look<S: ?Sized>(
    stock: &Stock<'_, S>,
    shelf: &dyn Shelf,
    zone: &TimeZone,
    now: Timestamp,
) -> Result<Outlook, Trouble> {
    let catalog = stock.catalog(shelf, now).await?;
    let drilled = stock.record.drill.as_ref().filter(|drill| drill.good).map(|drill| drill.id.as_str());
    let candidates: Vec<Candidate> = catalog.archives.iter().map(|archive| candidate(archive, drilled, now)).collect();
    let late = clock_is_behind(&candidates, now).map(|newest| newest.id.clone());
    let mut decisions = decide(&candidates, &stock.set.keep, stock.set.min_good, zone, now);
    decisions.reverse();

    let work = |id: &ArchiveId, objects: &[Object]| Work {
        name: stock.set.name.clone(),
        destination: shelf.address().to_owned(),
        id: id.to_string(),
        bytes: objects.iter().map(|object| object.bytes).sum(),
    };
    let locked = decisions.iter().filter(|decision| decision.is_kept_by_lock_only()).count();
    let mut fates = Vec::new();
    for decision in decisions {
        let Some(archive) = catalog.archives.iter().find(|archive| archive.id == decision.id) else { continue };
        let work = work(&archive.id, &archive.objects);
        // The date of a name can be old where its file is not: it was copied here just now.
        let fresh = archive.objects.iter().filter_map(|object| object.modified).any(|stored| is_young(stored, now));
        let (action, reason) = if decision.keeps() {
            (PruneAction::Keep(work), decision.words())
        } else if fresh {
            (PruneAction::Keep(work), "stored less than 24 hours ago".to_owned())
        } else {
            (PruneAction::Remove(work), decision.words())
        };
        fates.push(Fate { action, reason, objects: archive.objects.clone() });
    }
    let stripped = stripped(&catalog);
    for incomplete in &catalog.incomplete {
        let work = work(&incomplete.id, &incomplete.objects);
        let (action, reason) = match protection(incomplete, &catalog, stripped, late.as_ref(), now) {
            Some(why) => (PruneAction::Keep(work), why),
            None => (PruneAction::Clear(work), incomplete.why.clone()),
        };
        fates.push(Fate { action, reason, objects: incomplete.objects.clone() });
    }
    Ok(Outlook { fates, late, locked, stripped })
}

fn candidate(archive: &Archive, drilled: Option<&str>, now: Timestamp) -> Candidate {
    // What nobody has signed cannot prove that our clock is late: anybody could keep prune from its work with it.
    let believed = matches!(archive.origin, Origin::Signed(_));
    let created = archive.sidecar.created;
    Candidate {
        id: archive.id.clone(),
        created: if believed { created } else { created.min(now) },
        doubt: archive.doubt(),
        ahead: archive.is_ahead,
        retained_until: archive.retained_until(),
        drilled: drilled == Some(archive.id.to_string().as_str()),
    }
}

/// How many archives have no sidecar, where they are more than the good ones: somebody has copied them here without their
/// sidecars or has removed those, and the archives may well be whole.
fn stripped(catalog: &Catalog) -> Option<usize> {
    let bare = catalog.incomplete.iter().filter(|incomplete| incomplete.lack == Lack::Sidecar).count();
    let good = catalog.archives.iter().filter(|archive| archive.is_good()).count();
    (bare > good).then_some(bare)
}

/// Why the files of an incomplete archive stay; `None` where they are certainly of a killed run.
fn protection(
    incomplete: &Incomplete,
    catalog: &Catalog,
    stripped: Option<usize>,
    late: Option<&ArchiveId>,
    now: Timestamp,
) -> Option<String> {
    let objects = &incomplete.objects;
    let dates = objects.iter().filter_map(|object| object.modified).chain([incomplete.id.created()]);
    let locked = objects.iter().filter_map(|object| object.retained_until).max().filter(|until| *until > now);
    let is_below = catalog.newest_good().is_some_and(|good| good.id.sequence() > incomplete.id.sequence());
    if incomplete.lack == Lack::Sense {
        Some(format!("kept: {}", incomplete.why))
    } else if let Some(newest) = late {
        Some(format!("kept: this machine's clock is before the date of {newest}"))
    } else if dates.into_iter().any(|date| is_young(date, now)) {
        Some("younger than 24 hours: a run may be at work".to_owned())
    } else if let Some(until) = locked {
        Some(format!("locked until {until:.0}"))
    } else if stripped.is_some() && incomplete.lack == Lack::Sidecar {
        Some("kept: more archives here have no sidecar than there are good ones".to_owned())
    } else if !is_below {
        Some("kept: no good archive was made after it".to_owned())
    } else {
        None
    }
}
