//! The machines of schedules as a person and as a program reads them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::simulation::grid;
use crate::{
    cli::render::wrap,
    rules::{
        calendar::State,
        fleet::{Act, Judgement, Tagged, local},
    },
    schedule::{Entry, Schedule, wanted},
};

/// Machines with what is to be done at an instant.
pub(super) struct Roster<'a> {
    /// Their schedules.
    pub schedules: &'a [Schedule],
    /// The machines.
    pub entries: &'a [Entry],
    /// The instant.
    pub at: Timestamp,
    /// Schedules of which something could not be seen.
    pub blind: Vec<&'a str>,
}

/// Which machines get a row of their own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rows {
    /// Every one.
    All,
    /// Where something is done, or would be if nothing stood in the way.
    Notable,
}

impl Roster<'_> {
    /// The key `result` of the report.
    pub fn json(&self) -> Value {
        let resources: Vec<Value> = self.entries.iter().map(|entry| self.resource(&entry.judgement)).collect();
        let schedules = self.schedules.iter().map(|schedule| {
            let decision = wanted(schedule, self.at).decision;
            json!({
                "name": schedule.name,
                "timezone": zone(schedule),
                "desired": word(decision.want),
                "reason": decision.reason.to_string(),
                "next": decision.next.map(|next| transition(next.at, next.state)),
            })
        });
        json!({ "at": self.at.to_string(), "schedules": schedules.collect::<Vec<_>>(), "resources": resources })
    }

    fn resource(&self, Judgement { schedule, machine, verdict }: &Judgement) -> Value {
        let tag = match Tagged::of(&machine.tags, self.at) {
            Tagged::Active(found) => Some(found.to_string()),
            Tagged::Nothing | Tagged::Expired(_) | Tagged::Unreadable(_) => None,
        };
        json!({
            "id": machine.id,
            "kind": machine.kind.word(),
            "account": machine.account,
            "region": machine.region,
            "desired": word(verdict.desired),
            "actual": machine.condition().word(),
            "action": verdict.act.word(),
            "reason": verdict.reason.word(),
            "next": verdict.next.map(|(at, state)| transition(at, state)),
            "schedule": schedule,
            "name": machine.name(),
            "status": machine.status,
            "why": verdict.reason.to_string(),
            "late": verdict.late,
            "override": tag,
            "restarts_itself": machine.restart().map(|at| at.to_string()),
        })
    }

    /// What a person reads: for each schedule its week, what it wants, and its machines. Fits into 80 columns.
    pub fn text(&self, rows: Rows, width: Option<usize>) -> String {
        let mut lines = Vec::new();
        for schedule in self.schedules {
            if !lines.is_empty() {
                lines.push(String::new());
            }
            self.head(schedule, &mut lines);
            lines.push(String::new());
            let own: Vec<&Judgement> = self
                .entries
                .iter()
                .map(|entry| &entry.judgement)
                .filter(|judgement| judgement.schedule == schedule.name)
                .collect();
            let notable = |judgement: &&&Judgement| {
                let verdict = &judgement.verdict;
                rows == Rows::All || verdict.act != Act::Nothing || verdict.reason.is_skip()
            };
            for judgement in own.iter().filter(notable) {
                row(schedule, judgement, self.at, width, &mut lines);
            }
            let rest = own.iter().filter(|judgement| !notable(judgement)).count();
            match (own.len(), rest) {
                (0, _) if self.blind.contains(&schedule.name.as_str()) => {
                    lines.push("  none of its machines could be seen".into());
                }
                (0, _) => lines.push("  no machine belongs to it".into()),
                (_, 0) => {}
                (1, _) => lines.push("  its machine is as it should be".into()),
                (all, rest) if all == rest => lines.push(format!("  all {all} machines are as they should be")),
                (_, rest) => lines.push(format!("  {rest} more as they should be (-v lists them)")),
            }
        }
        lines.push(String::new());
        lines.join("\n")
    }

    fn head(&self, schedule: &Schedule, lines: &mut Vec<String>) {
        let decision = wanted(schedule, self.at).decision;
        let zone = schedule.calendar.zone();
        let abbreviation = zone.to_offset_info(self.at).abbreviation().to_owned();
        let now = zone.to_datetime(self.at).strftime("%a %Y-%m-%d %H:%M").to_string();
        lines.push(format!("{}  {now} {abbreviation} ({})", schedule.name, self.zone_of(schedule)));
        let next =
            decision.next.map(|next| format!("; {} from {}", next.state, local(zone, next.at))).unwrap_or_default();
        lines.push(format!("  {}, {}{next}", word(decision.want), decision.reason));
        lines.push(String::new());
        grid(&schedule.calendar.week(), schedule.calendar.mode(), lines);
    }

    fn zone_of(&self, schedule: &Schedule) -> String {
        zone(schedule).to_owned()
    }
}

/// One machine: what is done and to what, and below it why.
fn row(schedule: &Schedule, judgement: &Judgement, at: Timestamp, width: Option<usize>, lines: &mut Vec<String>) {
    let Judgement { machine, verdict, .. } = judgement;
    let act = match verdict.act {
        Act::Nothing => "-",
        act => act.word(),
    };
    lines.push(format!("  {act:<5}  {:<11}  {}  {}", machine.kind.word(), machine.title(), machine.region));
    let actual = machine.condition().word();
    let state = match verdict.desired {
        Some(desired) if desired.word() != actual => format!("{actual}, should be {desired}"),
        _ => actual.to_owned(),
    };
    let why = match verdict.reason.word() {
        "schedule" | "override" => verdict.reason.to_string(),
        word => format!("{word}: {}", verdict.reason),
    };
    let zone = schedule.calendar.zone();
    let next = match verdict.next {
        Some((when, state)) if when.duration_since(at) < jiff::SignedDuration::from_hours(6 * 24) => {
            format!("; {state} from {}", local(zone, when))
        }
        Some((when, state)) => format!("; {state} from {}", zone.to_datetime(when).strftime("%Y-%m-%d %H:%M")),
        None => String::new(),
    };
    let itself = machine.restart().map(|at| format!("; RDS starts it by itself at {}", at.strftime("%Y-%m-%d %H:%MZ")));
    let text = format!("{state}; {why}{next}{}", itself.unwrap_or_default());
    for part in wrap(&text, width.map(|width| width.saturating_sub(INDENT))) {
        lines.push(format!("{:INDENT$}{part}", ""));
    }
}

/// Where the second line of a machine begins.
const INDENT: usize = 9;

fn word(state: Option<State>) -> &'static str {
    state.map_or("any", State::word)
}

fn zone(schedule: &Schedule) -> &str {
    schedule.calendar.zone().iana_name().unwrap_or("UTC")
}

fn transition(at: Timestamp, state: State) -> Value {
    json!({ "at": at.to_string(), "state": state.word() })
}
