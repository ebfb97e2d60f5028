//! `mainstay check`: looks at sites, backups, certificates, schedules and this machine and judges what it sees.
//!
//! A check is one file with a unit struct that implements [`Check`], and one line in [`REGISTRY`]. What several checks
//! of one subject look at (a site's addresses, the TLS handshake and its answer, the nginx configuration; what a backup's
//! destinations hold) is observed once per run, in the subject's scope.

mod backup;
mod backup_fresh;
mod backup_repository;
mod backup_secrets;
#[cfg(test)]
mod backup_tests;
mod cause;
mod certificate;
mod clock;
mod database_maintenance;
mod domain_expiry;
mod gunicorn_exposed;
mod gunicorn_settings;
mod gunicorn_trust;
mod host;
mod host_clock;
mod host_containers;
mod host_disk;
mod host_updates;
mod http_host;
mod http_hsts;
mod http_redirect;
mod http_status;
#[cfg(test)]
mod http_tests;
mod lanes;
mod nginx;
mod nginx_config;
mod nginx_fresh;
mod nginx_headers;
mod oauth_redirect;
mod run;
mod schedule;
mod schedule_drift;
mod scope;
mod site;
mod subject;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tls_cases;
mod tls_chain;
#[cfg(test)]
mod tls_connections;
mod tls_hygiene;
mod tls_key;
mod tls_name;
mod tls_protocols;
mod tls_served;
mod tls_validity;
mod visit;
mod web;

use futures_util::future::BoxFuture;

pub use backup::{Backup, BackupScope};
pub use certificate::{Certificate, CertificateScope};
pub use domain_expiry::{Domains, DomainsScope};
pub use host::{Host, HostScope};
pub use run::{has_work, run};
pub use schedule::{Timetable, TimetableScope};
pub use scope::Scope;
pub use site::{
    Addresses, Compose, Family, GunicornSite, GunicornSource, HttpSide, NginxSite, NginxSource, OauthSite, Provider,
    Reference, Resolve, Settings, Site, Threshold, TlsPolicy, TlsVersion,
};
pub use subject::Subject;
pub use visit::Visit;

use crate::report::Finding;

/// One check of the public contract: about sites, unless it says what else.
pub trait Check<S: Subject = Site>: Sync {
    /// The id of the public contract, for example `tls.name`.
    fn id(&self) -> &'static str;

    /// What it makes sure of: one line for `--list`, the reports and the documentation.
    fn title(&self) -> &'static str;

    /// What it needs, for `--list`: "a URL", "a `[site.NAME.nginx]` section".
    fn needs(&self) -> &'static str;

    /// Whether the subject has what the check needs: `Ok`, or the reason why the check is skipped.
    ///
    /// # Errors
    ///
    /// The reason, which becomes the summary of a `skip` finding.
    fn applies(&self, subject: &S) -> Result<(), String>;

    /// Looks and judges. Usually one finding; several where addresses differ or there are several facts. Never empty.
    fn run<'a>(&'a self, scope: &'a S::Scope<'_>) -> BoxFuture<'a, Vec<Finding>>;

    /// The hand-run command that this check replaces, with the real host and container filled in.
    fn by_hand(&self, subject: &S) -> String;

    /// What is said about it where no subject is at hand.
    fn about(&self) -> About {
        About { id: self.id(), title: self.title(), needs: self.needs() }
    }
}

/// A check in words.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Its id.
    pub id: &'static str,
    /// What it makes sure of.
    pub title: &'static str,
    /// What it needs.
    pub needs: &'static str,
}

/// The checks of each kind of subject.
pub struct Registry {
    /// About sites.
    pub sites: &'static [&'static dyn Check],
    /// About backups.
    pub backups: &'static [&'static dyn Check<Backup>],
    /// About certificates.
    pub certificates: &'static [&'static dyn Check<Certificate>],
    /// About schedules.
    pub schedules: &'static [&'static dyn Check<Timetable>],
    /// About the machine that mainstay runs on.
    pub hosts: &'static [&'static dyn Check<Host>],
    /// About the registration of domains.
    pub domains: &'static [&'static dyn Check<Domains>],
}

/// Every check, in the order in which a person reads them.
pub static REGISTRY: Registry = Registry {
    sites: &[
        &tls_chain::TlsChain,
        &tls_name::TlsName,
        &tls_validity::TlsValidity,
        &tls_key::TlsKey,
        &tls_protocols::TlsProtocols,
        &tls_hygiene::TlsHygiene,
        &tls_served::TlsServed,
        &http_status::HttpStatus,
        &http_redirect::HttpRedirect,
        &http_hsts::HttpHsts,
        &http_host::HttpHost,
        &nginx_config::NginxConfig,
        &nginx_headers::NginxHeaders,
        &nginx_fresh::NginxFresh,
        &gunicorn_settings::GunicornSettings,
        &gunicorn_trust::GunicornTrust,
        &gunicorn_exposed::GunicornExposed,
        &oauth_redirect::OauthRedirect,
    ],
    backups: &[&backup_fresh::BackupFresh, &backup_secrets::BackupSecrets, &backup_repository::BackupRepository],
    certificates: &[&certificate::CertificateDue, &certificate::CertificateServed],
    schedules: &[&schedule_drift::ScheduleDrift, &database_maintenance::DatabaseMaintenance],
    hosts: &[
        &host_disk::HostDisk,
        &host_updates::HostUpdates,
        &host_clock::HostClock,
        &host_containers::HostContainers,
    ],
    domains: &[&domain_expiry::DomainExpiry],
};

impl Registry {
    /// All of them in words, kind by kind, each id once: `tls.served` is about sites and about certificates.
    pub fn checks(&self) -> impl Iterator<Item = About> {
        let sites = self.sites.iter().map(|check| check.about());
        let all = sites.chain(self.backups.iter().map(|check| check.about()));
        let is_new = |about: &About| self.sites.iter().all(|check| check.id() != about.id);
        let certificates = self.certificates.iter().map(|check| check.about()).filter(is_new);
        let all = all.chain(certificates).chain(self.schedules.iter().map(|check| check.about()));
        all.chain(self.hosts.iter().map(|check| check.about())).chain(self.domains.iter().map(|check| check.about()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_its_row_in_the_documentation_in_the_same_order() {
        let page = include_str!("../../docs/check.md");
        let ids = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(id, _)| id);
        let documented: Vec<&str> = ids.filter(|id| id.contains('.')).collect();
        let registered: Vec<&str> = REGISTRY.checks().map(|check| check.id).collect();
        assert_eq!(documented, registered, "docs/check.md and the registry differ");
    }

    #[test]
    fn an_id_is_two_words_and_says_what_it_makes_sure_of() {
        for check in REGISTRY.checks() {
            let words: Vec<&str> = check.id.split('.').collect();
            assert!(words.len() == 2 && words.iter().all(|word| word.chars().all(|c| c.is_ascii_lowercase())));
            assert!(!check.title.is_empty() && !check.needs.is_empty(), "{}", check.id);
            assert_eq!(REGISTRY.checks().filter(|other| other.id == check.id).count(), 1, "{} twice", check.id);
        }
    }
}
