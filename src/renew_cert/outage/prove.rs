//! Whether it is back: it answers where it answered before, runs, and goes on running.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep, timeout},
};

use super::preflight::probes;
use crate::system::{
    Context,
    docker::{Container, Docker},
    state::{Entry, Owed, Probe},
    systemd, tls,
};

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// How long nginx and what is behind it may take to answer once it is started.
const BACK: Duration = Duration::from_secs(60);

/// How long it must go on without a restart: a crash loop shows "Up 4 seconds" again and again.
const STEADY: Duration = Duration::from_secs(10);

/// How long a proof may take.
pub(super) const LONGEST: Duration = Duration::from_secs(BACK.as_secs() + STEADY.as_secs());

/// What came of the proof.
pub(super) struct Proof {
    /// When it first answered everywhere; the end of the downtime.
    pub back: Option<Instant>,
    /// Why it is not back, one sentence each.
    pub wrong: Vec<String>,
    /// What runs and is no better than it was: unhealthy before and not healthy now.
    pub ailing: Vec<String>,
}

/// Those of the places that answer now, as they will be asked again.
pub(super) async fn answering(places: &[(SocketAddr, bool)], host: &str, context: &Context) -> Vec<Probe> {
    let mut answered = Vec::new();
    for (address, tls) in places {
        let probe = Probe { address: *address, tls: *tls };
        if answers(probe, host, context).await {
            answered.push(probe);
        }
    }
    probes(answered)
}

/// Waits until everything that was started answers and is steady. `begun` is when the start was asked for.
pub(super) async fn prove(entry: &Entry, context: &Context) -> Proof {
    let mut wrong = Vec::new();
    let begun = Instant::now();
    let first = look(entry, context).await;
    let mut silent: Vec<Probe> = entry.probes.clone();
    while !silent.is_empty() && begun.elapsed() < BACK {
        let mut still = Vec::new();
        for probe in silent {
            if !answers(probe, &entry.host, context).await {
                still.push(probe);
            }
        }
        silent = still;
        if !silent.is_empty() {
            sleep(Duration::from_millis(30)).await;
        }
    }
    let back = silent.is_empty().then(Instant::now);
    for probe in &silent {
        let how = if probe.tls { "TLS handshake" } else { "HTTP request" };
        wrong.push(format!("{} answers no {how}", probe.address));
    }
    // A second signal cuts what is not owed any more: it is up and has answered.
    while back.is_some_and(|back| back.elapsed() < STEADY) && context.cancel.state().times < 2 {
        let seen = look(entry, context).await;
        if seen.iter().all(|one| one.healthy) && !seen.is_empty() {
            break;
        }
        if let Some(trouble) = first_trouble(&first, &seen) {
            wrong.push(trouble);
            return Proof { back: None, wrong, ailing: Vec::new() };
        }
        tokio::select! {
            () = sleep(Duration::from_secs(1)) => {}
            () = context.cancel.raised(2) => {}
        }
    }
    // One whose health is measured may take longer than the rest.
    while back.is_some() && begun.elapsed() < BACK && context.cancel.state().times < 2 {
        let seen = look(entry, context).await;
        if !seen.iter().any(|one| one.starting) {
            break;
        }
        sleep(Duration::from_secs(1)).await;
    }
    let last = look(entry, context).await;
    wrong.extend(first_trouble(&first, &last));
    for probe in entry.probes.iter().filter(|_| back.is_some()) {
        if !answers(*probe, &entry.host, context).await {
            wrong.push(format!("{} has stopped answering", probe.address));
        }
    }
    let ailing = last.into_iter().filter(|seen| seen.ailing).map(|seen| seen.title).collect();
    Proof { back: back.filter(|_| wrong.is_empty()), wrong, ailing }
}

/// One thing as it was seen.
struct Seen {
    title: String,
    up: bool,
    restarts: u64,
    /// Its health check says so; without one it never is.
    healthy: bool,
    starting: bool,
    /// It was unhealthy before, and is not healthy now.
    ailing: bool,
    state: String,
}

fn first_trouble(before: &[Seen], now: &[Seen]) -> Option<String> {
    before.iter().zip(now).find_map(|(before, now)| {
        let title = &now.title;
        if !now.up {
            Some(format!("{title} is {}", now.state))
        } else if now.restarts > before.restarts {
            Some(format!("{title} starts and ends again and again"))
        } else if now.state == "unhealthy" {
            Some(format!("{title} runs and its health check says that it is unhealthy"))
        } else {
            None
        }
    })
}

async fn look(entry: &Entry, context: &Context) -> Vec<Seen> {
    let mut seen = Vec::new();
    for owed in &entry.owed {
        let title = owed.title();
        seen.push(match owed {
            Owed::Container { engine, name, paused, unhealthy, .. } => {
                let docker = Docker::through(context, ANSWER * 6, engine).with_variables(&entry.engine);
                match docker.inspect(name).await {
                    Ok(container) => of_container(title, &container, *paused, *unhealthy),
                    Err(trouble) => Seen {
                        title,
                        up: false,
                        restarts: 0,
                        healthy: false,
                        starting: false,
                        ailing: false,
                        state: format!("not to be seen: {trouble}"),
                    },
                }
            }
            Owed::Unit { unit } => {
                let found = systemd::show(unit, context).await.unwrap_or_default();
                let up = matches!(found.active.as_str(), "active" | "reloading");
                Seen { title, up, restarts: 0, healthy: false, starting: false, ailing: false, state: found.active }
            }
        });
    }
    seen
}

fn of_container(title: String, container: &Container, paused: bool, ailed: bool) -> Seen {
    let (health, state) = (health(&container.raw), container.state.as_str());
    let wanted = if paused { "paused" } else { "running" };
    let up = state == wanted;
    Seen {
        title,
        up,
        restarts: container.raw.pointer("/RestartCount").and_then(Value::as_u64).unwrap_or(0),
        healthy: health == "healthy",
        // One that was unhealthy before is not waited for: it would stay so.
        starting: health == "starting" && !ailed,
        ailing: up && ailed && health != "healthy",
        state: if up && health == "unhealthy" && !ailed { health.to_owned() } else { state.to_owned() },
    }
}

/// What a container's own health check says; empty where there is none (podman has an empty status then).
pub(super) fn health(raw: &Value) -> &str {
    raw.pointer("/State/Health/Status").and_then(Value::as_str).unwrap_or_default()
}

async fn answers(probe: Probe, host: &str, context: &Context) -> bool {
    if probe.tls {
        let trust = context.trust.with(&context.environment, &[], None);
        let options = tls::Options { now: context.clock.now(), within: ANSWER, http2: false, pins: &[] };
        // Any certificate will do: which one it is, is looked at elsewhere.
        return match tls::open(probe.address, host, &trust, options).await {
            Ok(_) => true,
            Err(failed) => failed.observation.is_some(),
        };
    }
    let ask = async {
        let mut stream = tls::connect(probe.address, ANSWER).await.ok()?;
        let request = format!("HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        // An engine's proxy accepts before there is anybody behind it.
        let mut first = [0; 5];
        stream.read_exact(&mut first).await.ok()?;
        (first == *b"HTTP/").then_some(())
    };
    timeout(ANSWER, ask).await.ok().flatten().is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(health: &str, ailed: bool) -> Seen {
        let raw = json!({ "State": { "Health": { "Status": health } }, "RestartCount": 0 });
        let container = Container { raw, state: "running".into(), ..Container::default() };
        of_container("the container `web`".into(), &container, false, ailed)
    }

    #[test]
    fn one_that_was_unhealthy_before_need_not_be_healthy_to_be_back() {
        // Health before, now; whether it is trouble, and whether it is told.
        for (ailed, now, trouble, told) in [
            (false, "healthy", false, false),
            (false, "unhealthy", true, false),
            (true, "unhealthy", false, true),
            (true, "starting", false, true),
            (true, "healthy", false, false),
            (false, "", false, false),
        ] {
            let (first, last) = (seen("starting", ailed), seen(now, ailed));
            assert_eq!(first_trouble(&[first], std::slice::from_ref(&last)).is_some(), trouble, "{ailed} {now}");
            assert_eq!(last.ailing, told, "{ailed} {now}");
        }
        assert!(seen("starting", false).starting && !seen("starting", true).starting);
    }
}
