//! Looks at an nginx: what it was started with, what it reads, when it read it.
//!
//! `nginx -T` is asked of the same program with the same arguments as the master process, because a master that was
//! started with `-c` reads another file than the default one. Looking changes nothing: no signal is sent, no file written;
//! [`Nginx::read_anew`] alone acts.

mod by_hand;
mod found;
mod host;
mod reload;
mod said;
mod shelf;
#[cfg(test)]
mod tests;
mod title;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;

use found::find;
pub use host::master_among;
use said::{About, is_missing, refusal, warnings};
pub use title::{Role, Start, role};

use super::{
    Context,
    docker::{Container, Copied, Docker, Process, Reference, Trouble},
    file,
    process::Output,
};
use crate::rules::{
    fresh::{File, Freshness, Worker},
    nginx::{Config, ParseError, parse_dump, parse_files},
};

/// A certificate or a configuration is smaller.
const FILE_LIMIT: u64 = 16 << 20;

/// How [`Nginx::refusal`] begins where nginx printed nothing in time.
pub const SLOW: &str = "nginx -T did not end";

/// Where an nginx configuration can be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// In the nginx of a container.
    Container(Reference),
    /// In the saved output of `nginx -T`.
    Dump(PathBuf),
    /// In a main configuration file, with what it includes beside it.
    Files(PathBuf),
    /// In the nginx of this machine.
    Host,
}

/// Where nginx was found.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// In this container.
    Container {
        /// `docker` or `podman`.
        engine: &'static str,
        /// What the engine says of it.
        container: Box<Container>,
    },
    /// Nowhere: its saved dump was read.
    Dump(PathBuf),
    /// Nowhere: its files were read.
    Files(PathBuf),
    /// On this machine.
    Host,
}

/// An nginx, with the configuration that its files hold.
pub struct Nginx {
    /// Where it was found.
    pub place: Place,
    /// What it was started with; nothing where only files were read.
    pub start: Option<Start>,
    /// Its version, like `1.22.1`.
    pub version: Option<String>,
    /// The configuration in the files.
    pub config: Result<Config, ParseError>,
    /// What nginx said instead of a dump; the configuration was read from the files then.
    pub refusal: Option<String>,
    /// Whether the program was not found, so that nobody has tested the configuration.
    pub untested: bool,
    /// What nginx warned of.
    pub warnings: Vec<String>,
    /// What the operator should know about how it was found.
    pub notes: Vec<String>,
    context: Context,
    timeout: Duration,
}

/// Why no nginx could be looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// A word that tells the faults apart, for `data.reason`.
    pub reason: &'static str,
    /// What is in the way.
    pub what: String,
    /// What to do about it.
    pub fix: String,
}

impl Nginx {
    /// Looks at the nginx of `source`; every command within `timeout`.
    ///
    /// # Errors
    ///
    /// Why there is nothing to judge. An nginx that refuses its own configuration is no error here.
    pub async fn observe(context: &Context, timeout: Duration, source: &Source) -> Result<Self, Fault> {
        match source {
            Source::Container(reference) => {
                let docker = Docker::new(context, timeout);
                let container = docker.find(reference).await.and_then(Container::running)?;
                Self::in_container(context, timeout, &docker, container).await
            }
            Source::Host => host::observe(context, timeout).await,
            Source::Dump(path) => {
                let text = file::read_text(path, FILE_LIMIT).map_err(|error| Fault::unreadable(path, &error))?;
                Ok(Self::of_files(context, timeout, Place::Dump(path.clone()), parse_dump(&text)))
            }
            Source::Files(path) => {
                // Read first, so that a file that is not there is told as that and not as a fault in a configuration.
                file::read_text(path, FILE_LIMIT).map_err(|error| Fault::unreadable(path, &error))?;
                let main = path.to_string_lossy();
                let config = parse_files(&main, &shelf::Local::beside(path));
                Ok(Self::of_files(context, timeout, Place::Files(path.clone()), config))
            }
        }
    }

    /// The port inside that the public `port` leads to.
    pub fn inner_port(&self, port: u16) -> u16 {
        let Place::Container { container, .. } = &self.place else { return port };
        let mut published = container.published.iter();
        published.find(|one| one.host_port == port && one.protocol == "tcp").map_or(port, |one| one.port)
    }

    /// A file as nginx sees it.
    ///
    /// # Errors
    ///
    /// Why it cannot be read, in words.
    pub async fn read(&self, path: &str) -> Result<Copied, String> {
        match &self.place {
            Place::Container { container, .. } => {
                let docker = Docker::new(&self.context, self.timeout);
                docker.copy(&container.id, path).await.map_err(|trouble| trouble.to_string())
            }
            Place::Dump(_) => Err("a saved dump does not hold it".to_owned()),
            Place::Files(_) | Place::Host => {
                let content = file::read(Path::new(path), FILE_LIMIT).map_err(|error| file::why(&error))?;
                Ok(Copied { content, modified: modified(Path::new(path))? })
            }
        }
    }

    /// The workers as they are at this moment.
    ///
    /// # Errors
    ///
    /// Why they cannot be seen, in words.
    pub async fn workers(&self) -> Result<Vec<Worker>, String> {
        let processes = match &self.place {
            Place::Container { container, .. } => {
                let docker = Docker::new(&self.context, self.timeout);
                docker.processes(&container.id).await.map_err(|trouble| trouble.to_string())?
            }
            Place::Host => host::processes(&self.context).0,
            Place::Dump(_) | Place::Files(_) => return Err("files alone have no processes".to_owned()),
        };
        find(&processes).map(|found| found.workers).ok_or_else(|| "nginx does not run any more".to_owned())
    }

    /// What is known of when the files were read; `certificates` are files that the configuration names.
    pub async fn freshness(&self, certificates: &[String]) -> Freshness {
        let files = self.config.as_ref().map(Config::files).unwrap_or_default();
        let mut paths: Vec<&str> = files.iter().chain(certificates).map(String::as_str).collect();
        paths.dedup();
        let looked_at = files.first().cloned();
        let dated = match &self.place {
            Place::Container { container, .. } => self.dates(container, &paths, looked_at.as_deref()).await,
            _ => paths.iter().map(|path| modified(Path::new(path))).collect(),
        };
        // After the files: a reload between the two would make fresh workers look old.
        let workers = self.workers().await;
        let files = paths.iter().zip(dated).map(|(path, modified)| File { path: (*path).to_owned(), modified });
        Freshness {
            place: self.title(),
            workers,
            files: files.collect(),
            // A relative path is completed by nginx with a prefix that is compiled in.
            started_with: self
                .start
                .as_ref()
                .and_then(|start| start.config.clone())
                .filter(|path| path.starts_with('/')),
            looked_at,
            reload: self.reload(),
        }
    }

    /// The times of files in a container: those of the main folder in one copy, the others one by one.
    async fn dates(&self, container: &Container, paths: &[&str], main: Option<&str>) -> Vec<Result<Timestamp, String>> {
        let docker = Docker::new(&self.context, self.timeout);
        let folder = main.and_then(|main| Path::new(main).parent()).and_then(Path::to_str);
        let tree = match folder {
            Some(folder) => docker.copy_tree(&container.id, folder).await.unwrap_or_default(),
            None => super::docker::Tree::default(),
        };
        let mut dates = Vec::new();
        let mut copies = 0;
        for path in paths {
            let known = tree.files.get(Path::new(path)).or_else(|| tree.files.get(tree.links.get(Path::new(path))?));
            dates.push(match known {
                Some(file) => Ok(file.modified),
                None if copies == 64 => Err("too many files outside the main folder".to_owned()),
                None => {
                    copies += 1;
                    docker
                        .copy(&container.id, path)
                        .await
                        .map(|file| file.modified)
                        .map_err(|trouble| trouble.to_string())
                }
            });
        }
        dates
    }

    async fn in_container(
        context: &Context,
        timeout: Duration,
        docker: &Docker<'_>,
        container: Container,
    ) -> Result<Self, Fault> {
        let processes = docker.processes(&container.id).await?;
        let found = find(&processes).ok_or_else(|| Fault::no_nginx(&container, &processes))?;
        let mut notes: Vec<String> = container.note.iter().cloned().collect();
        notes.extend(found.note);
        let mut start = found.start;
        let mut dump = asked(docker, &container, &start).await?;
        if dump.as_ref().is_ok_and(is_missing) && start.program != "nginx" {
            "nginx".clone_into(&mut start.program);
            dump = asked(docker, &container, &start).await?;
        }
        let about = docker.exec(&container.id, &[&start.program, "-V"]).await.unwrap_or_default();
        let about = About::read(&about);
        let (config, refusal) = match &dump {
            Ok(dump) if dump.success() && !dump.truncated => (parse_dump(&dump.text()), None),
            _ => {
                let main = about.main_file(&start);
                let config = shelf::parse_in_container(docker, &container.id, &main).await?;
                (config, Some(dump.as_ref().map_or_else(Clone::clone, refusal)))
            }
        };
        Ok(Self {
            start: Some(start),
            version: about.version,
            config,
            refusal,
            untested: dump.as_ref().is_ok_and(is_missing),
            warnings: dump.as_ref().map(warnings).unwrap_or_default(),
            notes,
            place: Place::Container { engine: docker.program(), container: Box::new(container) },
            context: context.clone(),
            timeout,
        })
    }

    fn of_files(context: &Context, timeout: Duration, place: Place, config: Result<Config, ParseError>) -> Self {
        Self {
            place,
            start: None,
            version: None,
            config,
            refusal: None,
            untested: true,
            warnings: Vec::new(),
            notes: Vec::new(),
            context: context.clone(),
            timeout,
        }
    }
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        Self { reason: trouble.reason(), what: trouble.to_string(), fix: trouble.fix() }
    }
}

impl Fault {
    fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        Self {
            reason: "unreadable",
            what: format!("`{}`: {}", path.display(), file::why(error)),
            fix: "correct the path in the `[site.NAME.nginx]` section, or let this user read the file".to_owned(),
        }
    }

    fn no_nginx(container: &Container, processes: &[Process]) -> Self {
        let runs: Vec<&str> = processes.iter().take(3).map(|process| process.arguments.as_str()).collect();
        Self {
            reason: "no-nginx",
            what: format!("no nginx runs in the container `{}`; it runs `{}`", container.name, runs.join("`, `")),
            fix: "name the container that nginx runs in (`docker ps`)".to_owned(),
        }
    }
}

/// What `nginx -T` printed, or that it did not end. It looks up every name of an upstream before it prints.
async fn asked(docker: &Docker<'_>, container: &Container, start: &Start) -> Result<Result<Output, String>, Trouble> {
    match docker.exec(&container.id, &words(start, "-T")).await {
        Ok(output) => Ok(Ok(output)),
        Err(Trouble::Slow(limit)) => Ok(Err(format!("{SLOW} within {} s", limit.as_secs_f64()))),
        Err(trouble) => Err(trouble),
    }
}

/// The words that make the same nginx do something else than serve.
fn words<'a>(start: &'a Start, more: &'a str) -> Vec<&'a str> {
    std::iter::once(start.program.as_str()).chain(start.arguments()).chain([more]).collect()
}

fn modified(path: &Path) -> Result<Timestamp, String> {
    let time = fs::metadata(path).and_then(|data| data.modified()).map_err(|error| file::why(&error))?;
    Timestamp::try_from(time).map_err(|error| error.to_string())
}
