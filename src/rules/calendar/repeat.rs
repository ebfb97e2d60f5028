//! Repeated times, for timers.

use std::{fmt, str::FromStr};

use jiff::civil::Weekday;

use super::{
    parse::{clock, weekday},
    window::{Minute, name},
};
use crate::rules::units::{Wrong, parse_duration};

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

impl FromStr for Repeat {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["every", length] => {
                let seconds = parse_duration(length)?.as_secs();
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

impl fmt::Display for Repeat {
    /// As it would be written, which is not always as it was: `every 1h` for `every 60m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Daily(time) => write!(f, "daily {time}"),
            Self::Every(minutes) if minutes.is_multiple_of(60) => write!(f, "every {}h", minutes / 60),
            Self::Every(minutes) => write!(f, "every {minutes}m"),
            Self::TwiceDaily => f.write_str("twice daily"),
            Self::Weekly(day, time) => write!(f, "weekly {} {time}", name(*day)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn repeats_are_read_or_say_why() {
        assert_eq!("every 15m".parse(), Ok(Repeat::Every(15)));
        assert_eq!("every 6h".parse(), Ok(Repeat::Every(360)));
        assert_eq!("daily 02:30".parse(), Ok(Repeat::Daily(Minute(150))));
        assert_eq!("twice daily".parse(), Ok(Repeat::TwiceDaily));
        assert_eq!("weekly Sun 03:00".parse(), Ok(Repeat::Weekly(Weekday::Sunday, Minute(180))));
        for text in ["every 15m", "every 6h", "daily 02:30", "twice daily", "weekly Sun 03:00"] {
            assert_eq!(text.parse::<Repeat>().unwrap().to_string(), text);
        }
        for wrong in ["every 7m", "every 90m", "every 10s", "every 90s", "every 100w", "hourly", "daily", "daily 24:00"]
        {
            assert!(wrong.parse::<Repeat>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-zSun0-9: ]{0,24}|\\PC{0,12}") {
            let _ = text.parse::<Repeat>();
        }
    }
}
