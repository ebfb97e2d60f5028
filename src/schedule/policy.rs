//! The policies of every role around schedules, as far as the configuration tells them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Schedule, Selector};
use crate::rules::{
    arn::{self, account_in},
    fleet::{Service, Wish},
    schedule_policy::{Fleet, Handed, Machines, account_trust, function_trust},
};

/// A policy, or who may take on a role.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// What it is called in reports: `host`, `scheduler trust`.
    pub name: String,
    /// Whom it is for.
    pub what: String,
    /// As Amazon takes it.
    pub document: Value,
}

/// The number of our own account, where a role of the configuration tells it.
pub fn told_account(schedules: &[Schedule]) -> Option<String> {
    let roles = schedules.iter().filter_map(|schedule| schedule.deploy.as_ref()).map(|deploy| &deploy.role);
    roles.map(|role| account_in(role)).find(|number| !number.is_empty())
}

/// Every policy that these schedules need; `own` is the number of our own account, a star where nobody knows it.
pub fn policies(schedules: &[Schedule], own: &str) -> Vec<Policy> {
    let mut by_role: BTreeMap<Option<&str>, Vec<&Selector>> = BTreeMap::new();
    by_role.entry(None).or_default();
    for selector in schedules.iter().flat_map(|schedule| &schedule.selectors) {
        by_role.entry(selector.role_arn()).or_default().push(selector);
    }
    let roles: Vec<String> = by_role.keys().flatten().map(|arn| (*arn).to_owned()).collect();
    let mut page = Page::default();
    for (role, selectors) in &by_role {
        let number = role.map_or_else(|| own.to_owned(), account_in);
        let fleet = fleet(number, selectors);
        match role {
            None if fleet.machines.is_empty() && roles.is_empty() => {}
            None => page.add("host", "whoever runs `schedule apply` on a host", fleet.host(&roles)),
            Some(arn) => {
                page.add(&format!("account {}", account_in(arn)), &format!("the role {arn}"), fleet.host(&[]));
                let host =
                    if own == "*" { "THE-HOST'S-ROLE-ARN".to_owned() } else { format!("arn:aws:iam::{own}:root") };
                let external = selectors
                    .iter()
                    .any(|selector| selector.role.as_ref().is_some_and(|role| role.external_id.is_some()));
                let what = format!("who may take on {arn}; narrow it to the host's own role");
                page.add(&format!("account {} trust", account_in(arn)), &what, account_trust(&host, external));
            }
        }
        if let Some(volumes) = fleet.volumes() {
            let name = role.map_or("volumes".to_owned(), |arn| format!("account {} volumes", account_in(arn)));
            page.add(&name, "only where a key of your own encrypts volumes, for the same role; name the keys", volumes);
        }
    }
    deployed(schedules, own, &roles, &mut page);
    page.policies
}

/// The roles around EventBridge Scheduler.
fn deployed(schedules: &[Schedule], own: &str, roles: &[String], page: &mut Page) {
    let mut known: Vec<Handed> = Vec::new();
    for schedule in schedules {
        let Some(deploy) = &schedule.deploy else { continue };
        let mut regions: Vec<&str> =
            schedule.selectors.iter().flat_map(|selector| &selector.regions).map(String::as_str).collect();
        regions.sort_unstable();
        regions.dedup();
        let region = match (&deploy.function, regions.as_slice()) {
            (Some(function), _) => function.split(':').nth(3).unwrap_or("*"),
            (None, [only]) => only,
            (None, _) => "*",
        };
        let handed = Handed {
            region: region.to_owned(),
            group: deploy.group.clone(),
            role: deploy.role.clone(),
            function: deploy.function.clone(),
            queue: deploy.dead_letter_queue.clone(),
        };
        if known.contains(&handed) {
            continue;
        }
        let same = schedules.iter().filter(|other| other.deploy.as_ref() == Some(deploy));
        let selectors: Vec<&Selector> = same.flat_map(|schedule| &schedule.selectors).collect();
        let number = account_in(&deploy.role);
        let number = if number.is_empty() { own.to_owned() } else { number };
        let fleet = fleet(number, &selectors);
        let suffix = if known.is_empty() { String::new() } else { format!(" {}", known.len() + 1) };
        let role = &deploy.role;
        page.add(
            &format!("scheduler{suffix}"),
            &format!("{role}, which EventBridge Scheduler takes on"),
            fleet.scheduler(&handed),
        );
        page.add(
            &format!("scheduler trust{suffix}"),
            &format!("who may take on {role}"),
            fleet.scheduler_trust(&handed),
        );
        page.add(&format!("deployer{suffix}"), "whoever runs `schedule deploy`", fleet.deployer(&handed));
        if let Some(function) = &deploy.function {
            let text = fleet.function(roles, function, &handed.region);
            page.add(&format!("function{suffix}"), &format!("the own role of {function}"), text);
            page.add(&format!("function trust{suffix}"), "who may take on the function's role", function_trust());
        }
        known.push(handed);
    }
}

/// The policies so far.
#[derive(Default)]
struct Page {
    policies: Vec<Policy>,
}

impl Page {
    fn add(&mut self, name: &str, what: &str, document: Value) {
        self.policies.push(Policy { name: name.to_owned(), what: what.to_owned(), document });
    }
}

fn fleet(account: String, selectors: &[&Selector]) -> Fleet {
    let partition =
        selectors.iter().flat_map(|selector| &selector.regions).next().map_or("aws", |region| arn::partition(region));
    let mut machines: Vec<Machines> = Vec::new();
    for selector in selectors {
        let wanted = Machines {
            rds: selector.service == Service::Rds,
            regions: selector.regions.clone(),
            tags: selector.tags.clone(),
            ids: selector.ids.clone(),
            clusters: selector.clusters.clone(),
            snapshots: selector.snapshot != Wish::Never,
        };
        if !machines.contains(&wanted) {
            machines.push(wanted);
        }
    }
    Fleet { partition: partition.to_owned(), account, machines }
}
