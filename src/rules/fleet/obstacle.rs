//! What keeps our hands off a machine, known before anything is tried.

use std::fmt;

use super::{Cluster, Database, Details, Instance, Machine, Spot};

/// The tag that keeps a machine from ever being started or stopped by mainstay.
pub const PROTECT: &str = "mainstay:protect";

/// Why a machine is never started or stopped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Obstacle {
    /// Another service of Amazon starts and terminates it: what it is, and of which.
    Managed(&'static str, String),
    /// Its engine is another product that only shares RDS's calls.
    Engine(String),
    /// It is a member of this cluster.
    Member(String),
    /// It has, or is, a replica.
    Replica(String),
    /// A spot instance that cannot be stopped, or that only EC2 starts again.
    Spot(&'static str),
    /// It has our tag of protection.
    Tagged,
    /// Amazon refuses to stop its kind.
    Unsupported(String),
}

impl Obstacle {
    /// The reason word of every output format.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Managed(word, _) => word,
            Self::Engine(_) => "engine",
            Self::Member(_) => "member",
            Self::Replica(_) => "replica",
            Self::Spot(_) => "spot",
            Self::Tagged => "protected",
            Self::Unsupported(_) => "unsupported",
        }
    }

    /// What keeps our hands off, if anything does.
    pub fn of(machine: &Machine) -> Option<Self> {
        if machine.tags.contains_key(PROTECT) {
            return Some(Self::Tagged);
        }
        match &machine.details {
            Details::Instance(instance) => managed(machine).or_else(|| of_instance(machine, instance)),
            Details::Database(database) => of_database(database),
            Details::Cluster(cluster) => of_cluster(cluster),
        }
    }
}

/// Who else is in charge of an instance, by the tags that these services put on it. A stopped member of a group is taken
/// for a dead one: it is terminated and replaced.
fn managed(machine: &Machine) -> Option<Obstacle> {
    const OWNERS: &[(&str, &str, &str)] = &[
        ("aws:autoscaling:groupName", "asg", "the Auto Scaling group"),
        ("eks:cluster-name", "eks", "the EKS cluster"),
        ("aws:eks:cluster-name", "eks", "the EKS cluster"),
        ("aws:elasticmapreduce:job-flow-id", "emr", "the EMR cluster"),
        ("elasticbeanstalk:environment-name", "beanstalk", "the Elastic Beanstalk environment"),
        ("aws:ec2:fleet-id", "fleet", "the EC2 Fleet"),
        ("aws:ec2spot:fleet-request-id", "fleet", "the Spot Fleet"),
    ];
    OWNERS.iter().find_map(|(tag, word, what)| {
        let owner = machine.tags.get(*tag)?;
        Some(Obstacle::Managed(word, format!("{what} `{owner}`")))
    })
}

fn of_instance(machine: &Machine, instance: &Instance) -> Option<Obstacle> {
    // Amazon took it back: only Amazon starts it again (EC2 User Guide, "Stop a Spot Instance").
    let taken = machine.state_reason.as_ref().is_some_and(|(code, _)| code.starts_with("Server.SpotInstance"));
    match instance.spot {
        Some(Spot::OneTime) => return Some(Obstacle::Spot("its spot request is one-time: it can only be terminated")),
        Some(Spot::Persistent) if taken => return Some(Obstacle::Spot("Amazon interrupted it and starts it itself")),
        _ => {}
    }
    instance.instance_store.then(|| Obstacle::Unsupported("its root volume is an instance store".to_owned()))
}

/// RDS User Guide, "Stopping an Amazon RDS DB instance temporarily", limitations.
fn of_database(database: &Database) -> Option<Obstacle> {
    let Database { engine, multi_az, cluster, replica_of, replicas, .. } = database;
    if let Some(foreign) = foreign(engine) {
        return Some(foreign);
    }
    if let Some(cluster) = cluster {
        return Some(Obstacle::Member(cluster.clone()));
    }
    if let Some(source) = replica_of {
        return Some(Obstacle::Replica(format!("it is a replica of `{source}`")));
    }
    if !replicas.is_empty() {
        return Some(Obstacle::Replica(format!("it has the replica `{}`", replicas.join("`, `"))));
    }
    if engine.starts_with("sqlserver") && *multi_az {
        return Some(Obstacle::Unsupported("SQL Server with Multi-AZ cannot be stopped".to_owned()));
    }
    engine.starts_with("custom-").then(|| Obstacle::Unsupported("RDS Custom is not tried yet".to_owned()))
}

/// Aurora User Guide, "Stopping and starting an Amazon Aurora DB cluster", limitations.
fn of_cluster(cluster: &Cluster) -> Option<Obstacle> {
    let Cluster { engine, mode, global, replica_of, replicas, .. } = cluster;
    let unsupported = |text: &str| Some(Obstacle::Unsupported(text.to_owned()));
    if let Some(foreign) = foreign(engine) {
        return Some(foreign);
    }
    if let Some(global) = global {
        return Some(Obstacle::Unsupported(format!("it is part of the global database `{global}`")));
    }
    if mode == "serverless" {
        return unsupported("Aurora Serverless v1 pauses by itself and cannot be stopped");
    }
    if mode == "parallelquery" {
        return unsupported("clusters of the old parallel query cannot be stopped");
    }
    if !engine.starts_with("aurora") {
        return unsupported("it is a Multi-AZ cluster and no Aurora: Amazon stops only Aurora");
    }
    if let Some(source) = replica_of {
        return Some(Obstacle::Replica(format!("it is a replica of `{source}`")));
    }
    let others = replicas.join("`, `");
    (!replicas.is_empty()).then(|| Obstacle::Replica(format!("it has the replica `{others}`")))
}

/// Other products answer RDS's calls too, with their own engines.
fn foreign(engine: &str) -> Option<Obstacle> {
    match engine {
        "docdb" => Some(Obstacle::Engine("DocumentDB".to_owned())),
        "neptune" => Some(Obstacle::Engine("Neptune".to_owned())),
        _ => None,
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Managed(_, owner) => write!(f, "{owner} is in charge of it"),
            Self::Engine(product) => write!(f, "it is {product}, which no schedule is for"),
            Self::Member(cluster) => {
                write!(f, "it is a member of the cluster `{cluster}`, which is stopped as a whole")
            }
            Self::Spot(why) => f.write_str(why),
            Self::Tagged => write!(f, "it has the tag `{PROTECT}`"),
            Self::Replica(what) => write!(f, "{what}, and RDS stops neither side"),
            Self::Unsupported(why) => f.write_str(why),
        }
    }
}
