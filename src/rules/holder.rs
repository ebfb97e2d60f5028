//! Who holds a port: judged from the sockets that listen and the containers that publish.
//!
//! The words of the kernel and of the engines are those of `/proc/net/tcp`, `/proc/PID/cgroup` (cgroup v1 and v2) and
//! `docker inspect`, as Docker 17 to 29, podman 4 and 5 and systemd leave them.

use std::net::IpAddr;

/// Everything that was seen of one port.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sighting {
    /// The port.
    pub port: u16,
    /// The sockets that listen on it.
    pub listeners: Vec<Listener>,
    /// The containers of every engine that answered.
    pub containers: Vec<Candidate>,
    /// Whether a connection to it on the loopback address succeeded.
    pub answers: bool,
}

/// One socket that listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listener {
    /// The local address.
    pub address: IpAddr,
    /// Who has it open, by pid; empty when it may not be looked at.
    pub owners: Vec<Owner>,
}

/// A process that has a socket open.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Owner {
    /// Its pid.
    pub pid: u32,
    /// The name that the kernel knows it by, at most 15 letters.
    pub command: String,
    /// What it was started with.
    pub arguments: Vec<String>,
    /// Its `/proc/PID/cgroup`.
    pub cgroup: String,
}

/// A container, as far as it matters here.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Candidate {
    /// `docker` or `podman`.
    pub engine: String,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `running`, `paused`, `restarting`, `exited`, …
    pub state: String,
    /// Host addresses and ports that it publishes over TCP.
    pub published: Vec<(String, u16)>,
    /// Its addresses on its networks.
    pub addresses: Vec<String>,
}

/// Who holds a port, and how that is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Holder {
    /// A container.
    Container {
        /// `docker` or `podman`.
        engine: String,
        /// Its id.
        id: String,
        /// Its name.
        name: String,
        /// How it was found, after "it".
        how: String,
    },
    /// A process of a systemd unit.
    Unit {
        /// The unit, with its `.service`.
        unit: String,
        /// The processes that have the socket open.
        pids: Vec<u32>,
        /// How it was found, after "it".
        how: String,
    },
    /// Something that mainstay does not know how to stop and to start again.
    Unknown {
        /// What is known of it.
        what: String,
    },
}

impl Holder {
    /// The holder in a sentence: "the container `web`", "the unit `nginx.service`".
    pub fn title(&self) -> String {
        match self {
            Self::Container { name, .. } => format!("the container `{name}`"),
            Self::Unit { unit, .. } => format!("the unit `{unit}`"),
            Self::Unknown { what } => what.clone(),
        }
    }
}

/// Programs that hold a port on behalf of a container: the engine itself and its helpers.
const PLUMBING: &[&str] =
    &["conmon", "docker-proxy", "dockerd", "pasta", "pasta.avx2", "podman", "rootlessport", "slirp4netns"];

/// Everybody who holds the port, each once, in the order of the containers, then of the listeners.
pub fn judge(seen: &Sighting) -> Vec<Holder> {
    let mut holders = Vec::new();
    for container in seen.containers.iter().filter(|container| holds(container)) {
        let address = container.published.iter().find(|(_, port)| *port == seen.port);
        if let Some((address, port)) = address {
            add(&mut holders, known(container, format!("publishes {address}:{port}")));
        }
    }
    for listener in &seen.listeners {
        // The first process is the one that opened it: a master is older than its workers.
        let Some(owner) = listener.owners.first() else {
            if holders.is_empty() {
                let what = format!("a process that this user may not look at (on {})", listener.address);
                add(&mut holders, Holder::Unknown { what });
            }
            continue;
        };
        if let Some(holder) = of_listener(owner, listener, seen, &holders) {
            add(&mut holders, holder);
        }
    }
    if holders.is_empty() && seen.answers {
        let what = format!("something that answers on port {} although nothing listens (a forwarding rule)", seen.port);
        holders.push(Holder::Unknown { what });
    }
    holders
}

/// The unit of a process in systemd's tree: the service that is deepest; none for a user's own services and sessions, which
/// `systemctl` of the system does not know.
pub fn unit(cgroup: &str) -> Option<String> {
    let paths = cgroup.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        (controllers.is_empty() || controllers == "name=systemd").then_some(path)
    });
    let of_path = |path: &str| {
        let mine = !path.contains("/user@") && !path.contains("/user.slice");
        let unit = path.rsplit('/').find(|part| part.ends_with(".service"));
        unit.filter(|_| mine).map(str::to_owned)
    };
    paths.filter_map(of_path).next()
}

/// The id of the container that a process runs in: 64 hexadecimal digits of its cgroup.
pub fn container_id(cgroup: &str) -> Option<&str> {
    let is_id = |part: &&str| part.len() == 64 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    cgroup.split(|letter: char| !letter.is_ascii_alphanumeric()).find(is_id)
}

/// A paused one keeps its port; a restarting one will have it again in a moment.
fn holds(container: &Candidate) -> bool {
    matches!(container.state.as_str(), "running" | "paused" | "restarting")
}

fn of_listener(owner: &Owner, listener: &Listener, seen: &Sighting, sofar: &[Holder]) -> Option<Holder> {
    let program = program(owner);
    let Owner { pid, command, cgroup, .. } = owner;
    if PLUMBING.contains(&program.as_str()) || PLUMBING.contains(&command.as_str()) {
        let target = after(&owner.arguments, "-container-ip");
        let reached = |container: &&Candidate| target.is_some_and(|ip| container.addresses.iter().any(|own| own == ip));
        if let Some(container) = seen.containers.iter().find(reached) {
            return Some(known(container, format!("is reached through {program} (process {pid})")));
        }
        let explained = sofar.iter().any(|holder| matches!(holder, Holder::Container { .. }));
        let what = format!("`{program}` (process {pid}), for a container that no engine here tells of");
        return (!explained).then_some(Holder::Unknown { what });
    }
    if let Some(id) = container_id(cgroup) {
        let own = seen.containers.iter().find(|container| container.id == id);
        return Some(match own {
            Some(container) => known(container, format!("listens on {} itself (process {pid})", listener.address)),
            None => Holder::Unknown {
                what: format!(
                    "`{program}` (process {pid}) in the container {:.12} of an engine that was not asked",
                    id
                ),
            },
        });
    }
    if let Some(unit) = unit(cgroup) {
        let pids = listener.owners.iter().map(|owner| owner.pid).collect();
        return Some(Holder::Unit { unit, pids, how: format!("runs `{program}` (process {pid})") });
    }
    Some(Holder::Unknown { what: format!("`{program}` (process {pid})") })
}

/// The name of a program: of its first argument, or of its title (`nginx: master process …`).
fn program(owner: &Owner) -> String {
    let first = owner.arguments.first().map_or(owner.command.as_str(), String::as_str);
    let first = first.split([' ', ':']).next().unwrap_or(first);
    let name = first.rsplit('/').next().unwrap_or(first);
    if name.is_empty() { owner.command.clone() } else { name.to_owned() }
}

fn known(container: &Candidate, how: String) -> Holder {
    let Candidate { engine, id, name, .. } = container.clone();
    Holder::Container { engine, id, name, how }
}

fn add(holders: &mut Vec<Holder>, holder: Holder) {
    let same = |other: &Holder| match (other, &holder) {
        (Holder::Container { id, .. }, Holder::Container { id: own, .. }) => id == own,
        (Holder::Unit { unit, .. }, Holder::Unit { unit: own, .. }) => unit == own,
        (other, own) => other == own,
    };
    if !holders.iter().any(same) {
        holders.push(holder);
    }
}

/// The word after an option, or behind its `=`.
fn after<'a>(arguments: &'a [String], option: &str) -> Option<&'a str> {
    let joined = || arguments.iter().find_map(|word| word.strip_prefix(option)?.strip_prefix('='));
    let at = arguments.iter().position(|word| word == option);
    at.and_then(|at| arguments.get(at + 1)).map(String::as_str).or_else(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn web(state: &str, published: &[(&str, u16)]) -> Candidate {
        Candidate {
            engine: "docker".into(),
            id: ID.into(),
            name: "web".into(),
            state: state.into(),
            published: published.iter().map(|(address, port)| ((*address).to_owned(), *port)).collect(),
            addresses: vec!["172.17.0.2".into()],
        }
    }

    fn listener(command: &str, arguments: &[&str], cgroup: &str) -> Listener {
        let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
        let owner = Owner { pid: 7, command: command.into(), arguments, cgroup: cgroup.into() };
        Listener { address: IpAddr::from([0, 0, 0, 0]), owners: vec![owner] }
    }

    fn sighting(listeners: Vec<Listener>, containers: Vec<Candidate>) -> Sighting {
        Sighting { port: 80, listeners, containers, answers: true }
    }

    fn title(seen: &Sighting) -> String {
        judge(seen).iter().map(Holder::title).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn renew_case_18_the_container_that_publishes_is_found_in_every_form() {
        let proxy = listener("docker-proxy", &["/usr/bin/docker-proxy", "-container-ip", "172.17.0.2"], "");
        let daemon = listener("dockerd", &["dockerd"], "0::/system.slice/docker.service");
        let conmon = listener("conmon", &["/usr/bin/conmon", "--api-version", "1"], "");
        let rootless = listener("rootlessport", &["rootlessport"], "");
        for plumbing in [&proxy, &daemon, &conmon, &rootless] {
            for published in [&[("0.0.0.0", 80), ("::", 80)][..], &[("127.0.0.1", 443), ("0.0.0.0", 80)]] {
                for state in ["running", "paused", "restarting"] {
                    let seen = sighting(vec![plumbing.clone()], vec![web(state, published)]);
                    assert_eq!(title(&seen), "the container `web`", "{seen:?}");
                }
            }
        }
        // A range is many ports in what the engine tells; another port is another holder's.
        let seen = sighting(vec![], vec![web("running", &[("0.0.0.0", 81), ("0.0.0.0", 82)])]);
        assert!(title(&seen).starts_with("something that answers on port 80"), "{}", title(&seen));
        // The proxy says where it leads, should the engine publish nothing.
        let seen = sighting(vec![proxy], vec![web("running", &[])]);
        assert_eq!(title(&seen), "the container `web`");
        let seen = sighting(vec![daemon], vec![web("exited", &[("0.0.0.0", 80)])]);
        assert!(title(&seen).contains("`dockerd` (process 7), for a container that no engine here tells of"));
    }

    #[test]
    fn a_container_on_the_hosts_network_is_known_by_its_cgroup() {
        for cgroup in [
            format!("12:pids:/docker/{ID}\n1:name=systemd:/docker/{ID}\n"),
            format!("0::/system.slice/docker-{ID}.scope\n"),
            format!("0::/machine.slice/libpod-{ID}.scope/container\n"),
            format!("1:name=systemd:/libpod_parent/libpod-{ID}\n"),
            format!("0::/kubepods/burstable/pod1/{ID}\n"),
        ] {
            let nginx = listener("nginx", &["nginx: master process nginx -g daemon off;"], &cgroup);
            let seen = sighting(vec![nginx.clone()], vec![web("running", &[])]);
            let holders = judge(&seen);
            let [Holder::Container { name, how, .. }] = &holders[..] else { panic!("{cgroup}: {holders:?}") };
            assert_eq!((name.as_str(), how.as_str()), ("web", "listens on 0.0.0.0 itself (process 7)"));
            let unknown = title(&sighting(vec![nginx], vec![]));
            assert_eq!(unknown, "`nginx` (process 7) in the container 0123456789ab of an engine that was not asked");
        }
    }

    #[test]
    fn renew_case_19_a_unit_is_a_unit_and_what_is_unknown_is_named() {
        let nginx = |cgroup: &str| listener("nginx", &["nginx: master process /usr/sbin/nginx"], cgroup);
        for (cgroup, expected) in [
            ("0::/system.slice/nginx.service\n", "the unit `nginx.service`"),
            ("1:name=systemd:/system.slice/nginx.service\n0::/\n", "the unit `nginx.service`"),
            ("0::/system.slice/system-web.slice/web@1.service\n", "the unit `web@1.service`"),
            ("0::/user.slice/user-1000.slice/session-3.scope\n", "`nginx` (process 7)"),
            ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service\n", "`nginx` (process 7)"),
            ("12:pids:/system.slice/nginx.service\n", "`nginx` (process 7)"),
            ("0::/init.scope\n", "`nginx` (process 7)"),
            ("", "`nginx` (process 7)"),
        ] {
            assert_eq!(title(&sighting(vec![nginx(cgroup)], vec![web("running", &[])])), expected, "{cgroup}");
        }
        let hidden = Listener { address: IpAddr::from([0; 16]), owners: vec![] };
        assert_eq!(title(&sighting(vec![hidden], vec![])), "a process that this user may not look at (on ::)");
    }

    #[test]
    fn renew_case_59_a_forwarding_rule_without_a_listener_counts_as_held() {
        assert_eq!(title(&sighting(vec![], vec![web("running", &[("0.0.0.0", 80)])])), "the container `web`");
        assert!(title(&sighting(vec![], vec![])).contains("although nothing listens"));
        assert_eq!(title(&Sighting { port: 80, ..Sighting::default() }), "");
    }

    #[test]
    fn everybody_is_named_once() {
        let both = [nginx_on("0.0.0.0"), nginx_on("::")];
        let seen = sighting(both.to_vec(), vec![]);
        let [Holder::Unit { pids, .. }] = &judge(&seen)[..] else { panic!() };
        assert_eq!(pids, &[7]);
    }

    fn nginx_on(address: &str) -> Listener {
        Listener {
            address: address.parse().unwrap(),
            ..listener("nginx", &["nginx"], "0::/system.slice/nginx.service")
        }
    }
}
