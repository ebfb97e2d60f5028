//! The syntax of windows, dates and hours.

use std::str::FromStr;

use jiff::civil::{Date, Weekday};

use super::window::{Dates, Day, Hours, Minute, WEEK, Window, offset};
use crate::rules::units::Wrong;

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

/// Reads a day.
pub fn weekday(text: &str) -> Result<Weekday, Wrong> {
    let text = text.trim();
    WEEK.into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text))
        .map(|(_, day)| day)
        .ok_or_else(|| Wrong(format!("`{text}` is not a day: use Mon, Tue, Wed, Thu, Fri, Sat or Sun")))
}

/// Reads a time; 24:00 only where it is an end.
pub fn clock(text: &str, is_end: bool) -> Result<Minute, Wrong> {
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

    proptest! {
        #[test]
        fn no_text_panics(text in "[MonFri0-9:,. -]{0,24}|\\PC{0,12}") {
            let _ = (text.parse::<Window>(), text.parse::<Dates>(), text.parse::<Hours>());
        }
    }
}
