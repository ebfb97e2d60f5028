//! Looks who holds a port.

use std::{net::Ipv4Addr, time::Duration};

use super::{PORT, Refusal};
use crate::{
    rules::holder::{self, Candidate, Holder, Sighting},
    system::{
        Context,
        docker::{Container, Docker, Trouble},
        listener, tls,
    },
};

/// How long an engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Everything that was looked at, for judging and for stopping.
pub(super) struct Gathered {
    /// Who holds the port.
    pub holders: Vec<Holder>,
    /// Every container, with the engine that knows it.
    pub containers: Vec<(&'static str, Container)>,
    /// Why an engine did not answer.
    pub trouble: Option<Trouble>,
}

/// Who holds port 80.
///
/// # Errors
///
/// Why it cannot be told.
pub async fn holders(context: &Context) -> Result<Vec<Holder>, Refusal> {
    gather(context).await.map(|gathered| gathered.holders)
}

/// Looks at the sockets and at every engine that is there.
///
/// # Errors
///
/// Something holds the port that no engine which answers knows.
pub(super) async fn gather(context: &Context) -> Result<Gathered, Refusal> {
    let listeners = listener::listening(PORT).map_err(|error| {
        let why = format!("the listening sockets of this machine cannot be read: {error}");
        Refusal::new("no-sockets", "what holds port 80", why, "run mainstay on the Linux host that serves the site")
    })?;
    let (mut containers, mut trouble) = (Vec::new(), None);
    for engine in ["docker", "podman"] {
        match Docker::through(context, PATIENCE, engine).all().await {
            Ok(found) => containers.extend(found.into_iter().map(|container| (engine, container))),
            Err(Trouble::Absent) => {}
            Err(other) => trouble = trouble.or(Some(other)),
        }
    }
    // Where `docker` is podman under another name, each is seen twice.
    let mut ids: Vec<String> = Vec::new();
    containers.retain(|(_, container)| {
        let fresh = !ids.contains(&container.id);
        ids.push(container.id.clone());
        fresh
    });
    let answers = answers(PORT).await;
    let candidates = containers.iter().map(|(engine, container)| candidate(engine, container)).collect();
    let seen = Sighting { port: PORT, listeners, containers: candidates, answers };
    let holders = holder::judge(&seen);
    match (&trouble, holders.iter().find(|holder| matches!(holder, Holder::Unknown { .. }))) {
        (Some(trouble), Some(holder)) => Err(Refusal::of_trouble(trouble).held_by(holder)),
        _ => Ok(Gathered { holders, containers, trouble }),
    }
}

/// Whether a connection to the port on the loopback address succeeds.
pub(super) async fn answers(port: u16) -> bool {
    tls::connect((Ipv4Addr::LOCALHOST, port).into(), Duration::from_secs(2)).await.is_ok()
}

fn candidate(engine: &str, container: &Container) -> Candidate {
    let published = container.published.iter().filter(|published| published.protocol == "tcp");
    let own = container.raw.pointer("/NetworkSettings/IPAddress").and_then(serde_json::Value::as_str);
    let on_networks = container.networks.iter().map(|network| network.address.clone());
    Candidate {
        engine: engine.to_owned(),
        id: container.id.clone(),
        name: container.name.clone(),
        state: container.state.clone(),
        published: published.map(|published| (published.host_address.clone(), published.host_port)).collect(),
        addresses: on_networks.chain(own.filter(|own| !own.is_empty()).map(str::to_owned)).collect(),
    }
}
