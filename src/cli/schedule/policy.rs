//! `mainstay schedule policy`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde_json::{Map, Value, json};

use crate::{
    report::Report,
    rules::{
        fleet::{Service, Wish},
        schedule_policy::{Fleet, Handed, Machines, account_trust, function_trust},
    },
    schedule::{Selector, Settings, Trouble, volume_keys},
    system::{
        Context,
        aws::{self, Pace, Wanted, account, sts},
    },
};

/// Adds the policies of every role to the report. Works without credentials too: then the account's number is a star where
/// nothing in the configuration tells it.
pub(super) async fn print(settings: &Settings, upkeep: bool, report: &mut Report, context: &Context) {
    let selectors = || settings.schedules.iter().flat_map(|schedule| &schedule.selectors);
    let mut by_role: BTreeMap<Option<&str>, Vec<&Selector>> = BTreeMap::new();
    by_role.entry(None).or_default();
    for selector in selectors() {
        by_role.entry(selector.role_arn()).or_default().push(selector);
    }
    let own = own_account(settings, context).await;
    let keys = volume_keys(settings, context).await;
    let roles: Vec<String> = by_role.keys().flatten().map(|arn| (*arn).to_owned()).collect();
    let mut page = Page::default();
    for (role, selectors) in &by_role {
        let number = role.map_or_else(|| own.clone(), aws::account_in);
        let fleet = Fleet { upkeep, ..fleet(number, selectors, &keys) };
        match role {
            None if fleet.machines.is_empty() && roles.is_empty() => {}
            None => page.add("host", "whoever runs `schedule apply` on a host", fleet.host(&roles)),
            Some(arn) => {
                page.add(&format!("account {}", aws::account_in(arn)), &format!("the role {arn}"), fleet.host(&[]));
                let partition = arn.split(':').nth(1).unwrap_or("aws");
                let host = match own.as_str() {
                    "*" => "THE-HOST'S-ROLE-ARN".to_owned(),
                    own => format!("arn:{partition}:iam::{own}:root"),
                };
                let external = selectors
                    .iter()
                    .any(|selector| selector.role.as_ref().is_some_and(|role| role.external_id.is_some()));
                let what = format!("who may take on {arn}; narrow it to the host's own role");
                page.add(&format!("account {} trust", aws::account_in(arn)), &what, account_trust(&host, external));
            }
        }
        if let Some(volumes) = fleet.volumes() {
            let name = role.map_or("volumes".to_owned(), |arn| format!("account {} volumes", aws::account_in(arn)));
            let why = match keys.get(&role.map(str::to_owned)) {
                Some(Err(Trouble { why, .. })) => why,
                Some(Ok(_)) | None => "nobody told",
            };
            let what = format!(
                "for whoever starts instances, only where a key of your own encrypts volumes; name the keys in the place of the \
                 stars, for the volumes could not be looked at: {why}"
            );
            page.add(&name, &what, volumes);
        }
    }
    deployed(settings, &own, &keys, &mut page);
    report.text = Some(page.text.trim_end().to_owned());
    report.result = Some(json!({ "account": own, "policies": page.policies }));
}

/// The roles around EventBridge Scheduler.
fn deployed(settings: &Settings, own: &str, keys: &Keys, page: &mut Page) {
    let mut known: Vec<Handed> = Vec::new();
    for schedule in &settings.schedules {
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
        let same = settings.schedules.iter().filter(|other| other.deploy.as_ref() == Some(deploy));
        let all: Vec<&Selector> = same.flat_map(|schedule| &schedule.selectors).collect();
        let mut roles: Vec<String> = all.iter().filter_map(|selector| selector.role_arn()).map(str::to_owned).collect();
        roles.sort_unstable();
        roles.dedup();
        // What other accounts have is allowed by their own roles.
        let selectors: Vec<&Selector> = all.iter().copied().filter(|selector| selector.role.is_none()).collect();
        let number = aws::account_in(&deploy.role);
        let number = if number.is_empty() { own.to_owned() } else { number };
        let fleet = Fleet { partition: partition(&all).to_owned(), ..fleet(number, &selectors, keys) };
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

/// The policies so far, for people and programs.
#[derive(Default)]
struct Page {
    text: String,
    policies: Map<String, Value>,
}

impl Page {
    fn add(&mut self, name: &str, what: &str, policy: Value) {
        let pretty = serde_json::to_string_pretty(&policy).expect("plain data always serialises");
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{name}: {what}\n{pretty}\n");
        self.policies.insert(name.to_owned(), policy);
    }
}

/// The keys of volumes by role, or why they are not known.
type Keys = BTreeMap<Option<String>, Result<BTreeSet<String>, Trouble>>;

fn fleet(account: String, selectors: &[&Selector], keys: &Keys) -> Fleet {
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
    let mut known = Some(BTreeSet::new());
    for role in selectors.iter().filter(|selector| selector.service == Service::Ec2).map(|selector| selector.role_arn())
    {
        match (keys.get(&role.map(str::to_owned)), &mut known) {
            (Some(Ok(keys)), Some(known)) => known.extend(keys.iter().cloned()),
            _ => known = None,
        }
    }
    let keys = known.map(|keys| keys.into_iter().collect());
    Fleet { partition: partition(selectors).to_owned(), account, machines, keys, upkeep: false }
}

fn partition(selectors: &[&Selector]) -> &'static str {
    selectors.iter().flat_map(|selector| &selector.regions).next().map_or("aws", |region| aws::partition(region))
}

/// The number of our own account: out of the configuration, or asked; `*` where nobody says it.
async fn own_account(settings: &Settings, context: &Context) -> String {
    let told = settings.schedules.iter().filter_map(|schedule| schedule.deploy.as_ref()).map(|deploy| &deploy.role);
    let told = told.map(|role| aws::account_in(role)).find(|number| !number.is_empty());
    if let Some(number) = told {
        return number;
    }
    let pace = Pace { attempts: 1, ..Pace::default() };
    let account = account(context, Wanted { service: "STS", ..Wanted::default() }, &pace).await;
    let region = settings
        .schedules
        .iter()
        .flat_map(|schedule| &schedule.selectors)
        .flat_map(|selector| &selector.regions)
        .next();
    let region = account.region.clone().or_else(|| region.cloned()).unwrap_or_else(|| "us-east-1".to_owned());
    sts::account_number(&account.at(&region, &pace)).await.unwrap_or_else(|refusal| {
        tracing::debug!(?refusal, "the account's number is not known");
        "*".to_owned()
    })
}
