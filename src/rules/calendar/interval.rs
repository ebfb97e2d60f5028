//! Windows of dates as intervals of time: where every question about changes of clocks is answered.

use std::fmt;

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Time},
    tz::{AmbiguousOffset, TimeZone},
};

use super::{
    Calendar,
    window::{Dates, Hours, Minute, Window},
};

/// What in a calendar an interval comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Entry {
    /// Hours of one date.
    Hours(Hours),
    /// A weekly window.
    Window(Window),
}

/// A time of a date on the line of time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Bound {
    /// The instant.
    pub at: Timestamp,
    /// What the clocks do there.
    pub clocks: Clocks,
}

/// How often the clocks show a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Clocks {
    /// Once.
    Once,
    /// Never: they are put forward over it.
    Never,
    /// Twice: they are put back over it.
    Twice,
}

/// Which end of a window a time is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Side {
    /// The start.
    Start,
    /// The end.
    End,
}

/// A window, or hours, of one date.
#[derive(Clone, Copy, Debug)]
pub(super) struct Occurrence<'a> {
    /// The date on which it begins.
    pub date: Date,
    /// What it comes from.
    pub source: Source<'a>,
    /// When it begins.
    pub start: Bound,
    /// When it ends.
    pub end: Bound,
    /// The exception that takes it away.
    pub off: Option<&'a Dates>,
}

/// An [`Entry`] where it stands in the calendar.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    /// Hours of one date.
    Hours(&'a Hours),
    /// A weekly window.
    Window(&'a Window),
}

/// An uninterrupted time inside windows, half-open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval<'a> {
    /// The first instant inside.
    pub start: Timestamp,
    /// The first instant outside.
    pub end: Timestamp,
    /// What began it.
    pub opened: Source<'a>,
    /// What ended it.
    pub closed: Source<'a>,
}

/// How many dates before an instant the window that covers it can have begun: six for the longest window, and one for a
/// zone that moves over the date line.
pub(super) const LONGEST: i32 = 8;

impl Calendar {
    /// Everything that begins on a date, also what an exception takes away, in no order.
    pub(super) fn occurrences(&self, date: Date) -> impl Iterator<Item = Occurrence<'_>> {
        let off = self.off_dates.iter().find(|dates| dates.contain(date));
        let windows = self.windows.iter().filter(move |window| window.begins_on(date));
        let windows = windows.map(move |w| self.occurrence(date, Source::Window(w), w.start, w.end, w.days_later, off));
        let hours = self.on_dates.iter().filter(move |hours| hours.day.is(date));
        let hours = hours
            .map(move |h| self.occurrence(date, Source::Hours(h), h.start, h.end, u8::from(h.over_midnight), None));
        windows.chain(hours)
    }

    /// The union of what begins on these dates, both included, in order; intervals that touch are one. What began before
    /// the first date is not in it.
    pub(super) fn intervals(&self, first: Date, last: Date) -> Vec<Interval<'_>> {
        let mut merged: Vec<Interval<'_>> = Vec::new();
        for date in dates(first, last) {
            let mut found: Vec<Occurrence<'_>> =
                self.occurrences(date).filter(|found| found.off.is_none() && found.start.at < found.end.at).collect();
            found.sort_by_key(|found| found.start.at);
            for Occurrence { source, start, end, .. } in found {
                match merged.last_mut() {
                    Some(last) if start.at <= last.end => {
                        if end.at > last.end {
                            (last.end, last.closed) = (end.at, source);
                        }
                    }
                    _ => merged.push(Interval { start: start.at, end: end.at, opened: source, closed: source }),
                }
            }
        }
        merged
    }

    fn occurrence<'a>(
        &self,
        date: Date,
        source: Source<'a>,
        start: Minute,
        end: Minute,
        days_later: u8,
        off: Option<&'a Dates>,
    ) -> Occurrence<'a> {
        let last = date.saturating_add(i32::from(days_later).days());
        let start = bound(&self.zone, date, start, Side::Start);
        Occurrence { date, source, start, end: bound(&self.zone, last, end, Side::End), off }
    }
}

impl Source<'_> {
    /// Its own copy.
    pub fn entry(self) -> Entry {
        match self {
            Self::Hours(hours) => Entry::Hours(*hours),
            Self::Window(window) => Entry::Window(window.clone()),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hours(hours) => hours.fmt(f),
            Self::Window(window) => window.fmt(f),
        }
    }
}

/// The first instant whose wall clock shows this time of this date or later, or, for an end, the instant after the last
/// one whose wall clock shows less.
pub(super) fn bound(zone: &TimeZone, date: Date, minute: Minute, side: Side) -> Bound {
    let wall = date.to_datetime(Time::midnight()).saturating_add(i64::from(minute.0).minutes());
    let found = zone.to_ambiguous_timestamp(wall);
    // At the ends of the years that can be written (±9999) there is nothing to be exact about.
    let saturated = if wall.year() > 0 { Timestamp::MAX } else { Timestamp::MIN };
    let clocks = match found.offset() {
        AmbiguousOffset::Unambiguous { .. } => Clocks::Once,
        AmbiguousOffset::Gap { .. } => Clocks::Never,
        AmbiguousOffset::Fold { .. } => Clocks::Twice,
    };
    let (earlier, later) = (found.earlier().unwrap_or(saturated), found.later().unwrap_or(saturated));
    let at = match (clocks, side) {
        (Clocks::Once, _) | (Clocks::Twice, Side::Start) => earlier,
        (Clocks::Never, _) => change(zone, later),
        // The clocks are put back to this very time: when it comes again, all that is less than it is long over.
        (Clocks::Twice, Side::End) if change(zone, later) == later => earlier,
        (Clocks::Twice, Side::End) => later,
    };
    Bound { at, clocks }
}

/// All dates from the first to the last.
pub(super) fn dates(first: Date, last: Date) -> impl Iterator<Item = Date> {
    std::iter::successors((first <= last).then_some(first), move |date| {
        date.tomorrow().ok().filter(|date| *date <= last)
    })
}

/// The last change of the zone's rules at or before an instant.
fn change(zone: &TimeZone, at: Timestamp) -> Timestamp {
    let after = at.saturating_add(1.nanosecond()).unwrap_or(at);
    zone.preceding(after).next().map_or(at, |change| change.timestamp())
}
