//! Which server answers: by the most specific socket first, then by name.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

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
        if std::ptr::eq(differs, server) {
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
        let names = self.names();
        let exact = |name: &&Name<'a>| matches!(&name.form, Form::Exact(own) if own == host);
        if let Some(name) = names.iter().find(exact) {
            return Ok((name.server, None));
        }
        // The longest match wins; no two of one length match, because nginx keeps the first of equal names.
        let longest = |length: fn(&Form<'_>, &str) -> Option<usize>| {
            let fitting = names.iter().filter_map(|name| length(&name.form, host).map(|length| (length, name.server)));
            fitting.max_by_key(|(length, _)| *length).map(|(_, server)| server)
        };
        if let Some(server) = longest(head).or_else(|| longest(tail)) {
            return Ok((server, None));
        }
        for name in &names {
            if let Form::Regex(text) = name.form {
                let pattern = Pattern::new(text, true).map_err(|why| Doubt::undecided(&name.line.at, why))?;
                if let Some(captures) = pattern.captures(host) {
                    return Ok((name.server, Some(captures)));
                }
            }
        }
        if let Some(name) = names.iter().find(|name| matches!(name.form, Form::Machine)) {
            let why = "`server_name $hostname` stands for the machine's own name";
            return Err(Doubt::undecided(&name.line.at, why));
        }
        Ok((self.default(), None))
    }

    /// The names that nginx keeps; `ngx_hash_add_key` refuses those that another server has already, and says only
    /// "conflicting server name". It drops `.x` as a whole when `x` is taken.
    fn names(&self) -> Vec<Name<'a>> {
        let mut taken: BTreeSet<(char, String)> = BTreeSet::new();
        let mut names = Vec::new();
        for (server, _) in &self.members {
            for line in server.all("server_name") {
                for written in &line.args {
                    let form = Form::of(written);
                    let keeps = match &form {
                        Form::Both(name) => taken.insert(('=', name.clone())) && taken.insert(('<', name.clone())),
                        Form::Exact(name) => taken.insert(('=', name.clone())),
                        Form::Head(name) => taken.insert(('<', name.clone())),
                        Form::Machine | Form::Regex(_) => true,
                        Form::Tail(name) => taken.insert(('>', name.clone())),
                    };
                    if keeps {
                        names.push(Name { server, line, form });
                    }
                }
            }
        }
        names
    }
}

/// One name of one server.
struct Name<'a> {
    server: &'a Directive,
    line: &'a Directive,
    form: Form<'a>,
}

/// What a name matches, in lower case and without its star and dot.
enum Form<'a> {
    /// `.x`: `x` and `*.x`.
    Both(String),
    Exact(String),
    /// `*.x`, not `x`.
    Head(String),
    /// `$hostname`.
    Machine,
    Regex(&'a str),
    /// `x.*`.
    Tail(String),
}

impl<'a> Form<'a> {
    fn of(written: &'a str) -> Self {
        if let Some(text) = written.strip_prefix('~') {
            return Form::Regex(text);
        }
        let name = written.to_ascii_lowercase();
        if name == "$hostname" {
            Form::Machine
        } else if let Some(rest) = name.strip_prefix("*.") {
            Form::Head(rest.to_owned())
        } else if let Some(rest) = name.strip_prefix('.') {
            Form::Both(rest.to_owned())
        } else if let Some(rest) = name.strip_suffix(".*") {
            Form::Tail(rest.to_owned())
        } else {
            Form::Exact(name)
        }
    }
}

/// How much of the host's end matches.
fn head(form: &Form<'_>, host: &str) -> Option<usize> {
    let (name, whole) = match form {
        Form::Both(name) => (name, host == name),
        Form::Head(name) => (name, false),
        _ => return None,
    };
    let below = host.strip_suffix(name.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'));
    (whole || below).then_some(name.len())
}

/// How much of the host's beginning matches.
fn tail(form: &Form<'_>, host: &str) -> Option<usize> {
    let Form::Tail(name) = form else { return None };
    let matches = host.strip_prefix(name.as_str()).is_some_and(|rest| rest.len() > 1 && rest.starts_with('.'));
    matches.then_some(name.len())
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
        let table = [
            ("*.X.test", "a.b.x.test", Some(6), None),
            ("*.x.test", "x.test", None, None),
            ("*.x.test", ".x.test", None, None),
            (".x.test", "a.x.test", Some(6), None),
            (".x.test", "x.test", Some(6), None),
            (".x.test", "yx.test", None, None),
            ("www.x.*", "www.x.test", None, Some(5)),
            ("www.x.*", "www.x.", None, None),
            ("~^a.*", "~^a.b", None, None),
        ];
        for (name, host, by_head, by_tail) in table {
            let form = Form::of(name);
            assert_eq!((head(&form, host), tail(&form, host)), (by_head, by_tail), "{name} {host}");
        }
    }
}
