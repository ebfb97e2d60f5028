//! The words for one setting: its name, its value, and where that comes from.

use std::fmt;

use serde_json::Value as Json;

/// A setting that mainstay knows how to read.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Name {
    /// `--workers`.
    Workers,
    /// `--threads`.
    Threads,
    /// `--timeout`, seconds.
    Timeout,
    /// `--graceful-timeout`, seconds.
    GracefulTimeout,
    /// `--worker-class`.
    WorkerClass,
    /// `--bind`.
    Bind,
    /// `--forwarded-allow-ips`.
    ForwardedAllowIps,
}

/// What a setting is worth.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    /// Several texts.
    List(Vec<String>),
    /// A number.
    Number(u64),
    /// A text.
    Text(String),
}

/// Where a value comes from, weakest first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// gunicorn itself.
    Default,
    /// An environment variable that gunicorn takes a default from.
    Variable(&'static str),
    /// The configuration file, by its path and line.
    File(String, u32),
    /// gunicorn's control socket, which does not say where it has the value from.
    Control,
    /// `GUNICORN_CMD_ARGS`.
    CommandArguments,
    /// The command line.
    Argv,
}

/// One setting, as far as it can be known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reading {
    /// Its value and where that comes from.
    Known(Value, Source),
    /// Why it cannot be known.
    Unknown(String),
}

impl Name {
    /// In the order in which a person reads them.
    pub const ALL: [Self; 7] = [
        Self::Workers,
        Self::Threads,
        Self::Timeout,
        Self::GracefulTimeout,
        Self::WorkerClass,
        Self::Bind,
        Self::ForwardedAllowIps,
    ];

    /// The name in a configuration file and in reports.
    pub fn key(self) -> &'static str {
        match self {
            Self::Workers => "workers",
            Self::Threads => "threads",
            Self::Timeout => "timeout",
            Self::GracefulTimeout => "graceful_timeout",
            Self::WorkerClass => "worker_class",
            Self::Bind => "bind",
            Self::ForwardedAllowIps => "forwarded_allow_ips",
        }
    }

    /// The option of the command line.
    pub fn flag(self) -> String {
        format!("--{}", self.key().replace('_', "-"))
    }
}

impl Value {
    /// As a report gives it: the list of trusted peers is one text, as on the command line.
    pub(super) fn to_json(&self, name: Name) -> Json {
        match self {
            Self::List(list) if name == Name::ForwardedAllowIps => Json::from(list.join(",")),
            Self::List(list) => Json::from(list.clone()),
            Self::Number(number) => Json::from(*number),
            Self::Text(text) => Json::from(text.clone()),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(list) if list.is_empty() => f.write_str("nothing"),
            Self::List(list) => f.write_str(&list.join(",")),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Variable(name) => f.write_str(name),
            Self::File(path, line) => write!(f, "{path}:{line}"),
            Self::Control => f.write_str("control socket"),
            Self::CommandArguments => f.write_str("GUNICORN_CMD_ARGS"),
            Self::Argv => f.write_str("argv"),
        }
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(value, source) => write!(f, "{value} ({source})"),
            Self::Unknown(reason) => write!(f, "unknown ({reason})"),
        }
    }
}
