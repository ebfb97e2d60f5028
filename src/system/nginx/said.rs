//! What nginx itself says: of its configuration, and of how it was built.

use std::path::Path;

use super::Start;
use crate::system::process::Output;

/// Whether the engine found no such program.
pub(super) fn is_missing(output: &Output) -> bool {
    matches!(output.code, Some(126 | 127))
}

/// The line in which nginx says why it does not like its configuration.
pub(super) fn refusal(output: &Output) -> String {
    if output.truncated {
        return "the dump is larger than 16 MiB".to_owned();
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let grave = |line: &&str| ["[emerg]", "[alert]", "[crit]"].iter().any(|level| line.contains(level));
    match text.lines().find(grave) {
        Some(line) => line.trim().to_owned(),
        // The engine prints its own complaint on standard output.
        None if is_missing(output) => {
            output.text().lines().next().unwrap_or("nginx cannot be started").trim().to_owned()
        }
        None if output.complaint().is_empty() => format!("`nginx -T` {}", output.ending()),
        None => output.complaint(),
    }
}

pub(super) fn warnings(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().filter(|line| line.contains("[warn]")).take(20).map(|line| line.trim().to_owned()).collect()
}

/// What `nginx -V` says, on standard error.
#[derive(Default)]
pub(super) struct About {
    pub(super) version: Option<String>,
    pub(super) conf_path: Option<String>,
    pub(super) prefix: Option<String>,
}

impl About {
    pub(super) fn read(output: &Output) -> Self {
        let text = format!("{}{}", String::from_utf8_lossy(&output.stderr), output.text());
        let option = |name: &str| {
            let words = text.split_whitespace().map(|word| word.trim_matches('\''));
            words.filter_map(|word| word.strip_prefix(name)).next_back().map(ToOwned::to_owned)
        };
        let version = text.lines().find_map(|line| line.strip_prefix("nginx version: "));
        let version =
            version.and_then(|line| line.split_once('/')).and_then(|(_, rest)| rest.split_whitespace().next());
        Self { version: version.map(ToOwned::to_owned), conf_path: option("--conf-path="), prefix: option("--prefix=") }
    }

    /// The main file that nginx reads when it is started so.
    pub(super) fn main_file(&self, start: &Start) -> String {
        let prefix = start.prefix.as_deref().or(self.prefix.as_deref()).unwrap_or("/etc/nginx");
        let file = start.config.as_deref().or(self.conf_path.as_deref()).unwrap_or("/etc/nginx/nginx.conf");
        Path::new(prefix).join(file).to_string_lossy().into_owned()
    }
}
