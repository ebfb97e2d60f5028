//! Looks at a running gunicorn: in a container, by its pid file on this machine, or by a command line that was given.
//!
//! The evidence is taken from the best witness that is there: the master's own `/proc` entry, then the same read
//! inside the container, then what the engine was told to start. `--print-config` is never run: it imports the
//! application.

mod container;
mod master;

use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Context,
    docker::{self, Docker, Reference},
    file, procfs,
};
use crate::rules::gunicorn::{
    Evidence, File, Location, Network, Observation, Role, Settings, Trouble, command, location, role,
};

/// Pid files and configuration files are smaller; more is not read.
const FILE_LIMIT: u64 = 4 << 20;

/// Where a gunicorn can be found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// In a container.
    Container(Reference),
    /// On this machine, the pid of its master in this file.
    PidFile(PathBuf),
    /// Nowhere: only a command line, for a rehearsal.
    Argv(Vec<String>),
}

/// Looks at a gunicorn; each question to the container engine within `timeout`.
///
/// # Errors
///
/// Why it could not be looked at.
pub async fn observe(context: &Context, source: &Source, timeout: Duration) -> Result<Observation, Trouble> {
    match source {
        Source::Argv(words) => given(context, words),
        Source::Container(reference) => container::observe(&Docker::new(context, timeout), reference).await,
        Source::PidFile(path) => of_pid_file(&context.folder.join(path)),
    }
}

/// The address from which the nginx in another container reaches this gunicorn, when the two share one network.
pub async fn peer(context: &Context, nginx: &Reference, network: &Network, timeout: Duration) -> Option<IpAddr> {
    let nginx = Docker::new(context, timeout).find(nginx).await.ok()?;
    let mut shared = nginx.networks.iter().filter_map(|theirs| {
        let ours = network.subnets.iter().any(|subnet| subnet.name == theirs.name);
        theirs.address.parse().ok().filter(|_| ours)
    });
    // On two shared networks the name resolves to either.
    shared.next().filter(|_| shared.next().is_none())
}

/// A command line that nothing runs: without environment, the configuration file only where it is named.
fn given(context: &Context, words: &[String]) -> Result<Observation, Trouble> {
    let Some(found) = command(words) else {
        return Err(Trouble {
            reason: "no-gunicorn",
            what: "the given command line does not start gunicorn".to_owned(),
            fix: "let `argv` begin with \"gunicorn\", or with \"python\", \"-m\", \"gunicorn\"".to_owned(),
        });
    };
    let environment = BTreeMap::new();
    let note = "a rehearsal: the environment and a gunicorn.conf.py that is not named are left out";
    let file = match location(&found.arguments, Ok(&environment)) {
        Ok(Location::Default) | Err(_) => Ok(None),
        Ok(Location::Module(module)) => Err(from_module(&module)),
        Ok(Location::Path(path)) => {
            read(&context.folder.join(&path), &path).and_then(|file| file.ok_or_else(|| missing(&path)).map(Some))
        }
    };
    let resolved = Settings::resolve(&Evidence { arguments: found.arguments, environment: Ok(environment), file });
    let (settings, refused) = match resolved {
        Ok(settings) => (settings, None),
        Err(reason) => (Settings::unknown("gunicorn does not start with it"), Some(reason)),
    };
    Ok(Observation {
        place: "the given command line".to_owned(),
        evidence: "the configuration's `argv`".to_owned(),
        settings,
        refused,
        live_workers: None,
        masters: 0,
        version: None,
        network: None,
        notes: vec![note.to_owned()],
    })
}

fn of_pid_file(path: &Path) -> Result<Observation, Trouble> {
    let shown = path.display();
    let text = file::read_text(path, FILE_LIMIT).map_err(|error| Trouble {
        reason: "no-pid-file",
        what: format!("the pid file {shown} cannot be read: {}", file::why(&error)),
        fix: "start gunicorn with --pid and this path, correct `pid_file`, or run mainstay as a user who may read it"
            .to_owned(),
    })?;
    let pid: u32 = text.trim().parse().map_err(|_| Trouble {
        reason: "no-pid-file",
        what: format!("the pid file {shown} holds no pid"),
        fix: "name the file that gunicorn's --pid writes".to_owned(),
    })?;
    let words = procfs::arguments(pid).map_err(|_| Trouble {
        reason: "not-running",
        what: format!("the pid file {shown} names {pid}, and no such process runs"),
        fix: "start gunicorn; a file that a crash left behind can be removed".to_owned(),
    })?;
    let Some(seen) = role(&words) else {
        return Err(Trouble {
            reason: "no-gunicorn",
            what: format!("the pid file {shown} names {pid}, which is not gunicorn but `{}`", words.join(" ")),
            fix: "start gunicorn; a file that a crash left behind can be removed".to_owned(),
        });
    };
    let children = master::gunicorns_below(pid);
    let twins = children.iter().filter(|child| master::is_twin(**child)).count();
    let settings = match (seen, command(&words)) {
        (Role::Plain, Some(found)) => {
            let environment = procfs::environment(pid).map_err(|error| {
                format!(
                    "the environment of pid {pid} cannot be read ({}); run mainstay as root or as its user",
                    file::why(&error)
                )
            });
            let folder = procfs::folder(pid).map_err(|error| {
                format!(
                    "the folder of pid {pid} cannot be read ({}); run mainstay as root or as its user",
                    file::why(&error)
                )
            });
            master::settings(found.arguments, environment, folder, read)
        }
        _ => Settings::unknown(
            "setproctitle has replaced the arguments of the master; remove that package or give `argv` instead",
        ),
    };
    let mut notes = Vec::new();
    if twins > 0 {
        notes.push(master::TWIN.to_owned());
    }
    Ok(Observation {
        place: format!("pid {pid}"),
        evidence: format!("/proc/{pid}/cmdline"),
        settings,
        refused: None,
        live_workers: Some((children.len() - twins) as u64),
        masters: u32::try_from(twins).map_or(u32::MAX, |twins| twins.saturating_add(1)),
        version: None,
        network: Some(Network::default()),
        notes,
    })
}

/// A configuration file of this machine; `None` when it does not exist.
fn read(path: &Path, shown: &str) -> Result<Option<File>, String> {
    match file::read_text(path, FILE_LIMIT) {
        Ok(text) => Ok(Some(File { path: shown.to_owned(), text })),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("the configuration file {} cannot be read: {}", path.display(), file::why(&error))),
    }
}

fn from_module(module: &str) -> String {
    format!("the settings come from the Python module {module}, which only running it would tell")
}

fn missing(path: &str) -> String {
    format!("the configuration file {path} is not there")
}

/// Where `path` leads from the folder that gunicorn was started in.
fn from_folder(folder: &Path, path: &str) -> PathBuf {
    folder.join(path.strip_prefix("./").unwrap_or(path))
}

impl From<docker::Trouble> for Trouble {
    fn from(trouble: docker::Trouble) -> Self {
        Self { reason: trouble.reason(), what: trouble.to_string(), fix: trouble.fix() }
    }
}

#[cfg(test)]
mod live;
#[cfg(test)]
mod tests;
