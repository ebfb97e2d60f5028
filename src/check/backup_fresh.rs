//! `backup.fresh`: a good archive that is young enough at each destination, and a restore that was rehearsed.

use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use jiff::{SignedDuration, Timestamp};

use super::{Backup, BackupScope, Check};
use crate::{
    backup::{Archive, Catalog, Drill, Origin, Record, Seen},
    report::Finding,
    rules::backup_fresh::{Absence, Holdings, ID, Newest, Observation, Rehearsal, judge, judge_drill},
    system::store::{self, Options, Place, Reason, Trouble},
};

/// `backup.fresh`.
pub struct BackupFresh;

/// A run that is going on has no sidecar yet either; none takes so long.
const RUN: SignedDuration = SignedDuration::from_hours(24);

impl Check<Backup> for BackupFresh {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "each destination has a good archive that is young enough, and restoring was rehearsed"
    }

    fn needs(&self) -> &'static str {
        "a `[backup.NAME]` section; no key"
    }

    fn applies(&self, _backup: &Backup) -> Result<(), String> {
        Ok(())
    }

    fn run<'a>(&'a self, scope: &'a BackupScope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        look(scope).boxed()
    }

    fn by_hand(&self, backup: &Backup) -> String {
        backup.set.to.iter().map(list).collect::<Vec<_>>().join("; ")
    }
}

async fn look(scope: &BackupScope<'_>) -> Vec<Finding> {
    let (set, now) = (scope.set(), scope.context.clock.now());
    let (record, unread) = match scope.record() {
        Ok(record) => (record, None),
        Err(error) => (Record::default(), Some(error)),
    };
    let mut findings = join_all(set.to.iter().map(|place| async {
        let seen = observe(place, &record, scope, now).await;
        judge(&set.name, &seen, set.max_age, now).by_hand(list(place))
    }))
    .await;
    findings.push(match unread {
        // Nothing is known of drills, and of what this host made.
        Some(error) => Finding::unknown(ID, &set.name, "what this host remembers of the backup cannot be read")
            .cause(error.to_string())
            .fix(error.hints.first().cloned().unwrap_or_else(|| "run as the user who makes the backups".to_owned()))
            .data("reason", "record"),
        None => judge_drill(&set.name, record.drill.map(rehearsal).as_ref(), set.max_drill_age, now),
    });
    findings
}

fn rehearsal(drill: Drill) -> Rehearsal {
    Rehearsal { at: drill.at, archive: drill.id, destination: drill.destination, good: drill.good }
}

async fn observe(place: &Place, record: &Record, scope: &BackupScope<'_>, now: Timestamp) -> Observation {
    let destination = place.to_string();
    let known = record.destinations.get(&destination);
    let holdings = match catalog(place, known, scope).await {
        Ok(catalog) => {
            let mut held = holdings(&catalog, known, now);
            held.changed = changed(&held, record, scope).await;
            Ok(held)
        }
        Err(Trouble { reason, why, fix }) => Err(Absence { reason: reason.word(), why, fix }),
    };
    let good = known.and_then(|known| known.good.as_ref());
    let remembered = good.map(|good| Newest { id: good.id.clone(), created: good.created });
    Observation { destination, required: scope.set().required.contains(place), holdings, remembered }
}

/// What the destination holds of this backup.
async fn catalog(place: &Place, known: Option<&Seen>, scope: &BackupScope<'_>) -> Result<Catalog, Trouble> {
    let options = Options {
        mounted: scope.set().mounted,
        identity: known.and_then(|known| known.identity.clone()),
        owner: String::new(),
        s3: scope.set().s3.clone(),
    };
    let shelf = store::look(place, &options, scope.context).map_err(|error| {
        let fix = error.hints.first().cloned().unwrap_or_default();
        Trouble::new(Reason::Configuration, error.why.join(": "), fix)
    })?;
    shelf.inspect().await?;
    Err(Trouble::new(Reason::Other, "nobody reads catalogs yet", "wait for it"))
}

/// What there is to judge of a catalog.
fn holdings(catalog: &Catalog, known: Option<&Seen>, now: Timestamp) -> Holdings {
    let damaged = known.map(|known| known.damaged.as_slice()).unwrap_or_default();
    let mut held = Holdings { troubles: catalog.troubles.clone(), ..Holdings::default() };
    for archive in catalog.archives.iter().rev() {
        let id = archive.id.to_string();
        if let Some(why) = strange(archive) {
            held.strange.push((id, why));
        } else if let Some(why) = suspect(archive, damaged) {
            // What an older archive lacks is made up for by a newer good one.
            if held.good.is_none() {
                held.suspect.push((id, why));
            }
        } else if held.good.is_none() {
            held.good = Some(Newest { id, created: archive.sidecar.created });
        }
    }
    let left = catalog.incomplete.iter().filter(|left| now.duration_since(left.id.created()) > RUN);
    held.incomplete = left.map(|left| left.id.to_string()).collect();
    held
}

/// Why an archive is not one of ours.
fn strange(archive: &Archive) -> Option<String> {
    match &archive.origin {
        Origin::Signed(_) => None,
        Origin::Stranger(key) => Some(format!("it is signed with the key {key}, which nobody has accepted")),
        Origin::Unsigned => Some("it is not signed".to_owned()),
        Origin::Forged(why) => Some(format!("its signature is wrong: {why}")),
    }
}

fn suspect(archive: &Archive, damaged: &[String]) -> Option<String> {
    let found = damaged.contains(&archive.id.to_string()).then(|| "it was found damaged".to_owned());
    found.or_else(|| archive.suspect.clone())
}

/// Whether the files have changed since the newest good archive, as far as this host remembers making it.
async fn changed(held: &Holdings, record: &Record, scope: &BackupScope<'_>) -> Option<bool> {
    let last = record.last.as_ref().filter(|last| held.good.as_ref().is_some_and(|good| good.id == last.id))?;
    let sources = scope.sources().await.as_ref().ok()?;
    Some(sources.metadata != last.metadata)
}

/// What a person types to see what is there.
fn list(place: &Place) -> String {
    match place {
        Place::Folder(path) => format!("ls -l {}", shell_words::quote(&path.to_string_lossy())),
        Place::Rclone(remote) => format!("rclone lsl {}", shell_words::quote(remote)),
        Place::S3 { bucket, prefix } => {
            format!(
                "aws s3 ls {}",
                shell_words::quote(&format!("s3://{bucket}/{prefix}{}", if prefix.is_empty() { "" } else { "/" }))
            )
        }
    }
}
