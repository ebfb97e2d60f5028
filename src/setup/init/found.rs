//! What was found: plain data.

use std::path::PathBuf;

use crate::rules::nginx::Outline;

/// Everything that `mainstay init` found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The folder that it looked in: the application's.
    pub folder: PathBuf,
    /// Whether the configuration is to lie in another one.
    pub is_away: bool,
    /// `.env*` and `config/` in it, as a person would write them.
    pub secrets: Vec<String>,
    /// The top of the git work tree that it is in.
    pub repository: Option<PathBuf>,
    /// What the container engine said.
    pub engine: Engine,
    /// How many of its running containers could not be looked into.
    pub unseen: usize,
    /// The nginxes, of containers first.
    pub nginx: Vec<Nginx>,
    /// The gunicorns.
    pub gunicorn: Vec<Gunicorn>,
    /// certbot's lineages, or why they could not be read.
    pub lineages: Result<Vec<Lineage>, String>,
    /// age identities by their public half, with their file.
    pub keys: Vec<(String, PathBuf)>,
    /// The region of AWS.
    pub region: Option<Region>,
    /// Where backups can go.
    pub destination: Destination,
}

/// What the container engine said.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Engine {
    /// There is none.
    #[default]
    Absent,
    /// It told its running containers: so many.
    Running(usize),
    /// It could not be asked: why, and what to do.
    Trouble(String, String),
}

/// Where something runs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum At {
    /// In the container of this name.
    Container(String),
    /// On this machine itself.
    Host,
    /// In a container of a Compose service: project, service, and the container's name now.
    Service(String, String, String),
}

/// An nginx.
#[derive(Clone, Debug)]
pub struct Nginx {
    /// Where it runs.
    pub at: At,
    /// Its servers, or why its configuration could not be read.
    pub servers: Result<Vec<Outline>, String>,
    /// Where the host hands ports on: of the container, and of the host with its address.
    pub published: Vec<(u16, String, u16)>,
}

/// A gunicorn.
#[derive(Clone, Debug)]
pub struct Gunicorn {
    /// Where it runs.
    pub at: At,
    /// Names under which an nginx may reach it.
    pub aliases: Vec<String>,
    /// Settings that somebody gave it: key, value, and where from; or why nothing is known.
    pub settings: Result<Vec<(&'static str, String, String)>, String>,
}

/// A certificate that certbot looks after.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lineage {
    /// Its name.
    pub name: String,
    /// The names that it is for.
    pub names: Vec<String>,
    /// The webroot that it was renewed with.
    pub webroot: Option<String>,
}

/// A region and where it is set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Region {
    /// `us-east-2`.
    pub name: String,
    /// A variable, or a file with its profile.
    pub from: String,
}

/// Where backups can go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Destination {
    /// A medium is mounted there.
    Medium(PathBuf),
    /// Only this machine's own disk was found.
    OwnDisk(PathBuf),
}

impl Default for Found {
    fn default() -> Self {
        Self {
            folder: PathBuf::new(),
            secrets: Vec::new(),
            repository: None,
            is_away: false,
            engine: Engine::default(),
            unseen: 0,
            nginx: Vec::new(),
            gunicorn: Vec::new(),
            lineages: Ok(Vec::new()),
            keys: Vec::new(),
            region: None,
            destination: Destination::default(),
        }
    }
}

impl Default for Destination {
    fn default() -> Self {
        Self::OwnDisk("/var/backups".into())
    }
}

impl Default for Nginx {
    fn default() -> Self {
        Self { at: At::Host, servers: Ok(Vec::new()), published: Vec::new() }
    }
}

impl At {
    /// As a person says it.
    pub fn words(&self) -> String {
        match self {
            Self::Container(name) => format!("container `{name}`"),
            Self::Host => "this machine".to_owned(),
            Self::Service(project, service, name) => format!("container `{name}` (service {service} of {project})"),
        }
    }
}
