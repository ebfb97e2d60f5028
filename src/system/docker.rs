//! Containers, over the `docker` (or `podman`) command. Looking only: nothing here changes a container.
//!
//! The command, not the socket's API, so that contexts, `DOCKER_HOST`, sudo and podman's alias work as the operator set
//! them up. Never with `-i` or `-t`: from cron "the input device is not a TTY", and a terminal cuts `ps` at its width.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use serde_json::Value;

use super::Context;

/// Looks at containers through one engine.
pub struct Docker<'a> {
    context: &'a Context,
    timeout: Duration,
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
    /// When it started, when the engine's `ps` tells.
    pub started: Option<Timestamp>,
    /// Its arguments, joined by blanks (quoting is lost).
    pub arguments: String,
}

/// One file copied out of a container.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Copied {
    /// Its content.
    pub content: Vec<u8>,
    /// When it was changed last.
    pub modified: Timestamp,
}

/// Why a container could not be looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// There is no `docker` command.
    Absent,
    /// The engine does not answer.
    EngineDown(String),
    /// The caller may not use the engine's socket.
    Forbidden(String),
    /// There is no such container; the names that are there, nearest first.
    NoSuch {
        /// The name or service that was asked for.
        name: String,
        /// Containers that are there, nearest name first.
        near: Vec<String>,
    },
    /// It is there, but does not run.
    NotRunning {
        /// Its name.
        name: String,
        /// Its state.
        state: String,
    },
    /// Anything else, in the engine's own words.
    Other(String),
}

impl<'a> Docker<'a> {
    /// Looks through the `docker` command, `podman` where there is no `docker`; each call within `timeout`.
    pub fn new(context: &'a Context, timeout: Duration) -> Self {
        Self { context, timeout }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("neither `docker` nor `podman` is installed"),
            Self::EngineDown(why) => write!(f, "the container engine does not answer: {why}"),
            Self::Forbidden(why) => write!(f, "no permission to use the container engine: {why}"),
            Self::NoSuch { name, near } if near.is_empty() => write!(f, "there is no container `{name}`"),
            Self::NoSuch { name, near } => {
                write!(f, "there is no container `{name}`; there are `{}`", near.join("`, `"))
            }
            Self::NotRunning { name, state } => write!(f, "the container `{name}` is {state}, not running"),
            Self::Other(why) => f.write_str(why),
        }
    }
}
