//! What holds for every text.

use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use crate::cli::config::parse;

const EXAMPLE: &str = include_str!("../../../../examples/mainstay.toml");

/// Reading ends, and what it says points into the text.
fn holds(text: &str) -> Result<(), TestCaseError> {
    if let Err(diagnostics) = parse(text, "/srv/prime/mainstay.toml") {
        prop_assert!(!diagnostics.is_empty());
        for diagnostic in diagnostics {
            prop_assert!(diagnostic.span.start <= diagnostic.span.end && diagnostic.span.end <= text.len());
            prop_assert!(text.get(diagnostic.span.clone()).is_some());
            prop_assert!(diagnostic.line >= 1 && diagnostic.line <= text.matches('\n').count() + 1);
            prop_assert!(diagnostic.column >= 1);
            let shown = diagnostic.to_string();
            prop_assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_without_a_panic(text in "(?s).{0,200}") {
        holds(&text)?;
    }

    #[test]
    fn any_toml_like_text_is_read_without_a_panic(
        lines in prop::collection::vec("(\\[\\[?[a-z.\"]{1,20}\\]?\\]|[a-z_.\"]{1,12} ?= ?[a-z0-9\"'\\[\\]{}=,.: -]{0,20}|#.{0,5}|\t日)", 0..12),
    ) {
        holds(&lines.join("\n"))?;
    }

    #[test]
    fn the_example_with_a_wound_is_read_without_a_panic(at in 0..EXAMPLE.len(), length in 0..40_usize, patch in "\\PC{0,6}") {
        let start = EXAMPLE.floor_char_boundary(at);
        let end = EXAMPLE.floor_char_boundary((start + length).min(EXAMPLE.len()));
        holds(&format!("{}{patch}{}", &EXAMPLE[..start], &EXAMPLE[end..]))?;
    }

    #[test]
    fn the_example_with_swapped_lines_is_read_without_a_panic(first in 0..100_usize, second in 0..100_usize) {
        let mut lines: Vec<&str> = EXAMPLE.lines().filter(|line| !line.starts_with('#')).collect();
        let (first, second) = (first % lines.len(), second % lines.len());
        lines.swap(first, second);
        holds(&lines.join("\n"))?;
    }
}

/// Each is near the limit of what is read from a file, and is answered soon, also on a busy machine and without
/// optimisation.
#[test]
fn a_hostile_file_is_answered_soon() {
    let inline: Vec<String> = (0..50_000).map(|n| format!("passphrase{n} = \"x\"")).collect();
    let files = [
        ("one long line", format!("k = {{ {} }}", inline.join(", "))),
        ("one long section", format!("[backup.b]\n{}", inline.join("\n"))),
        ("many sections", (0..40_000).map(|n| format!("[site.s{n}]\nurl = 3\n")).collect()),
        ("deep lists", format!("a = {}", "[".repeat(1 << 16))),
        ("deep keys", format!("{} = 1", vec!["a"; 1 << 18].join("."))),
        ("equals signs", format!("a = {}", "pass=".repeat(200_000))),
        ("an open string", format!("passphrase = \"{}", "\\".repeat(1 << 20))),
        ("time zones", (0..20_000).map(|n| format!("[backup.s{n}]\ntimezone = \"Europe/Berlim\"\n")).collect()),
    ];
    for (name, text) in files {
        let started = Instant::now();
        assert!(parse(&text, "mainstay.toml").is_err_and(|diagnostics| diagnostics.len() <= 201), "{name}");
        let took = started.elapsed();
        assert!(took < Duration::from_secs(30), "{name}: {took:?}");
    }
}
