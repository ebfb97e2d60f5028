//! A site at a glance.

use serde::Serialize;

use super::worst;
use crate::{
    check,
    report::{Counts, Finding, Report, Status},
};

/// A configured site.
#[derive(Clone, Debug, Serialize)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// Its address.
    pub url: String,
    /// The worst of its findings.
    pub status: Status,
    /// How many findings there are of each status.
    pub counts: Counts,
}

impl Site {
    /// A site with what was found about it.
    pub(super) fn of(site: &check::Site, findings: &[Finding]) -> Self {
        let own: Vec<Finding> = findings.iter().filter(|finding| is_about(finding, &site.name)).cloned().collect();
        let mut report = Report::new("report", "", jiff::Timestamp::UNIX_EPOCH);
        report.findings = own;
        Self {
            name: site.name.clone(),
            url: site.url.to_string(),
            status: worst(report.findings.iter()),
            counts: report.counts(),
        }
    }
}

/// Whether a finding is about the site of this name: a backup or a certificate may have the same.
fn is_about(finding: &Finding, name: &str) -> bool {
    let others = ["backup", "certificate", "schedule", "renew-cert", "host", "domain", "database"];
    finding.subject == name && !others.contains(&finding.id.split('.').next().unwrap_or_default())
}
