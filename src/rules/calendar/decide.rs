//! What a calendar asks for at an instant, since when, why, and when it will ask for something else.

use std::fmt;

use jiff::{Timestamp, ToSpan, civil::Date};

use super::{
    Calendar, Mode, State,
    interval::{Entry, Interval, LONGEST, Side, bound, dates},
    window::{Dates, Minute},
};

/// What a calendar asks for at one instant.
#[derive(Clone, Debug)]
pub struct Decision {
    /// What a machine is asked to be; `None` when it stays whatever it is.
    pub want: Option<State>,
    /// Why.
    pub reason: Reason,
    /// The last boundary at or before the instant at which the calendar acted, when there is one in the eight years before.
    /// What was started or stopped later than this, a person did.
    pub since: Option<Transition>,
    /// The next boundary at which the calendar acts, when there is one in the eight years that follow.
    pub next: Option<Transition>,
}

/// A boundary at which a calendar starts or stops.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Transition {
    /// When: the first instant of the new state.
    pub at: Timestamp,
    /// What it asks for from then on.
    pub state: State,
    /// What begins or ends there.
    pub entry: Entry,
}

/// Why a calendar asks for what it does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reason {
    /// There is no window at all.
    AlwaysOff,
    /// A window, or hours of a date, covers the instant.
    Inside(Entry),
    /// A one-sided calendar on its other side.
    LeftAlone(Mode),
    /// A window would cover the instant, and the date on which it would have begun is an exception.
    OffDate {
        /// The window.
        entry: Entry,
        /// The date on which it would have begun.
        date: Date,
        /// The exception.
        dates: Dates,
    },
    /// No window covers the instant.
    Outside,
}

/// How many dates around an instant are looked at until a boundary is found. Most calendars have one within a week; eight
/// years are the longest time between two 29th of February.
const REACHES: [i32; 3] = [16, 400, 2_990];

impl Calendar {
    /// What it asks for at an instant.
    pub fn decide(&self, at: Timestamp) -> Decision {
        let (mut since, mut next) = (None, None);
        if !self.is_always_off() {
            for reach in REACHES {
                (since, next) = self.around(at, reach);
                if since.is_some() && next.is_some() {
                    break;
                }
            }
        }
        let reason = self.reason(at);
        let want = match reason {
            Reason::Inside(_) => Some(State::On),
            Reason::AlwaysOff | Reason::OffDate { .. } | Reason::Outside => Some(State::Off),
            Reason::LeftAlone(_) => None,
        };
        Decision { want, reason, since, next }
    }

    /// All boundaries after one instant and before another at which it acts, in order. A one-sided calendar has only starts
    /// or only ends.
    pub fn transitions(&self, after: Timestamp, before: Timestamp) -> Vec<Transition> {
        let first = self.date(after).saturating_sub(LONGEST.days());
        let intervals = self.intervals(first, self.date(before));
        self.acts(&intervals, after, before).map(Act::transition).collect()
    }

    /// The instant at which a date begins: where the clocks skip midnight, that is the change itself.
    pub fn beginning(&self, date: Date) -> Timestamp {
        bound(&self.zone, date, Minute(0), Side::Start).at
    }

    /// The date that the zone's calendar shows.
    pub fn date(&self, at: Timestamp) -> Date {
        self.zone.to_datetime(at).date()
    }

    /// The nearest boundaries within so many dates.
    fn around(&self, at: Timestamp, reach: i32) -> (Option<Transition>, Option<Transition>) {
        let date = self.date(at);
        let (first, last) = (date.saturating_sub(reach.days()), date.saturating_add(reach.days()));
        // What touches these limits may go on beyond them, so only what lies between them is sure.
        let (low, high) = (self.beginning(first), self.beginning(last));
        let intervals = self.intervals(first.saturating_sub(LONGEST.days()), last);
        let (mut since, mut next) = (None, None);
        for act in self.acts(&intervals, low, high) {
            if act.at > at {
                next = Some(act);
                break;
            }
            since = Some(act);
        }
        (since.map(Act::transition), next.map(Act::transition))
    }

    fn acts<'a>(
        &self,
        intervals: &'a [Interval<'a>],
        after: Timestamp,
        before: Timestamp,
    ) -> impl Iterator<Item = Act<'a>> {
        let (starts, ends) = (self.mode != Mode::StopOnly, self.mode != Mode::StartOnly);
        intervals
            .iter()
            .flat_map(move |interval| {
                let start = starts.then_some(Act { at: interval.start, state: State::On, interval });
                start.into_iter().chain(ends.then_some(Act { at: interval.end, state: State::Off, interval }))
            })
            .filter(move |act| after < act.at && act.at < before)
    }

    /// Why it asks for what it does at an instant.
    pub(super) fn reason(&self, at: Timestamp) -> Reason {
        if self.is_always_off() {
            return Reason::AlwaysOff;
        }
        let today = self.date(at);
        let covering: Vec<_> = dates(today.saturating_sub(LONGEST.days()), today.saturating_add(1.day()))
            .flat_map(|date| self.occurrences(date))
            .filter(|found| (found.start.at..found.end.at).contains(&at))
            .collect();
        // Of several the one that lasts longest.
        let inside = covering.iter().filter(|found| found.off.is_none()).max_by_key(|found| found.end.at);
        match (inside, self.mode) {
            (Some(_), Mode::StopOnly) | (None, Mode::StartOnly) => return Reason::LeftAlone(self.mode),
            (Some(found), _) => return Reason::Inside(found.source.entry()),
            (None, _) => {}
        }
        covering
            .iter()
            .find_map(|found| {
                let dates = *found.off?;
                Some(Reason::OffDate { entry: found.source.entry(), date: found.date, dates })
            })
            .unwrap_or(Reason::Outside)
    }
}

/// A [`Transition`] that is not yet worth a copy of its window.
#[derive(Clone, Copy)]
struct Act<'a> {
    at: Timestamp,
    state: State,
    interval: &'a Interval<'a>,
}

impl Act<'_> {
    fn transition(self) -> Transition {
        let source = match self.state {
            State::On => self.interval.opened,
            State::Off => self.interval.closed,
        };
        Transition { at: self.at, state: self.state, entry: source.entry() }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlwaysOff => f.write_str("always off"),
            Self::Inside(entry) => write!(f, "inside {entry}"),
            Self::LeftAlone(Mode::StartOnly) => f.write_str("outside every window, where `start-only` stops nothing"),
            Self::LeftAlone(_) => f.write_str("inside a window, where `stop-only` starts nothing"),
            Self::OffDate { entry, date, dates } if dates.first == dates.last => {
                write!(f, "{entry} does not begin on {date}, an off date")
            }
            Self::OffDate { entry, date, dates } => {
                write!(f, "{entry} does not begin on {date}, one of the off dates {dates}")
            }
            Self::Outside => f.write_str("outside every window"),
        }
    }
}
