//! What `mainstay report` looks at: everything that is configured.

use super::{backup_settings, check_settings, fleet_settings};
use crate::{
    check,
    cli::{args::CheckArgs, config::Loaded, host},
    error::Result,
    overview::glance::Settings,
    system::{Context, zone::Zones},
};

/// Everything of the file.
///
/// # Errors
///
/// A file that a section names cannot be used, or there is no folder for the state.
pub fn glance_settings(loaded: &Loaded, context: &Context) -> Result<Settings> {
    let model = &loaded.model;
    let known: Vec<&'static str> = check::REGISTRY.checks().map(|check| check.id).collect();
    let check =
        model.has_work().then(|| check_settings(Some(loaded), &CheckArgs::default(), &known, context)).transpose()?;
    let backups = (!model.backups.is_empty()).then(|| backup_settings(loaded, &[], context)).transpose()?;
    let schedules = match model.schedules.is_empty() {
        true => Vec::new(),
        false => fleet_settings(loaded, &[], &Zones::newest(context), context)?.schedules,
    };
    Ok(Settings { project: model.project.clone(), host: host(), check, backups, schedules })
}
