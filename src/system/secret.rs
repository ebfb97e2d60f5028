//! A secret, or where to get it. Its text is never printed: `Debug`, `config show` and errors say `<secret>`.

use std::{
    fmt,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};

use super::{Context, file, process::Command};
use crate::error::{Error, Kind, Result};

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

/// The secrets that a run has used, to be kept out of what it leaves behind.
#[derive(Default)]
pub struct Used(Mutex<Vec<SecretString>>);

impl Used {
    /// Their texts; for the one who hides them, never for a message.
    pub fn texts(&self) -> Vec<String> {
        let used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.iter().map(|secret| secret.expose_secret().to_owned()).collect()
    }

    fn add(&self, secret: &SecretString) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(secret.clone());
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

/// A secret is a word or a line, never a file's worth.
const LARGEST: u64 = 64 << 10;

/// How long a command that prints a secret may take: it may ask a server.
const DEADLINE: Duration = Duration::from_secs(30);

impl Secret {
    /// The secret itself; a line end after it does not belong to it.
    ///
    /// # Errors
    ///
    /// It cannot be had; the text says from where, and never holds the secret.
    pub async fn resolve(&self, context: &Context) -> Result<SecretString> {
        let error =
            |why: String| Error::new(Kind::Failed, format!("read a secret from {}", self.origin())).because(why);
        let text = match self {
            Self::Literal(text) => return Ok(text.clone()),
            Self::Environment(name) => context
                .variable(name)
                .map(str::to_owned)
                .ok_or_else(|| error("it is not set".into()).hint(format!("set ${name} for this run")))?,
            Self::File(path) => file::read(path, LARGEST)
                .map_err(|cause| error(file::why(&cause)).hint("check the path and who may read it"))
                .and_then(|bytes| String::from_utf8(bytes).map_err(|_| error("it is not UTF-8".into())))?,
            Self::Command(words) => {
                let (program, arguments) = words.split_first().ok_or_else(|| error("it names no program".into()))?;
                let command = Command::new(program).args(arguments).timeout(DEADLINE);
                let output = context.runner.run(command).await.map_err(|failure| error(failure.to_string()))?;
                if !output.success() {
                    // What it printed on standard output may be half a secret; its complaint is for people.
                    return Err(error(format!("it {}: {}", output.ending(), output.complaint())));
                }
                String::from_utf8(output.stdout).map_err(|_| error("it did not print UTF-8".into()))?
            }
        };
        let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
        if text.is_empty() {
            return Err(error("it is empty".into()));
        }
        let secret = SecretString::from(text);
        context.secrets.add(&secret);
        Ok(secret)
    }

    fn origin(&self) -> String {
        match self {
            Self::Command(words) => format!("the output of `{}`", shell_words::join(words)),
            Self::Environment(name) => format!("${name}"),
            Self::File(path) => format!("`{}`", path.display()),
            Self::Literal(_) => "the configuration".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, io::Write as _};

    use super::*;

    fn context(variables: &[(&str, &str)]) -> Context {
        let environment: BTreeMap<_, _> = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Context::real(environment, "/".into())
    }

    #[tokio::test]
    async fn a_secret_comes_from_where_it_is_said_to_be_without_the_line_end() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"two words\r\n").unwrap();
        let command = |words: &[&str]| Secret::Command(words.iter().map(|word| (*word).to_owned()).collect());
        for (secret, expected) in [
            (Secret::Literal("a".into()), "a"),
            (Secret::Environment("S".into()), "b"),
            (Secret::File(file.path().into()), "two words"),
            (command(&["printf", "c\n"]), "c"),
        ] {
            let context = context(&[("S", "b")]);
            let found = secret.resolve(&context).await.unwrap();
            assert_eq!(found.expose_secret(), expected);
            // What was written out is known from the configuration.
            let used: &[&str] = if secret.literal().is_some() { &[] } else { &[expected] };
            assert_eq!(context.secrets.texts(), used);
        }
    }

    #[tokio::test]
    async fn a_secret_that_is_not_there_says_where_it_should_be_and_nothing_of_it() {
        let command =
            Secret::Command(["sh", "-c", "printf '\\150alf'; echo no vault >&2; exit 3"].map(Into::into).to_vec());
        for (secret, says) in [
            (Secret::Environment("NO_SUCH".into()), "$NO_SUCH: it is not set"),
            (Secret::File("/no/such".into()), "`/no/such`: there is no such file"),
            (command, "it exited with status 3: no vault"),
            (Secret::Command(vec!["true".into()]), "it is empty"),
        ] {
            let error = secret.resolve(&context(&[])).await.unwrap_err();
            assert!(error.to_string().contains(says) && !error.to_string().contains("half"), "{error}");
        }
    }
}
