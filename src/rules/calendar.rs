//! How weekly windows, dates and repeated times are written; only their syntax, not what holds at an instant.

use std::{fmt, str::FromStr};

use jiff::civil::{Date, Weekday};

use super::units::Wrong;

/// A window that returns every week: `Mon-Fri 07:00-19:00`, `Sat,Sun 22:00-06:00`, `Fri 22:00-Sat 06:00`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Window {
    /// The days on which it begins, in the order of the week.
    pub days: Vec<Weekday>,
    /// When it begins.
    pub start: Minute,
    /// When it ends; `24:00` is the end of the day.
    pub end: Minute,
    /// How many dates later than it began it ends: 1 for a window over midnight.
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
    /// `07-04`: month and day.
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

/// When something is done again: `every 15m`, `daily 02:30`, `twice daily`, `weekly Sun 03:00`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Repeat {
    /// Once a day at this time.
    Daily(Minute),
    /// Every so many minutes; divides an hour or a day, so that each day looks the same.
    Every(u16),
    /// Twice a day, at minutes that the machine chooses.
    TwiceDaily,
    /// Once a week.
    Weekly(Weekday, Minute),
}

impl FromStr for Window {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let (days, times) = text.trim().split_once(' ').ok_or_else(|| Wrong("write days, a blank and times".into()))?;
        let (from, to) = times.trim().split_once('-').ok_or_else(|| Wrong("write the times as 07:00-19:00".into()))?;
        let start = clock(from, false)?;
        if let Some((last_day, to)) = to.trim().split_once(' ') {
            // One window that goes on over several days.
            let (first, last, end) = (weekday(days)?, weekday(last_day)?, clock(to, true)?);
            let days_later = first.until(last).unsigned_abs();
            if days_later == 0 && end <= start {
                return Err(Wrong("it ends before it begins".into()));
            }
            return Ok(Self { days: vec![first], start, end, days_later });
        }
        let end = clock(to, true)?;
        if start == end {
            return Err(Wrong("it ends when it begins: write 00:00-24:00 for the whole day".into()));
        }
        let mut on = [false; 7];
        for part in days.split(',') {
            let (first, last) = match part.split_once('-') {
                Some((first, last)) => (weekday(first)?, weekday(last)?),
                None => (weekday(part)?, weekday(part)?),
            };
            let mut day = first;
            on[offset(day)] = true;
            while day != last {
                day = day.wrapping_add(1);
                on[offset(day)] = true;
            }
        }
        let days = WEEK.into_iter().map(|(_, day)| day).filter(|day| on[offset(*day)]).collect();
        Ok(Self { days, start, end, days_later: u8::from(end < start) })
    }
}

impl FromStr for Dates {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let Some((first, last)) = text.split_once("..") else {
            let day = text.parse()?;
            return Ok(Self { first: day, last: day });
        };
        let range = Self { first: first.parse()?, last: last.parse()? };
        match (range.first, range.last) {
            (Day::Once(first), Day::Once(last)) if last < first => Err(Wrong("it ends before it begins".into())),
            (Day::Once(_), Day::Yearly(..)) | (Day::Yearly(..), Day::Once(_)) => {
                Err(Wrong("write the year on both sides or on none".into()))
            }
            _ => Ok(range),
        }
    }
}

impl FromStr for Day {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let shape = |lengths: &[usize]| {
            let parts: Vec<&str> = text.split('-').collect();
            let digits = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
            parts.len() == lengths.len()
                && parts.iter().all(digits)
                && parts.iter().zip(lengths).all(|(part, length)| part.len() == *length)
        };
        let missing = || Wrong(format!("there is no such date as `{text}`"));
        if shape(&[4, 2, 2]) {
            return text.parse().map(Self::Once).map_err(|_| missing());
        }
        if shape(&[2, 2]) {
            // 2024 has a 29 February, which a yearly date may name.
            let date: Date = format!("2024-{text}").parse().map_err(|_| missing())?;
            return Ok(Self::Yearly(date.month(), date.day()));
        }
        Err(Wrong("write 2026-11-26, or 11-26 for every year".into()))
    }
}

impl FromStr for Hours {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let (day, times) =
            text.trim().split_once(' ').ok_or_else(|| Wrong("write a date, a blank and times".into()))?;
        let (from, to) = times.trim().split_once('-').ok_or_else(|| Wrong("write the times as 09:00-13:00".into()))?;
        let (day, start, end) = (day.parse()?, clock(from, false)?, clock(to, true)?);
        if start == end {
            return Err(Wrong("it ends when it begins: write 00:00-24:00 for the whole day".into()));
        }
        Ok(Self { day, start, end, over_midnight: end < start })
    }
}

impl FromStr for Repeat {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["every", length] => {
                let seconds = super::units::parse_duration(length)?.as_secs();
                let minutes = u16::try_from(seconds / 60).unwrap_or(u16::MAX);
                let even = seconds.is_multiple_of(60) && minutes > 0;
                if even && (60 % minutes == 0 || (minutes % 60 == 0 && 1440 % minutes == 0)) {
                    Ok(Self::Every(minutes))
                } else {
                    Err(Wrong("minutes must divide an hour and hours must divide a day: 5m, 15m, 1h, 6h".into()))
                }
            }
            ["daily", time] => Ok(Self::Daily(clock(time, false)?)),
            ["twice", "daily"] => Ok(Self::TwiceDaily),
            ["weekly", day, time] => Ok(Self::Weekly(weekday(day)?, clock(time, false)?)),
            _ => Err(Wrong("write `every 15m`, `daily 02:30`, `twice daily` or `weekly Sun 03:00`".into())),
        }
    }
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// The days as they are written, in order.
const WEEK: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];

fn offset(day: Weekday) -> usize {
    usize::from(day.to_monday_zero_offset().unsigned_abs()).min(6)
}

fn weekday(text: &str) -> Result<Weekday, Wrong> {
    let text = text.trim();
    WEEK.into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text))
        .map(|(_, day)| day)
        .ok_or_else(|| Wrong(format!("`{text}` is not a day: use Mon, Tue, Wed, Thu, Fri, Sat or Sun")))
}

fn clock(text: &str, is_end: bool) -> Result<Minute, Wrong> {
    let text = text.trim();
    let wrong = || Wrong(format!("`{text}` is not a time: write 07:00"));
    let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
    let number = |part: &str| -> Option<u16> {
        (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse().ok())?
    };
    match (number(hours).ok_or_else(wrong)?, number(minutes).ok_or_else(wrong)?) {
        (24, 0) if is_end => Ok(Minute(1440)),
        (24, 0) => Err(Wrong("24:00 can only be an end".into())),
        (hours @ 0..=23, minutes @ 0..=59) => Ok(Minute(hours * 60 + minutes)),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn windows_are_read() {
        let table: &[(&str, usize, u16, u16, u8)] = &[
            ("Mon-Fri 07:00-19:00", 5, 420, 1140, 0),
            ("mon,wed 07:00-19:00", 2, 420, 1140, 0),
            ("Fri-Mon 08:00-09:00", 4, 480, 540, 0),
            ("Mon-Sun 00:00-24:00", 7, 0, 1440, 0),
            ("Mon-Fri 22:00-06:00", 5, 1320, 360, 1),
            ("Fri 22:00-Sat 06:00", 1, 1320, 360, 1),
            ("Mon 07:00-Fri 19:00", 1, 420, 1140, 4),
            ("Sat 22:00-Mon 06:00", 1, 1320, 360, 2),
        ];
        for (text, days, start, end, later) in table {
            let window: Window = text.parse().unwrap();
            assert_eq!(
                (window.days.len(), window.start, window.end, window.days_later),
                (*days, Minute(*start), Minute(*end), *later),
                "{text}"
            );
        }
    }

    #[test]
    fn wrong_windows_say_why() {
        let table = [
            ("07:00-19:00", "write days, a blank and times"),
            ("Mon-Fri 07:00", "write the times as 07:00-19:00"),
            ("Mon-Fry 07:00-19:00", "`Fry` is not a day: use Mon, Tue, Wed, Thu, Fri, Sat or Sun"),
            ("Mon 7:00-19:00", "`7:00` is not a time: write 07:00"),
            ("Mon 07:60-19:00", "`07:60` is not a time: write 07:00"),
            ("Mon 24:00-06:00", "24:00 can only be an end"),
            ("Mon 07:00-07:00", "it ends when it begins: write 00:00-24:00 for the whole day"),
            ("Mon 07:00-Mon 06:00", "it ends before it begins"),
            ("Mon 07:00-25:00", "`25:00` is not a time: write 07:00"),
        ];
        for (text, why) in table {
            assert_eq!(text.parse::<Window>(), Err(Wrong(why.into())), "{text}");
        }
    }

    #[test]
    fn dates_are_read_or_say_why() {
        for right in ["2026-11-26", "2026-12-24..2027-01-01", "07-04", "12-24..01-01", "02-29"] {
            assert!(right.parse::<Dates>().is_ok(), "{right}");
        }
        let table = [
            ("2026-02-30", "there is no such date as `2026-02-30`"),
            ("13-01", "there is no such date as `13-01`"),
            ("26.11.2026", "write 2026-11-26, or 11-26 for every year"),
            ("2027-01-01..2026-12-24", "it ends before it begins"),
            ("2026-12-24..01-01", "write the year on both sides or on none"),
        ];
        for (text, why) in table {
            assert_eq!(text.parse::<Dates>(), Err(Wrong(why.into())), "{text}");
        }
        assert_eq!("2026-12-05 09:00-13:00".parse::<Hours>().unwrap().end, Minute(780));
        assert!("2026-12-05".parse::<Hours>().is_err());
    }

    #[test]
    fn repeats_are_read_or_say_why() {
        assert_eq!("every 15m".parse(), Ok(Repeat::Every(15)));
        assert_eq!("every 6h".parse(), Ok(Repeat::Every(360)));
        assert_eq!("daily 02:30".parse(), Ok(Repeat::Daily(Minute(150))));
        assert_eq!("twice daily".parse(), Ok(Repeat::TwiceDaily));
        assert_eq!("weekly Sun 03:00".parse(), Ok(Repeat::Weekly(Weekday::Sunday, Minute(180))));
        for wrong in ["every 7m", "every 90m", "every 10s", "every 90s", "every 100w", "hourly", "daily", "daily 24:00"]
        {
            assert!(wrong.parse::<Repeat>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[MonFri0-9:,. -]{0,24}|\\PC{0,12}") {
            let _ = (text.parse::<Window>(), text.parse::<Dates>(), text.parse::<Hours>(), text.parse::<Repeat>());
        }
    }
}
