//! The systemd of the system or of a user: whether it runs, its timers, and turning them on and off.

use std::{collections::BTreeMap, time::Duration};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use crate::system::{
    Context,
    process::{Command, Failure},
};

/// Which systemd.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    /// The system's, process 1.
    System,
    /// The caller's own.
    User,
}

/// Whether a systemd can be told anything.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It runs, or is about to.
    Running,
    /// It does not run here, or is not to be reached; why.
    Away(String),
}

/// What systemd says of a timer and of what it starts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Timer {
    /// Whether it is started at boot.
    pub enabled: bool,
    /// Whether it waits now.
    pub active: bool,
    /// When it came last.
    pub last: Option<Timestamp>,
    /// When it comes next, with its delay.
    pub next: Option<Timestamp>,
    /// The exit status of the last run of its service, where one has ended since the boot.
    pub code: Option<i32>,
}

/// A bus that hangs must not hold a person up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Enabling may start something; reading all units anew takes seconds on a slow machine.
const ACTING: Duration = Duration::from_secs(60);

impl Scope {
    /// Whether it runs. Its own state (`degraded`, `starting`) is no hindrance.
    pub async fn standing(self, context: &Context) -> Standing {
        let command = self.systemctl(&["is-system-running"]).timeout(PATIENCE);
        match context.runner.run(command).await {
            Ok(output) => match output.text().trim() {
                "initializing" | "starting" | "running" | "degraded" | "maintenance" | "stopping" => Standing::Running,
                "offline" if self == Self::System => Standing::Away("this machine was not started by systemd".into()),
                _ if !output.complaint().is_empty() => Standing::Away(output.complaint()),
                "offline" => Standing::Away("this user has no systemd".into()),
                "" => Standing::Away(format!("systemctl {}", output.ending())),
                word => Standing::Away(format!("systemctl says `{word}`")),
            },
            Err(Failure::Missing(_)) => Standing::Away("there is no `systemctl` on PATH".into()),
            Err(failure) => Standing::Away(failure.to_string()),
        }
    }

    /// What it says of a timer; of one that it does not know, that it is neither enabled nor active.
    ///
    /// # Errors
    ///
    /// Why it says nothing.
    pub async fn timer(self, timer: &str, service: &str, context: &Context) -> Result<Timer, String> {
        let fields =
            self.fields(timer, "ActiveState,UnitFileState,LastTriggerUSec,NextElapseUSecRealtime", context).await?;
        let of_service = self.fields(service, "ExecMainStatus,ExecMainExitTimestamp", context).await?;
        let is = |name: &str, word: &str| fields.get(name).is_some_and(|value| value == word);
        let time = |name: &str| fields.get(name).and_then(|value| read_time(value));
        let ended = of_service.get("ExecMainExitTimestamp").and_then(|value| read_time(value)).is_some();
        Ok(Timer {
            enabled: is("UnitFileState", "enabled"),
            active: is("ActiveState", "active"),
            last: time("LastTriggerUSec"),
            next: time("NextElapseUSecRealtime"),
            code: of_service.get("ExecMainStatus").filter(|_| ended).and_then(|value| value.parse().ok()),
        })
    }

    /// Whether a unit is started at boot.
    ///
    /// # Errors
    ///
    /// Why it does not say.
    pub async fn is_enabled(self, unit: &str, context: &Context) -> Result<bool, String> {
        let fields = self.fields(unit, "UnitFileState", context).await?;
        Ok(fields.get("UnitFileState").is_some_and(|value| value == "enabled"))
    }

    /// Reads the files of all units anew.
    ///
    /// # Errors
    ///
    /// Why it did not.
    pub async fn reload(self, context: &Context) -> Result<(), String> {
        self.act(&["daemon-reload"], context).await
    }

    /// Lets a unit be started at boot, and with `now` starts it.
    ///
    /// # Errors
    ///
    /// Why it is not.
    pub async fn enable(self, unit: &str, now: bool, context: &Context) -> Result<(), String> {
        let words: &[&str] = if now { &["enable", "--now", "--", unit] } else { &["enable", "--", unit] };
        self.act(words, context).await
    }

    /// Stops a unit, and lets it not be started at boot any more.
    ///
    /// # Errors
    ///
    /// Why it still runs, or may.
    pub async fn disable(self, unit: &str, context: &Context) -> Result<(), String> {
        self.act(&["disable", "--now", "--", unit], context).await
    }

    /// Starts a unit anew, so that it goes by its changed file.
    ///
    /// # Errors
    ///
    /// Why it was not.
    pub async fn restart(self, unit: &str, context: &Context) -> Result<(), String> {
        self.act(&["restart", "--", unit], context).await
    }

    /// `systemctl`, and `--user` where it is a user's.
    pub fn by_hand(self) -> &'static str {
        match self {
            Self::System => "systemctl",
            Self::User => "systemctl --user",
        }
    }

    async fn fields(self, unit: &str, names: &str, context: &Context) -> Result<BTreeMap<String, String>, String> {
        // Times are printed in the zone of the caller, with a name that may mean several zones.
        let command = self.systemctl(&["show", "-p", names, "--", unit]).timeout(PATIENCE).env("TZ", "UTC");
        let text = said(command, context).await?;
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Ok(pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect())
    }

    async fn act(self, words: &[&str], context: &Context) -> Result<(), String> {
        said(self.systemctl(words).timeout(ACTING), context).await.map(drop)
    }

    fn systemctl(self, words: &[&str]) -> Command {
        // Never asks for a password: nobody may be there.
        let command = Command::new("systemctl").arg("--no-ask-password").env("LC_ALL", "C");
        let command = if self == Self::User { command.arg("--user") } else { command };
        command.args(words)
    }
}

/// Whether the services of a user go on when nobody is logged in; `None` where nobody tells.
pub async fn lingers(user: &str, context: &Context) -> Option<bool> {
    let command = Command::new("loginctl").args(["show-user", "-p", "Linger", "--", user]).timeout(PATIENCE);
    let text = said(command, context).await.ok()?;
    match text.trim() {
        "Linger=yes" => Some(true),
        "Linger=no" => Some(false),
        _ => None,
    }
}

/// What a program prints that must succeed.
pub(super) async fn said(command: Command, context: &Context) -> Result<String, String> {
    let program = command.program.to_string_lossy().into_owned();
    match context.runner.run(command).await {
        Ok(output) if output.success() => Ok(output.text()),
        Ok(output) if output.complaint().is_empty() => Err(format!("{program} {}", output.ending())),
        Ok(output) => Err(output.complaint()),
        Err(Failure::Missing(_)) => Err(format!("there is no `{program}` on PATH")),
        Err(failure) => Err(failure.to_string()),
    }
}

/// `Thu 2026-11-26 02:30:00 UTC`; nothing, `n/a` or `0` where there is no time.
fn read_time(text: &str) -> Option<Timestamp> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [_day, date, time, "UTC"] = words[..] else { return None };
    let wall: DateTime = format!("{date}T{time}").parse().ok()?;
    TimeZone::UTC.to_timestamp(wall).ok()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use super::*;
    use crate::system::process::Scripted;

    fn context(runner: Scripted) -> Context {
        Context { runner: Arc::new(runner), ..Context::real(BTreeMap::new(), "/".into()) }
    }

    #[tokio::test]
    async fn it_runs_or_it_is_said_why_not() {
        for (code, stdout, stderr, away) in [
            (0, "running\n", "", None),
            (1, "degraded\n", "", None),
            (1, "starting\n", "", None),
            (1, "offline\n", "", Some("this machine was not started by systemd")),
            (
                1,
                "unknown\n",
                "Failed to connect to bus: No medium found\n",
                Some("Failed to connect to bus: No medium found"),
            ),
            (1, "", "", Some("systemctl exited with status 1")),
        ] {
            let context = context(Scripted::default().on("is-system-running", code, stdout, stderr));
            let expected = away.map_or(Standing::Running, |why| Standing::Away(why.into()));
            assert_eq!(Scope::System.standing(&context).await, expected, "{stdout}");
        }
        let nothing = context(Scripted::default());
        let missing = Standing::Away("there is no `systemctl` on PATH".into());
        assert_eq!(Scope::User.standing(&nothing).await, missing);
    }

    #[tokio::test]
    async fn a_timer_says_when_it_came_and_comes_and_how_its_run_ended() {
        let timer = "ActiveState=active\nUnitFileState=enabled\nLastTriggerUSec=Thu 2026-11-26 00:15:07 UTC\nNextElapseUSecRealtime=Thu 2026-11-26 00:30:09 UTC\n";
        let service = "ExecMainStatus=3\nExecMainExitTimestamp=Thu 2026-11-26 00:15:09 UTC\n";
        let script = Scripted::default().on("x.timer", 0, timer, "").on("x.service", 0, service, "");
        let found = Scope::User.timer("x.timer", "x.service", &context(script)).await.unwrap();
        let time = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let (last, next) = (time("2026-11-26T00:15:07Z"), time("2026-11-26T00:30:09Z"));
        assert_eq!(found, Timer { enabled: true, active: true, last, next, code: Some(3) });

        let timer = "ActiveState=inactive\nUnitFileState=\nLastTriggerUSec=n/a\nNextElapseUSecRealtime=\n";
        let service = "ExecMainStatus=0\nExecMainExitTimestamp=\n";
        let script = Scripted::default().on("x.timer", 0, timer, "").on("x.service", 0, service, "");
        let found = Scope::System.timer("x.timer", "x.service", &context(script)).await.unwrap();
        assert_eq!(found, Timer::default(), "a status of 0 before any run is none");
    }

    #[tokio::test]
    async fn lingering_is_told_or_unknown() {
        for (text, expected) in [("Linger=yes\n", Some(true)), ("Linger=no\n", Some(false)), ("", None)] {
            let script = Scripted::default().on("show-user", 0, text, "");
            assert_eq!(lingers("ann", &context(script)).await, expected);
        }
        assert_eq!(lingers("ann", &context(Scripted::default())).await, None);
    }
}
