//! The failure budget: how soon a renewal that failed may be tried again, so that no timer can burn an authority's limits.
//!
//! Let's Encrypt counts 5 failed validations a name and hour and 5 certificates of one set of names a week. Its integration
//! guide asks for 1, 10 and 100 minutes, then a day.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What is remembered of failed renewals since the last one that worked.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Failures {
    /// How many there were in a row.
    pub count: u32,
    /// When the last one was.
    pub at: Timestamp,
    /// What it was: a word of [`super::Word`].
    pub reason: String,
    /// In one line.
    pub detail: String,
    /// Before this the authority wants to hear nothing.
    pub retry_after: Option<Timestamp>,
    /// Whether the authority refused or could not be reached: then the next try is a rehearsal first.
    pub authority: bool,
}

/// Whether a renewal may be tried.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Permission {
    /// It may.
    Now {
        /// Whether it must be rehearsed first.
        rehearse: bool,
    },
    /// Not before then.
    Wait {
        /// When.
        until: Timestamp,
        /// Why, in one line.
        why: String,
        /// Whether the authority itself said so: then nothing of ours may shorten it.
        authority: bool,
    },
}

impl Failures {
    /// The next failure after those so far.
    pub fn after(
        before: Option<&Self>,
        reason: &str,
        detail: String,
        retry_after: Option<Timestamp>,
        authority: bool,
        now: Timestamp,
    ) -> Self {
        let count = before.map_or(0, |before| before.count).saturating_add(1);
        // People read it, and nobody needs less than a second of it.
        let at = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Self { count, at, reason: reason.to_owned(), detail, retry_after, authority }
    }

    /// How long to wait after so many failures in a row.
    pub fn pause(&self) -> SignedDuration {
        SignedDuration::from_mins(match self.count {
            0 => 0,
            1 => 1,
            2 => 10,
            3 => 100,
            _ => 24 * 60,
        })
    }

    /// Whether another try may be made now.
    pub fn permission(&self, now: Timestamp) -> Permission {
        if let Some(until) = self.retry_after.filter(|until| *until > now) {
            let why = format!("the authority wants no request before {until} ({})", self.detail);
            return Permission::Wait { until, why, authority: true };
        }
        let until = self.at + self.pause();
        // A clock that was put back would make one wait for as long.
        if until > now && self.at <= now {
            let times = match self.count {
                1 => "it failed".to_owned(),
                count => format!("it failed {count} times in a row"),
            };
            let why = format!("{times}, last on {}: {}", self.at, self.detail);
            return Permission::Wait { until, why, authority: false };
        }
        Permission::Now { rehearse: self.authority }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn failed(count: u32, retry_after: Option<&str>) -> Failures {
        Failures {
            count,
            at: at("2026-01-01T00:00:00Z"),
            reason: "challenge".into(),
            detail: "no token".into(),
            retry_after: retry_after.map(at),
            authority: true,
        }
    }

    fn until(failures: &Failures, now: &str) -> Option<String> {
        match failures.permission(at(now)) {
            Permission::Now { .. } => None,
            Permission::Wait { until, .. } => Some(until.to_string()),
        }
    }

    #[test]
    fn renew_case_45_the_pauses_grow_from_a_minute_to_a_day() {
        let now = "2026-01-01T00:00:30Z";
        for (count, expected) in [
            (1, "2026-01-01T00:01:00Z"),
            (2, "2026-01-01T00:10:00Z"),
            (3, "2026-01-01T01:40:00Z"),
            (4, "2026-01-02T00:00:00Z"),
            (40, "2026-01-02T00:00:00Z"),
        ] {
            assert_eq!(until(&failed(count, None), now).as_deref(), Some(expected), "{count}");
        }
        assert_eq!(until(&failed(1, None), "2026-01-01T00:01:00Z"), None);
        assert_eq!(failed(1, None).permission(at("2026-01-01T00:01:00Z")), Permission::Now { rehearse: true });
        // A clock that was put back by a year does not stop the renewals for a year.
        assert_eq!(until(&failed(4, None), "2025-01-01T00:00:00Z"), None);
    }

    #[test]
    fn renew_case_44_what_the_authority_wants_comes_before_our_own_pause() {
        let limited = failed(1, Some("2026-01-03T00:00:00Z"));
        assert_eq!(until(&limited, "2026-01-02T23:59:59Z").as_deref(), Some("2026-01-03T00:00:00Z"));
        assert!(matches!(limited.permission(at("2026-01-02T00:00:00Z")), Permission::Wait { authority: true, .. }));
        assert_eq!(until(&limited, "2026-01-03T00:00:00Z"), None);
    }

    #[test]
    fn failures_are_counted_until_one_works() {
        let now = at("2026-01-01T00:00:00Z");
        let first = Failures::after(None, "authority", "x".into(), None, true, now);
        let second = Failures::after(Some(&first), "challenge", "y".into(), None, true, now);
        assert_eq!((first.count, second.count, second.reason.as_str()), (1, 2, "challenge"));
    }
}
