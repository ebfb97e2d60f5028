//! What the runbook is about: plain data, filled by `cli` from the configuration as it is written.

use crate::{
    check::{Backup, Certificate, Domains, Host, Reference, Site, Timetable},
    renew_cert::Reload,
    system::{gunicorn, nginx},
};

/// Everything that the runbook tells of.
///
/// Nothing in it depends on the machine: paths are as the configuration has them, and commands of the configuration are
/// without what is written in them as a secret.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The project; `None` where it is the name of whatever folder the configuration lies in.
    pub project: Option<String>,
    /// The name of the configuration file.
    pub file: String,
    /// The sites that are checked.
    pub sites: Vec<Site>,
    /// The backups.
    pub backups: Vec<Backup>,
    /// The certificates.
    pub certificates: Vec<Certificate>,
    /// The schedules, with their times as they are written.
    pub schedules: Vec<(Timetable, Times)>,
    /// What is expected of the machine; `None` where nobody asks.
    pub host: Option<Host>,
    /// What is expected of domains; `None` where nobody asks.
    pub domains: Option<Domains>,
    /// Who is told.
    pub told: Told,
    /// When each job runs.
    pub timers: Timers,
}

/// When the machines of a schedule run, as it is written.
#[derive(Clone, Debug, Default)]
pub struct Times {
    /// The time zone.
    pub zone: String,
    /// The windows; empty where they are always off.
    pub on: Vec<String>,
    /// Dates without windows.
    pub off_dates: Vec<String>,
    /// Hours besides the windows.
    pub on_dates: Vec<String>,
    /// What happens inside and outside: `both`, `start-only`, `stop-only`.
    pub mode: &'static str,
}

/// Who is told of what went wrong. Addresses of people stand in it, secrets never.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// `failure`, `change` or `always`.
    pub on: &'static str,
    /// Where the webhook's address comes from, in words; `None` without one.
    pub webhook: Option<String>,
    /// Who gets mail.
    pub email: Vec<String>,
    /// As whom it is sent.
    pub from: Option<String>,
    /// The jobs that ping a watcher.
    pub pings: Vec<String>,
}

/// When each job runs, as it is written: `every 15m`.
#[derive(Clone, Debug)]
pub struct Timers {
    /// `mainstay check`.
    pub check: String,
    /// `mainstay backup create`.
    pub backup: String,
    /// `mainstay renew-cert`.
    pub renew_cert: String,
    /// `mainstay schedule apply`.
    pub schedule: String,
}

impl Settings {
    /// The project, or what stands for it.
    pub fn project(&self) -> &str {
        self.project.as_deref().unwrap_or("PROJECT")
    }

    /// Every container that the configuration names, each once, in the order of the file.
    pub fn containers(&self) -> Vec<&Reference> {
        let mut found: Vec<&Reference> = Vec::new();
        let of_sites = self.sites.iter().flat_map(|site| {
            let nginx = site.nginx.as_ref().and_then(|nginx| match &nginx.source {
                nginx::Source::Container(reference) => Some(reference),
                _ => None,
            });
            let gunicorn = site.gunicorn.as_ref().and_then(|gunicorn| match &gunicorn.source {
                gunicorn::Source::Container(reference) => Some(reference),
                _ => None,
            });
            nginx.into_iter().chain(gunicorn)
        });
        let of_certificates = self.certificates.iter().filter_map(|certificate| match &certificate.settings.reload {
            Some(Reload::Container(reference)) => Some(reference),
            _ => None,
        });
        for reference in of_sites.chain(of_certificates) {
            if !found.contains(&reference) {
                found.push(reference);
            }
        }
        found
    }
}

/// A container in a sentence.
pub(super) fn container(reference: &Reference) -> String {
    match reference {
        Reference::Name(name) => super::page::code(name),
        Reference::Service(service) => {
            format!("{} of {}", super::page::code(&service.service), super::page::code(&service.project))
        }
    }
}
