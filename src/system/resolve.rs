//! From a host and a port to the addresses to look at: what the operator said, else what the resolver says.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{net::lookup_host, time::timeout};

/// `--resolve HOST:PORT:ADDR` and the `resolve` key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Resolve {
    /// Lower case; `None` for every host of the site.
    pub host: Option<String>,
    /// `None` for every port.
    pub port: Option<u16>,
    /// The address to connect to.
    pub address: IpAddr,
}

/// Which address families are used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    /// IPv4 and IPv6.
    Any,
    /// IPv4 only (`-4`).
    V4,
    /// IPv6 only (`-6`).
    V6,
}

/// Why there is no address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Unresolved {
    /// The name exists and has no address of the wanted family.
    NoneOfFamily(Family),
    /// The name does not exist, or has no address at all.
    NoSuchHost,
    /// The resolver could not say: nothing is known about the name.
    Temporary(String),
}

/// The addresses of `host`, each once, in the resolver's order.
///
/// An entry of `overrides` that fits takes the resolver's place; an address stands for itself.
///
/// # Errors
///
/// When there is none, or when that cannot be known.
pub async fn resolve(
    host: &str,
    port: u16,
    overrides: &[Resolve],
    family: Family,
    within: Duration,
) -> Result<Vec<SocketAddr>, Unresolved> {
    let host = crate::rules::certificate::plain(host);
    let said: Vec<IpAddr> =
        overrides.iter().filter(|entry| entry.is_for(&host, port)).map(|entry| entry.address).collect();
    let found: Vec<IpAddr> = if !said.is_empty() {
        said
    } else if let Ok(address) = host.parse() {
        vec![address]
    } else {
        match timeout(within, lookup_host((host.as_str(), port))).await {
            Ok(Ok(addresses)) => addresses.map(|address| address.ip()).collect(),
            Ok(Err(error)) => return Err(Unresolved::of(&error)),
            Err(_) => {
                let late = format!("the resolver did not answer within {} s", within.as_secs_f64());
                return Err(Unresolved::Temporary(late));
            }
        }
    };
    if found.is_empty() {
        return Err(Unresolved::NoSuchHost);
    }
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found.into_iter().filter(|address| family.has(*address)) {
        let address = SocketAddr::new(address, port);
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err(Unresolved::NoneOfFamily(family)) } else { Ok(addresses) }
}

impl Resolve {
    fn is_for(&self, host: &str, port: u16) -> bool {
        self.host.as_deref().is_none_or(|listed| crate::rules::certificate::plain(listed) == host)
            && self.port.is_none_or(|listed| listed == port || listed == 0)
    }
}

impl Family {
    /// Whether an address belongs to it.
    pub fn has(self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }

    /// "IPv4", for messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Any => "IP",
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

impl Unresolved {
    /// The standard library gives `getaddrinfo`'s verdict only as text. Nobody calls `setlocale` in this program, so the
    /// text is the untranslated one of glibc, musl or BSD.
    fn of(error: &io::Error) -> Self {
        const ABSENT: &[&str] = &[
            "Name or service not known",
            "No address associated with hostname",
            "Name does not resolve",
            "Name has no usable address",
            "nodename nor servname provided",
        ];
        let text = error.to_string();
        if ABSENT.iter().any(|absent| text.contains(absent)) { Self::NoSuchHost } else { Self::Temporary(text) }
    }

    /// The word for `data.reason`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoneOfFamily(_) => "no-address",
            Self::NoSuchHost => "no-such-host",
            Self::Temporary(_) => "resolver",
        }
    }
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoneOfFamily(family) => write!(f, "there is no {} address for it", family.word()),
            Self::NoSuchHost => f.write_str("the name does not exist in the DNS"),
            Self::Temporary(why) => write!(f, "the name could not be looked up: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_secs(5);

    fn entry(host: Option<&str>, port: Option<u16>, address: &str) -> Resolve {
        Resolve { host: host.map(str::to_owned), port, address: address.parse().unwrap() }
    }

    #[tokio::test]
    async fn what_the_operator_says_takes_the_resolvers_place() {
        let overrides = [
            entry(Some("a.bench.test"), Some(443), "127.0.0.1"),
            entry(Some("a.bench.test"), None, "::1"),
            entry(Some("b.bench.test"), None, "127.0.0.9"),
        ];
        let found = resolve("A.bench.test.", 443, &overrides, Family::Any, WITHIN).await.unwrap();
        assert_eq!(found, ["127.0.0.1:443".parse().unwrap(), "[::1]:443".parse().unwrap()]);
        let found = resolve("a.bench.test", 8443, &overrides, Family::Any, WITHIN).await.unwrap();
        assert_eq!(found, ["[::1]:8443".parse().unwrap()]);
    }

    #[tokio::test]
    async fn a_family_without_address_is_told_apart_from_a_name_that_is_not_there() {
        let overrides = [entry(None, None, "127.0.0.1"), entry(None, Some(0), "127.0.0.1")];
        assert_eq!(
            resolve("a.bench.test", 443, &overrides, Family::V6, WITHIN).await,
            Err(Unresolved::NoneOfFamily(Family::V6))
        );
        let once = resolve("a.bench.test", 443, &overrides, Family::V4, WITHIN).await.unwrap();
        assert_eq!(once.len(), 1);
    }

    #[tokio::test]
    async fn an_address_stands_for_itself() {
        let found = resolve("[::1]", 443, &[], Family::Any, WITHIN).await.unwrap();
        assert_eq!(found, ["[::1]:443".parse().unwrap()]);
    }

    #[test]
    fn the_resolvers_words_are_told_apart() {
        let of =
            |text: &str| Unresolved::of(&io::Error::other(format!("failed to lookup address information: {text}")));
        assert_eq!(of("Name or service not known"), Unresolved::NoSuchHost);
        assert_eq!(of("Name does not resolve"), Unresolved::NoSuchHost);
        assert!(matches!(of("Temporary failure in name resolution"), Unresolved::Temporary(_)));
        assert!(matches!(of("Something new"), Unresolved::Temporary(_)));
    }
}
