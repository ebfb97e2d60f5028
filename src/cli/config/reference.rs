//! `docs/configuration.md`, written from the vocabulary.

use super::table::{Default, Key, Kind, ROOT, Rule, Table};

/// The reference of the configuration in Markdown.
pub fn reference() -> String {
    let mut text = String::from(INTRODUCTION);
    keys(&ROOT, &mut text);
    for key in ROOT.keys {
        section(key, key.name, &mut text);
    }
    text
}

const INTRODUCTION: &str = "# Configuration

`mainstay.toml` is one TOML file. It is looked for in this order, and the first one found is used as a whole:

1. `--config FILE`
2. `$MAINSTAY_CONFIG`
3. `mainstay.toml` in the folder of the call and its parents, up to the git root or the home folder
4. `$XDG_CONFIG_HOME/mainstay/mainstay.toml`, or `~/.config/mainstay/mainstay.toml`
5. `/etc/mainstay/mainstay.toml`

A file that was found by search is used only when it and its folder belong to root, to you or to `$SUDO_UID`, and nobody
else can write to them, because it can name commands. `mainstay config show` prints every value with where it came from,
`mainstay config check` looks for mistakes, and `mainstay config schema` prints a JSON Schema for editors. For a file
that begins with `#:schema ./mainstay.schema.json`, editors with Taplo complete keys and mark mistakes.

Relative paths start at the folder of the file. Times are written `500ms`, `10s`, `5m`, `3h`, `21d`, `1w` or `1h30m`.
A secret is a text, `{ env = \"NAME\" }`, `{ file = \"PATH\" }` or `{ command = [\"…\"] }`, and is never printed.

[`mainstay init`](init.md) writes a first file from what it finds. A complete one with every key is
[`examples/mainstay.toml`](../examples/mainstay.toml). This page is written by a test
from the program's own table of keys.

## Top level

";

fn section(key: &Key, path: &str, text: &mut String) {
    let (table, title) = match &key.kind {
        Kind::Named(table) => (*table, format!("[{path}.NAME]")),
        Kind::Many(table) => (*table, format!("[[{path}]]")),
        Kind::Table(table) => (*table, format!("[{path}]")),
        _ => return,
    };
    let level = if path.contains('.') { "###" } else { "##" };
    text.push_str(&format!("\n{level} `{title}`\n\n{}\n\n", key.doc));
    keys(table, text);
    let path = if matches!(key.kind, Kind::Named(_)) { format!("{path}.NAME") } else { path.to_string() };
    for inner in table.keys {
        // A Compose service looks the same everywhere and has a line of its own in each table.
        if inner.name != "compose" {
            section(inner, &format!("{path}.{}", inner.name), text);
        }
    }
}

fn keys(table: &Table, text: &mut String) {
    text.push_str("| key | value | default | meaning |\n|---|---|---|---|\n");
    for key in table.keys {
        let default = match key.default {
            Default::Required => "required".into(),
            Default::Unset => "–".into(),
            Default::Value("{}") => "its keys' defaults".into(),
            Default::Value(value) => format!("`{value}`"),
            Default::Words(words) => words.into(),
        };
        let example = match key.example {
            "" => String::new(),
            example => format!(" Example: `{example}`"),
        };
        let cells = [format!("`{}`", key.name), key.kind.words(), default, format!("{}{example}", key.doc)];
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    let rules: Vec<String> = table.rules.iter().filter_map(rule).collect();
    if !rules.is_empty() {
        text.push('\n');
        text.push_str(&rules.concat());
    }
}

fn rule(rule: &Rule) -> Option<String> {
    let list = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let when = |name: &str, value: &str| match value {
        "" => format!("`{name}`"),
        _ => format!("`{name} = {value}`"),
    };
    Some(match rule {
        Rule::AtLeastOne(names) => format!("- At least one of {} must be given.\n", list(names)),
        Rule::AtMostOne(names) => format!("- Only one of {} can be given.\n", list(names)),
        Rule::ExactlyOne(names) => format!("- Exactly one of {} must be given.\n", list(names)),
        Rule::Needs(name, value, other, why) => format!("- {} needs `{other}`: {why}.\n", when(name, value)),
        Rule::Forbids(name, value, other, why) => format!("- {} excludes `{other}`: {why}.\n", when(name, value)),
        Rule::Fact(_) => return None,
    })
}
