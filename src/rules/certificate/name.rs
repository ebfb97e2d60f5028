//! Whether a certificate is for a host (RFC 9525): subject alternative names only.

use std::net::IpAddr;

use super::{AltName, TlsObservation};
use crate::report::Finding;

/// Judges `tls.name`: `None` when no certificate can be read.
pub fn name(subject: &str, tls: &TlsObservation) -> Option<Finding> {
    let leaf = tls.leaf()?;
    let host = &tls.host;
    let listed: Vec<String> = leaf.names.iter().map(ToString::to_string).collect();
    let finding = if covers(&leaf.names, host) {
        Finding::pass("tls.name", subject, format!("the certificate is for `{host}`"))
    } else if tls.pinned {
        Finding::pass("tls.name", subject, "the certificate is one that `fingerprints` lists, whatever its names")
    } else if listed.is_empty() {
        let summary = format!("the certificate has no subject alternative name, so it is not for `{host}`");
        let finding = Finding::fail("tls.name", subject, summary).data("reason", "name");
        match &leaf.common_name {
            Some(name) => {
                finding.cause(format!("only the common name says `{name}`, and no client reads that any more"))
            }
            None => finding,
        }
    } else {
        let summary = format!("the certificate is not for `{host}`, but for {}", shortened(&listed));
        Finding::fail("tls.name", subject, summary)
            .cause("it was issued for other names, or the server has no block for this name and shows its default one")
            .data("reason", "name")
    };
    let finding = if finding.status.is_fine() {
        finding
    } else {
        finding
            .fix(format!("issue the certificate for `{host}` too, or check `server_name` of the block that serves it"))
    };
    let observed = if listed.is_empty() { "no names".to_owned() } else { listed.join(", ") };
    Some(finding.expected(host.as_str()).observed(observed).data("names", listed))
}

/// The first names, as many as a line holds.
fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let quoted: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => quoted.join(", "),
        more => format!("{} and {more} more", quoted.join(", ")),
    }
}

/// Whether one of the names is the host: a DNS name (A-labels) or an address.
///
/// As browsers and rustls do it: `*` stands for exactly one whole label, the first; an address needs an `iPAddress`
/// name; a common name counts for nothing.
pub fn covers(names: &[AltName], host: &str) -> bool {
    let host = plain(host);
    match host.parse::<IpAddr>() {
        Ok(address) => names.iter().any(|name| matches!(name, AltName::Ip(listed) if *listed == address)),
        Err(_) => names.iter().any(|name| matches!(name, AltName::Dns(pattern) if matches_dns(pattern, &host))),
    }
}

/// Lower case, without the brackets of an IPv6 address and without a trailing dot.
pub fn plain(host: &str) -> String {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

fn matches_dns(pattern: &str, host: &str) -> bool {
    // RFC 5280 has no place for a trailing dot in a certificate, so such a name matches nothing.
    match pattern.strip_prefix("*.") {
        Some(parent) => {
            let Some((first, rest)) = host.split_once('.') else { return false };
            // At least two labels below the star: `*.org` would stand for everybody.
            !first.is_empty() && parent.contains('.') && !parent.contains('*') && rest.eq_ignore_ascii_case(parent)
        }
        None => !pattern.contains('*') && !host.is_empty() && pattern.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_in_browsers() {
        let table: &[(&str, &str, bool)] = &[
            ("a.bench.test", "a.bench.test", true),
            ("A.Bench.Test", "a.bench.test.", true),
            ("a.bench.test", "b.bench.test", false),
            ("*.bench.test", "a.bench.test", true),
            ("*.bench.test", "bench.test", false),
            ("*.bench.test", "a.b.bench.test", false),
            ("f*.bench.test", "foo.bench.test", false),
            ("*", "test", false),
            ("*.test", "bench.test", false),
            ("a.*.test", "a.b.test", false),
            ("*.*.test", "a.b.test", false),
            ("127.0.0.1", "127.0.0.1", false),
            ("", "", false),
            ("*.bench.test", ".bench.test", false),
        ];
        for (pattern, host, expected) in table {
            assert_eq!(covers(&[AltName::Dns((*pattern).into())], host), *expected, "{pattern} for {host}");
        }
        assert!(covers(&[AltName::Ip([127, 0, 0, 1].into())], "127.0.0.1"));
        assert!(covers(&[AltName::Ip("::1".parse().unwrap())], "[::1]"));
        assert!(!covers(&[AltName::Ip([127, 0, 0, 1].into())], "a.bench.test"));
    }
}
