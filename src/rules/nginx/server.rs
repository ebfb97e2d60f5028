//! Which server answers: by the most specific socket first, then by name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    answer::{Doubt, Question},
    listen::{Listen, Socket},
    pattern::{Captures, Pattern},
    tree::Directive,
};

/// The server for a request, and the one whose certificate its handshake gets.
#[derive(Clone, Debug)]
pub struct Chosen<'a> {
    /// Chosen by the `Host` header.
    pub server: &'a Directive,
    /// Chosen by the name that TLS asks for; an address is never asked for.
    pub handshake: &'a Directive,
    /// The one that reads the request line, before any `Host` header is known: `merge_slashes` counts there.
    pub first: &'a Directive,
    /// What the server name's expression caught.
    pub captures: Option<Captures>,
    /// What the operator should know.
    pub notes: Vec<String>,
}

/// The server that answers.
///
/// # Errors
///
/// No server listens there, or the file does not tell which one it is.
pub fn choose<'a>(http: &'a Directive, question: &Question) -> Result<Chosen<'a>, Doubt> {
    let servers: Vec<(&Directive, Vec<Listen>)> =
        http.all("server").map(|server| (server, Listen::of(server))).collect();
    let groups = groups(&servers, question)?;
    let host = bare_host(&question.host);
    let mut notes = Vec::new();
    let Some((first, others)) = groups.split_first() else {
        return Err(Doubt::no_server(format!("no server listens on port {}", question.port)));
    };
    let (server, captures) = first.by_name(&host)?;
    for other in others {
        let (differs, _) = other.by_name(&host)?;
        if differs.at == server.at {
            continue;
        }
        if first.address.is_unspecified() && other.address.is_unspecified() {
            notes.push(format!("over IPv6 another server answers ({})", differs.at));
        } else {
            let why =
                format!("whether {} or {} answers depends on the address that is connected to", server.at, differs.at);
            return Err(Doubt::undecided(&server.at, why));
        }
    }
    let tls = first.tls();
    if tls != question.tls {
        let (asked, spoken) = if question.tls { ("TLS", "plain HTTP") } else { ("plain HTTP", "TLS") };
        let why = format!(
            "port {} speaks {spoken}, and the request comes over {asked} (server at {})",
            question.port, server.at
        );
        return Err(Doubt { at: Some(server.at.clone()), ..Doubt::no_server(why) });
    }
    let handshake = if host.parse::<IpAddr>().is_ok() || host.starts_with('[') { first.default() } else { server };
    let reads = if tls { handshake } else { first.default() };
    Ok(Chosen { server, handshake, first: reads, captures, notes })
}

/// The `Host` header's name: lower case, without port and trailing dot.
pub fn bare_host(host: &str) -> String {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => format!("[{address}]"),
        None => host.split(':').next().unwrap_or_default().to_owned(),
    };
    name.strip_suffix('.').unwrap_or(&name).to_ascii_lowercase()
}

/// The servers of one socket, in the order of the file.
struct Group<'a> {
    address: IpAddr,
    members: Vec<(&'a Directive, Listen)>,
}

/// The groups that could take the connection; the first is the one that does, as far as the question tells.
fn groups<'a>(servers: &[(&'a Directive, Vec<Listen>)], question: &Question) -> Result<Vec<Group<'a>>, Doubt> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (server, listens) in servers {
        for listen in listens {
            match &listen.socket {
                Socket::Address(address, port) if *port == question.port && !listen.quic => {
                    let group = match groups.iter().position(|group| group.address == *address) {
                        Some(index) => &mut groups[index],
                        None => {
                            groups.push(Group { address: *address, members: Vec::new() });
                            let last = groups.len() - 1;
                            &mut groups[last]
                        }
                    };
                    group.members.push((server, listen.clone()));
                }
                Socket::Name(name, port) if *port == question.port => {
                    let why = format!("`listen {name}:{port}` names a host that only the machine itself can resolve");
                    return Err(Doubt::undecided(&server.at, why));
                }
                _ => {}
            }
        }
    }
    let v4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let v6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let mut wanted: Vec<IpAddr> = match question.address {
        Some(address) => {
            let shared = groups
                .iter()
                .any(|group| group.address == v6 && group.members.iter().any(|(_, listen)| listen.both_families));
            let order = if address.is_ipv4() { [address, v4, v6] } else { [address, v6, v6] };
            let usable = order.into_iter().find(|candidate| {
                (*candidate != v6 || address.is_ipv6() || shared)
                    && groups.iter().any(|group| group.address == *candidate)
            });
            usable.into_iter().collect()
        }
        None => groups.iter().map(|group| group.address).filter(|address| !address.is_loopback()).collect(),
    };
    if wanted.is_empty() && question.address.is_none() {
        wanted = groups.iter().map(|group| group.address).collect();
    }
    wanted.sort_by_key(|address| (*address != v4, *address != v6));
    groups.retain(|group| wanted.contains(&group.address));
    groups.sort_by_key(|group| wanted.iter().position(|address| *address == group.address));
    Ok(groups)
}

impl<'a> Group<'a> {
    /// nginx collects TLS per socket; the old `ssl on` counts in the default server.
    fn tls(&self) -> bool {
        self.members.iter().any(|(_, listen)| listen.ssl)
            || self.default().last("ssl").is_some_and(|ssl| ssl.arg() == "on")
    }

    fn default(&self) -> &'a Directive {
        let declared = self.members.iter().find(|(_, listen)| listen.default_server);
        // A group is made by its first member, so one is there.
        declared.map_or(self.members[0].0, |(server, _)| server)
    }

    fn by_name(&self, host: &str) -> Result<(&'a Directive, Option<Captures>), Doubt> {
        let names = || {
            self.members.iter().flat_map(|(server, _)| {
                server.all("server_name").flat_map(move |line| line.args.iter().map(move |name| (*server, line, name)))
            })
        };
        if let Some((server, ..)) = names().find(|(_, _, name)| exact(name, host)) {
            return Ok((server, None));
        }
        // The longest match wins; of equal ones, nginx keeps the first.
        let longest = |suffix: bool| {
            let mut best: Option<(&Directive, usize)> = None;
            for (server, _, name) in names() {
                if let Some(length) = wildcard(name, host, suffix)
                    && best.is_none_or(|(_, known)| length > known)
                {
                    best = Some((server, length));
                }
            }
            best.map(|(server, _)| server)
        };
        if let Some(server) = longest(false).or_else(|| longest(true)) {
            return Ok((server, None));
        }
        for (server, line, name) in names() {
            if let Some(text) = name.strip_prefix('~') {
                let pattern = Pattern::new(text, true).map_err(|why| Doubt::undecided(&line.at, why))?;
                if let Some(captures) = pattern.captures(host) {
                    return Ok((server, Some(captures)));
                }
            }
        }
        if let Some((_, line, _)) = names().find(|(_, _, name)| *name == "$hostname") {
            return Err(Doubt::undecided(&line.at, "`server_name $hostname` stands for the machine's own name"));
        }
        Ok((self.default(), None))
    }
}

fn exact(name: &str, host: &str) -> bool {
    let name = name.strip_prefix('.').unwrap_or(name);
    !name.starts_with('~') && !name.contains('*') && name.eq_ignore_ascii_case(host)
}

/// The length of the part that matches: `*.x` and `.x` when not `suffix`, `x.*` when `suffix`.
fn wildcard(name: &str, host: &str, suffix: bool) -> Option<usize> {
    let name = name.to_ascii_lowercase();
    if suffix {
        let stem = name.strip_suffix('*').filter(|stem| stem.ends_with('.') && !stem.starts_with(['~', '*']))?;
        return (host.len() > stem.len() && host.starts_with(stem)).then_some(stem.len());
    }
    let tail =
        name.strip_prefix('*').filter(|tail| tail.starts_with('.')).or(name.starts_with('.').then_some(&name[..]))?;
    (host.len() > tail.len() && host.ends_with(tail)).then_some(tail.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_header_loses_case_port_and_dot() {
        let table = [("A.Test:8080", "a.test"), ("a.test.", "a.test"), ("[::1]:80", "[::1]"), ("", "")];
        for (host, expected) in table {
            assert_eq!(bare_host(host), expected);
        }
    }

    #[test]
    fn names_match_as_written_by_suffix_or_by_prefix() {
        assert!(exact(".x.test", "x.test") && exact("X.test", "x.test") && !exact("*.x.test", "x.test"));
        assert_eq!(wildcard("*.x.test", "a.b.x.test", false), Some(7));
        assert_eq!(wildcard("*.x.test", "x.test", false), None);
        assert_eq!(wildcard(".x.test", "a.x.test", false), Some(7));
        assert_eq!(wildcard("www.x.*", "www.x.test", true), Some(6));
        assert_eq!(wildcard("~^a.*", "~^a.b", true), None);
    }
}
