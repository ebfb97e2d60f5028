//! Wrong inputs of every kind and what is said of them, letter by letter.
//!
//! `mistakes.txt` holds blocks of a title, a file and what is said; `MAINSTAY_BLESS=1` writes what is said anew, to be read
//! before it is committed.

use crate::cli::config::parse;

const BLOCKS: &str = include_str!("mistakes.txt");

fn said(text: &str, name: &str) -> String {
    match parse(text, name) {
        Ok(_) => "nothing\n".into(),
        Err(diagnostics) => diagnostics.iter().map(|diagnostic| format!("{diagnostic}\n")).collect(),
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test that writes a file of the repository when it is asked to")]
fn each_mistake_is_explained() {
    let (mut found, mut wrong) = (String::new(), Vec::new());
    let mut count = 0;
    for block in BLOCKS.split("=== ").skip(1) {
        let (title, rest) = block.split_once('\n').unwrap();
        let (text, expected) = rest.split_once("---\n").unwrap();
        // A file that lies under /etc has one rule more.
        let name = if title.contains("/etc") { "/etc/mainstay/mainstay.toml" } else { "mainstay.toml" };
        let said = said(text, name);
        if said != expected {
            wrong.push(format!("{title}\nsaid:\n{said}\nexpected:\n{expected}"));
        }
        found.push_str(&format!("=== {title}\n{text}---\n{said}"));
        assert!(!said.contains("hunter2"), "{title} shows a secret:\n{said}");
        count += 1;
    }
    if std::env::var_os("MAINSTAY_BLESS").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/config/tests/mistakes.txt"), found).unwrap();
        return;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 80, "{count}");
}

#[test]
fn a_file_with_ten_mistakes_reports_all_ten() {
    let text = "\
colour = 1
[sit.prime]
[site.prime]
url = \"ftp://prime.example.edu\"
status = \"200\"
timeout = \"10 s\"
resolve = [\"10.0.0.300\"]
[site.prime.gunicorn]
container = \"web\"
workrs = 3
[site.other]
[schedule.x]
timezone = \"EST\"
on = [\"Mon-Fry 07:00-19:00\"]
ec2 = []
";
    let diagnostics = parse(text, "mainstay.toml").unwrap_err();
    let lines: Vec<usize> = diagnostics.iter().map(|diagnostic| diagnostic.line).collect();
    assert_eq!(lines, [1, 2, 4, 5, 6, 7, 10, 11, 13, 14], "{diagnostics:#?}");
}
