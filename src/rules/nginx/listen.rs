//! What a `listen` line says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::tree::Directive;

/// One socket that a server listens on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listen {
    /// Where.
    pub socket: Socket,
    /// Whether the server answers there when no name matches.
    pub default_server: bool,
    /// Whether TLS is spoken.
    pub ssl: bool,
    /// Whether it is for HTTP/3 only, which nobody reaches over TCP.
    pub quic: bool,
    /// Whether `[::]` takes IPv4 connections too (`ipv6only=off`).
    pub both_families: bool,
}

/// Where a server listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Socket {
    /// An address, unspecified for all, and a port.
    Address(IpAddr, u16),
    /// A name that only the machine itself can resolve.
    Name(String, u16),
    /// A Unix socket.
    Unix(String),
}

impl Listen {
    /// Every socket of a server; port 80 of all addresses when it names none, as nginx does when root starts it.
    pub fn of(server: &Directive) -> Vec<Listen> {
        let lines: Vec<Listen> = server.all("listen").flat_map(Listen::read).collect();
        if server.last("listen").is_some() {
            return lines;
        }
        let socket = Socket::Address(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 80);
        vec![Listen { socket, default_server: false, ssl: false, quic: false, both_families: false }]
    }

    /// The sockets of one line: several for a range of ports or for `localhost`.
    fn read(line: &Directive) -> Vec<Listen> {
        let options = line.args.get(1..).unwrap_or_default();
        let has = |word: &str| options.iter().any(|option| option == word);
        sockets(line.arg())
            .into_iter()
            .map(|socket| Listen {
                socket,
                default_server: has("default_server") || has("default"),
                ssl: has("ssl") || has("quic"),
                quic: has("quic"),
                both_families: has("ipv6only=off"),
            })
            .collect()
    }
}

fn sockets(text: &str) -> Vec<Socket> {
    if let Some(path) = text.strip_prefix("unix:") {
        return vec![Socket::Unix(path.to_owned())];
    }
    let (host, ports) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, after)) => (Some(address), after.strip_prefix(':')),
            None => return Vec::new(),
        },
        None => match text.split_once(':') {
            Some((host, ports)) => (Some(host), Some(ports)),
            None if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') => (None, Some(text)),
            None => (Some(text), None),
        },
    };
    let (first, last) = match ports.map(|ports| ports.split_once('-').unwrap_or((ports, ports))) {
        Some((first, last)) => match (first.parse::<u16>(), last.parse::<u16>()) {
            (Ok(first), Ok(last)) => (first, last),
            _ => return Vec::new(),
        },
        None => (80, 80),
    };
    let addresses: Vec<IpAddr> = match host {
        None | Some("*") => vec![IpAddr::V4(Ipv4Addr::UNSPECIFIED)],
        Some("localhost") => vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)],
        Some(host) => match host.parse() {
            Ok(address) => vec![address],
            Err(_) => return (first..=last).map(|port| Socket::Name(host.to_owned(), port)).collect(),
        },
    };
    (first..=last).flat_map(|port| addresses.iter().map(move |address| Socket::Address(*address, port))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_ports_are_told_apart() {
        let table: &[(&str, &[&str])] = &[
            ("8080", &["0.0.0.0 8080"]),
            ("*:81", &["0.0.0.0 81"]),
            ("127.0.0.1", &["127.0.0.1 80"]),
            ("127.0.0.1:8", &["127.0.0.1 8"]),
            ("[::]:443", &[":: 443"]),
            ("[::1]", &["::1 80"]),
            ("8-9", &["0.0.0.0 8", "0.0.0.0 9"]),
            ("localhost:7", &["127.0.0.1 7", "::1 7"]),
            ("web:7", &["web 7"]),
            ("unix:/run/x.sock", &["/run/x.sock"]),
            ("1:x", &[]),
        ];
        for (text, expected) in table {
            let shown: Vec<String> = sockets(text)
                .into_iter()
                .map(|socket| match socket {
                    Socket::Address(address, port) => format!("{address} {port}"),
                    Socket::Name(name, port) => format!("{name} {port}"),
                    Socket::Unix(path) => path,
                })
                .collect();
            assert_eq!(shown, *expected, "{text}");
        }
    }
}
