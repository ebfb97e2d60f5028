//! The configuration as plain structs: what the jobs' settings are made from. The field's names are the keys' names; what
//! they mean stands in [`table`](super::table).
#![expect(missing_docs, reason = "each field is a key, and the vocabulary explains the keys in one place")]

use std::{net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use url::Url;

pub use crate::{
    backup::Dump,
    renew_cert::{Method, Reload},
    rules::{
        fleet::{Service, Wish},
        notice::When,
        retention::Keep,
    },
    schedule::Deploy,
    system::{
        archive::Compression,
        store::{Mounted, Place, S3Options},
    },
};
use crate::{
    check::{GunicornSource, NginxSource, Threshold, TlsVersion},
    report::Status,
    rules::calendar::{Dates, Hours, Mode, Repeat, Window},
    system::secret::Secret,
};

/// The whole file.
#[derive(Clone, Debug)]
pub struct Model {
    pub project: String,
    /// Unset unless the file or `$MAINSTAY_STATE` says it.
    pub state: Option<PathBuf>,
    pub sites: Vec<Site>,
    pub backups: Vec<Backup>,
    pub certificates: Vec<Certificate>,
    pub schedules: Vec<Schedule>,
    pub host: Option<Host>,
    pub domain: Option<Domain>,
    pub database: Option<Database>,
    pub notify: Notify,
    pub timers: Timers,
}

impl Model {
    /// Whether there is anything that a check looks at.
    pub fn has_work(&self) -> bool {
        !self.sites.is_empty()
            || !self.backups.is_empty()
            || !self.certificates.is_empty()
            || !self.schedules.is_empty()
            || self.host.is_some()
            || self.domain.is_some()
            || self.database.is_some()
    }
}

/// `[site.NAME]`.
#[derive(Clone, Debug)]
pub struct Site {
    pub name: String,
    pub url: Url,
    pub status: Vec<u16>,
    pub contains: Option<String>,
    pub http: Http,
    pub addresses: Which,
    pub resolve: Vec<Lookup>,
    pub ca_file: Option<PathBuf>,
    pub fingerprints: Vec<[u8; 32]>,
    pub http_closed: Level,
    pub trusted_proxy: bool,
    pub hsts: Level,
    pub timeout: Duration,
    pub tls: Tls,
    pub nginx: Option<Nginx>,
    pub gunicorn: Option<Gunicorn>,
    pub oauth: Option<Oauth>,
}

/// The plain side of a site.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Http {
    /// It follows from `url`.
    Derived,
    /// `false`: closed on purpose.
    Closed,
    At(Url),
}

/// `"all"` or `"first"`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Which {
    All,
    First,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Level {
    Fail,
    Warn,
    Pass,
    Off,
}

impl Level {
    /// What a finding of this level is; `None` where nobody cares.
    pub fn status(self) -> Option<Status> {
        match self {
            Self::Fail => Some(Status::Fail),
            Self::Warn => Some(Status::Warn),
            Self::Pass => Some(Status::Pass),
            Self::Off => None,
        }
    }
}

/// `[site.NAME.tls]`.
#[derive(Clone, Copy, Debug)]
pub struct Tls {
    pub warn: Threshold,
    pub fail: Threshold,
    pub min_version: TlsVersion,
}

/// `[site.NAME.nginx]`.
#[derive(Clone, Debug)]
pub struct Nginx {
    pub source: NginxSource,
    pub path: String,
    pub http_version: Option<String>,
    pub redirect: Option<String>,
    pub headers: Vec<(String, String)>,
}

/// `[site.NAME.gunicorn]`.
#[derive(Clone, Debug)]
pub struct Gunicorn {
    pub source: GunicornSource,
    pub workers: Option<u32>,
    pub threads: Option<u32>,
    pub timeout: Option<u32>,
    pub graceful_timeout: Option<u32>,
    pub forwarded_allow_ips: Option<String>,
}

/// `[site.NAME.oauth]`.
#[derive(Clone, Debug)]
pub struct Oauth {
    /// A path of the site, or an address.
    pub login: String,
    /// Google unless an endpoint is given.
    pub authorize: Option<Url>,
    pub redirect_uri: Option<String>,
    pub client_id: Option<String>,
}

/// An address to use instead of the DNS: alone, or after `HOST:PORT:` for one host and port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lookup {
    /// Lower case; `None` for every host.
    pub host: Option<String>,
    /// `None` for every port.
    pub port: Option<u16>,
    pub address: IpAddr,
}

/// `[backup.NAME]`.
#[derive(Clone, Debug)]
pub struct Backup {
    pub name: String,
    pub root: PathBuf,
    pub include: Vec<String>,
    /// Whether `include` is the default, whose entries may be absent.
    pub include_is_default: bool,
    pub exclude: Vec<String>,
    pub optional: Vec<String>,
    pub recipients: Vec<String>,
    pub recipients_file: Option<PathBuf>,
    pub passphrase: Option<Secret>,
    pub to: Vec<Place>,
    pub compression: Compression,
    pub mounted: Mounted,
    /// `None` for all of `to`.
    pub required: Option<Vec<Place>>,
    pub signers: Vec<String>,
    pub timezone: String,
    pub min_good: u64,
    pub one_file_system: bool,
    pub after_restore: Option<Vec<String>>,
    pub keep: Keep,
    pub max_age: Duration,
    pub max_drill_age: Duration,
    pub dumps: Vec<Dump>,
    pub s3: S3Options,
}

/// `[certificate.NAME]`.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub name: String,
    pub names: Vec<String>,
    pub method: Method,
    pub webroot: Option<PathBuf>,
    pub certbot: Vec<String>,
    pub directory: PathBuf,
    /// `None` for whatever holds port 80.
    pub stop: Option<Vec<String>>,
    pub reload: Option<Reload>,
    /// HOST:PORT; the names at port 443 when empty.
    pub verify: Vec<String>,
    pub email: Option<String>,
    pub agree_tos: bool,
    pub key_type: KeyType,
    pub server: Option<Url>,
    pub deadline: Duration,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyType {
    Ecdsa,
    Rsa,
}

/// `[schedule.NAME]`.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub name: String,
    pub timezone: String,
    /// Empty only with `always_off`.
    pub on: Vec<Window>,
    pub off_dates: Vec<Dates>,
    pub on_dates: Vec<Hours>,
    pub mode: Mode,
    pub always_off: bool,
    pub enforce: bool,
    pub max_late: u64,
    pub order: Vec<Service>,
    pub ec2: Vec<Ec2>,
    pub rds: Vec<Rds>,
    /// USD an hour by instance type.
    pub prices: Vec<(String, f64)>,
    pub deploy: Option<Deploy>,
}

/// `[[schedule.NAME.ec2]]`.
#[derive(Clone, Debug)]
pub struct Ec2 {
    pub regions: Vec<String>,
    pub tags: Vec<(String, String)>,
    pub ids: Vec<String>,
    pub role: Option<String>,
    pub external_id: Option<Secret>,
    pub hibernate: Wish,
}

/// `[[schedule.NAME.rds]]`.
#[derive(Clone, Debug)]
pub struct Rds {
    pub regions: Vec<String>,
    pub tags: Vec<(String, String)>,
    pub ids: Vec<String>,
    pub clusters: Vec<String>,
    pub role: Option<String>,
    pub external_id: Option<Secret>,
    pub snapshot: Wish,
}

/// `[host]`.
#[derive(Clone, Debug)]
pub struct Host {
    /// Shares of what there is, from 0 to 1.
    pub disk_warn: f64,
    pub disk_fail: f64,
    pub paths: Vec<PathBuf>,
    pub updates: Level,
    pub reboot: Level,
    pub lists_max_age: Duration,
    pub clock: bool,
    /// `None` for `false`; empty for all.
    pub containers: Option<Vec<String>>,
}

/// `[domain]`.
#[derive(Clone, Debug)]
pub struct Domain {
    /// Those of the sites and certificates when empty.
    pub names: Vec<String>,
    pub warn: Duration,
    pub fail: Duration,
    pub registries: Url,
}

/// `[database]`.
#[derive(Clone, Copy, Debug)]
pub struct Database {
    pub warn: Duration,
    pub fail: Duration,
    pub public: Level,
}

/// `[notify]`.
#[derive(Clone, Debug)]
pub struct Notify {
    pub on: When,
    pub webhook: Option<Secret>,
    pub email: Option<Email>,
    /// By job.
    pub ping: Vec<(String, Secret)>,
}

/// `email`.
#[derive(Clone, Debug)]
pub struct Email {
    pub to: Vec<String>,
    pub from: String,
    pub smtp: Secret,
}

/// `[timers]`.
#[derive(Clone, Debug)]
pub struct Timers {
    pub check: Repeat,
    pub backup: Repeat,
    pub renew_cert: Repeat,
    pub schedule: Repeat,
}

impl FromStr for Lookup {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = |text: &str| {
            text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text).parse::<IpAddr>().ok()
        };
        if let Some(address) = address(text) {
            return Ok(Self { host: None, port: None, address });
        }
        let shape = || String::new();
        // The host may itself be an IPv6 address in brackets; the address at the end has colons of its own.
        let host_end = match text.strip_prefix('[') {
            Some(rest) => rest.find(']').map(|at| at + 2),
            None => text.find(':'),
        };
        let (host, rest) = text.split_at_checked(host_end.ok_or_else(shape)?).ok_or_else(shape)?;
        let (port, target) = rest.strip_prefix(':').and_then(|rest| rest.split_once(':')).ok_or_else(shape)?;
        let host = url::Host::parse(host).map_err(|_| format!("`{host}` is not a host name"))?.to_string();
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse::<u16>().ok().filter(|port| *port > 0 && digits);
        let port = port.ok_or("a port is a number from 1 to 65535")?;
        let address = address(target).ok_or_else(|| format!("`{target}` is not an IP address"))?;
        Ok(Self { host: Some(host.to_ascii_lowercase()), port: Some(port), address })
    }
}
