//! For CI: JUnit XML as Jenkins (its `junit-10.xsd`) and GitLab read it. One suite a subject, one case a finding.
//!
//! `fail` is a failure, `unknown` an error (the test could not be run), `skip` is skipped; a warning passes and says its
//! piece in `system-out`, unless `--strict` makes it a failure.

use std::{borrow::Cow, collections::HashMap, io, time::Duration};

use jiff::Timestamp;
use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
};

use super::{Render, View, by_subject, effective, excerpts, headline, line, visible};
use crate::{
    error::Error,
    report::{Finding, Outcome, Report, State, Status},
};

/// `--format junit`.
pub(super) struct Junit;

impl Render for Junit {
    fn name(&self) -> &'static str {
        "junit"
    }

    fn title(&self) -> &'static str {
        "for CI: JUnit XML as Jenkins and GitLab read it"
    }

    fn report(&self, report: &Report, _view: &View) -> String {
        let mut suites: Vec<Suite> = by_subject(report)
            .iter()
            .map(|group| {
                let name = if group.subject.is_empty() { &report.command } else { group.subject };
                let mut seen = HashMap::new();
                let cases =
                    group.findings.iter().map(|finding| finding_case(finding, name, report, &mut seen)).collect();
                Suite { name: name.to_owned(), cases }
            })
            .collect();
        if !report.outcomes.is_empty() {
            let cases = report.outcomes.iter().map(|outcome| outcome_case(outcome, &report.command)).collect();
            suites.push(Suite { name: report.command.clone(), cases });
        }
        document(&Run {
            command: &report.command,
            host: &report.host,
            started: report.started,
            took: report.took,
            strict: report.strict,
            suites,
        })
    }

    fn error(&self, error: &Error, view: &View) -> String {
        let kind = serde_json::to_value(error.kind).ok().and_then(|kind| kind.as_str().map(str::to_owned));
        let case = Case {
            name: "run".to_owned(),
            class: view.command.clone(),
            took: Duration::ZERO,
            verdict: Verdict::Error {
                kind: kind.unwrap_or_default(),
                message: headline(error),
                details: excerpts(error)
                    .map(|excerpt| format!("{excerpt}\n"))
                    .chain(error.hints.iter().map(|hint| format!("hint: {hint}\n")))
                    .collect(),
            },
        };
        let suites = vec![Suite { name: view.command.clone(), cases: vec![case] }];
        document(&Run {
            command: &view.command,
            // Ant's word for a host that is not known; the older schema wants one.
            host: "localhost",
            started: view.now,
            took: Duration::ZERO,
            strict: false,
            suites,
        })
    }
}

struct Run<'a> {
    command: &'a str,
    host: &'a str,
    started: Timestamp,
    took: Duration,
    strict: bool,
    suites: Vec<Suite>,
}

struct Suite {
    name: String,
    cases: Vec<Case>,
}

struct Case {
    name: String,
    class: String,
    took: Duration,
    verdict: Verdict,
}

enum Verdict {
    Error { kind: String, message: String, details: String },
    Failure { kind: String, message: String, details: String },
    Passed { output: Option<String> },
    Skipped { message: String },
}

fn finding_case(finding: &Finding, class: &str, report: &Report, seen: &mut HashMap<&'static str, usize>) -> Case {
    // Programs tell cases apart by class and name, and a check may find several things (one an address).
    let count = seen.entry(finding.id).or_insert(0);
    *count += 1;
    let name = if *count == 1 { finding.id.to_owned() } else { format!("{} #{count}", finding.id) };
    let kind = finding.data.get("reason").and_then(|reason| reason.as_str()).unwrap_or(finding.id).to_owned();
    let message = finding.summary.clone();
    let verdict = match effective(finding.status, report) {
        Status::Fail => Verdict::Failure { kind, message, details: details(finding) },
        Status::Unknown => Verdict::Error { kind, message, details: details(finding) },
        Status::Skip => Verdict::Skipped { message },
        Status::Warn => Verdict::Passed { output: Some(format!("warn: {message}\n{}", details(finding))) },
        Status::Pass => Verdict::Passed { output: None },
    };
    Case { name, class: class.to_owned(), took: finding.took, verdict }
}

fn outcome_case(outcome: &Outcome, command: &str) -> Case {
    let message = outcome.detail.clone();
    let verdict = match outcome.state {
        State::Failed => Verdict::Failure {
            kind: "failed".to_owned(),
            message,
            details: outcome.fix.iter().map(|fix| format!("fix: {fix}\n")).collect(),
        },
        State::Skipped => Verdict::Skipped { message },
        State::Done | State::Unchanged => Verdict::Passed { output: None },
    };
    let name = format!("{} {}", outcome.action, outcome.target);
    Case { name, class: command.to_owned(), took: Duration::ZERO, verdict }
}

/// The evidence, one line each, under the message of a case.
fn details(finding: &Finding) -> String {
    let lines = [
        ("expected", &finding.expected),
        ("observed", &finding.observed),
        ("cause", &finding.cause),
        ("fix", &finding.fix),
        ("by hand", &finding.by_hand),
    ];
    lines.iter().filter_map(|(label, value)| value.as_ref().map(|value| format!("{label}: {value}\n"))).collect()
}

fn document(run: &Run<'_>) -> String {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    // Writing to memory cannot fail.
    let _ = write(&mut writer, run);
    let mut text = String::from_utf8_lossy(&writer.into_inner()).into_owned();
    text.push('\n');
    text
}

fn write(writer: &mut Writer<Vec<u8>>, run: &Run<'_>) -> io::Result<()> {
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let name = format!("mainstay {}", run.command);
    let cases = || run.suites.iter().flat_map(|suite| &suite.cases);
    let counts = Counts::of(cases());
    writer
        .create_element("testsuites")
        .with_attributes([
            ("name", line(&name)),
            ("tests", counts.tests.into()),
            ("failures", counts.failures.into()),
            ("errors", counts.errors.into()),
            ("time", seconds(run.took)),
        ])
        .write_inner_content(|writer| {
            for suite in &run.suites {
                write_suite(writer, suite, run)?;
            }
            Ok(())
        })?;
    Ok(())
}

fn write_suite(writer: &mut Writer<Vec<u8>>, suite: &Suite, run: &Run<'_>) -> io::Result<()> {
    let counts = Counts::of(suite.cases.iter());
    writer
        .create_element("testsuite")
        .with_attributes([
            ("name", line(&suite.name)),
            ("tests", counts.tests.into()),
            ("failures", counts.failures.into()),
            ("errors", counts.errors.into()),
            ("skipped", counts.skipped.into()),
            ("time", seconds(suite.cases.iter().map(|case| case.took).sum())),
            // UTC without its letter: the older of the two schemas in use knows no time zone.
            ("timestamp", run.started.strftime("%Y-%m-%dT%H:%M:%S").to_string().into()),
            ("hostname", line(run.host)),
        ])
        .write_inner_content(|writer| {
            writer.create_element("properties").write_inner_content(|writer| {
                let version = env!("CARGO_PKG_VERSION");
                for (name, value) in [
                    ("command", line(run.command)),
                    ("mainstay.version", version.into()),
                    ("strict", if run.strict { "true" } else { "false" }.into()),
                ] {
                    writer
                        .create_element("property")
                        .with_attributes([("name", name.into()), ("value", value)])
                        .write_empty()?;
                }
                Ok(())
            })?;
            for case in &suite.cases {
                write_case(writer, case)?;
            }
            Ok(())
        })?;
    Ok(())
}

fn write_case(writer: &mut Writer<Vec<u8>>, case: &Case) -> io::Result<()> {
    let element = writer.create_element("testcase").with_attributes([
        ("name", line(&case.name)),
        ("classname", line(&case.class)),
        ("time", seconds(case.took)),
    ]);
    match &case.verdict {
        Verdict::Passed { output: None } => element.write_empty()?,
        Verdict::Passed { output: Some(output) } => element.write_inner_content(|writer| {
            writer.create_element("system-out").write_text_content(BytesText::new(&visible(output)))?;
            Ok(())
        })?,
        Verdict::Skipped { message } => element.write_inner_content(|writer| {
            writer.create_element("skipped").with_attribute(("message", line(message))).write_empty()?;
            Ok(())
        })?,
        Verdict::Failure { kind, message, details } => write_trouble(element, "failure", kind, message, details)?,
        Verdict::Error { kind, message, details } => write_trouble(element, "error", kind, message, details)?,
    };
    Ok(())
}

fn write_trouble<'w>(
    case: quick_xml::writer::ElementWriter<'w, Vec<u8>>,
    element: &str,
    kind: &str,
    message: &str,
    details: &str,
) -> io::Result<&'w mut Writer<Vec<u8>>> {
    case.write_inner_content(|writer| {
        writer
            .create_element(element)
            .with_attributes([("type", line(kind)), ("message", line(message))])
            .write_text_content(BytesText::new(&visible(details)))?;
        Ok(())
    })
}

struct Counts {
    tests: String,
    failures: String,
    errors: String,
    skipped: String,
}

impl Counts {
    fn of<'a>(cases: impl Iterator<Item = &'a Case> + Clone) -> Self {
        let count =
            |wanted: fn(&Verdict) -> bool| cases.clone().filter(|case| wanted(&case.verdict)).count().to_string();
        Self {
            tests: count(|_| true),
            failures: count(|verdict| matches!(verdict, Verdict::Failure { .. })),
            errors: count(|verdict| matches!(verdict, Verdict::Error { .. })),
            skipped: count(|verdict| matches!(verdict, Verdict::Skipped { .. })),
        }
    }
}

fn seconds(took: Duration) -> Cow<'static, str> {
    format!("{:.3}", took.as_secs_f64()).into()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{render, render_error, sample},
        *,
    };
    use crate::cli::render::Format;

    fn junit() -> Format {
        "junit".parse().unwrap()
    }

    #[test]
    fn snapshots() {
        sample::snapshot("junit_report", &render(junit(), &sample::report(), &sample::view()));
        sample::snapshot("junit_changes", &render(junit(), &sample::changes(), &sample::view()));
        sample::snapshot("junit_error", &render_error(junit(), &sample::error(), &sample::view()));
    }

    /// An element of Jenkins' `junit-10.xsd`: the attributes that it may and those that it must have, and its children.
    struct Known(&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

    const KNOWN: &[Known] = &[
        Known("testsuites", &["name", "tests", "failures", "errors", "time"], &[], &["testsuite"]),
        Known(
            "testsuite",
            &["name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname", "id", "package"],
            &["name", "tests", "failures", "errors"],
            &["properties", "testcase", "system-out", "system-err"],
        ),
        Known("properties", &[], &[], &["property"]),
        Known("property", &["name", "value"], &["name", "value"], &[]),
        Known(
            "testcase",
            &["name", "classname", "time", "group"],
            &["name", "classname"],
            &["skipped", "error", "failure", "system-out", "system-err"],
        ),
        Known("failure", &["type", "message"], &[], &[]),
        Known("error", &["type", "message"], &[], &[]),
        Known("skipped", &["type", "message"], &[], &[]),
        Known("system-out", &[], &[], &[]),
    ];

    #[test]
    fn only_what_the_common_schema_knows_is_written_and_the_counts_are_right() {
        for text in [
            render(junit(), &sample::report(), &sample::view()),
            render(junit(), &sample::changes(), &sample::view()),
            render_error(junit(), &sample::error(), &sample::view()),
        ] {
            let document = roxmltree::Document::parse(&text).unwrap();
            for element in document.descendants().filter(roxmltree::Node::is_element) {
                let name = element.tag_name().name();
                let Known(_, may, must, children) = KNOWN.iter().find(|known| known.0 == name).unwrap();
                for attribute in element.attributes() {
                    assert!(may.contains(&attribute.name()), "{name} {}", attribute.name());
                }
                assert!(must.iter().all(|attribute| element.has_attribute(*attribute)), "{name}");
                for child in element.children().filter(roxmltree::Node::is_element) {
                    assert!(children.contains(&child.tag_name().name()), "{name} > {}", child.tag_name().name());
                }
                if name.starts_with("testsuite") {
                    for (attribute, tag) in [("tests", "testcase"), ("failures", "failure"), ("errors", "error")] {
                        let count = element.descendants().filter(|node| node.has_tag_name(tag)).count();
                        assert_eq!(
                            element.attribute(attribute),
                            Some(count.to_string().as_str()),
                            "{name} {attribute}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_warning_passes_unless_strict_and_unknown_is_an_error() {
        let mut report = Report::new("check", "web-1", sample::now());
        report.findings.push(Finding::warn("http.hsts", "prime", "no header"));
        report.findings.push(Finding::unknown("tls.chain", "prime", "no answer"));
        let text = render(junit(), &report, &sample::view());
        assert!(text.contains("<system-out>warn: no header") && !text.contains("<failure"), "{text}");
        assert!(text.contains("<error type=\"tls.chain\" message=\"no answer\""), "{text}");
        report.strict = true;
        assert!(render(junit(), &report, &sample::view()).contains("<failure type=\"http.hsts\""));
    }

    #[test]
    fn two_findings_of_one_id_are_two_cases() {
        let mut report = Report::new("check", "web-1", sample::now());
        for address in ["192.0.2.1", "2001:db8::1"] {
            report.findings.push(Finding::pass("tls.chain", "prime", address));
        }
        let text = render(junit(), &report, &sample::view());
        assert!(text.contains("name=\"tls.chain\"") && text.contains("name=\"tls.chain #2\""), "{text}");
    }
}
