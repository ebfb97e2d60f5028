//! `mainstay schedule deploy`: hands schedules to EventBridge Scheduler, and says what it cannot have.

use std::collections::BTreeMap;

use aws_types::SdkConfig;
use serde::Serialize;

use super::{Deploy, ID, Inventory, Schedule, Settings, inventory, plan::Entry, trouble::Trouble};
use crate::{
    error::{Error, Kind, Result},
    report::{Finding, Outcome, Plan, Report, Risk, State, Status, Step},
    rules::{
        calendar,
        eventbridge::{Compiled, Firing, compile},
        fleet::{self, Judgement, Machine, Obstacle, Reason},
    },
    system::{
        Context,
        aws::{
            Account, Pace, Refusal, Wanted as Reached, account,
            scheduler::{Found, Scheduler, SchedulerSwitch, Wanted},
        },
    },
};

/// What `deploy` was asked besides.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request {
    /// Print the difference and stop.
    pub dry_run: bool,
    /// Boundaries that the clocks skip are put up with.
    pub accept_dst: bool,
    /// Whether all schedules of the configuration are meant: then those of removed ones are removed too.
    pub all: bool,
}

/// What is done to a schedule of EventBridge.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Create,
    Delete,
    Group,
    Update,
}

/// One change, with what it needs.
enum Change {
    Create(Wanted),
    Delete(String),
    Group,
    Update(Box<(Wanted, Found)>),
}

/// The schedules of one group in one region.
struct Target {
    region: String,
    group: String,
    wanted: Vec<Wanted>,
    /// Schedules of the configuration whose machines could not all be looked at here, as words of a name: nothing of theirs is
    /// known to be gone.
    dark: Vec<String>,
}

/// Brings the schedules of EventBridge where the configuration wants them.
///
/// # Errors
///
/// A schedule has no `deploy` section, or EventBridge cannot have it; then nothing was touched.
pub async fn deploy(settings: &Settings, request: Request, report: &mut Report, context: &Context) -> Result<()> {
    let now = context.clock.now();
    let mut compiled = Vec::new();
    for schedule in &settings.schedules {
        let Some(deploy) = &schedule.deploy else {
            if request.all {
                continue;
            }
            return Err(Error::new(Kind::Config, format!("deploy the schedule `{}`", schedule.name))
                .because(format!("it has no [schedule.{}.deploy] section", schedule.name))
                .hint("add one with `role` and, unless `via = \"direct\"`, `function`"));
        };
        let found = compile(&schedule.calendar, now);
        if !found.gaps.is_empty() && !request.accept_dst {
            return Err(Error::new(Kind::Config, format!("deploy the schedule `{}`", schedule.name))
                .because(format!("EventBridge skips a time that the clocks skip: {}", found.gaps.join(", ")))
                .hint("move the boundary out of that hour")
                .hint("or pass --accept-dst: nothing is done at that boundary"));
        }
        compiled.push((schedule, deploy, found));
    }
    if compiled.is_empty() {
        return Err(Error::new(Kind::Config, "deploy any schedule")
            .because("no schedule has a `deploy` section")
            .hint("add [schedule.NAME.deploy] with `role` and, unless `via = \"direct\"`, `function`"));
    }
    let mut notes = Vec::new();
    for (schedule, deploy, found) in &compiled {
        let (finding, lost) = losses(schedule, deploy, found);
        report.findings.push(finding);
        notes.extend(lost.into_iter().map(|lost| format!("{}: {lost}", schedule.name)));
    }
    let mut seen = match compiled.iter().any(|(_, deploy, _)| deploy.function.is_none()) {
        true => inventory(settings, now, context).await,
        false => Inventory::default(),
    };
    let mut targets = targets(settings, &compiled, &seen.entries)?;
    if !request.dry_run {
        seen.fail_unseen();
    }
    let is_told = |finding: &&Finding| finding.data.contains_key("region") || is_claim(finding);
    report.findings.extend(seen.findings.iter().filter(is_told).cloned());
    for target in &mut targets {
        let direct = compiled.iter().filter(|(_, deploy, _)| deploy.function.is_none()).map(|(schedule, ..)| schedule);
        let is_dark = |schedule: &Schedule| {
            seen.blind.iter().any(|blind| blind.region == target.region && blind.concerns(schedule))
        };
        let dark: Vec<&str> =
            direct.filter(|schedule| is_dark(schedule)).map(|schedule| schedule.name.as_str()).collect();
        notes.extend(dark.iter().map(|name| {
            format!("nothing of `{name}` is deleted in {}: not all of its machines could be looked at", target.region)
        }));
        target.dark = dark.into_iter().map(plain).collect();
    }
    // What gets lost belongs to the plan: whoever only looks at that has to see it.
    report.add_plan(&Plan::<Action> { notes, ..Plan::new("hand the schedules to EventBridge Scheduler") });
    let pace = Pace::default();
    let own = account(context, Reached { service: "SCHEDULER", ..Reached::default() }, &pace).await;
    bring(settings, &targets, request, &own, &pace, report).await;
    Ok(())
}

/// How the keys of an override's own schedules begin; a deploy leaves them alone.
pub(super) const OVERRIDE: &str = "override-";

/// What `deploy` would change for these schedules, a line each.
///
/// # Errors
///
/// EventBridge does not tell, or cannot have the schedules.
pub async fn undeployed(settings: &Settings, context: &Context) -> Result<Vec<String>> {
    let mut report = Report::new("schedule deploy", "", context.clock.now());
    let request = Request { dry_run: true, accept_dst: true, all: false };
    deploy(settings, request, &mut report, context).await?;
    // What two schedules claim can be looked at all the same, and is told of its own.
    let mut others = report.findings.iter().filter(|finding| !is_claim(finding));
    if let Some(finding) = others.find(|finding| finding.status >= Status::Unknown) {
        let error = Error::new(Kind::Failed, "look at what is deployed").because(&finding.summary);
        let error = finding.cause.iter().fold(error, |error, cause| error.because(cause));
        return Err(finding.fix.iter().fold(error, |error, fix| error.hint(fix.clone())));
    }
    let steps = report.plan.as_ref().and_then(|plan| plan["steps"].as_array()).into_iter().flatten();
    let word = |step: &serde_json::Value, key: &str| step[key].as_str().unwrap_or_default().to_owned();
    Ok(steps.map(|step| format!("{} {}", word(step, "action"), word(step, "target"))).collect())
}

fn is_claim(finding: &Finding) -> bool {
    finding.data.get("reason").is_some_and(|reason| reason == "claimed")
}

/// Looks, plans and applies, group by group; what fails in one region stops no other.
async fn bring(
    settings: &Settings,
    targets: &[Target],
    request: Request,
    own: &Account,
    pace: &Pace,
    report: &mut Report,
) {
    for target in targets {
        let sdk = own.at(&target.region, pace);
        let changes = match look(settings, target, request, &sdk).await {
            Ok(changes) => changes,
            Err(refusal) => {
                let Trouble { reason, why, fix } = Trouble::of(&refusal);
                let summary = format!("could not look at the group `{}` in {}", target.group, target.region);
                report
                    .findings
                    .push(Finding::fail(ID, &target.group, summary).cause(why).fix(fix).data("reason", reason));
                continue;
            }
        };
        report.add_plan(&steps(target, &changes));
        if request.dry_run {
            continue;
        }
        let switch = SchedulerSwitch::new(&sdk);
        if changes.is_empty() {
            report.outcomes.push(Outcome {
                action: "deploy".into(),
                target: format!("{} in {}", target.group, target.region),
                state: State::Unchanged,
                detail: format!("{} schedules are as they should be", target.wanted.len()),
                fix: None,
            });
        }
        for change in changes {
            report.outcomes.push(carry_out(&switch, target, change).await);
        }
    }
}

async fn look(settings: &Settings, target: &Target, request: Request, sdk: &SdkConfig) -> Result<Vec<Change>, Refusal> {
    let scheduler = Scheduler::new(sdk);
    let mut changes = Vec::new();
    let names = match scheduler.has_group(&target.group).await? {
        true => scheduler.names(&target.group).await?,
        false => {
            changes.push(Change::Group);
            Vec::new()
        }
    };
    for wanted in &target.wanted {
        if !names.contains(&wanted.name) {
            changes.push(Change::Create(wanted.clone()));
            continue;
        }
        let found = scheduler.get(&target.group, &wanted.name).await?;
        if found.wanted != *wanted {
            changes.push(Change::Update(Box::new((wanted.clone(), found))));
        }
    }
    let ours = |name: &String| {
        let rest = name.strip_prefix(&format!("{}.", plain(&settings.project)));
        let parts = rest.and_then(|rest| rest.split_once('.')).filter(|(_, key)| !key.starts_with(OVERRIDE));
        let schedule = parts.map(|(schedule, _)| schedule).filter(|own| target.dark.iter().all(|dark| dark != own));
        schedule
            .is_some_and(|own| request.all || settings.schedules.iter().any(|schedule| plain(&schedule.name) == own))
    };
    let gone = names.into_iter().filter(|name| ours(name) && target.wanted.iter().all(|wanted| wanted.name != *name));
    changes.extend(gone.map(Change::Delete));
    Ok(changes)
}

fn steps(target: &Target, changes: &[Change]) -> Plan<Action> {
    let mut plan = Plan::new(format!("bring the group `{}` in {} where it should be", target.group, target.region));
    for change in changes {
        let (action, name, reason, risk) = match change {
            Change::Create(wanted) => {
                let reason = format!("{} {}", wanted.expression, wanted.timezone);
                (Action::Create, wanted.name.clone(), reason, Risk::Safe)
            }
            Change::Delete(name) => {
                (Action::Delete, name.clone(), "the configuration has it no longer".to_owned(), Risk::Disruptive)
            }
            Change::Group => (Action::Group, target.group.clone(), "there is none yet".to_owned(), Risk::Safe),
            Change::Update(both) => {
                (Action::Update, both.0.name.clone(), difference(&both.0, &both.1.wanted), Risk::Safe)
            }
        };
        let requires = Vec::new();
        plan.steps.push(Step { action, target: name, reason, risk, requires, owed: false });
    }
    plan
}

/// What differs, old and new.
fn difference(wanted: &Wanted, found: &Wanted) -> String {
    let pairs = [
        ("expression", &found.expression, &wanted.expression),
        ("time zone", &found.timezone, &wanted.timezone),
        ("target", &found.target, &wanted.target),
        ("role", &found.role, &wanted.role),
        ("input", &found.input, &wanted.input),
        ("description", &found.description, &wanted.description),
    ];
    let mut told: Vec<String> = pairs
        .iter()
        .filter(|(_, old, new)| old != new)
        .map(|(what, old, new)| format!("{what} {} -> {new}", if old.is_empty() { "nothing" } else { old.as_str() }))
        .collect();
    if wanted.queue != found.queue {
        told.push("dead-letter queue".to_owned());
    }
    if wanted.once != found.once {
        told.push("what happens after it has fired".to_owned());
    }
    told.join("; ")
}

async fn carry_out(switch: &SchedulerSwitch, target: &Target, change: Change) -> Outcome {
    let group = &target.group;
    let (action, name, done) = match change {
        Change::Create(wanted) => {
            let done = switch.create(group, &wanted).await;
            ("create", wanted.name, done)
        }
        Change::Delete(name) => {
            let done = switch.delete(group, &name).await;
            ("delete", name, done)
        }
        Change::Group => ("create group", group.clone(), switch.create_group(group).await),
        Change::Update(both) => {
            let done = switch.update(group, &both.0, &both.1).await;
            ("update", both.0.name, done)
        }
    };
    let (state, detail, fix) = match done {
        Ok(()) => (State::Done, format!("in {}", target.region), None),
        Err(refusal) => {
            let Trouble { reason, why, fix } = Trouble::of(&refusal);
            (State::Failed, format!("{reason}: {why}"), Some(fix))
        }
    };
    Outcome { action: action.into(), target: name, state, detail, fix }
}

/// All groups with their schedules, region by region.
fn targets(settings: &Settings, compiled: &[(&Schedule, &Deploy, Compiled)], entries: &[Entry]) -> Result<Vec<Target>> {
    let mut targets: BTreeMap<(String, String), Vec<Wanted>> = BTreeMap::new();
    for (schedule, deploy, found) in compiled {
        let timezone = schedule.calendar.zone().iana_name().unwrap_or("UTC").to_owned();
        let wanted = |firing: &Firing, suffix: &str, target: String, input: String| Wanted {
            name: name(settings, schedule, firing, suffix),
            expression: firing.expression.clone(),
            timezone: timezone.clone(),
            description: format!("mainstay: {} of {} ({})", firing.state, schedule.name, settings.project),
            target,
            role: deploy.role.clone(),
            input,
            queue: deploy.dead_letter_queue.clone(),
            once: firing.once,
        };
        match &deploy.function {
            Some(function) => {
                let region = function.split(':').nth(3).unwrap_or_default().to_owned();
                let input = serde_json::json!({ "schedules": [schedule.name] }).to_string();
                let all = found.firings.iter().map(|firing| wanted(firing, "", function.clone(), input.clone()));
                targets.entry((region, deploy.group.clone())).or_default().extend(all);
            }
            None => {
                if schedule.selectors.iter().any(|selector| selector.role.is_some()) {
                    return Err(Error::new(Kind::Config, format!("deploy the schedule `{}`", schedule.name))
                        .because("a schedule of EventBridge acts in its own account only, and a selector has a `role`")
                        .hint("deploy in each account by its own file, or use `via = \"lambda\"`"));
                }
                let own = entries.iter().map(|entry| &entry.judgement);
                let is_free = |row: &&Judgement| {
                    Obstacle::of(&row.machine).is_none() && !matches!(row.verdict.reason, Reason::Claimed(_))
                };
                let own = own.filter(|row| row.schedule == schedule.name).filter(is_free);
                for machine in own.map(|row| &row.machine) {
                    let (partition, call, input) = universal(machine);
                    let all = found.firings.iter().map(|firing| {
                        let verb = if firing.state == calendar::State::On { "start" } else { "stop" };
                        let arn = format!("arn:{partition}:scheduler:::aws-sdk:{}", call.replace("VERB", verb));
                        wanted(firing, &format!(".{}", plain(&machine.id)), arn, input.clone())
                    });
                    targets.entry((machine.region.clone(), deploy.group.clone())).or_default().extend(all);
                }
                for region in schedule.selectors.iter().flat_map(|selector| &selector.regions) {
                    targets.entry((region.clone(), deploy.group.clone())).or_default();
                }
            }
        }
    }
    Ok(targets
        .into_iter()
        .map(|((region, group), wanted)| Target { region, group, wanted, dark: Vec::new() })
        .collect())
}

/// A universal target: partition, service and call with a gap for the verb, and the JSON of the call. One machine each: one
/// bad id would fail all others of a call.
fn universal(machine: &Machine) -> (&'static str, &'static str, String) {
    let partition = crate::system::aws::partition(&machine.region);
    let (call, input) = match machine.kind {
        fleet::Kind::Instance => ("ec2:VERBInstances", serde_json::json!({ "InstanceIds": [machine.id] })),
        fleet::Kind::Database => ("rds:VERBDBInstance", serde_json::json!({ "DbInstanceIdentifier": machine.id })),
        fleet::Kind::Cluster => ("rds:VERBDBCluster", serde_json::json!({ "DbClusterIdentifier": machine.id })),
    };
    (partition, call, input.to_string())
}

/// A name of at most 64 characters that says whose it is.
pub(super) fn name(settings: &Settings, schedule: &Schedule, firing: &Firing, suffix: &str) -> String {
    let whole = format!("{}.{}.{}{suffix}", plain(&settings.project), plain(&schedule.name), firing.key);
    if whole.len() <= 64 {
        return whole;
    }
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(whole.as_bytes());
    let tail: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{tail}", &whole[..55])
}

/// A word for a name of EventBridge: dots part our own words.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' }).collect()
}

/// What EventBridge cannot have of a schedule.
fn losses(schedule: &Schedule, deploy: &Deploy, found: &Compiled) -> (Finding, Vec<String>) {
    let mut lost = Vec::new();
    if !found.gaps.is_empty() {
        lost.push(format!("nothing is done at what the clocks skip: {}", found.gaps.join(", ")));
    }
    if !found.moved.is_empty() {
        lost.push(format!("what the clocks show twice comes the first time only: {}", found.moved.join(", ")));
    }
    lost.push("what is missed is not made up for: EventBridge fires at the boundary, and never in between".to_owned());
    if found.firings.iter().any(|firing| firing.once) {
        lost.push("hours of single dates are deployed for a year ahead: deploy again before it is over".to_owned());
    }
    if deploy.function.is_none() {
        if !found.wrong.is_empty() {
            lost.push(format!("exceptions are not known: it acts all the same on {}", few(&found.wrong)));
        }
        lost.push("overrides, and what people start and stop by hand, are not looked at".to_owned());
        lost.push("machines are not waited for, so `order` does not hold".to_owned());
        lost.push("a machine that gets the tags later is not in it until the next deploy".to_owned());
    }
    let summary = match deploy.function {
        Some(_) => "EventBridge invokes the function at each boundary",
        None => "EventBridge calls EC2 and RDS itself, machine by machine",
    };
    let status = if deploy.function.is_none() && !found.wrong.is_empty() { Finding::warn } else { Finding::pass };
    let finding =
        status(ID, schedule.name.clone(), summary.to_owned()).data("notes", lost.clone()).data("reason", "lost");
    let fix = "use `via = \"lambda\"`, or `schedule apply` from a host with cron, for what is lost";
    (if deploy.function.is_none() { finding.fix(fix) } else { finding }, lost)
}

fn few(list: &[String]) -> String {
    match list {
        [some @ .., _] if list.len() > 6 => format!("{} and {} more", some[..5].join(", "), list.len() - 5),
        all => all.join(", "),
    }
}
