//! A simulation as a person and as a program reads it.

use serde_json::{Value, json};

use crate::{
    cli::render::wrap,
    rules::calendar::{Mode, State, Week},
    schedule::{Moment, Schedule, Simulation},
    system::zone::Zones,
};

/// A simulation with what it was made from.
pub(super) struct Page<'a> {
    /// The schedule.
    pub schedule: &'a Schedule,
    /// What it does.
    pub simulation: &'a Simulation,
    /// The rules that its zone went by.
    pub zones: &'a Zones,
}

impl Page<'_> {
    /// The key `result` of the report.
    pub fn json(&self) -> Value {
        let Simulation { first, last, initial, transitions, remarks, week, .. } = self.simulation;
        let transitions: Vec<Value> = transitions
            .iter()
            .map(|(moment, act)| json!({ "at": moment.at.to_string(), "state": act.state.word() }))
            .collect();
        let week: serde_json::Map<String, Value> =
            week.days().map(|(day, hours)| (day.to_lowercase(), json!(hours))).collect();
        json!({
            "schedule": self.schedule.name,
            "timezone": self.zone(),
            "zone_rules": self.zones.version,
            "from": first.to_string(),
            "to": last.to_string(),
            "initial": initial.want.map_or("any", State::word),
            "transitions": transitions,
            "week": week,
            "notes": remarks.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }

    /// What a person reads: the week, every boundary, and what is to know besides. Fits into 80 columns; only notes are
    /// longer where no width is given.
    pub fn text(&self, width: Option<usize>) -> String {
        let Simulation { first, last, start, initial, transitions, remarks, week } = self.simulation;
        let mut lines = vec![format!("{}: {first} to {last}", self.schedule.name)];
        let built_in = if self.zones.folder.is_none() { ", built in" } else { "" };
        lines.push(format!("time zone {} (rules of {}{built_in})", self.zone(), self.zones.version));
        lines.push(String::new());
        grid(week, self.schedule.calendar.mode(), &mut lines);
        lines.push(String::new());
        lines.push(row(start, initial.want, &initial.reason.to_string()));
        lines.extend(transitions.iter().map(|(moment, act)| row(moment, Some(act.state), &act.entry.to_string())));
        if transitions.is_empty() {
            lines.push("nothing is started or stopped in this time".into());
        }
        if !remarks.is_empty() {
            lines.push(String::new());
        }
        for remark in remarks {
            let wrapped = wrap(&remark.to_string(), width.map(|width| width.saturating_sub(INDENT)));
            for (at, part) in wrapped.iter().enumerate() {
                lines.push(format!("{:INDENT$}{part}", if at == 0 { "note: " } else { "" }));
            }
        }
        lines.push(String::new());
        lines.join("\n")
    }

    fn zone(&self) -> &str {
        self.schedule.calendar.zone().iana_name().unwrap_or("UTC")
    }
}

/// What stands before a note.
const INDENT: usize = 6;

/// One boundary: local time, UTC, state, why.
fn row(moment: &Moment, state: Option<State>, why: &str) -> String {
    let local = format!("{} {}", moment.local.strftime("%a %Y-%m-%d %H:%M"), moment.abbreviation);
    let utc = moment.at.strftime("%Y-%m-%d %H:%MZ");
    format!("{local:<26}  {utc}  {:<3}  {why}", state.map_or("any", State::word))
}

/// The week, a column of three an hour.
pub(in crate::cli) fn grid(week: &Week, mode: Mode, lines: &mut Vec<String>) {
    let hours: Vec<String> = (0..24).map(|hour| format!("{hour:02}")).collect();
    lines.push(format!("     {}", hours.join(" ")));
    for (day, hours) in week.days() {
        let cells: Vec<&str> = hours
            .iter()
            .map(|minutes| match minutes {
                0 => EMPTY,
                60.. => FULL,
                _ => PART,
            })
            .collect();
        lines.push(format!("{day}  {}", cells.join(" ")));
    }
    let (inside, outside) = match mode {
        Mode::Both => ("on", "off"),
        Mode::StartOnly => ("started", "left as it is"),
        Mode::StopOnly => ("left as it is", "stopped"),
    };
    lines.push(format!("     {FULL} {inside}   {PART} part of the hour   {EMPTY} {outside}   (exceptions aside)"));
}

const FULL: &str = "██";
const PART: &str = "▒▒";
const EMPTY: &str = "··";
