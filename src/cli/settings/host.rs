//! What `mainstay check` expects of this machine, of domains and of databases.

use std::path::Path;

use jiff::SignedDuration;

use crate::{
    check::{Domains, Host},
    cli::config::{
        Loaded,
        model::{self, Model, Place},
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
    Ok(host(&loaded.model, &State::find(context, loaded.model.state.as_deref())?))
}

/// The same where the state is known.
pub(super) fn host(model: &Model, state: &State) -> Option<Host> {
    let section = model.host.as_ref()?;
    let model::Host { disk_warn, disk_fail, updates, reboot, lists_max_age, clock, containers, .. } = section;
    let max_age = SignedDuration::try_from(*lists_max_age).unwrap_or(SignedDuration::MAX);
    let updates = updates.status().map(|updates| host_updates::Policy {
        updates,
        reboot: reboot.status().unwrap_or(Status::Warn),
        max_age,
    });
    Some(Host {
        uses: uses(model, state),
        room: Room { warn: *disk_warn, fail: *disk_fail },
        updates,
        clock: *clock,
        containers: containers.clone(),
    })
}

/// What is expected of domains; `None` without `[domain]`.
///
/// # Errors
///
/// There is no folder for the state.
pub fn domain_settings(loaded: &Loaded, context: &Context) -> Result<Option<Domains>> {
    Ok(domains(&loaded.model, &State::find(context, loaded.model.state.as_deref())?))
}

/// The same where the state is known.
pub(super) fn domains(model: &Model, state: &State) -> Option<Domains> {
    let section = model.domain.as_ref()?;
    let model::Domain { names, warn, fail, registries } = section;
    let registries = Registries {
        list: registries.clone(),
        state: state.clone(),
        within: std::time::Duration::from_secs(15),
        soon: *warn,
    };
    let names = if names.is_empty() { hosts(model) } else { names.clone() };
    Some(Domains { names, policy: domain_expiry::Policy { warn: *warn, fail: *fail }, registries })
}

/// What is expected of the upkeep of databases; `None` without `[database]`.
pub fn database_policy(model: &Model) -> Option<database_maintenance::Policy> {
    let model::Database { warn, fail, public } = model.database?;
    Some(database_maintenance::Policy { warn, fail, public: public.status() })
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
