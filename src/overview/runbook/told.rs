//! Chapter 2: what is watched, and who is told.

use super::{
    page::{Page, code, codes},
    settings::Settings,
};

const ABSENT: &str = "\
[notify]
email = { to = [\"ops@example.edu\"], from = \"mainstay@example.edu\", smtp = \"smtp://localhost:25\" }
# or: webhook = { env = \"SLACK_WEBHOOK\" }
[notify.ping]
check = { env = \"PING_CHECK\" }       # a watcher that notices when nothing runs any more";

pub(super) fn write(settings: &Settings, page: &mut Page) {
    let mut watched = Vec::new();
    let mut add = |what: &str, names: Vec<String>| {
        if !names.is_empty() {
            watched.push(format!("{what}: {}", codes(&names)));
        }
    };
    add("Sites", settings.sites.iter().map(|site| site.name.clone()).collect());
    add("Backups", settings.backups.iter().map(|backup| backup.set.name.clone()).collect());
    add("Certificates", settings.certificates.iter().map(|one| one.settings.name.clone()).collect());
    add("Schedules", settings.schedules.iter().map(|(one, _)| one.schedule.name.clone()).collect());
    if settings.host.is_some() {
        watched.push("This machine: its disks, updates, clock and containers".to_owned());
    }
    if let Some(domains) = &settings.domains {
        let names = match domains.names.is_empty() {
            true => String::new(),
            false => format!(" of {}", codes(&domains.names)),
        };
        watched.push(format!("Registrations{names}"));
    }
    if watched.is_empty() {
        page.says("**Not automated:** there is no section that `mainstay check` could look at (see [8. Housekeeping Tasks](#8-housekeeping-tasks)).");
    } else {
        page.says(&format!("`mainstay check` looks {} at:", code(&settings.timers.check)));
        page.points(watched);
    }
    let told = &settings.told;
    page.heading(3, "Who is told");
    let mut points = Vec::new();
    if !told.email.is_empty() {
        let from = told.from.iter().map(|from| format!(", from {}", code(from)));
        points.push(format!("By mail: {}{}.", codes(&told.email), from.collect::<String>()));
    }
    points.extend(told.webhook.iter().map(|place| format!("By a webhook, whose address is {place}.")));
    if points.is_empty() && told.pings.is_empty() {
        page.absent("nobody is told of what a timer finds; its report goes to the journal, or to cron's mail.", ABSENT);
    } else {
        if !points.is_empty() {
            points.insert(0, when(told.on).to_owned());
        }
        if !told.pings.is_empty() {
            points.push(format!(
                "A watcher outside is pinged at the start and the end of {}; it tells when nothing comes any more.",
                codes(&told.pings)
            ));
        }
        page.points(points);
        page.shell("mainstay config check --notify      # sends a test message");
    }
    page.heading(3, "By hand");
    page.shell(
        "mainstay check                      # everything, now\n\
         mainstay report                     # the state of everything at a glance\n\
         mainstay history --since 7d         # what ran, and what came of it",
    );
}

fn when(on: &str) -> &'static str {
    match on {
        "always" => "After every run.",
        "failure" => "After every run that failed.",
        _ => "At the first failure, and when it has recovered.",
    }
}
