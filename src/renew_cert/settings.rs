//! Which certificates are looked after, and how: plain data, filled by `cli` from flags, environment and file.

use std::{path::PathBuf, time::Duration};

use url::Url;

use crate::system::{docker::Reference, state::State};

/// Everything that a `mainstay renew-cert` run was asked to work on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The certificates, in the order of the configuration or the command line.
    pub certificates: Vec<Certificate>,
    /// Where records, locks and the journal are kept.
    pub state: State,
    /// Our own program, which guards an outage: `/proc/self/exe`.
    pub own: PathBuf,
    /// How long to wait for another run for the same certificate.
    pub lock_wait: Duration,
    /// The command as the operator knows it, without `mainstay`; other runs are told.
    pub command: String,
}

/// One configured certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Certificate {
    /// Its name in the configuration.
    pub name: String,
    /// The names that it is for; at least one.
    pub names: Vec<String>,
    /// How the names are proved.
    pub method: Method,
    /// The folder that the challenge path is served from.
    pub webroot: Option<PathBuf>,
    /// The command that runs certbot.
    pub certbot: Vec<String>,
    /// certbot's configuration folder on this machine.
    pub directory: PathBuf,
    /// The containers or units to stop; `None` for whatever holds port 80.
    pub stop: Option<Vec<String>>,
    /// What must load the new certificate.
    pub reload: Option<Reload>,
    /// Hosts and ports where it must be served; the names at port 443 where none is given.
    pub verify: Vec<(String, u16)>,
    /// The address of the account, for a first request.
    pub email: Option<String>,
    /// Whether the operator agrees to the authority's terms, for a first request.
    pub agree_tos: bool,
    /// The type of new keys: `ecdsa` or `rsa`.
    pub key_type: String,
    /// Another ACME directory.
    pub server: Option<Url>,
    /// How long certbot may take.
    pub deadline: Duration,
}

/// How the names are proved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// By webroot where a token is served, else standalone.
    Auto,
    /// certbot answers port 80 itself, and what holds it is stopped.
    Standalone,
    /// By files that the running server serves.
    Webroot,
}

/// What must load a new certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reload {
    /// Whatever this command reaches.
    Command(Vec<String>),
    /// The nginx of a container.
    Container(Reference),
    /// A unit of systemd.
    Systemd(String),
}

impl Certificate {
    /// Where it must be served.
    pub fn targets(&self) -> Vec<(String, u16)> {
        if self.verify.is_empty() {
            self.names.iter().map(|name| (name.clone(), 443)).collect()
        } else {
            self.verify.clone()
        }
    }

    /// Whether certbot's folder is its default one, which need not be named.
    pub fn is_default_directory(&self) -> bool {
        self.directory == std::path::Path::new("/etc/letsencrypt")
    }
}
