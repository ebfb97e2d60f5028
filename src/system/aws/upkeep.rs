//! The upkeep of databases, as RDS tells it: what waits, what ends, what is missing.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_rds::{
    Client,
    types::{self, LifecycleSupportName},
};
use aws_types::SdkConfig;
use jiff::Timestamp;

use super::{Refusal, instant};
use crate::rules::{
    database_maintenance::{Pending, Told, Upkeep, is_major_of},
    fleet::Kind,
};

/// Asks about the upkeep of databases of one region.
#[derive(Clone, Debug)]
pub struct Upkeeper {
    client: Client,
}

/// As many as a page can have (RDS API Reference).
const PAGE: i32 = 100;

impl Upkeeper {
    /// The region that the configuration is for.
    pub fn new(sdk: &SdkConfig) -> Self {
        Self { client: Client::new(sdk) }
    }

    /// The upkeep of these databases, and of the members of clusters among them: three or four calls, however many they are,
    /// and one for each engine.
    ///
    /// # Errors
    ///
    /// What RDS refused of the databases themselves; what it refuses beside them is told with each.
    pub async fn look(&self, wanted: &[(Kind, String)]) -> Result<Vec<Upkeep>, Refusal> {
        let is_wanted = |kind, id: &str| wanted.iter().any(|(own, name)| *own == kind && name == id);
        let mut found: Vec<(String, Upkeep)> = Vec::new();
        let mut pages = self.client.describe_db_instances().into_paginator().page_size(PAGE).send();
        while let Some(page) = pages.next().await {
            for instance in page.map_err(|error| Refusal::of(&error))?.db_instances() {
                let cluster = instance.db_cluster_identifier();
                let id = instance.db_instance_identifier().unwrap_or_default();
                if is_wanted(Kind::Database, id) || cluster.is_some_and(|cluster| is_wanted(Kind::Cluster, cluster)) {
                    found.push((instance.db_instance_arn().unwrap_or_default().to_owned(), of_instance(instance)));
                }
            }
        }
        if wanted.iter().any(|(kind, _)| *kind == Kind::Cluster) {
            let mut pages = self.client.describe_db_clusters().into_paginator().page_size(PAGE).send();
            while let Some(page) = pages.next().await {
                for cluster in page.map_err(|error| Refusal::of(&error))?.db_clusters() {
                    if is_wanted(Kind::Cluster, cluster.db_cluster_identifier().unwrap_or_default()) {
                        found.push((cluster.db_cluster_arn().unwrap_or_default().to_owned(), of_cluster(cluster)));
                    }
                }
            }
        }
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let engines: BTreeSet<String> = found.iter().map(|(_, upkeep)| upkeep.engine.clone()).collect();
        let (pending, support) = tokio::join!(self.pending(), self.support(&engines));
        let told = found.into_iter().map(|(arn, mut upkeep)| {
            upkeep.pending =
                pending.as_ref().map_err(Clone::clone).map(|all| all.get(&arn).cloned().unwrap_or_default());
            // A member has the engine of its cluster, for which it is told.
            if upkeep.cluster || upkeep.backup_days.is_some() {
                upkeep.support_ends = match support.get(&upkeep.engine) {
                    Some(Ok(majors)) => {
                        let own = majors.iter().filter(|(major, _)| is_major_of(major, &upkeep.version));
                        Ok(own.max_by_key(|(major, _)| major.len()).map(|(_, ends)| *ends))
                    }
                    Some(Err(why)) => Err(why.clone()),
                    None => Ok(None),
                };
            }
            upkeep
        });
        Ok(told.collect())
    }

    /// What waits, by ARN.
    async fn pending(&self) -> Told<BTreeMap<String, Vec<Pending>>> {
        let mut all: BTreeMap<String, Vec<Pending>> = BTreeMap::new();
        let mut pages = self.client.describe_pending_maintenance_actions().into_paginator().page_size(PAGE).send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| said(&Refusal::of(&error)))?;
            for resource in page.pending_maintenance_actions() {
                let Some(arn) = resource.resource_identifier() else { continue };
                let actions = resource.pending_maintenance_action_details().iter().map(waiting);
                all.entry(arn.to_owned()).or_default().extend(actions);
            }
        }
        Ok(all)
    }

    /// The major versions of each engine with the end of their ordinary support. Commercial engines have none.
    async fn support(&self, engines: &BTreeSet<String>) -> BTreeMap<String, Told<Vec<(String, Timestamp)>>> {
        let mut all = BTreeMap::new();
        for engine in engines {
            all.insert(engine.clone(), self.majors(engine).await);
        }
        all
    }

    async fn majors(&self, engine: &str) -> Told<Vec<(String, Timestamp)>> {
        let mut majors = Vec::new();
        let request = self.client.describe_db_major_engine_versions().engine(engine);
        let mut pages = request.into_paginator().page_size(PAGE).send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| said(&Refusal::of(&error)))?;
            for version in page.db_major_engine_versions() {
                let standard = version.supported_engine_lifecycles().iter().find(|life| {
                    life.lifecycle_support_name() == Some(&LifecycleSupportName::OpenSourceRdsStandardSupport)
                });
                let ends = standard.and_then(|life| life.lifecycle_support_end_date()).and_then(instant);
                if let (Some(major), Some(ends)) = (version.major_engine_version(), ends) {
                    majors.push((major.to_owned(), ends));
                }
            }
        }
        Ok(majors)
    }
}

fn of_instance(instance: &types::DbInstance) -> Upkeep {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let shown = instance.certificate_details();
    let name = shown.and_then(|shown| shown.ca_identifier()).or_else(|| instance.ca_certificate_identifier());
    let ends = shown.and_then(|shown| shown.valid_till()).and_then(instant);
    Upkeep {
        id: text(instance.db_instance_identifier()),
        cluster: false,
        engine: text(instance.engine()),
        version: text(instance.engine_version()),
        authority: name.map(|name| (name.to_owned(), ends)),
        public: instance.publicly_accessible().unwrap_or(false),
        backup_days: match (instance.db_cluster_identifier(), instance.read_replica_source_db_instance_identifier()) {
            // The cluster makes them, or the source of a replica.
            (Some(_), _) | (_, Some(_)) => None,
            (None, None) => Some(instance.backup_retention_period().unwrap_or(0)),
        },
        pending: Ok(Vec::new()),
        support_ends: Ok(None),
    }
}

fn of_cluster(cluster: &types::DbCluster) -> Upkeep {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Upkeep {
        id: text(cluster.db_cluster_identifier()),
        cluster: true,
        engine: text(cluster.engine()),
        version: text(cluster.engine_version()),
        authority: None,
        public: cluster.publicly_accessible().unwrap_or(false),
        backup_days: cluster.backup_retention_period(),
        pending: Ok(Vec::new()),
        support_ends: Ok(None),
    }
}

fn waiting(action: &types::PendingMaintenanceAction) -> Pending {
    let at = |date: Option<&aws_smithy_types::DateTime>| date.and_then(instant);
    let forced = at(action.forced_apply_date());
    Pending {
        action: action.action().unwrap_or_default().to_owned(),
        description: action.description().unwrap_or_default().to_owned(),
        at: at(action.current_apply_date()).or(forced).or_else(|| at(action.auto_applied_after_date())),
        forced: forced.is_some(),
    }
}

fn said(refusal: &Refusal) -> String {
    match &refusal.code {
        Some(code) => format!("{code}: {}", refusal.message),
        None => refusal.message.clone(),
    }
}
