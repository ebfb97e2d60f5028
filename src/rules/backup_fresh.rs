//! Whether there is a good archive that is young enough, at each destination, and whether restoring has been rehearsed.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{
    report::{Finding, Status},
    rules::units::print_duration,
};

/// The id of the check.
pub const ID: &str = "backup.fresh";

/// What was seen of one backup at one destination.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Observation {
    /// The address, as the configuration has it.
    pub destination: String,
    /// Whether a backup must be there to be good.
    pub required: bool,
    /// What is there, or why nobody could look.
    pub holdings: Result<Holdings, Absence>,
    /// The newest good archive there that this host remembers.
    pub remembered: Option<Newest>,
}

/// What a destination holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Holdings {
    /// The newest archive that can be relied upon.
    pub good: Option<Newest>,
    /// Archives that are newer than that one and cannot be relied upon: id and why, newest first.
    pub suspect: Vec<(String, String)>,
    /// Archives that somebody else made, or that nobody signed: id and why.
    pub strange: Vec<(String, String)>,
    /// What killed runs left: ids of archives that are older than a day and have no sidecar, or the other way round.
    pub incomplete: Vec<String>,
    /// Gaps, repeats, dates that do not fit; in words.
    pub troubles: Vec<String>,
    /// Whether the sources have changed since the newest good archive.
    pub changed: Changed,
}

/// Whether files have changed since an archive was made of them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Changed {
    /// They have not.
    No,
    /// Another host made the archive, or this one does not remember: only its age tells.
    #[default]
    NotKnown,
    /// They cannot be looked at; why.
    Unseen(String),
    /// They have.
    Yes,
}

/// An archive.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Newest {
    /// Its id.
    pub id: String,
    /// When its making began.
    pub created: Timestamp,
}

/// Why a destination could not be looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Absence {
    /// The word of `data.reason`.
    pub reason: &'static str,
    /// What happened, as a fragment.
    pub why: String,
    /// What to do.
    pub fix: String,
}

/// The last restore that was rehearsed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rehearsal {
    /// When.
    pub at: Timestamp,
    /// Of which archive.
    pub archive: String,
    /// Where it came from.
    pub destination: String,
    /// Whether everything came back.
    pub good: bool,
}

/// A clock may be this far off before an archive is from the future.
const SKEW: SignedDuration = SignedDuration::from_hours(1);

/// Judges one destination.
pub fn judge(subject: &str, seen: &Observation, max_age: Duration, now: Timestamp) -> Finding {
    let finding = match &seen.holdings {
        Ok(holdings) => of_holdings(subject, seen, holdings, max_age, now),
        Err(absence) => of_memory(subject, seen, absence, max_age, now),
    };
    let finding = finding.data("destination", seen.destination.clone()).data("max_age_seconds", max_age.as_secs());
    // A copy that a good backup does without is no reason to wake anybody.
    if !seen.required && finding.status == Status::Fail { Finding { status: Status::Warn, ..finding } } else { finding }
}

/// Judges the rehearsals of a backup.
pub fn judge_drill(subject: &str, drill: Option<&Rehearsal>, max_age: Duration, now: Timestamp) -> Finding {
    let rehearse = format!("run `mainstay backup drill {subject}`");
    let expected = format!("a restore is rehearsed every {}", print_duration(max_age));
    let Some(Rehearsal { at, archive, destination, good }) = drill else {
        return Finding::warn(ID, subject, "no restore has been rehearsed")
            .expected(expected)
            .fix(rehearse)
            .data("reason", "drill-never");
    };
    let age = now.duration_since(*at);
    let ago = words(age);
    let finding = if !good {
        Finding::fail(ID, subject, format!("the last rehearsed restore failed, {ago} ago"))
            .fix(format!("run `mainstay backup verify {subject}` to see what is wrong, then `mainstay backup drill {subject}` again"))
            .data("reason", "drill-failed")
    } else if age > signed(max_age) {
        Finding::warn(ID, subject, format!("no restore has been rehearsed for {ago}"))
            .fix(rehearse)
            .data("reason", "drill-old")
    } else {
        Finding::pass(ID, subject, format!("a restore was rehearsed {ago} ago"))
    };
    finding
        .expected(expected)
        .data("drill", at.to_string())
        .data("archive", archive.clone())
        .data("destination", destination.clone())
}

fn of_holdings(subject: &str, seen: &Observation, held: &Holdings, max_age: Duration, now: Timestamp) -> Finding {
    let place = &seen.destination;
    let create = format!("run `mainstay backup create {subject}`");
    let expected = format!("a good archive, not older than {}, of the sources as they are", print_duration(max_age));
    let remarks = remarks(held);
    let Some(good) = &held.good else {
        let finding = Finding::fail(ID, subject, format!("`{place}` has no good archive"))
            .expected(expected)
            .fix(create)
            .data("reason", "none");
        return with_remarks(finding, remarks);
    };
    let age = now.duration_since(good.created);
    let old = words(age);
    let finding = if age < -SKEW {
        Finding::fail(ID, subject, format!("the newest archive in `{place}` is from the future"))
            .observed(format!("{} in {}", good.id, words(-age)))
            .fix("set the clock of this machine or of the one that made it, then make a new archive")
            .data("reason", "future")
    } else if age > signed(max_age) {
        Finding::fail(ID, subject, format!("the newest good archive in `{place}` is {old} old"))
            .fix(format!("{create}, and see why it does not run by itself: `mainstay timers show`"))
            .data("reason", "stale")
    } else if held.changed == Changed::Yes {
        Finding::fail(ID, subject, format!("files have changed since the newest good archive in `{place}`, {old} ago"))
            .fix(create)
            .data("reason", "changed")
    } else if let Changed::Unseen(why) = &held.changed {
        Finding::unknown(ID, subject, format!("the files cannot be compared with the newest archive in `{place}`"))
            .cause(why.clone())
            .fix(format!("see what a backup would say: mainstay backup create {subject} --dry-run"))
            .data("reason", "sources")
    } else if let Some((id, why)) = held.strange.first() {
        Finding::fail(ID, subject, format!("`{place}` holds an archive that is not ours: {why}"))
            .observed(id.clone())
            .fix("find out who put it there; if its key is right, add it to `signers`")
            .data("reason", "origin")
    } else if let Some((id, why)) = held.suspect.first() {
        Finding::warn(ID, subject, format!("the newest archive in `{place}` is suspect: {why}"))
            .observed(id.clone())
            .fix(format!("look whether the sources are complete, then {create}"))
            .data("reason", "suspect")
    } else if let Some(trouble) = held.troubles.first() {
        Finding::warn(ID, subject, format!("the archives in `{place}` do not follow each other: {trouble}"))
            .fix(format!("compare the list with other destinations: mainstay backup list {subject}"))
            .data("reason", "chain")
    } else if let Some(id) = held.incomplete.first() {
        Finding::warn(ID, subject, format!("`{place}` holds what an interrupted run left"))
            .observed(id.clone())
            .fix(format!("{create}: it clears up; or keep it with `mainstay backup verify {subject} --adopt`"))
            .data("reason", "incomplete")
    } else {
        Finding::pass(ID, subject, format!("`{place}` has a good archive, {old} old"))
    };
    let finding = finding.expected(expected).data("archive", good.id.clone()).data("age_seconds", age.as_secs()).data(
        "changed",
        match held.changed {
            Changed::No => Some(false),
            Changed::Yes => Some(true),
            Changed::NotKnown | Changed::Unseen(_) => None,
        },
    );
    with_remarks(finding, remarks)
}

/// Nobody could look, but what this host remembers can be too old without a look: an archive that another host or a copy
/// brought there since is not known, and not relied upon.
fn of_memory(subject: &str, seen: &Observation, absence: &Absence, max_age: Duration, now: Timestamp) -> Finding {
    let place = &seen.destination;
    let Absence { reason, why, fix } = absence;
    let age = seen.remembered.as_ref().map(|good| (good, now.duration_since(good.created)));
    let finding = match age {
        Some((_, age)) if age > signed(max_age) => {
            let summary = format!("the newest archive in `{place}` that is known is {} old", words(age));
            Finding::fail(ID, subject, summary).cause(format!("it cannot be looked at: {why}")).data("reason", "stale")
        }
        Some((_, age)) => Finding::unknown(ID, subject, format!("`{place}` cannot be looked at: {why}"))
            .observed(format!("the newest archive that is known is {} old", words(age)))
            .data("reason", *reason),
        None => Finding::unknown(ID, subject, format!("`{place}` cannot be looked at: {why}")).data("reason", *reason),
    };
    let finding = finding
        .expected(format!("a good archive, not older than {}", print_duration(max_age)))
        .fix(fix.clone())
        .data("destination_reason", *reason);
    match age {
        Some((good, age)) => finding.data("archive", good.id.clone()).data("age_seconds", age.as_secs()),
        None => finding,
    }
}

/// Everything that is odd besides the verdict.
fn remarks(held: &Holdings) -> Vec<String> {
    let mut remarks: Vec<String> = held.strange.iter().map(|(id, why)| format!("{id} is not ours: {why}")).collect();
    remarks.extend(held.suspect.iter().map(|(id, why)| format!("{id} is suspect: {why}")));
    remarks.extend(held.troubles.iter().cloned());
    remarks.extend(held.incomplete.iter().map(|id| format!("{id} is incomplete")));
    remarks
}

fn with_remarks(finding: Finding, remarks: Vec<String>) -> Finding {
    if remarks.is_empty() { finding } else { finding.data("notes", remarks) }
}

/// The largest two units are enough for an age.
fn words(age: SignedDuration) -> String {
    let seconds = age.as_secs().max(0).unsigned_abs();
    let step = match seconds {
        0..60 => 1,
        60..3600 => 60,
        3600..172_800 => 3600,
        _ => 86_400,
    };
    let days = seconds / 86_400;
    // Ages are compared in days: "23d" says more than "3w2d".
    if days >= 2 { format!("{days}d") } else { print_duration(Duration::from_secs(seconds / step * step)) }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::assert_one_voice;

    const DAY: Duration = Duration::from_secs(86_400);
    const MAX: Duration = Duration::from_secs(7 * 86_400);

    fn now() -> Timestamp {
        "2026-11-23T18:00:00Z".parse().unwrap()
    }

    fn aged(hours: i64) -> Newest {
        let created = now() - SignedDuration::from_hours(hours);
        Newest { id: "prime-app-20261116T180000Z-000042".to_owned(), created }
    }

    fn holding(holdings: Holdings) -> Observation {
        Observation { destination: "/mnt/usb".into(), required: true, holdings: Ok(holdings), remembered: None }
    }

    fn away(remembered: Option<Newest>) -> Observation {
        let absence =
            Absence { reason: "medium-absent", why: "nothing is mounted there".into(), fix: "plug it in".into() };
        Observation { destination: "/mnt/usb".into(), required: true, holdings: Err(absence), remembered }
    }

    fn verdict(seen: &Observation) -> (Status, Option<String>) {
        let finding = judge("app", seen, MAX, now());
        assert_one_voice(&finding);
        assert_eq!(finding.data["destination"], "/mnt/usb");
        (finding.status, finding.data.get("reason").map(|reason| reason.as_str().unwrap().to_owned()))
    }

    #[test]
    fn the_newest_good_archive_decides() {
        let good = |hours| Holdings { good: Some(aged(hours)), ..Holdings::default() };
        let odd = |id: &str| vec![(id.to_owned(), "it is so".to_owned())];
        let table = [
            (good(3), Status::Pass, None),
            (Holdings { changed: Changed::No, ..good(3) }, Status::Pass, None),
            (good(7 * 24), Status::Pass, None),
            (good(7 * 24 + 1), Status::Fail, Some("stale")),
            (Holdings::default(), Status::Fail, Some("none")),
            (Holdings { suspect: odd("x"), ..Holdings::default() }, Status::Fail, Some("none")),
            (Holdings { changed: Changed::Yes, ..good(3) }, Status::Fail, Some("changed")),
            (Holdings { changed: Changed::Yes, ..good(8 * 24) }, Status::Fail, Some("stale")),
            (Holdings { changed: Changed::Unseen("x".into()), ..good(3) }, Status::Unknown, Some("sources")),
            (good(0), Status::Pass, None),
            (good(-1), Status::Pass, None),
            (good(-2), Status::Fail, Some("future")),
            (Holdings { strange: odd("x"), ..good(3) }, Status::Fail, Some("origin")),
            (Holdings { suspect: odd("x"), ..good(3) }, Status::Warn, Some("suspect")),
            (Holdings { troubles: vec!["000041 is missing".into()], ..good(3) }, Status::Warn, Some("chain")),
            (Holdings { incomplete: vec!["x".into()], ..good(3) }, Status::Warn, Some("incomplete")),
        ];
        for (holdings, status, reason) in table {
            let shown = format!("{holdings:?}");
            assert_eq!(verdict(&holding(holdings)), (status, reason.map(str::to_owned)), "{shown}");
        }
    }

    #[test]
    fn backup_case_06_a_stick_that_is_not_there_is_unknown_and_its_staleness_still_counts() {
        assert_eq!(verdict(&away(None)), (Status::Unknown, Some("medium-absent".into())));
        assert_eq!(verdict(&away(Some(aged(24)))), (Status::Unknown, Some("medium-absent".into())));
        assert_eq!(verdict(&away(Some(aged(8 * 24)))), (Status::Fail, Some("stale".into())));
        let finding = judge("app", &away(Some(aged(8 * 24))), MAX, now());
        assert_eq!(finding.cause.as_deref(), Some("it cannot be looked at: nothing is mounted there"));
        assert_eq!(
            (&finding.data["destination_reason"], &finding.data["age_seconds"]),
            (&"medium-absent".into(), &691_200.into())
        );
    }

    #[test]
    fn a_destination_that_is_not_required_warns_at_most() {
        let stale =
            Observation { required: false, ..holding(Holdings { good: Some(aged(1000)), ..Holdings::default() }) };
        assert_eq!(verdict(&stale), (Status::Warn, Some("stale".into())));
        assert_eq!(verdict(&Observation { required: false, ..away(None) }).0, Status::Unknown, "never a pass");
    }

    #[test]
    fn what_is_odd_besides_is_told_too() {
        let odd = Holdings {
            good: Some(aged(8 * 24)),
            suspect: vec![("a".into(), "shrunk".into())],
            incomplete: vec!["b".into()],
            ..Holdings::default()
        };
        let finding = judge("app", &holding(odd), MAX, now());
        assert_eq!(finding.summary, "the newest good archive in `/mnt/usb` is 8d old");
        assert_eq!(finding.data["notes"], serde_json::json!(["a is suspect: shrunk", "b is incomplete"]));
    }

    #[test]
    fn drills_are_judged_by_result_and_age() {
        let drill = |days: i64, good| Rehearsal {
            at: now() - SignedDuration::from_hours(24 * days),
            archive: "x".into(),
            destination: "/mnt/usb".into(),
            good,
        };
        for (drill, status, reason) in [
            (None, Status::Warn, Some("drill-never")),
            (Some(drill(1, true)), Status::Pass, None),
            (Some(drill(91, true)), Status::Warn, Some("drill-old")),
            (Some(drill(1, false)), Status::Fail, Some("drill-failed")),
            (Some(drill(91, false)), Status::Fail, Some("drill-failed")),
        ] {
            let finding = judge_drill("app", drill.as_ref(), 90 * DAY, now());
            assert_one_voice(&finding);
            assert_eq!(finding.status, status);
            assert_eq!(finding.data.get("reason").map(|reason| reason.as_str().unwrap()), reason);
        }
    }

    #[test]
    fn an_age_is_told_in_the_unit_that_matters() {
        for (seconds, text) in
            [(5, "5s"), (65, "1m"), (7300, "2h"), (90_000, "1d1h"), (200_000, "2d"), (2_000_000, "23d")]
        {
            assert_eq!(words(SignedDuration::from_secs(seconds)), text);
        }
    }
}
