//! Whether gunicorn runs with the settings it should.

use super::{
    observation::{Observation, Trouble},
    setting::{Name, Reading, Source, Value},
};
use crate::report::Finding;

const ID: &str = "gunicorn.settings";

/// What makes hidden settings seen.
const REVEAL: &str = "give them on gunicorn's command line, make gunicorn itself the container's command (`exec gunicorn …` at the \
    end of a script), or run mainstay as root on the engine's host";

/// What the configuration asks for; a key that is not given is not judged.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Expected {
    /// `--workers`.
    pub workers: Option<u32>,
    /// `--threads`.
    pub threads: Option<u32>,
    /// `--timeout`.
    pub timeout: Option<u32>,
    /// `--graceful-timeout`.
    pub graceful_timeout: Option<u32>,
}

/// The finding of a gunicorn that could not be looked at.
pub fn trouble(trouble: &Trouble, subject: &str) -> Finding {
    Finding::unknown(ID, subject, trouble.what.clone()).fix(trouble.fix.clone()).data("reason", trouble.reason)
}

/// Judges the settings that are expected, and the workers that live.
pub fn judge(observation: &Observation, expected: &Expected, subject: &str) -> Finding {
    let wanted = expected.given();
    let finding = verdict(observation, &wanted, subject);
    let finding = if wanted.is_empty() { finding } else { finding.expected(list(&wanted)) };
    let mut notes = observation.notes.clone();
    notes.extend(threads_note(observation));
    finding
        .observed(observed(observation))
        .data("settings", observation.settings.to_json())
        .data("live_workers", observation.live_workers)
        .data("masters", observation.masters)
        .data("evidence", observation.evidence.clone())
        .data("notes", notes)
}

fn verdict(observation: &Observation, wanted: &[(Name, u64)], subject: &str) -> Finding {
    if let Some(reason) = &observation.refused {
        return Finding::fail(ID, subject, format!("gunicorn does not start with {}", observation.place))
            .cause(reason.clone())
            .fix("correct the command line; `gunicorn --check-config` with the same words says when it is right")
            .data("reason", "refused");
    }
    let settings = &observation.settings;
    let wrong: Vec<&(Name, u64)> =
        wanted.iter().filter(|(name, value)| settings.number(*name).is_some_and(|number| number != *value)).collect();
    if !wrong.is_empty() {
        return different(observation, &wrong, subject);
    }
    if observation.masters > 1 {
        return several_masters(observation, subject);
    }
    let hidden: Vec<(Name, &str)> = wanted
        .iter()
        .filter_map(|(name, _)| match settings.reading(*name) {
            Reading::Unknown(reason) => Some((*name, reason.as_str())),
            Reading::Known(..) => None,
        })
        .collect();
    if let Some((_, reason)) = hidden.first() {
        let names: Vec<&str> = hidden.iter().map(|(name, _)| name.key()).collect();
        return Finding::unknown(ID, subject, format!("{} of gunicorn cannot be known", names.join(", ")))
            .cause((*reason).to_owned())
            .fix(REVEAL)
            .data("reason", "hidden");
    }
    if wanted.is_empty() && settings.is_unknown() {
        let reason = settings.reading(Name::Workers).to_string();
        return Finding::unknown(ID, subject, "the settings of gunicorn cannot be known").cause(reason).fix(REVEAL);
    }
    if let (Some(live), Some(configured)) = (observation.live_workers, settings.number(Name::Workers))
        && live != configured
    {
        let fewer = live < configured;
        return Finding::warn(ID, subject, format!("configured for {configured} workers, but {live} live"))
            .cause(if fewer {
                "workers die or do not start, or TTOU took one away: neither changes the configuration"
            } else {
                "somebody sent TTIN to the master, which adds a worker and leaves the configuration as it is"
            })
            .fix(if fewer {
                "read gunicorn's log for workers that end; send TTIN to the master for one more"
            } else {
                "send TTOU to the master for one fewer, or configure the number that is wanted"
            })
            .data("reason", "live-workers");
    }
    match wanted {
        [] => Finding::pass(ID, subject, "gunicorn's settings were read; none is expected"),
        _ => Finding::pass(ID, subject, format!("gunicorn runs with {}", list(wanted))),
    }
}

fn different(observation: &Observation, wrong: &[&(Name, u64)], subject: &str) -> Finding {
    let names: Vec<String> = wrong
        .iter()
        .filter_map(|(name, value)| {
            let number = observation.settings.number(*name)?;
            Some(format!("{} is {number}, not {value}", name.key()))
        })
        .collect();
    let sources: Vec<String> =
        wrong.iter().map(|(name, _)| format!("{}: {}", name.key(), observation.settings.reading(*name))).collect();
    let fixes: Vec<String> = wrong
        .iter()
        .filter_map(|(name, value)| match observation.settings.reading(*name) {
            Reading::Known(_, source) => Some(fix(*name, *value, source)),
            Reading::Unknown(_) => None,
        })
        .collect();
    Finding::fail(ID, subject, names.join(", "))
        .cause(sources.join(", "))
        .fix(fixes.join("; "))
        .data("reason", "different")
}

fn fix(name: Name, value: u64, source: &Source) -> String {
    let flag = name.flag();
    match source {
        Source::Argv => format!("change {flag} on the command line to {value}"),
        Source::CommandArguments => format!("change {flag} in GUNICORN_CMD_ARGS to {value}"),
        Source::Control => format!("change {} to {value} where gunicorn is configured", name.key()),
        Source::File(path, line) => format!("change {} in {path}, line {line}, to {value}", name.key()),
        Source::Variable(variable) => format!("change {variable} to {value}"),
        Source::Default => format!("start gunicorn with {flag} {value}"),
    }
}

fn several_masters(observation: &Observation, subject: &str) -> Finding {
    let note = observation.notes.iter().find(|note| note.contains("USR2"));
    match note {
        Some(note) => Finding::warn(ID, subject, "two masters of gunicorn run")
            .cause(note.clone())
            .fix("end the upgrade: send WINCH and then QUIT to the old master, or QUIT to the new one to take it back")
            .data("reason", "two-masters"),
        None => {
            let count = observation.masters;
            Finding::unknown(ID, subject, format!("{count} gunicorns run in {}", observation.place))
                .cause("which of them serves this site cannot be told from outside")
                .fix("run one gunicorn in a container, or name its pid file on its own machine (`pid_file`)")
                .data("reason", "several-masters")
        }
    }
}

fn threads_note(observation: &Observation) -> Option<String> {
    let settings = &observation.settings;
    let sync = matches!(settings.reading(Name::WorkerClass), Reading::Known(Value::Text(class), _) if class == "sync");
    let threads = settings.number(Name::Threads)?;
    (sync && threads > 1).then(|| format!("the worker class is gthread, because sync has no {threads} threads"))
}

fn observed(observation: &Observation) -> String {
    let mut parts: Vec<String> = Name::ALL
        .into_iter()
        .filter(|name| *name != Name::ForwardedAllowIps)
        .map(|name| format!("{} {}", name.key(), observation.settings.reading(name)))
        .collect();
    if let Some(live) = observation.live_workers {
        parts.push(format!("{live} workers live"));
    }
    parts.join(", ")
}

fn list(wanted: &[(Name, u64)]) -> String {
    wanted.iter().map(|(name, value)| format!("{} {value}", name.key())).collect::<Vec<_>>().join(", ")
}

impl Expected {
    fn given(&self) -> Vec<(Name, u64)> {
        [
            (Name::Workers, self.workers),
            (Name::Threads, self.threads),
            (Name::Timeout, self.timeout),
            (Name::GracefulTimeout, self.graceful_timeout),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, u64::from(value?))))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::Status,
        rules::gunicorn::{Settings, observation::sample::observation},
    };

    fn expected() -> Expected {
        Expected { workers: Some(3), threads: Some(4), timeout: Some(90), graceful_timeout: Some(30) }
    }

    fn judge(seen: &Observation, expected: &Expected, subject: &str) -> Finding {
        let finding = super::judge(seen, expected, subject);
        crate::report::assert_one_voice(&finding);
        finding
    }

    #[test]
    fn case_42_all_settings_as_expected() {
        let seen = observation(&["-w3", "--thr", "4", "-t90", "--graceful", "30", "--forwarded", "*", "app:app"]);
        let finding = judge(&seen, &expected(), "prime");
        assert_eq!(finding.status, Status::Pass, "{finding:?}");
        assert_eq!(finding.data["settings"]["workers"], serde_json::json!({"value": 3, "source": "argv"}));
        assert_eq!(finding.data["settings"]["forwarded_allow_ips"]["value"], "*");
        assert!(finding.data["notes"][0].as_str().unwrap().contains("gthread"));
    }

    #[test]
    fn case_47_hidden_is_unknown_and_not_wrong() {
        let mut seen = observation(&["app:app"]);
        seen.settings = Settings::unknown("the container's first process is `entrypoint.sh`");
        let finding = judge(&seen, &expected(), "prime");
        assert_eq!(finding.status, Status::Unknown);
        assert!(finding.cause.unwrap().contains("entrypoint.sh"));
        assert_eq!(judge(&seen, &Expected::default(), "prime").status, Status::Unknown);
    }

    #[test]
    fn case_48_live_workers_are_told_apart_from_the_configured() {
        let mut seen = observation(&["-w", "3", "app:app"]);
        seen.live_workers = Some(4);
        let only = Expected { workers: Some(3), ..Expected::default() };
        let finding = judge(&seen, &only, "prime");
        assert_eq!(finding.status, Status::Warn);
        assert_eq!(finding.data["settings"]["workers"]["value"], 3);
        assert_eq!(finding.data["live_workers"], 4);
        seen.live_workers = Some(3);
        assert_eq!(judge(&seen, &only, "prime").status, Status::Pass);
    }

    #[test]
    fn what_is_wrong_names_its_source_and_the_change() {
        let finding = judge(&observation(&["-w", "2", "app:app"]), &expected(), "prime");
        assert_eq!(finding.status, Status::Fail);
        assert!(finding.summary.contains("workers is 2, not 3"));
        assert!(finding.cause.unwrap().contains("workers: 2 (argv)"));
        let fix = finding.fix.unwrap();
        assert!(fix.contains("--workers on the command line to 3") && fix.contains("start gunicorn with --threads 4"));
    }

    #[test]
    fn two_masters_are_an_upgrade_or_not_to_be_told_apart() {
        let mut seen = observation(&["-w", "3", "app:app"]);
        seen.masters = 2;
        assert_eq!(judge(&seen, &Expected::default(), "x").status, Status::Unknown);
        seen.notes.push("USR2 started a second master".into());
        assert_eq!(judge(&seen, &Expected::default(), "x").status, Status::Warn);
    }
}
