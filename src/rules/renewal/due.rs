//! Whether a certificate is due for renewal, and why.
//!
//! The order: a floor that nothing can lower (expired, or a twentieth of its life left); what the authority suggests (ARI,
//! RFC 9773); a third of the lifetime, half of one under ten days (Let's Encrypt's integration guide). certbot 2.1 has 30
//! days flat, by which a certificate of six days is always due, and certbot 5 lets ARI hold one back beyond its end.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::ari::Drawn;

/// From when until when a certificate is valid.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validity {
    /// The first moment.
    pub from: Timestamp,
    /// The last one.
    pub until: Timestamp,
}

/// What was decided.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Decision {
    /// Why.
    pub reason: Reason,
    /// When it becomes due; in the past where it is due.
    pub at: Timestamp,
    /// The certificate's end.
    pub until: Timestamp,
    /// From now to the end; negative when it is over.
    pub left: SignedDuration,
    /// What the operator should know besides: an answer of the authority that is overridden.
    pub note: Option<String>,
}

/// What decided, in the order in which it is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// This machine's clock or the certificate is wrong: nothing can be decided.
    Clock,
    /// It is over.
    Expired,
    /// Less than a twentieth of its life is left.
    Floor,
    /// The moment drawn from the authority's window has come.
    Suggested,
    /// That moment has not come.
    NotSuggested,
    /// The share of its life has come at which certificates of this lifetime are renewed.
    Share,
    /// It has not come.
    Early,
}

/// Clocks may differ by this much.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Decides; `drawn` is the moment drawn from the authority's window, when there is a fresh one.
pub fn decide(validity: Validity, drawn: Option<&Drawn>, now: Timestamp) -> Decision {
    let Validity { from, until } = validity;
    let left = until.duration_since(now);
    let lifetime = until.duration_since(from);
    let decision = |reason, at| Decision { reason, at, until, left, note: None };
    if now + SKEW < from || lifetime <= SignedDuration::ZERO {
        return decision(Reason::Clock, from);
    }
    // A person reads these: no fractions of a second.
    let whole = |at: Timestamp| Timestamp::from_second(at.as_second()).unwrap_or(at);
    let floor = whole(until - lifetime / 20);
    let overridden = |decision: Decision| match drawn {
        Some(drawn) if drawn.moment > now => Decision {
            note: Some(format!(
                "the authority suggests {} to {}, which is too late",
                drawn.window.start, drawn.window.end
            )),
            ..decision
        },
        _ => decision,
    };
    if left <= SignedDuration::ZERO {
        return overridden(decision(Reason::Expired, until));
    }
    if now >= floor {
        return overridden(decision(Reason::Floor, floor));
    }
    if let Some(drawn) = drawn {
        let at = whole(drawn.moment).min(floor);
        let reason = if now >= at { Reason::Suggested } else { Reason::NotSuggested };
        return decision(reason, at);
    }
    let share = if lifetime < SHORT { lifetime / 2 } else { lifetime / 3 };
    let at = whole(until - share);
    decision(if now >= at { Reason::Share } else { Reason::Early }, at)
}

/// Certificates that live shorter are renewed at half of their life.
const SHORT: SignedDuration = SignedDuration::from_hours(10 * 24);

impl Decision {
    /// Whether it is to be renewed now.
    pub fn is_due(&self) -> bool {
        matches!(self.reason, Reason::Expired | Reason::Floor | Reason::Suggested | Reason::Share)
    }
}

impl Reason {
    /// The word for `data.reason`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Expired => "expired",
            Self::Floor => "last-twentieth",
            Self::Suggested => "ari",
            Self::NotSuggested => "ari-later",
            Self::Share => "lifetime",
            Self::Early => "early",
        }
    }
}

impl fmt::Display for Decision {
    /// One sentence, lower case, without a full stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = span(self.left);
        match self.reason {
            Reason::Clock => write!(f, "it begins on {}, which is in the future", self.at),
            Reason::Expired => write!(f, "it expired {} ago, on {}", span(-self.left), self.until),
            Reason::Floor => write!(f, "it ends in {left}, less than a twentieth of its lifetime"),
            Reason::Suggested => write!(f, "the authority suggests it (ARI) since {}; it ends in {left}", self.at),
            Reason::NotSuggested => write!(f, "the authority suggests {} (ARI); it ends in {left}", self.at),
            Reason::Share => write!(f, "it ends in {left}, and was due on {}", self.at),
            Reason::Early => write!(f, "it ends in {left}, and is due on {}", self.at),
        }
    }
}

/// "61 days", "1 day", "5 hours", "3 minutes": as exact as a person wants it.
pub(super) fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let (count, unit) = match seconds {
        172_800.. => (seconds / 86_400, "day"),
        7200.. => (seconds / 3600, "hour"),
        120.. => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rules::renewal::ari::Window;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn days(from: &str, days: i64) -> Validity {
        Validity { from: at(from), until: at(from) + SignedDuration::from_hours(24 * days) }
    }

    fn drawn(moment: &str) -> Drawn {
        let moment = at(moment);
        let hour = SignedDuration::from_hours(1);
        Drawn { window: Window { start: moment - hour, end: moment + hour, explanation: None }, moment }
    }

    const START: &str = "2026-01-01T00:00:00Z";

    #[test]
    fn without_a_suggestion_a_third_of_the_lifetime_decides_and_half_of_a_short_one() {
        let table = [
            // 90, 64 and 45 days: a third.
            (90, "2026-03-01T23:59:59Z", Reason::Early),
            (90, "2026-03-02T00:00:00Z", Reason::Share),
            (45, "2026-01-30T23:59:59Z", Reason::Early),
            (45, "2026-01-31T00:00:00Z", Reason::Share),
            // 6 days: half.
            (6, "2026-01-03T23:59:59Z", Reason::Early),
            (6, "2026-01-04T00:00:00Z", Reason::Share),
            (90, "2026-03-28T00:00:00Z", Reason::Floor),
            (90, "2026-04-01T00:00:00Z", Reason::Expired),
        ];
        for (life, now, reason) in table {
            let decision = decide(days(START, life), None, at(now));
            assert_eq!(decision.reason, reason, "{life} days at {now}: {decision}");
            assert_eq!(decision.is_due(), !matches!(reason, Reason::Early), "{decision}");
        }
    }

    #[test]
    fn renew_case_50_a_suggestion_far_away_does_not_hold_a_certificate_back_to_its_death() {
        let far = drawn("2099-01-01T00:00:00Z");
        for (now, reason) in [
            ("2026-03-20T00:00:00Z", Reason::NotSuggested),
            ("2026-03-28T00:00:00Z", Reason::Floor),
            ("2026-04-02T00:00:00Z", Reason::Expired),
        ] {
            let decision = decide(days(START, 90), Some(&far), at(now));
            assert_eq!(decision.reason, reason, "{decision}");
            assert_eq!(decision.note.is_some(), reason != Reason::NotSuggested, "{decision:?}");
        }
        // While it waits it says when it will not wait any longer: at the floor.
        let decision = decide(days(START, 90), Some(&far), at("2026-03-20T00:00:00Z"));
        assert_eq!(decision.at, at("2026-03-27T12:00:00Z"));
        // A suggestion in the past makes it due, whatever is left.
        assert!(decide(days(START, 90), Some(&drawn("2026-01-03T00:00:00Z")), at("2026-01-04T00:00:00Z")).is_due());
        assert!(!decide(days(START, 90), Some(&drawn("2026-03-20T00:00:00Z")), at("2026-03-10T00:00:00Z")).is_due());
    }

    #[test]
    fn renew_case_51_certificates_of_six_and_45_days_are_not_always_due() {
        for life in [6, 45] {
            let decision = decide(days(START, life), None, at("2026-01-02T00:00:00Z"));
            assert_eq!(decision.reason, Reason::Early, "{life} days: {decision}");
        }
    }

    #[test]
    fn renew_case_52_a_wrong_clock_decides_nothing() {
        for now in ["1970-01-01T00:05:00Z", "2025-12-31T23:54:59Z"] {
            let decision = decide(days(START, 90), None, at(now));
            assert_eq!((decision.reason, decision.is_due()), (Reason::Clock, false), "{decision}");
        }
        // A clock that is a little behind the authority's is not wrong.
        assert_eq!(decide(days(START, 90), None, at("2025-12-31T23:56:00Z")).reason, Reason::Early);
    }

    #[test]
    fn it_is_told_in_one_sentence() {
        let said = |now: &str| decide(days(START, 90), None, at(now)).to_string();
        assert_eq!(said("2026-02-01T00:00:00Z"), "it ends in 59 days, and is due on 2026-03-02T00:00:00Z");
        assert_eq!(said("2026-03-31T23:00:00Z"), "it ends in 60 minutes, less than a twentieth of its lifetime");
        assert_eq!(said("2026-04-03T00:00:00Z"), "it expired 2 days ago, on 2026-04-01T00:00:00Z");
    }

    proptest! {
        #[test]
        fn nothing_is_ever_left_to_die(life in 1i64..400, age in 0i64..500 * 86_400, suggestion in proptest::option::of(0i64..4_000_000_000)) {
            let validity = days(START, life);
            let now = validity.from + SignedDuration::from_secs(age);
            let drawn = suggestion.map(|at| {
                let moment = Timestamp::from_second(at).unwrap();
                Drawn { window: Window { start: moment, end: moment + SignedDuration::from_secs(1), explanation: None }, moment }
            });
            let decision = decide(validity, drawn.as_ref(), now);
            let left = validity.until.duration_since(now);
            if left < SignedDuration::from_hours(24 * life) / 20 {
                prop_assert!(decision.is_due());
            }
            prop_assert_eq!(decision.is_due(), decision.at <= now);
        }
    }
}
