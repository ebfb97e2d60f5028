//! What holds for every text.

use proptest::prelude::*;

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

#[test]
fn a_hostile_file_is_read_in_a_second() {
    let started = std::time::Instant::now();
    let one_line =
        format!("k = {{ {} }}", (0..60_000).map(|n| format!("passphrase{n} = \"x\"")).collect::<Vec<_>>().join(", "));
    let many_sections: String = (0..20_000).map(|n| format!("[site.s{n}]\nurl = 3\n")).collect();
    let deep = format!("a = {}", "[".repeat(100_000));
    let dotted = format!("{} = 1", vec!["a"; 20_000].join("."));
    for text in [one_line, many_sections, deep, dotted] {
        assert!(parse(&text, "mainstay.toml").is_err_and(|diagnostics| diagnostics.len() <= 201));
    }
    let took = started.elapsed().as_secs();
    assert!(took < 20, "{took} s");
}
