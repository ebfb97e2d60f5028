//! Why no TLS connection came about, and what to think of it.

use std::{fmt, time::Duration};

use super::{Offer, Offers, TlsVersion};
use crate::report::{Finding, Status};

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
    /// Neither TLS nor HTTP: its first bytes, printable.
    Bytes(String),
    /// Plain HTTP, with its status line.
    Http(String),
}

/// How far a connection had come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// Waiting for the TCP connection.
    Connect,
    /// Connected, in the TLS handshake.
    Handshake,
}

/// Judges `tls.chain` where there is no connection to judge.
///
/// `offers` is what hand-made handshakes found out, which tells a server of another age from a broken one.
pub fn trouble(subject: &str, trouble: &Trouble, offers: Option<&Offers>) -> Finding {
    if let Some(finding) = offers.filter(|_| trouble.may_be_age()).and_then(|offers| of_another_age(subject, offers)) {
        return finding.observed(trouble.to_string());
    }
    // What this machine lacks says nothing about the site.
    let status = if matches!(trouble, Trouble::NoRoute(_)) { Status::Unknown } else { Status::Fail };
    let finding = Finding::new("tls.chain", subject, status, trouble.to_string())
        .expected("a TLS handshake")
        .data("reason", trouble.reason());
    match trouble {
        Trouble::Alert(_) => finding.fix("read the error log of the server: it says why it refused"),
        Trouble::BadName => finding.fix("check the host in `url`"),
        Trouble::Closed => {
            finding.fix("check that the port is the one that speaks TLS, and read the server's error log")
        }
        Trouble::NoRoute(_) => {
            finding.fix("look from a machine with this address family, or leave it out with -4 or -6")
        }
        Trouble::NotTls(Instead::Http(line)) => finding.observed(line.as_str()).fix(
            "in nginx: `listen 443 ssl;` in the block that serves it; or write `http://` or another port in `url`",
        ),
        Trouble::NotTls(Instead::Bytes(bytes)) => finding.observed(bytes.as_str()).fix("check the port in `url`"),
        Trouble::Protocol(why) => finding
            .observed(why.as_str())
            .fix("check that the port is the one that speaks TLS, and what stands between it and here"),
        Trouble::Refused => finding.fix("start the server, or publish its port"),
        Trouble::Timeout { .. } => finding.fix("check firewalls, security groups and the load of the server"),
        Trouble::Unreachable(why) => finding.observed(why.as_str()).fix("check the address and the network between"),
    }
}

/// The finding about a server that only speaks what no client of today does.
fn of_another_age(subject: &str, offers: &Offers) -> Option<Finding> {
    let newest = *offers.offered().last()?;
    let finding = if newest <= TlsVersion::Tls11 {
        Finding::fail("tls.chain", subject, "only offers TLS 1.1 or older").data("reason", "old-tls")
    } else if let Offer::Yes { cipher } = &offers.tls12
        && !is_of_today(cipher)
    {
        Finding::fail("tls.chain", subject, "only offers cipher suites that no client should accept any more")
            .cause(format!("of all suites for TLS 1.2 it chose `{cipher}`"))
            .data("reason", "old-ciphers")
    } else {
        return None;
    };
    Some(
        finding
            .expected("TLS 1.2 or newer with forward secrecy")
            .fix("in nginx: `ssl_protocols TLSv1.2 TLSv1.3;` and no `ssl_ciphers` of another age, then reload"),
    )
}

/// Forward secrecy and authenticated encryption: what RFC 9325, 4.2 recommends.
fn is_of_today(cipher: &str) -> bool {
    cipher.contains("ECDHE") && ["GCM", "CHACHA20"].iter().any(|mode| cipher.contains(mode))
}

impl Trouble {
    /// Whether a server that is too old would look like this.
    pub fn may_be_age(&self) -> bool {
        match self {
            Self::Alert(alert) => ["handshake_failure", "insufficient_security", "internal_error", "protocol_version"]
                .contains(&alert.as_str()),
            Self::Closed | Self::Protocol(_) => true,
            _ => false,
        }
    }

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
                write!(f, "no connection within {} s", seconds(*after))
            }
            Self::Timeout { stage: Stage::Handshake, after } => {
                write!(f, "the TLS handshake was not complete within {} s", seconds(*after))
            }
            Self::Unreachable(why) => write!(f, "the address cannot be reached: {why}"),
        }
    }
}

/// Without the microseconds that went by before the waiting began.
fn seconds(after: Duration) -> f64 {
    (after.as_secs_f64() * 100.0).round() / 100.0
}
