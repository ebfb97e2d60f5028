//! A second opinion, by brute force: every minute is asked what the wall clock shows, and the calendar must agree. It shares
//! no code with the calendar: an instant is turned into a wall clock, never the other way round.

use jiff::{
    Timestamp, ToSpan,
    civil::{Weekday, date},
    tz::{TimeZone, TimeZoneDatabase},
};

use super::{Calendar, Dates, Day, Hours, Minute, Reason, State, Window};

/// How many schedules are compared in each week.
const SCHEDULES: usize = 120;
/// How many weeks, each with a change of clocks.
const WEEKS: usize = 84;

const DAY: i64 = 24 * 60;
/// What is watched before the week, for windows that reach into it; after it, two days are enough.
const BEFORE: i64 = 9 * DAY;
/// No clock is put forward or back further than two hours in the years that are looked at.
const FARTHEST: i64 = 125;

#[test]
fn the_calendar_agrees_with_every_minute_of_the_wall_clock() {
    let mut dice = Dice(0x5eed_ca1e_0da2_0001);
    let zones = zones_that_change();
    assert!(zones.len() > 60, "{}", zones.len());
    let (mut compared, mut switched) = (0, 0);
    for _ in 0..WEEKS {
        let (name, zone) = &zones[dice.below(zones.len())];
        let changes = changes(zone);
        let change = changes[dice.below(changes.len())];
        let start = change - dice.number(7 * DAY);
        let clock = WallClock::watch(zone, start - BEFORE, start + 9 * DAY);
        for _ in 0..SCHEDULES {
            let schedule = Schedule::thrown(&mut dice, clock.day(change));
            let found = schedule.calendar(zone.clone());
            let (initial, acts) = clock.ask(&schedule, start, start + 7 * DAY);
            let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
            let told: Vec<_> =
                found.transitions(at(start), at(start + 7 * DAY)).iter().map(|act| (act.at, act.state)).collect();
            let acts: Vec<_> = acts.into_iter().map(|(minute, state)| (at(minute), state)).collect();
            assert_eq!(told, acts, "{name}, from {}: {schedule:?}", at(start));
            let inside = matches!(found.reason(at(start)), Reason::Inside(_));
            assert_eq!(inside, initial == State::On, "{name}, at {}: {schedule:?}", at(start));
            if compared % 8 == 0 && !acts.is_empty() {
                let next = found.decide(at(start)).next.map(|act| (act.at, act.state));
                assert_eq!(next, acts.first().copied(), "{name}, at {}: {schedule:?}", at(start));
            }
            compared += 1;
            switched += acts.len();
        }
    }
    assert!(compared >= 10_000 && switched > compared, "{compared} schedules, {switched} boundaries");
}

/// What every minute of a span shows.
struct WallClock {
    /// The first minute, in minutes since 1970 UTC.
    first: i64,
    /// What the clock shows at each, in minutes since 1970 as if it were UTC.
    shown: Vec<i64>,
}

impl WallClock {
    fn watch(zone: &TimeZone, first: i64, last: i64) -> Self {
        let shown = |minute: i64| {
            let offset = zone.to_offset(Timestamp::from_second(minute * 60).unwrap());
            minute + i64::from(offset.seconds()) / 60
        };
        Self { first, shown: (first..last).map(shown).collect() }
    }

    /// The day since 1970 that is shown at a minute.
    fn day(&self, minute: i64) -> i64 {
        self.shown[usize::try_from(minute - self.first).unwrap()].div_euclid(DAY)
    }

    /// The state at `start`, and each minute after it and before `end` at which it becomes another one.
    fn ask(&self, schedule: &Schedule, start: i64, end: i64) -> (State, Vec<(i64, State)>) {
        let mut on = vec![0_u8; self.shown.len()];
        let (first, last) = (self.shown[0].div_euclid(DAY) + 1, self.shown[self.shown.len() - 1].div_euclid(DAY));
        for day in first..last {
            for (from, to) in schedule.of(day) {
                if let Some((from, to)) = self.hull(from, to) {
                    on[from..=to].fill(1);
                }
            }
        }
        let at = |minute: i64| usize::try_from(minute - self.first).unwrap();
        let state = |on: u8| if on == 0 { State::Off } else { State::On };
        let initial = on[at(start)];
        let (mut now, mut acts) = (initial, Vec::new());
        for hour in (start..end).step_by(60) {
            // An hour in which nothing happens is passed over at once.
            let minutes = &on[at(hour)..at(end.min(hour + 60))];
            if minutes != &[now; 60][..minutes.len()] {
                for (minute, shown) in (hour..).zip(minutes) {
                    if *shown != now {
                        now = *shown;
                        acts.push((minute, state(now)));
                    }
                }
            }
        }
        (state(initial), acts)
    }

    /// The first and the last minute that shows `from` or later and less than `to`.
    fn hull(&self, from: i64, to: i64) -> Option<(usize, usize)> {
        // Somewhere near: the offset of the first minute is at most one change away.
        let near = |shown: i64| shown - self.shown[0];
        let low = (near(from) - FARTHEST).max(0);
        let high = (near(to) + FARTHEST).min(i64::try_from(self.shown.len()).unwrap() - 1);
        let (low, high) = (usize::try_from(low).unwrap(), usize::try_from(high.max(0)).unwrap());
        let inside = |at: &usize| (from..to).contains(&self.shown[*at]);
        let first = (low..=high).find(inside)?;
        Some((first, (first..=high).rev().find(inside)?))
    }
}

/// A random schedule, in numbers of its own.
#[derive(Debug)]
struct Schedule {
    /// First days (0 is Monday), start and end in minutes; an end past 24:00 lies on a later date.
    windows: Vec<(Vec<i64>, i64, i64)>,
    /// Days since 1970.
    off: Vec<i64>,
    /// The day since 1970, start and end in minutes.
    on: Vec<(i64, i64, i64)>,
}

impl Schedule {
    /// Up to three windows, and exceptions around the date on which the clocks are changed.
    fn thrown(dice: &mut Dice, near: i64) -> Self {
        Self {
            windows: (0..=dice.below(3)).map(|_| dice.window()).collect(),
            off: (0..dice.below(3)).map(|_| dice.day(near)).collect(),
            on: (0..dice.below(2)).map(|_| dice.day(near)).map(|day| (day, 30, 10 * 60)).collect(),
        }
    }

    /// What begins on a day (since 1970), by what the wall clock shows.
    fn of(&self, day: i64) -> Vec<(i64, i64)> {
        // 1 January 1970 was a Thursday.
        let weekday = (day + 3).rem_euclid(7);
        let windows = self.windows.iter().filter(|(days, ..)| days.contains(&weekday) && !self.off.contains(&day));
        let hours = self.on.iter().filter(|(other, ..)| *other == day);
        windows
            .map(|(_, start, end)| (*start, *end))
            .chain(hours.map(|(_, start, end)| (*start, *end)))
            .map(|(start, end)| (day * DAY + start, day * DAY + end))
            .collect()
    }

    /// The same as the calendar takes it.
    fn calendar(&self, zone: TimeZone) -> Calendar {
        let minute = |minute: i64| Minute(u16::try_from(minute).unwrap());
        // 24:00 is written as such, later times on a later date.
        let end = |end: i64| if end == DAY { (minute(DAY), 0) } else { (minute(end % DAY), end / DAY) };
        let windows = self.windows.iter().map(|(days, start, stop)| Window {
            days: days
                .iter()
                .map(|day| Weekday::from_monday_zero_offset(i8::try_from(*day).unwrap()).unwrap())
                .collect(),
            start: minute(*start),
            end: end(*stop).0,
            days_later: u8::try_from(end(*stop).1).unwrap(),
        });
        let once = |day: &i64| Day::Once(date(1970, 1, 1) + day.days());
        let off = self.off.iter().map(|day| Dates { first: once(day), last: once(day) });
        let on = self.on.iter().map(|(day, start, stop)| Hours {
            day: once(day),
            start: minute(*start),
            end: end(*stop).0,
            over_midnight: end(*stop).1 > 0,
        });
        // What the schedule says must be what can be written.
        let windows: Vec<Window> = windows.collect();
        for window in &windows {
            assert_eq!(window.to_string().parse().as_ref(), Ok(window));
        }
        let on: Vec<Hours> = on.collect();
        for hours in &on {
            assert_eq!(hours.to_string().parse().as_ref(), Ok(hours));
        }
        Calendar::new(zone, windows).unwrap().with_exceptions(off.collect(), on)
    }
}

/// Every zone whose clocks are changed in the years to come.
fn zones_that_change() -> Vec<(String, TimeZone)> {
    let database = TimeZoneDatabase::bundled();
    let names = database.available().map(|name| name.to_string()).filter(|name| name.contains('/'));
    names
        .map(|name| (name.clone(), database.get(&name).unwrap()))
        .filter(|(_, zone)| !changes(zone).is_empty())
        .collect()
}

/// The minutes since 1970 at which a zone's clocks are changed from 2024 to 2037.
fn changes(zone: &TimeZone) -> Vec<i64> {
    let [from, to] = ["2024-01-01T00:00:00Z", "2038-01-01T00:00:00Z"].map(|text| text.parse::<Timestamp>().unwrap());
    let changes = zone.following(from).map(|change| change.timestamp()).take_while(|at| *at < to);
    changes.map(|at| at.as_second() / 60).collect()
}

/// The same numbers in every run (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }

    fn number(&mut self, limit: i64) -> i64 {
        i64::try_from(self.below(usize::try_from(limit).unwrap())).unwrap()
    }

    /// A minute of the day: half of them lie where clocks are changed, and half are even half hours.
    fn minute(&mut self) -> i64 {
        let minute = if self.below(2) == 0 { self.number(5 * 60) } else { self.number(DAY) };
        if self.below(2) == 0 { minute / 30 * 30 } else { minute }
    }

    /// A window as [`Schedule`] holds it.
    fn window(&mut self) -> (Vec<i64>, i64, i64) {
        let (start, end) = (self.minute(), self.minute());
        let first = self.number(7);
        match self.below(10) {
            // One over several days, which has one first day only.
            0 | 1 => (vec![first], start, end + DAY * (2 + self.number(5))),
            // Whole days.
            2 => ((0..=first).collect(), 0, DAY),
            _ => {
                let days: Vec<i64> = (0..7).filter(|day| *day == first || self.below(3) > 0).collect();
                // Over midnight, unless the end comes later in the day.
                let end = if end > start { end } else { (end + DAY).min(start + DAY - 1) };
                (days, start, end)
            }
        }
    }

    /// A day at most four days away.
    fn day(&mut self, near: i64) -> i64 {
        near + self.number(9) - 4
    }
}
