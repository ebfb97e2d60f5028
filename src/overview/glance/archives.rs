//! Backups at a glance: what each destination holds.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    backup::{Listing, Stand},
    report::{Finding, Status},
};

/// A backup at a destination.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Archives {
    /// The name of the backup.
    pub name: String,
    /// The destination, as the configuration has it.
    pub destination: String,
    /// The verdict of `backup.fresh` about it.
    pub status: Status,
    /// The verdict in words.
    pub summary: Option<String>,
    /// The newest archive that can be relied upon.
    pub newest: Option<Newest>,
    /// Why it could not be listed.
    pub error: Option<String>,
    /// How many archives are there; `null` where it could not be listed.
    pub archives: Option<usize>,
    /// The length of all of them, in bytes.
    pub bytes: u64,
}

/// An archive.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Newest {
    /// Its id.
    pub id: String,
    /// When the run that made it began.
    pub created: Timestamp,
    /// Its age in seconds.
    pub age_seconds: i64,
    /// Its length in bytes.
    pub bytes: u64,
    /// How many files it holds.
    pub files: u64,
}

/// Every backup at each of its destinations, in the order of the configuration.
pub(super) fn all(listing: &Listing, findings: &[Finding], at: Timestamp) -> Vec<Archives> {
    listing.destinations.iter().map(|stand| one(stand, listing, findings, at)).collect()
}

fn one(stand: &Stand, listing: &Listing, findings: &[Finding], at: Timestamp) -> Archives {
    let own = || {
        let rows = listing.archives.iter();
        rows.filter(|row| row.name == stand.name && row.destination == stand.destination)
    };
    let newest = own().find(|row| Some(&row.id) == stand.newest_good.as_ref()).map(|row| Newest {
        id: row.id.clone(),
        created: row.created,
        age_seconds: at.duration_since(row.created).as_secs(),
        bytes: row.bytes,
        files: row.files,
    });
    let verdict = verdict(stand, findings);
    Archives {
        name: stand.name.clone(),
        destination: stand.destination.clone(),
        // What nobody judged nobody may call right.
        status: verdict.map_or(Status::Unknown, |finding| finding.status),
        summary: verdict.map(|finding| finding.summary.clone()).or_else(|| stand.error.clone()),
        newest,
        error: stand.error.clone(),
        archives: stand.archives,
        bytes: own().map(|row| row.bytes).sum(),
    }
}

/// What `backup.fresh` says of this destination; else the worst of what it says of the backup.
fn verdict<'a>(stand: &Stand, findings: &'a [Finding]) -> Option<&'a Finding> {
    let own = || findings.iter().filter(|finding| finding.id == "backup.fresh" && finding.subject == stand.name);
    let is_here = |finding: &&Finding| {
        finding.data.get("destination").is_some_and(|destination| destination == stand.destination.as_str())
    };
    own().filter(is_here).max_by_key(|finding| finding.status).or_else(|| {
        own().filter(|finding| !finding.data.contains_key("destination")).max_by_key(|finding| finding.status)
    })
}
