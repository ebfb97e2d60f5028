//! Schedules at a glance: the week, what is asked for now, and what happens next.

use jiff::Timestamp;
use serde::Serialize;

use super::worst;
use crate::{
    report::{Finding, Status},
    rules::calendar::{Mode, State, Week},
    schedule::{Schedule, wanted},
};

/// A configured schedule.
#[derive(Clone, Debug, Serialize)]
pub struct Timetable {
    /// Its name.
    pub name: String,
    /// Its time zone.
    pub timezone: String,
    /// The verdict of `schedule.drift`.
    pub status: Status,
    /// The verdict in words, where it is not fine.
    pub summary: Option<String>,
    /// What it asks for now: `on`, `off`, or `any` where it leaves everything as it is.
    pub desired: &'static str,
    /// Why.
    pub reason: String,
    /// What happens next.
    pub next: Option<Next>,
    /// How many machines belong to it, where they could be seen.
    pub machines: Option<u64>,
    /// Minutes of each hour of an ordinary week inside its windows, Monday first.
    #[serde(serialize_with = "hours")]
    pub week: Week,
    /// Which of its sides count.
    #[serde(skip)]
    pub mode: Mode,
}

/// A boundary of a schedule.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Next {
    /// When.
    pub at: Timestamp,
    /// The same on the clocks of its zone: `Mon 2026-11-30 07:00`.
    pub local: String,
    /// What it asks for from then on.
    pub state: &'static str,
}

impl Timetable {
    /// A schedule at an instant, with what was found about it.
    pub(super) fn of(schedule: &Schedule, findings: &[Finding], at: Timestamp) -> Self {
        let own = || {
            let about = |finding: &&Finding| finding.id == "schedule.drift" && finding.subject == schedule.name;
            findings.iter().filter(about)
        };
        let decision = wanted(schedule, at).decision;
        let zone = schedule.calendar.zone();
        let wrong = own().filter(|finding| !finding.status.is_fine()).max_by_key(|finding| finding.status);
        Self {
            name: schedule.name.clone(),
            timezone: zone.iana_name().unwrap_or("UTC").to_owned(),
            status: worst(own()),
            summary: wrong.map(|finding| finding.summary.clone()),
            desired: decision.want.map_or("any", State::word),
            reason: decision.reason.to_string(),
            next: decision.next.map(|next| Next {
                at: next.at,
                local: zone.to_datetime(next.at).strftime("%a %Y-%m-%d %H:%M").to_string(),
                state: next.state.word(),
            }),
            machines: own().find_map(|finding| finding.data.get("machines")?.as_u64()),
            week: schedule.calendar.week(),
            mode: schedule.calendar.mode(),
        }
    }
}

/// A list of 24 numbers a day.
fn hours<S: serde::Serializer>(week: &Week, serializer: S) -> Result<S::Ok, S::Error> {
    let days: Vec<&[u8]> = week.0.iter().map(<[u8; 24]>::as_slice).collect();
    days.serialize(serializer)
}
