//! `host.containers`: no container is unhealthy, starts again and again, or ran out of memory.

use std::time::Duration;

use futures_util::{FutureExt, future::BoxFuture};

use super::{Check, Host, HostScope, Subject};
use crate::{
    report::Finding,
    rules::host_containers::{ID, judge},
    system::docker::{Docker, Trouble},
};

/// `host.containers`.
pub struct HostContainers;

impl Check<Host> for HostContainers {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "no container is unhealthy, starts again and again, or was killed for want of memory"
    }

    fn needs(&self) -> &'static str {
        "a `[host]` section, and docker or podman"
    }

    fn applies(&self, host: &Host) -> Result<(), String> {
        host.containers.as_ref().map(drop).ok_or_else(|| "`containers` of `[host]` is false".into())
    }

    fn run<'a>(&'a self, scope: &'a HostScope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        look(scope).boxed()
    }

    fn by_hand(&self, _host: &Host) -> String {
        "docker ps -a --format '{{.Names}}\\t{{.Status}}'".into()
    }
}

async fn look(scope: &HostScope<'_>) -> Vec<Finding> {
    let subject = scope.host.name();
    let Some(names) = &scope.host.containers else { return Vec::new() };
    let docker = Docker::new(scope.context, Duration::from_secs(20));
    let found = match docker.all().await {
        Ok(found) => found,
        Err(trouble @ Trouble::Absent) if names.is_empty() => {
            return vec![Finding::skip(ID, subject, trouble.to_string())];
        }
        Err(trouble) => {
            let finding = Finding::unknown(ID, subject, "how the containers are is not known");
            return vec![finding.cause(trouble.to_string()).fix(trouble.fix()).data("reason", trouble.reason())];
        }
    };
    let seen: Vec<_> =
        found.iter().filter(|one| names.is_empty() || names.contains(&one.name)).map(|one| one.seen()).collect();
    let mut findings = Vec::new();
    for name in names.iter().filter(|name| seen.iter().all(|one| one.name != **name)) {
        findings.push(
            Finding::fail(ID, subject, format!("there is no container `{name}`"))
                .fix("start it, or take it out of `containers` of `[host]`")
                .data("reason", "no-container")
                .data("container", name.clone()),
        );
    }
    if !seen.is_empty() || findings.is_empty() {
        findings.extend(judge(subject, &seen, scope.context.clock.now()));
    }
    findings
}
