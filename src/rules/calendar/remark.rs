//! What a person should know about a span of dates that the boundaries alone do not tell: what changes of clocks and
//! exceptions do to the windows.

use std::{collections::BTreeSet, fmt};

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime},
};

use super::{
    Calendar,
    interval::{Bound, Clocks, Entry, LONGEST, Occurrence, Side, dates},
    window::{Dates, Minute, name},
};

/// One fact about a span of dates.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Remark {
    /// The clocks are changed.
    Change {
        /// What they would have shown then.
        from: DateTime,
        /// What they show instead.
        to: DateTime,
    },
    /// A window lies wholly in what the clocks skip.
    Empty {
        /// The date on which it would have begun.
        date: Date,
        /// The window.
        entry: Entry,
    },
    /// An exception keeps windows from beginning.
    Off {
        /// The exception.
        dates: Dates,
        /// The first date on which a window does not begin.
        first: Date,
        /// The last one.
        last: Date,
    },
    /// A window that began before a date of exception goes on over the whole of that date.
    Over {
        /// The date of exception.
        date: Date,
        /// The window.
        entry: Entry,
        /// The date on which it began.
        began: Date,
    },
    /// A boundary is a time that the clocks skip.
    Skipped {
        /// The window.
        entry: Entry,
        /// Whether it is its start or its end, in a word.
        verb: &'static str,
        /// The time that does not exist.
        minute: Minute,
        /// What the clocks show instead.
        instead: DateTime,
    },
    /// A boundary is a time that the clocks show twice.
    Twice {
        /// The window.
        entry: Entry,
        /// Whether it is its start or its end, in a word.
        verb: &'static str,
        /// The time, with its date.
        time: DateTime,
        /// Which of the two it is, in a word.
        which: &'static str,
    },
}

impl Calendar {
    /// What is to know about these dates, both included: changes of clocks first, then what they do to windows, then
    /// exceptions.
    pub fn remarks(&self, first: Date, last: Date) -> Vec<Remark> {
        let (low, high) = (self.beginning(first), self.beginning(last.saturating_add(1.day())));
        let mut remarks = self.changes(low, high);
        let boundaries: BTreeSet<Timestamp> =
            self.transitions(low.saturating_sub(1.second()).unwrap_or(low), high).iter().map(|act| act.at).collect();
        let mut over = Vec::new();
        for date in dates(first.saturating_sub(LONGEST.days()), last) {
            for found in self.occurrences(date).filter(|found| found.off.is_none() && found.end.at >= low) {
                remarks.extend(self.moved(&found, &boundaries));
                over.extend(self.over(&found, first, last));
            }
        }
        remarks.extend(self.off_dates.iter().flat_map(|exception| self.off(exception, first, last)));
        remarks.extend(over);
        remarks
    }

    /// The times for which an exception holds, as far as windows would have begun in them.
    fn off(&self, exception: &Dates, first: Date, last: Date) -> Vec<Remark> {
        let mut runs: Vec<(Date, Date)> = Vec::new();
        let mut goes_on = false;
        for date in dates(first, last) {
            if !exception.contain(date) {
                goes_on = false;
            } else if self.windows.iter().any(|window| window.begins_on(date)) {
                match runs.last_mut().filter(|_| goes_on) {
                    Some((_, last)) => *last = date,
                    None => runs.push((date, date)),
                }
                goes_on = true;
            }
        }
        runs.into_iter().map(|(first, last)| Remark::Off { dates: *exception, first, last }).collect()
    }

    fn changes(&self, low: Timestamp, high: Timestamp) -> Vec<Remark> {
        let before = low.saturating_sub(1.nanosecond()).unwrap_or(low);
        let mut offset = self.zone.to_offset(before);
        let mut remarks = Vec::new();
        for change in self.zone.following(before).take_while(|change| change.timestamp() < high) {
            // A change of the abbreviation alone is none of the clocks.
            let (from, to) = (offset.to_datetime(change.timestamp()), change.offset().to_datetime(change.timestamp()));
            if from != to {
                remarks.push(Remark::Change { from, to });
            }
            offset = change.offset();
        }
        remarks
    }

    /// What the clocks do to one window. Boundaries that vanish in a union are not worth a word.
    fn moved(&self, found: &Occurrence<'_>, boundaries: &BTreeSet<Timestamp>) -> Vec<Remark> {
        let entry = found.source.entry();
        if found.start.at == found.end.at {
            return vec![Remark::Empty { date: found.date, entry }];
        }
        let (start, end) = match &entry {
            Entry::Hours(hours) => (hours.start, hours.end),
            Entry::Window(window) => (window.start, window.end),
        };
        let sides = [(Side::Start, found.start, start), (Side::End, found.end, end)];
        sides
            .into_iter()
            .filter(|(_, bound, _)| boundaries.contains(&bound.at))
            .filter_map(|(side, bound, minute)| self.shifted(&entry, side, bound, minute))
            .collect()
    }

    fn shifted(&self, entry: &Entry, side: Side, bound: Bound, minute: Minute) -> Option<Remark> {
        let (entry, time) = (entry.clone(), self.zone.to_datetime(bound.at));
        let verb = if side == Side::Start { "begins" } else { "ends" };
        match bound.clocks {
            Clocks::Once => None,
            Clocks::Never => Some(Remark::Skipped { entry, verb, minute, instead: time }),
            Clocks::Twice => {
                let found = self.zone.to_ambiguous_timestamp(time);
                let is_first = found.earlier().is_ok_and(|earlier| earlier == bound.at);
                Some(Remark::Twice { entry, verb, time, which: if is_first { "first" } else { "second" } })
            }
        }
    }

    /// The dates of exception that a window covers from beginning to end, although it began before.
    fn over(&self, found: &Occurrence<'_>, first: Date, last: Date) -> Vec<Remark> {
        let ended = self.date(found.end.at);
        dates(found.date.saturating_add(1.day()), ended)
            .filter(|date| (first..=last).contains(date))
            .filter(|date| self.off_dates.iter().any(|dates| dates.contain(*date)))
            .filter(|date| found.end.at >= self.beginning(date.saturating_add(1.day())))
            .map(|date| Remark::Over { date, entry: found.source.entry(), began: found.date })
            .collect()
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = |date: Date| format!("{} {date}", name(date.weekday()));
        let clock = |time: &DateTime| time.strftime("%H:%M").to_string();
        match self {
            Self::Change { from, to } => {
                let way = if to > from { "forward" } else { "back" };
                // Another date is said too: a zone can move over the date line.
                let shown =
                    if from.date() == to.date() { clock(to) } else { format!("{} {}", day(to.date()), clock(to)) };
                write!(f, "{}: the clocks are put {way} from {} to {shown}", day(from.date()), clock(from))
            }
            Self::Empty { date, entry } => write!(f, "{}: {entry} is empty, for the clocks skip it", day(*date)),
            Self::Off { dates, first, last } if first == last => {
                write!(f, "{}: no window begins, for {dates} is an off date", day(*first))
            }
            Self::Off { dates, first, last } => {
                write!(f, "{} to {}: no window begins, for {dates} are off dates", day(*first), day(*last))
            }
            Self::Over { date, entry, began } => {
                write!(f, "{}: an off date, but {entry} goes on, for it began on {}", day(*date), day(*began))
            }
            Self::Skipped { entry, verb, minute, instead } => {
                let (date, instead) = (day(instead.date()), clock(instead));
                write!(f, "{date}: {entry} {verb} at {instead}, for the clocks skip {minute}")
            }
            Self::Twice { entry, verb, time, which } => {
                let (date, time) = (day(time.date()), clock(time));
                write!(f, "{date}: {entry} {verb} at the {which} {time}, for the clocks show it twice")
            }
        }
    }
}
