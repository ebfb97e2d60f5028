//! The machines of schedules: what Amazon tells of them, and what is to be done with each at an instant.
//!
//! A machine is an EC2 instance, an RDS instance or an Aurora cluster. What it does (`Condition`), what keeps our hands off
//! it (`Obstacle`) and what a person did to it since the last boundary (`Turn`) are judged here, from plain data and an
//! instant; nothing here asks anybody.

mod condition;
mod failure;
mod moment;
mod obstacle;
mod override_tag;
mod savings;
mod snapshot;
mod verdict;

#[cfg(test)]
mod cases;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use condition::Condition;
pub use failure::{Failure, decode, ids_in};
pub use moment::{User, initiated, window_inside};
pub use obstacle::{Obstacle, PROTECT};
pub use override_tag::{LONGEST, OVERRIDE, Override, Tagged};
pub use savings::{Bill, Priced, bill};
pub use snapshot::{snapshot_name, superseded};
pub use verdict::{Act, Because, Judgement, Reason, Verdict, Wanted, local};

/// What a machine is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// An Aurora cluster with all its members.
    Cluster,
    /// An RDS instance.
    Database,
    /// An EC2 instance.
    Instance,
}

/// Who runs it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Service {
    /// EC2 instances.
    Ec2,
    /// RDS instances and Aurora clusters.
    Rds,
}

/// How much something beside a stop is wanted: to hibernate, or a snapshot.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Wish {
    /// Not at all.
    #[default]
    Never,
    /// `prefer`, `best-effort`: where it can be had.
    Prefer,
    /// Rather no stop than one without it.
    Require,
}

/// A machine as it was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// `i-0123456789abcdef0`, or the identifier of a database.
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// The number of the account that owns it; empty where nobody said it.
    pub account: String,
    /// Its region.
    pub region: String,
    /// Its Amazon Resource Name.
    pub arn: String,
    /// All its tags.
    pub tags: BTreeMap<String, String>,
    /// What it does, in Amazon's own word: `running`, `backing-up`.
    pub status: String,
    /// `t3.large`, `db.r6g.large`; of a cluster those of its members.
    pub classes: Vec<String>,
    /// Its availability zone.
    pub zone: Option<String>,
    /// When it was last started or stopped, as far as that is known.
    pub turn: Turn,
    /// Why it is in its state, where Amazon says so: a code and a sentence.
    pub state_reason: Option<(String, String)>,
    /// What only one of the services tells.
    pub details: Details,
}

/// The last time that a machine was started or stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Turn {
    /// Then, by a person, a program, or mainstay itself: nobody says who.
    At(Timestamp),
    /// By itself: RDS starts what has been stopped for seven days.
    Itself(Timestamp),
    /// Nobody has been asked yet.
    NotAsked,
    /// Amazon was asked and did not tell.
    Unknown,
    /// Not in the time that was asked about.
    Earlier,
}

/// What only one of the services tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Details {
    /// Of an EC2 instance.
    Instance(Instance),
    /// Of an RDS instance.
    Database(Database),
    /// Of a cluster.
    Cluster(Cluster),
}

/// What EC2 tells of an instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Instance {
    /// Whether it is a spot instance, and if so whether its request is persistent.
    pub spot: Option<Spot>,
    /// Whether its root volume is an instance store.
    pub instance_store: bool,
    /// Whether it can hibernate.
    pub hibernation: bool,
    /// When it was launched.
    pub launched: Option<Timestamp>,
    /// Whether it has an address that a stop takes away.
    pub public_address: bool,
}

/// The request of a spot instance.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Spot {
    /// Can only be terminated.
    OneTime,
    /// Can be stopped.
    Persistent,
}

/// What RDS tells of an instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Database {
    /// `postgres`, `sqlserver-se`, `aurora-mysql`.
    pub engine: String,
    /// Whether a second computer stands by.
    pub multi_az: bool,
    /// The cluster that it is a member of.
    pub cluster: Option<String>,
    /// What it is a replica of.
    pub replica_of: Option<String>,
    /// Its own replicas.
    pub replicas: Vec<String>,
    /// When RDS will start it by itself.
    pub restart: Option<Timestamp>,
    /// `05:00-05:30`, UTC.
    pub backup_window: Option<String>,
    /// `sun:06:00-sun:06:30`, UTC.
    pub maintenance_window: Option<String>,
    /// Its backups are kept for so many days; none are made at 0.
    pub backup_days: i32,
}

/// What RDS tells of a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cluster {
    /// `aurora-postgresql`, `mysql`.
    pub engine: String,
    /// `provisioned`, `serverless`, `parallelquery`.
    pub mode: String,
    /// The global database that it is part of.
    pub global: Option<String>,
    /// What it is a replica of.
    pub replica_of: Option<String>,
    /// Its own replicas.
    pub replicas: Vec<String>,
    /// Its members.
    pub members: Vec<String>,
    /// When RDS will start it by itself.
    pub restart: Option<Timestamp>,
    /// `05:00-05:30`, UTC.
    pub backup_window: Option<String>,
    /// `sun:06:00-sun:06:30`, UTC.
    pub maintenance_window: Option<String>,
    /// Its backups are kept for so many days.
    pub backup_days: i32,
}

impl Kind {
    /// The word of every output format.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cluster => "rds-cluster",
            Self::Database => "rds",
            Self::Instance => "ec2",
        }
    }

    /// Who runs it.
    pub fn service(self) -> Service {
        match self {
            Self::Instance => Service::Ec2,
            Self::Cluster | Self::Database => Service::Rds,
        }
    }
}

impl Service {
    /// As it is written in `order`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::Rds => "rds",
        }
    }
}

impl Machine {
    /// What it does.
    pub fn condition(&self) -> Condition {
        Condition::of(self.kind, &self.status)
    }

    /// What a person calls it: its `Name`, where it has one that says more than its id.
    pub fn name(&self) -> Option<&str> {
        self.tags.get("Name").map(String::as_str).filter(|name| !name.is_empty() && *name != self.id)
    }

    /// How it is named in messages.
    pub fn title(&self) -> String {
        match self.name() {
            Some(name) => format!("{} ({name})", self.id),
            None => self.id.clone(),
        }
    }

    /// When RDS starts it by itself, where it has said so.
    pub fn restart(&self) -> Option<Timestamp> {
        match &self.details {
            Details::Database(database) => database.restart,
            Details::Cluster(cluster) => cluster.restart,
            Details::Instance(_) => None,
        }
    }

    /// What no other machine has: account, region, kind and id.
    pub fn key(&self) -> (String, String, Kind, String) {
        (self.account.clone(), self.region.clone(), self.kind, self.id.clone())
    }
}
