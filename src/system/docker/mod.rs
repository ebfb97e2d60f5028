//! Containers, over the `docker` (or `podman`) command. [`Docker`] only looks; [`Acting`] changes.
//!
//! The command, not the socket's API, so that contexts, `DOCKER_HOST`, sudo and podman's alias work as the operator set
//! them up. Never with `-i` or `-t`: from cron "the input device is not a TTY", and a terminal cuts `ps` at its width.

mod acting;
mod copied;
mod health;
mod inspect;
#[cfg(test)]
pub(crate) mod live;
#[cfg(test)]
mod tests;
mod top;
mod trouble;

use std::{
    path::Path,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

pub use acting::Acting;
use copied::Stream;
pub use copied::{Copied, Tree};
pub use trouble::Trouble;

use super::{
    Context,
    process::{Command, Failure, Output},
    procfs,
};

/// How much of a file or a folder is copied out of a container.
const COPY_LIMIT: usize = 16 << 20;

/// Which engines this machine has turned out to have.
#[derive(Debug, Default)]
pub struct Engines {
    lacks_docker: AtomicBool,
    has_podman: AtomicBool,
}

impl Engines {
    /// Whether whoever types a command types `podman`: there is no `docker`.
    pub fn is_podman(&self) -> bool {
        self.lacks_docker.load(Ordering::Relaxed) && self.has_podman.load(Ordering::Relaxed)
    }

    fn is_missing(&self, program: &str) {
        self.lacks_docker.fetch_or(program == "docker", Ordering::Relaxed);
    }

    fn answers(&self, program: &str) {
        self.has_podman.fetch_or(program == "podman", Ordering::Relaxed);
    }
}

/// Looks at containers through one engine.
pub struct Docker<'a> {
    context: &'a Context,
    timeout: Duration,
    program: OnceLock<&'static str>,
    variables: Vec<(String, String)>,
}

/// How a container is referred to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reference {
    /// By its name or id.
    Name(String),
    /// By the labels of its Compose service.
    Service(Compose),
}

/// A Compose project and service (`com.docker.compose.project`, `com.docker.compose.service`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Compose {
    /// The project.
    pub project: String,
    /// The service.
    pub service: String,
}

/// What `docker inspect` says of one container, as far as mainstay needs it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Container {
    /// The full id.
    pub id: String,
    /// Without the leading slash.
    pub name: String,
    /// `State.Status`: `running`, `exited`, `paused`, …
    pub state: String,
    /// The pid of its first process on the engine's host; 0 when it does not run.
    pub pid: u32,
    /// When it was started last.
    pub started: Option<Timestamp>,
    /// The image as it was named.
    pub image: String,
    /// `Path` and `Args`: what the first process was started with.
    pub argv: Vec<String>,
    /// `Config.Env`: `NAME=value`.
    pub environment: Vec<String>,
    /// `Config.WorkingDir`.
    pub folder: String,
    /// `Config.Labels`.
    pub labels: Vec<(String, String)>,
    /// `NetworkSettings.Ports`: what is published where.
    pub published: Vec<Published>,
    /// `HostConfig.NetworkMode`.
    pub network_mode: String,
    /// Networks with the container's address and the subnet's prefix length.
    pub networks: Vec<Network>,
    /// What the operator should know about how it was found: another name than the configured one, one of several.
    pub note: Option<String>,
    /// The whole document, for what a caller needs beside these.
    pub raw: Value,
}

/// One published port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Published {
    /// Inside the container.
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// On the host: `0.0.0.0`, `::`, `127.0.0.1`.
    pub host_address: String,
    /// On the host.
    pub host_port: u16,
}

/// One network that a container is on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Network {
    /// Its name.
    pub name: String,
    /// The container's address there.
    pub address: String,
    /// The prefix length of the network.
    pub prefix: u8,
}

/// One process of a container, with pids of the engine's host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Process {
    /// Its pid.
    pub pid: u32,
    /// Its parent's.
    pub parent: u32,
    /// When it started, when the engine's `ps` tells; at most one second late, never early.
    pub started: Option<Timestamp>,
    /// Its arguments, joined by blanks (quoting is lost).
    pub arguments: String,
}

impl<'a> Docker<'a> {
    /// Looks through the `docker` command, `podman` where there is no `docker`; each call within `timeout`.
    pub fn new(context: &'a Context, timeout: Duration) -> Self {
        Self { context, timeout, program: OnceLock::new(), variables: Vec::new() }
    }

    /// Looks through this engine only: `podman`, or else `docker`.
    pub fn through(context: &'a Context, timeout: Duration, engine: &str) -> Self {
        let program = if engine == "podman" { "podman" } else { "docker" };
        Self { program: OnceLock::from(program), ..Self::new(context, timeout) }
    }

    /// Sets variables (`DOCKER_HOST`, …) on top of the inherited ones.
    pub fn with_variables(mut self, variables: &[(String, String)]) -> Self {
        self.variables = variables.to_vec();
        self
    }

    /// The command that answered: `docker` until `podman` turned out to be the one that is there.
    pub fn program(&self) -> &'static str {
        self.program.get().copied().unwrap_or("docker")
    }

    /// The container that is referred to.
    ///
    /// # Errors
    ///
    /// Why it could not be looked at. A container that does not run is no error here.
    pub async fn find(&self, reference: &Reference) -> Result<Container, Trouble> {
        match reference {
            Reference::Name(name) => self.inspect(name).await,
            Reference::Service(Compose { project, service }) => self.find_service(project, service).await,
        }
    }

    /// The container of this name or id; where only its twin with `-` for `_` (or the other way round) is there, that
    /// one, with a note: Compose 2 names `x-web-1` what Compose 1 named `x_web_1`.
    ///
    /// # Errors
    ///
    /// Why it could not be looked at. A container that does not run is no error here.
    pub async fn inspect(&self, name: &str) -> Result<Container, Trouble> {
        // Names that docker itself would not give are not passed on: `-x` would be read as an option.
        if is_name(name) {
            match self.inspect_all(&[name]).await {
                Err(Trouble::NoSuch { .. }) => {}
                answer => return answer?.into_iter().next().ok_or_else(|| none(name, Vec::new())),
            }
        }
        let names = self.names().await?;
        let twins: Vec<&String> = names.iter().filter(|other| is_twin(name, other)).collect();
        if let [twin] = twins[..] {
            let mut container =
                self.inspect_all(&[twin]).await?.into_iter().next().ok_or_else(|| none(name, Vec::new()))?;
            container.note = Some(format!("there is no container `{name}`; looked at `{twin}`"));
            return Ok(container);
        }
        Err(none(name, nearest(name, names)))
    }

    /// The container of a Compose service, by its labels; by the names that Compose gives only where no label matches.
    ///
    /// # Errors
    ///
    /// Why it could not be looked at. A container that does not run is no error here.
    async fn find_service(&self, project: &str, service: &str) -> Result<Container, Trouble> {
        let filter = |label: &str, value: &str| format!("label=com.docker.compose.{label}={value}");
        let (project_filter, service_filter) = (filter("project", project), filter("service", service));
        let arguments = ["ps", "-aq", "--no-trunc", "--filter", &project_filter, "--filter", &service_filter];
        let output = self.engine(&arguments, service).await?;
        let text = output.text();
        let ids: Vec<&str> = text.split_whitespace().filter(|id| is_name(id)).collect();
        if !ids.is_empty() {
            let mut found = self.inspect_all(&ids).await?;
            // `docker-compose run` leaves containers with the same labels; they are not the service.
            found.retain(|container| container.label("com.docker.compose.oneoff") != Some("True"));
            let running = |container: &Container| container.state == "running";
            found.sort_by_key(|container| (!running(container), container.replica()));
            let others: Vec<String> = found.iter().skip(1).map(|other| other.name.clone()).collect();
            let count = found.iter().filter(|container| running(container)).count();
            if let Some(mut container) = found.into_iter().next() {
                if count > 1 {
                    let others = others.join("`, `");
                    container.note = Some(format!("one of {count}: looked at `{}`, not at `{others}`", container.name));
                }
                return Ok(container);
            }
        }
        // Made by hand or by something that sets no labels.
        let wanted = format!("{project}_{service}_1");
        match self.inspect(&wanted).await {
            Ok(mut container) => {
                container.note =
                    Some(format!("no container has the labels of the service; found `{}`", container.name));
                Ok(container)
            }
            Err(Trouble::NoSuch { near, .. }) => Err(none(&format!("{service} (Compose project {project})"), near)),
            Err(trouble) => Err(trouble),
        }
    }

    /// What runs in the container, by the engine's own `ps`: none is needed inside.
    ///
    /// # Errors
    ///
    /// Why it could not be looked at.
    pub async fn processes(&self, id: &str) -> Result<Vec<Process>, Trouble> {
        // The host's `ps` may be busybox's, which knows neither `-ww` nor `etimes`; podman has words of its own.
        let forms: [(&str, &[&str]); 4] = [
            ("docker", &["-ww", "-o", "pid,ppid,etimes,args"]),
            ("docker", &["-o", "pid,ppid,etime,args"]),
            ("docker", &[]),
            ("podman", &["pid", "ppid", "etime", "args"]),
        ];
        let mut last = Trouble::Other("`top` printed no table of processes".to_owned());
        for (program, options) in forms {
            if self.program.get().is_some_and(|known| *known != program) {
                continue;
            }
            let arguments: Vec<&str> = ["top", id].iter().chain(options).copied().collect();
            let output = match self.engine(&arguments, id).await {
                Ok(output) => output,
                Err(Trouble::Other(why)) => {
                    last = Trouble::Other(why);
                    continue;
                }
                Err(trouble) => return Err(trouble),
            };
            let now = self.context.clock.now();
            if let Some(processes) = top::processes(&output.text(), now) {
                return Ok(processes.into_iter().map(|process| refined(process, now)).collect());
            }
        }
        Err(last)
    }

    /// Runs a program in the container, without a terminal and without input. A program that ran and failed, or that
    /// is not there (status 126 or 127), is an [`Output`].
    ///
    /// # Errors
    ///
    /// Why the engine did not run it.
    pub async fn exec(&self, id: &str, argv: &[&str]) -> Result<Output, Trouble> {
        let arguments: Vec<&str> = ["exec", id].iter().chain(argv).copied().collect();
        let output = match self.call(&arguments, COPY_LIMIT).await {
            // An engine that is stuck has not come as far as this: whoever executes has inspected before.
            Err(Trouble::Silent(limit)) => return Err(Trouble::Slow(limit)),
            answer => answer?,
        };
        // docker ends with 1 when it could not start the program, podman with 125 or 255. A program's own `Error: …` with
        // another status is not the engine's; a missing program has 126 or 127.
        let engines = match output.code {
            Some(1) => !output.stderr.starts_with(b"Error: "),
            Some(125 | 255) => true,
            _ => false,
        };
        match Trouble::of_output(&output, id).filter(|_| engines) {
            Some(trouble) => Err(trouble),
            None => Ok(output),
        }
    }

    /// One file of the container, its symbolic links followed inside the container: no shell is needed there, and it
    /// need not run.
    ///
    /// # Errors
    ///
    /// Why it could not be copied; the file's own trouble is [`Trouble::Other`].
    pub async fn copy(&self, id: &str, path: &str) -> Result<Copied, Trouble> {
        let output = self.stream(id, path).await?;
        copied::file(&output).map_err(|why| Trouble::Other(format!("`{path}` in the container: {why}")))
    }

    /// A folder of the container with all that is in it; links inside are told, not followed.
    ///
    /// # Errors
    ///
    /// Why it could not be copied.
    pub async fn copy_tree(&self, id: &str, folder: &str) -> Result<Tree, Trouble> {
        let output = self.stream(id, folder).await?;
        copied::tree(&output, Path::new(folder))
            .map_err(|why| Trouble::Other(format!("`{folder}` in the container: {why}")))
    }

    async fn stream(&self, id: &str, path: &str) -> Result<Stream, Trouble> {
        let source = format!("{id}:{path}");
        // A tar stream has headers and padding beside the content.
        let limit = COPY_LIMIT + (1 << 20);
        let linked = match self.program.get() {
            Some(&"podman") => None,
            _ => Some(self.call(&["cp", "-L", &source, "-"], limit).await?),
        };
        // podman follows links without being told to, and may stand behind the name `docker` too.
        let is_podmans =
            |output: &Output| String::from_utf8_lossy(&output.stderr).contains("unknown shorthand flag: 'L'");
        let (output, late) = match linked.filter(|output| !is_podmans(output)) {
            Some(output) => (output, SignedDuration::ZERO),
            // It rounds times to the nearest second (seen with 4.3.1).
            None => (self.call(&["cp", &source, "-"], limit).await?, SignedDuration::from_millis(500)),
        };
        if output.truncated {
            return Err(Trouble::Other(format!("`{path}` in the container is larger than {} MiB", COPY_LIMIT >> 20)));
        }
        if output.success() { Ok(Stream { bytes: output.stdout, late }) } else { Err(complaint(&output, id)) }
    }

    /// Every container that is there, in one call, running or not.
    ///
    /// # Errors
    ///
    /// Why they could not be looked at.
    pub async fn all(&self) -> Result<Vec<Container>, Trouble> {
        let output = self.engine(&["ps", "-aq", "--no-trunc"], "").await?;
        let text = output.text();
        let ids: Vec<&str> = text.split_whitespace().filter(|id| is_name(id)).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        match self.inspect_all(&ids).await {
            // One of them has gone since.
            Err(Trouble::NoSuch { .. }) => {
                let mut left = Vec::new();
                for id in ids {
                    left.extend(self.inspect_all(&[id]).await.unwrap_or_default());
                }
                Ok(left)
            }
            answer => answer,
        }
    }

    /// The folder where the engine keeps images, containers and volumes, on the machine where it runs.
    ///
    /// # Errors
    ///
    /// Why the engine does not tell.
    pub async fn root(&self) -> Result<String, Trouble> {
        // podman's own word for it comes second, where there is no docker.
        let mut last = None;
        for format in ["{{.DockerRootDir}}", "{{.Store.GraphRoot}}"] {
            match self.engine(&["info", "--format", format], "").await {
                Ok(output) if output.text().trim().starts_with('/') => return Ok(output.text().trim().to_owned()),
                Ok(_) => last = Some(Trouble::Other("it tells no folder".to_owned())),
                Err(trouble) => last = Some(trouble),
            }
        }
        Err(last.unwrap_or(Trouble::Absent))
    }

    /// Whether an image, a network or a volume is there: `kind` is the engine's word.
    ///
    /// # Errors
    ///
    /// Why the engine does not tell.
    pub async fn has(&self, kind: &str, name: &str) -> Result<bool, Trouble> {
        let output = self.call(&[kind, "inspect", name], COPY_LIMIT).await?;
        if output.success() {
            return Ok(true);
        }
        let said = output.complaint().to_lowercase();
        if said.contains("no such") || said.contains("not found") || said.contains("not known") {
            return Ok(false);
        }
        Err(complaint(&output, name))
    }

    /// Every container's name.
    async fn names(&self) -> Result<Vec<String>, Trouble> {
        let output = self.engine(&["ps", "-a", "--format", "{{.Names}}"], "").await?;
        // A linked container has several names, joined by commas; the first is its own.
        let first = |line: &str| line.split(',').next().map(|name| name.trim().to_owned());
        Ok(output.text().lines().filter_map(first).filter(|name| !name.is_empty()).collect())
    }

    async fn inspect_all(&self, names: &[&str]) -> Result<Vec<Container>, Trouble> {
        let arguments: Vec<&str> = ["inspect", "--type", "container"].iter().chain(names).copied().collect();
        let output = self.engine(&arguments, names.first().copied().unwrap_or_default()).await?;
        inspect::containers(&output.text()).map_err(Trouble::Other)
    }

    /// Runs a command of the engine that must succeed.
    async fn engine(&self, arguments: &[&str], name: &str) -> Result<Output, Trouble> {
        let output = self.call(arguments, COPY_LIMIT).await?;
        if output.success() { Ok(output) } else { Err(complaint(&output, name)) }
    }

    /// Runs `docker`, or `podman` where there is no `docker`.
    async fn call(&self, arguments: &[&str], limit: usize) -> Result<Output, Trouble> {
        self.call_within(arguments, limit, self.timeout).await
    }

    async fn call_within(&self, arguments: &[&str], limit: usize, timeout: Duration) -> Result<Output, Trouble> {
        for program in ["docker", "podman"] {
            if self.program.get().is_some_and(|known| *known != program) {
                continue;
            }
            let mut command = Command::new(program).args(arguments).timeout(timeout).limit(limit);
            for (name, value) in &self.variables {
                command = command.env(name, value);
            }
            match self.context.runner.run(command).await {
                Err(Failure::Missing(_)) => self.context.engines.is_missing(program),
                answer => {
                    self.program.get_or_init(|| program);
                    self.context.engines.answers(program);
                    return answer.map_err(Trouble::of_failure);
                }
            }
        }
        Err(Trouble::Absent)
    }
}

impl Reference {
    /// The container as one word of a shell's command line.
    pub fn in_shell(&self) -> String {
        match self {
            Self::Name(name) => shell_words::quote(name).into_owned(),
            Self::Service(Compose { project, service }) => format!(
                "\"$(docker ps -q --filter label=com.docker.compose.project={} --filter label=com.docker.compose.service={})\"",
                shell_words::quote(project),
                shell_words::quote(service),
            ),
        }
    }
}

impl Container {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }

    /// The container, unless it does not run.
    ///
    /// # Errors
    ///
    /// [`Trouble::NotRunning`].
    pub fn running(self) -> Result<Self, Trouble> {
        if self.state == "running" { Ok(self) } else { Err(Trouble::NotRunning { name: self.name, state: self.state }) }
    }

    /// Which of a service's containers it is; those without a number last.
    fn replica(&self) -> u32 {
        self.label("com.docker.compose.container-number").and_then(|number| number.parse().ok()).unwrap_or(u32::MAX)
    }
}

/// The same with the kernel's finer start time, where the engine runs on this machine: its pids are ours then. The
/// arguments and the rough time must agree, for on another machine a pid is another process.
fn refined(process: Process, now: Timestamp) -> Process {
    let Some(rough) = process.started else { return process };
    let seen =
        procfs::process(process.pid, now).filter(|seen| same_words(&seen.arguments.join(" "), &process.arguments));
    let fine = seen.and_then(|seen| seen.started).filter(|fine| fine.duration_since(rough).abs().as_secs() < 3);
    Process { started: fine.or(Some(rough)), ..process }
}

/// The engine's table joins words by one blank, whatever stood between them.
fn same_words(one: &str, other: &str) -> bool {
    one.split_whitespace().eq(other.split_whitespace())
}

/// What a failed command of the engine means.
fn complaint(output: &Output, name: &str) -> Trouble {
    Trouble::of_output(output, name).unwrap_or_else(|| {
        let said = output.complaint();
        Trouble::Other(if said.is_empty() { format!("the engine's command {}", output.ending()) } else { said })
    })
}

fn none(name: &str, near: Vec<String>) -> Trouble {
    Trouble::NoSuch { name: name.to_owned(), near }
}

/// Whether docker would accept it as a name or an id.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// Whether two names differ only in `-` and `_`.
fn is_twin(name: &str, other: &str) -> bool {
    name.replace('_', "-") == other.replace('_', "-")
}

/// The five names nearest to the one that was asked for.
fn nearest(name: &str, mut names: Vec<String>) -> Vec<String> {
    let far = |other: &str| (1e6 * (1.0 - strsim::jaro_winkler(name, other))) as u64;
    names.sort_by_cached_key(|other| (far(other), other.clone()));
    names.truncate(5);
    names
}
