//! Chapter 6: when machines run, how to stop and start them by hand, and which roles that needs.

use serde_json::json;

use super::{
    checks,
    page::{Page, code, codes, plain},
    settings::{Settings, Times},
};
use crate::{
    check::REGISTRY,
    rules::fleet::{Service, Wish},
    schedule::{Facts, Schedule, Selector, policies, told_account},
};

const ABSENT: &str = "\
[schedule.office-hours]
timezone = \"America/Detroit\"
on = [\"Mon-Fri 07:00-19:00\"]
[[schedule.office-hours.ec2]]
regions = [\"us-east-2\"]
tags = { Schedule = \"office-hours\" }";

pub(super) fn write(settings: &Settings, page: &mut Page) {
    if settings.schedules.is_empty() {
        page.absent("no `[schedule.NAME]` section says when machines run.", ABSENT);
        return;
    }
    page.says(&format!(
        "`mainstay schedule apply` runs {} and starts and stops EC2 instances and RDS databases. What a person started or \
         stopped since the last boundary is left alone, unless the schedule is enforced.",
        code(&settings.timers.schedule)
    ));
    for (timetable, times) in &settings.schedules {
        let schedule = &timetable.schedule;
        page.heading(3, &format!("Schedule {}", code(&schedule.name)));
        what(schedule, times, page);
        page.heading(4, "With mainstay");
        let name = &schedule.name;
        page.commented(&[
            (format!("mainstay schedule plan {name}"), "what would be started and stopped now, and why"),
            (format!("mainstay schedule status {name}"), "how the machines stand"),
            (format!("mainstay schedule simulate {name}"), "the next four weeks, boundary by boundary"),
            (
                "mainstay schedule override TARGET --on --for 3h".to_owned(),
                "keep one machine on; `--clear` takes it back",
            ),
        ]);
        page.heading(4, "By hand");
        for selector in ordered(schedule) {
            by_hand(selector, page);
        }
        page.heading(4, "Is it happening?");
        checks::write(REGISTRY.schedules, timetable, page);
    }
    roles(settings, page);
}

fn what(schedule: &Schedule, times: &Times, page: &mut Page) {
    let mut points = vec![match times.on.as_slice() {
        [] => "Always off: never started.".to_owned(),
        windows => format!("On {} in {}, off outside.", codes(windows), code(&times.zone)),
    }];
    match times.mode {
        "start-only" => points.push("Only started, never stopped (`mode = \"start-only\"`).".to_owned()),
        "stop-only" => points.push("Only stopped, never started (`mode = \"stop-only\"`).".to_owned()),
        _ => {}
    }
    if !times.off_dates.is_empty() {
        points.push(format!("No window begins on {}.", codes(&times.off_dates)));
    }
    if !times.on_dates.is_empty() {
        points.push(format!("On besides at {}.", codes(&times.on_dates)));
    }
    points.extend(schedule.selectors.iter().map(machines));
    let order: Vec<&str> = schedule.order.iter().map(|service| title(*service)).collect();
    points.push(format!("Started in the order {}, stopped in the reverse order.", order.join(", then ")));
    if schedule.enforce {
        points.push("Enforced: what a person started or stopped is undone.".to_owned());
    }
    points.push(format!(
        "More than {} stops that come late (an edited file, a new tag, a host back after an outage) wait for `--yes`.",
        schedule.max_late
    ));
    if let Some(deploy) = &schedule.deploy {
        let how = match &deploy.function {
            Some(function) => format!("which invokes the function {}", code(function)),
            None => "which calls EC2 and RDS itself".to_owned(),
        };
        points.push(format!(
            "`mainstay schedule deploy {}` hands it to EventBridge Scheduler (the group {}, the role {}), {how}.",
            schedule.name,
            code(&deploy.group),
            code(&deploy.role)
        ));
        if let Some(queue) = &deploy.dead_letter_queue {
            points.push(format!("Calls that failed for good are put into {}.", code(queue)));
        }
    }
    page.points(points);
}

/// Which machines, in a sentence.
fn machines(selector: &Selector) -> String {
    let mut which = Vec::new();
    if !selector.tags.is_empty() {
        let tags: Vec<String> = selector.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        which.push(format!("with the tag {}", codes(&tags)));
    }
    if !selector.ids.is_empty() {
        which.push(codes(&selector.ids));
    }
    if !selector.clusters.is_empty() {
        which.push(format!("the clusters {}", codes(&selector.clusters)));
    }
    let account = match &selector.role {
        Some(role) => format!(", by the role {}", code(&role.arn)),
        None => String::new(),
    };
    let extra = match (selector.service, selector.hibernate, selector.snapshot) {
        (Service::Ec2, Wish::Prefer, _) => "; they hibernate where they can",
        (Service::Ec2, Wish::Require, _) => "; they hibernate, or are left on",
        (Service::Rds, _, Wish::Prefer) => "; a snapshot is tried before a stop",
        (Service::Rds, _, Wish::Require) => "; nothing stops without a snapshot",
        _ => "",
    };
    let regions = codes(&selector.regions);
    format!("{}: {}, in {regions}{account}{extra}.", title(selector.service), super::page::join(which))
}

fn title(service: Service) -> &'static str {
    match service {
        Service::Ec2 => "EC2",
        Service::Rds => "RDS",
    }
}

/// The selectors in the order in which their machines start.
fn ordered(schedule: &Schedule) -> Vec<&Selector> {
    let of = |service: Service| schedule.selectors.iter().filter(move |selector| selector.service == service);
    schedule.order.iter().copied().flat_map(of).collect()
}

/// Amazon's own tool for the machines of a selector: to look, to stop, to start.
fn by_hand(selector: &Selector, page: &mut Page) {
    let steps = look_by_hand(selector, page);
    page.says("Stop them:");
    page.shell(&steps.stop.join("\n"));
    page.says("Start them:");
    page.shell(&steps.start.join("\n"));
}

/// The same for what shall run: to look, and to start.
pub(super) fn start_by_hand(selector: &Selector, page: &mut Page) {
    let steps = look_by_hand(selector, page);
    page.says("Start them:");
    page.shell(&steps.start.join("\n"));
}

fn look_by_hand(selector: &Selector, page: &mut Page) -> Steps {
    page.says(&machines(selector));
    if let Some(role) = &selector.role {
        page.says("They are in another account: take on its role first, in a shell of its own.");
        let external = if role.external_id.is_some() { " --external-id \"$EXTERNAL_ID\"" } else { "" };
        page.shell(&format!(
            "export $(aws sts assume-role --role-arn {}{external} --role-session-name by-hand --output text \\\n  \
             --query 'Credentials.[AccessKeyId,SecretAccessKey,SessionToken]' |\n  \
             awk '{{print \"AWS_ACCESS_KEY_ID=\"$1, \"AWS_SECRET_ACCESS_KEY=\"$2, \"AWS_SESSION_TOKEN=\"$3}}')",
            shell_words::quote(&role.arn)
        ));
    }
    let (region, others) = selector.regions.split_first().map_or(("us-east-1", &[][..]), |(one, rest)| (one, rest));
    let again = if others.is_empty() { String::new() } else { format!("      # then with {}", others.join(", ")) };
    let steps = match selector.service {
        Service::Ec2 => instances(selector),
        Service::Rds => databases(selector),
    };
    page.says("How they stand:");
    page.shell(&format!("export AWS_DEFAULT_REGION={region}{again}\n{}", steps.look.join("\n")));
    steps
}

/// The commands for the machines of a selector.
struct Steps {
    look: Vec<String>,
    stop: Vec<String>,
    start: Vec<String>,
}

fn instances(selector: &Selector) -> Steps {
    let mut filters: Vec<serde_json::Value> = selector
        .tags
        .iter()
        .map(|(key, value)| json!({ "Name": format!("tag:{key}"), "Values": [literally(value)] }))
        .collect();
    if !selector.ids.is_empty() {
        filters.push(json!({ "Name": "instance-id", "Values": selector.ids }));
    }
    // What is terminated stays listed for an hour, and cannot be asked for anything.
    filters.push(json!({ "Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"] }));
    let filters = serde_json::Value::from(filters).to_string();
    let hibernate = if selector.hibernate == Wish::Never { "" } else { " --hibernate" };
    let describe = "aws ec2 describe-instances --filters \"$FILTERS\"";
    Steps {
        look: vec![
            format!("FILTERS={}", shell_words::quote(&filters)),
            format!(
                "{describe} --output table \\\n  --query 'Reservations[].Instances[].[InstanceId,State.Name,InstanceType]'"
            ),
            format!("IDS=$({describe} --output text --query 'Reservations[].Instances[].InstanceId')"),
        ],
        stop: vec![
            format!("aws ec2 stop-instances{hibernate} --instance-ids $IDS"),
            "aws ec2 wait instance-stopped --instance-ids $IDS".to_owned(),
        ],
        start: vec![
            "aws ec2 start-instances --instance-ids $IDS".to_owned(),
            "aws ec2 wait instance-running --instance-ids $IDS".to_owned(),
        ],
    }
}

/// A value of a filter that means itself: a star, a question mark and a backslash mean more (EC2 API Reference, "Filter").
fn literally(value: &str) -> String {
    let mut literal = String::new();
    for c in value.chars() {
        if matches!(c, '*' | '?' | '\\') {
            literal.push('\\');
        }
        literal.push(c);
    }
    literal
}

fn databases(selector: &Selector) -> Steps {
    let mut steps = Steps { look: Vec::new(), stop: Vec::new(), start: Vec::new() };
    for (kind, list, state, names) in [
        ("instance", "DBInstances", "DBInstanceStatus", &selector.ids),
        ("cluster", "DBClusters", "Status", &selector.clusters),
    ] {
        let (id, call) = (format!("DB{}Identifier", capital(kind)), format!("describe-db-{kind}s"));
        let names = match (selector.tags.is_empty(), names.is_empty()) {
            (true, true) => continue,
            (true, false) => shell_words::quote(&names.join(" ")).into_owned(),
            // RDS has no filter by tag; the names are picked out of the whole list.
            (false, _) => {
                let tag =
                    |(key, value): &(String, String)| format!("TagList[?Key=={} && Value=={}]", raw(key), raw(value));
                let wanted: Vec<String> = selector.tags.iter().map(tag).collect();
                // An instance of a cluster is stopped with it.
                let alone = if kind == "instance" { " && !DBClusterIdentifier" } else { "" };
                let query = format!("{list}[?{}{alone}].{id}", wanted.join(" && "));
                format!("$(aws rds {call} --output text --query {})", shell_words::quote(&query))
            }
        };
        let variable = if kind == "instance" { "DATABASES" } else { "CLUSTERS" };
        let each = |command: String| format!("for DB in ${variable}; do {command}; done");
        steps.look.extend([
            format!("{variable}={names}"),
            each(format!(
                "aws rds {call} --db-{kind}-identifier \"$DB\" --output text --query '{list}[0].[{id},{state}]'"
            )),
        ]);
        steps.stop.push(each(format!("aws rds stop-db-{kind} --db-{kind}-identifier \"$DB\"")));
        steps.start.extend([
            each(format!("aws rds start-db-{kind} --db-{kind}-identifier \"$DB\"")),
            each(format!("aws rds wait db-{kind}-available --db-{kind}-identifier \"$DB\"")),
        ]);
    }
    steps.stop.push("# RDS starts a stopped database by itself after seven days".to_owned());
    steps
}

fn capital(kind: &str) -> &'static str {
    if kind == "instance" { "Instance" } else { "Cluster" }
}

/// A raw string of JMESPath.
fn raw(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn roles(settings: &Settings, page: &mut Page) {
    page.heading(3, "Roles and policies");
    let schedules: Vec<Schedule> = settings.schedules.iter().map(|(timetable, _)| timetable.schedule.clone()).collect();
    let own = told_account(&schedules);
    page.says(
        "The least that each role needs, as `mainstay schedule policy` prints it. A role that EventBridge Scheduler takes on \
         is none that a person or a host takes on, and the function has its own.",
    );
    if own.is_none() {
        page.says("The configuration does not tell the number of the own account: it is `*` here; write the number.");
    }
    let upkeep = settings.schedules.iter().any(|(timetable, _)| timetable.upkeep.is_some());
    let facts = Facts { account: own.unwrap_or_else(|| "*".to_owned()), upkeep, ..Facts::default() };
    for policy in policies(&schedules, &facts) {
        page.heading(4, &code(&policy.name));
        // A file name in backquotes is ours; an ARN is not.
        let what: Vec<String> = policy
            .what
            .split('`')
            .enumerate()
            .map(|(at, part)| if at % 2 == 1 { code(part) } else { plain(part) })
            .collect();
        let what = what.concat();
        // An identifier is no word to begin in upper case: copied, it would name nothing.
        let mut letters = what.chars();
        let first = match what.starts_with("arn:") {
            true => letters.next().map(String::from),
            false => letters.next().map(|c| c.to_uppercase().to_string()),
        };
        page.says(&format!("{}{}:", first.unwrap_or_default(), letters.as_str()));
        page.block("json", &serde_json::to_string_pretty(&policy.document).unwrap_or_default());
    }
}
