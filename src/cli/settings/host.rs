//! What `mainstay check` expects of this machine, of domains and of databases.

use std::path::Path;

use jiff::SignedDuration;

use crate::{
    check::{Domains, Host},
    cli::config::{
        Loaded,
        model::{self, Level, Model, Place},
    },
    error::Result,
    report::Status,
    rules::{
        database_maintenance, domain_expiry,
        host_disk::{Room, Use},
        host_updates,
    },
    system::{Context, rdap::Registries, state::State},
};

/// What is expected of this machine; `None` without `[host]`.
///
/// # Errors
///
/// There is no folder for the state.
pub fn host_settings(loaded: &Loaded, context: &Context) -> Result<Option<Host>> {
    let Some(section) = &loaded.model.host else { return Ok(None) };
    let model::Host { disk_warn, disk_fail, updates, reboot, lists_max_age, clock, containers, .. } = section;
    let max_age = SignedDuration::try_from(*lists_max_age).unwrap_or(SignedDuration::MAX);
    let updates = status(*updates).map(|updates| host_updates::Policy {
        updates,
        reboot: status(*reboot).unwrap_or(Status::Warn),
        max_age,
    });
    Ok(Some(Host {
        uses: uses(&loaded.model, &State::find(context, loaded.model.state.as_deref())?),
        room: Room { warn: *disk_warn, fail: *disk_fail },
        updates,
        clock: *clock,
        containers: containers.clone(),
    }))
}

/// What is expected of domains; `None` without `[domain]`.
///
/// # Errors
///
/// There is no folder for the state.
pub fn domain_settings(loaded: &Loaded, context: &Context) -> Result<Option<Domains>> {
    let Some(section) = &loaded.model.domain else { return Ok(None) };
    let model::Domain { names, warn, fail, registries } = section;
    let registries = Registries {
        list: registries.clone(),
        state: State::find(context, loaded.model.state.as_deref())?,
        within: std::time::Duration::from_secs(15),
        soon: *warn,
    };
    let names = if names.is_empty() { hosts(&loaded.model) } else { names.clone() };
    Ok(Some(Domains { names, policy: domain_expiry::Policy { warn: *warn, fail: *fail }, registries }))
}

/// What is expected of the upkeep of databases; `None` without `[database]`.
pub fn database_policy(model: &Model) -> Option<database_maintenance::Policy> {
    let model::Database { warn, fail, public } = model.database?;
    Some(database_maintenance::Policy { warn, fail, public: status(public) })
}

/// What the jobs keep on this machine.
fn uses(model: &Model, state: &State) -> Vec<Use> {
    let mut uses: Vec<Use> = Vec::new();
    let mut add = |what: String, path: &Path, writes| {
        let path = path.display().to_string();
        match uses.iter_mut().find(|known| known.path == path) {
            Some(known) => known.writes |= writes,
            None => uses.push(Use { what, path, writes }),
        }
    };
    add("the state".to_owned(), state.folder(), true);
    for backup in &model.backups {
        add(format!("backup {}", backup.name), &backup.root, false);
        for place in &backup.to {
            if let Place::Folder(folder) = place {
                add(format!("backup {}", backup.name), folder, true);
            }
        }
    }
    for certificate in &model.certificates {
        add(format!("certificate {}", certificate.name), &certificate.directory, true);
    }
    for path in &model.host.as_ref().map(|host| host.paths.clone()).unwrap_or_default() {
        add("`paths` of `[host]`".to_owned(), path, false);
    }
    uses
}

/// The names of sites and certificates, each once, without the star of a wildcard. Addresses, and names that nobody can
/// register, are nobody's domains.
fn hosts(model: &Model) -> Vec<String> {
    let sites = model.sites.iter().filter_map(|site| site.url.host_str().map(str::to_ascii_lowercase));
    let certificates = model.certificates.iter().flat_map(|certificate| &certificate.names);
    let certificates = certificates.map(|name| name.trim_start_matches("*.").to_ascii_lowercase());
    let mut names: Vec<String> = Vec::new();
    for name in sites.chain(certificates) {
        if !names.contains(&name) && domain_expiry::unregistered(&name).is_none() {
            names.push(name);
        }
    }
    names
}

fn status(level: Level) -> Option<Status> {
    match level {
        Level::Fail => Some(Status::Fail),
        Level::Warn => Some(Status::Warn),
        Level::Pass => Some(Status::Pass),
        Level::Off => None,
    }
}
