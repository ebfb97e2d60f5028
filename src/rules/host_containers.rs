//! `host.containers`: containers that are unhealthy, start again and again, or were killed for want of memory.

use jiff::{SignedDuration, Timestamp};

use crate::report::{Finding, Status};

/// The id of the public contract.
pub const ID: &str = "host.containers";

/// One container, as the engine tells of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// `running`, `exited`, `restarting`, `dead`, …
    pub state: String,
    /// `healthy`, `unhealthy`, `starting`; `None` where it has no health check.
    pub health: Option<String>,
    /// What the last health check printed.
    pub said: Option<String>,
    /// How often the engine has started it again since it was started by somebody.
    pub restarts: u64,
    /// Whether the kernel killed something in it for want of memory.
    pub out_of_memory: bool,
    /// The status that it ended with.
    pub exit_code: i64,
    /// When it was started last.
    pub started: Option<Timestamp>,
    /// `no`, `always`, `unless-stopped`, `on-failure`.
    pub restart_policy: String,
}

/// Started again by the engine so often, and not long ago: it does not stay up.
const OFTEN: u64 = 3;

/// What has run for so long since it was started again has recovered.
const RECOVERED: SignedDuration = SignedDuration::from_mins(15);

/// One finding for each container that is in trouble, else one for all.
pub fn judge(subject: &str, containers: &[Seen], now: Timestamp) -> Vec<Finding> {
    let troubled: Vec<Finding> = containers.iter().filter_map(|seen| one(subject, seen, now)).collect();
    if !troubled.is_empty() {
        return troubled;
    }
    let running = containers.iter().filter(|seen| seen.state == "running").count();
    let stopped = containers.len() - running;
    let finding = match (running, stopped) {
        (0, 0) => return vec![Finding::skip(ID, subject, "the engine has no containers")],
        (_, 0) => Finding::pass(ID, subject, format!("all {running} containers are well")),
        _ => Finding::pass(ID, subject, format!("{running} containers run and are well, {stopped} are stopped")),
    };
    vec![finding.data("running", running).data("stopped", stopped)]
}

fn one(subject: &str, seen: &Seen, now: Timestamp) -> Option<Finding> {
    let Seen { name, state, health, said, restarts, out_of_memory, exit_code, started, restart_policy } = seen;
    let young = started.is_some_and(|at| now.duration_since(at) < RECOVERED);
    let runs = state == "running";
    let logs = format!("docker logs --tail 50 {name}");
    let (status, reason, summary, fix) = if state == "restarting" || (*restarts >= OFTEN && young && runs) {
        let summary = match out_of_memory {
            true => format!("`{name}` starts again and again, for it runs out of memory ({restarts} times)"),
            false => format!("`{name}` starts again and again ({restarts} times; the last status was {exit_code})"),
        };
        (Status::Fail, "restarting", summary, format!("read why it ends: `{logs}`"))
    } else if state == "dead" {
        let summary = format!("`{name}` is dead: the engine could not remove it");
        (Status::Fail, "dead", summary, format!("remove it with `docker rm -f {name}`; a mount may be busy"))
    } else if health.as_deref() == Some("unhealthy") && runs {
        let summary = format!("`{name}` is unhealthy: its own health check fails");
        (Status::Fail, "unhealthy", summary, format!("read what it says: `{logs}`"))
    } else if *out_of_memory {
        // What the kernel killed may have been a worker that was replaced; a container that ended has nobody left.
        let status = if runs { Status::Warn } else { Status::Fail };
        let verb = if runs { "had a process killed" } else { "was killed" };
        let fix = "give it more memory (`--memory`, `mem_limit`), or find what grows: `docker stats`".to_owned();
        (status, "out-of-memory", format!("`{name}` {verb} for want of memory"), fix)
    } else if state == "exited" && *exit_code != 0 && restart_policy == "on-failure" {
        // With `always` only a person can have stopped it.
        let summary = format!("`{name}` ended with status {exit_code} and is not started again");
        (Status::Fail, "exited", summary, format!("read why it ended: `{logs}`; start it with `docker start {name}`"))
    } else {
        return None;
    };
    let finding = Finding::new(ID, subject, status, summary).fix(fix);
    let finding = match said {
        Some(said) if reason == "unhealthy" => finding.observed(said.clone()),
        _ => finding,
    };
    Some(finding.data("reason", reason).data("container", name.clone()).data("restarts", *restarts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::assert_one_voice;

    const NOW: &str = "2026-11-26T12:00:00Z";

    fn seen(state: &str) -> Seen {
        let started = Some("2026-11-26T11:55:00Z".parse().unwrap());
        let restart_policy = "always".into();
        Seen { name: "web".into(), state: state.into(), started, restart_policy, ..Seen::default() }
    }

    #[test]
    fn each_trouble_is_told_and_what_has_recovered_is_not() {
        let long_ago = Some("2026-11-26T11:00:00Z".parse().unwrap());
        for (seen, verdict) in [
            (seen("running"), None),
            (Seen { health: Some("healthy".into()), ..seen("running") }, None),
            (Seen { health: Some("starting".into()), ..seen("running") }, None),
            (Seen { health: Some("unhealthy".into()), ..seen("running") }, Some((Status::Fail, "unhealthy"))),
            // What it was before it ended.
            (Seen { health: Some("unhealthy".into()), ..seen("exited") }, None),
            (seen("restarting"), Some((Status::Fail, "restarting"))),
            (Seen { restarts: 9, ..seen("running") }, Some((Status::Fail, "restarting"))),
            (Seen { restarts: 9, started: long_ago, ..seen("running") }, None),
            (Seen { restarts: 2, ..seen("running") }, None),
            (Seen { out_of_memory: true, ..seen("running") }, Some((Status::Warn, "out-of-memory"))),
            (Seen { out_of_memory: true, exit_code: 137, ..seen("exited") }, Some((Status::Fail, "out-of-memory"))),
            (Seen { out_of_memory: true, restarts: 5, ..seen("restarting") }, Some((Status::Fail, "restarting"))),
            (
                Seen { exit_code: 1, restart_policy: "on-failure".into(), ..seen("exited") },
                Some((Status::Fail, "exited")),
            ),
            // Stopped by a person, who does not want it back.
            (Seen { exit_code: 137, ..seen("exited") }, None),
            (Seen { exit_code: 137, restart_policy: "unless-stopped".into(), ..seen("exited") }, None),
            (Seen { exit_code: 1, restart_policy: "no".into(), ..seen("exited") }, None),
            (seen("exited"), None),
            (seen("created"), None),
            (seen("paused"), None),
            (seen("dead"), Some((Status::Fail, "dead"))),
        ] {
            let findings = judge("host", std::slice::from_ref(&seen), NOW.parse().unwrap());
            findings.iter().for_each(assert_one_voice);
            let told = findings[0].data.get("reason").and_then(|reason| reason.as_str());
            assert_eq!(told.map(|reason| (findings[0].status, reason)), verdict, "{seen:?}");
        }
    }

    #[test]
    fn those_that_are_well_are_counted_and_none_is_a_skip() {
        let now: Timestamp = NOW.parse().unwrap();
        let findings = judge("host", &[seen("running"), seen("running"), seen("exited")], now);
        assert_eq!(findings[0].summary, "2 containers run and are well, 1 are stopped");
        assert_eq!(judge("host", &[], now)[0].status, Status::Skip);
    }
}
