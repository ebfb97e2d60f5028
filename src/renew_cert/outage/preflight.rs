//! What would be stopped, and whether all of it would come back: looked at before anything is touched.

use std::{net::SocketAddr, path::Path, time::Duration};

use serde_json::Value;

use super::{
    PORT, Preflight, Refusal, Stop, Wanted,
    gather::{Gathered, gather},
    order::order,
    prove,
};
use crate::{
    rules::{
        holder::Holder,
        restartable::{self, Facts, Tested},
    },
    system::{
        Context,
        docker::{Container, Docker, Trouble},
        nginx::{self, Role, Start},
        process::{Command, Failure, Output},
        program,
        state::{Owed, Probe},
        systemd,
    },
};

/// How long the engine may take to answer, and `nginx -t` to end: on a dead resolver it takes 10 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a container that is just restarting may take to settle.
const SETTLE: Duration = Duration::from_secs(15);

/// How long a container gets after TERM, where it does not say itself (`--stop-timeout`).
const GRACE: u64 = 5;

/// What standalone would stop, and every reason not to. Looks only; `nginx -t` is run where nginx runs.
pub async fn preflight(wanted: &Wanted, context: &Context) -> Preflight {
    let mut preflight = Preflight::default();
    let gathered = match gather(context).await {
        Ok(gathered) => gathered,
        Err(refusal) => {
            preflight.refusals.push(refusal);
            return preflight;
        }
    };
    let targets = targets(wanted, &gathered, &mut preflight);
    let targets = order(targets, |target| match target {
        Target::Container { container, .. } => Some(*container),
        Target::Unit { .. } => None,
    });
    for target in targets {
        match target {
            Target::Container { engine, container, how } => {
                look_at_container(engine, container, how, wanted, &mut preflight, context).await;
            }
            Target::Unit { unit, pids, how } => look_at_unit(unit, &pids, how, wanted, &mut preflight, context).await,
        }
    }
    for folder in wanted.writable.iter().map(|folder| &**folder).chain([wanted.state.folder()]) {
        preflight.refusals.extend(unwritable(folder));
    }
    preflight
}

/// Something that will be looked at.
enum Target<'a> {
    Container { engine: &'static str, container: &'a Container, how: String },
    Unit { unit: String, pids: Vec<u32>, how: String },
}

/// What holds the port or is named in the configuration; what holds it and is not named, or not known, is refused.
fn targets<'a>(wanted: &Wanted, gathered: &'a Gathered, preflight: &mut Preflight) -> Vec<Target<'a>> {
    let known = |id: &str| gathered.containers.iter().find(|(_, container)| container.id == id);
    let mut targets = Vec::new();
    let is_named = |name: &str| wanted.stop.as_ref().is_none_or(|names| names.iter().any(|named| is_same(named, name)));
    for holder in &gathered.holders {
        let name = match holder {
            Holder::Container { name, .. } => name,
            Holder::Unit { unit, .. } => unit,
            Holder::Unknown { .. } => {
                preflight.refusals.push(Refusal::of_unknown(holder));
                continue;
            }
        };
        if !is_named(name) {
            let why = format!("{} holds port 80 and is not in `stop`", holder.title());
            let fix = format!("add `{name}` to `stop`, or leave `stop` out: then whatever holds port 80 is stopped");
            preflight.refusals.push(Refusal::new("not-listed", holder.title(), why, fix));
            continue;
        }
        match holder {
            Holder::Container { id, how, .. } => targets
                .extend(known(id).map(|(engine, container)| Target::Container { engine, container, how: how.clone() })),
            Holder::Unit { unit, pids, how } => {
                targets.push(Target::Unit { unit: unit.clone(), pids: pids.clone(), how: how.clone() });
            }
            Holder::Unknown { .. } => {}
        }
    }
    for name in wanted.stop.iter().flatten() {
        let is_there = targets.iter().any(|target| match target {
            Target::Container { container, .. } => is_same(name, &container.name),
            Target::Unit { unit, .. } => is_same(name, unit),
        });
        if is_there {
            continue;
        }
        let how = "is named in `stop`".to_owned();
        let named = gathered.containers.iter().find(|(_, container)| is_same(name, &container.name));
        match named {
            Some((engine, container)) if matches!(container.state.as_str(), "running" | "paused" | "restarting") => {
                targets.push(Target::Container { engine, container, how });
            }
            // What does not run is not stopped, and so never started.
            Some((_, container)) => {
                preflight.notes.push(format!("`{name}` is {}: it is neither stopped nor started", container.state));
            }
            None if name.ends_with(".service") => {
                targets.push(Target::Unit { unit: name.clone(), pids: Vec::new(), how });
            }
            None => {
                let why = match &gathered.trouble {
                    Some(trouble) => trouble.to_string(),
                    None => "there is no such container".to_owned(),
                };
                let fix = "correct `stop` in the configuration (a unit is written with `.service`)";
                preflight.refusals.push(Refusal::new("no-container", format!("`{name}`"), why, fix));
            }
        }
    }
    targets
}

/// Compose 2 names `x-web-1` what Compose 1 named `x_web_1`.
fn is_same(named: &str, name: &str) -> bool {
    named.replace('_', "-") == name.replace('_', "-")
}

async fn look_at_container(
    engine: &'static str,
    container: &Container,
    how: String,
    wanted: &Wanted,
    preflight: &mut Preflight,
    context: &Context,
) {
    let docker = Docker::through(context, PATIENCE, engine);
    let settled;
    let container = match settle(&docker, container, context).await {
        Some(fresh) => {
            settled = fresh;
            &settled
        }
        None => container,
    };
    let title = format!("the container `{}`", container.name);
    match facts(&docker, container).await {
        Ok(facts) => {
            let obstacles = restartable::judge(&container.name, &facts).into_iter();
            let refusal = |obstacle: restartable::Obstacle| {
                Refusal::new(obstacle.reason, title.clone(), obstacle.why, obstacle.fix)
            };
            preflight.refusals.extend(obstacles.map(refusal));
            preflight.notes.extend(restartable::unproved(&container.name, &facts));
        }
        Err(trouble) => {
            preflight.refusals.push(Refusal::new(trouble.reason(), title, trouble.to_string(), trouble.fix()))
        }
    }
    let policy = policy(&container.raw);
    let unhealthy = prove::health(&container.raw) == "unhealthy";
    if unhealthy {
        preflight.notes.push(format!("`{}` is unhealthy already, by its own health check", container.name));
    }
    preflight.stops.push(Stop {
        probes: prove::answering(&places(container), &wanted.host, context).await,
        owed: Owed::Container {
            engine: engine.to_owned(),
            name: container.name.clone(),
            id: container.id.clone(),
            paused: container.state == "paused",
            leased: policy != "always",
            unhealthy,
            policy,
        },
        how,
        grace: container.raw.pointer("/Config/StopTimeout").and_then(Value::as_u64).unwrap_or(GRACE),
    });
}

/// A container that restarts is looked at again until it does not.
async fn settle(docker: &Docker<'_>, container: &Container, context: &Context) -> Option<Container> {
    let begun = tokio::time::Instant::now();
    let mut fresh = None;
    let mut state = container.state.clone();
    while state == "restarting" && begun.elapsed() < SETTLE && !context.cancel.is_raised() {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let Ok(found) = docker.inspect(&container.id).await else { break };
        state.clone_from(&found.state);
        fresh = Some(found);
    }
    fresh
}

async fn facts(docker: &Docker<'_>, container: &Container) -> Result<Facts, Trouble> {
    let raw = &container.raw;
    let text = |pointer: &str| raw.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let image = text("/Image");
    let missing_image = match image.is_empty() || docker.has("image", image).await? {
        true => None,
        false => Some(container.image.clone()),
    };
    let mut missing_mounts = Vec::new();
    for mount in raw.pointer("/Mounts").and_then(Value::as_array).into_iter().flatten() {
        let field = |name: &str| mount.get(name).and_then(Value::as_str).unwrap_or_default();
        let gone = match field("Type") {
            "bind" => !Path::new(field("Source")).exists(),
            "volume" => !docker.has("volume", field("Name")).await?,
            _ => false,
        };
        if gone {
            missing_mounts.push(if field("Source").is_empty() { field("Name") } else { field("Source") }.to_owned());
        }
    }
    let mut missing_networks = Vec::new();
    let networks = raw.pointer("/NetworkSettings/Networks").and_then(Value::as_object);
    for (name, network) in networks.into_iter().flatten() {
        // Made anew under the same name, it is another network for the engine.
        let id = network.get("NetworkID").and_then(Value::as_str).filter(|id| !id.is_empty());
        if !docker.has("network", id.unwrap_or(name)).await? {
            missing_networks.push(name.clone());
        }
    }
    Ok(Facts {
        state: container.state.clone(),
        auto_remove: raw.pointer("/HostConfig/AutoRemove").and_then(Value::as_bool).unwrap_or(false),
        labels: container.labels.clone(),
        tested: tested(docker, container).await,
        missing_image,
        missing_mounts,
        missing_networks,
    })
}

/// What `nginx -t` says in it now: one that runs has read its configuration long ago.
async fn tested(docker: &Docker<'_>, container: &Container) -> Tested {
    if container.state != "running" {
        return Tested::Unasked(format!("it is {}", container.state));
    }
    let answer = docker.exec(&container.id, &["nginx", "-t"]).await;
    if let Ok(output) = &answer
        && !is_missing(output)
    {
        return said(output);
    }
    // What runs in it decides what an answer that is none means.
    let runs = docker.processes(&container.id).await;
    let master = runs.as_ref().map(|processes| {
        processes.iter().find_map(|process| match nginx::role(&process.arguments) {
            Some(Role::Master(start)) => Some(start),
            _ => None,
        })
    });
    match (answer, master) {
        (Err(Trouble::Slow(limit)), _) => Tested::Slow(limit.as_secs()),
        (Err(trouble), Ok(None)) => Tested::Unasked(trouble.to_string()),
        (Err(trouble), _) => Tested::Unproved(trouble.to_string()),
        (Ok(_), Ok(Some(start))) => {
            // Its program may lie where PATH does not lead.
            let words: Vec<&str> =
                [start.program.as_str()].into_iter().chain(start.arguments()).chain(["-t"]).collect();
            match docker.exec(&container.id, &words).await {
                Ok(output) if is_missing(&output) => {
                    Tested::Unproved(format!("there is no program `{}` in it", start.program))
                }
                Ok(output) => said(&output),
                Err(Trouble::Slow(limit)) => Tested::Slow(limit.as_secs()),
                Err(trouble) => Tested::Unproved(trouble.to_string()),
            }
        }
        (Ok(_), _) => Tested::NotNginx,
    }
}

/// Whether the engine found no such program.
fn is_missing(output: &Output) -> bool {
    matches!(output.code, Some(126 | 127))
}

fn said(output: &Output) -> Tested {
    if output.success() { Tested::Fine } else { Tested::Broken(complaint(&output.complaint())) }
}

/// The line that says what is wrong, not the one that says that something is.
fn complaint(text: &str) -> String {
    let line = text.split("; ").find(|line| line.contains("[emerg]") || line.contains("[alert]"));
    line.unwrap_or(text).to_owned()
}

/// Where a container answers by TLS: what it publishes for 443, or the host's own 443 on the host's network.
fn places(container: &Container) -> Vec<(SocketAddr, bool)> {
    let mut places = Vec::new();
    for published in container.published.iter().filter(|published| published.protocol == "tcp") {
        let address = match published.host_address.as_str() {
            "0.0.0.0" => "127.0.0.1",
            "::" => "::1",
            address => address,
        };
        let tls = published.port == 443 || published.host_port == 443;
        if let (Ok(address), true) = (address.parse(), tls || published.host_port == PORT) {
            places.push((SocketAddr::new(address, published.host_port), tls));
        }
    }
    if container.network_mode == "host" { own_places() } else { places }
}

/// Where something answers that listens itself.
fn own_places() -> Vec<(SocketAddr, bool)> {
    vec![(SocketAddr::from(([127, 0, 0, 1], 443)), true), (SocketAddr::from(([127, 0, 0, 1], PORT)), false)]
}

/// The restart policy as `--restart` takes it.
fn policy(raw: &Value) -> String {
    let name = raw.pointer("/HostConfig/RestartPolicy/Name").and_then(Value::as_str).unwrap_or_default();
    let retries = raw.pointer("/HostConfig/RestartPolicy/MaximumRetryCount").and_then(Value::as_u64).unwrap_or(0);
    match name {
        "" => "no".to_owned(),
        "on-failure" if retries > 0 => format!("on-failure:{retries}"),
        name => name.to_owned(),
    }
}

async fn look_at_unit(
    unit: String,
    pids: &[u32],
    how: String,
    wanted: &Wanted,
    preflight: &mut Preflight,
    context: &Context,
) {
    let title = format!("the unit `{unit}`");
    let mut refuse = |reason, why: String, fix: String| {
        preflight.refusals.push(Refusal::new(reason, title.clone(), why, fix));
    };
    let mut master = nginx::master_among(pids, context);
    match systemd::show(&unit, context).await {
        Err(why) => {
            refuse("systemd", format!("systemd does not tell of it: {why}"), format!("see `systemctl status {unit}`"))
        }
        Ok(found) if found.load != "loaded" => {
            refuse("unit-gone", format!("its unit file is {}", found.load), format!("see `systemctl cat {unit}`"));
        }
        Ok(found) if found.active != "active" => {
            refuse("not-settled", format!("it is {}", found.active), format!("see `systemctl status {unit}`"));
        }
        // What a job of cron or a login left behind lives in that service's tree, and is not what it starts.
        Ok(found) if !pids.is_empty() && !pids.contains(&found.main) => {
            let why = "what holds port 80 runs in it, and is not what it starts".to_owned();
            refuse("unknown-holder", why, "stop it by hand for the renewal, or renew by webroot".to_owned());
        }
        Ok(found) => {
            master = master.or_else(|| nginx::master_among(&[found.main], context));
            if found.file == "disabled" {
                preflight.notes.push(format!("`{unit}` is not enabled: after a reboot it would not start by itself"));
            }
        }
    }
    match master {
        None if !unit.starts_with("nginx") => {
            preflight.notes.push(format!("`{unit}` is no nginx: that it would start again was not proved"));
        }
        master => {
            let start = master.unwrap_or_else(|| Start { program: "nginx".to_owned(), ..Start::default() });
            if let Some((why, fix)) = test(&start, context).await {
                preflight.refusals.push(Refusal::new("nginx-test", title, why, fix));
            }
        }
    }
    preflight.stops.push(Stop {
        probes: prove::answering(&own_places(), &wanted.host, context).await,
        owed: Owed::Unit { unit },
        how,
        grace: 0,
    });
}

/// Why it is not proved that the nginx of this machine would start again, and what to do; `None` where it would.
async fn test(start: &Start, context: &Context) -> Option<(String, String)> {
    let command = Command::new(program::reachable(&start.program, context));
    let command = command.args(start.arguments()).arg("-t").timeout(PATIENCE);
    let mend = "mend what `nginx -t` says first; it still serves meanwhile";
    let (why, fix) = match context.runner.run(command).await {
        Ok(output) if output.success() => return None,
        Ok(output) => (format!("nginx would not start again: {}", complaint(&output.complaint())), mend),
        Err(Failure::TimedOut(limit)) => (format!("`nginx -t` did not end within {} s", limit.as_secs()), mend),
        Err(failure) => (
            format!("`nginx -t` could not be run, so nobody knows whether nginx would start again: {failure}"),
            "correct PATH (cron's is short) so that `nginx` is found, or renew by webroot",
        ),
    };
    Some((why, fix.to_owned()))
}

/// Why nothing could be written to a folder, as far as can be seen without writing.
fn unwritable(folder: &Path) -> Option<Refusal> {
    let there = folder.ancestors().find(|folder| folder.exists())?;
    let title = format!("`{}`", folder.display());
    let fix = "free some space, or mount it for writing, before the renewal";
    let refuse = |why: String| Some(Refusal::new("disk", title.clone(), why, fix));
    if let Err(error) = rustix::fs::access(there, rustix::fs::Access::WRITE_OK) {
        return refuse(format!("`{}` cannot be written to: {}", there.display(), std::io::Error::from(error)));
    }
    match rustix::fs::statvfs(there) {
        Ok(disk) if disk.f_blocks > 0 && disk.f_bavail == 0 => refuse("its disk is full".to_owned()),
        _ => None,
    }
}

/// The places that count: of those that answer by TLS all, else those that answer at all.
pub(super) fn probes(answered: Vec<Probe>) -> Vec<Probe> {
    let any = answered.iter().any(|probe| probe.tls);
    answered.into_iter().filter(|probe| probe.tls || !any).collect()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use super::*;
    use crate::system::{process::Scripted, state::State};

    fn world(runner: Scripted) -> Context {
        let mut context = Context::real(BTreeMap::new(), "/".into());
        context.runner = Arc::new(runner);
        context
    }

    /// What a unit that runs gives reason to; nothing of it can be seen in `/proc`.
    async fn unit(name: &str, script: Scripted) -> Preflight {
        let shown = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nMainPID=0\n";
        let context = world(script.on("systemctl", 0, shown, ""));
        let place = tempfile::tempdir().unwrap();
        let wanted = Wanted {
            certificate: "prime".into(),
            command: "renew-cert".into(),
            stop: None,
            host: "a.test".into(),
            engine: None,
            lineage: None,
            writable: vec![],
            state: State::find(&context, Some(place.path())).unwrap(),
            lock_wait: Duration::ZERO,
            own: "/proc/self/exe".into(),
        };
        let mut preflight = Preflight::default();
        look_at_unit(name.to_owned(), &[], "is named".to_owned(), &wanted, &mut preflight, &context).await;
        preflight
    }

    #[tokio::test]
    async fn renew_case_32_an_nginx_unit_whose_test_cannot_be_run_is_not_stopped() {
        let fine = unit("nginx.service", Scripted::default().on("nginx -t", 0, "", "")).await;
        assert!(fine.may_stop() && fine.notes.is_empty(), "{fine:?}");
        let missing = unit("nginx.service", Scripted::default()).await;
        let refusal = &missing.refusals[0];
        assert_eq!((missing.refusals.len(), refusal.reason), (1, "nginx-test"));
        assert!(refusal.why.contains("could not be run") && refusal.fix.contains("PATH"), "{refusal:?}");
        let broken = Scripted::default().on("nginx -t", 1, "", "nginx: [emerg] no such thing");
        assert!(unit("nginx.service", broken).await.refusals[0].why.ends_with("[emerg] no such thing"));
        // Another server has no test that is known here.
        let other = unit("caddy.service", Scripted::default()).await;
        assert!(other.may_stop(), "{other:?}");
        assert_eq!(other.notes, ["`caddy.service` is no nginx: that it would start again was not proved"]);
    }

    /// What is known of a container after this script, in which this runs.
    async fn of_container(script: Scripted, runs: &str) -> Tested {
        let inspected = r#"[{"Id": "abc", "Name": "/web", "State": {"Status": "running", "Pid": 7}}]"#;
        let top = format!("PID PPID ELAPSED COMMAND\n7 1 60 {runs}\n");
        let context = world(script.on("docker inspect", 0, inspected, "").on("docker top", 0, top, ""));
        let docker = Docker::new(&context, PATIENCE);
        let container = docker.inspect("web").await.unwrap();
        tested(&docker, &container).await
    }

    #[tokio::test]
    async fn renew_case_32_an_nginx_in_a_container_whose_test_cannot_be_run_is_told_from_another_server() {
        const NGINX: &str = "nginx: master process nginx -g daemon off;";
        let missing = || Scripted::default().on("docker exec abc nginx", 126, "exec: \"nginx\": not found", "");
        assert_eq!(of_container(missing(), "python3 -m http.server 80").await, Tested::NotNginx);
        assert!(matches!(of_container(missing(), NGINX).await, Tested::Unproved(_)));
        let elsewhere = "nginx: master process /opt/nginx/sbin/nginx -c /x.conf";
        let found = missing().on("docker exec abc /opt/nginx/sbin/nginx -c /x.conf -t", 0, "", "");
        assert_eq!(of_container(found, elsewhere).await, Tested::Fine);
        let refused = || Scripted::default().on("docker exec", 125, "", "Error response from daemon: no room left");
        assert!(matches!(of_container(refused(), "httpd -D FOREGROUND").await, Tested::Unasked(_)));
        assert!(matches!(of_container(refused(), NGINX).await, Tested::Unproved(why) if why.contains("no room")));
    }
}
