//! The output formats. Every one is written from the same value, a [`Report`] or the [`Error`] of a run that ended
//! without one, so that no two formats can disagree.
//!
//! A format is one file with a unit struct that implements [`Render`], and one line in [`REGISTRY`].

pub mod archives;
mod fold;
mod github;
pub mod glance;
pub mod history;
#[cfg(test)]
mod hostile;
mod human;
mod json;
mod junit;
mod nagios;
mod order;
mod prometheus;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod schema;
mod text;

use std::{fmt, path::PathBuf, str::FromStr};

use jiff::Timestamp;

pub use text::{line, padded, visible, wrap};

use crate::{
    error::{Error, Kind},
    report::{Finding, Report, Status},
    system::state::Mode,
};

/// How one format is written. Nothing here reads a clock, a terminal or a file.
pub trait Render: Sync {
    /// The name on the command line.
    fn name(&self) -> &'static str;

    /// One line for the help text.
    fn title(&self) -> &'static str;

    /// The text of a run that ended with a report; it ends with a newline unless it is empty.
    fn report(&self, report: &Report, view: &View) -> String;

    /// The text of a run that ended without one.
    fn error(&self, error: &Error, view: &View) -> String;

    /// Who may read the file that `--output` writes.
    fn mode(&self) -> Mode {
        Mode::Ordinary
    }
}

/// Every format, the default first.
pub static REGISTRY: &[Format] = &[
    Format(&human::Human),
    Format(&json::Json),
    Format(&junit::Junit),
    Format(&nagios::Nagios),
    Format(&prometheus::Prometheus),
    Format(&github::Github),
];

/// One of the [`REGISTRY`].
#[derive(Clone, Copy)]
pub struct Format(&'static dyn Render);

/// How the reader wants to see it, and what a renderer may know of the surroundings.
#[derive(Clone, Debug)]
pub struct View {
    /// The columns of the terminal; `None` elsewhere, where nothing is wrapped so that `grep` sees whole lines.
    pub width: Option<usize>,
    /// Whether there are colours (human only).
    pub colour: bool,
    /// Only what is not fine (human only).
    pub quiet: bool,
    /// Also the evidence of what is fine (human only).
    pub verbose: bool,
    /// Also the hand-run command of each finding (human only).
    pub explain: bool,
    /// The command as the operator knows it, for a run that ended without a report.
    pub command: String,
    /// The present moment, for a run that ended without a report.
    pub now: Timestamp,
    /// The folder that file names in annotations start from (`$GITHUB_WORKSPACE`).
    pub checkout: Option<PathBuf>,
}

impl View {
    /// What a pipe gets.
    pub fn plain(command: impl Into<String>, now: Timestamp) -> Self {
        Self {
            width: None,
            colour: false,
            quiet: false,
            verbose: false,
            explain: false,
            command: command.into(),
            now,
            checkout: None,
        }
    }

    /// The same for a file: neither a terminal's width nor its colours reach it.
    pub fn for_file(&self) -> Self {
        Self { width: None, colour: false, ..self.clone() }
    }
}

impl Format {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// One line for the help text.
    pub fn title(self) -> &'static str {
        self.0.title()
    }

    /// Who may read a file in this format.
    pub fn mode(self) -> Mode {
        self.0.mode()
    }

    /// Whether the exit code follows the plugin convention of Nagios.
    pub fn is_nagios(self) -> bool {
        self.name() == nagios::Nagios.name()
    }

    /// Whether a person reads it: errors then go to standard error, in every other format into the document.
    pub fn is_human(self) -> bool {
        self.name() == human::Human.name()
    }
}

impl Default for Format {
    fn default() -> Self {
        REGISTRY[0]
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Format({})", self.name())
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Format {}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        if let Some(format) = REGISTRY.iter().find(|format| format.name() == name) {
            return Ok(*format);
        }
        let names: Vec<_> = REGISTRY.iter().map(|format| format.name()).collect();
        let error = Error::new(Kind::Usage, format!("write the format `{name}`"))
            .because(format!("the formats are {}", names.join(", ")));
        let near = names.iter().find(|known| strsim::damerau_levenshtein(known, &name.to_lowercase()) <= 2);
        Err(match near {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        })
    }
}

impl clap::ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Self] {
        REGISTRY
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.name()).help(self.title()))
    }
}

/// Writes a report in a format.
pub fn render(format: Format, report: &Report, view: &View) -> String {
    format.0.report(report, view)
}

/// Writes the error that ended a run in a format.
pub fn render_error(format: Format, error: &Error, view: &View) -> String {
    format.0.error(error, view)
}

/// Findings about one subject, in the order in which they came.
struct Group<'a> {
    subject: &'a str,
    findings: Vec<&'a Finding>,
}

/// The findings of a report by subject, in the order in which the subjects came.
fn by_subject(report: &Report) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for finding in &report.findings {
        let place = *places.entry(finding.subject.as_str()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.findings.push(finding),
            None => groups.push(Group { subject: &finding.subject, findings: vec![finding] }),
        }
    }
    groups
}

/// What the totals of a report are about.
fn overall_name(report: &Report) -> String {
    match by_subject(report).as_slice() {
        [group] if !group.subject.is_empty() => group.subject.to_owned(),
        [] | [_] => report.command.clone(),
        several => format!("{} subjects", several.len()),
    }
}

/// What a status means for this run: with `--strict` a warning is a failure.
fn effective(status: Status, report: &Report) -> Status {
    match status {
        Status::Warn if report.strict => Status::Fail,
        status => status,
    }
}

/// The id of the finding that explains this one.
fn because_of(finding: &Finding) -> Option<&str> {
    finding.data.get("because_of")?.as_str()
}

/// An error in one line: causes of several lines (a piece of the configuration with its caret) are left to
/// [`excerpts`].
fn headline(error: &Error) -> String {
    let mut text = format!("could not {}", error.what);
    for why in error.why.iter().filter(|why| !is_excerpt(why)) {
        text = format!("{text}: {why}");
    }
    text
}

/// The causes of an error that have several lines.
fn excerpts(error: &Error) -> impl Iterator<Item = &str> {
    error.why.iter().filter(|why| is_excerpt(why)).map(|why| why.trim_end())
}

fn is_excerpt(why: &str) -> bool {
    why.trim_end().contains('\n')
}

/// "10 pass, 1 warn, 1 fail": what there is none of is left out.
fn tally(findings: &[&Finding]) -> String {
    use Status::{Fail, Pass, Skip, Unknown, Warn};
    let counts: Vec<_> = [Pass, Skip, Warn, Unknown, Fail]
        .into_iter()
        .map(|status| (status, findings.iter().filter(|finding| finding.status == status).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(status, count)| format!("{count} {}", status.word()))
        .collect();
    if counts.is_empty() { "nothing to look at".to_owned() } else { counts.join(", ") }
}

/// A time as people write it: "0.42 s", "3 min 5 s".
fn seconds(took: std::time::Duration) -> String {
    let whole = took.as_secs();
    if whole < 60 { format!("{:.2} s", took.as_secs_f64()) } else { format!("{} min {} s", whole / 60, whole % 60) }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_format_is_found_by_its_name_and_a_typo_is_answered() {
        for format in REGISTRY {
            assert_eq!(format.name().parse::<Format>().unwrap(), *format);
            assert!(format.to_possible_value().is_some());
        }
        let error = "josn".parse::<Format>().unwrap_err();
        assert_eq!(error.hints, ["did you mean `json`?"]);
        assert_eq!(error.kind, Kind::Usage);
    }
}
