//! One region of one account, as far as schedules have machines there.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use aws_types::SdkConfig;
use tokio::{sync::Mutex, time::Instant};

use super::Schedule;
use crate::{
    rules::{
        database_maintenance::Upkeep,
        fleet::{Act, Kind, Machine, Service},
    },
    system::aws::{
        Refusal,
        ec2::{Ec2, MOST_IDS, Query},
        rds::{Event, Rds},
        upkeep::Upkeeper,
    },
};

/// Where machines are looked for. Looking is all that it can do: what acts is made from it by `apply`.
pub struct Place {
    /// The role that leads there; `None` for our own account.
    pub role: Option<String>,
    /// The region.
    pub region: String,
    /// How it is reached.
    pub(super) sdk: SdkConfig,
    ec2: Option<(Ec2, Query, Seen)>,
    rds: Option<(Rds, bool, Seen)>,
}

/// What was seen last, and when. Whoever waits for machines of a region shares it, so that it is asked rarely.
type Seen = Mutex<Option<(Instant, Arc<Vec<Machine>>)>>;

impl Place {
    /// A region with what the schedules want to know of it.
    pub fn new(role: Option<&str>, region: &str, sdk: SdkConfig, schedules: &[Schedule]) -> Self {
        let ec2 = query(schedules, role, region).map(|query| (Ec2::new(&sdk), query, Seen::default()));
        let rds = databases(schedules, role, region).map(|clusters| (Rds::new(&sdk), clusters, Seen::default()));
        Self { role: role.map(str::to_owned), region: region.to_owned(), sdk, ec2, rds }
    }

    /// How it is named in messages.
    pub fn title(&self) -> String {
        match &self.role {
            Some(role) => format!("{} as {role}", self.region),
            None => self.region.clone(),
        }
    }

    /// Whether there is something to look for.
    pub fn has(&self, service: Service) -> bool {
        match service {
            Service::Ec2 => self.ec2.is_some(),
            Service::Rds => self.rds.is_some(),
        }
    }

    /// Its machines, not older than this.
    ///
    /// # Errors
    ///
    /// What Amazon refused.
    pub async fn look(&self, service: Service, age: Duration) -> Result<Arc<Vec<Machine>>, Refusal> {
        match service {
            Service::Ec2 => {
                let Some((ec2, query, seen)) = &self.ec2 else { return Ok(Arc::default()) };
                // Held over the call: one look at a time.
                let mut seen = seen.lock().await;
                if let Some(machines) = young(&seen, age) {
                    return Ok(machines);
                }
                let machines = Arc::new(ec2.look(query).await?);
                *seen = Some((Instant::now(), machines.clone()));
                Ok(machines)
            }
            Service::Rds => {
                let Some((rds, clusters, seen)) = &self.rds else { return Ok(Arc::default()) };
                let mut seen = seen.lock().await;
                if let Some(machines) = young(&seen, age) {
                    return Ok(machines);
                }
                let machines = Arc::new(rds.look(*clusters).await?);
                *seen = Some((Instant::now(), machines.clone()));
                Ok(machines)
            }
        }
    }

    /// The keys that encrypt the volumes of some of its instances.
    ///
    /// # Errors
    ///
    /// What Amazon refused.
    pub async fn keys(&self, ids: &[String]) -> Result<BTreeSet<String>, Refusal> {
        match &self.ec2 {
            Some((ec2, ..)) => ec2.keys(ids).await,
            None => Ok(BTreeSet::new()),
        }
    }

    /// Which of these types of instances have an instance store, and of how many gigabytes.
    ///
    /// # Errors
    ///
    /// What Amazon refused.
    pub async fn stores(&self, classes: &BTreeSet<String>) -> Result<BTreeMap<String, i64>, Refusal> {
        match &self.ec2 {
            Some((ec2, ..)) => ec2.stores(classes).await,
            None => Ok(BTreeMap::new()),
        }
    }

    /// Whether we would be allowed to start or stop some of its instances; nothing is done.
    ///
    /// # Errors
    ///
    /// What Amazon answered when it told neither.
    pub async fn allows(&self, act: Act, ids: &[String]) -> Result<bool, Refusal> {
        match &self.ec2 {
            Some((ec2, ..)) => ec2.allows(act, ids).await,
            None => Ok(true),
        }
    }

    /// The upkeep of some of its databases.
    ///
    /// # Errors
    ///
    /// What Amazon refused.
    pub async fn upkeep(&self, wanted: &[(Kind, String)]) -> Result<Vec<Upkeep>, Refusal> {
        Upkeeper::new(&self.sdk).look(wanted).await
    }

    /// The snapshots of one of its databases, and whether they are done.
    ///
    /// # Errors
    ///
    /// What Amazon refused.
    pub async fn snapshots(&self, id: &str) -> Result<Vec<(String, bool)>, Refusal> {
        match &self.rds {
            Some((rds, ..)) => rds.snapshots(id).await,
            None => Ok(Vec::new()),
        }
    }

    /// What happened to its databases since an instant.
    ///
    /// # Errors
    ///
    /// What Amazon refused.
    pub async fn events(&self, since: jiff::Timestamp, now: jiff::Timestamp) -> Result<Vec<Event>, Refusal> {
        match &self.rds {
            Some((rds, ..)) => rds.events(since, now).await,
            None => Ok(Vec::new()),
        }
    }
}

/// The last look, where it is young enough.
fn young(seen: &Option<(Instant, Arc<Vec<Machine>>)>, age: Duration) -> Option<Arc<Vec<Machine>>> {
    seen.as_ref().filter(|(at, _)| at.elapsed() < age).map(|(_, machines)| machines.clone())
}

/// One question for all that the schedules want to know of a region's instances. Where no filter is right for all of them,
/// every instance is told of: that is one call too, a thousand a page.
fn query(schedules: &[Schedule], role: Option<&str>, region: &str) -> Option<Query> {
    let selectors = schedules.iter().flat_map(|schedule| &schedule.selectors);
    let own: Vec<_> =
        selectors.filter(|selector| selector.service == Service::Ec2 && selector.is_for(region, role)).collect();
    let [first, rest @ ..] = own.as_slice() else { return None };
    if own.iter().all(|selector| selector.tags.is_empty()) {
        let mut ids: Vec<String> = own.iter().flat_map(|selector| selector.ids.iter().cloned()).collect();
        ids.sort_unstable();
        ids.dedup();
        return Some(if ids.len() > MOST_IDS { Query::All } else { Query::Ids(ids) });
    }
    if rest.is_empty() {
        let tags = first.tags.iter().map(|(key, value)| (key.clone(), vec![value.clone()]));
        return Some(Query::Tags(tags.collect()));
    }
    // Several that select by one tag of the same key: its values are alternatives.
    let key = first.tags.first().map(|(key, _)| key);
    let alike = own.iter().all(|selector| selector.tags.len() == 1 && selector.tags.first().map(|(key, _)| key) == key);
    match key {
        Some(key) if alike => {
            let values = own.iter().flat_map(|selector| &selector.tags).map(|(_, value)| value.clone());
            Some(Query::Tags(vec![(key.clone(), values.collect())]))
        }
        _ => Some(Query::All),
    }
}

/// Whether databases are wanted there, and if so whether clusters are asked for by name.
fn databases(schedules: &[Schedule], role: Option<&str>, region: &str) -> Option<bool> {
    let selectors = schedules.iter().flat_map(|schedule| &schedule.selectors);
    let mut own =
        selectors.filter(|selector| selector.service == Service::Rds && selector.is_for(region, role)).peekable();
    own.peek()?;
    Some(own.any(|selector| !selector.clusters.is_empty()))
}
