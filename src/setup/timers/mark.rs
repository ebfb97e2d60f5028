//! The marker that tells what is ours: whose project, and from which configuration.

use std::path::Path;

/// What a marker says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Mark {
    /// The project.
    pub project: String,
    /// The configuration's path.
    pub config: String,
}

/// What comes before the project in a unit.
const UNIT: &str = "# Written by mainstay timers install: project ";
/// And between the two.
const BETWEEN: &str = ", configuration ";
/// What comes before the project in a table of cron.
const BEGIN: &str = "# BEGIN mainstay ";
/// And between the two.
const BEGIN_BETWEEN: &str = ": written by mainstay timers install, configuration ";

impl Mark {
    /// The first line of a unit.
    pub fn of_unit(&self) -> String {
        format!("{UNIT}{}{BETWEEN}{}", self.project, shown(&self.config))
    }

    /// The line before ours in a table of cron.
    pub fn begin(&self) -> String {
        format!("{BEGIN}{}{BEGIN_BETWEEN}{}", self.project, shown(&self.config))
    }

    /// The line after ours.
    pub fn end(&self) -> String {
        format!("# END mainstay {}", self.project)
    }

    /// Reads the first line of a unit.
    pub fn read_unit(text: &str) -> Option<Self> {
        Self::read(text.lines().next()?, UNIT, BETWEEN)
    }

    /// Reads a line of a table.
    pub fn read_begin(line: &str) -> Option<Self> {
        Self::read(line, BEGIN, BEGIN_BETWEEN)
    }

    /// Whether what carries it may be replaced or removed by this project with this configuration: it is from the same
    /// one, or has the same project and its configuration is gone.
    pub fn gives_way_to(&self, other: &Self) -> bool {
        self.config == other.config || (self.project == other.project && !Path::new(&self.config).exists())
    }

    fn read(line: &str, before: &str, between: &str) -> Option<Self> {
        let (project, config) = line.trim_end().strip_prefix(before)?.split_once(between)?;
        let config = if config.starts_with('"') { serde_json::from_str(config).ok()? } else { config.to_owned() };
        Some(Self { project: project.to_owned(), config })
    }
}

/// A path on one line that can be read back.
fn shown(path: &str) -> String {
    if path.starts_with('"') || path.chars().any(|c| c.is_control() || c.is_whitespace()) {
        serde_json::Value::from(path).to_string()
    } else {
        path.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_marked_is_read_again(project in "[a-zA-Z0-9._-]{1,12}", config in "/\\PC{0,20}|/[ \n\t\"a]{0,6}") {
            let mark = Mark { project, config };
            prop_assert_eq!(Mark::read_unit(&format!("{}\n[Unit]\n", mark.of_unit())), Some(mark.clone()));
            prop_assert_eq!(Mark::read_begin(&mark.begin()), Some(mark.clone()));
            prop_assert_eq!(mark.begin().lines().count(), 1);
        }

        #[test]
        fn no_text_panics(text in "(# Written by mainstay timers install: project )?\\PC{0,40}") {
            let _ = Mark::read_unit(&text);
            let _ = Mark::read_begin(&text);
        }
    }

    #[test]
    fn another_configuration_gives_way_only_when_it_is_gone() {
        let mark = |project: &str, config: &str| Mark { project: project.into(), config: config.into() };
        let ours = mark("prime", "/srv/prime/mainstay.toml");
        assert!(mark("old-name", "/srv/prime/mainstay.toml").gives_way_to(&ours));
        assert!(mark("prime", "/no/such/mainstay.toml").gives_way_to(&ours));
        assert!(!mark("prime", "/etc/passwd").gives_way_to(&ours), "a file that is there");
        assert!(!mark("other", "/no/such/mainstay.toml").gives_way_to(&ours));
    }
}
