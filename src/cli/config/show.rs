//! `mainstay config show`: every value that holds, with where it came from; secrets hidden.

use serde_json::{Value as Json, json};

use super::{
    load::Loaded,
    value::{Entry, Origin, Tree, Value, bare},
};

/// The configuration as TOML that could be read again (but for secrets), each line with its origin.
pub fn show(loaded: &Loaded) -> String {
    let mut lines = vec![
        (format!("# {}", loaded.path.display()), Some(format!("found by {}", loaded.found.words()))),
        (String::new(), None),
    ];
    section(&loaded.tree, "", &loaded.file_name(), &mut lines);
    let width = lines.iter().map(|(text, _)| text.chars().count()).filter(|width| *width <= WIDEST).max().unwrap_or(0);
    let mut text = String::new();
    for (line, origin) in lines {
        match origin {
            Some(origin) if line.starts_with('#') => text.push_str(&format!("{line} ({origin})\n")),
            Some(origin) => text.push_str(&format!("{line:width$}  # {origin}\n")),
            None => text.push_str(&format!("{line}\n")),
        }
    }
    text
}

/// The same as JSON: the path, and each value with its origin by its dotted key.
pub fn json(loaded: &Loaded) -> Json {
    let mut values = serde_json::Map::new();
    leaves(&loaded.tree, "", &loaded.file_name(), &mut values);
    json!({
        "path": loaded.path.display().to_string(),
        "found_by": loaded.found.words(),
        "values": values,
    })
}

/// Lines longer than this do not push the origins of the others to the right.
const WIDEST: usize = 80;

type Line = (String, Option<String>);

fn section(tree: &Tree, path: &str, file: &str, lines: &mut Vec<Line>) {
    for entry in tree.entries.iter().filter(|entry| !is_section(entry)) {
        lines.push((format!("{} = {}", bare(&entry.name), entry.value.toml()), Some(words(entry.origin, file))));
    }
    for entry in tree.entries.iter().filter(|entry| is_section(entry)) {
        let path = if path.is_empty() { bare(&entry.name) } else { format!("{path}.{}", bare(&entry.name)) };
        match &entry.value {
            Value::Table(inner) => {
                // `[site]` says nothing that `[site.prime]` does not.
                if inner.entries.iter().any(|entry| !is_section(entry)) {
                    lines.push((String::new(), None));
                    lines.push((format!("[{path}]"), None));
                }
                section(inner, &path, file, lines);
            }
            Value::List(items) => {
                for item in items {
                    lines.push((String::new(), None));
                    lines.push((format!("[[{path}]]"), None));
                    if let Value::Table(inner) = item {
                        section(inner, &path, file, lines);
                    }
                }
            }
            _ => {}
        }
    }
}

fn leaves(tree: &Tree, path: &str, file: &str, values: &mut serde_json::Map<String, Json>) {
    for entry in &tree.entries {
        let path = if path.is_empty() { bare(&entry.name) } else { format!("{path}.{}", bare(&entry.name)) };
        match &entry.value {
            Value::Table(inner) if is_section(entry) => leaves(inner, &path, file, values),
            Value::List(items) if is_section(entry) => {
                for (index, item) in items.iter().enumerate() {
                    if let Value::Table(inner) = item {
                        leaves(inner, &format!("{path}[{index}]"), file, values);
                    }
                }
            }
            value => {
                values.insert(path, json!({ "value": value.json(), "origin": words(entry.origin, file) }));
            }
        }
    }
}

/// Whether a value is shown as a section of its own: a table that is not a default as a whole, and tables in a list.
fn is_section(entry: &Entry) -> bool {
    match &entry.value {
        Value::Table(tree) => tree.entries.iter().any(|inner| inner.origin != Origin::Default),
        Value::List(items) => !items.is_empty() && items.iter().all(|item| matches!(item, Value::Table(_))),
        _ => false,
    }
}

fn words(origin: Origin, file: &str) -> String {
    match origin {
        Origin::Default => "default".into(),
        Origin::Environment(name) => format!("${name}"),
        Origin::File(line) => format!("{file}:{line}"),
    }
}
