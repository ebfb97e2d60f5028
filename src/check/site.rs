//! What to look at and what is expected: plain data, filled by `cli` from flags, environment and file.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use rustls::pki_types::CertificateDer;
use url::Url;

use super::{Backup, Certificate, Domains, Host, Timetable};
use crate::report::Status;

/// Everything one `mainstay check` run was asked to do.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The sites, in the order of the configuration or the command line.
    pub sites: Vec<Site>,
    /// The backups, in the same order.
    pub backups: Vec<Backup>,
    /// The certificates, in the same order.
    pub certificates: Vec<Certificate>,
    /// The schedules, in the same order.
    pub schedules: Vec<Timetable>,
    /// This machine, where it is to be looked at.
    pub hosts: Vec<Host>,
    /// Domains, where their registries are to be asked.
    pub domains: Vec<Domains>,
    /// Check ids, or their first words, to run; all when empty.
    pub only: Vec<String>,
    /// Check ids, or their first words, to leave out.
    pub skip: Vec<String>,
    /// How long to repeat what a deploy can still mend.
    pub wait: Option<Duration>,
    /// Whether a warning counts as a failure.
    pub strict: bool,
    /// How many of them are looked at at once.
    pub concurrency: usize,
}

/// One site: where it is and what it should be like.
#[derive(Clone, Debug)]
pub struct Site {
    /// What findings call it: the configured name, or the address as it was typed.
    pub name: String,
    /// The address that is asked; `https` unless somebody wrote otherwise.
    pub url: Url,
    /// The status codes that are right.
    pub status: Vec<u16>,
    /// Text that the answer must contain.
    pub contains: Option<String>,
    /// The address that must redirect to `url`.
    pub http: HttpSide,
    /// Whether every address of the name is looked at.
    pub addresses: Addresses,
    /// Addresses to use instead of the DNS, per host and port; `port` 0 stands for every port.
    pub resolve: Vec<Resolve>,
    /// Which address families are used.
    pub family: Family,
    /// Certificates to trust besides the machine's.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Where `extra_roots` came from, for messages and hand-run commands.
    pub ca_file: Option<PathBuf>,
    /// SHA-256 of leaves that are right although no authority vouches for them.
    pub fingerprints: Vec<[u8; 32]>,
    /// What a closed port 80 means: `fail`, `warn` or `pass`.
    pub http_closed: Status,
    /// Whether another proxy in front sets `X-Forwarded-*`.
    pub trusted_proxy: bool,
    /// What missing HSTS means: `fail` or `warn`; `None` when nobody cares.
    pub hsts: Option<Status>,
    /// The deadline for each address.
    pub timeout: Duration,
    /// What the certificate and the protocols must be like.
    pub tls: TlsPolicy,
    /// The nginx that answers, when it can be asked.
    pub nginx: Option<NginxSite>,
    /// The gunicorn behind it, when it can be asked.
    pub gunicorn: Option<GunicornSite>,
    /// The login to try.
    pub oauth: Option<OauthSite>,
}

/// The plain-HTTP side of a site.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HttpSide {
    /// This address must redirect.
    Redirects(Url),
    /// Port 80 is closed on purpose (`http = false`).
    Closed,
    /// Not looked at, and why (a URL with a port of its own says nothing about port 80).
    Unsaid(String),
}

/// Which addresses of a name count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Addresses {
    /// Every A and AAAA.
    All,
    /// One that answers is enough.
    First,
}

/// What the certificate and the protocols must be like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TlsPolicy {
    /// Less validity left than this is a warning.
    pub warn: Threshold,
    /// Less validity left than this is a failure.
    pub fail: Threshold,
    /// The oldest protocol version that may be offered.
    pub min_version: TlsVersion,
}

pub use crate::rules::{
    certificate::{Threshold, TlsVersion},
    oauth::Provider,
};
pub use crate::system::{
    docker::{Compose, Reference},
    gunicorn::Source as GunicornSource,
    nginx::Source as NginxSource,
    resolve::{Family, Resolve},
};

/// Where the nginx configuration comes from, and what it must hold.
#[derive(Clone, Debug)]
pub struct NginxSite {
    /// Where to read it.
    pub source: NginxSource,
    /// The URL path whose server and location are judged.
    pub path: String,
    /// `proxy_http_version`, judged when given.
    pub http_version: Option<String>,
    /// `proxy_redirect`, judged when given.
    pub redirect: Option<String>,
    /// Header name to the value (with nginx variables) that the application must receive.
    pub headers: BTreeMap<String, String>,
}

/// Where gunicorn's settings come from, and what they must be.
#[derive(Clone, Debug)]
pub struct GunicornSite {
    /// Where to look.
    pub source: GunicornSource,
    /// `--workers`.
    pub workers: Option<u32>,
    /// `--threads`.
    pub threads: Option<u32>,
    /// `--timeout`, seconds.
    pub timeout: Option<u32>,
    /// `--graceful-timeout`, seconds.
    pub graceful_timeout: Option<u32>,
    /// `--forwarded-allow-ips`.
    pub forwarded_allow_ips: Option<String>,
}

/// The login that must lead to the provider.
#[derive(Clone, Debug)]
pub struct OauthSite {
    /// The path (or address) that starts the login.
    pub login: Url,
    /// Where it must lead.
    pub provider: Provider,
    /// The exact `redirect_uri`, when given.
    pub redirect_uri: Option<String>,
    /// The exact `client_id`, when given.
    pub client_id: Option<String>,
}
