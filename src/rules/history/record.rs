//! A run as a record: from its report, and as a line of text.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::{Change, Ending, Fine, Run, SCHEMA, Trouble};
use crate::{
    error::Error,
    report::{Counts, Finding, Outcome, Report, State, Status},
    rules::redact::Redact,
};

/// What a report does not say of its run.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// When it began.
    pub started: Timestamp,
    /// How long it took.
    pub seconds: f64,
    /// The machine.
    pub host: String,
    /// The user of the process.
    pub user: String,
    /// Who called `sudo`.
    pub sudo: Option<String>,
    /// The project of the configuration.
    pub project: Option<String>,
    /// `check`, `backup`, `renew-cert`, `schedule`.
    pub job: String,
    /// The command: `backup create`.
    pub command: String,
    /// What it was asked to work on; empty for everything.
    pub names: Vec<String>,
    /// Whether a part was left out (`--only`, `--skip`).
    pub partial: bool,
    /// Whether it looked in another way than usual.
    pub otherwise: bool,
    /// The exit code.
    pub exit: u8,
}

/// No line of a history is longer, in bytes; what is longer is none of ours.
pub const LONGEST: usize = 1 << 20;

/// So many things are told with their texts; of the others stays what they are and since when.
const TOLD: usize = 200;

/// So many things are kept at all: the rest of a run over more is counted only.
const KEPT: usize = 5_000;

/// The longest text of a record, in characters.
const TEXT: usize = 400;

impl Run {
    /// The record of a run that ended with a report, without the secrets.
    pub fn of_report(facts: Facts, report: &Report, redact: &Redact) -> Self {
        Self {
            locked: report.locked,
            counts: report.counts(),
            findings: troubles(&report.findings, redact),
            fine: fine(&report.findings, redact),
            changes: changes(&report.outcomes, report.plan.as_ref(), redact),
            ..Self::bare(facts, report.status(), redact)
        }
    }

    /// The record of a run that an error ended, without the secrets.
    pub fn of_error(facts: Facts, error: &Error, redact: &Redact) -> Self {
        let all = |texts: &[String]| texts.iter().map(|text| brief(&redact.text(text))).collect();
        let ending = Ending {
            kind: error.kind,
            what: brief(&redact.text(&error.what)),
            why: all(&error.why),
            hints: all(&error.hints),
            since: None,
            new: false,
        };
        Self { error: Some(ending), ..Self::bare(facts, Status::Fail, redact) }
    }

    fn bare(facts: Facts, status: Status, redact: &Redact) -> Self {
        let Facts { started, seconds, host, user, sudo, project, job, command, names, partial, otherwise, exit } =
            facts;
        Self {
            schema: SCHEMA,
            started,
            seconds: (seconds * 1e3).round() / 1e3,
            host,
            user,
            sudo,
            project,
            job,
            command,
            names: names.iter().map(|name| brief(&redact.text(&without_query(name)))).collect(),
            partial,
            otherwise,
            locked: false,
            status,
            exit,
            counts: Counts::default(),
            findings: Vec::new(),
            fine: Vec::new(),
            changes: Vec::new(),
            error: None,
            recovered: Vec::new(),
            open: Vec::new(),
        }
    }
}

/// The record as one line with its line end, never longer than [`LONGEST`].
pub fn write(run: &Run) -> Vec<u8> {
    let line = |run: &Run| {
        let mut line = serde_json::to_vec(run).expect("plain fields always serialise");
        line.push(b'\n');
        line
    };
    let whole = line(run);
    if whole.len() <= LONGEST {
        return whole;
    }
    // Without its texts and with a part of what is right it is still true of what it names.
    let mut short = run.clone();
    short.partial = true;
    for trouble in &mut short.findings {
        (trouble.summary, trouble.cause, trouble.fix) = (String::new(), None, None);
    }
    for change in &mut short.changes {
        (change.detail, change.reason, change.fix) = (String::new(), None, None);
    }
    short.fine.clear();
    // Halves until it fits; nothing that a team has comes here.
    while line(&short).len() > LONGEST {
        short.names.truncate((short.names.len() / 2).max(10));
        short.findings.truncate(short.findings.len() / 2);
        short.changes.truncate(short.changes.len() / 2);
        short.recovered.truncate(short.recovered.len() / 2);
        short.open.truncate(short.open.len() / 2);
    }
    line(&short)
}

/// The record of one line; `None` for a torn line, a foreign one, and one of a later schema, whose fields mean something
/// else.
pub fn read(line: &[u8]) -> Option<Run> {
    let run: Run = serde_json::from_slice(line).ok()?;
    (run.schema == SCHEMA).then_some(run)
}

/// What is not fine: for each id and subject the worst, in the order of the report.
fn troubles(findings: &[Finding], redact: &Redact) -> Vec<Trouble> {
    let mut troubles: Vec<Trouble> = Vec::new();
    let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| !finding.status.is_fine()) {
        let place = places.get(&(finding.id, finding.subject.as_str())).copied();
        if place.is_some_and(|place| troubles[place].status >= finding.status) {
            continue;
        }
        let told = troubles.len() < TOLD;
        let text = |text: &str| if told { brief(&redact.text(text)) } else { String::new() };
        let some = |text: &Option<String>| text.as_deref().map(text_of(redact)).filter(|_| told);
        let trouble = Trouble {
            id: finding.id.to_owned(),
            subject: brief(&redact.text(&finding.subject)),
            status: finding.status,
            summary: text(&finding.summary),
            cause: some(&finding.cause),
            fix: some(&finding.fix),
            reason: finding.data.get("reason").and_then(Value::as_str).map(str::to_owned),
            since: None,
            new: false,
        };
        match place {
            Some(place) => troubles[place] = trouble,
            None if troubles.len() < KEPT => {
                places.insert((finding.id, &finding.subject), troubles.len());
                troubles.push(trouble);
            }
            None => {}
        }
    }
    troubles
}

/// What was looked at and is right, and is not wrong elsewhere: the checks of the same subjects stand together.
fn fine(findings: &[Finding], redact: &Redact) -> Vec<Fine> {
    let wrong = findings.iter().filter(|finding| !finding.status.is_fine());
    let wrong: BTreeSet<(&str, &str)> = wrong.map(|finding| (finding.id, finding.subject.as_str())).collect();
    let mut subjects: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.status == Status::Pass) {
        if !wrong.contains(&(finding.id, finding.subject.as_str())) {
            subjects.entry(finding.id).or_default().insert(&finding.subject);
        }
    }
    let mut together: BTreeMap<BTreeSet<&str>, Vec<&str>> = BTreeMap::new();
    for (id, subjects) in subjects {
        together.entry(subjects).or_default().push(id);
    }
    let mut fine: Vec<Fine> = together
        .iter()
        .map(|(subjects, ids)| Fine {
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            subjects: subjects.iter().map(|subject| brief(&redact.text(subject))).collect(),
        })
        .collect();
    fine.sort_by(|a, b| a.ids.cmp(&b.ids));
    fine
}

/// What was done and what failed, with the reason that the plan gave.
fn changes(outcomes: &[Outcome], plan: Option<&Value>, redact: &Redact) -> Vec<Change> {
    let steps = plan.and_then(|plan| plan["steps"].as_array()).map(Vec::as_slice).unwrap_or_default();
    let reason = |outcome: &Outcome| {
        let of = |step: &&Value| step["target"] == outcome.target.as_str();
        let same = steps.iter().filter(of).find(|step| step["action"] == outcome.action.as_str());
        // An action that is more than a word has the target alone in common with its outcome.
        same.or_else(|| steps.iter().find(of)).and_then(|step| step["reason"].as_str())
    };
    let noted = outcomes.iter().filter(|outcome| matches!(outcome.state, State::Done | State::Failed));
    let change = |(at, outcome): (usize, &Outcome)| {
        let told = at < TOLD;
        Change {
            action: brief(&redact.text(&outcome.action)),
            target: brief(&redact.text(&outcome.target)),
            state: outcome.state,
            detail: if told { brief(&redact.text(&outcome.detail)) } else { String::new() },
            reason: reason(outcome).map(text_of(redact)).filter(|reason| told && !reason.is_empty()),
            fix: outcome.fix.as_deref().map(text_of(redact)).filter(|_| told && outcome.state == State::Failed),
            since: None,
            new: false,
        }
    };
    noted.take(KEPT).enumerate().map(change).collect()
}

fn text_of(redact: &Redact) -> impl Fn(&str) -> String {
    move |text| brief(&redact.text(text))
}

/// The text without what is too long for a record.
fn brief(text: &str) -> String {
    match text.char_indices().nth(TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// An address without its query, where tokens stand.
fn without_query(name: &str) -> String {
    match name.split_once('?') {
        Some((address, _)) if address.contains("://") => format!("{address}?…"),
        _ => name.to_owned(),
    }
}
