//! What was seen of one gunicorn.

use std::net::IpAddr;

use super::{options::Version, settings::Settings};

/// One gunicorn, as far as it could be seen.
#[derive(Clone, Debug)]
pub struct Observation {
    /// Where it is: "container `web`", "pid 4711", "the given command line".
    pub place: String,
    /// Where its command line was read: "/proc/4711/cmdline", "docker inspect".
    pub evidence: String,
    /// What it runs with.
    pub settings: Settings,
    /// Why gunicorn would not start with this command line; only of one that does not run.
    pub refused: Option<String>,
    /// How many workers live now; `None` when nothing runs or it cannot be told.
    pub live_workers: Option<u64>,
    /// How many masters run.
    pub masters: u32,
    /// The release; looked up only where the judgement depends on it.
    pub version: Option<Version>,
    /// How it can be reached; `None` where that is not known.
    pub network: Option<Network>,
    /// What the operator should know besides.
    pub notes: Vec<String>,
}

/// How a gunicorn can be reached from outside its container.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Network {
    /// The container's name; `None` for a process of this machine.
    pub container: Option<String>,
    /// It has no network of its own: its addresses are the host's.
    pub host: bool,
    /// Ports that the host hands on.
    pub published: Vec<Published>,
    /// The networks that it shares with other containers.
    pub subnets: Vec<Subnet>,
}

/// A port of the host that leads into the container.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Published {
    /// Inside the container.
    pub port: u16,
    /// The address on the host.
    pub host_address: String,
    /// The port on the host.
    pub host_port: u16,
}

/// A network that the container is on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Subnet {
    /// Its name.
    pub name: String,
    /// The container's address.
    pub address: IpAddr,
    /// The network's prefix length.
    pub prefix: u8,
}

/// Why a gunicorn could not be seen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trouble {
    /// A word for machines.
    pub reason: &'static str,
    /// What is the matter, one line.
    pub what: String,
    /// What to do.
    pub fix: String,
}

impl Network {
    /// The network of this container that holds the address, as a CIDR.
    pub fn subnet_of(&self, address: IpAddr) -> Option<String> {
        self.subnets
            .iter()
            .filter_map(Subnet::network)
            .find(|network| network.contains(&address))
            .map(|n| n.to_string())
    }
}

impl Subnet {
    /// The network without the container's part.
    pub fn network(&self) -> Option<ipnet::IpNet> {
        ipnet::IpNet::new(self.address, self.prefix).ok().filter(|_| self.prefix > 0).map(|network| network.trunc())
    }
}

#[cfg(test)]
pub(super) mod sample {
    //! Observations for tests.

    use super::*;
    use crate::rules::gunicorn::{Evidence, File};

    pub(in crate::rules::gunicorn) fn settings(
        argv: &[&str],
        environment: &[(&str, &str)],
        file: Option<&str>,
    ) -> Settings {
        Settings::resolve(&Evidence {
            arguments: argv.iter().map(|word| (*word).to_owned()).collect(),
            environment: Ok(environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()),
            file: Ok(file.map(|text| File { path: "gunicorn.conf.py".into(), text: text.into() })),
        })
        .unwrap()
    }

    pub(in crate::rules::gunicorn) fn observation(argv: &[&str]) -> Observation {
        Observation {
            place: "container `web`".into(),
            evidence: "/proc/1/cmdline".into(),
            settings: settings(argv, &[], None),
            refused: None,
            live_workers: None,
            masters: 1,
            version: Some(Version(27, 0, 0)),
            network: Some(Network { container: Some("web".into()), ..Network::default() }),
            notes: Vec::new(),
        }
    }

    pub(in crate::rules::gunicorn) fn on_network(
        mut observation: Observation,
        address: &str,
        prefix: u8,
    ) -> Observation {
        let subnet = Subnet { name: "app_default".into(), address: address.parse().unwrap(), prefix };
        observation.network.get_or_insert_default().subnets.push(subnet);
        observation
    }
}
