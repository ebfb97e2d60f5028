//! Times as Amazon writes them into sentences and windows.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use crate::rules::calendar::{Calendar, State};

/// Who stopped an instance, out of its `StateTransitionReason`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum User {
    /// Somebody who asked EC2 for it, then.
    At(Timestamp),
    /// Nobody is said to have.
    Nobody,
}

/// Reads `User initiated (2026-11-23 15:04:05 GMT)`.
pub fn initiated(reason: &str) -> User {
    let inside =
        reason.strip_prefix("User initiated").and_then(|rest| rest.trim().strip_prefix('(')?.strip_suffix(')'));
    let text = inside.and_then(|inside| inside.strip_suffix(" GMT").or_else(|| inside.strip_suffix(" UTC")));
    let time = text.and_then(|text| DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok());
    match time.and_then(|time| TimeZone::UTC.to_timestamp(time).ok()) {
        Some(at) => User::At(at),
        None => User::Nobody,
    }
}

/// Whether a daily (`05:00-05:30`) or weekly (`sun:06:00-sun:06:30`) window of RDS, in UTC, lies wholly in off time in the
/// fourteen days that follow; `None` when it is none.
pub fn window_inside(window: &str, calendar: &Calendar, now: Timestamp) -> Option<bool> {
    let (start, end) = window.split_once('-')?;
    let (day, start) = match start.split_once(':')? {
        (day, time) if day.len() == 3 && day.bytes().all(|byte| byte.is_ascii_alphabetic()) => (Some(day), time),
        _ => (None, start),
    };
    let end = end
        .split_once(':')
        .filter(|(day, _)| day.bytes().all(|byte| byte.is_ascii_alphabetic()))
        .map_or(end, |(_, time)| time);
    let time = |text: &str| jiff::civil::Time::strptime("%H:%M", text).ok();
    let (start, end) = (time(start)?, time(end)?);
    let today = TimeZone::UTC.to_datetime(now).date();
    let mut date = today;
    for _ in 0..14 {
        date = date.tomorrow().ok()?;
        let name = date.strftime("%a").to_string().to_lowercase();
        if day.is_some_and(|day| day.to_lowercase() != name) {
            continue;
        }
        let from = TimeZone::UTC.to_timestamp(date.to_datetime(start)).ok()?;
        let last = if end <= start { date.tomorrow().ok()? } else { date };
        let to = TimeZone::UTC.to_timestamp(last.to_datetime(end)).ok()?;
        let runs = calendar.decide(from).want != Some(State::Off)
            || calendar.transitions(from, to).iter().any(|act| act.state == State::On);
        if runs {
            return Some(false);
        }
    }
    Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_tells_when_somebody_stopped_it() {
        let at = |text: &str| User::At(text.parse().unwrap());
        for (reason, expected) in [
            ("User initiated (2026-11-23 15:04:05 GMT)", at("2026-11-23T15:04:05Z")),
            ("User initiated (2026-11-23 15:04:05 UTC)", at("2026-11-23T15:04:05Z")),
            ("User initiated", User::Nobody),
            ("Server.InternalError", User::Nobody),
            ("", User::Nobody),
            ("User initiated (yesterday)", User::Nobody),
        ] {
            assert_eq!(initiated(reason), expected, "{reason}");
        }
    }

    #[test]
    fn schedule_case_61_a_window_of_rds_inside_off_time_is_seen() {
        let zone = jiff::tz::TimeZoneDatabase::bundled().get("America/Detroit").unwrap();
        let calendar = Calendar::new(zone, vec!["Mon-Fri 07:00-19:00".parse().unwrap()]).unwrap();
        let now = "2026-11-23T18:00:00Z".parse().unwrap();
        for (window, inside) in [
            ("05:00-05:30", Some(true)),
            ("15:00-15:30", Some(false)),
            ("11:45-12:15", Some(false)),
            ("sun:06:00-sun:06:30", Some(true)),
            ("tue:13:00-tue:13:30", Some(false)),
            ("nonsense", None),
        ] {
            assert_eq!(window_inside(window, &calendar, now), inside, "{window}");
        }
    }
}
