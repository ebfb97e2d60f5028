//! `backup list`: which archives there are, at every destination.

use futures_util::future::join_all;
use jiff::Timestamp;
use serde::Serialize;

use super::{Archive, Catalog, Stock};
use crate::{
    report::Finding,
    rules::sidecar::Verified,
    system::store::{Shelf, Trouble},
};

/// What there is: the `result` of the report, and what a table is made of.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Listing {
    /// Every archive, by backup and destination, oldest first.
    pub archives: Vec<Row>,
    /// What is no whole archive.
    pub incomplete: Vec<Leftover>,
    /// Every destination, also those that cannot be listed.
    pub destinations: Vec<Stand>,
    /// What the operator should know; what could not be listed is a failure.
    #[serde(skip)]
    pub findings: Vec<Finding>,
}

/// An archive at a destination.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// The name of the backup.
    pub name: String,
    /// The destination, as the configuration has it.
    pub destination: String,
    /// When the run that made it began.
    pub created: Timestamp,
    /// The length of its file, as it is there.
    pub bytes: u64,
    /// How many regular files it holds.
    pub files: u64,
    /// Who can open it, as fingerprints.
    pub sealed_for: Vec<String>,
    /// How it was proved good; `null` where that cannot be believed: not signed by an accepted key, or damaged since.
    pub verified: Option<Verified>,
    /// Whether it can be relied upon.
    pub good: bool,
    /// Why it cannot; `null` where it can.
    pub doubt: Option<String>,
    /// Whether it is signed: `signed`, `stranger`, `unsigned`, `forged`.
    pub origin: &'static str,
    /// Its number.
    pub sequence: u64,
    /// The machine that made it.
    pub host: String,
    /// Until when the store itself keeps it.
    pub locked_until: Option<Timestamp>,
}

/// Files that are no whole archive.
#[derive(Clone, Debug, Serialize)]
pub struct Leftover {
    /// The id that their names begin with.
    pub id: String,
    /// The name of the backup.
    pub name: String,
    /// The destination, as the configuration has it.
    pub destination: String,
    /// The length of all of them.
    pub bytes: u64,
    /// What is missing.
    pub why: String,
}

/// A destination of a backup.
#[derive(Clone, Debug, Serialize)]
pub struct Stand {
    /// The name of the backup.
    pub name: String,
    /// The destination, as the configuration has it.
    pub destination: String,
    /// How many archives are there; `null` where it could not be listed.
    pub archives: Option<usize>,
    /// The id of the newest good one.
    pub newest_good: Option<String>,
    /// Why it could not be listed.
    pub error: Option<String>,
    /// What is odd about the archives there.
    pub troubles: Vec<String>,
}

/// The id of the findings of this job.
const ID: &str = "backup.list";

/// Lists all of them at once; one that cannot be listed keeps no other from it.
pub async fn list(stocks: &[Stock<'_, dyn Shelf + '_>], now: Timestamp) -> Listing {
    let catalogs = join_all(stocks.iter().map(|stock| stock.catalog(stock.shelf, now))).await;
    let mut listing = Listing::default();
    for (stock, catalog) in stocks.iter().zip(catalogs) {
        listing.add(&stock.set.name, stock.shelf.address(), catalog);
    }
    listing
}

impl Listing {
    fn add(&mut self, name: &str, destination: &str, catalog: Result<Catalog, Trouble>) {
        let mut stand = Stand {
            name: name.to_owned(),
            destination: destination.to_owned(),
            archives: None,
            newest_good: None,
            error: None,
            troubles: Vec::new(),
        };
        match catalog {
            Ok(catalog) => {
                stand.archives = Some(catalog.archives.len());
                stand.newest_good = catalog.newest_good().map(|archive| archive.id.to_string());
                stand.troubles.clone_from(&catalog.troubles);
                self.findings.extend(oddities(name, destination, &catalog));
                self.archives.extend(catalog.archives.iter().map(|archive| Row::new(name, destination, archive)));
                self.incomplete.extend(catalog.incomplete.iter().map(|incomplete| Leftover {
                    id: incomplete.id.to_string(),
                    name: name.to_owned(),
                    destination: destination.to_owned(),
                    bytes: incomplete.objects.iter().map(|object| object.bytes).sum(),
                    why: incomplete.why.clone(),
                }));
            }
            Err(trouble) => {
                stand.error = Some(trouble.why.clone());
                self.findings.push(unlisted(ID, name, destination, &trouble));
            }
        }
        self.destinations.push(stand);
    }
}

impl Row {
    fn new(name: &str, destination: &str, archive: &Archive) -> Self {
        Self {
            id: archive.id.to_string(),
            name: name.to_owned(),
            destination: destination.to_owned(),
            created: archive.sidecar.created,
            bytes: archive.object.bytes,
            files: archive.sidecar.contents.files,
            sealed_for: archive.sidecar.sealed_for.clone(),
            verified: archive.verified().cloned(),
            good: archive.is_good(),
            doubt: archive.doubt(),
            origin: archive.origin.word(),
            sequence: archive.id.sequence(),
            host: archive.sidecar.host.clone(),
            locked_until: archive.retained_until(),
        }
    }
}

/// A destination that could not be listed: a failure of the job, whatever the reason.
pub(super) fn unlisted(id: &'static str, name: &str, destination: &str, trouble: &Trouble) -> Finding {
    Finding::fail(id, name, format!("`{destination}` could not be listed: {}", trouble.why))
        .fix(trouble.fix.clone())
        .data("reason", trouble.reason.word())
        .data("destination", destination)
}

/// What is odd at a destination that could be listed.
fn oddities(name: &str, destination: &str, catalog: &Catalog) -> Vec<Finding> {
    let warn = |reason: &str, what: &str, fix: &str| {
        Finding::warn(ID, name, format!("at `{destination}`: {what}"))
            .fix(fix)
            .data("reason", reason)
            .data("destination", destination)
    };
    let look = "find out who can write there; `mainstay backup verify --all` reads every archive";
    let mut findings: Vec<Finding> = catalog.troubles.iter().map(|trouble| warn("chain", trouble, look)).collect();
    for archive in &catalog.archives {
        if let Some(doubt) = archive.doubt() {
            let reason = if archive.is_damaged { "damaged" } else { archive.origin.word() };
            let reason = if reason == "signed" { "suspect" } else { reason };
            let fix = match reason {
                "suspect" => "look what changed; it counts for nothing until the next good one",
                "damaged" => "make a new one with `mainstay backup create`; restore from another destination meanwhile",
                _ => {
                    "add the key of the machine that made it to `signers`, if you know it; else find out who put it there"
                }
            };
            findings.push(
                warn(reason, &format!("{} does not count: {doubt}", archive.id), fix)
                    .data("archive", archive.id.to_string()),
            );
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backup::testing::{Bench, NOW},
        report::{Status, assert_one_voice},
        system::store::{Reason, memory::Memory},
    };

    #[tokio::test]
    async fn every_destination_is_listed_and_one_that_fails_keeps_no_other_from_it() {
        let bench = Bench::new();
        let (near, far) = (Memory::new("/mnt/usb"), Memory::new("s3://prime/app"));
        bench.daily(&near, &[1, 2, 3]);
        far.fail("inspect", 0, Reason::MediumAbsent);
        let listing = list(&[bench.stock(&near), bench.stock(&far)], NOW()).await;
        let rows: Vec<_> = listing.archives.iter().map(|row| (row.sequence, row.destination.as_str())).collect();
        assert_eq!(rows, [(1, "/mnt/usb"), (2, "/mnt/usb"), (3, "/mnt/usb")]);
        assert_eq!(listing.destinations[1].archives, None, "not an empty one");
        let [finding] = &listing.findings[..] else { panic!("{:?}", listing.findings) };
        assert_one_voice(finding);
        assert_eq!((finding.status, finding.data["reason"].as_str()), (Status::Fail, Some("medium-absent")));
    }

    #[tokio::test]
    async fn the_json_has_what_the_contract_says() {
        let bench = Bench::new();
        let near = Memory::new("/mnt/usb");
        bench.daily(&near, &[7]);
        let json = serde_json::to_value(list(&[bench.stock(&near)], NOW()).await).unwrap();
        let expected = serde_json::json!({
            "id": "prime-app-20261107T023000Z-000007", "name": "app", "destination": "/mnt/usb",
            "created": "2026-11-07T02:30:00Z", "bytes": 7, "files": 3, "sealed_for": ["age1ql3z"],
            "verified": {"at": "2026-11-07T02:31:00Z", "how": "decrypted"}, "good": true, "doubt": null,
            "origin": "signed", "sequence": 7, "host": "web-1", "locked_until": null,
        });
        assert_eq!(json["archives"], serde_json::json!([expected]));
        assert_eq!(json["destinations"][0]["newest_good"], "prime-app-20261107T023000Z-000007");
        assert_eq!(json.get("findings"), None);
    }

    #[tokio::test]
    async fn backup_case_02_and_08_what_is_incomplete_or_cut_short_is_not_listed_as_good() {
        let bench = Bench::new();
        let near = Memory::new("/mnt/usb");
        let ids = bench.daily(&near, &[1, 2, 3]);
        near.lose(&format!("{}.json", ids[2]));
        near.place(&format!("{}.tar.gz.age", ids[1]), "short", None);
        let listing = list(&[bench.stock(&near)], NOW()).await;
        let good: Vec<_> =
            listing.archives.iter().map(|row| (row.sequence, row.good, row.verified.is_some())).collect();
        assert_eq!(good, [(1, true, true), (2, false, false)]);
        assert_eq!(listing.destinations[0].newest_good.as_ref(), Some(&ids[0]));
        assert_eq!((listing.incomplete.len(), listing.incomplete[0].id == ids[2]), (1, true));
        listing.findings.iter().for_each(assert_one_voice);
        assert_eq!(listing.findings.iter().filter(|it| it.data["reason"] == "damaged").count(), 1);
    }

    #[tokio::test]
    async fn a_new_machine_finds_every_backup_that_there_is() {
        let bench = Bench::new();
        let near = Memory::new("/mnt/usb");
        bench.daily(&near, &[1, 2]);
        bench.named("db").daily(&near, &[4]);
        near.place("notes.txt", "x", None);
        let catalogs = Catalog::read_all(&near, &bench.accepted, NOW()).await.unwrap();
        let found: Vec<_> = catalogs.iter().map(|(set, catalog)| (set.as_str(), catalog.archives.len())).collect();
        assert_eq!(found, [("prime-app", 2), ("prime-db", 1)]);
        assert!(catalogs.values().flat_map(|catalog| &catalog.archives).all(Archive::is_good));
        let nobody = Catalog::read_all(&near, &[], NOW()).await.unwrap();
        let archives = nobody.values().flat_map(|catalog| &catalog.archives);
        assert!(archives.into_iter().all(|archive| archive.origin.word() == "stranger" && !archive.is_good()));
    }
}
