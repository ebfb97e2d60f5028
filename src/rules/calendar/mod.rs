//! Recurring windows on the wall clock of a time zone, and what they ask for at an instant.
//!
//! A window of a date is *one* interval of time, computed once for that date: from the first instant whose wall clock
//! shows its start or later to the last instant whose wall clock shows less than its end. Nothing compares wall clocks
//! afterwards, so a repeated hour does not switch anything twice. Where the clocks skip a time, it falls on the change
//! itself; where they show a time twice, a start is the first of the two and an end the second. Intervals are half-open:
//! on at the start, off at the end.
//!
//! Not here: what a machine does, who overrode what, and which version of the zones' rules holds. The zone is an argument.
//!
//! ```
//! use mainstay::rules::calendar::{Calendar, State};
//! # let zone = jiff::tz::TimeZoneDatabase::bundled().get("America/Detroit")?;
//! let calendar = Calendar::new(zone, vec!["Mon-Fri 07:00-19:00".parse()?])?;
//! let decision = calendar.decide("2026-11-23T18:00:00Z".parse()?);
//! assert_eq!(decision.want, Some(State::On));
//! assert_eq!(decision.reason.to_string(), "inside Mon-Fri 07:00-19:00");
//! assert_eq!(decision.next.map(|next| next.at.to_string()).as_deref(), Some("2026-11-24T00:00:00Z"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod decide;
mod firing;
mod interval;
mod parse;
mod remark;
mod repeat;
mod week;
mod window;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod oracle;

use std::fmt;

use jiff::tz::TimeZone;

use super::units::Wrong;

pub use decide::{Decision, Reason, Transition};
pub use interval::Entry;
pub use remark::Remark;
pub use repeat::Repeat;
pub use week::Week;
pub use window::{Dates, Day, Hours, Minute, Window};

/// Windows with their exceptions, in one time zone.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: TimeZone,
    mode: Mode,
    /// Empty when it is always off.
    windows: Vec<Window>,
    off_dates: Vec<Dates>,
    on_dates: Vec<Hours>,
}

/// Which of the two sides of a window count.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mode {
    /// On inside the windows, off outside.
    #[default]
    Both,
    /// On inside the windows; outside nothing is asked, so nothing is ever stopped.
    StartOnly,
    /// Off outside the windows, for what ran already when the window ended; inside nothing is asked, so nothing is ever
    /// started.
    StopOnly,
}

/// What a machine is asked to be.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum State {
    /// Stopped.
    Off,
    /// Running.
    On,
}

impl Calendar {
    /// On inside these windows, off outside.
    ///
    /// # Errors
    ///
    /// Without a window everything would be stopped for ever, which [`always_off`](Self::always_off) says on purpose.
    pub fn new(zone: TimeZone, windows: Vec<Window>) -> Result<Self, Wrong> {
        if windows.is_empty() {
            return Err(Wrong("without windows everything would be stopped for ever".into()));
        }
        Ok(Self { zone, mode: Mode::Both, windows, off_dates: Vec::new(), on_dates: Vec::new() })
    }

    /// Never on.
    pub fn always_off(zone: TimeZone) -> Self {
        Self { zone, mode: Mode::Both, windows: Vec::new(), off_dates: Vec::new(), on_dates: Vec::new() }
    }

    /// With only one of its sides. What is always off has no side to leave out and stays as it is.
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = if self.is_always_off() { Mode::Both } else { mode };
        self
    }

    /// With exceptions: dates on which no window begins, and hours that count all the same, also on such dates. A window
    /// that began the day before ends normally. What is always off has no exceptions.
    #[must_use]
    pub fn with_exceptions(mut self, off_dates: Vec<Dates>, on_dates: Vec<Hours>) -> Self {
        if !self.is_always_off() {
            (self.off_dates, self.on_dates) = (off_dates, on_dates);
        }
        self
    }

    /// The zone of all its times and dates.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Which sides count.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    fn is_always_off(&self) -> bool {
        self.windows.is_empty()
    }
}

impl State {
    /// The word of every output format.
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
