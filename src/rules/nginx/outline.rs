//! The servers of a configuration at a glance: what a person would list, not what one request meets.

use super::{
    listen::{Listen, Socket},
    tree::{Config, Directive, Place},
};

/// One `server` block.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outline {
    /// Its names as they are written, without the empty one.
    pub names: Vec<String>,
    /// The ports where TLS is spoken, each once.
    pub tls: Vec<u16>,
    /// The ports where it is not.
    pub plain: Vec<u16>,
    /// The files of `ssl_certificate`, from the `http` block where it has none of its own.
    pub certificates: Vec<String>,
    /// The hosts that it hands requests on to, out of `proxy_pass` and the `upstream` that it names.
    pub peers: Vec<String>,
    /// Where it stands.
    pub at: Place,
}

/// Every server of the configuration, in its order.
pub fn outline(config: &Config) -> Vec<Outline> {
    let Some(http) = config.http() else { return Vec::new() };
    http.all("server").map(|server| of_server(http, server)).collect()
}

fn of_server(http: &Directive, server: &Directive) -> Outline {
    let listens: Vec<Listen> = Listen::of(server).into_iter().filter(|listen| !listen.quic).collect();
    // `ssl on;` of nginx before 1.25.1.
    let all_tls = server.last("ssl").or_else(|| http.last("ssl")).is_some_and(|line| line.arg() == "on");
    let ports = |tls: bool| {
        let mut ports: Vec<u16> =
            listens.iter().filter(|listen| (listen.ssl || all_tls) == tls).filter_map(port).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    };
    let own: Vec<&Directive> = server.all("ssl_certificate").collect();
    let certificates = if own.is_empty() { http.all("ssl_certificate").collect() } else { own };
    let mut peers = Vec::new();
    passes(server, &mut |target| {
        let host = host_of(target);
        match http.all("upstream").find(|upstream| upstream.arg() == host) {
            Some(upstream) => peers.extend(upstream.all("server").map(|peer| host_of(peer.arg()).to_owned())),
            None => peers.push(host.to_owned()),
        }
    });
    peers.sort();
    peers.dedup();
    Outline {
        names: server.all("server_name").flat_map(|line| &line.args).filter(|name| !name.is_empty()).cloned().collect(),
        tls: ports(true),
        plain: ports(false),
        certificates: certificates.iter().map(|line| line.arg().to_owned()).collect(),
        peers,
        at: server.at.clone(),
    }
}

fn port(listen: &Listen) -> Option<u16> {
    match listen.socket {
        Socket::Address(_, port) | Socket::Name(_, port) => Some(port),
        Socket::Unix(_) => None,
    }
}

/// Every target of `proxy_pass` in a block and the blocks inside.
fn passes(block: &Directive, visit: &mut dyn FnMut(&str)) {
    for child in block.children() {
        if child.name == "proxy_pass" {
            visit(child.arg());
        }
        passes(child, visit);
    }
}

/// The host of `http://web:8000/path` or `web:8000`.
fn host_of(target: &str) -> &str {
    let rest = target.split_once("://").map_or(target, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::nginx::parse_dump;

    #[test]
    fn servers_are_listed_with_names_ports_files_and_peers() {
        let dump = "# configuration file /etc/nginx/nginx.conf:\nevents {}\nhttp {\n\
            upstream app { server web:8000; server 10.0.0.2:8000 backup; }\n\
            ssl_certificate /etc/ssl/all.pem;\n\
            server { listen 80; server_name prime.example.edu www.prime.example.edu; return 301 https://$host$request_uri; }\n\
            server { listen 443 ssl; listen [::]:443 ssl; listen 8443 ssl; listen 443 quic; server_name prime.example.edu \"\";\n\
            ssl_certificate /etc/letsencrypt/live/prime/fullchain.pem;\n\
            location / { proxy_pass http://app; } location /b { if ($x) { proxy_pass http://other:81/x; } } }\n\
            server { listen unix:/run/x.sock; }\n}\n";
        let found = outline(&parse_dump(dump).unwrap());
        let [plain, tls, unix] = &found[..] else { panic!("{found:?}") };
        assert_eq!(
            (&plain.names[..], &plain.plain[..]),
            (&["prime.example.edu".into(), "www.prime.example.edu".into()][..], &[80][..])
        );
        assert_eq!((&tls.tls[..], &tls.plain[..]), (&[443, 8443][..], &[][..]));
        assert_eq!(tls.names, ["prime.example.edu"]);
        assert_eq!(tls.certificates, ["/etc/letsencrypt/live/prime/fullchain.pem"]);
        assert_eq!(tls.peers, ["10.0.0.2", "other", "web"]);
        assert_eq!(
            (unix.certificates.as_slice(), unix.tls.len() + unix.plain.len()),
            (&["/etc/ssl/all.pem".into()][..], 0)
        );
        assert_eq!(outline(&Config::default()), []);
    }
}
