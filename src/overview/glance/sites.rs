//! A site at a glance.

use serde::Serialize;

use super::worst;
use crate::{
    check,
    report::{Counts, Finding, Status},
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
        let own = || findings.iter().filter(|finding| is_about(finding, &site.name));
        Self { name: site.name.clone(), url: site.url.to_string(), status: worst(own()), counts: Counts::of(own()) }
    }
}

/// Whether a finding is about the site of this name: a backup or a certificate may have the same.
fn is_about(finding: &Finding, name: &str) -> bool {
    finding.subject == name && check::REGISTRY.sites.iter().any(|check| check.id() == finding.id)
}
