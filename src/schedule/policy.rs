//! The policies of every role around schedules, as far as the configuration tells them.

use std::collections::{BTreeMap, BTreeSet};

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

/// What the configuration does not tell.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The number of our own account, a star where nobody knows it.
    pub account: String,
    /// The keys of volumes by the role that leads to their account, or why they are not known; empty where nobody looked.
    pub keys: BTreeMap<Option<String>, Result<BTreeSet<String>, String>>,
    /// Whether `check` looks at the upkeep of databases.
    pub upkeep: bool,
}

/// The number of our own account, where a role of the configuration tells it.
pub fn told_account(schedules: &[Schedule]) -> Option<String> {
    let roles = schedules.iter().filter_map(|schedule| schedule.deploy.as_ref()).map(|deploy| &deploy.role);
    roles.map(|role| account_in(role)).find(|number| !number.is_empty())
}

/// Every policy that these schedules need.
pub fn policies(schedules: &[Schedule], facts: &Facts) -> Vec<Policy> {
    let mut by_role: BTreeMap<Option<&str>, Vec<&Selector>> = BTreeMap::new();
    by_role.entry(None).or_default();
    for selector in schedules.iter().flat_map(|schedule| &schedule.selectors) {
        by_role.entry(selector.role_arn()).or_default().push(selector);
    }
    let roles: Vec<String> = by_role.keys().flatten().map(|arn| (*arn).to_owned()).collect();
    let mut page = Page::default();
    for (role, selectors) in &by_role {
        let number = role.map_or_else(|| facts.account.clone(), account_in);
        let fleet = Fleet { upkeep: facts.upkeep, ..fleet(number, selectors, facts) };
        match role {
            None if fleet.machines.is_empty() && roles.is_empty() => {}
            None => page.add("host", "whoever runs `schedule apply` on a host", fleet.host(&roles)),
            Some(arn) => {
                page.add(&format!("account {}", account_in(arn)), &format!("the role {arn}"), fleet.host(&[]));
                let partition = arn.split(':').nth(1).unwrap_or("aws");
                let host = match facts.account.as_str() {
                    "*" => "THE-HOST'S-ROLE-ARN".to_owned(),
                    own => format!("arn:{partition}:iam::{own}:root"),
                };
                let external = selectors
                    .iter()
                    .any(|selector| selector.role.as_ref().is_some_and(|role| role.external_id.is_some()));
                let what = format!("who may take on {arn}; narrow it to the host's own role");
                page.add(&format!("account {} trust", account_in(arn)), &what, account_trust(&host, external));
            }
        }
        if let Some(volumes) = fleet.volumes() {
            let name = role.map_or("volumes".to_owned(), |arn| format!("account {} volumes", account_in(arn)));
            let what = "for whoever starts instances, only where a key of your own encrypts volumes; name the keys in the place \
                        of the stars";
            let what = match facts.keys.get(&role.map(str::to_owned)) {
                Some(Err(why)) => format!("{what}, for the volumes could not be looked at: {why}"),
                Some(Ok(_)) | None => what.to_owned(),
            };
            page.add(&name, &what, volumes);
        }
    }
    deployed(schedules, facts, &mut page);
    page.policies
}

/// The roles around EventBridge Scheduler.
fn deployed(schedules: &[Schedule], facts: &Facts, page: &mut Page) {
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
        let all: Vec<&Selector> = same.flat_map(|schedule| &schedule.selectors).collect();
        let mut roles: Vec<String> = all.iter().filter_map(|selector| selector.role_arn()).map(str::to_owned).collect();
        roles.sort_unstable();
        roles.dedup();
        // What other accounts have is allowed by their own roles.
        let selectors: Vec<&Selector> = all.iter().copied().filter(|selector| selector.role.is_none()).collect();
        let number = account_in(&deploy.role);
        let number = if number.is_empty() { facts.account.clone() } else { number };
        let fleet = Fleet { partition: partition(&all).to_owned(), ..fleet(number, &selectors, facts) };
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
        page.add(
            &format!("deployer{suffix}"),
            "whoever runs `schedule deploy`, or sets overrides or checks what is deployed",
            fleet.deployer(&handed),
        );
        if let Some(function) = &deploy.function {
            let text = fleet.function(&roles, function, &handed.region);
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

fn fleet(account: String, selectors: &[&Selector], facts: &Facts) -> Fleet {
    let mut machines: Vec<Machines> = Vec::new();
    for selector in selectors {
        let wanted = Machines {
            rds: selector.service == Service::Rds,
            regions: selector.regions.clone(),
            tags: selector.tags.clone(),
            ids: selector.ids.clone(),
            clusters: selector.clusters.clone(),
            // Clusters never get one.
            snapshots: selector.snapshot != Wish::Never && !(selector.tags.is_empty() && selector.ids.is_empty()),
        };
        if !machines.contains(&wanted) {
            machines.push(wanted);
        }
    }
    let mut known = Some(BTreeSet::new());
    for role in selectors.iter().filter(|selector| selector.service == Service::Ec2).map(|selector| selector.role_arn())
    {
        match (facts.keys.get(&role.map(str::to_owned)), &mut known) {
            (Some(Ok(keys)), Some(known)) => known.extend(keys.iter().cloned()),
            _ => known = None,
        }
    }
    let keys = known.map(|keys| keys.into_iter().collect());
    Fleet { partition: partition(selectors).to_owned(), account, machines, keys, upkeep: false }
}

fn partition(selectors: &[&Selector]) -> &'static str {
    selectors.iter().flat_map(|selector| &selector.regions).next().map_or("aws", |region| arn::partition(region))
}
