//! What must be written, turned on and removed, from looking only.

use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use super::{
    Job, Settings, Survey, Table,
    cron::{self, Block},
    unit::{self, File, files},
};
use crate::{
    error::{Error, Kind, Result},
    report::{Plan, Risk, Step},
    system::systemd::{Scope, Standing},
};

/// What the timers are made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Aim {
    /// systemd's where it runs, else cron's.
    Auto,
    /// Lines of cron.
    Cron,
    /// Units of systemd.
    Systemd,
}

/// One change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Act {
    /// Stops a unit and lets it not start at boot.
    Disable(String),
    /// Lets a unit start at boot; `true` starts it now.
    Enable(String, bool),
    /// Lets systemd read its files.
    Reload,
    /// Removes a file of the folder of units.
    Remove(PathBuf),
    /// Starts a timer anew.
    Restart(String),
    /// Replaces the table of cron.
    Table(Vec<u8>),
    /// Writes a unit.
    Write(PathBuf, String),
}

/// A plan, and what it would leave on the machine.
#[derive(Clone, Debug)]
pub struct Sketch {
    /// The steps.
    pub plan: Plan<Act>,
    /// Every unit that is wanted, whether it is there already or not; empty with cron.
    pub units: Vec<File>,
    /// The lines of cron that are wanted.
    pub lines: Option<String>,
}

/// What must be done so that the configuration's timers run, and no others of it.
///
/// # Errors
///
/// Neither systemd nor cron is here (a rehearsal shows systemd's then), or something of others is in the way.
pub fn plan(settings: &Settings, survey: &Survey, aim: Aim, rehearsal: bool) -> Result<Sketch> {
    if settings.tasks.is_empty() {
        return Err(Error::new(Kind::Config, "find a job that a timer could run")
            .because("the configuration has no [site.NAME], [backup.NAME], [certificate.NAME] or [schedule.NAME]")
            .hint("add a section, for example [site.prime] with `url = \"https://prime.example.edu\"`"));
    }
    let (systemd, note) = choose(survey, aim, rehearsal)?;
    let mut plan =
        Plan::new(format!("timers of `{}`, by {}", settings.project, if systemd { "systemd" } else { "cron" }));
    plan.notes.extend(note);
    let (mut units, mut lines) = (Vec::new(), None);
    if systemd {
        units = files(settings, survey.ground);
        lay_units(settings, survey, &units, &mut plan)?;
        take_table(settings, survey, &mut plan);
    } else {
        let block = cron::block(settings);
        lay_table(settings, survey, &block, rehearsal, &mut plan)?;
        lines = Some(block);
        take_units(settings, survey, &[], "cron runs its job from now on, and a job must not run twice", &mut plan);
    }
    notes(settings, survey, systemd, &mut plan);
    Ok(Sketch { plan, units, lines })
}

/// What must be done so that none of the configuration's timers is left; with an aim other than auto, only of that kind.
///
/// # Errors
///
/// Something cannot be told from what others wrote.
pub fn plan_removal(settings: &Settings, survey: &Survey, aim: Aim) -> Result<Plan<Act>> {
    let mut plan = Plan::new(format!("remove the timers of `{}`", settings.project));
    if aim != Aim::Cron {
        take_units(settings, survey, &[], "mainstay timers install wrote it", &mut plan);
    }
    if aim != Aim::Systemd && survey.has_crontab {
        let table = table(survey)?;
        let gone = own_blocks(settings, table);
        if !gone.is_empty() {
            plan.steps.push(step(
                Act::Table(table.with(&gone, None)),
                "the table of cron",
                "mainstay timers install wrote these lines",
            ));
        }
    }
    Ok(plan)
}

/// Whether it is systemd, and what is to be said about the choice.
fn choose(survey: &Survey, aim: Aim, rehearsal: bool) -> Result<(bool, Option<String>)> {
    match (aim, &survey.systemd) {
        (Aim::Auto | Aim::Systemd, Standing::Running) => Ok((true, None)),
        (Aim::Cron, _) => Ok((false, None)),
        (Aim::Systemd, Standing::Away(why)) if rehearsal => {
            Ok((true, Some(format!("systemd cannot be told of them here: {why}"))))
        }
        (Aim::Systemd, Standing::Away(why)) => Err(Error::new(Kind::Failed, "install timers of systemd")
            .because(why)
            .hint("use cron instead: `mainstay timers install --cron`")
            .hint("`--dry-run` prints the units, to be brought to a machine with systemd")),
        (Aim::Auto, Standing::Away(why)) if survey.has_crontab => {
            Ok((false, Some(format!("by cron, because systemd does not run here: {why}"))))
        }
        (Aim::Auto, Standing::Away(why)) if rehearsal => Ok((
            true,
            Some(format!(
                "neither systemd nor cron runs here ({why}; there is no `crontab` on PATH): nothing could be installed"
            )),
        )),
        (Aim::Auto, Standing::Away(why)) => Err(Error::new(Kind::Failed, "install timers")
            .because(format!("neither systemd nor cron is here: {why}; there is no `crontab` on PATH"))
            .hint("install cron (Debian: `apt install cron`) and run it again")
            .hint("or let something else run `mainstay --quiet check` and the others; `--dry-run` prints when")),
    }
}

fn lay_units(settings: &Settings, survey: &Survey, wanted: &[File], plan: &mut Plan<Act>) -> Result<()> {
    let own = unit::mark(settings);
    let mut changed = Vec::new();
    for file in wanted {
        let path = settings.home.units.join(&file.name);
        let reason = match survey.files.get(&file.name) {
            None => "there is no such unit yet",
            Some(found) if found.mark.as_ref().is_none_or(|mark| !mark.gives_way_to(&own)) => {
                return Err(in_the_way(&path, found.mark.as_ref().map(|mark| mark.config.as_str())));
            }
            Some(found) if found.text == file.text => continue,
            Some(_) => "it is not what the configuration and this version want",
        };
        changed.push(file.name.as_str());
        let path = path.display().to_string();
        plan.steps.push(step(Act::Write(path.clone().into(), file.text.clone()), &path, reason));
    }
    let names: Vec<&str> = wanted.iter().map(|file| file.name.as_str()).collect();
    let left = take_units(settings, survey, &names, "its job has no section any more", plan);
    if !changed.is_empty() && !left {
        plan.steps.push(step(Act::Reload, settings.home.scope.by_hand(), "systemd reads its files only when told to"));
    }
    for file in wanted.iter().filter(|file| file.enabled) {
        let name = &file.name;
        let timer = survey.timers.get(name).map(|timer| timer.clone().unwrap_or_default()).unwrap_or_default();
        let is_timer = name.ends_with(".timer");
        let stands = if is_timer { timer.enabled && timer.active } else { survey.recovery };
        if !stands {
            let reason = if is_timer { "it waits from now on, and after every boot" } else { "it runs at every boot" };
            plan.steps.push(step(Act::Enable(name.clone(), is_timer), name, reason));
        } else if is_timer && changed.contains(&name.as_str()) {
            plan.steps.push(step(Act::Restart(name.clone()), name, "its calendar is another one"));
        }
    }
    Ok(())
}

/// Removes the units of ours that are not among the wanted ones; whether systemd is told to read its files.
fn take_units(settings: &Settings, survey: &Survey, wanted: &[&str], why: &str, plan: &mut Plan<Act>) -> bool {
    let gone: Vec<&str> = survey.ours(settings).into_iter().filter(|name| !wanted.contains(name)).collect();
    let runs = survey.systemd == Standing::Running;
    for name in gone.iter().filter(|name| runs && (name.ends_with(".timer") || name.ends_with("-recover.service"))) {
        plan.steps.push(step(Act::Disable((*name).to_owned()), name, why));
    }
    for name in &gone {
        let path = settings.home.units.join(name);
        plan.steps.push(step(Act::Remove(path.clone()), &path.display().to_string(), why));
    }
    if !gone.is_empty() && runs {
        plan.steps.push(step(Act::Reload, settings.home.scope.by_hand(), "systemd reads its files only when told to"));
    }
    !gone.is_empty() && runs
}

fn lay_table(settings: &Settings, survey: &Survey, block: &str, rehearsal: bool, plan: &mut Plan<Act>) -> Result<()> {
    if !survey.has_crontab {
        let why = "there is no `crontab` on PATH";
        if !rehearsal {
            return Err(Error::new(Kind::Failed, "install lines of cron")
                .because(why)
                .hint("install cron (Debian: `apt install cron`), or leave --cron out"));
        }
        plan.notes.push(format!("they cannot be installed here: {why}"));
    }
    let table = match (table(survey), survey.has_crontab) {
        (Ok(table), _) => table.clone(),
        (Err(error), true) => return Err(error),
        (Err(_), false) => {
            Table::read(Vec::new()).map_err(|why| Error::new(Kind::Failed, "begin a table").because(why))?
        }
    };
    let own = unit::mark(settings);
    if let Some(other) =
        table.blocks().iter().find(|found| found.mark.project == own.project && !found.mark.gives_way_to(&own))
    {
        return Err(in_the_way(Path::new("the table of cron"), Some(&other.mark.config)));
    }
    let gone = own_blocks(settings, &table);
    if let [one] = gone[..]
        && table.text(one) == block
    {
        return Ok(());
    }
    let reason = if gone.is_empty() {
        "there are no lines of ours yet"
    } else {
        "the lines are not what the configuration and this version want"
    };
    plan.steps.push(step(Act::Table(table.with(&gone, Some(block))), "the table of cron", reason));
    Ok(())
}

/// With systemd's timers in place, lines of cron would run every job twice.
fn take_table(settings: &Settings, survey: &Survey, plan: &mut Plan<Act>) {
    let Ok(table) = &survey.crontab else { return };
    let gone = own_blocks(settings, table);
    if !gone.is_empty() {
        let reason = "systemd runs the jobs from now on, and none must run twice";
        plan.steps.push(step(Act::Table(table.with(&gone, None)), "the table of cron", reason));
    }
}

fn own_blocks<'t>(settings: &Settings, table: &'t Table) -> Vec<&'t Block> {
    let own = unit::mark(settings);
    table.blocks().iter().filter(|block| block.mark.gives_way_to(&own)).collect()
}

fn table(survey: &Survey) -> Result<&Table> {
    survey.crontab.as_ref().map_err(|why| {
        Error::new(Kind::Failed, "use the table of cron")
            .because(why)
            .hint("look at it: `crontab -l`; mend it: `crontab -e`")
    })
}

fn in_the_way(path: &Path, config: Option<&str>) -> Error {
    let error = Error::new(Kind::Failed, format!("write `{}`", path.display()));
    match config {
        Some(config) => error
            .because(format!("it holds the timers of another configuration of the same project, `{config}`"))
            .hint("give one of the two another `project`")
            .hint(format!("or remove the other's: `mainstay --config {} timers remove`", shell_words::quote(config))),
        None => error
            .because("something else has written it, and it is not overwritten")
            .hint("move it away, or give the configuration another `project`"),
    }
}

/// What the operator should know that is not a step.
fn notes(settings: &Settings, survey: &Survey, systemd: bool, plan: &mut Plan<Act>) {
    let file = &settings.home.variables;
    if !settings.secrets.is_empty() && !survey.has_variables {
        plan.notes.push(format!(
            "the configuration takes {} from the environment, and a timer has none: write NAME=value lines into `{file}`, mode 0600",
            listed(&settings.secrets)
        ));
    }
    if !settings.set_now.is_empty() && !survey.has_variables {
        plan.notes.push(format!(
            "{} set here and not for a timer: if the jobs need them, put them into `{file}`",
            match &settings.set_now[..] {
                [one] => format!("${one} is"),
                several => format!("{} are", listed(several)),
            }
        ));
    }
    if !survey.roots.is_empty() {
        let names: Vec<String> = survey.roots.keys().map(|name| format!("`{name}`")).collect();
        plan.notes.push(format!(
            "root has {} already, and then both run: `sudo mainstay timers remove` ends those",
            names.join(", ")
        ));
    }
    if !systemd && !survey.cron_runs {
        plan.notes.push("no daemon of cron was seen here: without one nothing runs".into());
    }
    if systemd && settings.home.scope == Scope::User {
        match (survey.lingers, &settings.home.user) {
            (Some(true), _) => {}
            (_, user) => plan.notes.push(format!(
                "a user's timers run only while somebody is logged in, unless `loginctl enable-linger {}` was said",
                user.as_deref().unwrap_or("$USER")
            )),
        }
    }
    if systemd && settings.home.scope == Scope::System {
        for task in settings.tasks.iter().filter(|task| task.job == Job::Backup && task.needs.anywhere.is_none()) {
            for path in task.needs.writes.iter().filter(|path| !path.exists() && !path.starts_with("/root/.")) {
                plan.notes.push(format!(
                    "`{}` is not there now; the timer can write to it once it is, and does not make it: run `mainstay backup create` once by hand",
                    path.display()
                ));
            }
        }
    }
    let binary = Path::new(&settings.binary);
    if settings.home.scope == Scope::System
        && ["/home", "/root", "/tmp"].iter().any(|folder| binary.starts_with(folder))
    {
        plan.notes.push(format!(
            "the jobs run `{}`: whoever may write there is root; /usr/local/bin is a better place",
            binary.display()
        ));
    }
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("${name}")).collect::<Vec<_>>().join(", ")
}

fn step(action: Act, target: &str, reason: &str) -> Step<Act> {
    Step {
        action,
        target: target.to_owned(),
        reason: reason.to_owned(),
        risk: Risk::Safe,
        requires: Vec::new(),
        owed: false,
    }
}

impl Act {
    /// The word of the plan and of the outcome.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Disable(_) => "disable",
            Self::Enable(..) => "enable",
            Self::Reload => "reload",
            Self::Remove(_) => "remove",
            Self::Restart(_) => "restart",
            Self::Table(_) | Self::Write(..) => "write",
        }
    }
}

impl Serialize for Act {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}
