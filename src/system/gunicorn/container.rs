//! A gunicorn in a container.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    master::{self, Wanted},
    missing,
};
use crate::{
    rules::gunicorn::{
        Evidence, File, Name, Network, Observation, Published, Role, Settings, Subnet, Trouble, Version, command,
        needs_version, of_first_process, role,
    },
    system::{
        docker::{self, Container, Docker, Process, Reference},
        procfs,
    },
};

/// More processes than this are not searched for the master's twin inside the container.
const SEARCHED: usize = 512;

pub(super) async fn observe(docker: &Docker<'_>, reference: &Reference) -> Result<Observation, Trouble> {
    let container = docker.find(reference).await?;
    if container.state != "running" {
        return Err(not_running(container));
    }
    let mut notes: Vec<String> = container.note.clone().into_iter().collect();
    let processes = docker.processes(&container.id).await?;
    let found = Found::among(&processes);
    let Some(chief) = found.masters.first().copied() else {
        return Err(no_gunicorn(&container, &processes));
    };
    let started = started(docker, &container, chief).await;
    let mut settings = match &started {
        Ok(started) => settings(docker, &container, chief, started).await,
        Err(reason) => Settings::unknown(reason),
    };
    // Of two masters one would answer, and nobody knows which.
    if settings.has_gaps() && found.masters.len() == 1 {
        notes.extend(fill_gaps(docker, &container, &mut settings).await);
    }
    let version = if needs_version(&settings) { version(docker, &container, chief).await } else { None };
    if found.is_twin() {
        notes.push(master::TWIN.to_owned());
    }
    Ok(Observation {
        place: format!("container `{}`", container.name),
        evidence: started.map_or_else(|_| "docker top".to_owned(), |started| started.evidence),
        settings,
        refused: None,
        live_workers: Some(found.workers),
        masters: u32::try_from(found.masters.len()).unwrap_or(u32::MAX),
        version,
        network: Some(network(docker, &container).await),
        notes,
    })
}

/// The release of the very program that runs. `--version` loads no application.
async fn version(docker: &Docker<'_>, container: &Container, chief: &Process) -> Option<Version> {
    let mut words = split(&chief.arguments);
    match command(&words) {
        Some(command) => words.truncate(words.len() - command.arguments.len()),
        // A title hides the program.
        None => words = vec!["gunicorn".to_owned()],
    }
    words.push("--version".to_owned());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = docker.exec(&container.id, &words).await.ok().filter(|output| output.success())?;
    Version::said(&output.text())
}

/// The processes of gunicorn in a container.
struct Found<'a> {
    /// The first one is the oldest.
    masters: Vec<&'a Process>,
    /// The children of the first master that are no masters.
    workers: u64,
}

impl<'a> Found<'a> {
    fn among(processes: &'a [Process]) -> Self {
        let gunicorns: Vec<(&Process, Role)> =
            processes.iter().filter_map(|process| Some((process, role(&split(&process.arguments))?))).collect();
        let is_gunicorn = |pid: u32| gunicorns.iter().any(|(process, _)| process.pid == pid);
        let has_children = |pid: u32| gunicorns.iter().any(|(process, _)| process.parent == pid);
        let mut masters: Vec<&Process> = gunicorns
            .iter()
            .filter(|(process, role)| match role {
                Role::Master => true,
                Role::Other | Role::Worker => false,
                // A second master after USR2 is the first one's child, like a worker, but has workers of its own.
                Role::Plain => {
                    !is_gunicorn(process.parent) || has_children(process.pid) && master::is_twin(process.pid)
                }
            })
            .map(|(process, _)| *process)
            .collect();
        let child_of_master = |process: &Process| gunicorns.iter().any(|(other, _)| other.pid == process.parent);
        masters.sort_by_key(|process| (child_of_master(process), process.pid));
        let chief = masters.first().map(|process| process.pid);
        let workers = gunicorns.iter().filter(|(process, role)| {
            Some(process.parent) == chief
                && matches!(role, Role::Plain | Role::Worker)
                && !masters.iter().any(|master| master.pid == process.pid)
        });
        Self { workers: workers.count() as u64, masters }
    }

    /// Whether the second master is the first one's child: an upgrade that nobody ended.
    fn is_twin(&self) -> bool {
        match &self.masters[..] {
            [first, rest @ ..] => !rest.is_empty() && rest.iter().all(|other| other.parent == first.pid),
            [] => false,
        }
    }
}

/// How a master was started.
struct Started {
    arguments: Vec<String>,
    environment: Result<BTreeMap<String, String>, String>,
    /// Where its `/proc` entry can be read.
    witness: Witness,
    /// For the report.
    evidence: String,
}

/// Who has seen how the master was started.
enum Witness {
    /// `/proc/PID` of this machine.
    Here(u32),
    /// `/proc/PID` inside the container.
    Inside(u32),
    /// Only the engine.
    Engine,
}

async fn started(docker: &Docker<'_>, container: &Container, chief: &Process) -> Result<Started, String> {
    let first = of_first_process(&container.argv);
    let titled = role(&split(&chief.arguments)) == Some(Role::Master);
    if !titled {
        if let Some(started) = here(container, chief) {
            return Ok(started);
        }
        if let Some(started) = inside(docker, container, chief).await {
            return Ok(started);
        }
    }
    // The engine knows what it started; that is the master when nothing but an init stands between.
    let first = match first {
        Ok(first) if chief.pid == container.pid || chief.parent == container.pid => first,
        Ok(_) => return Err("the master is not what the container was started with".to_owned()),
        Err(reason) if titled => return Err(format!("setproctitle has replaced the master's arguments, and {reason}")),
        Err(reason) => return Err(format!("the master's arguments cannot be read exactly, and {reason}")),
    };
    let same = command(&split(&chief.arguments))
        .is_some_and(|seen| seen.arguments.join(" ") == split(&first.arguments.join(" ")).join(" "));
    if !titled && !same {
        return Err(
            "the master's arguments cannot be read exactly, and it was not started with the container's".to_owned()
        );
    }
    Ok(Started {
        arguments: first.arguments,
        environment: Ok(configured(container)),
        witness: Witness::Engine,
        evidence: format!("docker inspect {}", container.name),
    })
}

/// Reads the master on this machine, when the engine's processes are this machine's.
fn here(container: &Container, chief: &Process) -> Option<Started> {
    let words = procfs::arguments(chief.pid).ok().filter(|words| is_same(words, chief))?;
    Some(Started {
        arguments: command(&words)?.arguments,
        environment: procfs::environment(chief.pid).or_else(|_| behind_no_script(container)),
        witness: Witness::Here(chief.pid),
        evidence: format!("/proc/{}/cmdline", chief.pid),
    })
}

/// Reads the master inside the container: with `cat`, where the image has one.
async fn inside(docker: &Docker<'_>, container: &Container, chief: &Process) -> Option<Started> {
    let pids = if chief.pid == container.pid { vec![1] } else { candidates(docker, container).await };
    for pid in pids {
        let path = format!("/proc/{pid}/cmdline");
        let Some(bytes) = cat(docker, container, &path).await else { continue };
        let words = procfs::words(&bytes);
        if !is_same(&words, chief) {
            continue;
        }
        let environment = cat(docker, container, &format!("/proc/{pid}/environ")).await;
        let environment = environment.map(|bytes| procfs::variables(&bytes)).filter(|variables| !variables.is_empty());
        return Some(Started {
            arguments: command(&words)?.arguments,
            environment: environment.map_or_else(|| behind_no_script(container), Ok),
            witness: Witness::Inside(pid),
            evidence: format!("docker exec {} cat {path}", container.name),
        });
    }
    None
}

/// Pids inside the container whose command line names gunicorn, lowest first: the master is older than its workers.
async fn candidates(docker: &Docker<'_>, container: &Container) -> Vec<u32> {
    let Ok(listed) = docker.exec(&container.id, &["ls", "/proc"]).await else { return Vec::new() };
    let mut pids: Vec<u32> = listed.text().split_whitespace().filter_map(|name| name.parse().ok()).collect();
    pids.sort_unstable();
    pids.truncate(SEARCHED);
    let paths: Vec<String> = pids.iter().map(|pid| format!("/proc/{pid}/cmdline")).collect();
    let mut words = vec!["grep", "-lsa", "gunicorn"];
    words.extend(paths.iter().map(String::as_str));
    let Ok(found) = docker.exec(&container.id, &words).await else { return Vec::new() };
    // Workers have the same words as their master; more than a few need not be read.
    found.text().lines().filter_map(|path| path.split('/').nth(2)?.parse().ok()).take(4).collect()
}

async fn cat(docker: &Docker<'_>, container: &Container, path: &str) -> Option<Vec<u8>> {
    let output = docker.exec(&container.id, &["cat", path]).await.ok()?;
    (output.success() && !output.truncated).then_some(output.stdout)
}

/// The pid may have been taken by another process since, or belong to another machine.
fn is_same(words: &[String], process: &Process) -> bool {
    !words.is_empty() && split(&words.join(" ")) == split(&process.arguments)
}

/// The container's own environment, when no script could have changed it.
fn behind_no_script(container: &Container) -> Result<BTreeMap<String, String>, String> {
    match of_first_process(&container.argv) {
        Ok(_) => Ok(configured(container)),
        Err(reason) => Err(format!("the master's environment cannot be read, and {reason}")),
    }
}

fn configured(container: &Container) -> BTreeMap<String, String> {
    let pairs = container.environment.iter().filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

async fn settings(docker: &Docker<'_>, container: &Container, chief: &Process, started: &Started) -> Settings {
    let (arguments, environment) = (started.arguments.clone(), started.environment.clone());
    let folder = folder(docker, container, chief, started).await;
    let wanted = match &folder {
        // The folder of the container is the one gunicorn was started in, whatever --chdir did later.
        Ok((folder, Start::Certain)) => certain(&arguments, &environment, folder),
        Ok((folder, Start::Now)) => master::wanted(&arguments, &environment, Ok(folder.clone())),
        Err(reason) => master::wanted(&arguments, &environment, Err(reason.clone())),
    };
    let file = match wanted {
        Err(reason) => Err(reason),
        Ok(Wanted::Named(path, shown)) => {
            copy(docker, container, &path, &shown).await.and_then(|file| file.ok_or_else(|| missing(&shown)).map(Some))
        }
        Ok(Wanted::Unnamed(path)) => copy(docker, container, &path, &path.to_string_lossy()).await,
    };
    master::resolve(arguments, environment, file)
}

/// Asks gunicorn itself for what is still unknown; a note when it told something. Releases before 25.1 have no such
/// program, and where the socket is elsewhere or switched off it fails: then what was unknown stays so.
async fn fill_gaps(docker: &Docker<'_>, container: &Container, settings: &mut Settings) -> Option<String> {
    let output = docker.exec(&container.id, &["gunicornc", "-j", "-c", "show config"]).await.ok()?;
    if !output.success() || output.truncated {
        return None;
    }
    let filled: Vec<&str> = settings.fill_gaps(&output.text()).into_iter().map(Name::key).collect();
    (!filled.is_empty()).then(|| format!("{} as gunicorn's control socket tells them", filled.join(", ")))
}

/// How certain a folder is the one gunicorn was started in.
enum Start {
    Certain,
    Now,
}

async fn folder(
    docker: &Docker<'_>,
    container: &Container,
    chief: &Process,
    started: &Started,
) -> Result<(PathBuf, Start), String> {
    let direct = chief.pid == container.pid || chief.parent == container.pid;
    if direct && of_first_process(&container.argv).is_ok() {
        let folder = if container.folder.is_empty() { "/" } else { &container.folder };
        return Ok((PathBuf::from(folder), Start::Certain));
    }
    let read = match started.witness {
        Witness::Here(pid) => procfs::folder(pid).ok(),
        Witness::Inside(pid) => {
            let output = docker.exec(&container.id, &["readlink", &format!("/proc/{pid}/cwd")]).await;
            output.ok().filter(|output| output.success()).map(|output| PathBuf::from(output.text().trim_end()))
        }
        Witness::Engine => None,
    };
    read.filter(|folder| folder.is_absolute())
        .map(|folder| (folder, Start::Now))
        .ok_or_else(|| "the folder in which gunicorn was started is not known".to_owned())
}

fn certain(
    arguments: &[String],
    environment: &Result<BTreeMap<String, String>, String>,
    folder: &Path,
) -> Result<Wanted, String> {
    use crate::rules::gunicorn::{Location, location};
    Ok(match location(arguments, environment.as_ref())? {
        Location::Default => Wanted::Unnamed(folder.join("gunicorn.conf.py")),
        Location::Module(module) => return Err(super::from_module(&module)),
        Location::Path(path) => Wanted::Named(super::from_folder(folder, &path), path),
    })
}

async fn copy(docker: &Docker<'_>, container: &Container, path: &Path, shown: &str) -> Result<Option<File>, String> {
    match docker.copy(&container.id, &path.to_string_lossy()).await {
        Ok(copied) => {
            let text = String::from_utf8_lossy(&copied.content).into_owned();
            Ok(Some(File { path: shown.to_owned(), text }))
        }
        Err(trouble) => {
            let why = trouble.to_string();
            let lower = why.to_lowercase();
            let absent = ["could not find the file", "no such file", "could not be found"];
            if absent.iter().any(|part| lower.contains(part)) {
                Ok(None)
            } else {
                Err(format!("the configuration file {shown} cannot be read: {why}"))
            }
        }
    }
}

async fn network(docker: &Docker<'_>, container: &Container) -> Network {
    // `network_mode: service:x` shares the network of another container, and its published ports.
    let other = match container.network_mode.strip_prefix("container:") {
        Some(other) => docker.inspect(other).await.ok(),
        None => None,
    };
    let owner = other.as_ref().unwrap_or(container);
    let published = owner.published.iter().filter(|published| published.protocol == "tcp");
    let subnets = owner.networks.iter().filter_map(|network| {
        Some(Subnet { name: network.name.clone(), address: network.address.parse().ok()?, prefix: network.prefix })
    });
    Network {
        container: Some(container.name.clone()),
        host: owner.network_mode == "host",
        published: published
            .map(|published| Published {
                port: published.port,
                host_address: published.host_address.clone(),
                host_port: published.host_port,
            })
            .collect(),
        subnets: subnets.collect(),
    }
}

/// A container that does not run; when its command line is wrong, that is the likely reason.
fn not_running(container: Container) -> Trouble {
    let environment = Ok(configured(&container));
    let refusal = of_first_process(&container.argv).ok().and_then(|first| {
        Settings::resolve(&Evidence { arguments: first.arguments, environment, file: Ok(None) }).err()
    });
    let trouble: Trouble =
        docker::Trouble::NotRunning { name: container.name.clone(), state: container.state.clone() }.into();
    match refusal {
        Some(reason) => Trouble {
            what: format!("{}: gunicorn does not start with its command line: {reason}", trouble.what),
            fix: "correct the command line of the container and start it again".to_owned(),
            ..trouble
        },
        None => trouble,
    }
}

fn no_gunicorn(container: &Container, processes: &[Process]) -> Trouble {
    let mut others: Vec<&str> = processes.iter().map(|process| process.arguments.as_str()).collect();
    others.truncate(3);
    Trouble {
        reason: "no-gunicorn",
        what: format!("no gunicorn runs in the container `{}`, only `{}`", container.name, others.join("`, `")),
        fix: format!("name the container that runs gunicorn, or see `docker logs --tail 50 {}`", container.name),
    }
}

fn split(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
