//! Which archives stay and which go, and why.
//!
//! The rules are restic's, with its holes closed: only archives that are known to be good count, `within` is measured from
//! the newest of them and not from now, and whatever the rules say a number of good ones stays.
//!
//! A larger rule never removes what a smaller one keeps, and to decide again after the removal changes nothing.

mod period;
mod reason;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, time::Duration};

use jiff::{Timestamp, tz::TimeZone};

pub use period::Period;
pub use reason::Reason;

use super::archive_id::ArchiveId;

/// `keep`: how many archives stay. The rules are ORed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Keep {
    /// The newest ones.
    pub last: Option<u64>,
    /// The newest one of each of so many hours.
    pub hourly: Option<u64>,
    /// The newest one of each of so many days.
    pub daily: Option<u64>,
    /// The newest one of each of so many ISO weeks.
    pub weekly: Option<u64>,
    /// The newest one of each of so many months.
    pub monthly: Option<u64>,
    /// The newest one of each of so many years.
    pub yearly: Option<u64>,
    /// All that are not older than this before the newest good one.
    pub within: Option<Duration>,
}

/// An archive that may stay or go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Candidate {
    /// Its id.
    pub id: ArchiveId,
    /// When it was made.
    pub created: Timestamp,
    /// Why it does not count as good (suspect, not signed, found damaged), as a fragment; `None` where it is good. What is
    /// doubtful stays, and takes no good one's place.
    pub doubt: Option<String>,
    /// Whether its date is ahead of the store's own clock, which cannot be set by who makes archives: the clock that was
    /// wrong is its maker's, not ours.
    pub ahead: bool,
    /// Until when the store itself keeps it.
    pub retained_until: Option<Timestamp>,
    /// Whether it is the one that a restore was last rehearsed with.
    pub drilled: bool,
}

/// What becomes of an archive.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Decision {
    /// Its id.
    pub id: ArchiveId,
    /// All reasons for which it stays; empty where it goes.
    pub reasons: Vec<Reason>,
}

/// No archive is removed before it is this old: it may be in somebody's hands, and its copies elsewhere may be in the
/// making.
pub const YOUNG: Duration = Duration::from_secs(24 * 60 * 60);

/// Decides about all archives of one backup at one destination, newest first.
///
/// At least `min_good` good ones stay, whatever `keep` says; where `keep` has no rule at all, everything does. Where the
/// clock is before the newest archive ([`clock_is_behind`]), everything stays too.
pub fn decide(candidates: &[Candidate], keep: &Keep, min_good: u64, zone: &TimeZone, now: Timestamp) -> Vec<Decision> {
    let mut candidates: Vec<&Candidate> = candidates.iter().collect();
    candidates.sort_by(|one, other| (other.created, &other.id).cmp(&(one.created, &one.id)));
    let mut decisions: Vec<Decision> =
        candidates.iter().map(|candidate| Decision { id: candidate.id.clone(), reasons: Vec::new() }).collect();

    let counting: Vec<usize> = (0..candidates.len()).filter(|at| counts(candidates[*at])).collect();
    keep_last(&counting, keep, &mut decisions);
    for (period, wanted) in keep.periods() {
        keep_newest_of_each(&candidates, &counting, period, wanted, zone, &mut decisions);
    }
    keep_within(&candidates, &counting, keep, &mut decisions);
    for at in counting.iter().take(clamp(min_good)) {
        decisions[*at].reasons.push(Reason::MinGood(min_good));
    }

    let late = clock_is_behind(candidates.iter().copied(), now);
    for (candidate, decision) in candidates.iter().zip(&mut decisions) {
        decision.reasons.extend(protection(candidate, now));
        decision.reasons.extend(late.map(|newest| Reason::ClockBehind(newest.id.clone())));
        if keep.is_empty() {
            decision.reasons.push(Reason::NoRule);
        }
    }
    decisions
}

/// The archive that proves that our clock is late: it was made, by a clock that nothing contradicts, after now. Nothing may
/// be removed then, for nothing is known about anybody's age.
pub fn clock_is_behind<'a>(
    candidates: impl IntoIterator<Item = &'a Candidate>,
    now: Timestamp,
) -> Option<&'a Candidate> {
    candidates.into_iter().filter(|candidate| candidate.created > now && !candidate.ahead).max_by_key(|it| it.created)
}

/// Whether something that was made (or stored) then is younger than [`YOUNG`].
pub fn is_young(then: Timestamp, now: Timestamp) -> bool {
    now.duration_since(then).unsigned_abs() < YOUNG || then > now
}

impl Keep {
    /// Whether there is no rule that keeps anything: such a policy would remove everything, and is an error.
    pub fn is_empty(&self) -> bool {
        let counts = [self.last, self.hourly, self.daily, self.weekly, self.monthly, self.yearly];
        counts.iter().all(|count| count.unwrap_or(0) == 0) && self.within.unwrap_or_default().is_zero()
    }

    fn periods(&self) -> impl Iterator<Item = (Period, u64)> {
        let Self { hourly, daily, weekly, monthly, yearly, .. } = *self;
        [
            (Period::Hour, hourly),
            (Period::Day, daily),
            (Period::Week, weekly),
            (Period::Month, monthly),
            (Period::Year, yearly),
        ]
        .into_iter()
        .filter_map(|(period, wanted)| Some((period, wanted?)))
    }
}

impl Decision {
    /// Whether it stays.
    pub fn keeps(&self) -> bool {
        !self.reasons.is_empty()
    }

    /// Whether nothing but the store's own lock keeps it.
    pub fn is_kept_by_lock_only(&self) -> bool {
        matches!(self.reasons[..], [Reason::Locked(_)])
    }

    /// All reasons in words; for one that goes, that there is none.
    pub fn words(&self) -> String {
        if self.keeps() {
            self.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        } else {
            "no rule of `keep` asks for it".to_owned()
        }
    }
}

/// Whether an archive may be the newest of anything.
fn counts(candidate: &Candidate) -> bool {
    candidate.doubt.is_none() && !candidate.ahead
}

fn keep_last(counting: &[usize], keep: &Keep, decisions: &mut [Decision]) {
    let last = keep.last.unwrap_or(0);
    for at in counting.iter().take(clamp(last)) {
        decisions[*at].reasons.push(Reason::Last(last));
    }
}

fn keep_newest_of_each(
    candidates: &[&Candidate],
    counting: &[usize],
    period: Period,
    wanted: u64,
    zone: &TimeZone,
    decisions: &mut [Decision],
) {
    // Not only the one before is remembered: a clock that is set back over midnight leaves and enters a day twice.
    let mut seen = BTreeSet::new();
    for at in counting {
        if seen.len() >= clamp(wanted) {
            return;
        }
        let label = period.label(candidates[*at].created, zone);
        if seen.insert(label.clone()) {
            decisions[*at].reasons.push(Reason::Newest(period, label));
        }
    }
    if let Some(oldest) = counting.last().filter(|_| seen.len() < clamp(wanted)) {
        decisions[*oldest].reasons.push(Reason::Oldest(period, wanted));
    }
}

fn keep_within(candidates: &[&Candidate], counting: &[usize], keep: &Keep, decisions: &mut [Decision]) {
    let (Some(within), Some(newest)) = (keep.within.filter(|within| !within.is_zero()), counting.first()) else {
        return;
    };
    let newest = candidates[*newest].created;
    for at in counting {
        if newest.duration_since(candidates[*at].created).unsigned_abs() <= within {
            decisions[*at].reasons.push(Reason::Within(within));
        }
    }
}

/// What protects an archive whatever the rules say.
fn protection(candidate: &Candidate, now: Timestamp) -> impl Iterator<Item = Reason> {
    let drilled = candidate.drilled.then_some(Reason::Drilled);
    let doubt = candidate.doubt.clone().map(Reason::Doubt);
    let ahead = candidate.ahead.then_some(Reason::Ahead);
    let young = is_young(candidate.created, now).then_some(Reason::Young);
    let locked = candidate.retained_until.filter(|until| *until > now).map(Reason::Locked);
    [drilled, doubt, ahead, young, locked].into_iter().flatten()
}

/// More than there can be is all there is.
fn clamp(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
