//! RDS instances and Aurora clusters of one region: looked at by [`Rds`], started and stopped by [`RdsSwitch`].

use std::collections::BTreeMap;

use aws_sdk_rds::{Client, types};
use aws_types::SdkConfig;
use jiff::Timestamp;

use super::{Refusal, ec2, instant};
use crate::rules::fleet::{Cluster, Database, Details, Kind, Machine, Turn};

/// Looks at the databases of a region.
#[derive(Clone, Debug)]
pub struct Rds {
    client: Client,
    region: String,
}

/// Starts and stops them.
#[derive(Clone, Debug)]
pub struct RdsSwitch {
    client: Client,
}

/// What happened to a database, as its events tell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// What it is.
    pub kind: Kind,
    /// Its identifier.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// In RDS's words.
    pub message: String,
}

/// As many as a page can have (RDS API Reference).
const PAGE: i32 = 100;

/// RDS keeps its events for so many minutes: two weeks.
const KEPT: i32 = 14 * 24 * 60;

/// What RDS says of its own doing (RDS User Guide, RDS-EVENT-0154 and -0153).
const BY_ITSELF: &str = "exceeding the maximum allowed time being stopped";

impl Rds {
    /// The region that the configuration is for.
    pub fn new(sdk: &SdkConfig) -> Self {
        Self { client: Client::new(sdk), region: sdk.region().map(ToString::to_string).unwrap_or_default() }
    }

    /// The instances, and the clusters where there can be some: where they are asked for, or an instance is a member.
    ///
    /// # Errors
    ///
    /// What RDS refused.
    pub async fn look(&self, clusters: bool) -> Result<Vec<Machine>, Refusal> {
        let mut machines = Vec::new();
        let mut members: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut pages = self.client.describe_db_instances().into_paginator().page_size(PAGE).send();
        while let Some(page) = pages.next().await {
            for instance in page.map_err(|error| Refusal::of(&error))?.db_instances() {
                if let Some(cluster) = instance.db_cluster_identifier() {
                    let class = instance.db_instance_class().unwrap_or_default().to_owned();
                    members.entry(cluster.to_owned()).or_default().push(class);
                }
                machines.push(self.database(instance));
            }
        }
        if clusters || !members.is_empty() {
            let mut pages = self.client.describe_db_clusters().into_paginator().page_size(PAGE).send();
            while let Some(page) = pages.next().await {
                for cluster in page.map_err(|error| Refusal::of(&error))?.db_clusters() {
                    machines.push(self.cluster(cluster, &members));
                }
            }
        }
        Ok(machines)
    }

    /// Starts and stops since an instant, in the order in which they happened; one call, and none reaches further back than
    /// two weeks.
    ///
    /// # Errors
    ///
    /// What RDS refused.
    pub async fn events(&self, since: Timestamp, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        let minutes = now.duration_since(since).as_mins().saturating_add(1);
        let minutes = i32::try_from(minutes).unwrap_or(KEPT).clamp(1, KEPT);
        let request = self.client.describe_events().duration(minutes).event_categories("notification");
        let mut pages = request.into_paginator().page_size(PAGE).send();
        let mut events = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Refusal::of(&error))?;
            events.extend(page.events().iter().filter_map(event));
        }
        events.sort_by_key(|event| event.at);
        Ok(events)
    }

    /// The snapshots of an instance that were made by hand or by program, and whether they are done.
    ///
    /// # Errors
    ///
    /// What RDS refused.
    pub async fn snapshots(&self, id: &str) -> Result<Vec<(String, bool)>, Refusal> {
        let request = self.client.describe_db_snapshots().db_instance_identifier(id).snapshot_type("manual");
        let mut pages = request.into_paginator().page_size(PAGE).send();
        let mut snapshots = Vec::new();
        while let Some(page) = pages.next().await {
            for snapshot in page.map_err(|error| Refusal::of(&error))?.db_snapshots() {
                let Some(name) = snapshot.db_snapshot_identifier() else { continue };
                snapshots.push((name.to_owned(), snapshot.status() == Some("available")));
            }
        }
        Ok(snapshots)
    }

    fn database(&self, instance: &types::DbInstance) -> Machine {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let owned = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        let arn = text(instance.db_instance_arn());
        let class = text(instance.db_instance_class());
        let multi_az = instance.multi_az().unwrap_or(false);
        let mut replicas = instance.read_replica_db_instance_identifiers().to_vec();
        replicas.extend_from_slice(instance.read_replica_db_cluster_identifiers());
        let source = instance.read_replica_source_db_instance_identifier();
        Machine {
            id: text(instance.db_instance_identifier()),
            kind: Kind::Database,
            account: super::account_in(&arn),
            region: self.region.clone(),
            arn,
            tags: tags(instance.tag_list()),
            status: text(instance.db_instance_status()),
            // The standby is billed as much as the one in use.
            classes: vec![class; if multi_az { 2 } else { 1 }],
            zone: owned(instance.availability_zone()),
            turn: Turn::NotAsked,
            state_reason: None,
            details: Details::Database(Database {
                engine: text(instance.engine()),
                multi_az,
                cluster: owned(instance.db_cluster_identifier()),
                replica_of: owned(source.or(instance.read_replica_source_db_cluster_identifier())),
                replicas,
                restart: instance.automatic_restart_time().and_then(instant),
                backup_window: owned(instance.preferred_backup_window()),
                maintenance_window: owned(instance.preferred_maintenance_window()),
                backup_days: instance.backup_retention_period().unwrap_or_default(),
            }),
        }
    }

    fn cluster(&self, cluster: &types::DbCluster, classes: &BTreeMap<String, Vec<String>>) -> Machine {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let owned = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        let (id, arn) = (text(cluster.db_cluster_identifier()), text(cluster.db_cluster_arn()));
        let members = cluster.db_cluster_members().iter().filter_map(|member| member.db_instance_identifier());
        Machine {
            kind: Kind::Cluster,
            account: super::account_in(&arn),
            region: self.region.clone(),
            arn,
            tags: tags(cluster.tag_list()),
            status: text(cluster.status()),
            classes: classes.get(&id).cloned().unwrap_or_default(),
            zone: None,
            turn: Turn::NotAsked,
            state_reason: None,
            details: Details::Cluster(Cluster {
                engine: text(cluster.engine()),
                mode: text(cluster.engine_mode()),
                global: owned(cluster.global_cluster_identifier()),
                replica_of: owned(cluster.replication_source_identifier()),
                replicas: cluster.read_replica_identifiers().to_vec(),
                members: members.map(str::to_owned).collect(),
                restart: cluster.automatic_restart_time().and_then(instant),
                backup_window: owned(cluster.preferred_backup_window()),
                maintenance_window: owned(cluster.preferred_maintenance_window()),
                backup_days: cluster.backup_retention_period().unwrap_or_default(),
            }),
            id,
        }
    }
}

impl Event {
    /// What it tells about the last turn of a database; `None` for everything else that happens to one.
    pub fn turn(&self) -> Option<Turn> {
        let message = self.message.to_lowercase();
        if message.contains(BY_ITSELF) {
            return Some(Turn::Itself(self.at));
        }
        // `DB instance started`, `DB cluster stopped`: RDS-EVENT-0088, -0087, -0151, -0150.
        let turned = message.ends_with(" started") || message.ends_with(" stopped");
        turned.then_some(Turn::At(self.at))
    }

    /// The last turn of a database, out of all events in order. A start by itself is followed by the event of a plain start,
    /// which is no other.
    pub fn last_turn(events: &[Self], kind: Kind, id: &str) -> Option<Turn> {
        let mut last: Option<Turn> = None;
        for event in events.iter().filter(|event| event.kind == kind && event.id == id) {
            let Some(turn) = event.turn() else { continue };
            let started = event.message.to_lowercase().ends_with(" started");
            match (last, turn) {
                (Some(Turn::Itself(_)), Turn::At(_)) if started => {}
                _ => last = Some(turn),
            }
        }
        last
    }
}

impl RdsSwitch {
    /// The region that the configuration is for.
    pub fn new(sdk: &SdkConfig) -> Self {
        Self { client: Client::new(sdk) }
    }

    /// Starts one.
    ///
    /// # Errors
    ///
    /// What RDS refused.
    pub async fn start(&self, kind: Kind, id: &str) -> Result<(), Refusal> {
        if kind == Kind::Cluster {
            let call = self.client.start_db_cluster().db_cluster_identifier(id).send();
            return call.await.map(drop).map_err(|error| Refusal::of(&error));
        }
        let call = self.client.start_db_instance().db_instance_identifier(id).send();
        call.await.map(drop).map_err(|error| Refusal::of(&error))
    }

    /// Stops one, an instance after a snapshot of this name where one is wanted.
    ///
    /// # Errors
    ///
    /// What RDS refused.
    pub async fn stop(&self, kind: Kind, id: &str, snapshot: Option<&str>) -> Result<(), Refusal> {
        if kind == Kind::Cluster {
            let call = self.client.stop_db_cluster().db_cluster_identifier(id).send();
            return call.await.map(drop).map_err(|error| Refusal::of(&error));
        }
        let call = self.client.stop_db_instance().db_instance_identifier(id);
        let call = call.set_db_snapshot_identifier(snapshot.map(str::to_owned)).send();
        call.await.map(drop).map_err(|error| Refusal::of(&error))
    }

    /// Removes a snapshot.
    ///
    /// # Errors
    ///
    /// What RDS refused.
    pub async fn remove_snapshot(&self, name: &str) -> Result<(), Refusal> {
        let call = self.client.delete_db_snapshot().db_snapshot_identifier(name).send();
        call.await.map(drop).map_err(|error| Refusal::of(&error))
    }

    /// Gives one a tag.
    ///
    /// # Errors
    ///
    /// What RDS refused.
    pub async fn tag(&self, arn: &str, key: &str, value: &str) -> Result<(), Refusal> {
        let tag = types::Tag::builder().key(key).value(value).build();
        let call = self.client.add_tags_to_resource().resource_name(arn).tags(tag).send();
        call.await.map(drop).map_err(|error| Refusal::of(&error))
    }

    /// Takes a tag off.
    ///
    /// # Errors
    ///
    /// What RDS refused.
    pub async fn untag(&self, arn: &str, key: &str) -> Result<(), Refusal> {
        let call = self.client.remove_tags_from_resource().resource_name(arn).tag_keys(key).send();
        call.await.map(drop).map_err(|error| Refusal::of(&error))
    }
}

fn event(event: &types::Event) -> Option<Event> {
    let kind = match event.source_type()? {
        types::SourceType::DbCluster => Kind::Cluster,
        types::SourceType::DbInstance => Kind::Database,
        _ => return None,
    };
    let (id, message) = (event.source_identifier()?.to_owned(), event.message()?.trim_end_matches('.').to_owned());
    Some(Event { kind, id, at: event.date().and_then(instant)?, message })
}

fn tags(tags: &[types::Tag]) -> BTreeMap<String, String> {
    ec2::tags(tags.iter().map(|tag| (tag.key(), tag.value())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(minute: i8, message: &str) -> Event {
        let at = format!("2026-11-23T18:{minute:02}:00Z").parse().unwrap();
        Event { kind: Kind::Database, id: "app".into(), at, message: message.into() }
    }

    #[test]
    fn schedule_case_60_a_start_by_itself_is_told_from_one_by_hand() {
        let itself =
            event(1, "DB instance is being started due to it exceeding the maximum allowed time being stopped");
        let started = event(5, "DB instance started");
        let stopped = event(9, "DB instance stopped");
        let backup = event(7, "Finished DB Instance backup");
        let last = |events: &[Event]| Event::last_turn(events, Kind::Database, "app");
        assert_eq!(last(&[itself.clone(), started.clone(), backup.clone()]), Some(Turn::Itself(itself.at)));
        assert_eq!(last(&[started.clone(), backup.clone()]), Some(Turn::At(started.at)));
        assert_eq!(last(&[itself.clone(), started.clone(), stopped.clone()]), Some(Turn::At(stopped.at)));
        // Stopped and started again by a person after it had started itself.
        assert_eq!(last(&[itself, stopped, event(12, "DB instance started")]), Some(Turn::At(event(12, "").at)));
        assert_eq!(last(&[backup]), None);
        assert_eq!(Event::last_turn(&[started], Kind::Cluster, "app"), None);
    }
}
