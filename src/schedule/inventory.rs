//! What the schedules' machines do, asked of Amazon: all regions and accounts at once.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aws_types::SdkConfig;
use futures_util::future::join_all;
use jiff::Timestamp;

use super::{
    Role, Schedule, Selector, Settings,
    place::Place,
    plan::{self, Entry, Sighting},
    trouble::Trouble,
};
use crate::{
    report::{Finding, Status},
    rules::fleet::{Machine, Service, Turn},
    system::{
        Context,
        aws::{Account, Pace, Refusal, Wanted, account, rds::Event, sts},
    },
};

/// What was seen, and judged.
#[derive(Default)]
pub struct Inventory {
    /// The machines of the schedules.
    pub entries: Vec<Entry>,
    /// Where they were seen; entries point here.
    pub places: Vec<Arc<Place>>,
    /// What could not be looked at.
    pub blind: Vec<Blind>,
    /// What a person should know.
    pub findings: Vec<Finding>,
}

impl Inventory {
    /// Makes failures of what could not be looked at: a change that could not even be judged has not been made.
    pub fn fail_unseen(&mut self) {
        let is_unseen =
            |finding: &&mut Finding| finding.status == Status::Unknown && finding.data.contains_key("region");
        self.findings.iter_mut().filter(is_unseen).for_each(|finding| finding.status = Status::Fail);
    }
}

/// Something that could not be looked at.
#[derive(Clone, Debug)]
pub struct Blind {
    /// The role that leads there.
    pub role: Option<String>,
    /// The region.
    pub region: String,
    /// Whose machines; `None` for all of the account.
    pub service: Option<Service>,
    /// Why.
    pub trouble: Trouble,
}

impl Blind {
    /// Whether a schedule has machines there.
    pub fn concerns(&self, schedule: &Schedule) -> bool {
        schedule.selectors.iter().any(|selector| {
            selector.is_for(&self.region, self.role.as_deref())
                && self.service.is_none_or(|own| own == selector.service)
        })
    }

    fn title(&self) -> String {
        let what = self.service.map_or("machines", |service| match service {
            Service::Ec2 => "instances",
            Service::Rds => "databases",
        });
        match &self.role {
            Some(role) => format!("the {what} in {} of {role}", self.region),
            None => format!("the {what} in {}", self.region),
        }
    }
}

/// Looks at every machine of the schedules and judges it for an instant. What cannot be looked at stops nothing else.
pub async fn inventory(settings: &Settings, at: Timestamp, context: &Context) -> Inventory {
    let (places, mut blind) = reach(settings, context).await;
    context.progress.begin("looking", Some(places.len() as u64));
    let looked = join_all(places.iter().map(|place| both(place, context)).collect::<Vec<_>>()).await;
    context.progress.end();
    let mut sightings = Vec::new();
    let mut seen = Vec::new();
    for (place, (ec2, rds)) in places.iter().zip(looked) {
        let mut sighting = Sighting { role: place.role.clone(), machines: Vec::new() };
        let mut whole = true;
        for (service, looked) in [(Service::Ec2, ec2), (Service::Rds, rds)] {
            match looked {
                Ok(machines) => sighting.machines.extend(machines.iter().cloned()),
                Err(refusal) => {
                    tracing::debug!(place = place.title(), ?refusal, "could not look");
                    whole = false;
                    let (role, region) = (place.role.clone(), place.region.clone());
                    blind.push(Blind { role, region, service: Some(service), trouble: Trouble::of(&refusal) });
                }
            }
        }
        if whole {
            seen.push((place.role.clone(), place.region.clone()));
        }
        sightings.push(sighting);
    }
    let own = own_account(settings, &sightings, context).await;
    let mut entries = plan::judge(&settings.schedules, &settings.all, &sightings, own.as_deref(), at);
    if learn(&entries, &mut sightings, &places, settings, at, context).await {
        entries = plan::judge(&settings.schedules, &settings.all, &sightings, own.as_deref(), at);
    }
    plan::hold_order(&mut entries, &settings.schedules);
    if !settings.yes {
        plan::hold_late(&mut entries, &settings.schedules);
        // What is held back may be needed by what is not.
        plan::hold_order(&mut entries, &settings.schedules);
    }
    let mut findings: Vec<Finding> = Vec::new();
    for schedule in &settings.schedules {
        findings.extend(unseen(schedule, &blind));
    }
    findings.extend(plan::findings(&entries));
    findings.extend(plan::missing(&settings.schedules, &entries, &seen));
    Inventory { entries, places, blind, findings }
}

/// What could not be looked at of a schedule: one finding a trouble, however many regions have it.
fn unseen(schedule: &Schedule, blind: &[Blind]) -> Vec<Finding> {
    let mut by_trouble: Vec<(&Trouble, Vec<&Blind>)> = Vec::new();
    for blind in blind.iter().filter(|blind| blind.concerns(schedule)) {
        match by_trouble.iter_mut().find(|(trouble, _)| **trouble == blind.trouble) {
            Some((_, list)) => list.push(blind),
            None => by_trouble.push((&blind.trouble, vec![blind])),
        }
    }
    let told = by_trouble.into_iter().map(|(Trouble { reason, why, fix }, list)| {
        let titles: Vec<String> = list.iter().map(|blind| blind.title()).collect();
        let mut regions: Vec<String> = list.iter().map(|blind| blind.region.clone()).collect();
        regions.dedup();
        let summary = format!("could not look at {}", titles.join(", "));
        let finding = Finding::unknown(plan::ID, &schedule.name, summary).cause(why.clone()).fix(fix.clone());
        finding.data("reason", *reason).data("region", regions.first().cloned()).data("regions", regions)
    });
    told.collect()
}

/// Every region of every account that the schedules name, with the credentials for it.
async fn reach(settings: &Settings, context: &Context) -> (Vec<Arc<Place>>, Vec<Blind>) {
    let pace = settings.patience.pace;
    let own = account(context, Wanted { service: "EC2", ..Wanted::default() }, &pace).await;
    let mut accounts: BTreeMap<Option<&str>, (Option<&Role>, Vec<&str>)> = BTreeMap::new();
    for selector in settings.schedules.iter().flat_map(|schedule| &schedule.selectors) {
        let (role, regions) = accounts.entry(selector.role_arn()).or_default();
        *role = role.or(selector.role.as_ref());
        for region in &selector.regions {
            if !regions.contains(&region.as_str()) {
                regions.push(region);
            }
        }
    }
    let mut reached = Vec::new();
    for (arn, (role, regions)) in accounts {
        reached.push(enter(arn, role, regions, &own, &pace, settings, context));
    }
    let reached = join_all(reached).await;
    let (mut places, mut blind) = (Vec::new(), Vec::new());
    for (more, dark) in reached {
        places.extend(more);
        blind.extend(dark);
    }
    (places, blind)
}

/// The number of our own account, where some schedules go there without a role and others with one: two of them may meet at
/// the same machine, also where only one of them is asked for.
async fn own_account(settings: &Settings, sightings: &[Sighting], context: &Context) -> Option<String> {
    let selectors = || settings.all.iter().flat_map(|schedule| &schedule.selectors);
    let is_bare = |selector: &Selector| selector.role.is_none();
    if selectors().all(is_bare) || !selectors().any(is_bare) {
        return None;
    }
    let seen = sightings.iter().filter(|sighting| sighting.role.is_none()).flat_map(|sighting| &sighting.machines);
    if let Some(account) = seen.map(|machine| &machine.account).find(|account| !account.is_empty()) {
        return Some(account.clone());
    }
    let region = selectors().find_map(|selector| selector.regions.first())?;
    let pace = settings.patience.pace;
    let own = account(context, Wanted { service: "STS", ..Wanted::default() }, &pace).await;
    sts::account_number(&own.at(region, &pace)).await.ok()
}

/// The regions of one account.
async fn enter(
    arn: Option<&str>,
    role: Option<&Role>,
    regions: Vec<&str>,
    own: &Account,
    pace: &Pace,
    settings: &Settings,
    context: &Context,
) -> (Vec<Arc<Place>>, Vec<Blind>) {
    let Some(first) = regions.first() else { return (Vec::new(), Vec::new()) };
    let sdk = match role {
        None => Ok(own.at(first, pace)),
        Some(role) => take_on(own, role, first, pace, context).await,
    };
    let (mut places, mut blind) = (Vec::new(), Vec::new());
    match sdk {
        Ok(sdk) => {
            let other = Account { sdk, region: None, endpoint: None, is_amazon: own.is_amazon };
            for region in regions {
                places.push(Arc::new(Place::new(arn, region, other.at(region, pace), &settings.schedules)));
            }
        }
        Err(trouble) => {
            for region in regions {
                let (role, region) = (arn.map(str::to_owned), region.to_owned());
                blind.push(Blind { role, region, service: None, trouble: trouble.clone() });
            }
        }
    }
    (places, blind)
}

/// Both services of a place at once.
async fn both(place: &Place, context: &Context) -> (Looked, Looked) {
    let looked = tokio::join!(place.look(Service::Ec2, Duration::ZERO), place.look(Service::Rds, Duration::ZERO));
    context.progress.advance(1);
    looked
}

type Looked = Result<Arc<Vec<Machine>>, Refusal>;

/// The configuration of another account.
async fn take_on(
    own: &Account,
    role: &Role,
    region: &str,
    pace: &Pace,
    context: &Context,
) -> Result<SdkConfig, Trouble> {
    let external_id = match &role.external_id {
        None => None,
        Some(secret) => Some(secret.resolve(context).await.map_err(|error| Trouble {
            reason: "external-id",
            why: error.to_string(),
            fix: error.hints.first().cloned().unwrap_or_else(|| "mend `external_id`".to_owned()),
        })?),
    };
    let external_id = external_id.as_ref().map(secrecy::ExposeSecret::expose_secret);
    sts::assume(&own.at(region, pace), &role.arn, external_id).await.map_err(|refusal| {
        let trouble = Trouble::of(&refusal);
        let fix = match trouble.reason {
            "denied" => format!("let {} trust this account, with the external id where it asks for one", role.arn),
            _ => trouble.fix,
        };
        Trouble {
            reason: trouble.reason,
            why: format!("the role {} cannot be taken on: {}", role.arn, trouble.why),
            fix,
        }
    })
}

/// Asks RDS who started or stopped what differs from its schedule, once a region; whether anything was learnt.
async fn learn(
    entries: &[Entry],
    sightings: &mut [Sighting],
    places: &[Arc<Place>],
    settings: &Settings,
    at: Timestamp,
    context: &Context,
) -> bool {
    let mut since: BTreeMap<usize, Timestamp> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.judgement.needs_history()) {
        let schedule = settings.schedules.iter().find(|schedule| schedule.name == entry.judgement.schedule);
        let Some(schedule) = schedule else { continue };
        // Who enforces does not ask for persons; whether RDS did it itself only matters to what would be late.
        if schedule.enforce && !entry.judgement.verdict.late {
            continue;
        }
        let boundary = schedule.calendar.decide(at).since.map_or(Timestamp::MIN, |since| since.at);
        let known = since.entry(entry.sighting).or_insert(boundary);
        *known = boundary.min(*known);
    }
    let now = context.clock.now();
    let mut asked = Vec::new();
    for (index, since) in since {
        if let Some(place) = places.get(index) {
            asked.push(async move { (index, place.events(since, now).await) });
        }
    }
    let told = join_all(asked).await;
    let learnt = !told.is_empty();
    for (index, events) in told {
        let Some(sighting) = sightings.get_mut(index) else { continue };
        for machine in sighting.machines.iter_mut().filter(|machine| machine.turn == Turn::NotAsked) {
            machine.turn = match &events {
                Ok(events) => Event::last_turn(events, machine.kind, &machine.id).unwrap_or(Turn::Earlier),
                Err(_) => Turn::Unknown,
            };
        }
        if let Err(refusal) = events {
            tracing::debug!(?refusal, "RDS did not tell its events");
        }
    }
    learnt
}
