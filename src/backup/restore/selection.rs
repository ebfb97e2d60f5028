//! Which paths of an archive are restored: `--include`, in the syntax of `.gitignore`.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::request::Target;
use crate::{
    error::{Error, Kind, Result},
    rules::manifest::FOLDER,
};

/// What was asked for; everything where nothing was.
#[derive(Debug)]
pub(super) struct Selection {
    patterns: Option<Gitignore>,
    /// Patterns that are a path: who writes out a name means this very file.
    names: Vec<Vec<u8>>,
    /// Whether what is ours in the archive (the configuration that lies elsewhere) is left out: it never was below the root.
    /// To an empty place it comes along all the same: that is a new machine, which needs it.
    only_theirs: bool,
}

impl Selection {
    /// Reads the patterns.
    ///
    /// # Errors
    ///
    /// One of them is wrong.
    pub(super) fn new(include: &[String], target: &Target) -> Result<Self> {
        let only_theirs = matches!(target, Target::InPlace(_));
        if include.is_empty() {
            return Ok(Self { patterns: None, names: Vec::new(), only_theirs });
        }
        let mut builder = GitignoreBuilder::new("/");
        let mut names = Vec::new();
        let wrong = |pattern: &str, error: ignore::Error| {
            Error::new(Kind::Usage, format!("use `--include {pattern}`"))
                .because(error)
                .hint("write it as in a .gitignore file: `.env`, `config/`, `*.conf`")
        };
        for pattern in include {
            builder.add_line(None, pattern).map_err(|error| wrong(pattern, error))?;
            if !pattern.contains(['*', '?', '[', '\\']) && !pattern.starts_with('!') && !pattern.ends_with('/') {
                names.push(pattern.trim_start_matches('/').as_bytes().to_vec());
            }
        }
        let patterns = builder.build().map_err(|error| wrong(&include.join(" "), error))?;
        Ok(Self { patterns: Some(patterns), names, only_theirs })
    }

    /// Whether it is everything.
    pub(super) fn is_everything(&self) -> bool {
        self.patterns.is_none()
    }

    /// Whether a path is part of it.
    pub(super) fn takes(&self, path: &[u8], is_folder: bool) -> bool {
        let path = Path::new(OsStr::from_bytes(path));
        if self.only_theirs && path.starts_with(FOLDER) {
            return false;
        }
        self.patterns.as_ref().is_none_or(|patterns| patterns.matched_path_or_any_parents(path, is_folder).is_ignore())
    }

    /// Whether a pattern is this very path.
    pub(super) fn names(&self, path: &[u8]) -> bool {
        self.names.iter().any(|name| name == path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to() -> Target {
        Target::To("/new".into())
    }

    #[test]
    fn what_is_ours_does_not_come_back_in_place() {
        let selection = Selection::new(&[], &Target::InPlace("/srv".into())).unwrap();
        assert!(!selection.takes(b".mainstay/mainstay.toml", false) && !selection.takes(b".mainstay", true));
        assert!(selection.takes(b".env", false) && selection.takes(b".mainstay.toml", false));
        assert!(Selection::new(&[], &to()).unwrap().takes(b".mainstay/mainstay.toml", false));
    }

    #[test]
    fn patterns_are_those_of_gitignore_and_a_written_path_is_a_name() {
        let selection = Selection::new(&["/.env".into(), "config/".into(), "*.conf".into()], &to()).unwrap();
        for (path, is_folder, takes, names) in [
            (".env", false, true, true),
            ("sub/.env", false, false, false),
            ("config", true, true, false),
            ("config/a/b", false, true, false),
            ("x/y.conf", false, true, false),
            ("configuration", true, false, false),
        ] {
            assert_eq!(selection.takes(path.as_bytes(), is_folder), takes, "{path}");
            assert_eq!(selection.names(path.as_bytes()), names, "{path}");
        }
        let everything = Selection::new(&[], &to()).unwrap();
        assert!(everything.is_everything() && everything.takes(b"a\xff", false) && !everything.names(b"a"));
    }

    #[test]
    fn a_wrong_pattern_is_wrong_usage() {
        let error = Selection::new(&["[z-a]".into()], &to()).unwrap_err();
        assert_eq!(error.kind, Kind::Usage);
    }
}
