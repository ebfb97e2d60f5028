//! `database.maintenance`: what RDS will do to a database, what ends, and what is missing: pending actions, the certificate of
//! its authority, automated backups, public access, the support of its engine.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::report::{Finding, Status};

/// The id of the public contract.
pub const ID: &str = "database.maintenance";

/// What RDS tells of the upkeep of an instance or a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Upkeep {
    /// Its identifier.
    pub id: String,
    /// Whether it is a cluster.
    pub cluster: bool,
    /// `postgres`, `aurora-mysql`.
    pub engine: String,
    /// `15.4`.
    pub version: String,
    /// The certificate authority's name, and until when the certificate that it serves is valid.
    pub authority: Option<(String, Option<Timestamp>)>,
    /// Whether it has an address on the Internet.
    pub public: bool,
    /// Its automated backups are kept for so many days; `None` where its cluster makes them.
    pub backup_days: Option<i32>,
    /// What waits.
    pub pending: Told<Vec<Pending>>,
    /// When the ordinary support of its major version ends; `None` where Amazon gives no date.
    pub support_ends: Told<Option<Timestamp>>,
}

/// What was told, or why nothing was.
pub type Told<T> = Result<T, String>;

/// Something that waits to be done to a database.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pending {
    /// `system-update`, `db-upgrade`, `ca-certificate-rotation`.
    pub action: String,
    /// In Amazon's words.
    pub description: String,
    /// When RDS does it, as far as that is settled: at the first maintenance window after this.
    pub at: Option<Timestamp>,
    /// Whether nobody can put it off any more.
    pub forced: bool,
}

/// How soon is soon, and how bad an address on the Internet is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Policy {
    /// With less time left of the certificate or the support somebody should look.
    pub warn: Duration,
    /// With less time left of the certificate it is wrong.
    pub fail: Duration,
    /// An address on the Internet; `None` where it is meant.
    pub public: Option<Status>,
}

/// One finding a fact; a pass for each database that has none.
pub fn judge(schedule: &str, all: &[Upkeep], policy: Policy, now: Timestamp) -> Vec<Finding> {
    if all.is_empty() {
        return vec![Finding::skip(ID, schedule, "the schedule has no database that was seen")];
    }
    all.iter()
        .flat_map(|upkeep| {
            let facts = facts(schedule, upkeep, policy, now);
            let facts = if facts.is_empty() { vec![well(schedule, upkeep)] } else { facts };
            let id = upkeep.id.clone();
            facts.into_iter().map(move |finding| finding.data("id", id.clone()))
        })
        .collect()
}

fn well(schedule: &str, Upkeep { id, engine, version, .. }: &Upkeep) -> Finding {
    Finding::pass(ID, schedule, format!("`{id}` ({engine} {version}) is kept up"))
}

fn facts(schedule: &str, upkeep: &Upkeep, policy: Policy, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(pending(schedule, upkeep));
    findings.extend(authority(schedule, upkeep, policy, now));
    findings.extend(support(schedule, upkeep, policy, now));
    let id = &upkeep.id;
    if upkeep.backup_days == Some(0) {
        findings.push(
            Finding::fail(ID, schedule, format!("`{id}` has no automated backups"))
                .expected("a retention of at least 1 day")
                .observed("a retention of 0 days")
                .fix(modify(upkeep, "--backup-retention-period 7"))
                .data("reason", "no-backups"),
        );
    }
    if let Some(status) = policy.public.filter(|_| upkeep.public) {
        findings.push(
            Finding::new(ID, schedule, status, format!("`{id}` has a public address"))
                .cause("`PubliclyAccessible` is set: only its security groups stand between it and the Internet")
                .fix(modify(upkeep, "--no-publicly-accessible"))
                .data("reason", "public"),
        );
    }
    findings
}

fn pending(schedule: &str, upkeep: &Upkeep) -> Vec<Finding> {
    let id = &upkeep.id;
    match &upkeep.pending {
        Ok(pending) => pending
            .iter()
            .map(|Pending { action, description, at, forced }| {
                let when = match (at, forced) {
                    (Some(at), true) => format!(", and will be forced after {}", at.strftime("%Y-%m-%d")),
                    (Some(at), false) => format!(", and is done after {}", at.strftime("%Y-%m-%d")),
                    (None, _) => String::new(),
                };
                let finding = Finding::warn(ID, schedule, format!("`{action}` waits for `{id}`{when}"));
                let finding = if description.is_empty() { finding } else { finding.observed(description.clone()) };
                let finding = finding
                    .fix("choose the moment yourself: `aws rds apply-pending-maintenance-action --opt-in-type next-maintenance`")
                    .data("reason", "pending")
                    .data("action", action.clone());
                match at {
                    Some(at) => finding.data("at", at.to_string()),
                    None => finding,
                }
            })
            .collect(),
        Err(why) => vec![
            Finding::unknown(ID, schedule, format!("what waits for `{id}` is not known"))
                .cause(why.clone())
                .fix("allow `rds:DescribePendingMaintenanceActions` (see `mainstay schedule policy`), or try again later")
                .data("reason", "unseen"),
        ],
    }
}

fn authority(schedule: &str, upkeep: &Upkeep, policy: Policy, now: Timestamp) -> Option<Finding> {
    let (name, ends) = upkeep.authority.as_ref()?;
    let (status, told) = ending((*ends)?, policy.warn, Some(policy.fail), now)?;
    let summary = format!("the certificate of `{}` (`{name}`) {told}", upkeep.id);
    Some(
        Finding::new(ID, schedule, status, summary)
            .cause("clients that verify the server refuse it from then on")
            .fix(format!(
                "let clients trust the new authority, then {}",
                modify(upkeep, "--ca-certificate-identifier rds-ca-rsa2048-g1")
            ))
            .data("reason", "authority")
            .data("ends", ends.map(|ends| ends.to_string())),
    )
}

fn support(schedule: &str, upkeep: &Upkeep, policy: Policy, now: Timestamp) -> Option<Finding> {
    let Upkeep { id, engine, version, .. } = upkeep;
    match &upkeep.support_ends {
        Ok(None) => None,
        Ok(Some(ends)) => {
            let (_, told) = ending(*ends, policy.warn, None, now)?;
            let over = *ends <= now;
            let cause = if over {
                "Amazon has it upgraded, or charges for extended support"
            } else {
                "after that Amazon has it upgraded, or charges for extended support"
            };
            Some(
                Finding::warn(ID, schedule, format!("the support of {engine} {version} (`{id}`) {told}"))
                    .cause(cause)
                    .fix("plan the upgrade to the next major version, and rehearse it on a restored snapshot")
                    .data("reason", "support")
                    .data("ends", ends.to_string()),
            )
        }
        Err(why) => Some(
            Finding::unknown(ID, schedule, format!("how long {engine} {version} (`{id}`) is supported is not known"))
                .cause(why.clone())
                .fix("allow `rds:DescribeDBMajorEngineVersions` (see `mainstay schedule policy`), or try again later")
                .data("reason", "unseen"),
        ),
    }
}

/// How bad an end is, and how it is told; `None` where it is far away.
fn ending(ends: Timestamp, warn: Duration, fail: Option<Duration>, now: Timestamp) -> Option<(Status, String)> {
    let left = ends.duration_since(now);
    let within = |limit: Duration| SignedDuration::try_from(limit).is_ok_and(|limit| left < limit);
    let date = ends.strftime("%Y-%m-%d");
    match left.as_hours().div_euclid(24) {
        ..0 => Some((Status::Fail, format!("ended on {date}"))),
        days if fail.is_some_and(within) => Some((Status::Fail, format!("ends in {days} days, on {date}"))),
        days if within(warn) => Some((Status::Warn, format!("ends in {days} days, on {date}"))),
        _ => None,
    }
}

fn modify(Upkeep { id, cluster, .. }: &Upkeep, what: &str) -> String {
    match cluster {
        true => format!("`aws rds modify-db-cluster --db-cluster-identifier {id} {what}`"),
        false => format!("`aws rds modify-db-instance --db-instance-identifier {id} {what}`"),
    }
}

/// The major version, as RDS counts it: `15` of PostgreSQL's `15.4`, `8.0` of MySQL's `8.0.35`, `10.11` of MariaDB's.
pub fn is_major_of(major: &str, version: &str) -> bool {
    version == major || version.strip_prefix(major).is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::assert_one_voice;

    const NOW: &str = "2026-11-26T12:00:00Z";

    fn upkeep() -> Upkeep {
        Upkeep {
            id: "app".into(),
            engine: "postgres".into(),
            version: "15.4".into(),
            authority: Some(("rds-ca-rsa2048-g1".into(), Some("2061-05-25T00:00:00Z".parse().unwrap()))),
            backup_days: Some(7),
            pending: Ok(Vec::new()),
            support_ends: Ok(Some("2029-02-28T00:00:00Z".parse().unwrap())),
            cluster: false,
            public: false,
        }
    }

    fn told(upkeep: Upkeep) -> Vec<(Status, String)> {
        let day = |days: u64| Duration::from_secs(days * 86_400);
        let policy = Policy { warn: day(90), fail: day(14), public: Some(Status::Warn) };
        let findings = judge("office-hours", &[upkeep], policy, NOW.parse().unwrap());
        findings.iter().for_each(assert_one_voice);
        let reason = |finding: &Finding| {
            finding.data.get("reason").and_then(|reason| reason.as_str()).unwrap_or_default().to_owned()
        };
        findings.iter().map(|finding| (finding.status, reason(finding))).collect()
    }

    fn is(upkeep: Upkeep, expected: &[(Status, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(status, reason)| (*status, (*reason).to_owned())).collect();
        assert_eq!(told(upkeep), expected);
    }

    #[test]
    fn each_fact_is_a_finding_and_none_is_a_pass() {
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        is(upkeep(), &[(Status::Pass, "")]);
        is(Upkeep { backup_days: Some(0), ..upkeep() }, &[(Status::Fail, "no-backups")]);
        is(Upkeep { backup_days: None, ..upkeep() }, &[(Status::Pass, "")]);
        is(Upkeep { public: true, ..upkeep() }, &[(Status::Warn, "public")]);
        let authority = |ends| Upkeep { authority: Some(("rds-ca-2019".into(), ends)), ..upkeep() };
        is(authority(at("2024-08-22T17:08:50Z")), &[(Status::Fail, "authority")]);
        is(authority(at("2026-12-01T00:00:00Z")), &[(Status::Fail, "authority")]);
        is(authority(at("2027-01-26T00:00:00Z")), &[(Status::Warn, "authority")]);
        is(authority(None), &[(Status::Pass, "")]);
        is(Upkeep { support_ends: Ok(at("2025-02-28T00:00:00Z")), ..upkeep() }, &[(Status::Warn, "support")]);
        is(Upkeep { support_ends: Ok(at("2027-01-28T00:00:00Z")), ..upkeep() }, &[(Status::Warn, "support")]);
        is(Upkeep { support_ends: Ok(None), ..upkeep() }, &[(Status::Pass, "")]);
        is(Upkeep { support_ends: Err("denied".into()), ..upkeep() }, &[(Status::Unknown, "unseen")]);
        let pending = |at, forced| Pending { action: "system-update".into(), at, forced, ..Pending::default() };
        let waits = Upkeep {
            pending: Ok(vec![pending(None, false), pending(at("2026-12-24T00:00:00Z"), true)]),
            public: true,
            cluster: true,
            ..upkeep()
        };
        is(waits, &[(Status::Warn, "pending"), (Status::Warn, "pending"), (Status::Warn, "public")]);
        is(Upkeep { pending: Err("denied".into()), ..upkeep() }, &[(Status::Unknown, "unseen")]);
    }

    #[test]
    fn the_major_version_is_the_engines_own() {
        for (major, version, is) in [
            ("15", "15.4", true),
            ("15", "150.1", false),
            ("8.0", "8.0.35", true),
            ("8.0", "8.4.1", false),
            ("10.11", "10.11", true),
            ("1", "15.4", false),
        ] {
            assert_eq!(is_major_of(major, version), is, "{major} {version}");
        }
    }
}
