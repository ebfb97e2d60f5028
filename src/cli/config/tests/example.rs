//! `examples/mainstay.toml` is the whole vocabulary and right, and what is made from the vocabulary is up to date.

use std::{collections::BTreeSet, path::Path};

use crate::cli::config::{
    build, parse, read, reference, schema,
    table::{Default, Kind, ROOT, visit},
    value::{Tree, Value},
};

const EXAMPLE: &str = include_str!("../../../../examples/mainstay.toml");

fn rendered(text: &str) -> String {
    match parse(text, "/srv/prime/mainstay.toml") {
        Ok(_) => String::new(),
        Err(diagnostics) => diagnostics.iter().map(|diagnostic| format!("{diagnostic}\n")).collect(),
    }
}

/// A commented line that is a key or a header, without its comment sign.
fn commented(line: &str) -> Option<&str> {
    let inner = line.strip_prefix("# ").filter(|inner| !inner.starts_with("or: ") && !inner.starts_with(' '))?;
    let key = inner.split('=').next().unwrap_or_default().trim();
    let is_key = inner.contains(" = ") && key.chars().all(|c| c.is_alphanumeric() || "_-.\"".contains(c));
    (is_key || inner.starts_with('[')).then_some(inner)
}

/// The example with every commented key.
pub fn whole() -> String {
    EXAMPLE.lines().map(|line| format!("{}\n", commented(line).unwrap_or(line))).collect()
}

#[test]
fn the_example_is_right() {
    assert_eq!(rendered(EXAMPLE), "");
}

#[test]
fn the_example_is_right_with_every_commented_key() {
    let text = whole();
    assert_eq!(rendered(&text), "");
    assert!(text.lines().filter(|line| line.contains(" = ")).count() > 120);
}

#[test]
fn the_example_is_right_with_each_commented_key_alone() {
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    let mut tried = 0;
    let mut in_commented_section = false;
    for (at, line) in lines.iter().enumerate() {
        in_commented_section = line.starts_with("# [") || (in_commented_section && line.starts_with('#'));
        let Some(inner) = commented(line).filter(|_| !in_commented_section) else { continue };
        let text: String =
            lines.iter().enumerate().map(|(n, line)| format!("{}\n", if n == at { inner } else { line })).collect();
        assert_eq!(rendered(&text), "", "{inner}");
        tried += 1;
    }
    assert!(tried > 60, "{tried}");
}

#[test]
fn the_example_is_right_with_each_alternative() {
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    let mut tried = 0;
    for (at, line) in lines.iter().enumerate() {
        let Some(inner) = line.strip_prefix("# or: ") else { continue };
        // It takes the place of the nearest line above that is a key of the file.
        let key = inner.split(" =").next().unwrap_or_default();
        let above = (0..at).rev().find(|n| !lines[*n].starts_with("# or: ")).unwrap();
        let replaced = lines[above];
        assert!(replaced.contains(" = "), "{replaced}");
        let text: String = lines
            .iter()
            .enumerate()
            .map(|(n, line)| match n {
                n if n == at => format!("{inner}\n"),
                n if n == above && !line.starts_with('#') => "\n".into(),
                _ => format!("{line}\n"),
            })
            .collect();
        assert_eq!(rendered(&text), "", "{key} instead of {replaced}");
        tried += 1;
    }
    assert!(tried > 25, "{tried}");
}

#[test]
fn the_example_names_every_key() {
    let mut all = BTreeSet::new();
    visit(&ROOT, "", &mut |_, key| {
        all.insert(key.name);
    });
    let words: BTreeSet<&str> = EXAMPLE.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).collect();
    let missing: Vec<_> = all.iter().filter(|name| !words.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(all.len() > 100, "{}", all.len());
}

/// A value of a type that its key never has, in the place of each value in turn: whoever reads the key notices.
#[test]
fn the_model_takes_every_key() {
    fn spoil(tree: &mut Tree, nth: &mut usize) -> Option<String> {
        for entry in &mut tree.entries {
            if *nth == 0 {
                *nth = usize::MAX;
                let wrong =
                    if matches!(entry.value, Value::Number(_)) { Value::Flag(true) } else { Value::Number(0.5) };
                entry.value = wrong;
                return Some(entry.name.clone());
            }
            *nth -= 1;
            let inner: Vec<&mut Tree> = match &mut entry.value {
                Value::Table(tree) => vec![tree],
                Value::List(items) => items
                    .iter_mut()
                    .filter_map(|item| if let Value::Table(tree) = item { Some(tree) } else { None })
                    .collect(),
                _ => Vec::new(),
            };
            for tree in inner {
                if let Some(name) = spoil(tree, nth) {
                    return Some(name);
                }
            }
        }
        None
    }
    let document = read::read(&whole(), "mainstay.toml", Path::new("/srv/prime"));
    assert!(build::build(&document.tree).is_some());
    let mut count = 0;
    loop {
        let mut tree = document.tree.clone();
        let Some(name) = spoil(&mut tree, &mut count.clone()) else { break };
        assert!(build::build(&tree).is_none(), "nobody reads `{name}`");
        count += 1;
    }
    assert!(count > 130, "{count}");
}

#[test]
fn the_short_form_is_enough() {
    let text = "[site.prime]\nurl = \"https://prime.example.edu\"\n[backup.app]\n\
                recipients = [\"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\"]\nto = [\"/mnt/usb/backups\"]\n";
    let model = parse(text, "/srv/prime/mainstay.toml").unwrap();
    assert_eq!((model.project.as_str(), model.sites.len(), model.backups.len()), ("prime", 1, 1));
    assert_eq!(model.backups[0].root, Path::new("/srv/prime"));
    assert!(model.backups[0].include_is_default);
}

/// Every example and default of the vocabulary, put into the smallest file that holds it, is right.
#[test]
fn every_example_and_default_of_the_vocabulary_is_right() {
    let mut seen = 0;
    visit(&ROOT, "", &mut |_, key| {
        let is_section = matches!(key.kind, Kind::Named(_) | Kind::Many(_) | Kind::Table(_));
        assert!(is_section || !key.example.is_empty(), "{} has no example", key.name);
        for text in [key.example, if let Default::Value(text) = key.default { text } else { "" }] {
            if !text.is_empty() {
                seen += 1;
                let node = toml::de::DeValue::parse(text);
                assert!(node.is_ok(), "{} = {text}", key.name);
            }
        }
        assert!(key.doc.ends_with('.') || key.doc.ends_with('`'), "{}: {}", key.name, key.doc);
    });
    assert!(seen > 150, "{seen}");
}

#[test]
fn the_schema_accepts_the_words_and_names_every_default() {
    let schema = schema();
    let status = &schema["properties"]["site"]["additionalProperties"]["properties"]["status"];
    assert_eq!(status["default"], 200);
    assert_eq!(schema["additionalProperties"], false);
    let hsts = &schema["properties"]["site"]["additionalProperties"]["properties"]["hsts"];
    assert_eq!(hsts["enum"], serde_json::json!(["fail", "warn", "off"]));
}

/// The file of the repository holds this text; `MAINSTAY_BLESS=1` writes it.
#[expect(clippy::disallowed_methods, reason = "a test that writes a file of the repository when it is asked to")]
fn same_as_file(path: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("MAINSTAY_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "{} is not up to date: run the tests with MAINSTAY_BLESS=1", path.display());
}

#[test]
fn the_reference_is_up_to_date() {
    same_as_file("docs/configuration.md", &reference());
}

#[test]
fn the_schema_is_up_to_date() {
    same_as_file("docs/mainstay.schema.json", &format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap()));
}
