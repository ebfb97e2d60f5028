//! Which directives hold at a level: what nginx inherits as a whole, and what one by one.

use super::{
    answer::{Dropped, Header, Setting, Upstream, Value},
    tree::{Directive, Place},
    variables::Variables,
};

/// The levels of an answer: `http`, the server, the locations around the answering one and itself, an `if` in it.
#[derive(Clone, Debug)]
pub struct Levels<'a>(pub Vec<&'a Directive>);

impl<'a> Levels<'a> {
    /// The last directive of this name at the innermost level that has one.
    pub fn nearest(&self, name: &str) -> Option<&'a Directive> {
        self.0.iter().rev().find_map(|level| level.last(name))
    }

    /// A directive that is inherited by itself, or its default.
    pub fn setting(&self, name: &str, default: &str) -> Setting {
        match self.nearest(name) {
            Some(directive) => Setting { value: directive.args.join(" "), at: Some(directive.at.clone()) },
            None => Setting { value: default.to_owned(), at: None },
        }
    }

    /// `proxy_set_header`: all those of the innermost level that has any, and nothing of the others.
    ///
    /// The rule is in `ngx_http_proxy_merge_loc_conf`. nginx adds `Host $proxy_host` where no `Host` is set.
    pub fn headers(&self, variables: &Variables<'_>, proxy_pass: &Place) -> Vec<Header> {
        let depth = self.header_level();
        let mut headers = Vec::new();
        if let Some(depth) = depth {
            let level = self.0[depth];
            let inner = self.inner_level();
            let reason = if depth == inner {
                format!("set in {}", block(level))
            } else {
                format!("inherited from {}", block(level))
            };
            for line in level.all("proxy_set_header") {
                let value = line.args.get(1).cloned().unwrap_or_default();
                let meaning = variables.expand(&value);
                let (name, at) = (line.arg().to_owned(), line.at.clone());
                headers.push(Header { name, value, meaning, at, reason: reason.clone() });
            }
        }
        if !headers.iter().any(|header| header.name.eq_ignore_ascii_case("host")) {
            headers.push(Header {
                name: "Host".to_owned(),
                value: "$proxy_host".to_owned(),
                meaning: variables.expand("$proxy_host"),
                at: proxy_pass.clone(),
                reason: "nginx's default".to_owned(),
            });
        }
        headers
    }

    /// The headers of outer levels that the innermost level with headers of its own does not repeat.
    pub fn dropped(&self) -> Vec<Dropped> {
        let Some(depth) = self.header_level() else { return Vec::new() };
        let own: Vec<&Directive> = self.0[depth].all("proxy_set_header").collect();
        let Some(first) = own.first() else { return Vec::new() };
        let mut dropped: Vec<Dropped> = Vec::new();
        for level in self.0[..depth].iter().rev() {
            for line in level.all("proxy_set_header").rev() {
                let same = |name: &str| name.eq_ignore_ascii_case(line.arg());
                if own.iter().any(|own| same(own.arg())) || dropped.iter().any(|known| same(&known.name)) {
                    continue;
                }
                dropped.push(Dropped {
                    name: line.arg().to_owned(),
                    value: line.args.get(1).cloned().unwrap_or_default(),
                    at: line.at.clone(),
                    block: block(self.0[depth]),
                    by: first.at.clone(),
                });
            }
        }
        dropped
    }

    /// The certificate of the innermost level that names one: the first, which is what most clients get.
    pub fn certificate(&self) -> Option<Setting> {
        let level = self.0.iter().rev().find(|level| level.last("ssl_certificate").is_some())?;
        let first = level.all("ssl_certificate").next()?;
        Some(Setting { value: first.arg().to_owned(), at: Some(first.at.clone()) })
    }

    /// Where a `proxy_pass` leads while nginx runs, and what the operator should know about it.
    pub fn upstream(&self, proxy_pass: &Directive, variables: &mut Variables<'_>) -> (Upstream, Vec<String>) {
        let written = proxy_pass.arg().to_owned();
        let target = variables.expand(&written);
        let mut upstream = Upstream {
            target: target.clone(),
            at: proxy_pass.at.clone(),
            servers: Vec::new(),
            failure: None,
            resolver: self.nearest("resolver").is_some_and(|line| line.arg() != "off"),
            written,
        };
        let mut notes = Vec::new();
        let computed = upstream.written.contains('$');
        let Value::Known(text) = target else {
            if !upstream.resolver {
                notes.push(
                    "the address of the application is computed for each request, and there is no resolver".to_owned(),
                );
            }
            return (upstream, notes);
        };
        let Some((authority, port)) = authority(&text) else {
            upstream.failure = Some(format!("`{text}` is not an http or https address"));
            return (upstream, notes);
        };
        if authority.starts_with("unix:") {
            variables.proxy_host = Some("localhost".to_owned());
            return (upstream, notes);
        }
        let (host, own_port) = split_port(authority);
        let plain = own_port.is_none_or(|own| own == port);
        variables.proxy_host = Some(if plain { host } else { authority }.to_ascii_lowercase());
        let http = self.0[0];
        if let Some(group) = http.all("upstream").find(|group| group.arg().eq_ignore_ascii_case(host))
            && (own_port.is_none() || !computed)
        {
            for server in group.all("server") {
                let (name, _) = split_port(server.arg());
                upstream.servers.push(server.arg().to_owned());
                if is_name(name) && !server.args.iter().any(|arg| arg == "resolve") {
                    notes.push(once(name, &server.at));
                }
            }
            return (upstream, notes);
        }
        if !is_name(host) {
            return (upstream, notes);
        }
        if !computed {
            notes.push(once(host, &proxy_pass.at));
        } else if !upstream.resolver && !literally_used(http, host, own_port.unwrap_or(port)) {
            upstream.failure = Some(format!(
                "no resolver is defined to resolve {host}: a proxy_pass with a variable is looked up for each request"
            ));
        }
        (upstream, notes)
    }

    fn header_level(&self) -> Option<usize> {
        self.0.iter().rposition(|level| level.last("proxy_set_header").is_some())
    }

    /// The level that people mean by "here": an `if` or `limit_except` belongs to its location.
    fn inner_level(&self) -> usize {
        let innermost = self.0.len().saturating_sub(1);
        if matches!(self.0.get(innermost).map(|level| level.name.as_str()), Some("if" | "limit_except")) {
            innermost.saturating_sub(1)
        } else {
            innermost
        }
    }
}

/// What a level is called in a sentence.
pub fn block(level: &Directive) -> String {
    if level.name == "location" { level.head() } else { level.name.clone() }
}

/// The authority of an http address, and the port of its scheme.
fn authority(url: &str) -> Option<(&str, &'static str)> {
    let lower = url.get(..8).unwrap_or(url).to_ascii_lowercase();
    let (rest, port) = if lower.starts_with("http://") {
        (&url[7..], "80")
    } else if lower.starts_with("https://") {
        (&url[8..], "443")
    } else {
        return None;
    };
    let rest = if rest.starts_with("unix:") { rest } else { rest.split(['/', '?']).next().unwrap_or_default() };
    (!rest.is_empty()).then_some((rest, port))
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port))
            if !host.is_empty() && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            (host, Some(port))
        }
        _ => (authority, None),
    }
}

fn is_name(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    !host.starts_with("unix:") && bare.parse::<std::net::IpAddr>().is_err()
}

/// Whether a `proxy_pass` without variables names the same host and port: nginx then knows its addresses from the start.
fn literally_used(block: &Directive, host: &str, port: &str) -> bool {
    block.children().iter().any(|child| {
        let same = child.name == "proxy_pass"
            && !child.arg().contains('$')
            && authority(child.arg()).is_some_and(|(other, default)| {
                let (name, own) = split_port(other);
                name.eq_ignore_ascii_case(host) && own.unwrap_or(default) == port
            });
        same || literally_used(child, host, port)
    })
}

fn once(name: &str, at: &Place) -> String {
    format!(
        "the address of `{name}` is looked up once, when nginx starts ({at}); a container that is made anew may get another"
    )
}
