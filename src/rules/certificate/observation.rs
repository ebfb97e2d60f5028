//! What one TLS handshake showed: plain data that `system::tls` fills.

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
    /// No path ends at a trusted root.
    UnknownIssuer,
    /// The certificate cannot be read.
    Unreadable(String),
    /// A signature on the path has an algorithm that is not accepted any more.
    UnsupportedSignature,
}

impl TlsObservation {
    /// The server's own certificate, when it can be read.
    pub fn leaf(&self) -> Option<&Certificate> {
        self.chain.first()?.certificate.as_ref().ok()
    }

    /// The certificates from the server's own up to the last issuer that was sent, with their places in the chain.
    pub fn walk(&self) -> Vec<(usize, &Certificate)> {
        let sent: Vec<(usize, &Certificate)> = self
            .chain
            .iter()
            .enumerate()
            .filter_map(|(place, link)| Some((place, link.certificate.as_ref().ok()?)))
            .collect();
        let Some(leaf) = self.leaf() else { return Vec::new() };
        let mut walk = vec![(0, leaf)];
        while let Some((_, last)) = walk.last()
            && !last.is_self_issued()
        {
            let next = |over: bool| {
                sent.iter().find(|(_, other)| {
                    other.subject_der == last.issuer_der
                        && (over || other.not_after >= self.path.at)
                        && walk.iter().all(|(_, seen)| seen.sha256 != other.sha256)
                })
            };
            // Of two certificates for the same issuer, the one that still counts is on the path.
            match next(false).or_else(|| next(true)) {
                Some(found) => walk.push(*found),
                None => break,
            }
        }
        walk
    }

    /// Whether the connection is with whom it should be: only then may anything private be sent over it.
    pub fn is_trusted(&self) -> bool {
        let named = self.leaf().is_some_and(|leaf| super::covers(&leaf.names, &self.host));
        self.unproven.is_none() && (self.pinned || (self.path.now.is_ok() && named))
    }
}
