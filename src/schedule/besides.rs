//! What Amazon says of instances beside what they do: asked by `check` and `policy` only, so that `apply` costs no call more.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use super::{Blind, Entry, Inventory, Schedule, Settings, inventory, place::Place, trouble::Trouble};
use crate::{
    rules::{
        calendar::Mode,
        database_maintenance::Upkeep,
        fleet::{Act, Kind, Reason, Service},
        instance_store::Stores,
        schedule_rights::Rights,
    },
    system::{
        Context,
        aws::{Pace, Refusal},
    },
};

/// The keys of the volumes that the schedules' instances have, by the role that leads to their account; or why they could not
/// be looked at.
pub async fn volume_keys(
    settings: &Settings,
    context: &Context,
) -> BTreeMap<Option<String>, Result<BTreeSet<String>, Trouble>> {
    // Whoever prints a policy may well have no credentials yet, and is not kept waiting for them.
    let mut settings = Settings { yes: true, ..settings.clone() };
    settings.patience.pace = Pace { attempts: 1, ..settings.patience.pace };
    let found = inventory(&settings, context.clock.now(), context).await;
    let mut keys: BTreeMap<Option<String>, Result<BTreeSet<String>, Trouble>> = BTreeMap::new();
    for Blind { role, service, trouble, .. } in &found.blind {
        if *service != Some(Service::Rds) {
            keys.insert(role.clone(), Err(trouble.clone()));
        }
    }
    for (place, ids) in instances(&found.entries, &found) {
        let own = keys.entry(place.role.clone()).or_insert_with(|| Ok(BTreeSet::new()));
        let Ok(known) = own else { continue };
        match place.keys(&ids).await {
            Ok(more) => known.extend(more),
            Err(refusal) => *own = Err(Trouble::of(&refusal)),
        }
    }
    for place in &found.places {
        keys.entry(place.role.clone()).or_insert_with(|| Ok(BTreeSet::new()));
    }
    keys
}

/// What a stop would empty, and whether the credentials suffice to start and stop: two or three calls a region.
pub async fn besides(schedule: &Schedule, found: &Inventory) -> (Vec<Stores>, Vec<Rights>) {
    let acts: &[Act] = match schedule.calendar.mode() {
        Mode::Both => &[Act::Start, Act::Stop],
        Mode::StartOnly => &[Act::Start],
        Mode::StopOnly => &[Act::Stop],
    };
    let ours = |entry: &&Entry| {
        let row = &entry.judgement;
        row.schedule == schedule.name && !matches!(row.verdict.reason, Reason::Obstacle(_) | Reason::Claimed(_))
    };
    let entries: Vec<Entry> = found.entries.iter().filter(ours).cloned().collect();
    let asked = instances(&entries, found).into_iter().map(|(place, ids)| {
        let classes: BTreeSet<String> = entries
            .iter()
            .map(|entry| &entry.judgement.machine)
            .filter(|machine| ids.contains(&machine.id))
            .flat_map(|machine| machine.classes.clone())
            .collect();
        async move {
            let why = |refusal: Refusal| Trouble::of(&refusal).why;
            let stores = match acts.contains(&Act::Stop) {
                true => Some(Stores { place: place.title(), sizes: place.stores(&classes).await.map_err(why) }),
                false => None,
            };
            let mut rights = Vec::new();
            for act in acts {
                // What EC2 says otherwise (a state, a protection) is no matter of rights.
                let allowed = place.allows(*act, &ids).await;
                let allowed = allowed.inspect_err(|refusal| tracing::debug!(?refusal, "a dry run told nothing"));
                rights.push(Rights { place: place.title(), act: *act, allowed: allowed.ok() });
            }
            (stores, rights)
        }
    });
    let (stores, rights): (Vec<_>, Vec<_>) = join_all(asked).await.into_iter().unzip();
    (stores.into_iter().flatten().collect(), rights.concat())
}

/// The upkeep of the databases of a schedule, and where it could not be looked at.
pub async fn upkeep(schedule: &Schedule, found: &Inventory) -> (Vec<Upkeep>, Vec<(String, Trouble)>) {
    let mut by_place: BTreeMap<usize, Vec<(Kind, String)>> = BTreeMap::new();
    for entry in found.entries.iter().filter(|entry| entry.judgement.schedule == schedule.name) {
        let machine = &entry.judgement.machine;
        if machine.kind != Kind::Instance {
            by_place.entry(entry.sighting).or_default().push((machine.kind, machine.id.clone()));
        }
    }
    let places = by_place.iter().filter_map(|(at, wanted)| Some((found.places.get(*at)?, wanted)));
    let looked =
        join_all(places.map(|(place, wanted)| async move { (place.title(), place.upkeep(wanted).await) })).await;
    let mut all = Vec::new();
    // What the inventory could not see.
    let blind = found.blind.iter().filter(|blind| blind.concerns(schedule) && blind.service != Some(Service::Ec2));
    let mut unseen: Vec<(String, Trouble)> = blind.map(|blind| (blind.region.clone(), blind.trouble.clone())).collect();
    for (title, upkeep) in looked {
        match upkeep {
            Ok(upkeep) => all.extend(upkeep),
            Err(refusal) => unseen.push((title, Trouble::of(&refusal))),
        }
    }
    (all, unseen)
}

/// The ids of the instances among these, by place.
fn instances<'a>(entries: &[Entry], found: &'a Inventory) -> Vec<(&'a Place, Vec<String>)> {
    let mut by_place: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.judgement.machine.kind == Kind::Instance) {
        by_place.entry(entry.sighting).or_default().insert(entry.judgement.machine.id.clone());
    }
    let place = |(at, ids): (usize, BTreeSet<String>)| Some((&**found.places.get(at)?, ids.into_iter().collect()));
    by_place.into_iter().filter_map(place).collect()
}
