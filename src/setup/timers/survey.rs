//! What is there already: systemd and its units, cron and its table, the engine.

use std::{collections::BTreeMap, fs, io, path::Path, time::Duration};

use super::{Settings, Table, mark::Mark, sandbox::Ground, unit};
use crate::{
    error::{Error, Kind, Result},
    system::{
        Context, crontab, file,
        process::Command,
        program,
        systemd::{Scope, Standing, Timer, lingers},
    },
};

/// What was found. Looking changes nothing.
#[derive(Clone, Debug)]
pub struct Survey {
    /// Whether systemd runs.
    pub systemd: Standing,
    /// The table of cron.
    pub crontab: Result<Table, String>,
    /// Whether there is a `crontab` at all.
    pub has_crontab: bool,
    /// Whether a daemon of cron was seen.
    pub cron_runs: bool,
    /// Files in the folder of units that are called like ours.
    pub(super) files: BTreeMap<String, Found>,
    /// What systemd says of the wanted timers; empty where it does not run.
    pub(super) timers: BTreeMap<String, Result<Timer, String>>,
    /// What systemd says of timers of this configuration that are root's, where the caller is not.
    pub(super) roots: BTreeMap<String, Result<Timer, String>>,
    /// Whether the unit of the boot is enabled.
    pub(super) recovery: bool,
    /// What the machine allows.
    pub ground: Ground,
    /// Whether this user's services go on when nobody is logged in.
    pub lingers: Option<bool>,
    /// Whether the file with variables is there.
    pub has_variables: bool,
}

/// A file in the folder of units.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Found {
    pub text: String,
    /// Whose it is; `None` for one that we did not write.
    pub mark: Option<Mark>,
}

/// Units are smaller.
const LARGEST: u64 = 256 << 10;

/// Asking an engine for its version does not need its daemon.
const PATIENCE: Duration = Duration::from_secs(5);

impl Survey {
    /// Looks around.
    ///
    /// # Errors
    ///
    /// The folder of units cannot be read.
    pub async fn of(settings: &Settings, context: &Context) -> Result<Self> {
        let scope = settings.home.scope;
        let systemd = scope.standing(context).await;
        let table = crontab::read(context).await;
        let has_crontab = table != Err(crontab::Trouble::Absent);
        let crontab = table.map_err(|trouble| trouble.to_string()).and_then(Table::read);
        let mut survey = Self {
            crontab,
            has_crontab,
            cron_runs: crontab::is_served(context),
            files: files(&settings.home.units)?,
            timers: BTreeMap::new(),
            roots: roots(settings, context).await,
            recovery: false,
            ground: ground(settings, context).await,
            lingers: None,
            has_variables: fs::metadata(&settings.home.variables).is_ok(),
            systemd,
        };
        if survey.systemd == Standing::Running {
            for task in &settings.tasks {
                let stem = settings.stem(task.job);
                let name = format!("{stem}.timer");
                let timer = scope.timer(&name, &format!("{stem}.service"), context).await;
                survey.timers.insert(name, timer);
            }
            if let Some(name) = settings.recovery() {
                survey.recovery = scope.is_enabled(&name, context).await.unwrap_or(false);
            }
            if let (Scope::User, Some(user)) = (scope, &settings.home.user) {
                survey.lingers = lingers(user, context).await;
            }
        }
        Ok(survey)
    }

    /// The names of the units that this configuration has written, or one of the same project that is gone.
    pub(super) fn ours(&self, settings: &Settings) -> Vec<&str> {
        self.files.iter().filter(|(_, found)| found.is_ours(settings)).map(|(name, _)| name.as_str()).collect()
    }
}

impl Found {
    fn is_ours(&self, settings: &Settings) -> bool {
        self.mark.as_ref().is_some_and(|mark| mark.gives_way_to(&unit::mark(settings)))
    }
}

/// The timers that root has of the same configuration: everybody may look at them.
async fn roots(settings: &Settings, context: &Context) -> BTreeMap<String, Result<Timer, String>> {
    let mut found = BTreeMap::new();
    let Some(files) = settings.home.roots.as_ref().and_then(|folder| files(folder).ok()) else { return found };
    let stems = settings.tasks.iter().map(|task| settings.stem(task.job)).map(|stem| (format!("{stem}.timer"), stem));
    let ours: Vec<_> = stems.filter(|(name, _)| files.get(name).is_some_and(|file| file.is_ours(settings))).collect();
    if ours.is_empty() {
        return found;
    }
    let standing = Scope::System.standing(context).await;
    for (name, stem) in ours {
        let timer = match &standing {
            Standing::Running => Scope::System.timer(&name, &format!("{stem}.service"), context).await,
            Standing::Away(why) => Err(why.clone()),
        };
        found.insert(name, timer);
    }
    found
}

fn files(folder: &Path) -> Result<BTreeMap<String, Found>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => {
            return Err(Error::new(Kind::Failed, format!("look at the units in `{}`", folder.display()))
                .because(file::why(&error))
                .hint("run it as the user whose units these are"));
        }
    };
    let mut files = BTreeMap::new();
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !(name.starts_with("mainstay-") && (name.ends_with(".service") || name.ends_with(".timer"))) {
            continue;
        }
        // What cannot be read (a masked unit is a link to a device) is not ours.
        let text = file::read_text(&entry.path(), LARGEST).unwrap_or_default();
        files.insert(name, Found { mark: Mark::read_unit(&text), text });
    }
    Ok(files)
}

async fn ground(settings: &Settings, context: &Context) -> Ground {
    let mut programs = settings.tasks.iter().flat_map(|task| &task.needs.programs);
    let snap = programs.any(|name| program::find(name, context).is_some_and(|file| program::is_snap(&file)));
    let engine = settings.tasks.iter().any(|task| task.needs.engine);
    Ground { podman: engine && is_podman(context).await, snap }
}

/// Whether `docker` is podman under another name (Debian's `podman-docker`), or is not there and podman is.
async fn is_podman(context: &Context) -> bool {
    if program::find("docker", context).is_none() {
        return program::find("podman", context).is_some();
    }
    let command = Command::new("docker").arg("--version").timeout(PATIENCE);
    context.runner.run(command).await.is_ok_and(|output| output.text().to_lowercase().contains("podman"))
}
