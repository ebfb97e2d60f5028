//! The kind of a value: whether a value is of it, and what to say when it is not.

use toml::de::DeValue;

use super::{
    super::{
        table::{Kind, Text},
        value::Value,
    },
    Node, Walk,
};

impl Walk<'_> {
    pub(super) fn wrong_type(&mut self, kind: &Kind, node: &Node<'_>, path: &str) -> Option<Value> {
        let (found, suggestion) = match (kind, node.get_ref()) {
            (Kind::List(..), DeValue::String(text)) => ("a text", Some(format!("write [\"{}\"]", short(text)))),
            (Kind::Many(_), DeValue::Table(_)) => ("one table", Some(format!("write [[{path}]]"))),
            (Kind::Whole(..), DeValue::String(text))
                if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() =>
            {
                ("a text", Some(format!("write {} without quotes", short(text))))
            }
            (Kind::Flag | Kind::Only(_), DeValue::String(text)) if matches!(&**text, "true" | "false") => {
                ("a text", Some(format!("write {text} without quotes")))
            }
            (Kind::Text(Text::Duration | Text::Threshold), DeValue::Integer(number)) => {
                ("a number", Some(format!("write \"{number}s\"")))
            }
            (Kind::Text(Text::Word(words)), DeValue::Boolean(_)) => {
                ("true or false", words.contains(&"off").then(|| "write \"off\"".to_string()))
            }
            (Kind::Text(_), DeValue::Datetime(date)) => ("a date", Some(format!("write \"{date}\""))),
            (_, DeValue::String(_)) => ("a text", None),
            (Kind::Whole(..), DeValue::Float(_)) => ("a fraction", None),
            (_, DeValue::Integer(_) | DeValue::Float(_)) => ("a number", None),
            (_, DeValue::Boolean(_)) => ("true or false", None),
            (_, DeValue::Datetime(_)) => ("a date", None),
            (_, DeValue::Array(_)) => ("a list", None),
            (_, DeValue::Table(_)) => ("a table", None),
        };
        let found = match (kind, node.get_ref()) {
            (Kind::Only(_) | Kind::Either(_), DeValue::Boolean(flag)) => flag.to_string(),
            _ => found.to_string(),
        };
        self.wrong(node.span(), format!("`{path}` must be {}, not {found}", kind.words()), suggestion);
        None
    }
}

impl Kind {
    /// What it must be, after "must be".
    pub fn words(&self) -> String {
        match self {
            Self::Either(kinds) => kinds.iter().map(Self::words).collect::<Vec<_>>().join(", or "),
            Self::Flag => "true or false".into(),
            Self::List(of, _) => format!("a list, each {}", of.words()),
            Self::Many(_) => "tables in double brackets".into(),
            Self::Map(..) | Self::Table(_) => "a table".into(),
            Self::Named(_) => "sections with a name".into(),
            Self::Only(flag) => flag.to_string(),
            Self::Price => "a price above 0 and below 1000000".into(),
            Self::Secret(_) => "a secret".into(),
            Self::Text(text) => text.words(),
            Self::Whole(least, u64::MAX) => format!("a whole number from {least} on"),
            Self::Whole(least, most) => format!("a whole number from {least} to {most}"),
        }
    }
}

/// Whether a value is of this kind, whatever it says.
pub(super) fn fits(kind: &Kind, found: &DeValue<'_>) -> bool {
    match kind {
        Kind::Either(kinds) => kinds.iter().any(|kind| fits(kind, found)),
        Kind::Flag => found.is_bool(),
        Kind::Only(flag) => found.as_bool() == Some(*flag),
        Kind::List(..) | Kind::Many(_) => found.is_array(),
        Kind::Map(..) | Kind::Named(_) | Kind::Table(_) => found.is_table(),
        Kind::Price => found.is_integer() || found.is_float(),
        Kind::Secret(_) => found.is_str() || found.is_table(),
        Kind::Text(_) => found.is_str(),
        Kind::Whole(..) => found.is_integer(),
    }
}

/// The beginning of a text, for a message.
pub(super) fn short(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}
