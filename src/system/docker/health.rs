//! How containers are, out of what `inspect` says of them.

use serde_json::Value;

use super::Container;
use crate::rules::host_containers::Seen;

impl Container {
    /// What there is to know of its health. Docker writes `State.Health`, podman `State.Healthcheck` in some releases.
    pub fn seen(&self) -> Seen {
        let text = |pointer: &str| self.raw.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let health = ["/State/Health", "/State/Healthcheck"].iter().find_map(|pointer| self.raw.pointer(pointer));
        let word = health.and_then(|health| health.get("Status")?.as_str()).filter(|word| !["", "none"].contains(word));
        let last = health.and_then(|health| health.get("Log")?.as_array()?.last()?.get("Output")?.as_str());
        let last = last.map(str::trim).filter(|said| !said.is_empty());
        Seen {
            name: self.name.clone(),
            state: self.state.clone(),
            health: word.map(str::to_owned),
            said: last.map(|said| said.lines().next().unwrap_or_default().chars().take(200).collect()),
            restarts: self.raw.get("RestartCount").and_then(Value::as_u64).unwrap_or(0),
            out_of_memory: self.raw.pointer("/State/OOMKilled").and_then(Value::as_bool).unwrap_or(false),
            exit_code: self.raw.pointer("/State/ExitCode").and_then(Value::as_i64).unwrap_or(0),
            started: self.started,
            restart_policy: text("/HostConfig/RestartPolicy/Name"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::{
        report::Status,
        rules::host_containers::judge,
        system::docker::{
            Docker,
            live::{Live, docker, ready, world},
        },
    };

    const TEST: &str = "system::docker::health::tests::real_containers_in_trouble_are_told";

    #[test]
    fn docker_and_podman_write_it_differently() {
        let container =
            |raw: Value| Container { name: "web".into(), state: "running".into(), raw, ..Container::default() };
        let docker = container(json!({
            "State": {"Health": {"Status": "unhealthy", "Log": [{"Output": "ok"}, {"Output": " no answer\nmore\n"}]},
                      "OOMKilled": true, "ExitCode": 137},
            "RestartCount": 4, "HostConfig": {"RestartPolicy": {"Name": "always"}}}))
        .seen();
        assert_eq!((docker.health.as_deref(), docker.said.as_deref()), (Some("unhealthy"), Some("no answer")));
        assert_eq!((docker.restarts, docker.out_of_memory, docker.exit_code), (4, true, 137));
        assert_eq!(docker.restart_policy, "always");
        let podman = container(json!({"State": {"Healthcheck": {"Status": "healthy"}, "OOMKilled": false}})).seen();
        assert_eq!((podman.health.as_deref(), podman.restarts), (Some("healthy"), 0));
        assert_eq!(container(json!({"State": {"Health": {"Status": "none"}}})).seen().health, None);
    }

    #[tokio::test]
    async fn real_containers_in_trouble_are_told() {
        let programs = ["/bin/sh", "/bin/sleep"];
        let context = world();
        if !ready(&context, TEST, &programs).await {
            return;
        }
        let health = ["--health-cmd", "exit 3", "--health-interval", "1s", "--health-retries", "1"];
        let sick = Live::of(&context, &programs, &health, &["/bin/sleep", "600"]).await;
        let endless = Live::of(&context, &programs, &["--restart", "always"], &["/bin/sh", "-c", "exit 7"]).await;
        let well = Live::of(&context, &programs, &[], &["/bin/sleep", "600"]).await;
        let killed = Live::of(&context, &programs, &["--restart", "always"], &["/bin/sleep", "600"]).await;
        docker(&context, &["stop", "-t", "0", &killed.name]).await;
        let engine = Docker::new(&context, Duration::from_secs(20));
        let mut told = Vec::new();
        for _ in 0..60 {
            let now = context.clock.now();
            let seen: Vec<Seen> = engine.all().await.unwrap().iter().map(Container::seen).collect();
            told.clear();
            for live in [&sick, &endless, &well, &killed] {
                let one: Vec<Seen> = seen.iter().filter(|seen| seen.name == live.name).cloned().collect();
                let findings = judge("host", &one, now);
                let reason = findings[0].data.get("reason").and_then(Value::as_str).unwrap_or_default().to_owned();
                told.push((findings[0].status, reason));
            }
            let pass = (Status::Pass, String::new());
            let expected =
                [(Status::Fail, "unhealthy".to_owned()), (Status::Fail, "restarting".to_owned()), pass.clone(), pass];
            if told == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("after half a minute: {told:?}");
    }
}
