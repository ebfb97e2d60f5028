//! What a schedule will do between two dates, without any machine: pure over the calendar, so it needs neither a network
//! nor a clock.

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime},
};

use super::Schedule;
use crate::rules::calendar::{Calendar, Decision, Remark, Transition, Week};

/// A schedule followed over a span of dates of its own zone.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// The first date.
    pub first: Date,
    /// The last date, included.
    pub last: Date,
    /// The first instant of the first date.
    pub start: Moment,
    /// What is asked for then.
    pub initial: Decision,
    /// Every boundary after it, up to the end of the last date.
    pub transitions: Vec<(Moment, Transition)>,
    /// What the boundaries alone do not tell.
    pub remarks: Vec<Remark>,
    /// The week without exceptions and changes of clocks.
    pub week: Week,
}

/// An instant with what the clocks of the zone show then.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Moment {
    /// The instant.
    pub at: Timestamp,
    /// The local date and time.
    pub local: DateTime,
    /// What the zone calls its time then: `EDT`, or `+0530`.
    pub abbreviation: String,
}

/// Follows a schedule over these dates, both included; empty when the last lies before the first.
pub fn simulate(schedule: &Schedule, first: Date, last: Date) -> Simulation {
    let calendar = &schedule.calendar;
    let start = calendar.beginning(first);
    let end = calendar.beginning(last.saturating_add(1.day()));
    let transitions = calendar.transitions(start, end).into_iter();
    Simulation {
        first,
        last,
        start: moment(calendar, start),
        initial: calendar.decide(start),
        transitions: transitions.map(|transition| (moment(calendar, transition.at), transition)).collect(),
        remarks: calendar.remarks(first, last),
        week: calendar.week(),
    }
}

fn moment(calendar: &Calendar, at: Timestamp) -> Moment {
    let zone = calendar.zone();
    Moment { at, local: zone.to_datetime(at), abbreviation: zone.to_offset_info(at).abbreviation().to_owned() }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZoneDatabase;

    use super::*;
    use crate::rules::calendar::State;

    #[test]
    fn a_simulation_begins_with_a_state_and_goes_on_to_the_end_of_the_last_date() {
        let zone = TimeZoneDatabase::bundled().get("America/Detroit").unwrap();
        let calendar = Calendar::new(zone, vec!["Sat 22:00-01:30".parse().unwrap()]).unwrap();
        let schedule = Schedule::new("nights", calendar);
        let dates = ["2026-10-31", "2026-11-01"].map(|text| text.parse().unwrap());
        let simulation = simulate(&schedule, dates[0], dates[1]);
        assert_eq!(
            (simulation.initial.want, simulation.start.at.to_string()),
            (Some(State::Off), "2026-10-31T04:00:00Z".into())
        );
        let told: Vec<_> = simulation
            .transitions
            .iter()
            .map(|(moment, act)| format!("{} {} {} {}", act.state, moment.at, moment.local, moment.abbreviation))
            .collect();
        assert_eq!(
            told,
            ["on 2026-11-01T02:00:00Z 2026-10-31T22:00:00 EDT", "off 2026-11-01T06:30:00Z 2026-11-01T01:30:00 EST"]
        );
        assert_eq!(simulation.remarks.len(), 2, "{:?}", simulation.remarks);
        assert!(simulate(&schedule, dates[1], dates[0]).transitions.is_empty());
    }
}
