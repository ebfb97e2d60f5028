//! One request: what nginx does, and what the evaluator says.

use std::net::{IpAddr, TcpStream};

use mainstay::rules::nginx::{Answer, Config, Directive, DoubtKind, Ending, Place, Question, Value, evaluate};

use crate::request::{CLIENT, Received, ask};

/// A request to a running nginx.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Where nginx is connected to.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// The `Host` header.
    pub host: String,
    /// The path with its query.
    pub path: String,
}

/// How the two differ.
#[derive(Debug)]
pub enum Difference {
    /// The evaluator does not know.
    Doubt(#[expect(dead_code, reason = "shown by Debug")] String),
    /// They contradict each other.
    Other(String),
}

impl Asked {
    /// A request over plain HTTP.
    pub fn plain(address: &str, port: u16, host: &str, path: &str) -> Self {
        let address = address.parse().expect("an address");
        Self { address, port, host: host.to_owned(), path: path.to_owned() }
    }

    /// The same for the evaluator.
    pub fn question(&self, tls: bool) -> Question {
        let (host, path) = (self.host.clone(), self.path.clone());
        Question { tls, address: Some(self.address), port: self.port, host, path, front: None }
    }
}

/// Asks both; the word says what became of the request.
pub fn compare(config: &Config, asked: &Asked) -> Result<&'static str, Difference> {
    let stream = TcpStream::connect((asked.address, asked.port)).ok();
    let received = stream.and_then(|mut stream| ask(&mut stream, &asked.host, &asked.path));
    let answer = match (evaluate(config, &asked.question(false)), &received) {
        (Err(doubt), None) if doubt.kind == DoubtKind::NoServer => return Ok("refused"),
        (Err(doubt), Some(_)) if doubt.kind == DoubtKind::Undecided => {
            return Err(Difference::Doubt(doubt.to_string()));
        }
        (Err(doubt), received) => return Err(Difference::Other(format!("{doubt}, but nginx: {received:?}"))),
        (Ok(answer), _) => answer,
    };
    let Some(received) = received else { return Err(Difference::Other("nginx does not answer".to_owned())) };
    agree(config, &answer, &received)
        .map_err(|what| Difference::Other(format!("{what}\n  {received:?}\n  {answer:?}")))?;
    Ok(match answer.ending {
        Ending::Proxied(_) => "proxied",
        Ending::Other { .. } | Ending::Returned { .. } => "returned",
        Ending::Static => "static",
    })
}

/// Whether the answer describes what nginx did.
pub fn agree(config: &Config, answer: &Answer, received: &Received) -> Result<(), String> {
    let at = answer.locations.last().map_or(&answer.server.at, |location| &location.at);
    let place = own_name(&config.top, at);
    match (&answer.ending, &received.echoed) {
        (Ending::Proxied(_), Some(_)) => {}
        (Ending::Proxied(upstream), None) if upstream.failure.is_some() => {
            return if matches!(received.status, 500 | 502) { Ok(()) } else { Err("it does not fail".to_owned()) };
        }
        (Ending::Returned { code, .. }, None) if *code == received.status => {}
        (Ending::Static, None) if received.status == 404 => {}
        _ => return Err("it ends otherwise".to_owned()),
    }
    // A redirection for a missing slash is answered before the location's own headers are.
    if place != received.place && received.place.is_some() {
        return Err(format!("{place:?} should have answered"));
    }
    let Some((line, headers)) = &received.echoed else { return Ok(()) };
    if !line.ends_with(&format!("HTTP/{}", answer.http_version.value)) {
        return Err("the HTTP version differs".to_owned());
    }
    for name in ["Host", "X-A", "X-B", "X-C", "X-Forwarded-Proto", "X-T"] {
        let same = |other: &str| other.eq_ignore_ascii_case(name);
        let arrived: Vec<&str> = headers.iter().filter(|(own, _)| same(own)).map(|(_, value)| value.as_str()).collect();
        let set: Vec<_> = answer.headers.iter().filter(|header| same(&header.name)).collect();
        let expected: Vec<String> = if set.is_empty() {
            let own = CLIENT.iter().filter(|(own, _)| same(own) && answer.passes_client_headers);
            own.map(|(_, value)| (*value).to_owned()).collect()
        } else {
            let filled = set.iter().map(|header| match &header.meaning {
                Value::Known(text) => text.clone(),
                Value::Client(through) => sent(through),
                Value::Open(why) => why.clone(),
            });
            filled.filter(|text| !text.is_empty()).collect()
        };
        if arrived != expected {
            return Err(format!("{name}: {arrived:?} arrived instead of {expected:?}"));
        }
    }
    Ok(())
}

/// What our client sends in the header behind `$http_…`.
fn sent(through: &str) -> String {
    let wanted = through.trim_start_matches("$http_").replace('_', "-");
    let found = CLIENT.iter().find(|(name, _)| name.eq_ignore_ascii_case(&wanted));
    found.map(|(_, value)| (*value).to_owned()).unwrap_or_default()
}

/// The name that the block at this place sends in `X-Where`.
fn own_name(directives: &[Directive], at: &Place) -> Option<String> {
    directives.iter().find_map(|directive| {
        if directive.at == *at && matches!(directive.name.as_str(), "server" | "location") {
            let own = directive.children().iter().find(|child| child.arg() == "X-Where");
            return own.and_then(|child| child.args.get(1).cloned());
        }
        own_name(directive.children(), at)
    })
}
