//! Finds what looks like a secret in a text that can not be read as TOML, so that an error does not print it.

use std::ops::Range;

use super::table::{self, Kind};

/// The places after `passphrase = ` and its like, and secret keys wherever they stand.
pub fn by_look(text: &str) -> Vec<Range<usize>> {
    let names = secret_names();
    let mut hidden = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        for (at, _) in content.match_indices('=') {
            let key = content[..at].trim_end().trim_end_matches(['"', '\'']);
            let key = key.rsplit(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).next().unwrap_or_default();
            let lower = key.to_lowercase();
            let looks = names.contains(&key) || WORDS.iter().any(|word| lower.contains(word));
            let value = &content[at + 1..];
            let begin = at + 1 + (value.len() - value.trim_start().len());
            if looks && begin < content.len() && !content[begin..].starts_with('{') {
                hidden.push(start + begin..start + end_of_value(content, begin));
            }
        }
        for word in KEYS {
            for (at, _) in content.to_ascii_uppercase().match_indices(word) {
                let rest = &content[at..];
                let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(rest.len());
                hidden.push(start + at..start + at + length);
            }
        }
        start += line.len();
    }
    hidden
}

/// The end of a quoted value that begins here; without a closing quote, the end of the line.
fn end_of_value(line: &str, begin: usize) -> usize {
    let rest = &line[begin..];
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
    let Some(quote) = quote else { return line.len() };
    if rest.starts_with("\"\"\"") || rest.starts_with("'''") {
        return line.len();
    }
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            c if c == quote => return begin + at + 1,
            _ => {}
        }
    }
    line.len()
}

/// The names of the keys that hold a secret.
fn secret_names() -> Vec<&'static str> {
    let mut names = Vec::new();
    table::visit(&table::ROOT, "", &mut |_, key| {
        if matches!(key.kind, Kind::Secret(_)) {
            names.push(key.name);
        }
    });
    names
}

/// Parts of names that people give to secrets.
const WORDS: &[&str] = &["pass", "secret", "token", "webhook", "credential"];

/// How secret keys of age begin.
const KEYS: &[&str] = &["AGE-SECRET-KEY-", "AGE-PLUGIN-"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_found() {
        let table = [
            ("passphrase = \"hunter2\" # note", vec!["\"hunter2\""]),
            ("passphrase = \"hunter2", vec!["\"hunter2"]),
            ("passphrase = hunter2", vec!["hunter2"]),
            ("n = { webhook = 'https://h/x', on = 1 }", vec!["'https://h/x'"]),
            ("\"Password\" = \"a\\\"b\" x", vec!["\"a\\\"b\""]),
            ("passphrase = { env = \"NAME\" }", vec![]),
            ("r = [\"AGE-SECRET-KEY-1QQ\"]", vec!["AGE-SECRET-KEY-1QQ"]),
            ("url = \"https://x/\"", vec![]),
        ];
        for (text, expected) in table {
            let text = format!("a = 1\n{text}\n");
            let found: Vec<&str> = by_look(&text).into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
