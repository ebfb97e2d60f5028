//! For Nagios, Icinga, Naemon and what speaks their plugin convention
//! (<https://www.monitoring-plugins.org/doc/guidelines.html>): a status line with performance data, then details.

use std::{collections::BTreeMap, time::Duration};

use super::{Render, View, by_subject, effective, excerpts, headline, line, tally};
use crate::{
    error::Error,
    report::{Finding, Report, State, Status},
};

/// `--format nagios`.
pub(super) struct Nagios;

impl Render for Nagios {
    fn name(&self) -> &'static str {
        "nagios"
    }

    fn title(&self) -> &'static str {
        "for Nagios and Icinga: a status line with performance data, exit code 0 to 3"
    }

    fn report(&self, report: &Report, _view: &View) -> String {
        let word = match report.status() {
            Status::Pass | Status::Skip => "OK",
            Status::Warn => "WARNING",
            Status::Unknown => "UNKNOWN",
            Status::Fail => "CRITICAL",
        };
        let mut output = format!("{word} - {} | {}\n", summary(report), performance(report));
        let mut left = 0;
        for details in long_output(report) {
            if output.len() + details.len() > LIMIT {
                left += 1;
            } else {
                output.push_str(&details);
            }
        }
        if left > 0 {
            output.push_str(&format!("and {left} more: run `mainstay {}`\n", clean(&report.command)));
        }
        output
    }

    fn error(&self, error: &Error, _view: &View) -> String {
        let mut output = format!("UNKNOWN - {}\n", clean(&headline(error)));
        for row in excerpts(error).flat_map(str::lines) {
            output.push_str(&format!("{}\n", clean(row)));
        }
        for hint in &error.hints {
            output.push_str(&format!("hint: {}\n", clean(hint)));
        }
        output
    }
}

/// Nagios keeps 8 KiB of a plugin's output; a little less, so that the line that says what is missing fits.
const LIMIT: usize = 8000;

/// One line; `|` would begin performance data and is written as the broken bar.
fn clean(text: &str) -> String {
    line(text).replace('|', "¦")
}

/// The worst finding by name, and how many others there are.
fn summary(report: &Report) -> String {
    let counts = tally(&report.findings.iter().collect::<Vec<_>>());
    let mut bad: Vec<&Finding> = report.findings.iter().filter(|finding| !finding.status.is_fine()).collect();
    bad.sort_by_key(|finding| (std::cmp::Reverse(finding.status), super::because_of(finding).is_some()));
    let failed = report.outcomes.iter().find(|outcome| outcome.state == State::Failed);
    match (bad.first(), failed) {
        (Some(finding), None) => {
            format!("{} {}: {} ({counts})", clean(&finding.subject), finding.id, shortened(&clean(&finding.summary)))
        }
        (_, Some(outcome)) => {
            let (action, target) = (clean(&outcome.action), clean(&outcome.target));
            format!("{action} {target}: {}", shortened(&clean(&outcome.detail)))
        }
        (None, None) if report.findings.is_empty() => format!("{}: nothing failed", clean(&report.command)),
        (None, None) => match by_subject(report).as_slice() {
            [group] => format!("{}: {counts}", clean(group.subject)),
            groups => format!("{} subjects: {counts}", groups.len()),
        },
    }
}

/// A text that leaves room for the performance data of many sites on the same line.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn long_output(report: &Report) -> Vec<String> {
    let mut findings: Vec<&Finding> = report.findings.iter().filter(|finding| !finding.status.is_fine()).collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.status));
    let mut blocks = Vec::new();
    for finding in findings {
        let word = effective(finding.status, report).word().to_uppercase();
        let mut block = format!("{word} {} {}: {}\n", clean(&finding.subject), finding.id, clean(&finding.summary));
        if super::because_of(finding).is_none() {
            for (label, value) in
                [("expected", &finding.expected), ("observed", &finding.observed), ("fix", &finding.fix)]
            {
                if let Some(value) = value {
                    let rows: Vec<_> = value.lines().map(clean).collect();
                    block.push_str(&format!("  {label}: {}\n", rows.join("\n    ")));
                }
            }
        } else if let Some(cause) = &finding.cause {
            block.push_str(&format!("  {}\n", clean(cause)));
        }
        blocks.push(block);
    }
    for outcome in report.outcomes.iter().filter(|outcome| outcome.state == State::Failed) {
        let (action, target) = (clean(&outcome.action), clean(&outcome.target));
        let mut block = format!("FAIL {action} {target}: {}\n", clean(&outcome.detail));
        if let Some(fix) = &outcome.fix {
            block.push_str(&format!("  fix: {}\n", clean(fix)));
        }
        blocks.push(block);
    }
    blocks
}

/// `'prime_days'=61;22:;9:` and times. The colon is the range "at least so many": the guidelines read `22` alone as "at
/// most", with which every healthy certificate would be an alert.
fn performance(report: &Report) -> String {
    let mut values = Vec::new();
    for group in by_subject(report) {
        let subject = label(if group.subject.is_empty() { &report.command } else { group.subject });
        // Addresses of one site may show different certificates; the one that ends first counts.
        let days = group
            .findings
            .iter()
            .filter(|finding| finding.id == "tls.validity")
            .filter_map(|finding| Some((number(finding, "days_left")?, *finding)))
            .min_by(|one, other| one.0.total_cmp(&other.0));
        if let Some((days, finding)) = days {
            let limit = |key| number(finding, key).map_or(String::new(), |days| format!("{days}:"));
            let (warn, fail) = (limit("warn_days"), limit("fail_days"));
            let value = format!("'{subject}_days'={days};{warn};{fail}");
            values.push(value.trim_end_matches(';').to_owned());
        }
        // The checks of a subject run at once and wait for the same answers: the slowest is how long the subject took.
        let took = group.findings.iter().map(|finding| finding.took).max().unwrap_or_default();
        values.push(format!("'{subject}_time'={}s", round(took)));
    }
    values.push(format!("'time'={}s", round(report.took)));
    // Two subjects whose names differ only in what a label cannot hold would be one series with two values.
    let mut seen = BTreeMap::new();
    values.retain(|value| {
        seen.insert(value.split_once("'=").map_or(value.clone(), |(label, _)| label.to_owned()), ()).is_none()
    });
    values.join(" ")
}

/// A label without the two characters that it must not hold, and without the bar.
fn label(subject: &str) -> String {
    clean(subject).replace(['=', '\''], "_")
}

fn number(finding: &Finding, key: &str) -> Option<f64> {
    finding.data.get(key)?.as_f64()
}

fn round(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::{
        super::{render, render_error, sample},
        *,
    };
    use crate::cli::render::Format;

    fn nagios() -> Format {
        "nagios".parse().unwrap()
    }

    #[test]
    fn snapshots() {
        sample::snapshot("nagios_report", &render(nagios(), &sample::report(), &sample::view()));
        sample::snapshot("nagios_changes", &render(nagios(), &sample::changes(), &sample::view()));
        sample::snapshot("nagios_error", &render_error(nagios(), &sample::error(), &sample::view()));
    }

    #[test]
    fn the_word_follows_the_exit_code() {
        for (status, word) in [
            (Status::Pass, "OK"),
            (Status::Skip, "OK"),
            (Status::Warn, "WARNING"),
            (Status::Fail, "CRITICAL"),
            (Status::Unknown, "UNKNOWN"),
        ] {
            let mut report = Report::new("check", "web-1", sample::now());
            report.findings.push(Finding::new("tls.chain", "prime", status, "x"));
            let text = render(nagios(), &report, &sample::view());
            assert!(text.starts_with(&format!("{word} - ")), "{text}");
            assert_eq!(["OK", "WARNING", "CRITICAL", "UNKNOWN"][usize::from(report.nagios_exit())], word);
        }
    }

    #[test]
    fn performance_data_follows_the_guidelines() {
        let mut report = Report::new("check", "web-1", sample::now());
        report.took = Duration::from_millis(420);
        for days in [80, 61] {
            report.findings.push(
                Finding::pass("tls.validity", "it's=prime|x", "fine")
                    .data("days_left", days)
                    .data("warn_days", 22)
                    .data("fail_days", 9),
            );
        }
        assert_eq!(performance(&report), "'it_s_prime¦x_days'=61;22:;9: 'it_s_prime¦x_time'=0s 'time'=0.42s");
    }

    #[test]
    fn a_thousand_failures_fit_into_what_nagios_keeps() {
        let mut report = Report::new("check", "web-1", sample::now());
        for _ in 0..1000 {
            report.findings.push(Finding::fail("tls.chain", "prime", "x".repeat(500)).fix("y"));
        }
        let text = render(nagios(), &report, &sample::view());
        assert!(text.len() <= 8192, "{}", text.len());
        assert!(text.contains("more: run `mainstay check`"), "{text}");
    }
}
