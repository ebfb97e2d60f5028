//! The text of the units.

use std::time::Duration;

use super::{Job, Settings, Task, mark::Mark, sandbox, sandbox::Ground, word};
use crate::{rules::units, system::systemd::Scope};

/// One file of the folder of units.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Its content.
    pub text: String,
    /// Whether it is what is enabled: a timer, or the unit that runs at boot.
    pub enabled: bool,
}

/// Every unit that the configuration wants: a service and a timer a job, and the one for the boot.
pub fn files(settings: &Settings, ground: Ground) -> Vec<File> {
    let mut files = Vec::new();
    for task in &settings.tasks {
        let stem = settings.stem(task.job);
        files.push(File { name: format!("{stem}.service"), text: service(settings, task, ground), enabled: false });
        files.push(File { name: format!("{stem}.timer"), text: timer(settings, task), enabled: true });
        if let (Job::RenewCert, Some(name)) = (task.job, settings.recovery()) {
            files.push(File { name, text: recovery(settings, task, ground), enabled: true });
        }
    }
    files
}

/// What ours are marked with.
pub(super) fn mark(settings: &Settings) -> Mark {
    Mark { project: settings.project.clone(), config: settings.config.clone() }
}

fn service(settings: &Settings, task: &Task, ground: Ground) -> String {
    let stem = settings.stem(task.job);
    let mut lines = head(settings, &format!("{stem}.service"));
    lines.push(format!("Description=mainstay {}: {}", settings.project, task.job.title()));
    lines.extend(after(settings));
    lines.push(String::new());
    lines.push("[Service]".into());
    lines.push("Type=oneshot".into());
    lines.push(format!("ExecStart={}", command(settings, task.job.command())));
    lines.push("# 4: another run is at work; it is the one that counts.".into());
    lines.push("SuccessExitStatus=4".into());
    lines.extend(environment(settings, ground));
    lines.extend(ending(task));
    if task.job == Job::Backup {
        lines.push("Nice=10".into());
        lines.push("IOSchedulingClass=idle".into());
    }
    lines.extend(sandbox::lines(settings, task, ground));
    text(&lines)
}

/// What a killed renewal has stopped is started at boot: the engine does not know of it.
fn recovery(settings: &Settings, task: &Task, ground: Ground) -> String {
    let mut lines = head(settings, &settings.recovery().unwrap_or_default());
    lines.push(format!("Description=mainstay {}: start again what a killed renewal had stopped", settings.project));
    lines.extend(after(settings));
    lines.push(String::new());
    lines.push("[Service]".into());
    lines.push("Type=oneshot".into());
    lines.push(format!("ExecStart={}", command(settings, &["renew-cert", "--recover"])));
    lines.push("SuccessExitStatus=4".into());
    lines.extend(environment(settings, ground));
    lines.extend(ending(task));
    lines.extend(sandbox::lines(settings, task, ground));
    lines.push(String::new());
    lines.push("[Install]".into());
    lines.push(format!(
        "WantedBy={}",
        match settings.home.scope {
            Scope::System => "multi-user.target",
            Scope::User => "default.target",
        }
    ));
    text(&lines)
}

fn timer(settings: &Settings, task: &Task) -> String {
    let mut lines = head(settings, &format!("{}.timer", settings.stem(task.job)));
    lines.push(format!("Description=mainstay {}: {} {}", settings.project, task.job, task.calendar));
    lines.push(String::new());
    lines.push("[Timer]".into());
    lines.push(format!("OnCalendar={}", task.calendar.on_calendar()));
    lines.push("# A moment of this machine's own, the same every time.".into());
    lines.push(format!("RandomizedDelaySec={}", units::print_duration(task.calendar.delay())));
    lines.push("FixedRandomDelay=true".into());
    lines.push("AccuracySec=5s".into());
    lines.push("# What the machine slept through is made up for.".into());
    lines.push("Persistent=true".into());
    lines.push(String::new());
    lines.push("[Install]".into());
    lines.push("WantedBy=timers.target".into());
    text(&lines)
}

fn head(settings: &Settings, name: &str) -> Vec<String> {
    let edit = settings.home.scope.by_hand();
    vec![
        mark(settings).of_unit(),
        format!("# Changes are lost at the next install; what `{edit} edit {name}` adds is kept."),
        String::new(),
        "[Unit]".into(),
    ]
}

/// At boot, what is looked at must have been started; a user's systemd knows neither.
fn after(settings: &Settings) -> Vec<String> {
    match settings.home.scope {
        Scope::System => vec![
            "Wants=network-online.target".into(),
            "After=network-online.target docker.service podman.service".into(),
        ],
        Scope::User => Vec::new(),
    }
}

fn command(settings: &Settings, words: &[&str]) -> String {
    let all = [settings.binary.as_str(), "--config", &settings.config, "--quiet"];
    let words: Vec<String> = all.iter().chain(words).map(|word| word::of_command(word)).collect();
    words.join(" ")
}

fn environment(settings: &Settings, ground: Ground) -> Vec<String> {
    let mut lines = vec![
        "# Variables that the configuration or a client of AWS asks for, one NAME=value a line; mode 0600.".to_owned(),
        format!("EnvironmentFile=-{}", word::of_line(&settings.home.variables)),
    ];
    if settings.home.scope == Scope::System {
        lines.push("# Without it neither profiles of AWS nor remotes of rclone are found.".into());
        lines.push("Environment=HOME=%h".into());
    }
    if !settings.state_follows {
        let state = format!("MAINSTAY_STATE={}", settings.state.folder().display());
        lines.push(format!("Environment={}", word::of_list(&state)));
    }
    if ground.snap {
        lines.push(format!("Environment=PATH={PATH}:/snap/bin"));
    }
    lines
}

/// Where programs are looked for, as systemd itself has it.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a job needs to end well.
fn ending(task: &Task) -> Vec<String> {
    match (task.job, task.needs.ending) {
        (Job::RenewCert, Some(limit)) => vec![
            "# A signal is for the run alone: it starts again what it has stopped. Its guardian lives on, and does so when".into(),
            "# the run is killed.".into(),
            "KillMode=process".into(),
            "OOMPolicy=continue".into(),
            format!("TimeoutStopSec={}", units::print_duration(whole_minutes(limit))),
        ],
        (Job::Backup, _) => vec![
            "# An archive that is half written is removed on SIGTERM.".into(),
            "TimeoutStopSec=1m".into(),
        ],
        _ => Vec::new(),
    }
}

/// Rounded up, with a minute to spare.
fn whole_minutes(limit: Duration) -> Duration {
    Duration::from_secs((limit.as_secs() / 60 + 2) * 60)
}

fn text(lines: &[String]) -> String {
    lines.join("\n") + "\n"
}
