//! `backup.fresh`: a good archive that is young enough at each destination, and a restore that was rehearsed.

use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use jiff::{SignedDuration, Timestamp};

use super::{Backup, BackupScope, Check, backup::Memory};
use crate::{
    backup::{Catalog, Origin, Query, Seen},
    error::Error,
    report::Finding,
    rules::{
        archive_id::ArchiveId,
        backup_fresh::{Absence, Changed, Holdings, ID, Newest, Observation, Rehearsal, judge, judge_drill},
    },
    system::store::{self, Options, Place, Reason, Trouble},
};

/// `backup.fresh`.
pub struct BackupFresh;

/// A run that is going on has no sidecar yet either; none takes so long.
const RUN: SignedDuration = SignedDuration::from_hours(24);

/// So many bytes are read to see whether they have changed; of more the file system's word decides.
const READ: u64 = 256 << 20;

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
    let memory = match scope.memory() {
        Ok(memory) => memory,
        Err(error) => return vec![forgotten(&set.name, &error)],
    };
    let mut findings = join_all(set.to.iter().map(|place| async {
        let seen = observe(place, &memory, scope, now).await;
        let finding = judge(&set.name, &seen, set.max_age, now);
        let by_hand = by_hand(place, &finding, &memory);
        finding.by_hand(by_hand)
    }))
    .await;
    let drill = memory.record.drill.map(|drill| Rehearsal {
        at: drill.at,
        archive: drill.id,
        destination: drill.destination,
        good: drill.good,
    });
    findings.push(judge_drill(&set.name, drill.as_ref(), set.max_drill_age, now));
    findings
}

/// Without this host's memory and key no archive can be told from a planted one.
fn forgotten(name: &str, error: &Error) -> Finding {
    let hint = error.hints.first().cloned();
    Finding::unknown(ID, name, "what this host remembers of the backup cannot be read")
        .cause(error.to_string())
        .fix(hint.unwrap_or_else(|| "run as the user who makes the backups".to_owned()))
        .data("reason", "record")
}

async fn observe(place: &Place, memory: &Memory, scope: &BackupScope<'_>, now: Timestamp) -> Observation {
    let destination = place.to_string();
    let known = memory.record.destinations.get(&destination);
    let holdings = match catalog(place, memory, scope, now).await {
        Ok(catalog) => {
            let mut held = holdings(&catalog, now);
            held.changed = changed(&held, known, memory, scope).await;
            Ok(held)
        }
        Err(Trouble { reason, why, fix }) => Err(Absence { reason: reason.word(), why, fix }),
    };
    let good = known.and_then(|known| known.good.as_ref());
    let remembered = good.map(|good| Newest { id: good.id.clone(), created: good.created });
    Observation { destination, required: scope.set().required.contains(place), holdings, remembered }
}

/// What the destination holds of this backup, once it has proved to be the right one.
async fn catalog(place: &Place, memory: &Memory, scope: &BackupScope<'_>, now: Timestamp) -> Result<Catalog, Trouble> {
    let (set, record) = (scope.set(), &memory.record);
    let options = Options {
        mounted: set.mounted,
        identity: record.destinations.get(&place.to_string()).and_then(|known| known.identity.clone()),
        s3: set.s3.clone(),
        // The rest is for who writes.
        ..Options::default()
    };
    let shelf = store::look(place, &options, scope.context).map_err(|error| {
        let fix = error.hints.first().cloned();
        let fix = fix.unwrap_or_else(|| "take the destination out of `to`, or correct it".to_owned());
        Trouble::new(Reason::Configuration, error.why.join(": "), fix)
    })?;
    if shelf.inspect().await?.is_new {
        return Ok(Catalog::default());
    }
    let query = Query::of(&scope.backup.settings.project, set, &memory.accepted, record, now);
    Catalog::read(shelf.as_ref(), &query).await
}

/// What there is to judge of a catalogue.
fn holdings(catalog: &Catalog, now: Timestamp) -> Holdings {
    let mut held = Holdings { troubles: catalog.troubles.clone(), ..Holdings::default() };
    let is_old = |id: &ArchiveId| now.duration_since(id.created()) > RUN;
    for archive in catalog.archives.iter().rev() {
        let id = archive.id.to_string();
        match (&archive.origin, archive.doubt()) {
            (_, None) => {
                held.good.get_or_insert(Newest { id, created: archive.sidecar.created });
            }
            // The signature is written last, so this is what a killed run leaves.
            (Origin::Unsigned, _) if is_old(&archive.id) => held.incomplete.push(id),
            (Origin::Unsigned, _) => {}
            (Origin::Stranger(_) | Origin::Forged(_), Some(why)) => held.strange.push((id, why)),
            // What an older archive lacks is made up for by a newer good one.
            (Origin::Signed(_), Some(_)) if held.good.is_some() => {}
            (Origin::Signed(_), Some(why)) => held.suspect.push((id, archive.suspect.clone().unwrap_or(why))),
        }
    }
    let left = catalog.incomplete.iter().filter(|left| is_old(&left.id));
    held.incomplete.extend(left.map(|left| left.id.to_string()));
    held
}

/// Whether the files have changed since the newest good archive, as far as this host remembers making it: by what the file
/// system says of them, and where that differs by what is in them, since a `touch` is no change.
async fn changed(held: &Holdings, known: Option<&Seen>, memory: &Memory, scope: &BackupScope<'_>) -> Changed {
    let Some(id) = held.good.as_ref().map(|good| &good.id) else { return Changed::NotKnown };
    let last = memory.record.last.as_ref().filter(|last| last.id == *id);
    let kept = known.and_then(|known| known.good.as_ref()).filter(|good| good.id == *id);
    let content = last.map(|last| &last.content).or(kept.map(|good| &good.content)).filter(|digest| !digest.is_empty());
    let sources = match scope.sources().await {
        Ok(_) if last.is_none() && content.is_none() => return Changed::NotKnown,
        Ok(sources) if last.is_some_and(|last| last.metadata == sources.metadata) => return Changed::No,
        Ok(sources) => sources,
        Err(error) => return Changed::Unseen(error.to_string()),
    };
    // The output of commands is in the digest of an archive, and is not made again for a look.
    let Some(content) = content.filter(|_| sources.bytes <= READ && scope.set().dumps.is_empty()) else {
        return if last.is_some() { Changed::Yes } else { Changed::NotKnown };
    };
    match scope.content().await {
        Ok(now) if now == content => Changed::No,
        Ok(_) => Changed::Yes,
        Err(error) => Changed::Unseen(error.to_string()),
    }
}

/// The same by hand: what is there, and whether the newest sidecar is ours.
fn by_hand(place: &Place, finding: &Finding, memory: &Memory) -> String {
    let archive = finding.data.get("archive").and_then(|id| id.as_str());
    match (place, archive, memory.accepted.first()) {
        (Place::Folder(path), Some(id), Some(key)) => {
            let sidecar = path.join(format!("{id}.json"));
            format!("{} && minisign -V -P {key} -m {}", list(place), shell_words::quote(&sidecar.to_string_lossy()))
        }
        _ => list(place),
    }
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
