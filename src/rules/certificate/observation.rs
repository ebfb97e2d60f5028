//! What one TLS handshake showed: plain data that `system::tls` fills.

use std::{fmt, time::Duration};

use jiff::Timestamp;

use super::{Certificate, TlsVersion, Unreadable};

/// What one server showed at one address, whether or not it can be trusted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsObservation {
    /// The host that was asked for, lower case, without a trailing dot.
    pub host: String,
    /// What was negotiated; `None` when the handshake broke off after the certificates.
    pub session: Option<Session>,
    /// The certificates in the order in which they were sent, the server's own first.
    pub chain: Vec<Link>,
    /// Whether the certificates lead to a trusted root, and until when.
    pub path: Path,
    /// Why the server has not proven that it holds the certificate's key; `None` when it has.
    pub unproven: Option<String>,
    /// Whether the server's own certificate is one that the operator listed.
    pub pinned: bool,
    /// Whether an OCSP answer was stapled.
    pub stapled: bool,
    /// Which roots were trusted, in words: `platform`, `SSL_CERT_FILE=…`, with what was added.
    pub trust: String,
    /// What was wrong with the trust store, when something was.
    pub trust_trouble: Option<String>,
}

/// What was negotiated.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Session {
    /// The protocol version.
    pub version: TlsVersion,
    /// The cipher suite.
    pub cipher: String,
    /// The application protocol: `h2`, `http/1.1`.
    pub alpn: Option<String>,
}

/// One certificate that was sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Link {
    /// What it says, when it can be read.
    pub certificate: Result<Certificate, Unreadable>,
    /// Whether it is signed with its own key (or says so with an algorithm that cannot be checked).
    pub self_signed: bool,
    /// Whether its name and key are those of a trusted root.
    pub anchor: bool,
}

/// Whether the certificates lead to a trusted root.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Path {
    /// The moment that counts as now.
    pub at: Timestamp,
    /// The verdict at that moment.
    pub now: Result<(), PathFault>,
    /// The best verdict at moments inside the validity of the server's own certificate: tells "untrusted" from "expired".
    pub ever: Result<(), PathFault>,
    /// The last moment at which a path is valid, when there is one: the earliest end of the best path.
    pub until: Option<Timestamp>,
}

/// Why there is no valid path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PathFault {
    /// A signature on the path is wrong.
    BadSignature,
    /// The server's own certificate is an authority's, which no path may start with.
    CaAsLeaf,
    /// A certificate on the path is over.
    Expired,
    /// A certificate on the path has not begun.
    NotYetValid,
    /// Anything else, in the verifier's words.
    Other(String),
    /// The certificate is for another purpose than a TLS server.
    Purpose,
    /// The certificate cannot be read.
    Unreadable(String),
    /// No path ends at a trusted root.
    UnknownIssuer,
    /// A signature on the path has an algorithm that is not accepted any more.
    UnsupportedSignature,
}

/// Why no TLS connection came about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// The server ended the handshake with an alert (RFC 8446, 6).
    Alert(String),
    /// The name cannot be asked for in TLS.
    BadName,
    /// The connection was closed during the handshake.
    Closed,
    /// This machine has no way to the address (no route, no such address family, not permitted).
    NoRoute(String),
    /// What came is not TLS.
    NotTls(Instead),
    /// The server does what the protocol forbids.
    Protocol(String),
    /// Nothing listens there.
    Refused,
    /// The deadline passed.
    Timeout {
        /// What was being waited for.
        stage: Stage,
        /// How long all of it was allowed to take.
        after: Duration,
    },
    /// The connection failed otherwise.
    Unreachable(String),
}

/// What a server said that does not speak TLS.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Instead {
    /// Plain HTTP, with its status line.
    Http(String),
    /// Something else: its first bytes, printable.
    Bytes(String),
}

/// How far a connection had come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// Waiting for the TCP connection.
    Connect,
    /// Connected, in the TLS handshake.
    Handshake,
}

impl TlsObservation {
    /// The server's own certificate, when it can be read.
    pub fn leaf(&self) -> Option<&Certificate> {
        self.chain.first()?.certificate.as_ref().ok()
    }

    /// Whether the connection is with whom it should be: only then may anything private be sent over it.
    pub fn is_trusted(&self) -> bool {
        let named = self.leaf().is_some_and(|leaf| super::covers(&leaf.names, &self.host));
        self.unproven.is_none() && (self.pinned || (self.path.now.is_ok() && named))
    }
}

impl Trouble {
    /// The word for `data.reason`; `no-connection` and `timeout` are what a deploy can still mend.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Alert(_) => "alert",
            Self::BadName => "bad-name",
            Self::Closed | Self::Refused | Self::Unreachable(_) => "no-connection",
            Self::NoRoute(_) => "no-route",
            Self::NotTls(_) => "not-tls",
            Self::Protocol(_) => "protocol",
            Self::Timeout { .. } => "timeout",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alert(alert) => write!(f, "the server refused the TLS handshake with the alert `{alert}`"),
            Self::BadName => f.write_str("the host is not a name that TLS can ask for"),
            Self::Closed => f.write_str("the server closed the connection during the TLS handshake"),
            Self::NoRoute(why) => write!(f, "this machine has no way to the address: {why}"),
            Self::NotTls(Instead::Http(_)) => f.write_str("plain HTTP is spoken there, not TLS"),
            Self::NotTls(Instead::Bytes(_)) => f.write_str("what is spoken there is not TLS"),
            Self::Protocol(why) => write!(f, "the server breaks the TLS protocol: {why}"),
            Self::Refused => f.write_str("the connection was refused"),
            Self::Timeout { stage: Stage::Connect, after } => {
                write!(f, "no connection within {} s", after.as_secs_f64())
            }
            Self::Timeout { stage: Stage::Handshake, after } => {
                write!(f, "the TLS handshake was not complete within {} s", after.as_secs_f64())
            }
            Self::Unreachable(why) => write!(f, "the address cannot be reached: {why}"),
        }
    }
}
