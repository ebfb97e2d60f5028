//! For a person: by subject, what is fine first and in one line each, what is wrong last and in full.

use std::fmt::Display;

use anstyle::Style;
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::{
    Group, Render, View, because_of, by_subject, effective, excerpts,
    fold::{self, Row},
    headline, line, order, overall_name, seconds, tally, text, visible,
};
use crate::{
    cli::style::{Palette, paint},
    error::Error,
    report::{Finding, Outcome, Report, State, Status},
};

/// `--format human`, the default.
pub(super) struct Human;

impl Render for Human {
    fn name(&self) -> &'static str {
        "human"
    }

    fn title(&self) -> &'static str {
        "for reading: what is wrong comes last, with what to do"
    }

    fn report(&self, report: &Report, view: &View) -> String {
        let mut page = Page::new(view);
        page.text(report);
        page.groups(report);
        page.plan(report);
        page.outcomes(report);
        page.totals(report);
        page.text
    }

    fn error(&self, error: &Error, view: &View) -> String {
        let mut page = Page::new(view);
        let head = paint(page.palette.bad, "error:");
        page.hanging(&format!("{head} "), 7, &headline(error), Style::new());
        for excerpt in excerpts(error) {
            page.text.push('\n');
            for row in visible(excerpt).lines() {
                page.row(row);
            }
        }
        if !error.hints.is_empty() {
            page.text.push('\n');
        }
        for hint in &error.hints {
            let head = paint(page.palette.good, "hint:");
            page.hanging(&format!("{head} "), 6, hint, Style::new());
        }
        page.text
    }
}

/// The text so far, and how it is to look.
struct Page<'a> {
    text: String,
    view: &'a View,
    palette: Palette,
}

impl<'a> Page<'a> {
    fn new(view: &'a View) -> Self {
        Self { text: String::new(), view, palette: Palette::new(view.colour) }
    }

    /// The text of the command itself: its lines are laid out already.
    fn text(&mut self, report: &Report) {
        let Some(text) = report.text.as_ref().filter(|_| !self.view.quiet) else { return };
        for row in visible(text).lines() {
            self.row(row);
        }
    }

    fn groups(&mut self, report: &Report) {
        let mut groups = by_subject(report);
        // A site that is fine should not push one that is not out of sight.
        groups.sort_by_key(|group| order::rank(worst(group)));
        for group in &mut groups {
            if self.view.quiet {
                group.findings.retain(|finding| !finding.status.is_fine());
            }
            if group.findings.is_empty() {
                continue;
            }
            self.gap();
            let subject = if group.subject.is_empty() { &report.command } else { group.subject };
            self.hanging("", 0, &line(subject), self.palette.strong);
            let column = group.findings.iter().map(|finding| finding.id.len()).max().unwrap_or(0);
            let ordered = order::by_reading(&group.findings);
            // A command belongs to one check, and whoever asks for more wants each for itself.
            if self.view.verbose || self.view.explain {
                for (finding, below_root) in ordered {
                    self.finding(finding, column, below_root);
                }
                continue;
            }
            for row in fold::rows(ordered) {
                match row.findings.as_slice() {
                    [finding] => self.finding(finding, column, row.below_root),
                    _ => self.folded(&row),
                }
            }
        }
    }

    fn finding(&mut self, finding: &Finding, column: usize, below_root: bool) {
        let (symbol, style) = self.look(finding.status);
        let status = paint(style, format_args!("{symbol} {:<7}", finding.status.word()));
        // Where the terminal is too narrow for two columns of text, the id takes no more than it needs.
        let column = if self.view.width.is_some_and(|width| width < 60) { 0 } else { column };
        let head = format!("  {status} {:<column$}  ", finding.id);
        let indent = 2 + 2 + 7 + 1 + finding.id.len().max(column) + 2;
        if let (true, Some(root)) = (below_root, because_of(finding)) {
            let summary = format!("{} (because of {root})", finding.summary);
            self.hanging(&head, indent, &summary, self.palette.faint);
        } else {
            self.hanging(&head, indent, &finding.summary, Style::new());
            if !finding.status.is_fine() || self.view.verbose {
                self.detail("expected", finding.expected.as_deref(), Style::new());
                // What the summary has just said needs no second line.
                let observed = finding.observed.as_deref().filter(|seen| !finding.summary.ends_with(seen));
                self.detail("observed", observed, Style::new());
                self.detail("cause", finding.cause.as_deref(), Style::new());
                self.detail("fix", finding.fix.as_deref(), self.palette.strong);
                for note in notes(&finding.data) {
                    self.detail("note", Some(note), Style::new());
                }
            }
        }
        if self.view.explain {
            self.by_hand(finding.by_hand.as_deref());
        }
    }

    fn folded(&mut self, row: &Row<'_>) {
        let Some(first) = row.findings.first() else { return };
        let (symbol, style) = self.look(first.status);
        let head = format!("  {} ", paint(style, format_args!("{symbol} {:<7}", first.status.word())));
        self.hanging(&head, 12, &row.text(), self.palette.faint);
    }

    fn plan(&mut self, report: &Report) {
        let Some(plan) = report.plan.as_ref().filter(|_| !self.view.quiet) else { return };
        self.gap();
        let title = plan["title"].as_str().unwrap_or("plan");
        self.hanging("", 0, title, self.palette.strong);
        let steps = plan["steps"].as_array().map_or(&[][..], Vec::as_slice);
        if steps.is_empty() {
            self.row("  nothing to do");
        }
        for (number, step) in steps.iter().enumerate() {
            let risk = step["risk"].as_str().unwrap_or_default();
            let style = match risk {
                "destructive" => self.palette.bad,
                "disruptive" => self.palette.caution,
                _ => Style::new(),
            };
            let head = format!("  {:>2}. ", number + 1);
            let target = step["target"].as_str().unwrap_or_default();
            let mut text = format!("{} {target}", action(&step["action"])).trim_end().to_owned();
            if !matches!(risk, "" | "safe") {
                text = format!("{text} ({risk})");
            }
            self.hanging(&head, 6, &text, style);
            if let Some(reason) = step["reason"].as_str().filter(|reason| !reason.is_empty()) {
                self.hanging("      ", 6, reason, self.palette.faint);
            }
        }
        for note in notes(plan.as_object().unwrap_or(&serde_json::Map::new())) {
            self.hanging("  note: ", 8, note, Style::new());
        }
    }

    fn outcomes(&mut self, report: &Report) {
        let wanted = |outcome: &&Outcome| !self.view.quiet || outcome.state == State::Failed;
        let outcomes: Vec<_> = report.outcomes.iter().filter(wanted).collect();
        if outcomes.is_empty() {
            return;
        }
        self.gap();
        for outcome in outcomes {
            let (word, status) = match outcome.state {
                State::Done => ("done", Status::Pass),
                State::Unchanged => ("unchanged", Status::Pass),
                State::Skipped => ("skipped", Status::Skip),
                State::Failed => ("failed", Status::Fail),
            };
            let (symbol, style) = self.look(status);
            let head = format!("  {} ", paint(style, format_args!("{symbol} {word:<9}")));
            let mut text = format!("{} {}", outcome.action, outcome.target).trim().to_owned();
            if !outcome.detail.is_empty() {
                text = format!("{text}: {}", outcome.detail);
            }
            self.hanging(&head, 14, &text, Style::new());
            if outcome.state == State::Failed {
                self.detail("fix", outcome.fix.as_deref(), self.palette.strong);
            }
        }
    }

    fn totals(&mut self, report: &Report) {
        let status = report.status();
        if self.view.quiet && status == Status::Pass {
            return;
        }
        let mut parts = Vec::new();
        if !report.findings.is_empty() {
            parts.push(tally(&report.findings.iter().collect::<Vec<_>>()));
        }
        for (state, word) in [
            (State::Done, "done"),
            (State::Unchanged, "unchanged"),
            (State::Skipped, "skipped"),
            (State::Failed, "failed"),
        ] {
            let count = report.outcomes.iter().filter(|outcome| outcome.state == state).count();
            if count > 0 {
                parts.push(format!("{count} {word}"));
            }
        }
        if parts.is_empty() {
            // A command whose whole answer is its data or its plan has nothing to add up.
            if report.result.is_some() || report.plan.is_some() {
                return;
            }
            parts.push("nothing to look at".to_owned());
        }
        let name = overall_name(report);
        let strict =
            if status != report_status_without_strict(report) { " (--strict: a warning is a failure)" } else { "" };
        self.gap();
        let (_, style) = self.look(status);
        let total = format!("{name}: {} in {}{strict}", parts.join(", "), seconds(report.took));
        self.hanging("", 2, &total, style);
    }

    fn detail(&mut self, label: &str, value: Option<&str>, style: Style) {
        let Some(value) = value.filter(|value| !value.trim().is_empty()) else { return };
        let head = format!("      {} ", paint(self.palette.faint, format_args!("{label:<8}")));
        self.hanging(&head, 15, value.trim_end(), style);
    }

    fn by_hand(&mut self, command: Option<&str>) {
        let Some(command) = command.filter(|command| !command.trim().is_empty()) else { return };
        let command = visible(command.trim());
        let mut head = format!("      {} ", paint(self.palette.faint, format_args!("{:<8}", "by hand")));
        for row in text::wrap_command(&command, self.view.width.map(|width| width.saturating_sub(15))) {
            self.row(&format!("{head}{}", paint(self.palette.command, row)));
            head = " ".repeat(15);
        }
    }

    /// A head, and a text beside it whose further lines are indented by as much; the head's width is `indent`.
    fn hanging(&mut self, head: &str, indent: usize, value: &str, style: Style) {
        let value = visible(value);
        let mut rows = text::wrap(&value, self.view.width.map(|width| width.saturating_sub(indent))).into_iter();
        if let Some(first) = rows.next() {
            self.row(&format!("{head}{}", painted(style, &first)));
        }
        for row in rows {
            self.row(&format!("{:indent$}{}", "", painted(style, &row)));
        }
    }

    fn row(&mut self, row: &str) {
        self.text.push_str(row.trim_end());
        self.text.push('\n');
    }

    fn gap(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    fn look(&self, status: Status) -> (char, Style) {
        match status {
            Status::Pass => ('✓', self.palette.good),
            Status::Skip => ('-', self.palette.faint),
            Status::Warn => ('!', self.palette.caution),
            Status::Unknown => ('?', self.palette.unsure),
            Status::Fail => ('✗', self.palette.bad),
        }
    }
}

/// Painted, but an empty text without any escape.
fn painted(style: Style, value: impl Display + AsRef<str>) -> String {
    if value.as_ref().width() == 0 { value.to_string() } else { paint(style, value) }
}

fn worst(group: &Group<'_>) -> Status {
    group
        .findings
        .iter()
        .map(|finding| finding.status)
        .max_by_key(|status| order::rank(*status))
        .unwrap_or(Status::Pass)
}

fn report_status_without_strict(report: &Report) -> Status {
    let findings = report.findings.iter().any(|finding| effective(finding.status, report) != finding.status);
    if findings && report.status() == Status::Fail && !truly_failed(report) { Status::Warn } else { report.status() }
}

fn truly_failed(report: &Report) -> bool {
    report.findings.iter().any(|finding| finding.status == Status::Fail)
        || report.outcomes.iter().any(|outcome| outcome.state == State::Failed)
}

fn notes(data: &serde_json::Map<String, Value>) -> impl Iterator<Item = &str> {
    data.get("notes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// The action of a step, which each job writes in its own terms: a word, or an object whose tag or only key names it.
fn action(value: &Value) -> String {
    match value {
        Value::String(word) => word.clone(),
        Value::Object(map) => match map.get("kind").or_else(|| map.get("type")).and_then(Value::as_str) {
            Some(kind) => kind.to_owned(),
            None => map.keys().next().cloned().unwrap_or_default(),
        },
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{render, render_error, sample},
        *,
    };
    use crate::cli::render::Format;

    fn human() -> Format {
        "human".parse().unwrap()
    }

    fn at(width: usize, colour: bool) -> View {
        View { width: Some(width), colour, explain: true, ..sample::view() }
    }

    #[test]
    fn snapshots_at_80_and_120_columns_and_in_a_pipe() {
        let report = sample::report();
        sample::snapshot("human_80", &render(human(), &report, &at(80, false)));
        sample::snapshot("human_120", &render(human(), &report, &at(120, false)));
        sample::snapshot("human_80_colour", &render(human(), &report, &at(80, true)));
        sample::snapshot("human_120_colour", &render(human(), &report, &at(120, true)));
        sample::snapshot("human_pipe", &render(human(), &report, &sample::view()));
        sample::snapshot("human_quiet", &render(human(), &report, &View { quiet: true, ..at(80, false) }));
        let short = View { explain: false, ..at(80, false) };
        sample::snapshot("human_dead", &render(human(), &sample::dead(), &short));
        sample::snapshot("human_dead_verbose", &render(human(), &sample::dead(), &View { verbose: true, ..short }));
        sample::snapshot("human_changes", &render(human(), &sample::changes(), &at(80, false)));
        sample::snapshot("human_error", &render_error(human(), &sample::error(), &at(80, false)));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in [40, 60, 80, 100, 120] {
            for report in [sample::report(), sample::changes(), sample::dead()] {
                let text = render(human(), &report, &View { explain: false, ..at(width, false) });
                for line in text.lines() {
                    assert!(line.width() <= width, "{} > {width}: {line}", line.width());
                }
            }
            for line in render_error(human(), &sample::error(), &at(width, false)).lines() {
                // The excerpt of a file keeps its columns, or its caret would point at nothing.
                assert!(line.width() <= width || line.contains('|'), "{} > {width}: {line}", line.width());
            }
        }
    }

    #[test]
    fn notes_on_what_is_fine_are_shown_only_when_asked_for() {
        let noted = |status| {
            let mut report = Report::new("check", "web-1", sample::now());
            report.findings.push(Finding::new("tls.hygiene", "prime", status, "x").data("notes", vec!["remark"]));
            report
        };
        let shown = |status, verbose| {
            render(human(), &noted(status), &View { verbose, ..at(80, false) }).contains("note     remark")
        };
        assert!(!shown(Status::Pass, false) && shown(Status::Pass, true) && shown(Status::Warn, false));
    }

    #[test]
    fn colours_only_add_escapes() {
        let report = sample::report();
        let plain = render(human(), &report, &at(80, false));
        let coloured = render(human(), &report, &at(80, true));
        assert_ne!(plain, coloured);
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
    }

    #[test]
    fn quiet_says_nothing_at_all_when_all_is_fine() {
        let mut report = sample::report();
        report.findings.retain(|finding| finding.status.is_fine());
        let quiet = View { quiet: true, ..at(80, false) };
        assert_eq!(render(human(), &report, &quiet), "");
        report.findings.push(Finding::unknown("tls.chain", "prime", "no answer"));
        let text = render(human(), &report, &quiet);
        assert!(text.contains("no answer") && !text.contains("✓"), "{text}");
    }

    #[test]
    fn a_strict_run_says_why_a_warning_failed_it() {
        let mut report = Report::new("check", "web-1", sample::now());
        report.findings.push(Finding::warn("http.hsts", "prime", "no header"));
        assert!(!render(human(), &report, &sample::view()).contains("--strict"));
        report.strict = true;
        assert!(render(human(), &report, &sample::view()).contains("(--strict: a warning is a failure)"));
    }
}
