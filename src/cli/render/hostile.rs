//! Whatever a remote side says, every format stays readable to its reader and harmless to a terminal.

use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use super::{Format, REGISTRY, View, prometheus, render, render_error, sample};
use crate::{
    error::{Error, Kind},
    report::{Finding, Outcome, Report, State, Status},
};

/// Strings that hurt: any at all, and pieces that mean something to one of the formats.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        "[\\PC]{0,20}",
        prop::sample::select(vec![
            "\u{1b}[31m",
            "\u{202e}",
            "\u{2066}",
            "\u{0}",
            "\u{7f}",
            "\u{9b}31m",
            "\r\n",
            "\n",
            "\t",
            "]]>",
            "<![CDATA[",
            "&amp;",
            "::error::",
            "##[error]",
            "%0A",
            "|",
            "'",
            "\"",
            "\\",
            "{",
            "}",
            "\u{fffe}",
            "\u{feff}",
            "\u{85}",
            "\u{2028}",
            "e\u{301}",
            "漢字",
            "👩\u{200d}💻",
            "a very long sentence that will have to be wrapped somewhere",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn finding() -> impl Strategy<Value = Finding> {
    let text = || prop::option::of(nasty());
    let status = prop::sample::select(vec![Status::Skip, Status::Pass, Status::Warn, Status::Unknown, Status::Fail]);
    let id = prop::sample::select(vec!["tls.validity", "nginx.headers", "oauth.redirect", "tls.hygiene"]);
    (id, nasty(), status, nasty(), (text(), text(), text(), text(), text()), nasty(), nasty(), -9000_i64..9000)
        .prop_map(|(id, subject, status, summary, (expected, observed, cause, fix, by_hand), key, value, days)| {
            let mut finding = Finding::new(id, subject, status, summary)
                .data("because_of", value.clone())
                .data("at", format!("{value}:3"))
                .data("not_after", value.clone())
                .data("days_left", days)
                .data("notes", vec![value.clone()])
                .data(&key, value);
            (finding.expected, finding.observed, finding.cause) = (expected, observed, cause);
            (finding.fix, finding.by_hand) = (fix, by_hand);
            finding
        })
}

fn any_report() -> impl Strategy<Value = Report> {
    (prop::collection::vec(finding(), 0..6), nasty(), nasty(), any::<bool>()).prop_map(|(findings, a, b, strict)| {
        let mut report = Report::new(a.clone(), b.clone(), sample::now());
        report.findings = findings;
        report.strict = strict;
        report.outcomes.push(Outcome {
            action: a.clone(),
            target: b.clone(),
            state: State::Failed,
            detail: a.clone(),
            fix: Some(b.clone()),
        });
        report.plan = Some(serde_json::json!({
            "title": a, "notes": [b], "steps": [{ "action": { "kind": a }, "target": b, "reason": a, "risk": "safe" }]
        }));
        report.result = Some(serde_json::json!({ "runs": [a, b] }));
        report
    })
}

fn any_error() -> impl Strategy<Value = Error> {
    (nasty(), prop::collection::vec(nasty(), 0..3), prop::collection::vec(nasty(), 0..3))
        .prop_map(|(what, why, hints)| Error { kind: Kind::Failed, what, why, hints })
}

/// What no output may hold unless colours are wanted: whatever a terminal obeys, hides or reads backwards. Written down
/// apart from the list that the formats use.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || "\u{61c}\u{200b}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{2028}\u{2029}\u{feff}"
            .contains(c)
}

fn assert_harmless(format: Format, text: &str) {
    let found = text.chars().find(|c| is_harmful(*c) && *c != '\n');
    assert_eq!(found, None, "{format:?}:\n{text:?}");
    assert!(text.is_empty() || text.ends_with('\n'), "{format:?}");
}

fn assert_readable(format: Format, text: &str) {
    match format.name() {
        "json" => {
            serde_json::from_str::<serde_json::Value>(text).unwrap();
        }
        "junit" => {
            roxmltree::Document::parse(text).unwrap();
        }
        "prometheus" => {
            prometheus::tests::read(text).unwrap();
        }
        "nagios" => {
            let first = text.lines().next().unwrap();
            assert!(first.matches('|').count() <= 1, "{first}");
            assert!(!text.lines().skip(1).any(|line| line.contains('|')), "{text}");
        }
        "github" => {
            for line in text.lines().filter(|line| line.trim_start().starts_with("::")) {
                assert!(["::error", "::warning", "::notice"].iter().any(|word| line.starts_with(word)), "{line}");
            }
            assert!(!text.contains("##["));
        }
        "human" => {}
        other => panic!("no reader for {other}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_remote_side_says_every_format_stays_readable_and_harmless(
        report in any_report(), quiet in any::<bool>(), verbose in any::<bool>(), width in prop::option::of(40_usize..130)
    ) {
        let view = View { width, quiet, verbose, explain: verbose, ..sample::view() };
        for format in REGISTRY {
            let text = render(*format, &report, &view);
            assert_harmless(*format, &text);
            assert_readable(*format, &text);
        }
    }

    #[test]
    fn on_a_terminal_every_line_fits_and_colours_only_add_escapes(report in any_report(), width in 40_usize..130) {
        let plain = View { width: Some(width), ..sample::view() };
        let text = render(Format::default(), &report, &plain);
        for line in text.lines() {
            prop_assert!(line.width() <= width, "{} > {width}: {line:?}", line.width());
        }
        let coloured = render(Format::default(), &report, &View { colour: true, ..plain });
let stripped = anstream::adapter::strip_str(&coloured).to_string();
        // A padded label with nothing beside it keeps its blanks inside the colour.
        let trimmed: String = stripped.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        prop_assert_eq!(trimmed, text);
    }

    #[test]
    fn whatever_an_error_says_every_format_stays_readable_and_harmless(error in any_error()) {
        for format in REGISTRY {
            let text = render_error(*format, &error, &sample::view());
            assert_harmless(*format, &text);
            assert_readable(*format, &text);
        }
    }
}

#[test]
fn an_empty_report_is_a_report_in_every_format() {
    let report = Report::new("check", "web-1", sample::now());
    for format in REGISTRY {
        let text = render(*format, &report, &sample::view());
        assert!(!text.is_empty(), "{format:?}");
        assert_readable(*format, &text);
    }
}
