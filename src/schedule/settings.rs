//! What the job works on, as plain data, filled by `cli` from flags, environment and file.

use std::time::Duration;

use crate::{
    rules::{
        calendar::Calendar,
        fleet::{Kind, Machine, Service, Wish},
    },
    system::{secret::Secret, state::State},
};

/// Everything that a `mainstay schedule` run was asked to work on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The project of the configuration.
    pub project: String,
    /// The schedules, in the order of the configuration or the command line.
    pub schedules: Vec<Schedule>,
    /// Every schedule of the configuration: a machine that another one claims too is nobody's.
    pub all: Vec<Schedule>,
    /// Where locks and intents are kept.
    pub state: State,
    /// How long to wait for another run of the same schedule.
    pub lock_wait: Duration,
    /// The command as the operator knows it; other runs are told.
    pub command: String,
    /// Whether a person has said yes to stops that come late.
    pub yes: bool,
    /// How machines are waited for.
    pub patience: Patience,
}

/// How machines are waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Between two looks at the machines of a region.
    pub look: Duration,
    /// What is not where it should be after so long is reported as stuck.
    pub limit: Duration,
    /// For so long a start is tried again that found no free machine.
    pub capacity: Duration,
    /// How often a call is tried that was refused for the moment, and how long that may take.
    #[cfg(feature = "aws")]
    pub pace: crate::system::aws::Pace,
}

/// One `[schedule.NAME]`.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// When its machines run.
    pub calendar: Calendar,
    /// Whether what a person did is undone too.
    pub enforce: bool,
    /// How many stops may come late without a person's word.
    pub max_late: u64,
    /// Started in this order, each waited for; stopped in the reverse order.
    pub order: Vec<Service>,
    /// Which machines.
    pub selectors: Vec<Selector>,
    /// USD an hour by type.
    pub prices: Vec<(String, f64)>,
    /// How it is handed to EventBridge Scheduler.
    pub deploy: Option<Deploy>,
}

/// One `[[schedule.NAME.ec2]]` or `[[schedule.NAME.rds]]`.
#[derive(Clone, Debug)]
pub struct Selector {
    /// Whose machines.
    pub service: Service,
    /// The regions to look in.
    pub regions: Vec<String>,
    /// Those with all these tags.
    pub tags: Vec<(String, String)>,
    /// Those with one of these ids.
    pub ids: Vec<String>,
    /// Clusters with one of these identifiers.
    pub clusters: Vec<String>,
    /// The role of the account to look in; `None` for our own.
    pub role: Option<Role>,
    /// Whether instances hibernate.
    pub hibernate: Wish,
    /// Whether a snapshot is made before a database stops.
    pub snapshot: Wish,
}

/// A role of another account.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// The external id that it asks for.
    pub external_id: Option<Secret>,
}

/// How a schedule is handed to EventBridge Scheduler.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Deploy {
    /// The schedule group.
    pub group: String,
    /// The role that EventBridge Scheduler takes on.
    pub role: String,
    /// The function that is invoked; `None` for calls without one.
    pub function: Option<String>,
    /// Where calls that failed for good are put.
    pub dead_letter_queue: Option<String>,
}

impl Default for Patience {
    /// AWS changes states in minutes; half an hour is when its own documentation speaks of being stuck.
    fn default() -> Self {
        Self {
            look: Duration::from_secs(15),
            limit: Duration::from_secs(30 * 60),
            capacity: Duration::from_secs(4 * 60),
            #[cfg(feature = "aws")]
            pace: crate::system::aws::Pace::default(),
        }
    }
}

impl Schedule {
    /// One without machines.
    pub fn new(name: impl Into<String>, calendar: Calendar) -> Self {
        Self {
            name: name.into(),
            calendar,
            enforce: false,
            max_late: 5,
            order: vec![Service::Rds, Service::Ec2],
            selectors: Vec::new(),
            prices: Vec::new(),
            deploy: None,
        }
    }

    /// The selector that picks a machine of this region and role.
    pub fn picks(&self, machine: &Machine, role: Option<&str>) -> Option<&Selector> {
        self.selectors.iter().find(|selector| selector.is_for(&machine.region, role) && selector.picks(machine))
    }
}

impl Selector {
    /// The ARN of its role.
    pub fn role_arn(&self) -> Option<&str> {
        self.role.as_ref().map(|role| role.arn.as_str())
    }

    /// Whether it looks there.
    pub fn is_for(&self, region: &str, role: Option<&str>) -> bool {
        self.regions.iter().any(|own| own == region) && self.role_arn() == role
    }

    /// Whether a machine is meant.
    pub fn picks(&self, machine: &Machine) -> bool {
        if machine.kind.service() != self.service {
            return false;
        }
        if !self.tags.is_empty() {
            return self.tags.iter().all(|(key, value)| machine.tags.get(key) == Some(value));
        }
        let names = if machine.kind == Kind::Cluster { &self.clusters } else { &self.ids };
        // RDS keeps identifiers in lower case, whatever was typed.
        names.iter().any(|name| match self.service {
            Service::Ec2 => *name == machine.id,
            Service::Rds => name.eq_ignore_ascii_case(&machine.id),
        })
    }
}
