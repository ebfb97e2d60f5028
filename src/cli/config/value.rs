//! The values of a configuration after they were found right: what `show` prints and `model` is made from.

use std::{net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use url::Url;

pub use crate::rules::quoted::{bare, quote};
use crate::rules::{
    calendar::{Dates, Hours, Repeat, Window},
    certificate::Threshold,
    units,
};
use crate::system::secret::{HIDDEN, Secret};

/// One value, checked against its kind.
#[derive(Clone, Debug)]
pub enum Value {
    /// `true` or `false`.
    Flag(bool),
    /// Several values.
    List(Vec<Value>),
    /// A number with a fraction.
    Number(f64),
    /// A file or folder, from the folder of the configuration on.
    Path(PathBuf),
    /// Something that is never printed.
    Secret(Secret),
    /// Keys and their values.
    Table(Tree),
    /// A text of the right syntax.
    Text(String),
    /// A whole number.
    Whole(u64),
}

/// Keys and their values, in the order in which they are shown.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// The keys that have a value.
    pub entries: Vec<Entry>,
}

/// One key with its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// Where the value came from.
    pub origin: Origin,
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// The default of the vocabulary, or something that follows from elsewhere.
    Default,
    /// This environment variable.
    Environment(&'static str),
    /// This line of the file.
    File(usize),
}

impl Tree {
    /// The value of a key.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.entries.iter().find(|entry| entry.name == name).map(|entry| &entry.value)
    }

    /// The value of a key that must be there; `None` only when the vocabulary and the code disagree.
    pub fn get<T: FromValue>(&self, name: &str) -> Option<T> {
        T::from_value(self.value(name)?)
    }

    /// The value of a key that may be absent.
    pub fn maybe<T: FromValue>(&self, name: &str) -> Option<Option<T>> {
        self.value(name).map_or(Some(None), |value| T::from_value(value).map(Some))
    }
}

impl Value {
    /// The value as TOML on one line, secrets hidden.
    pub fn toml(&self) -> String {
        match self {
            Self::Flag(flag) => flag.to_string(),
            Self::List(items) => format!("[{}]", items.iter().map(Self::toml).collect::<Vec<_>>().join(", ")),
            Self::Number(number) => number.to_string(),
            Self::Path(path) => quote(&path.display().to_string()),
            Self::Secret(secret) => match secret {
                Secret::Command(command) => {
                    let words: Vec<_> = command.iter().map(|word| quote(word)).collect();
                    format!("{{ command = [{}] }}", words.join(", "))
                }
                Secret::Environment(name) => format!("{{ env = {} }}", quote(name)),
                Secret::File(path) => format!("{{ file = {} }}", quote(&path.display().to_string())),
                Secret::Literal(_) => quote(HIDDEN),
            },
            Self::Table(tree) if tree.entries.is_empty() => "{}".into(),
            Self::Table(tree) => {
                let pairs: Vec<_> =
                    tree.entries.iter().map(|e| format!("{} = {}", bare(&e.name), e.value.toml())).collect();
                format!("{{ {} }}", pairs.join(", "))
            }
            Self::Text(text) => quote(text),
            Self::Whole(number) => number.to_string(),
        }
    }

    /// The value as JSON, secrets hidden.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Flag(flag) => (*flag).into(),
            Self::List(items) => items.iter().map(Self::json).collect(),
            Self::Number(number) => (*number).into(),
            Self::Path(path) => path.display().to_string().into(),
            Self::Secret(Secret::Command(command)) => serde_json::json!({ "command": command }),
            Self::Secret(Secret::Environment(name)) => serde_json::json!({ "env": name }),
            Self::Secret(Secret::File(path)) => serde_json::json!({ "file": path.display().to_string() }),
            Self::Secret(Secret::Literal(_)) => HIDDEN.into(),
            Self::Table(tree) => tree.entries.iter().map(|e| (e.name.clone(), e.value.json())).collect(),
            Self::Text(text) => text.as_str().into(),
            Self::Whole(number) => (*number).into(),
        }
    }
}

/// What a [`Value`] can be turned into. The syntax was checked before, so `None` means that the vocabulary and the code
/// disagree.
pub trait FromValue: Sized {
    /// The value, when it is of this type.
    fn from_value(value: &Value) -> Option<Self>;
}

impl FromValue for bool {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Flag(flag) = value { Some(*flag) } else { None }
    }
}

impl FromValue for f64 {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Number(number) = value { Some(*number) } else { None }
    }
}

impl FromValue for PathBuf {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Path(path) = value { Some(path.clone()) } else { None }
    }
}

impl FromValue for String {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.clone()) } else { None }
    }
}

impl FromValue for Secret {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Secret(secret) => Some(secret.clone()),
            Value::Text(text) => Some(Self::Literal(text.clone().into())),
            _ => None,
        }
    }
}

impl FromValue for u64 {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Whole(number) = value { Some(*number) } else { None }
    }
}

impl FromValue for u32 {
    fn from_value(value: &Value) -> Option<Self> {
        u64::from_value(value)?.try_into().ok()
    }
}

impl FromValue for u16 {
    fn from_value(value: &Value) -> Option<Self> {
        u64::from_value(value)?.try_into().ok()
    }
}

impl FromValue for Duration {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Text(text) = value { units::parse_duration(text).ok() } else { None }
    }
}

impl FromValue for Threshold {
    fn from_value(value: &Value) -> Option<Self> {
        let Value::Text(text) = value else { return None };
        match units::parse_share(text) {
            Ok(share) => Some(Self::Share(share)),
            Err(_) => units::parse_duration(text).ok().map(Self::Time),
        }
    }
}

impl FromValue for Tree {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Table(tree) = value { Some(tree.clone()) } else { None }
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::List(items) = value { items.iter().map(T::from_value).collect() } else { None }
    }
}

/// Types whose own syntax is the syntax of the value.
macro_rules! from_text {
    ($($type:ty),*) => {$(
        impl FromValue for $type {
            fn from_value(value: &Value) -> Option<Self> {
                if let Value::Text(text) = value { <$type>::from_str(text).ok() } else { None }
            }
        }
    )*};
}

from_text!(Dates, Hours, IpAddr, Repeat, Url, Window);
