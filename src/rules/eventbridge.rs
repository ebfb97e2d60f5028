//! A calendar as schedules of EventBridge Scheduler, and what gets lost on the way.
//!
//! EventBridge fires at times of the wall clock and knows neither states nor exceptions: a time that the clocks skip is
//! skipped, one that comes twice fires once (EventBridge Scheduler User Guide, "Daylight savings time"). So the schedules are
//! compared with the calendar over two years, and every difference is told.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, ToSpan, civil::Date, tz::AmbiguousOffset};

use super::calendar::{Calendar, Minute, State, Transition};

/// One schedule: when it fires, and what is wanted then.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Firing {
    /// What no other of the same calendar has: `on-0700`, `off-20261205-1300`.
    pub key: String,
    /// `cron(0 7 ? * MON,TUE *)`, `at(2026-12-05T09:00:00)`; in the zone of the calendar.
    pub expression: String,
    /// What is wanted.
    pub state: State,
    /// Whether it fires once and is removed afterwards.
    pub once: bool,
}

/// A calendar as EventBridge can have it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Compiled {
    /// The schedules.
    pub firings: Vec<Firing>,
    /// Boundaries of the two years ahead that fall into a time that the clocks skip, so that nothing would be done then.
    pub gaps: Vec<String>,
    /// Times of the year ahead at which something would be done that the calendar does not want, as dates: exceptions.
    pub wrong: Vec<String>,
    /// Boundaries that come at another time than the calendar's: a time that comes twice.
    pub moved: Vec<String>,
}

/// How far ahead gaps are looked for.
const AHEAD: i32 = 731;

/// How far ahead single dates get schedules of their own.
const SINGLE: i32 = 366;

/// Compiles a calendar, seen from an instant.
pub fn compile(calendar: &Calendar, now: Timestamp) -> Compiled {
    let mut by_time: BTreeMap<(Minute, State), BTreeSet<u8>> = BTreeMap::new();
    for (day, minute, state) in calendar.turns() {
        by_time.entry((minute, state)).or_default().insert(day.to_monday_zero_offset().unsigned_abs());
    }
    let mut compiled = Compiled::default();
    for ((minute, state), days) in &by_time {
        let days: Vec<&str> = days.iter().filter_map(|day| DAYS.get(usize::from(*day)).copied()).collect();
        let (hour, rest) = (minute.0 / 60, minute.0 % 60);
        compiled.firings.push(Firing {
            key: format!("{state}-{hour:02}{rest:02}"),
            expression: format!("cron({rest} {hour} ? * {} *)", days.join(",")),
            state: *state,
            once: false,
        });
    }
    if by_time.is_empty() && calendar.decide(now).want == Some(State::Off) {
        compiled.firings.push(Firing {
            key: "off-0000".to_owned(),
            expression: "cron(0 0 ? * * *)".to_owned(),
            state: State::Off,
            once: false,
        });
        return compiled;
    }
    let fired = compiled.compare(calendar, &by_time, now);
    compiled.add_single(calendar, &fired, now);
    compiled
}

const DAYS: [&str; 7] = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];

impl Compiled {
    /// Follows the weekly schedules over the dates ahead, and returns when they fire.
    fn compare(
        &mut self,
        calendar: &Calendar,
        by_time: &BTreeMap<(Minute, State), BTreeSet<u8>>,
        now: Timestamp,
    ) -> BTreeSet<(Timestamp, State)> {
        let (zone, today) = (calendar.zone(), calendar.date(now));
        let mut fired = BTreeSet::new();
        for offset in 0..AHEAD {
            let date = today.saturating_add(offset.days());
            let day = date.weekday().to_monday_zero_offset().unsigned_abs();
            for ((minute, state), _) in by_time.iter().filter(|(_, days)| days.contains(&day)) {
                let wall =
                    date.to_datetime(jiff::civil::Time::midnight()).saturating_add(i64::from(minute.0).minutes());
                let found = zone.to_ambiguous_timestamp(wall);
                if let AmbiguousOffset::Gap { .. } = found.offset() {
                    self.gaps.push(format!("{} {minute} ({state})", told(date)));
                    continue;
                }
                let Ok(at) = found.earlier() else { continue };
                if at < now {
                    continue;
                }
                fired.insert((at, *state));
                let want = calendar.decide(at).want;
                if let AmbiguousOffset::Fold { .. } = found.offset()
                    && want != Some(*state)
                {
                    self.moved.push(format!("{} {minute} ({state})", told(date)));
                } else if offset < SINGLE && want.is_some_and(|want| want != *state) {
                    self.wrong.push(format!("{} {minute} ({state})", told(date)));
                }
            }
        }
        fired
    }

    /// Boundaries of the year ahead that no weekly schedule fires at: hours of single dates.
    fn add_single(&mut self, calendar: &Calendar, fired: &BTreeSet<(Timestamp, State)>, now: Timestamp) {
        let zone = calendar.zone();
        let end = calendar.beginning(calendar.date(now).saturating_add(SINGLE.days()));
        let boundaries = calendar.transitions(now, end);
        let single = boundaries.iter().filter(|Transition { at, state, .. }| !fired.contains(&(*at, *state)));
        for Transition { at, state, .. } in single {
            let local = zone.to_datetime(*at);
            // Where the clocks are changed the boundary itself has moved, which is told already.
            let date = told(local.date());
            if self.gaps.iter().chain(&self.moved).any(|told| told.starts_with(&date)) {
                continue;
            }
            self.firings.push(Firing {
                key: format!("{state}-{}", local.strftime("%Y%m%d-%H%M")),
                expression: format!("at({})", local.strftime("%Y-%m-%dT%H:%M:%S")),
                state: *state,
                once: true,
            });
        }
    }
}

fn told(date: Date) -> String {
    date.strftime("%a %F").to_string()
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZoneDatabase;

    use super::*;

    fn calendar(windows: &[&str]) -> Calendar {
        let zone = TimeZoneDatabase::bundled().get("America/Detroit").unwrap();
        Calendar::new(zone, windows.iter().map(|text| text.parse().unwrap()).collect()).unwrap()
    }

    fn now() -> Timestamp {
        "2026-11-23T18:00:00Z".parse().unwrap()
    }

    fn expressions(compiled: &Compiled) -> Vec<(&str, &str)> {
        compiled.firings.iter().map(|firing| (firing.key.as_str(), firing.expression.as_str())).collect()
    }

    #[test]
    fn a_week_is_one_schedule_for_each_time_and_side() {
        let compiled = compile(&calendar(&["Mon-Fri 07:00-19:00", "Sat 09:00-13:30"]), now());
        assert_eq!(
            expressions(&compiled),
            [
                ("on-0700", "cron(0 7 ? * MON,TUE,WED,THU,FRI *)"),
                ("on-0900", "cron(0 9 ? * SAT *)"),
                ("off-1330", "cron(30 13 ? * SAT *)"),
                ("off-1900", "cron(0 19 ? * MON,TUE,WED,THU,FRI *)"),
            ]
        );
        assert!(compiled.gaps.is_empty() && compiled.wrong.is_empty() && compiled.moved.is_empty(), "{compiled:?}");
        // Over midnight, and the end on the day after.
        let nights = compile(&calendar(&["Fri 22:00-06:00"]), now());
        assert_eq!(expressions(&nights), [("off-0600", "cron(0 6 ? * SAT *)"), ("on-2200", "cron(0 22 ? * FRI *)")]);
    }

    #[test]
    fn schedule_case_69_a_boundary_in_a_gap_and_dates_that_eventbridge_does_not_know_are_told() {
        let compiled = compile(&calendar(&["Mon-Sun 02:30-06:00"]), now());
        assert_eq!(compiled.gaps, ["Sun 2027-03-14 02:30 (on)", "Sun 2028-03-12 02:30 (on)"]);
        let twice = compile(&calendar(&["Sat 22:00-01:30"]), now());
        assert_eq!(twice.moved, ["Sun 2027-11-07 01:30 (off)", "Sun 2028-11-05 01:30 (off)"]);
        let holidays = calendar(&["Mon-Fri 07:00-19:00"])
            .with_exceptions(vec!["2026-11-26".parse().unwrap()], vec!["2026-12-05 09:00-13:00".parse().unwrap()]);
        let compiled = compile(&holidays, now());
        assert_eq!(compiled.wrong, ["Thu 2026-11-26 07:00 (on)"]);
        let single: Vec<_> = expressions(&compiled).into_iter().filter(|(_, text)| text.starts_with("at(")).collect();
        assert_eq!(
            single,
            [("on-20261205-0900", "at(2026-12-05T09:00:00)"), ("off-20261205-1300", "at(2026-12-05T13:00:00)"),]
        );
    }

    #[test]
    fn one_side_and_always_off_have_what_they_need() {
        use crate::rules::calendar::Mode;
        let starts = compile(&calendar(&["Mon-Fri 07:00-19:00"]).with_mode(Mode::StartOnly), now());
        assert_eq!(expressions(&starts), [("on-0700", "cron(0 7 ? * MON,TUE,WED,THU,FRI *)")]);
        assert!(starts.wrong.is_empty(), "{starts:?}");
        let zone = calendar(&["Mon 07:00-19:00"]).zone().clone();
        assert_eq!(expressions(&compile(&Calendar::always_off(zone), now())), [("off-0000", "cron(0 0 ? * * *)")]);
        assert!(compile(&calendar(&["Mon-Sun 00:00-24:00"]), now()).firings.is_empty());
    }
}
