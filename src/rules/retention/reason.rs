//! Why an archive stays, in words.

use std::{fmt, time::Duration};

use jiff::Timestamp;

use super::Period;
use crate::rules::{archive_id::ArchiveId, units::print_duration};

/// Why an archive stays.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reason {
    /// Its date is ahead of the store's own clock.
    Ahead,
    /// Nothing is removed: our clock is before this archive's date.
    ClockBehind(ArchiveId),
    /// It does not count as good; why.
    Doubt(String),
    /// A restore was last rehearsed with it.
    Drilled,
    /// It is one of the newest, as many as `keep.last` says.
    Last(u64),
    /// The store itself keeps it until then.
    Locked(Timestamp),
    /// It is one of the newest good ones, below which prune never goes.
    MinGood(u64),
    /// It is the newest of this period; the period's name.
    Newest(Period, String),
    /// There is no rule to remove anything by.
    NoRule,
    /// It is the oldest, and so many periods have not passed yet.
    Oldest(Period, u64),
    /// It is not older than this before the newest good one.
    Within(Duration),
    /// It is younger than 24 hours.
    Young,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ahead => f.write_str("kept: its date is ahead of the store's clock"),
            Self::ClockBehind(newest) => write!(f, "kept: this machine's clock is before the date of {newest}"),
            Self::Doubt(why) => write!(f, "kept: {why}"),
            Self::Drilled => f.write_str("last drilled"),
            Self::Last(1) => f.write_str("the last one"),
            Self::Last(count) => write!(f, "one of the last {count}"),
            Self::Locked(until) => write!(f, "locked until {until:.0}"),
            Self::MinGood(1) => f.write_str("the newest good one"),
            Self::MinGood(count) => write!(f, "one of the {count} newest good ones"),
            Self::Newest(period, label) => write!(f, "newest of {period} {label}"),
            Self::NoRule => f.write_str("kept: `keep` has no rule"),
            Self::Oldest(period, wanted) => write!(f, "the oldest one: fewer than {wanted} {period}s have an archive"),
            Self::Within(length) => write!(f, "within {} of the newest good one", print_duration(*length)),
            Self::Young => f.write_str("younger than 24 hours"),
        }
    }
}
