//! For Prometheus: the text exposition format
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>), for node_exporter's textfile collector.
//!
//! A check's status is one number, in the order of badness, rather than one series for each status: an alert rule is
//! then a plain comparison, and a series keeps its identity when a warning turns into a failure. Times are absolute, so
//! that a file that nobody writes any more gives itself away.

use std::{collections::BTreeMap, fmt::Write as _};

use jiff::Timestamp;

use super::{Render, View, headline, line};
use crate::{
    error::Error,
    report::{Report, State, Status},
    system::state::Mode,
};

/// `--format prometheus`.
pub(super) struct Prometheus;

impl Render for Prometheus {
    fn name(&self) -> &'static str {
        "prometheus"
    }

    fn title(&self) -> &'static str {
        "for Prometheus: metrics for node_exporter's textfile collector"
    }

    fn report(&self, report: &Report, _view: &View) -> String {
        let mut page = Page::default();
        page.checks(report);
        page.certificates(report);
        page.steps(report);
        let ended = report.started.checked_add(report.took).unwrap_or(report.started);
        page.run(&report.command, ended, true);
        page.metric(
            "mainstay_last_run_duration_seconds",
            "How long the last run took.",
            [(vec![("command", report.command.as_str())], report.took.as_secs_f64())],
        );
        page.text
    }

    fn error(&self, error: &Error, view: &View) -> String {
        let mut page = Page::default();
        // A comment, for the person who opens the file; no metric can carry it.
        let _ = writeln!(page.text, "# {}", line(&headline(error)));
        page.run(&view.command, view.now, false);
        page.text
    }

    /// The collector runs as a user of its own.
    fn mode(&self) -> Mode {
        Mode::Exactly(0o644)
    }
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn checks(&mut self, report: &Report) {
        // One series may appear only once: of several findings of one id (one an address) the worst counts.
        let mut worst: BTreeMap<(&str, &str), Status> = BTreeMap::new();
        for finding in report.findings.iter().filter(|finding| finding.status != Status::Skip) {
            let status = worst.entry((&finding.subject, finding.id)).or_insert(finding.status);
            *status = (*status).max(finding.status);
        }
        let checks = worst
            .iter()
            .map(|((subject, id), status)| (vec![("subject", *subject), ("id", *id)], f64::from(value(*status))));
        self.metric(
            "mainstay_check_status",
            "What the last run found: 0 pass, 1 warn, 2 unknown (could not look), 3 fail; skipped checks have no series.",
            checks,
        );
    }

    fn certificates(&mut self, report: &Report) {
        let mut ends: BTreeMap<&str, Timestamp> = BTreeMap::new();
        for finding in report.findings.iter().filter(|finding| finding.id == "tls.validity") {
            let end = finding.data.get("not_after").and_then(|end| end.as_str()).and_then(|end| end.parse().ok());
            if let Some(end) = end {
                let first = ends.entry(&finding.subject).or_insert(end);
                *first = (*first).min(end);
            }
        }
        self.metric(
            "mainstay_certificate_not_after_timestamp_seconds",
            "When the served certificate ends; of several addresses the earliest.",
            ends.iter().map(|(subject, end)| (vec![("subject", *subject)], unix(*end))),
        );
    }

    fn steps(&mut self, report: &Report) {
        if report.outcomes.is_empty() {
            return;
        }
        let count = |state| report.outcomes.iter().filter(|outcome| outcome.state == state).count();
        let states = [
            ("done", State::Done),
            ("failed", State::Failed),
            ("skipped", State::Skipped),
            ("unchanged", State::Unchanged),
        ];
        let command = report.command.as_str();
        #[expect(clippy::cast_precision_loss, reason = "nobody has 2^53 steps")]
        let steps = states.map(|(word, state)| (vec![("command", command), ("state", word)], count(state) as f64));
        self.metric("mainstay_last_run_steps", "How many steps of the last run came to what.", steps);
    }

    fn run(&mut self, command: &str, ended: Timestamp, up: bool) {
        let labels = || vec![("command", command)];
        self.metric(
            "mainstay_up",
            "Whether the last run could do its work: 0 when an error ended it.",
            [(labels(), f64::from(u8::from(up)))],
        );
        self.metric("mainstay_last_run_timestamp_seconds", "When the last run ended.", [(labels(), unix(ended))]);
    }

    /// One family: help and type once, then its series. A family without series is left out.
    fn metric<'l>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Vec<(&'static str, &'l str)>, f64)>,
    ) {
        let mut series = series.into_iter().peekable();
        if series.peek().is_none() {
            return;
        }
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in series {
            let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", label(value))).collect();
            let _ = writeln!(self.text, "{name}{{{}}} {value}", labels.join(","));
        }
    }
}

/// The number of a status, which grows with its badness.
fn value(status: Status) -> u8 {
    match status {
        Status::Skip | Status::Pass => 0,
        Status::Warn => 1,
        Status::Unknown => 2,
        Status::Fail => 3,
    }
}

/// A label's value: backslash, quote and line end are escaped. Characters that mislead are written out first; that they
/// are is visible in the doubled backslash.
fn label(text: &str) -> String {
    text.split('\n').map(|part| line(part).replace('\\', "\\\\").replace('"', "\\\"")).collect::<Vec<_>>().join("\\n")
}

/// Seconds since 1970, to the millisecond.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of the years that jiff knows fit into 53 bits")]
fn unix(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1e3
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use super::{
        super::{render, render_error, sample},
        *,
    };
    use crate::{cli::render::Format, report::Finding};

    fn prometheus() -> Format {
        "prometheus".parse().unwrap()
    }

    /// One line that is not a comment.
    #[derive(Debug)]
    pub struct Series {
        name: String,
        labels: BTreeMap<String, String>,
        value: f64,
    }

    /// Reads the exposition format as strictly as a collector does: names, labels, values, types before their series,
    /// no series twice. Returns each series with its value.
    pub fn read(text: &str) -> Result<Vec<Series>, String> {
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if !text.ends_with('\n') {
            return Err("no line end at the end".into());
        }
        let (mut typed, mut helped, mut seen, mut all) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new(), Vec::new());
        for row in text.lines() {
            if let Some(rest) = row.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').ok_or(row)?;
                if !typed.insert(name) || !["gauge", "counter"].contains(&kind) {
                    return Err(format!("type: {row}"));
                }
                continue;
            }
            if let Some(rest) = row.strip_prefix("# HELP ") {
                if !helped.insert(rest.split(' ').next().unwrap_or_default()) {
                    return Err(format!("help twice: {row}"));
                }
                continue;
            }
            if row.starts_with('#') {
                continue;
            }
            let (name, mut rest) = row.split_once('{').ok_or(row)?;
            if !is_name(name) || !typed.contains(name) || !helped.contains(name) {
                return Err(format!("name: {row}"));
            }
            let mut labels = BTreeMap::new();
            while !rest.starts_with('}') {
                let (key, tail) = rest.split_once("=\"").ok_or(row)?;
                let (mut value, mut chars, mut end) = (String::new(), tail.char_indices(), None);
                while let Some((at, c)) = chars.next() {
                    match c {
                        '"' => {
                            end = Some(at + 1);
                            break;
                        }
                        '\\' => value.push(match chars.next() {
                            Some((_, 'n')) => '\n',
                            Some((_, c @ ('\\' | '"'))) => c,
                            _ => return Err(format!("escape: {row}")),
                        }),
                        c => value.push(c),
                    }
                }
                if !is_name(key) || labels.insert(key.to_owned(), value).is_some() {
                    return Err(format!("label: {row}"));
                }
                rest = &tail[end.ok_or(row)?..];
                rest = rest.strip_prefix(',').unwrap_or(rest);
            }
            let value = rest[1..].trim().parse::<f64>().map_err(|_| format!("value: {row}"))?;
            if !seen.insert((name, labels.clone())) {
                return Err(format!("twice: {row}"));
            }
            all.push(Series { name: name.to_owned(), labels, value });
        }
        Ok(all)
    }

    fn find(text: &str, name: &str, subject: &str) -> Option<f64> {
        let all = read(text).unwrap();
        all.iter()
            .find(|series| series.name == name && series.labels.values().any(|value| value == subject))
            .map(|series| series.value)
    }

    #[test]
    fn snapshots() {
        sample::snapshot("prometheus_report", &render(prometheus(), &sample::report(), &sample::view()));
        sample::snapshot("prometheus_changes", &render(prometheus(), &sample::changes(), &sample::view()));
        sample::snapshot("prometheus_error", &render_error(prometheus(), &sample::error(), &sample::view()));
    }

    #[test]
    fn times_are_absolute_and_the_earliest_certificate_counts() {
        let mut report = Report::new("check", "web-1", sample::now());
        for end in ["2027-01-23T09:12:00Z", "2026-12-01T00:00:00Z", "not a time"] {
            report.findings.push(Finding::pass("tls.validity", "prime", "x").data("not_after", end));
        }
        let text = render(prometheus(), &report, &sample::view());
        assert_eq!(find(&text, "mainstay_certificate_not_after_timestamp_seconds", "prime"), Some(1_796_083_200.0));
        assert_eq!(find(&text, "mainstay_last_run_timestamp_seconds", "check"), Some(1_795_456_800.5));
        assert_eq!(find(&text, "mainstay_up", "check"), Some(1.0));
    }

    #[test]
    fn the_worst_of_several_addresses_counts_and_a_skip_has_no_series() {
        let mut report = Report::new("check", "web-1", sample::now());
        report.findings.push(Finding::fail("tls.chain", "prime", "x"));
        report.findings.push(Finding::pass("tls.chain", "prime", "x"));
        report.findings.push(Finding::skip("http.hsts", "prime", "x"));
        let text = render(prometheus(), &report, &sample::view());
        assert_eq!(find(&text, "mainstay_check_status", "tls.chain"), Some(3.0));
        assert_eq!(find(&text, "mainstay_check_status", "http.hsts"), None);
    }

    #[test]
    fn an_error_leaves_only_the_stamp_of_the_run() {
        let text = render_error(prometheus(), &sample::error(), &sample::view());
        let names: Vec<_> = read(&text).unwrap().into_iter().map(|series| (series.name, series.value)).collect();
        assert_eq!(
            names,
            [("mainstay_up".to_owned(), 0.0), ("mainstay_last_run_timestamp_seconds".to_owned(), 1_795_456_800.5)]
        );
    }

    #[test]
    fn a_label_comes_back_as_it_was_written() {
        let mut report = Report::new("check", "web-1", sample::now());
        report.findings.push(Finding::pass("tls.chain", "a\"b\\c\nd", "x"));
        let text = render(prometheus(), &report, &sample::view());
        assert_eq!(find(&text, "mainstay_check_status", "a\"b\\c\nd"), Some(0.0));
    }
}
