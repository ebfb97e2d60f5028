//! Whether a certificate is for a host (RFC 9525): subject alternative names only.

use std::net::IpAddr;

use super::AltName;

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
