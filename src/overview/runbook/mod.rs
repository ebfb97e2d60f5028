//! `mainstay runbook`: the maintenance document itself, in Markdown.
//!
//! [`write()`] tells what follows from the configuration and from this version of mainstay, byte for byte the same on every
//! machine: no dates, no host names, no widths of terminals. What is found on a machine ([`look`]) stands in blocks of its
//! own, which [`compare()`] leaves out.
//!
//! Each chapter of the contents is a file with one function. The commands of checks are the checks' own; those of certbot
//! and the policies are made by the jobs.

mod audit;
mod backups;
mod certificates;
mod checks;
mod compare;
mod databases;
mod found;
mod housekeeping;
mod incidents;
mod machines;
mod page;
mod patching;
mod security;
mod settings;
mod told;

pub use compare::{Difference, compare};
pub use found::{Found, Live, look};
pub use settings::{Settings, Timers, Times, Told};

use page::{Page, code, codes};

/// A chapter: its title, and what it tells.
type Chapter = (&'static str, fn(&Settings, Option<&Found>, &mut Page));

/// The chapters of the contents.
const CHAPTERS: [Chapter; 10] = [
    ("Backups", backups::write),
    ("Monitoring & Alerts", |settings, _, page| told::write(settings, page)),
    ("Patching & Updates", |settings, _, page| patching::write(settings, page)),
    ("Database Maintenance", |settings, _, page| databases::write(settings, page)),
    ("Security Maintenance", |settings, _, page| security::write(settings, page)),
    ("Resource Scaling & Cost Management", |settings, _, page| machines::write(settings, page)),
    ("Certificate & Domain Renewal", certificates::write),
    ("Housekeeping Tasks", |settings, _, page| housekeeping::write(settings, page)),
    ("Audit & Compliance", |settings, _, page| audit::write(settings, page)),
    ("Incident Response & Reporting", |settings, _, page| incidents::write(settings, page)),
];

/// The runbook, with what was found on this machine where that is given.
pub fn write(settings: &Settings, found: Option<&Found>) -> String {
    let mut page = Page::default();
    page.heading(1, &format!("Maintenance of {}", code(settings.project())));
    introduce(settings, &mut page);
    if let Some(found) = found {
        page.found(found.host.clone());
    }
    page.heading(2, "Contents");
    page.steps(CHAPTERS.iter().enumerate().map(|(at, (title, _))| {
        let title = format!("{}. {title}", at + 1);
        format!("[{}](#{})", title.split_once(' ').map_or("", |(_, name)| name), anchor(&title))
    }));
    page.heading(2, "At a glance");
    glance(settings, &mut page);
    for (at, (title, chapter)) in CHAPTERS.iter().enumerate() {
        page.heading(2, &format!("{}. {title}", at + 1));
        chapter(settings, found, &mut page);
    }
    page.finish()
}

fn introduce(settings: &Settings, page: &mut Page) {
    page.says(&format!(
        "What is done by itself, when, and how each of it is done by hand. `mainstay runbook` writes this page from {file}: \
         change that file, then write the page anew (`mainstay runbook > MAINTENANCE.md`). `mainstay runbook --check \
         MAINTENANCE.md` fails where the two differ. There are no secrets in it.",
        file = code(&settings.file)
    ));
    page.says(&format!(
        "Commands are for a shell in the folder of {}, where its relative paths begin. Words in capitals are to be filled in. \
         Times are those of the configuration; `mainstay timers install` hands them to systemd or cron, and `mainstay timers \
         show` tells whether that was done and when each ran.",
        code(&settings.file)
    ));
    if settings.project.is_none() {
        page.says(
            "`project` is not configured: `PROJECT` stands for the name of the folder of the configuration, by which archives \
             are named.",
        );
    }
}

/// The heading's address on a page of GitHub.
fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

/// Which job does what when, in a table.
fn glance(settings: &Settings, page: &mut Page) {
    let names = |names: Vec<&str>| if names.is_empty() { "**not automated**".to_owned() } else { codes(&names) };
    let jobs: usize = settings.backups.len() + settings.certificates.len() + settings.schedules.len();
    let around = usize::from(settings.host.is_some()) + usize::from(settings.domains.is_some());
    let checked: usize = settings.sites.len() + jobs + around;
    let row = |job: &str, what: String, when: &str, chapter: usize, is_there: bool| {
        let (title, _) = CHAPTERS[chapter - 1];
        let title = format!("{chapter}. {title}");
        let when = if is_there { code(when) } else { String::new() };
        vec![code(job), what, when, format!("[{title}](#{})", anchor(&title))]
    };
    let timers = &settings.timers;
    let backups: Vec<&str> = settings.backups.iter().map(|one| one.set.name.as_str()).collect();
    let certificates: Vec<&str> = settings.certificates.iter().map(|one| one.settings.name.as_str()).collect();
    let schedules: Vec<&str> = settings.schedules.iter().map(|(one, _)| one.schedule.name.as_str()).collect();
    let sites: Vec<&str> = settings.sites.iter().map(|site| site.name.as_str()).collect();
    let looked = [
        (!sites.is_empty()).then(|| codes(&sites)),
        settings.host.is_some().then(|| "this machine".to_owned()),
        settings.domains.is_some().then(|| "domains".to_owned()),
        (jobs > 0).then(|| "what the jobs below have done".to_owned()),
    ];
    let looks = match checked {
        0 => names(Vec::new()),
        _ => page::join(looked.into_iter().flatten().collect()),
    };
    let (is_backup, is_certificate, is_schedule) =
        (!backups.is_empty(), !certificates.is_empty(), !schedules.is_empty());
    page.table(
        &["Job", "Of", "When", "By hand"],
        &[
            row("mainstay check", looks, &timers.check, 8, checked > 0),
            row("mainstay backup create", names(backups), &timers.backup, 1, is_backup),
            row("mainstay renew-cert", names(certificates), &timers.renew_cert, 7, is_certificate),
            row("mainstay schedule apply", names(schedules), &timers.schedule, 6, is_schedule),
        ],
    );
}

#[cfg(test)]
mod tests;
