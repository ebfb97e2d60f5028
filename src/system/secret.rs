//! A secret, or where to get it. Its text is never printed: `Debug`, `config show` and errors say `<secret>`.

use std::{fmt, path::PathBuf};

use secrecy::{ExposeSecret, SecretString};

/// A secret as the file gives it.
#[derive(Clone)]
pub enum Secret {
    /// The output of a command.
    Command(Vec<String>),
    /// The value of an environment variable.
    Environment(String),
    /// The content of a file, without the line end.
    File(PathBuf),
    /// Written out in the configuration.
    Literal(SecretString),
}

/// What stands in place of a secret, everywhere.
pub const HIDDEN: &str = "<secret>";

impl Secret {
    /// The text that was written out; for the one who uses it, never for a message.
    pub fn literal(&self) -> Option<&str> {
        match self {
            Self::Literal(text) => Some(text.expose_secret()),
            Self::Command(_) | Self::Environment(_) | Self::File(_) => None,
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(command) => write!(f, "output of {command:?}"),
            Self::Environment(name) => write!(f, "${name}"),
            Self::File(path) => write!(f, "content of {path:?}"),
            Self::Literal(_) => f.write_str(HIDDEN),
        }
    }
}
