//! Calendar periods: of each of so many, the newest archive stays.

use std::fmt;

use jiff::{Timestamp, tz::TimeZone};

/// A step of the calendar.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Period {
    /// From the full hour.
    Hour,
    /// From midnight.
    Day,
    /// From Monday (ISO 8601).
    Week,
    /// From the first of a month.
    Month,
    /// From the first of January.
    Year,
}

impl Period {
    /// The period that an instant lies in, in this zone: no two of one kind have the same label.
    ///
    /// An hour says its zone: where clocks are set back, the same hour comes twice.
    pub(super) fn label(self, at: Timestamp, zone: &TimeZone) -> String {
        let format = match self {
            Self::Hour => "%Y-%m-%d %H:00 %Z",
            Self::Day => "%Y-%m-%d",
            Self::Week => "%G-W%V",
            Self::Month => "%Y-%m",
            Self::Year => "%Y",
        };
        at.to_zoned_datetime(zone.clone()).strftime(format).to_string()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        })
    }
}
