//! A repeat in the words of systemd and of cron, and when it comes next.
//!
//! `every N` is told to systemd in UTC: by a local clock, systemd leaves out the hour that a change of clocks repeats
//! (seen with systemd 252), and a schedule of five minutes would pause for an hour. Times of the day are local; one that the
//! clocks skip is left out by systemd that day, and made up for by cron.

use std::time::Duration;

use jiff::{
    Timestamp, ToSpan,
    civil::Weekday,
    tz::{AmbiguousOffset, TimeZone},
};

use super::{Minute, Repeat, window::name};

/// The minutes of a day.
const DAY: u16 = 1440;

impl Repeat {
    /// The expression of `OnCalendar=` (systemd.time(7)).
    pub fn on_calendar(self) -> String {
        match self {
            Self::Daily(at) => format!("*-*-* {at}:00"),
            Self::Every(1) => "*-*-* *:*:00 UTC".to_owned(),
            Self::Every(60) => "*-*-* *:00:00 UTC".to_owned(),
            Self::Every(DAY) => "*-*-* 00:00:00 UTC".to_owned(),
            Self::Every(minutes @ ..60) => format!("*-*-* *:00/{minutes}:00 UTC"),
            Self::Every(minutes) => format!("*-*-* 00/{}:00:00 UTC", minutes / 60),
            Self::TwiceDaily => "*-*-* 00,12:00:00".to_owned(),
            Self::Weekly(day, at) => format!("{} *-*-* {at}:00", name(day)),
        }
    }

    /// How long after that time it may begin: a moment of the machine's own, so that many machines do not ask at once.
    pub fn delay(self) -> Duration {
        let minutes = match self {
            Self::Daily(_) | Self::Weekly(..) => 10,
            // The twentieth part of the interval, five minutes at most.
            Self::Every(minutes) => return Duration::from_secs((u64::from(minutes) * 3).min(300)),
            Self::TwiceDaily => 12 * 60,
        };
        Duration::from_secs(minutes * 60)
    }

    /// The five fields of a line of crontab(5). `spread` picks the minute of what comes twice a day.
    pub fn cron(self, spread: u16) -> String {
        let at = |at: Minute| format!("{} {}", at.0 % 60, at.0 / 60);
        match self {
            Self::Daily(time) => format!("{} * * *", at(time)),
            Self::Every(1) => "* * * * *".to_owned(),
            Self::Every(60) => "0 * * * *".to_owned(),
            Self::Every(DAY) => "0 0 * * *".to_owned(),
            Self::Every(minutes @ ..60) => format!("*/{minutes} * * * *"),
            Self::Every(minutes) => format!("0 */{} * * *", minutes / 60),
            Self::TwiceDaily => {
                let first = spread % (DAY / 2);
                format!("{} {},{} * * *", first % 60, first / 60, first / 60 + 12)
            }
            Self::Weekly(day, time) => format!("{} * * {}", at(time), day.to_sunday_zero_offset()),
        }
    }

    /// When systemd starts it next, after this instant and before any delay, on a machine in this zone.
    pub fn next(self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Every(_) => first(&self.times(0), None, after, &TimeZone::UTC, Skipped::LeftOut),
            _ => first(&self.times(0), self.day(), after, zone, Skipped::LeftOut),
        }
    }

    /// The same for a line of cron.
    pub fn next_by_cron(self, after: Timestamp, zone: &TimeZone, spread: u16) -> Option<Timestamp> {
        first(&self.times(spread), self.day(), after, zone, Skipped::MadeUpFor)
    }

    fn day(self) -> Option<Weekday> {
        match self {
            Self::Weekly(day, _) => Some(day),
            Self::Daily(_) | Self::Every(_) | Self::TwiceDaily => None,
        }
    }

    /// The minutes of a day at which it comes, in order.
    fn times(self, spread: u16) -> Vec<u16> {
        match self {
            Self::Daily(at) | Self::Weekly(_, at) => vec![at.0],
            Self::Every(minutes) => (0..DAY).step_by(minutes.max(1).into()).collect(),
            Self::TwiceDaily => {
                let first = spread % (DAY / 2);
                vec![first, first + DAY / 2]
            }
        }
    }
}

/// What becomes of a time that the clocks skip.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Skipped {
    LeftOut,
    MadeUpFor,
}

/// The first of these times after an instant.
fn first(
    times: &[u16],
    day: Option<Weekday>,
    after: Timestamp,
    zone: &TimeZone,
    skipped: Skipped,
) -> Option<Timestamp> {
    let mut date = zone.to_datetime(after).date();
    // A weekly time that is left out comes a fortnight later.
    for _ in 0..16 {
        if day.is_none_or(|day| day == date.weekday()) {
            for minute in times {
                let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
                let found = zone.to_ambiguous_timestamp(date.at(hour, minute, 0, 0));
                if matches!(found.offset(), AmbiguousOffset::Gap { .. }) && skipped == Skipped::LeftOut {
                    continue;
                }
                // What comes twice comes the first time.
                let instant = found.compatible().ok()?;
                if instant > after {
                    return Some(instant);
                }
            }
        }
        date = date.checked_add(1.day()).ok()?;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn repeat(text: &str) -> Repeat {
        text.parse().unwrap()
    }

    #[test]
    fn a_repeat_in_the_words_of_systemd_and_of_cron() {
        for (text, systemd, cron, delay) in [
            ("every 1m", "*-*-* *:*:00 UTC", "* * * * *", 3),
            ("every 5m", "*-*-* *:00/5:00 UTC", "*/5 * * * *", 15),
            ("every 15m", "*-*-* *:00/15:00 UTC", "*/15 * * * *", 45),
            ("every 1h", "*-*-* *:00:00 UTC", "0 * * * *", 180),
            ("every 6h", "*-*-* 00/6:00:00 UTC", "0 */6 * * *", 300),
            ("every 1d", "*-*-* 00:00:00 UTC", "0 0 * * *", 300),
            ("daily 02:30", "*-*-* 02:30:00", "30 2 * * *", 600),
            ("twice daily", "*-*-* 00,12:00:00", "40 1,13 * * *", 43_200),
            ("weekly Sun 03:00", "Sun *-*-* 03:00:00", "0 3 * * 0", 600),
        ] {
            let repeat = repeat(text);
            assert_eq!((repeat.on_calendar(), repeat.cron(820)), (systemd.to_owned(), cron.to_owned()), "{text}");
            assert_eq!(repeat.delay(), Duration::from_secs(delay), "{text}");
        }
    }

    #[test]
    fn the_next_time_by_clocks_that_change() {
        let zone = jiff::tz::TimeZoneDatabase::bundled().get("America/Detroit").unwrap();
        for (text, after, systemd, cron) in [
            ("every 15m", "2026-11-23T18:00:00Z", "2026-11-23T18:15:00Z", "2026-11-23T18:15:00Z"),
            ("every 6h", "2026-11-23T18:00:00Z", "2026-11-24T00:00:00Z", "2026-11-23T23:00:00Z"),
            ("daily 02:30", "2026-11-23T18:00:00Z", "2026-11-24T07:30:00Z", "2026-11-24T07:30:00Z"),
            // The clocks go from 02:00 to 03:00.
            ("daily 02:30", "2026-03-08T05:00:00Z", "2026-03-09T06:30:00Z", "2026-03-08T07:30:00Z"),
            ("weekly Sun 02:30", "2026-03-08T05:00:00Z", "2026-03-15T06:30:00Z", "2026-03-08T07:30:00Z"),
            // 01:30 comes twice.
            ("daily 01:30", "2026-11-01T05:00:00Z", "2026-11-01T05:30:00Z", "2026-11-01T05:30:00Z"),
            ("every 15m", "2026-11-01T05:50:00Z", "2026-11-01T06:00:00Z", "2026-11-01T07:00:00Z"),
            ("twice daily", "2026-11-23T18:00:00Z", "2026-11-24T05:00:00Z", "2026-11-23T18:40:00Z"),
        ] {
            let after: Timestamp = after.parse().unwrap();
            let next = repeat(text).next(after, &zone).unwrap();
            assert_eq!(next.to_string(), systemd, "{text} after {after}");
            let next = repeat(text).next_by_cron(after, &zone, 820 % 720).unwrap();
            assert_eq!(next.to_string(), cron, "{text} after {after} by cron");
        }
    }

    fn any() -> impl Strategy<Value = Repeat> {
        let every = [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1440];
        let day = prop::sample::select(vec![Weekday::Monday, Weekday::Saturday, Weekday::Sunday]);
        prop_oneof![
            prop::sample::select(every.to_vec()).prop_map(Repeat::Every),
            (0_u16..1440).prop_map(|at| Repeat::Daily(Minute(at))),
            Just(Repeat::TwiceDaily),
            (day, 0_u16..1440).prop_map(|(day, at)| Repeat::Weekly(day, Minute(at))),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(repeat in any()) {
            prop_assert_eq!(repeat.to_string().parse::<Repeat>(), Ok(repeat));
        }

        #[test]
        fn there_is_always_a_next_time_and_it_is_later(repeat in any(), seconds in 0_i64..4_000_000_000, spread: u16) {
            let zone = jiff::tz::TimeZoneDatabase::bundled().get("Australia/Lord_Howe").unwrap();
            let after = Timestamp::from_second(seconds).unwrap();
            for next in [repeat.next(after, &zone), repeat.next_by_cron(after, &zone, spread)] {
                prop_assert!(next.is_some_and(|next| next > after));
            }
        }
    }
}
