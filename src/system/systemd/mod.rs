//! Units of systemd, over `systemctl`.

mod timers;

use std::{collections::BTreeMap, time::Duration};

use super::{Context, process::Command};

pub use timers::{Scope, Standing, Timer, lingers};

/// What systemd says of one unit.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Unit {
    /// `LoadState`: `loaded`, `not-found`, `masked`, `error`.
    pub load: String,
    /// `ActiveState`: `active`, `inactive`, `failed`, `activating`, …
    pub active: String,
    /// `UnitFileState`: `enabled`, `disabled`, `static`, …
    pub file: String,
    /// `MainPID`; 0 when there is none.
    pub main: u32,
}

/// A unit may take long to stop or to start; systemd itself gives up after 90 s.
const PATIENCE: Duration = Duration::from_secs(100);

/// What systemd says of a unit.
///
/// # Errors
///
/// Why it says nothing: no systemd here, or no permission.
pub async fn show(unit: &str, context: &Context) -> Result<Unit, String> {
    let text = systemctl(&["show", "-p", "LoadState,ActiveState,UnitFileState,MainPID", "--", unit], context).await?;
    let mut fields: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    let mut field = |name: &str| fields.remove(name).unwrap_or_default().to_owned();
    Ok(Unit {
        load: field("LoadState"),
        active: field("ActiveState"),
        file: field("UnitFileState"),
        main: field("MainPID").parse().unwrap_or(0),
    })
}

/// Stops a unit and waits until it has ended.
///
/// # Errors
///
/// Why it may still run.
pub async fn stop(unit: &str, context: &Context) -> Result<(), String> {
    systemctl(&["stop", "--", unit], context).await.map(drop)
}

/// Starts a unit and waits until systemd calls it started; one that runs is left alone.
///
/// # Errors
///
/// Why it could not be started.
pub async fn start(unit: &str, context: &Context) -> Result<(), String> {
    systemctl(&["start", "--", unit], context).await.map(drop)
}

async fn systemctl(arguments: &[&str], context: &Context) -> Result<String, String> {
    // Never asks for a password: nobody may be there.
    timers::said(Command::new("systemctl").arg("--no-ask-password").args(arguments).timeout(PATIENCE), context).await
}
