//! The question that is put to a configuration, and its answer.

use std::{fmt, net::IpAddr};

use super::tree::Place;

/// A request, as it reaches nginx: a GET without headers of its own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Question {
    /// Whether it comes over TLS.
    pub tls: bool,
    /// The address of nginx that it comes to, when known: inside a container, the container's.
    pub address: Option<IpAddr>,
    /// The port that nginx listens on: inside a container, not the published one.
    pub port: u16,
    /// The `Host` header, with the port when the URL has one.
    pub host: String,
    /// The path, with the query if there is one.
    pub path: String,
    /// The site as its visitors see it, when a trusted proxy in front says so in `X-Forwarded-*`.
    pub front: Option<Public>,
}

/// The site as its visitors see it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Public {
    /// `https` or `http`.
    pub scheme: String,
    /// The name, without a port.
    pub host: String,
    /// The port, also when it is the scheme's own.
    pub port: u16,
}

/// What the file says about a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The server that answers.
    pub server: Server,
    /// The locations that hold the answering one, outermost first, itself last; empty when no location matches.
    pub locations: Vec<Location>,
    /// How the request came there, where it did not come directly.
    pub steps: Vec<String>,
    /// What becomes of it.
    pub ending: Ending,
    /// The file that is served where it exists, by `root` or `alias`; `None` where no file is looked for, or where its path
    /// depends on what the configuration does not say.
    pub file: Option<String>,
    /// The headers that nginx sets for the application, in the order in which it sends them.
    pub headers: Vec<Header>,
    /// Headers that an outer level sets and that do not reach the answering one.
    pub dropped: Vec<Dropped>,
    /// Whether headers of the client that nginx does not set reach the application.
    pub passes_client_headers: bool,
    /// `proxy_http_version`; without a place when nginx's default applies.
    pub http_version: Setting,
    /// `proxy_redirect`; without a place when nginx's default applies.
    pub redirect: Setting,
    /// The first certificate of the server that TLS chooses by the requested name.
    pub certificate: Option<Setting>,
    /// What the operator should know besides.
    pub notes: Vec<String>,
    /// What was asked.
    pub question: Question,
}

/// The chosen server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Server {
    /// Its first name; empty when it has none.
    pub name: String,
    /// Where it stands.
    pub at: Place,
}

/// A location of the chain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Location {
    /// As it is written: `/app/`, `~ \.php$`, `@app`.
    pub label: String,
    /// Where it stands.
    pub at: Place,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// Handed to an application over another protocol than HTTP (`fastcgi_pass`).
    Other {
        /// The directive that hands it over.
        directive: String,
        /// Where.
        at: Place,
    },
    /// Proxied over HTTP.
    Proxied(Upstream),
    /// Answered by nginx itself with this status.
    Returned {
        /// The status.
        code: u16,
        /// Why, with the place.
        why: String,
    },
    /// Answered with a file.
    Static,
}

/// Where a request is proxied to.
#[derive(Clone, Debug, PartialEq)]
pub struct Upstream {
    /// The argument of `proxy_pass`, as written.
    pub written: String,
    /// The argument with its variables filled in.
    pub target: Value,
    /// Where the `proxy_pass` stands.
    pub at: Place,
    /// The servers of the `upstream` block of that name.
    pub servers: Vec<String>,
    /// Whether names can be looked up while nginx runs.
    pub resolver: bool,
    /// Why every request would fail while nginx runs, although it starts.
    pub failure: Option<String>,
}

/// One header that nginx sets for the application.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// As written.
    pub name: String,
    /// As written; empty when the header is removed.
    pub value: String,
    /// What the application receives.
    pub meaning: Value,
    /// Where.
    pub at: Place,
    /// Why this one applies: "set in location /", "inherited from server", "nginx's default".
    pub reason: String,
}

/// A header that an outer level sets and an inner one drops.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dropped {
    /// As written.
    pub name: String,
    /// As written.
    pub value: String,
    /// Where it is set.
    pub at: Place,
    /// The block that does not inherit it, because it has a header of its own.
    pub block: String,
    /// The first header of that block.
    pub by: Place,
}

/// A directive with one value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Setting {
    /// As written, or nginx's default.
    pub value: String,
    /// Where; `None` for the default.
    pub at: Option<Place>,
}

/// What a text with variables amounts to for the question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    /// The client chooses it: through which variable.
    Client(String),
    /// Exactly this.
    Known(String),
    /// It depends on what a file does not say: on what.
    Open(String),
}

impl Value {
    /// The text, when it is known.
    pub fn known(&self) -> Option<&str> {
        match self {
            Value::Known(text) => Some(text),
            Value::Client(_) | Value::Open(_) => None,
        }
    }
}

/// Why the file does not answer the question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Doubt {
    /// Whether it is a fault of the configuration or a limit of ours.
    pub kind: DoubtKind,
    /// Where, as far as one place can be named.
    pub at: Option<Place>,
    /// Why.
    pub why: String,
}

/// What a [`Doubt`] says about the configuration, in alphabetical order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DoubtKind {
    /// No server listens there, or not with TLS, or only with it: a fault.
    NoServer,
    /// Something decides that a file does not show: Lua, a PCRE of its own kind, a request's headers.
    Undecided,
}

impl Doubt {
    pub(super) fn undecided(at: &Place, why: impl Into<String>) -> Self {
        Self { kind: DoubtKind::Undecided, at: Some(at.clone()), why: why.into() }
    }

    pub(super) fn no_server(why: impl Into<String>) -> Self {
        Self { kind: DoubtKind::NoServer, at: None, why: why.into() }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(at) => write!(f, "{} ({at})", self.why),
            None => f.write_str(&self.why),
        }
    }
}

impl std::error::Error for Doubt {}
