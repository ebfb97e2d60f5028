//! Windows, dates and hours as they are written: plain data, nothing about what holds at an instant.

use std::fmt;

use jiff::civil::{Date, Weekday};

/// A window that returns every week: `Mon-Fri 07:00-19:00`, `Sat,Sun 22:00-06:00`, `Fri 22:00-Sat 06:00`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Window {
    /// The days on which it begins, in the order of the week.
    pub days: Vec<Weekday>,
    /// When it begins.
    pub start: Minute,
    /// When it ends; `24:00` is the end of the day.
    pub end: Minute,
    /// How many dates later than it began it ends: 1 for a window over midnight, never more than 6.
    pub days_later: u8,
}

/// A wall-clock time in minutes after 00:00; 1440 is 24:00.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Minute(pub u16);

/// A date, or one of every year.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Day {
    /// `2026-11-26`.
    Once(Date),
    /// `07-04`: month and day. `02-29` is a date of leap years only.
    Yearly(i8, i8),
}

/// Dates on which the windows do not count: `2026-11-26`, `2026-12-24..2027-01-01`, `07-04`, `12-24..01-01`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Dates {
    /// The first one.
    pub first: Day,
    /// The last one; the same when it is only one.
    pub last: Day,
}

/// Hours of one date that count besides the windows: `2026-12-05 09:00-13:00`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hours {
    /// The date.
    pub day: Day,
    /// When it begins.
    pub start: Minute,
    /// When it ends.
    pub end: Minute,
    /// Whether it ends on the next date.
    pub over_midnight: bool,
}

impl Window {
    /// Whether one begins on this date.
    pub fn begins_on(&self, date: Date) -> bool {
        self.days.contains(&date.weekday())
    }

    /// Whether it is written with a second day, `Mon 07:00-Fri 19:00`: the times alone would mean something shorter.
    fn names_its_last_day(&self) -> bool {
        self.days_later > 1 || (self.days_later == 1 && self.end >= self.start)
    }
}

impl Day {
    /// Whether it is this date.
    pub fn is(self, date: Date) -> bool {
        match self {
            Self::Once(day) => day == date,
            Self::Yearly(month, day) => (month, day) == (date.month(), date.day()),
        }
    }
}

impl Dates {
    /// Whether this date is one of them. A yearly range may go over the end of the year.
    pub fn contain(&self, date: Date) -> bool {
        match (self.first, self.last) {
            (Day::Once(first), Day::Once(last)) => (first..=last).contains(&date),
            (Day::Yearly(first_month, first_day), Day::Yearly(last_month, last_day)) => {
                let (first, last) = ((first_month, first_day), (last_month, last_day));
                let day = (date.month(), date.day());
                if first <= last { (first..=last).contains(&day) } else { day >= first || day <= last }
            }
            // The syntax has no range between a date and a day of every year.
            _ => false,
        }
    }
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl fmt::Display for Window {
    /// As it would be written, which is not always as it was: `Mon-Wed,Fri` for `Mon,Tue,Wed,Fri`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut days = self.days.iter().copied().peekable();
        let mut is_first = true;
        while let Some(first) = days.next() {
            let mut last = first;
            while let Some(next) = days.next_if(|next| *next == last.wrapping_add(1)) {
                last = next;
            }
            let comma = if std::mem::take(&mut is_first) { "" } else { "," };
            write!(f, "{comma}{}", name(first))?;
            if last != first {
                write!(f, "-{}", name(last))?;
            }
        }
        match self.days.first() {
            Some(first) if self.names_its_last_day() => {
                let last = first.wrapping_add(i64::from(self.days_later));
                write!(f, " {}-{} {}", self.start, name(last), self.end)
            }
            _ => write!(f, " {}-{}", self.start, self.end),
        }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once(date) => write!(f, "{date}"),
            Self::Yearly(month, day) => write!(f, "{month:02}-{day:02}"),
        }
    }
}

impl fmt::Display for Dates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}..{}", self.first, self.last) }
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}-{}", self.day, self.start, self.end)
    }
}

/// The days as they are written, in order.
pub const WEEK: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];

/// The place of a day in the week, from 0 for Monday.
pub fn offset(day: Weekday) -> usize {
    usize::from(day.to_monday_zero_offset().unsigned_abs()).min(6)
}

/// A day as it is written.
pub fn name(day: Weekday) -> &'static str {
    WEEK[offset(day)].0
}
