//! Reads what `docker inspect` (or `podman inspect`) says of a container.

use jiff::Timestamp;
use serde_json::Value;

use super::{Container, Network, Published};

/// The containers of an `inspect` answer, which is a list of documents.
pub(super) fn containers(text: &str) -> Result<Vec<Container>, String> {
    let documents: Vec<Value> =
        serde_json::from_str(text).map_err(|error| format!("`inspect` did not answer JSON: {error}"))?;
    Ok(documents.into_iter().map(container).collect())
}

fn container(raw: Value) -> Container {
    let text = |pointer: &str| raw.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = |pointer: &str| -> Vec<String> {
        let items = raw.pointer(pointer).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(|item| item.as_str().map(ToOwned::to_owned)).collect()
    };
    let mut argv = list("/Args");
    if !text("/Path").is_empty() {
        argv.insert(0, text("/Path"));
    }
    let labels = raw.pointer("/Config/Labels").and_then(Value::as_object);
    let labels =
        labels.into_iter().flatten().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    Container {
        id: text("/Id"),
        name: text("/Name").trim_start_matches('/').to_owned(),
        state: text("/State/Status"),
        pid: raw.pointer("/State/Pid").and_then(Value::as_u64).and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0),
        // A container that never ran was started in the year 1.
        started: text("/State/StartedAt").parse().ok().filter(|started| *started > Timestamp::UNIX_EPOCH),
        image: text("/Config/Image"),
        argv,
        environment: list("/Config/Env"),
        folder: text("/Config/WorkingDir"),
        labels: labels.collect(),
        published: published(&raw),
        network_mode: text("/HostConfig/NetworkMode"),
        networks: networks(&raw),
        note: None,
        raw,
    }
}

/// `{"443/tcp": [{"HostIp": "0.0.0.0", "HostPort": "443"}], "80/tcp": null}`.
fn published(raw: &Value) -> Vec<Published> {
    let live = raw.pointer("/NetworkSettings/Ports").and_then(Value::as_object).filter(|ports| !ports.is_empty());
    let asked = || raw.pointer("/HostConfig/PortBindings").and_then(Value::as_object);
    let mut published = Vec::new();
    for (inside, bindings) in live.or_else(asked).into_iter().flatten() {
        let (port, protocol) = inside.split_once('/').unwrap_or((inside, "tcp"));
        let Ok(port) = port.parse() else { continue };
        for binding in bindings.as_array().into_iter().flatten() {
            let field = |name: &str| binding.get(name).and_then(Value::as_str).unwrap_or_default();
            let Ok(host_port) = field("HostPort").parse() else { continue };
            // An empty address is every address.
            let host_address = if field("HostIp").is_empty() { "0.0.0.0" } else { field("HostIp") }.to_owned();
            published.push(Published { port, protocol: protocol.to_owned(), host_address, host_port });
        }
    }
    published
}

fn networks(raw: &Value) -> Vec<Network> {
    let mut networks = Vec::new();
    for (name, network) in raw.pointer("/NetworkSettings/Networks").and_then(Value::as_object).into_iter().flatten() {
        for (address, prefix) in [("IPAddress", "IPPrefixLen"), ("GlobalIPv6Address", "GlobalIPv6PrefixLen")] {
            let address = network.get(address).and_then(Value::as_str).unwrap_or_default();
            let prefix = network.get(prefix).and_then(Value::as_u64).and_then(|bits| u8::try_from(bits).ok());
            if let (false, Some(prefix)) = (address.is_empty(), prefix) {
                networks.push(Network { name: name.clone(), address: address.to_owned(), prefix });
            }
        }
    }
    networks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mainstay_needs_is_read_out() {
        let text = r#"[{"Id": "abc", "Name": "/web", "Path": "gunicorn", "Args": ["-w", "", "3"],
            "State": {"Status": "running", "Pid": 42, "StartedAt": "2026-11-23T18:00:00.5Z"},
            "Config": {"Image": "app:1", "Env": ["A=b=c", "EMPTY="], "WorkingDir": "/app",
                       "Labels": {"com.docker.compose.project": "prime"}},
            "HostConfig": {"NetworkMode": "prime_default", "PortBindings": {"1/tcp": [{"HostPort": "1"}]}},
            "NetworkSettings": {
                "Ports": {"80/tcp": null, "8443/tcp": [{"HostIp": "0.0.0.0", "HostPort": "443"}, {"HostIp": "::", "HostPort": "443"}]},
                "Networks": {"prime_default": {"IPAddress": "172.18.0.3", "IPPrefixLen": 16,
                             "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0}}}}]"#;
        let container = containers(text).unwrap().remove(0);
        assert_eq!((container.name.as_str(), container.pid, container.state.as_str()), ("web", 42, "running"));
        assert_eq!(container.argv, ["gunicorn", "-w", "", "3"]);
        assert_eq!(container.environment, ["A=b=c", "EMPTY="]);
        assert_eq!(container.started, Some("2026-11-23T18:00:00.5Z".parse().unwrap()));
        let port = |address: &str| Published {
            port: 8443,
            protocol: "tcp".into(),
            host_address: address.into(),
            host_port: 443,
        };
        assert_eq!(container.published, [port("0.0.0.0"), port("::")]);
        assert_eq!(
            container.networks,
            [Network { name: "prime_default".into(), address: "172.18.0.3".into(), prefix: 16 }]
        );
    }

    #[test]
    fn a_stopped_container_tells_what_it_would_publish_and_was_never_started() {
        let text = r#"[{"Id": "abc", "Name": "web", "State": {"Status": "created", "Pid": 0, "StartedAt": "0001-01-01T00:00:00Z"},
            "HostConfig": {"PortBindings": {"8000/tcp": [{"HostIp": "", "HostPort": "8000"}]}},
            "NetworkSettings": {"Ports": {}, "Networks": null}}]"#;
        let container = containers(text).unwrap().remove(0);
        assert_eq!((container.started, container.argv.len()), (None, 0));
        assert_eq!(container.published[0].host_address, "0.0.0.0");
    }

    #[test]
    fn nonsense_is_refused_or_read_as_nothing() {
        assert!(containers("no json").is_err());
        assert_eq!(containers("[3, null, {}]").unwrap().len(), 3);
    }
}
