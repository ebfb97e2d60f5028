//! The state folder: where locks, the journal and records are kept between runs.

mod atomic;
mod backwards;
mod history;
mod journal;
mod lock;
mod record;
mod untold;

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

pub use atomic::{Mode, create, write, write_through};
pub use history::{Flush, History, Runs, Unwritten};
pub use journal::{Entry, Helper, Journal, Lineage, Owed, Peek, Probe};
pub use lock::{Holder, Lock, Refusal, Request};
pub use record::Advice;
pub use untold::Untold;

use super::Context;
use crate::error::{Error, Kind, Result};

/// The folder that belongs to one installation of mainstay.
///
/// Finding it touches nothing; [`State::open`] makes it, so that a command that only reads leaves no trace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct State {
    folder: PathBuf,
}

impl State {
    /// The state folder of this run: `$MAINSTAY_STATE`, else the `state` key of the configuration, else
    /// `/var/lib/mainstay` as root, else `mainstay` in the user's state folder (XDG Base Directory Specification).
    ///
    /// `setting` is the key's value, already made absolute against the folder of the configuration file.
    pub fn find(context: &Context, setting: Option<&Path>) -> Result<Self> {
        Self::find_as(context, setting, rustix::process::geteuid().is_root())
    }

    fn find_as(context: &Context, setting: Option<&Path>, root: bool) -> Result<Self> {
        let folder = if let Some(folder) = context.variable("MAINSTAY_STATE") {
            context.folder.join(folder)
        } else if let Some(folder) = setting {
            context.folder.join(folder)
        } else if root {
            PathBuf::from("/var/lib/mainstay")
        } else if let Some(folder) = absolute(context, "XDG_STATE_HOME") {
            folder.join("mainstay")
        } else if let Some(home) = absolute(context, "HOME") {
            home.join(".local/state/mainstay")
        } else {
            return Err(Error::new(Kind::Config, "find a folder for locks and history")
                .because("neither $XDG_STATE_HOME nor $HOME is set")
                .hint("set $MAINSTAY_STATE, or `state = \"DIR\"` in the configuration"));
        };
        Ok(Self { folder })
    }

    /// The state folder of another process of mainstay, which has found it.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The folder, which may not exist yet.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the folder where it is missing, readable by its owner only, and refuses one that others may write to:
    /// whoever can write there can forge what we believe we owe a start.
    pub fn open(&self) -> Result<()> {
        make_private(&self.folder)
    }

    /// A folder inside, made where it is missing.
    ///
    /// # Errors
    ///
    /// As [`State::open`].
    pub fn room(&self, name: &str) -> Result<PathBuf> {
        self.open()?;
        let room = self.folder.join(name);
        make_private(&room)?;
        Ok(room)
    }
}

/// A folder named by a variable; a relative one must be ignored (XDG Base Directory Specification 0.8).
fn absolute(context: &Context, name: &str) -> Option<PathBuf> {
    context.variable(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

fn make_private(folder: &Path) -> Result<()> {
    let shown = folder.display();
    let trouble = |error: &io::Error| {
        Error::new(Kind::Failed, format!("make the state folder `{shown}`"))
            .because(error)
            .hint("choose another with $MAINSTAY_STATE or `state = \"DIR\"`")
    };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| trouble(&error))?;
    let found = fs::metadata(folder).map_err(|error| trouble(&error))?;
    let me = rustix::process::geteuid().as_raw();
    // The sticky bit does not help: in /tmp another user may still create the names that we are about to use.
    if found.mode() & 0o022 != 0 {
        return Err(Error::new(Kind::Failed, format!("use the state folder `{shown}`"))
            .because(format!("others may write to it (mode {:04o})", found.mode() & 0o7777))
            .hint(format!("run `chmod 700 {shown}`")));
    }
    if found.uid() != me && found.uid() != 0 {
        return Err(Error::new(Kind::Failed, format!("use the state folder `{shown}`"))
            .because(format!("it belongs to user {}, not to user {me}", found.uid()))
            .hint(format!("run `chown {me} {shown}`, or choose another with $MAINSTAY_STATE")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs::Permissions, os::unix::fs::PermissionsExt};

    use super::*;

    fn context(variables: &[(&str, &str)]) -> Context {
        let environment: BTreeMap<_, _> = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Context::real(environment, "/work".into())
    }

    #[test]
    fn the_variable_beats_the_key_and_the_key_beats_the_usual_places() {
        let everything =
            [("MAINSTAY_STATE", "/srv/state"), ("XDG_STATE_HOME", "/home/ann/.state"), ("HOME", "/home/ann")];
        let key = Some(Path::new("/etc/state"));
        for (from, key, root, folder) in [
            (0, key, true, "/srv/state"),
            (1, key, true, "/etc/state"),
            (1, None, true, "/var/lib/mainstay"),
            (1, None, false, "/home/ann/.state/mainstay"),
            (2, None, false, "/home/ann/.local/state/mainstay"),
        ] {
            let state = State::find_as(&context(&everything[from..]), key, root).unwrap();
            assert_eq!(state.folder(), Path::new(folder), "{from} {key:?} {root}");
        }
    }

    #[test]
    fn a_relative_variable_of_xdg_is_ignored_and_a_relative_one_of_ours_starts_here() {
        let state = State::find_as(&context(&[("XDG_STATE_HOME", "here"), ("HOME", "/home/ann")]), None, false);
        assert_eq!(state.unwrap().folder(), Path::new("/home/ann/.local/state/mainstay"));
        let state = State::find_as(&context(&[("MAINSTAY_STATE", "here")]), None, false);
        assert_eq!(state.unwrap().folder(), Path::new("/work/here"));
    }

    #[test]
    fn without_a_home_the_error_says_what_to_set() {
        let error = State::find_as(&context(&[]), None, false).unwrap_err();
        assert_eq!(error.kind, Kind::Config);
        assert!(error.hints[0].contains("$MAINSTAY_STATE"), "{error:?}");
    }

    #[test]
    fn a_new_folder_is_private_and_one_that_others_may_write_to_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let state = State { folder: place.path().join("a/b") };
        state.open().unwrap();
        assert_eq!(fs::metadata(state.folder()).unwrap().mode() & 0o777, 0o700);

        fs::set_permissions(state.folder(), Permissions::from_mode(0o770)).unwrap();
        let error = state.open().unwrap_err();
        assert!(error.to_string().contains("others may write to it (mode 0770)"), "{error}");
    }

    #[test]
    fn a_file_in_the_way_is_an_error_with_a_way_out() {
        let place = tempfile::NamedTempFile::new().unwrap();
        let error = State { folder: place.path().join("state") }.open().unwrap_err();
        assert!(error.hints[0].contains("MAINSTAY_STATE"), "{error:?}");
    }
}
