//! `mainstay report`: the state of everything that is configured, as one value.
//!
//! The looking is that of `check` and of `backup list`; here it is only put in order. A terminal and a page are written from
//! the same [`Glance`], so they cannot disagree.

mod archives;
mod certificates;
mod past;
mod sites;
mod timetables;

use futures_util::future::join;
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    backup::{self, Holding, Listing},
    check,
    overview::history,
    report::{Counts, Finding, Report, Status},
    rules::{history::Run, podman},
    schedule::Schedule,
    system::Context,
};

pub use archives::{Archives, Newest};
pub use certificates::{Certificate, Source};
pub use past::{Day, Failure, Lane, Past};
pub use sites::Site;
pub use timetables::{Next, Timetable};

/// What is looked at.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The project of the configuration.
    pub project: String,
    /// The name of this machine.
    pub host: String,
    /// Sites, backups, certificates and schedules as `check` looks at them; `None` where nothing is configured.
    pub check: Option<check::Settings>,
    /// The backups; `None` where there are none.
    pub backups: Option<backup::Settings>,
    /// The schedules.
    pub schedules: Vec<Schedule>,
}

/// The state of everything: the `result` of the report, and what a terminal and a page are made of.
#[derive(Clone, Debug, Serialize)]
pub struct Glance {
    /// The project.
    pub project: String,
    /// The machine that looked.
    pub host: String,
    /// The version of mainstay.
    pub version: &'static str,
    /// When.
    pub at: Timestamp,
    /// The worst of all.
    pub status: Status,
    /// How many findings there are of each status.
    pub counts: Counts,
    /// The sites.
    pub sites: Vec<Site>,
    /// The certificates that sites serve and that are renewed here, the one that ends first first.
    pub certificates: Vec<Certificate>,
    /// The backups at each of their destinations.
    pub backups: Vec<Archives>,
    /// The schedules.
    pub schedules: Vec<Timetable>,
    /// What is not fine, the worst first.
    pub troubles: Vec<Trouble>,
    /// What earlier runs tell.
    pub past: Past,
}

/// A finding that is not fine.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Trouble {
    /// The id of the check.
    pub id: &'static str,
    /// What it is about.
    pub subject: String,
    /// How bad it is.
    pub status: Status,
    /// What is wrong.
    pub summary: String,
    /// Why.
    pub cause: Option<String>,
    /// What to do.
    pub fix: Option<String>,
}

/// Looks at everything; `history` holds the runs, the newest first. The findings come with it, for the report.
pub async fn look(
    settings: &Settings,
    history: Result<history::Listing, String>,
    context: &Context,
) -> (Glance, Vec<Finding>) {
    let at = context.clock.now();
    let looks = async {
        match &settings.check {
            Some(check) => check::run(check, context).await,
            None => Vec::new(),
        }
    };
    let (mut findings, listing) = join(looks, list(settings, context)).await;
    // A destination that cannot be listed was told by `backup.fresh` already.
    let is_told = findings.iter().any(|finding| finding.id.starts_with("backup."));
    findings.extend(listing.findings.iter().filter(|_| !is_told).cloned());
    // Without it nobody knows what failed lately.
    findings.extend(match &history {
        Err(why) => {
            let finding = Finding::unknown("report.history", "", "the history cannot be read").cause(why.clone());
            Some(finding.fix("run as the user who runs the jobs, or with sudo"))
        }
        Ok(told) if told.foreign > 0 => {
            let lines = if told.foreign == 1 { "one line".to_owned() } else { format!("{} lines", told.foreign) };
            let summary = format!("{lines} of the history cannot be read, and what failed then is not told here");
            let fix = "see `mainstay history`; a version that wrote them reads them, or move the file away";
            Some(Finding::warn("report.history", "", summary).fix(fix))
        }
        Ok(_) => None,
    });
    // A text and a page are made of them, before the report is.
    if context.engines.is_podman() {
        findings.iter_mut().for_each(podman::translate_finding);
    }
    (compose(settings, &findings, &listing, history.map(|told| told.runs), at), findings)
}

/// Puts in order what was seen.
fn compose(
    settings: &Settings,
    findings: &[Finding],
    listing: &Listing,
    runs: Result<Vec<Run>, String>,
    at: Timestamp,
) -> Glance {
    let mut report = Report::new("report", &settings.host, at);
    report.findings = findings.to_vec();
    let sites = settings.check.iter().flat_map(|check| &check.sites);
    Glance {
        project: settings.project.clone(),
        host: settings.host.clone(),
        version: env!("CARGO_PKG_VERSION"),
        at,
        status: report.status(),
        counts: report.counts(),
        sites: sites.map(|site| Site::of(site, findings)).collect(),
        certificates: certificates::all(findings),
        backups: archives::all(listing, findings, at),
        schedules: settings.schedules.iter().map(|schedule| Timetable::of(schedule, findings, at)).collect(),
        troubles: troubles(findings),
        past: Past::of(runs, at),
    }
}

/// What the destinations hold. What cannot be read at all is a finding.
async fn list(settings: &Settings, context: &Context) -> Listing {
    let Some(backups) = &settings.backups else { return Listing::default() };
    match Holding::configured(backups, context) {
        Ok(holdings) => {
            let stocks: Vec<_> = holdings.iter().map(Holding::stock).collect();
            backup::list(&stocks, context.clock.now()).await
        }
        Err(error) => Listing { findings: vec![Finding::of_error("backup.list", "", &error)], ..Listing::default() },
    }
}

/// What is not fine, the worst first, in the order in which it was found. A symptom is left to what it comes from.
fn troubles(findings: &[Finding]) -> Vec<Trouble> {
    let is_symptom = |finding: &&Finding| finding.data.contains_key("because_of");
    let mut wrong: Vec<&Finding> =
        findings.iter().filter(|finding| !finding.status.is_fine()).filter(|finding| !is_symptom(finding)).collect();
    wrong.sort_by_key(|finding| std::cmp::Reverse(finding.status));
    wrong.into_iter().map(Trouble::of).collect()
}

impl Trouble {
    fn of(finding: &Finding) -> Self {
        Self {
            id: finding.id,
            subject: finding.subject.clone(),
            status: finding.status,
            summary: finding.summary.clone(),
            cause: finding.cause.clone(),
            fix: finding.fix.clone(),
        }
    }
}

/// The worst of these findings that count; `skip` when none does.
fn worst<'a>(findings: impl Iterator<Item = &'a Finding>) -> Status {
    findings.map(|finding| finding.status).max().unwrap_or(Status::Skip)
}
