//! Whether the archives of one backup at one destination are the ones that were put there: none put back, renamed, replaced
//! or taken away.
//!
//! Every sidecar is signed and says which number its archive has and which one was made before it, so that somebody who can
//! write to the store but has no key is noticed. What has gone by our own pruning is no finding: prune never takes one of
//! the newest good archives, so only among these is a missing number a sign.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{archive_id::ArchiveId, sidecar::Sidecar};

/// An archive whose sidecar has an accepted signature.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// The id that its name gives.
    pub id: &'a ArchiveId,
    /// What its sidecar says.
    pub sidecar: &'a Sidecar,
    /// When it was stored, by a clock that who stores it cannot set; `None` where there is no such clock.
    pub stored: Option<Timestamp>,
}

/// What is known besides the archives.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// The newest archive that this host has stored there, as it remembers: id and date.
    pub newest: Option<(&'a str, Timestamp)>,
    /// The numbers of what is there but is no whole archive.
    pub incomplete: BTreeSet<u64>,
    /// Prune never leaves fewer good ones.
    pub min_good: u64,
    /// The present moment.
    pub now: Timestamp,
}

/// What is to be said about all of them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Verdict {
    /// About each archive, in the order of the links.
    pub marks: Vec<Mark>,
    /// About the whole, a sentence each without a full stop.
    pub troubles: Vec<String>,
}

/// What is to be said about one archive.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Mark {
    /// Why it should not be relied upon, a fragment each.
    pub suspect: Vec<String>,
    /// Whether its date is ahead of the store's own clock.
    pub is_ahead: bool,
}

/// Clocks may differ by so much.
const TOLERANCE: SignedDuration = SignedDuration::from_hours(1);

/// Judges the archives of one backup at one destination, in any order.
pub fn judge(links: &[Link<'_>], known: &Known<'_>) -> Verdict {
    let mut marks: Vec<Mark> = links.iter().map(|link| mark(link, known.now)).collect();
    let mut troubles = Vec::new();
    // A renamed archive has no place in the chain: its own name would be a gap, and its new one a repeat.
    let mut chain: Vec<usize> = (0..links.len()).filter(|at| disagreement(&links[*at]).is_none()).collect();
    chain.sort_by_key(|at| (links[*at].sidecar.sequence, links[*at].sidecar.created));

    let order: Vec<&Link<'_>> = chain.iter().map(|at| &links[*at]).collect();
    for pair in order.windows(2) {
        troubles.extend(repeat(pair[0], pair[1]));
        troubles.extend(step_back(pair[0], pair[1]));
    }
    troubles.extend(missing(&order, known));
    troubles.extend(rollback(&order, known));

    let by_id: BTreeMap<&str, usize> = chain.iter().map(|at| (links[*at].sidecar.id.as_str(), *at)).collect();
    for link in &order {
        let Some(previous) = &link.sidecar.previous else { continue };
        let Some(at) = by_id.get(previous.id.as_str()) else { continue };
        if !links[*at].sidecar.file.sha256.eq_ignore_ascii_case(&previous.sha256) {
            marks[*at].suspect.push(format!("{} was made after another archive of this name", link.sidecar.id));
        }
    }
    Verdict { marks, troubles }
}

/// How the name of an archive and its sidecar disagree, as a fragment; `None` where they do not.
///
/// Who renames an old archive to let it pass for a new one cannot change its sidecar, which is signed.
pub fn disagreement(link: &Link<'_>) -> Option<String> {
    let Link { id, sidecar, .. } = link;
    let name = id.to_string();
    if sidecar.id != name {
        return Some(format!("its sidecar is that of {}: it was renamed", sidecar.id));
    }
    let same_second = sidecar.created.as_second() == id.created().as_second();
    let same_file = sidecar.file.name.strip_prefix(&name).is_some_and(|rest| rest.starts_with('.'));
    (!same_second || !same_file || sidecar.sequence != id.sequence())
        .then(|| "its sidecar contradicts its name".to_owned())
}

fn mark(link: &Link<'_>, now: Timestamp) -> Mark {
    let mut suspect: Vec<String> = disagreement(link).into_iter().collect();
    let created = link.sidecar.created;
    let is_ahead = link.stored.is_some_and(|stored| created.duration_since(stored) > TOLERANCE);
    if let Some(stored) = link.stored.filter(|_| is_ahead) {
        suspect.push(format!("its date is ahead of the store's clock, by which it was stored at {stored:.0}"));
    } else if created > now {
        suspect.push("its date is in the future".to_owned());
    }
    // Storing may take long; it had ended when the archive was proved good.
    let finished = link.sidecar.verified.at.max(created);
    if let Some(stored) = link.stored.filter(|stored| stored.duration_since(finished) > TOLERANCE) {
        suspect.push(format!("it was stored at {stored:.0}, long after it was made: copied here, or put back"));
    }
    Mark { suspect, is_ahead }
}

fn repeat(one: &Link<'_>, next: &Link<'_>) -> Option<String> {
    let (one, next) = (one.sidecar, next.sidecar);
    (one.sequence == next.sequence).then(|| {
        format!("{} and {} have the same number: two machines make this backup, or a record was lost", one.id, next.id)
    })
}

fn step_back(one: &Link<'_>, next: &Link<'_>) -> Option<String> {
    let (one, next) = (one.sidecar, next.sidecar);
    (one.sequence < next.sequence && next.created < one.created)
        .then(|| format!("{} is dated before {}, which was made first: a clock was wrong", next.id, one.id))
}

/// Numbers that are missing among the newest archives, where prune cannot have taken them.
fn missing(order: &[&Link<'_>], known: &Known<'_>) -> Vec<String> {
    let newest = usize::try_from(known.min_good).unwrap_or(usize::MAX).min(order.len());
    let among = &order[order.len() - newest..];
    let gap = |pair: &[&Link<'_>]| {
        let (one, next) = (pair[0].sidecar, pair[1].sidecar);
        let absent = next.sequence.saturating_sub(one.sequence).saturating_sub(1);
        let incomplete = known.incomplete.range(one.sequence..next.sequence).count() as u64;
        let absent = absent.saturating_sub(incomplete);
        let what = match absent {
            0 => return None,
            1 => "one archive is".to_owned(),
            many => format!("{many} archives are"),
        };
        Some(format!("{what} missing between {} and {}: not stored here, or removed by somebody", one.id, next.id))
    };
    among.windows(2).filter_map(gap).collect()
}

/// Whether the newest archive is older than what this host has stored.
fn rollback(order: &[&Link<'_>], known: &Known<'_>) -> Option<String> {
    let (id, created) = known.newest?;
    let is_there = order.iter().any(|link| link.sidecar.id == id || link.sidecar.created > created);
    let newest = order.iter().map(|link| link.sidecar).max_by_key(|sidecar| sidecar.created);
    (!is_there).then(|| match newest {
        Some(newest) => format!("the newest archive here is {}, but this host has stored {id} here", newest.id),
        None => format!("there is no archive here, but this host has stored {id} here"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::sidecar::{Contents, Previous, Proof, SCHEMA, StoredFile, Verified};

    const NOW: &str = "2026-11-23T18:15:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The signed sidecar of archive `sequence`, made at `created` after that one.
    fn sidecar(sequence: u64, created: &str, after: Option<&Sidecar>) -> Sidecar {
        let id = ArchiveId::new("prime", "app", at(created), sequence).to_string();
        Sidecar {
            schema: SCHEMA,
            file: StoredFile { name: format!("{id}.tar.gz.age"), bytes: 1, sha256: format!("{sequence:064x}") },
            id,
            project: "prime".into(),
            name: "app".into(),
            host: "web-1".into(),
            tool: "mainstay 0.1.0".into(),
            created: at(created),
            sequence,
            previous: after.map(|it| Previous { id: it.id.clone(), sha256: it.file.sha256.clone() }),
            contents: Contents::default(),
            sealed_for: vec![],
            verified: Verified { at: at(created), how: Proof::Decrypted },
            suspect: None,
        }
    }

    /// Archives with these numbers, one a day, each made after the one before.
    fn daily(numbers: &[u64]) -> Vec<Sidecar> {
        let mut all: Vec<Sidecar> = Vec::new();
        for number in numbers {
            let next = sidecar(*number, &format!("2026-11-{number:02}T02:30:00Z"), all.last());
            all.push(next);
        }
        all
    }

    fn known() -> Known<'static> {
        Known { newest: None, incomplete: BTreeSet::new(), min_good: 3, now: at(NOW) }
    }

    /// The verdict over archives whose names are those of their sidecars.
    fn judged(sidecars: &[Sidecar], known: &Known<'_>) -> Verdict {
        let ids: Vec<ArchiveId> = sidecars.iter().map(|it| it.id.parse().unwrap()).collect();
        let links: Vec<_> = ids.iter().zip(sidecars).map(|(id, sidecar)| Link { id, sidecar, stored: None }).collect();
        judge(&links, known)
    }

    fn one(link: Link<'_>) -> Mark {
        judge(&[link], &known()).marks.remove(0)
    }

    #[test]
    fn an_unbroken_chain_is_fine_also_where_it_was_pruned() {
        for numbers in [&[1, 2, 3, 4, 5][..], &[1, 8, 18, 19, 20], &[7], &[]] {
            let verdict = judged(&daily(numbers), &known());
            assert_eq!(verdict.troubles, [""; 0], "{numbers:?}");
            assert!(verdict.marks.iter().all(|mark| *mark == Mark::default()));
        }
    }

    #[test]
    fn backup_case_14_a_number_that_prune_cannot_have_taken_is_missed() {
        let verdict = judged(&daily(&[1, 5, 9, 12, 14]), &known());
        let expected = [
            "2 archives are missing between prime-app-20261109T023000Z-000009 and prime-app-20261112T023000Z-000012: not stored here, or removed by somebody",
            "one archive is missing between prime-app-20261112T023000Z-000012 and prime-app-20261114T023000Z-000014: not stored here, or removed by somebody",
        ];
        assert_eq!(verdict.troubles, expected);
        let incomplete = Known { incomplete: [10, 11, 13].into(), ..known() };
        assert_eq!(judged(&daily(&[1, 5, 9, 12, 14]), &incomplete).troubles, [""; 0], "a killed run's is no secret");
        let few = Known { min_good: 1, ..known() };
        assert_eq!(judged(&daily(&[1, 5, 9, 12, 14]), &few).troubles, [""; 0], "prune may have taken them");
    }

    #[test]
    fn backup_case_14_an_old_archive_under_a_new_name_is_suspect_and_no_link_of_the_chain() {
        let chain = daily(&[1, 2, 3]);
        let new: ArchiveId = "prime-app-20261123T181500Z-000004".parse().unwrap();
        let ids: Vec<ArchiveId> = chain[1..].iter().map(|it| it.id.parse().unwrap()).collect();
        let links = [
            Link { id: &new, sidecar: &chain[0], stored: None },
            Link { id: &ids[0], sidecar: &chain[1], stored: None },
            Link { id: &ids[1], sidecar: &chain[2], stored: None },
        ];
        let verdict = judge(&links, &known());
        let why = "its sidecar is that of prime-app-20261101T023000Z-000001: it was renamed";
        assert_eq!(verdict.marks[0].suspect, [why]);
        assert_eq!((&verdict.marks[1], &verdict.marks[2]), (&Mark::default(), &Mark::default()));
        assert_eq!(verdict.troubles, [""; 0]);
    }

    #[test]
    fn backup_case_14_a_sidecar_that_contradicts_its_own_name_is_suspect() {
        let right = sidecar(7, "2026-11-07T02:30:00Z", None);
        let id: ArchiveId = right.id.parse().unwrap();
        let wrong: [fn(&mut Sidecar); 3] = [
            |it| it.sequence = 8,
            |it| it.created = at("2026-11-08T02:30:00Z"),
            |it| it.file.name = "prime-app-20261107T023000Z-0000070.tar.gz.age".into(),
        ];
        for change in wrong {
            let mut sidecar = right.clone();
            change(&mut sidecar);
            assert_eq!(
                one(Link { id: &id, sidecar: &sidecar, stored: None }).suspect,
                ["its sidecar contradicts its name"]
            );
        }
        assert_eq!(one(Link { id: &id, sidecar: &right, stored: None }), Mark::default());
    }

    #[test]
    fn backup_case_14_a_repeated_number_and_a_replaced_archive_are_reported() {
        let mut chain = daily(&[1, 2, 3]);
        chain.push(sidecar(3, "2026-11-04T02:30:00Z", None));
        chain[2].previous.as_mut().unwrap().sha256 = "f".repeat(64);
        let verdict = judged(&chain, &known());
        assert_eq!(verdict.troubles.len(), 1, "{:?}", verdict.troubles);
        assert!(verdict.troubles[0].contains("000003 have the same number"), "{:?}", verdict.troubles);
        let why = "prime-app-20261103T023000Z-000003 was made after another archive of this name";
        assert_eq!(verdict.marks[1].suspect, [why]);
    }

    #[test]
    fn backup_case_14_an_older_state_than_the_host_remembers_is_a_rollback() {
        let newest = ("prime-app-20261120T023000Z-000020", at("2026-11-20T02:30:00Z"));
        let remembers = Known { newest: Some(newest), ..known() };
        let said = judged(&daily(&[17, 18, 19]), &remembers).troubles;
        let expected = "the newest archive here is prime-app-20261119T023000Z-000019, but this host has stored prime-app-20261120T023000Z-000020 here";
        assert_eq!(said, [expected]);
        assert!(judged(&[], &remembers).troubles[0].starts_with("there is no archive here, but"));
        assert_eq!(judged(&daily(&[18, 19, 20]), &remembers).troubles, [""; 0]);
        // Pruned, or made by another machine since.
        assert_eq!(judged(&daily(&[21, 22, 23]), &remembers).troubles, [""; 0]);
    }

    #[test]
    fn backup_case_15_a_date_that_goes_back_is_reported() {
        let first = sidecar(1, "2026-11-09T02:30:00Z", None);
        let second = sidecar(2, "2026-11-08T02:30:00Z", Some(&first));
        let expected = "prime-app-20261108T023000Z-000002 is dated before prime-app-20261109T023000Z-000001, which was made first: a clock was wrong";
        assert_eq!(judged(&[first, second], &known()).troubles, [expected]);
    }

    #[test]
    fn backup_case_15_a_date_that_the_store_contradicts_by_more_than_an_hour_is_suspect() {
        let mut slow = sidecar(1, "2026-11-09T02:30:00Z", None);
        slow.verified.at = at("2026-11-09T08:00:00Z");
        let id: ArchiveId = slow.id.parse().unwrap();
        let stored = |time: &str| one(Link { id: &id, sidecar: &slow, stored: Some(at(time)) });
        for fine in ["2026-11-09T01:30:00Z", "2026-11-09T02:30:00Z", "2026-11-09T07:00:00Z", "2026-11-09T09:00:00Z"] {
            assert_eq!(stored(fine), Mark::default(), "{fine}");
        }
        let ahead = stored("2026-11-09T01:29:59Z");
        assert!(ahead.is_ahead && ahead.suspect[0].starts_with("its date is ahead of the store's clock"), "{ahead:?}");
        let late = stored("2026-11-09T09:00:01Z");
        assert!(!late.is_ahead && late.suspect[0].starts_with("it was stored at 2026-11-09T09:00:01Z, long after"));
    }

    #[test]
    fn backup_case_15_an_archive_from_the_future_is_suspect() {
        let future = sidecar(1, "2026-11-23T18:15:01Z", None);
        let id: ArchiveId = future.id.parse().unwrap();
        let mark = one(Link { id: &id, sidecar: &future, stored: None });
        assert_eq!((mark.suspect, mark.is_ahead), (vec!["its date is in the future".to_owned()], false));
    }
}
