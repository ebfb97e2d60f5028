//! From a master's command line, environment and folder to its settings.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{from_folder, from_module, missing};
use crate::{
    rules::gunicorn::{Evidence, File, Location, Role, Settings, changes_folder, location, role},
    system::procfs,
};

/// What a second master means.
pub(super) const TWIN: &str = "USR2 started a second master beside the first one, and nobody has ended either";

/// The settings of a master of this machine, whose configuration file `read` fetches.
pub(super) fn settings(
    arguments: Vec<String>,
    environment: Result<BTreeMap<String, String>, String>,
    folder: Result<PathBuf, String>,
    read: impl Fn(&Path, &str) -> Result<Option<File>, String>,
) -> Settings {
    let file = match wanted(&arguments, &environment, folder) {
        Err(reason) => Err(reason),
        Ok(Wanted::Named(path, shown)) => {
            read(&path, &shown).and_then(|file| file.ok_or_else(|| missing(&shown)).map(Some))
        }
        Ok(Wanted::Unnamed(path)) => read(&path, &path.display().to_string()),
    };
    resolve(arguments, environment, file)
}

/// The settings, or that this command line is not understood: it runs, so gunicorn itself did not refuse it.
pub(super) fn resolve(
    arguments: Vec<String>,
    environment: Result<BTreeMap<String, String>, String>,
    file: Result<Option<File>, String>,
) -> Settings {
    Settings::resolve(&Evidence { arguments, environment, file })
        .unwrap_or_else(|reason| Settings::unknown(&format!("its command line is not understood: {reason}")))
}

/// A configuration file to read.
pub(super) enum Wanted {
    /// Named by `-c`: where it is, and as it was named.
    Named(PathBuf, String),
    /// `gunicorn.conf.py` of the folder gunicorn was started in; it may be absent.
    Unnamed(PathBuf),
}

/// Which configuration file to read; `folder` is the one gunicorn is in now.
///
/// It is found before `--chdir` takes effect, so with that option only an absolute path says where it was.
pub(super) fn wanted(
    arguments: &[String],
    environment: &Result<BTreeMap<String, String>, String>,
    folder: Result<PathBuf, String>,
) -> Result<Wanted, String> {
    let location = location(arguments, environment.as_ref())?;
    let folder = match folder {
        Ok(_) if changes_folder(arguments, environment.as_ref()) => {
            Err("--chdir hides the folder in which gunicorn looked for its configuration file".to_owned())
        }
        folder => folder,
    };
    match location {
        Location::Default => Ok(Wanted::Unnamed(folder?.join("gunicorn.conf.py"))),
        Location::Module(module) => Err(from_module(&module)),
        Location::Path(path) if path.starts_with('/') => Ok(Wanted::Named(PathBuf::from(&path), path)),
        Location::Path(path) => Ok(Wanted::Named(from_folder(&folder?, &path), path)),
    }
}

/// Whether this child of a master is a second master: USR2 hands it the first one's pid.
pub(super) fn is_twin(pid: u32) -> bool {
    procfs::environment(pid).is_ok_and(|environment| environment.contains_key("GUNICORN_PID"))
        && !gunicorns_below(pid).is_empty()
        || procfs::arguments(pid).is_ok_and(|words| role(&words) == Some(Role::Master))
}

/// The children of a process that are gunicorn: its workers, and a second master after USR2.
pub(super) fn gunicorns_below(pid: u32) -> Vec<u32> {
    let is_gunicorn = |child: &u32| {
        let role = procfs::arguments(*child).ok().and_then(|words| role(&words));
        matches!(role, Some(Role::Plain | Role::Worker | Role::Master))
    };
    procfs::children(pid).into_iter().filter(is_gunicorn).collect()
}
