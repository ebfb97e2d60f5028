//! Why a container could not be looked at, out of what the engine's command said.

use std::{fmt, time::Duration};

use crate::system::process::{Failure, Output};

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
    /// A program in the container, that did not end in this time.
    Slow(Duration),
    /// The engine gave no answer in this time.
    Silent(Duration),
    /// Anything else, in the engine's own words.
    Other(String),
}

impl Trouble {
    /// What to do about it: one imperative sentence.
    pub fn fix(&self) -> String {
        match self {
            Self::Absent => "correct PATH (cron's is short), install docker or podman here, run mainstay where the containers run, or name another \
                             source in the configuration (`dump` for nginx, `argv` for gunicorn)"
                .to_owned(),
            Self::EngineDown(_) | Self::Silent(_) => "start the engine (`sudo systemctl start docker`), or correct `DOCKER_HOST` and \
                                    `docker context show`"
                .to_owned(),
            Self::Forbidden(_) => "run mainstay with sudo, or let this user use the engine \
                                   (`sudo usermod -aG docker USER`, then log in again)"
                .to_owned(),
            Self::NoSuch { near, .. } if near.is_empty() => {
                "start it (`docker ps -a` lists no container at all: is this the right machine and context?)".to_owned()
            }
            Self::NoSuch { near, .. } => {
                format!("write the right name into the configuration (`{}`?), or start it", near[0])
            }
            Self::NotRunning { name, state } if state == "paused" => format!("run `docker unpause {name}`"),
            Self::NotRunning { name, state } if state == "restarting" => format!(
                "see `docker logs --tail 50 {name}` for why it ends again and again; the engine starts it by itself"
            ),
            Self::NotRunning { name, .. } => {
                format!("see `docker logs --tail 50 {name}` for why it ended, then run `docker start {name}`")
            }
            Self::Slow(_) | Self::Other(_) => "run the command by hand and see what the engine says".to_owned(),
        }
    }

    /// A word that tells the kinds apart, for `data.reason`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Absent => "docker-absent",
            Self::EngineDown(_) | Self::Silent(_) => "engine-down",
            Self::Slow(_) => "program-slow",
            Self::Forbidden(_) => "engine-forbidden",
            Self::NoSuch { .. } => "no-container",
            Self::NotRunning { .. } => "not-running",
            Self::Other(_) => "engine-error",
        }
    }

    /// What the runner's failure means.
    pub(super) fn of_failure(failure: Failure) -> Self {
        match failure {
            Failure::Missing(_) => Self::Absent,
            Failure::TimedOut(limit) => Self::Silent(limit),
            failure @ (Failure::Cancelled | Failure::System(_)) => Self::Other(failure.to_string()),
        }
    }

    /// What the engine itself complains of, when it does; `None` when a program inside a container failed.
    ///
    /// The texts are those of docker 17 to 29 and podman 4 to 5; they are not translated.
    pub(super) fn of_output(output: &Output, name: &str) -> Option<Self> {
        let text = String::from_utf8_lossy(&output.stderr);
        // The last line that is the engine's own; plugins and deprecation notes may come before it.
        let line = text.lines().rev().map(str::trim).find(|line| is_of_the_engine(line))?;
        let lower = line.to_lowercase();
        let has = |part: &str| lower.contains(part);
        let said = line.trim_end_matches('.').to_owned();
        let name = name.to_owned();
        Some(if has("permission denied") && (has("socket") || has("trying to connect") || has("docker api")) {
            Self::Forbidden(said)
        } else if has("cannot connect to")
            || has("failed to connect to")
            || has("error during connect")
            || has("is the docker daemon running")
            || has("unable to connect to podman")
        {
            Self::EngineDown(said)
        } else if has("no such container") || has("no such object") || has("no container with name or id") {
            Self::NoSuch { name, near: Vec::new() }
        } else if has("is paused") {
            Self::NotRunning { name, state: "paused".to_owned() }
        } else if has("is restarting") {
            Self::NotRunning { name, state: "restarting".to_owned() }
        } else if has("is not running") || has("container state improper") {
            Self::NotRunning { name, state: "stopped".to_owned() }
        } else {
            Self::Other(said)
        })
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("neither `docker` nor `podman` is on PATH"),
            Self::EngineDown(why) => write!(f, "the container engine does not answer: {why}"),
            Self::Slow(limit) => write!(f, "the program in the container did not end within {} s", limit.as_secs_f64()),
            Self::Silent(limit) => {
                write!(f, "the container engine does not answer: no answer within {} s", limit.as_secs_f64())
            }
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

/// Whether a line was written by the engine or its command, not by a program in the container.
fn is_of_the_engine(line: &str) -> bool {
    let lower = line.to_lowercase();
    [
        "error: ",
        "error response from daemon",
        "error during connect",
        "cannot connect to ",
        "failed to connect to the docker api",
        "got permission denied while trying to connect",
        "permission denied while trying to connect",
        "unable to connect to podman",
        "error from server",
        "docker: ",
        "podman: ",
        "dial unix ",
    ]
    .iter()
    .any(|start| lower.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(stderr: &str) -> Option<Trouble> {
        let output = Output { code: Some(1), stderr: stderr.as_bytes().to_vec(), ..Output::default() };
        Trouble::of_output(&output, "web")
    }

    #[test]
    fn the_engines_texts_of_all_versions_are_told_apart() {
        let stopped = |state: &str| Trouble::NotRunning { name: "web".into(), state: state.into() };
        let none = || Trouble::NoSuch { name: "web".into(), near: Vec::new() };
        for text in [
            "Got permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: \
             Get \"http://%2Fvar%2Frun%2Fdocker.sock/v1.24/containers/json\": dial unix /var/run/docker.sock: connect: \
             permission denied",
            "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: …",
            "permission denied while trying to connect to the docker API at unix:///var/run/docker.sock",
        ] {
            assert_eq!(complaint(text), Some(Trouble::Forbidden(text.to_owned())));
        }
        for text in [
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
            "error during connect: Get \"http://docker.example/v1.24/info\": dial tcp: lookup docker.example: no such host",
            "failed to connect to the docker API at unix:///var/run/docker.sock; check if the path is correct",
            "Error: unable to connect to Podman socket: failed to connect: dial tcp: connection refused",
        ] {
            assert_eq!(complaint(text), Some(Trouble::EngineDown(text.to_owned())));
        }
        assert_eq!(complaint("Error: No such container: web\n"), Some(none()));
        assert_eq!(complaint("Error: No such object: web"), Some(none()));
        assert_eq!(complaint("error: no such object: web"), Some(none()));
        assert_eq!(complaint("Error response from daemon: No such container: web"), Some(none()));
        assert_eq!(complaint("Error: no container with name or ID \"web\" found: no such container"), Some(none()));
        assert_eq!(complaint("Error response from daemon: Container web is not running"), Some(stopped("stopped")));
        assert_eq!(
            complaint("Error: can only create exec sessions on running containers: container state improper"),
            Some(stopped("stopped"))
        );
        assert_eq!(
            complaint("Error response from daemon: Container web is paused, unpause the container before exec"),
            Some(stopped("paused"))
        );
        assert_eq!(
            complaint("WARNING: something\nError response from daemon: page not found"),
            Some(Trouble::Other("Error response from daemon: page not found".into()))
        );
        assert_eq!(complaint("nginx: [emerg] host not found in upstream \"app\" in /etc/nginx/nginx.conf:3"), None);
    }

    #[test]
    fn every_trouble_says_what_to_do() {
        let near = Trouble::NoSuch { name: "wbe".into(), near: vec!["web".into()] };
        assert_eq!(near.to_string(), "there is no container `wbe`; there are `web`");
        assert!(near.fix().contains("`web`"));
        for trouble in [Trouble::Absent, Trouble::EngineDown("x".into()), Trouble::Forbidden("x".into()), near] {
            assert!(!trouble.fix().is_empty());
        }
    }
}
