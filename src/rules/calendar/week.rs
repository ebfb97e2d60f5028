//! An ordinary week, hour by hour, as a person pictures it.

use jiff::civil::Weekday;

use super::{
    Calendar, Mode, State,
    window::{Minute, WEEK, offset},
};

/// How many minutes of each hour of the week are inside windows, Monday first. By the wall clock alone: without exceptions
/// and without changes of clocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Week(pub [[u8; 24]; 7]);

impl Calendar {
    /// Its ordinary week.
    pub fn week(&self) -> Week {
        let mut hours = [[0; 24]; 7];
        for (minute, _) in self.minutes().iter().enumerate().filter(|(_, inside)| **inside) {
            hours[minute / DAY][minute % DAY / 60] += 1;
        }
        Week(hours)
    }

    /// When an ordinary week starts and stops, by the wall clock alone, from Monday on: what touches is one, and a one-sided
    /// calendar has only its side.
    pub fn turns(&self) -> Vec<(Weekday, Minute, State)> {
        let inside = self.minutes();
        let mut turns = Vec::new();
        for at in 0..MINUTES {
            let before = inside[(at + MINUTES - 1) % MINUTES];
            let state = if inside[at] { State::On } else { State::Off };
            let counts = match self.mode() {
                Mode::Both => true,
                Mode::StartOnly => state == State::On,
                Mode::StopOnly => state == State::Off,
            };
            if inside[at] != before && counts {
                // Below the minutes of a day, which fit.
                let minute = Minute(u16::try_from(at % DAY).unwrap_or_default());
                turns.push((WEEK[at / DAY].1, minute, state));
            }
        }
        turns
    }

    /// Which minutes of an ordinary week are inside windows.
    fn minutes(&self) -> Box<[bool; MINUTES]> {
        let mut inside = Box::new([false; MINUTES]);
        for window in &self.windows {
            for day in &window.days {
                let start = offset(*day) * DAY + usize::from(window.start.0);
                let end = (offset(*day) + usize::from(window.days_later)) * DAY + usize::from(window.end.0);
                for minute in start..end {
                    inside[minute % MINUTES] = true;
                }
            }
        }
        inside
    }
}

impl Week {
    /// The days with their names.
    pub fn days(&self) -> impl Iterator<Item = (&'static str, &[u8; 24])> {
        WEEK.iter().map(|(name, _)| *name).zip(&self.0)
    }
}

const DAY: usize = 24 * 60;
const MINUTES: usize = 7 * DAY;

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn turns_are_where_a_union_begins_and_ends() {
        let windows =
            ["Mon,Tue 07:00-12:00", "Mon 12:00-19:00", "Sun 22:00-24:00"].map(|text| text.parse().unwrap()).to_vec();
        let calendar = Calendar::new(TimeZone::UTC, windows).unwrap();
        let told = |calendar: &Calendar| {
            let turns = calendar.turns().into_iter();
            turns.map(|(day, minute, state)| format!("{day:?} {minute} {state}")).collect::<Vec<_>>()
        };
        assert_eq!(
            told(&calendar),
            [
                "Monday 00:00 off",
                "Monday 07:00 on",
                "Monday 19:00 off",
                "Tuesday 07:00 on",
                "Tuesday 12:00 off",
                "Sunday 22:00 on"
            ]
        );
        assert_eq!(told(&calendar.with_mode(Mode::StartOnly)).len(), 3);
        assert!(told(&Calendar::always_off(TimeZone::UTC)).is_empty());
    }

    #[test]
    fn a_week_wraps_at_its_end_and_counts_no_minute_twice() {
        let windows = ["Sun 22:30-06:00", "Mon 05:00-07:15", "Wed 00:00-24:00"];
        let windows = windows.map(|text| text.parse().unwrap()).to_vec();
        let week = Calendar::new(TimeZone::UTC, windows).unwrap().week();
        let day = |at: usize| week.0[at].iter().map(|minutes| u32::from(*minutes)).sum::<u32>();
        assert_eq!([0, 1, 2, 3, 4, 5, 6].map(day), [7 * 60 + 15, 0, 24 * 60, 0, 0, 0, 90]);
        assert_eq!((week.0[6][22], week.0[6][23], week.0[0][7]), (30, 60, 15));
        assert_eq!(week.days().next().map(|(name, hours)| (name, hours[5])), Some(("Mon", 60)));
        assert_eq!(Calendar::always_off(TimeZone::UTC).week(), Week([[0; 24]; 7]));
    }
}
