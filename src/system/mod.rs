//! Everything outside this process: probes that return observations, and the few things that act.
//!
//! Nothing here judges: an observation is plain data of [`rules`](crate::rules), and a function there turns it into
//! findings.

pub mod acme;
pub mod archive;
#[cfg(feature = "aws")]
pub mod aws;
pub mod cancel;
pub mod certbot;
pub mod clock;
pub mod crontab;
pub mod docker;
pub mod fetch;
pub mod file;
pub mod git;
pub mod gunicorn;
pub mod http;
#[cfg(feature = "aws")]
pub mod lambda;
pub mod listener;
pub mod media;
pub mod nginx;
pub mod notify;
pub mod package;
pub mod process;
pub mod procfs;
pub mod program;
pub mod rdap;
pub mod resolve;
pub mod secret;
pub mod secrets;
pub mod signature;
pub mod state;
pub mod store;
pub mod systemd;
pub mod timekeeping;
pub mod tls;
pub mod tree;
pub mod updates;
pub mod user;
pub mod volumes;
pub mod zone;

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf, sync::Arc};

pub use cancel::Cancel;
pub use clock::Clock;
pub use process::Runner;

use crate::report::{Progress, Silent};

/// What a run may use of the world: handed down from `main`, replaced piece by piece in tests.
#[derive(Clone)]
pub struct Context {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How other programs are run.
    pub runner: Arc<dyn Runner>,
    /// Whether the operator wants it to end.
    pub cancel: Cancel,
    /// Who is told that it goes on.
    pub progress: Arc<dyn Progress>,
    /// The environment variables at the start.
    pub environment: Arc<BTreeMap<OsString, OsString>>,
    /// The trusted roots, read when the first connection needs them.
    pub trust: Arc<tls::TrustStores>,
    /// Which engines for containers answered so far.
    pub engines: Arc<docker::Engines>,
    /// The secrets that were used so far.
    pub secrets: Arc<secret::Used>,
    /// The folder that relative paths of the command line start from.
    pub folder: PathBuf,
}

impl Context {
    /// The real world, seen from `folder` with these variables.
    pub fn real(environment: BTreeMap<OsString, OsString>, folder: PathBuf) -> Self {
        Self {
            clock: Arc::new(clock::Machine),
            runner: Arc::new(process::Machine),
            cancel: Cancel::default(),
            progress: Arc::new(Silent),
            environment: Arc::new(environment),
            trust: Arc::default(),
            engines: Arc::default(),
            secrets: Arc::default(),
            folder,
        }
    }

    /// An environment variable, when it is set, not empty and UTF-8.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(std::ffi::OsStr::new(name))?.to_str().filter(|value| !value.is_empty())
    }
}
