//! The list of `mainstay history`: without borders, so that `grep` works, and within 80 columns.

use std::{fmt::Write as _, time::Duration};

use anstyle::Style;
use jiff::Timestamp;
use unicode_width::UnicodeWidthStr;

use super::{
    View,
    text::{line, padded, wrap},
};
use crate::{
    cli::style::Palette,
    overview::history::{Listing, Row, rows},
    report::{State, Status},
    rules::history::{Gone, Recovered, Run, Trouble},
};

/// Where what belongs to a run begins.
const INDENT: usize = 18;

/// The runs, the newest first: one line each with what is new below it. With `-v` each run by itself, with everything that
/// is known of it.
pub fn list(listing: &Listing, view: &View) -> String {
    let palette = Palette::new(view.colour);
    let rows: Vec<Row<'_>> = match view.verbose {
        true => listing.runs.iter().map(|run| Row { run, first: run.started, count: 1 }).collect(),
        false => rows(&listing.runs),
    };
    // Several projects may share a folder: then each row says whose it is.
    let mut projects: Vec<_> = listing.runs.iter().filter_map(|run| run.project.as_deref()).collect();
    projects.sort_unstable();
    projects.dedup();
    let shared = projects.len() > 1;
    let wide = rows.iter().map(|row| title(row.run, shared).width()).max().unwrap_or_default();
    let mut text = String::new();
    for row in &rows {
        head(row, &padded(&title(row.run, shared), wide), palette, &mut text);
        let page = Page { view, palette };
        match view.verbose {
            true => page.everything(row.run, &mut text),
            false => page.news(row.run, &mut text),
        }
    }
    text
}

/// `2026-11-26 02:30  backup create  pass     1.2 s  2 changes`
fn head(row: &Row<'_>, title: &str, palette: Palette, text: &mut String) {
    let run = row.run;
    let (word, style) = result(run, palette);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "{}  {title}  {style}{word:<7}{style:#} {:>7}  {}",
        minute(run.started),
        took(run.seconds),
        line(&gist(run)),
    );
    if row.count > 1 {
        let _ = write!(text, "\n{:<INDENT$}{} runs since {} say the same", "", row.count, minute(row.first));
    }
    text.push('\n');
}

/// What ran, and whose it is where the folder is shared.
fn title(run: &Run, shared: bool) -> String {
    let project = run.project.as_deref().filter(|_| shared).map(|project| format!(" of {project}"));
    line(&format!("{}{}", run.command, project.unwrap_or_default())).into_owned()
}

/// The end of a run in a word.
fn result(run: &Run, palette: Palette) -> (&'static str, Style) {
    if let Some(error) = &run.error {
        return match error.kind {
            crate::error::Kind::Interrupted => ("stopped", palette.bad),
            crate::error::Kind::Locked => ("locked", palette.caution),
            _ => ("error", palette.bad),
        };
    }
    match run.status {
        Status::Pass | Status::Skip if run.locked => ("locked", palette.caution),
        status @ (Status::Pass | Status::Skip) => (status.word(), palette.good),
        Status::Warn => ("warn", palette.caution),
        Status::Unknown => ("unknown", palette.unsure),
        Status::Fail => ("fail", palette.bad),
    }
}

/// What came of it, in a few words.
fn gist(run: &Run) -> String {
    let mut parts = Vec::new();
    let mut part = |count: usize, one: &str, many: &str| match count {
        0 => {}
        1 => parts.push(format!("1 {one}")),
        count => parts.push(format!("{count} {many}")),
    };
    part(run.done().count(), "change", "changes");
    part(run.changes.len() - run.done().count(), "change failed", "changes failed");
    part(run.counts.fail, "failed", "failed");
    part(run.counts.unknown, "unknown", "unknown");
    part(run.counts.warn, "warning", "warnings");
    part(run.counts.pass, "fine", "fine");
    if parts.is_empty() && run.error.is_none() {
        parts.push("nothing to do".to_owned());
    }
    parts.join(", ")
}

/// How the lines below a run are set.
#[derive(Clone, Copy)]
struct Page<'a> {
    view: &'a View,
    palette: Palette,
}

impl Page<'_> {
    /// What was not so in the run before.
    fn news(self, run: &Run, text: &mut String) {
        for trouble in run.findings.iter().filter(|trouble| trouble.new) {
            self.trouble("new", trouble, text);
        }
        for change in run.changes.iter().filter(|change| change.new) {
            let what = format!("new failure: {} {}: {}", change.action, change.target, change.detail);
            self.item(self.palette.bad, &what, text);
        }
        self.ending(run, text);
        for recovered in &run.recovered {
            self.recovered(recovered, text);
        }
    }

    /// All that is known of it.
    fn everything(self, run: &Run, text: &mut String) {
        let mut who = format!("by {}", run.user);
        if let Some(sudo) = &run.sudo {
            let _ = write!(who, " (sudo of {sudo})");
        }
        let _ = write!(who, " on {}", run.host);
        if let Some(project) = &run.project {
            let _ = write!(who, ", project {project}");
        }
        if !run.names.is_empty() {
            let _ = write!(who, ", of {}", run.names.join(", "));
        }
        if run.partial {
            who.push_str(", a part of it only");
        }
        let _ = write!(who, "; exit code {}", run.exit);
        self.item(self.palette.faint, &who, text);
        for trouble in &run.findings {
            let word = if trouble.new { "new" } else { "still" };
            self.trouble(word, trouble, text);
            if let Some(cause) = &trouble.cause {
                self.under(&format!("because {cause}"), text);
            }
            if let Some(fix) = &trouble.fix {
                self.under(&format!("do: {fix}"), text);
            }
        }
        for change in &run.changes {
            let (word, style) = match change.state {
                State::Failed => ("failed", self.palette.bad),
                State::Done | State::Skipped | State::Unchanged => ("done", self.palette.good),
            };
            let detail = if change.detail.is_empty() { String::new() } else { format!(": {}", change.detail) };
            let reason = change.reason.iter().map(|reason| format!(" ({reason})")).collect::<String>();
            self.item(style, &format!("{word}: {} {}{detail}{reason}", change.action, change.target), text);
            if let Some(fix) = &change.fix {
                self.under(&format!("do: {fix}"), text);
            }
        }
        self.ending(run, text);
        for hint in run.error.iter().flat_map(|error| &error.hints) {
            self.under(&format!("do: {hint}"), text);
        }
        for recovered in &run.recovered {
            self.recovered(recovered, text);
        }
        for known in &run.open {
            let what = format!(
                "not looked at: {} {}, {} since {}",
                known.id,
                known.subject,
                known.status.word(),
                minute(known.since)
            );
            self.item(self.palette.faint, &what, text);
        }
    }

    fn trouble(self, word: &str, trouble: &Trouble, text: &mut String) {
        let (kind, style) = match trouble.status {
            Status::Fail => ("failure", self.palette.bad),
            Status::Unknown => ("unknown", self.palette.unsure),
            Status::Pass | Status::Skip | Status::Warn => ("warning", self.palette.caution),
        };
        let since = trouble.since.filter(|_| !trouble.new).map(|since| format!(" since {}", minute(since)));
        let subject = if trouble.subject.is_empty() { String::new() } else { format!(" {}", trouble.subject) };
        let what = format!("{word} {kind}{}: {}{subject}: {}", since.unwrap_or_default(), trouble.id, trouble.summary);
        self.item(style, what.trim_end_matches(": "), text);
    }

    fn ending(self, run: &Run, text: &mut String) {
        if let Some(error) = &run.error {
            let since = error.since.filter(|since| !error.new && *since < run.started);
            let since = since.map(|since| format!(" (runs have failed since {})", minute(since)));
            self.item(self.palette.bad, &format!("{error}{}", since.unwrap_or_default()), text);
        }
    }

    fn recovered(self, recovered: &Recovered, text: &mut String) {
        let Recovered { id, subject, was, since, how } = recovered;
        let what = match (id.as_str(), subject.as_str()) {
            ("run", "") => "a run came to its end again".to_owned(),
            (id, "") => id.to_owned(),
            (id, subject) => format!("{id} {subject}"),
        };
        let how = match how {
            Gone::Eased => "eased to a warning",
            Gone::NotReported => "not reported any more",
            Gone::Right => "recovered",
        };
        self.item(self.palette.good, &format!("{how}: {what} ({} since {})", was.word(), minute(*since)), text);
    }

    /// One thing about a run, at its indent.
    fn item(self, style: Style, what: &str, text: &mut String) {
        let width = self.view.width.map(|width| width.saturating_sub(INDENT + 2));
        for (at, part) in wrap(&line(what), width).iter().enumerate() {
            let indent = if at == 0 { INDENT } else { INDENT + 2 };
            let _ = writeln!(text, "{:<indent$}{style}{part}{style:#}", "");
        }
    }

    fn under(self, what: &str, text: &mut String) {
        let width = self.view.width.map(|width| width.saturating_sub(INDENT + 4));
        for part in wrap(&line(what), width) {
            let _ = writeln!(text, "{:<1$}{part}", "", INDENT + 4);
        }
    }
}

/// To the minute, in UTC like every time of mainstay.
fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M").to_string()
}

/// How long, in the unit that says enough.
fn took(seconds: f64) -> String {
    let length = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    match length.as_secs() {
        0..60 => format!("{:.1} s", length.as_secs_f64()),
        60..7200 => format!("{} min", length.as_secs() / 60),
        _ => format!("{} h", length.as_secs() / 3600),
    }
}
