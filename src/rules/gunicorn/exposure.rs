//! Whether somebody other than nginx can reach a gunicorn that believes everybody.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{
    observation::{Network, Observation, Published},
    setting::Name,
    trust,
};
use crate::report::Finding;

const ID: &str = "gunicorn.exposed";

/// Judges who can reach gunicorn past nginx and have `X-Forwarded-Proto` believed.
pub fn judge(observation: &Observation, subject: &str) -> Finding {
    let Some(network) = &observation.network else {
        return Finding::skip(ID, subject, format!("{} does not say who can reach it", observation.place));
    };
    let Some(list) = observation.settings.list(Name::ForwardedAllowIps) else {
        return Finding::unknown(ID, subject, "whom gunicorn believes is not known").fix(trust::REVEAL);
    };
    // Where the address is hidden, the worst is assumed, and said to be an assumption.
    let binds = observation.settings.list(Name::Bind);
    let known = binds.is_some();
    let binds: Vec<Bind> =
        binds.map_or_else(|| vec![Bind::Anywhere(None)], |list| list.iter().map(|text| bind(text)).collect());
    let ports: Vec<String> = network.published.iter().map(Published::to_string).collect();
    let finding = if trust::is_open(list) {
        open(network, &binds, known, subject)
    } else {
        let whom = if list.is_empty() { "nobody".to_owned() } else { list.join(",") };
        Finding::pass(ID, subject, format!("gunicorn believes {whom} only, whoever reaches it"))
    };
    let finding = finding.data("published", ports).data("host_network", network.host);
    if finding.observed.is_some() {
        finding
    } else {
        let bound = observation.settings.reading(Name::Bind);
        finding.observed(format!("forwarded_allow_ips {}, bind {bound}", list.join(",")))
    }
}

/// The judgement of a gunicorn that believes everybody.
fn open(network: &Network, binds: &[Bind], known: bool, subject: &str) -> Finding {
    let reach = binds.iter().map(|bind| reach(network, bind)).max().unwrap_or(Reach::Nobody);
    if !known && reach != Reach::Nobody {
        return Finding::unknown(ID, subject, "the address that gunicorn listens on is not known")
            .fix("give --bind on gunicorn's command line: it wins over every other source");
    }
    let narrower = narrower(network);
    match reach {
        Reach::World(way) => Finding::fail(ID, subject, format!("anybody can pretend https: {way}"))
            .expected("only nginx can reach gunicorn")
            .cause("gunicorn believes X-Forwarded-Proto of every peer, and peers other than nginx can connect")
            .fix(match (&network.container, network.host) {
                (Some(_), false) => format!(
                    "take the port out of `ports:` (`expose:` is enough for nginx), or publish it on 127.0.0.1; {narrower}"
                ),
                _ => format!("bind to 127.0.0.1 or a unix socket (`--bind 127.0.0.1:8000`); {narrower}"),
            })
            .data("reason", "reachable"),
        Reach::Host(way) => Finding::warn(ID, subject, format!("every process of the host can pretend https: {way}"))
            .expected("only nginx can reach gunicorn")
            .cause("gunicorn believes X-Forwarded-Proto of every peer")
            .fix(match network.container {
                Some(_) if !network.host => {
                    format!("take the port out of `ports:` unless it is needed on the host; {narrower}")
                }
                _ => "start gunicorn with --forwarded-allow-ips=127.0.0.1, or bind it to a unix socket".to_owned(),
            })
            .data("reason", "loopback"),
        Reach::Nobody => {
            let others = match network.container {
                Some(_) if !network.host => format!("every container of the same network is believed; {narrower}"),
                _ => "connections through a unix socket are always believed: its permissions decide".to_owned(),
            };
            Finding::pass(ID, subject, "gunicorn believes every peer, and none can reach it past the host")
                .data("notes", vec![others])
        }
    }
}

/// How the list can be made narrower, with the real networks.
fn narrower(network: &Network) -> String {
    let subnets: Vec<String> =
        network.subnets.iter().filter_map(|subnet| Some(subnet.network()?.to_string())).collect();
    if subnets.is_empty() {
        "better than `*`: nginx's own address in --forwarded-allow-ips".to_owned()
    } else {
        format!("better than `*`: --forwarded-allow-ips={} (networks need gunicorn 24.1 or later)", subnets.join(","))
    }
}

/// Who can connect, from harmless to worst.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Reach {
    Nobody,
    Host(String),
    World(String),
}

/// What an entry of `bind` means.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Bind {
    /// Every address, or one that is not known.
    Anywhere(Option<u16>),
    /// This machine (or this container) only.
    Loopback(Option<u16>),
    /// No network at all.
    Socket,
}

fn reach(network: &Network, bind: &Bind) -> Reach {
    let (port, loopback) = match bind {
        Bind::Socket => return Reach::Nobody,
        Bind::Anywhere(port) => (*port, false),
        Bind::Loopback(port) => (*port, true),
    };
    let shown = port.map_or_else(String::new, |port| format!(" on port {port}"));
    if network.host || network.container.is_none() {
        return match loopback {
            true => Reach::Host(format!("gunicorn listens on the host's loopback address{shown}")),
            false => Reach::World(format!("gunicorn listens on the host's own addresses{shown}")),
        };
    }
    if loopback {
        // Docker hands a published port to the container's address, where nothing listens.
        return Reach::Nobody;
    }
    let matching = network.published.iter().filter(|published| port.is_none_or(|port| port == published.port));
    let reach = matching.map(|published| {
        let way = format!("port {} is published as {published}", published.port);
        if is_loopback(&published.host_address) { Reach::Host(way) } else { Reach::World(way) }
    });
    reach.max().unwrap_or(Reach::Nobody)
}

/// gunicorn's addresses: `HOST`, `HOST:PORT`, `[V6]:PORT`, `unix:PATH`, `fd://N`.
fn bind(text: &str) -> Bind {
    if text.starts_with("unix:") {
        return Bind::Socket;
    }
    let text = text.strip_prefix("tcp://").unwrap_or(text);
    if let Ok(address) = text.parse::<SocketAddr>() {
        return with_host(&address.ip().to_string(), Some(address.port()));
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.starts_with('[') => match port.parse() {
            Ok(port) => with_host(host.trim_matches(['[', ']']), Some(port)),
            Err(_) => Bind::Anywhere(None),
        },
        // Without a port gunicorn takes 8000.
        _ if text.starts_with("fd://") => Bind::Anywhere(None),
        _ => with_host(text.trim_matches(['[', ']']), Some(8000)),
    }
}

fn with_host(host: &str, port: Option<u16>) -> Bind {
    if is_loopback(host) { Bind::Loopback(port) } else { Bind::Anywhere(port) }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| match address {
            IpAddr::V4(address) => address.is_loopback(),
            IpAddr::V6(address) => {
                address.is_loopback() || address.to_ipv4_mapped().is_some_and(|inner: Ipv4Addr| inner.is_loopback())
            }
        })
}

impl std::fmt::Display for Published {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = if self.host_address.is_empty() { "0.0.0.0" } else { &self.host_address };
        if host.contains(':') {
            write!(f, "[{host}]:{}", self.host_port)
        } else {
            write!(f, "{host}:{}", self.host_port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::Status,
        rules::gunicorn::observation::sample::{observation, on_network},
    };

    fn published(observation: &mut Observation, address: &str, port: u16) {
        let published = Published { port, host_address: address.into(), host_port: port };
        observation.network.get_or_insert_default().published.push(published);
    }

    const OPEN: &[&str] = &["--forwarded-allow-ips", "*", "-b", "0.0.0.0:8000", "app:app"];

    fn judge(seen: &Observation, subject: &str) -> Finding {
        let finding = super::judge(seen, subject);
        crate::report::assert_one_voice(&finding);
        finding
    }

    #[test]
    fn case_50_star_and_a_published_port() {
        let mut seen = on_network(observation(OPEN), "172.18.0.3", 16);
        let finding = judge(&seen, "prime");
        assert_eq!(finding.status, Status::Pass);
        assert!(finding.data["notes"][0].as_str().unwrap().contains("--forwarded-allow-ips=172.18.0.0/16"));
        for (address, status) in
            [("0.0.0.0", Status::Fail), ("::", Status::Fail), ("", Status::Fail), ("127.0.0.1", Status::Warn)]
        {
            let mut seen = seen.clone();
            published(&mut seen, address, 8000);
            assert_eq!(judge(&seen, "prime").status, status, "{address}");
        }
        published(&mut seen, "0.0.0.0", 9000);
        assert_eq!(judge(&seen, "prime").status, Status::Pass, "another port");
    }

    #[test]
    fn a_narrow_list_is_safe_behind_any_port() {
        let mut seen = observation(&["--forwarded-allow-ips", "172.18.0.2", "-b", "0.0.0.0:8000", "app:app"]);
        published(&mut seen, "0.0.0.0", 8000);
        assert_eq!(judge(&seen, "x").status, Status::Pass);
        let mut seen = observation(&["--forwarded-allow-ips", "0.0.0.0/0", "-b", ":8000", "app:app"]);
        published(&mut seen, "0.0.0.0", 8000);
        assert_eq!(judge(&seen, "x").status, Status::Fail, "the whole Internet is no narrow list");
    }

    #[test]
    fn the_address_that_gunicorn_binds_counts() {
        for (bind, host, status) in [
            ("unix:/run/app.sock", true, Status::Pass),
            ("127.0.0.1:8000", true, Status::Warn),
            ("[::1]:8000", true, Status::Warn),
            ("localhost", true, Status::Warn),
            ("0.0.0.0:8000", true, Status::Fail),
            (":8000", true, Status::Fail),
            ("[::]:8000", true, Status::Fail),
            ("fd://3", true, Status::Fail),
            ("127.0.0.1:8000", false, Status::Pass),
            ("10.0.0.1:8000", false, Status::Fail),
        ] {
            let mut seen = observation(&["--forwarded-allow-ips", "*", "-b", bind, "app:app"]);
            published(&mut seen, "0.0.0.0", 8000);
            seen.network.get_or_insert_default().host = host;
            assert_eq!(judge(&seen, "x").status, status, "{bind} host={host}");
        }
    }

    #[test]
    fn a_bare_command_line_says_nothing_about_ports() {
        let mut seen = observation(OPEN);
        seen.network = None;
        assert_eq!(judge(&seen, "x").status, Status::Skip);
    }
}
