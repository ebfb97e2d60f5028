//! Whether the certificates lead to a trusted root, and where they break off when they do not.

use serde_json::{Value, json};

use super::{Certificate, Key, Link, PathFault, TlsObservation, fingerprint};
use crate::report::Finding;

/// Judges `tls.chain`.
pub fn chain(subject: &str, tls: &TlsObservation) -> Finding {
    let finding = judge(subject, tls);
    let finding = match &tls.trust_trouble {
        Some(trouble) if !finding.status.is_fine() && finding.cause.is_none() => {
            finding.cause(format!("trust store: {trouble}"))
        }
        _ => finding,
    };
    let names: Vec<String> = tls.chain.iter().map(title).collect();
    finding.observed(names.join(", ")).data("chain", sent(tls)).data("trust", tls.trust.as_str())
}

/// The certificates that were sent, for `data.chain`.
pub fn sent(tls: &TlsObservation) -> Vec<Value> {
    tls.chain.iter().map(entry).collect()
}

fn judge(subject: &str, tls: &TlsObservation) -> Finding {
    let fail = |reason: &str, summary: String| {
        Finding::fail("tls.chain", subject, summary).expected("a path to a trusted root").data("reason", reason)
    };
    let Some(leaf) = tls.leaf() else {
        let why = match &tls.path.now {
            Err(PathFault::Unreadable(why)) => why.clone(),
            _ => "the server sent no certificate".to_owned(),
        };
        return fail("unreadable", format!("the server's certificate cannot be read: {why}"))
            .fix("install the certificate again");
    };
    if let Some(why) = &tls.unproven
        && !is_weak(&leaf.key)
    {
        return fail("key-not-proven", format!("the server did not prove that it holds the certificate's key: {why}"))
            .fix("check that `ssl_certificate_key` belongs to `ssl_certificate`");
    }
    if tls.pinned {
        return Finding::pass("tls.chain", subject, "the certificate is one that `fingerprints` lists")
            .data("pinned", fingerprint(&leaf.sha256));
    }
    let fault = match (&tls.path.now, &tls.path.ever) {
        (Ok(()), _) => {
            let walk = tls.walk();
            let sent = walk.iter().find(|(place, _)| tls.chain.get(*place).is_some_and(|link| link.anchor));
            let root = match (sent, walk.last()) {
                (Some((_, root)), _) => root.title(),
                (None, Some((_, last))) => last.issuer_title(),
                (None, None) => leaf.issuer_title(),
            };
            return Finding::pass("tls.chain", subject, format!("the certificates lead to the trusted root `{root}`"));
        }
        (Err(dates), Ok(())) => return apart_from_dates(subject, tls, leaf, dates),
        (_, Err(fault)) => fault,
    };
    let own = tls.chain.first();
    let self_signed = own.is_some_and(|link| link.self_signed);
    let anchor = own.is_some_and(|link| link.anchor);
    match fault {
        PathFault::CaAsLeaf if anchor || !self_signed => ca_as_leaf(leaf, fail),
        PathFault::CaAsLeaf | PathFault::UnknownIssuer if self_signed => {
            let fix = "get a certificate from an authority, or list this one's SHA-256 in `fingerprints`";
            fail("self-signed", format!("the certificate of `{}` is self-signed", leaf.title())).fix(fix)
        }
        PathFault::UnknownIssuer | PathFault::CaAsLeaf => unknown_issuer(tls, leaf, fail),
        PathFault::BadSignature if weak_on_the_way(tls) => weak_key(fail),
        PathFault::BadSignature => {
            fail("bad-signature", "a signature in the chain is not by the key of the next certificate".into())
                .fix("install the intermediate that belongs to this certificate: two authorities have the same name")
        }
        PathFault::Expired | PathFault::NotYetValid => {
            fail("expired", "there is no moment at which all certificates of the chain are valid".into())
                .fix("install the intermediate that came with the certificate")
        }
        PathFault::Purpose => fail("purpose", "the certificate is not for TLS servers".into())
            .cause("its extended key usage does not list serverAuth")
            .fix("issue a certificate for server authentication"),
        PathFault::UnsupportedSignature if weak_on_the_way(tls) => weak_key(fail),
        PathFault::UnsupportedSignature => {
            let signature = tls.walk().iter().find(|(_, sent)| sent.signature.broken).map(|(_, sent)| *sent);
            let name = signature.unwrap_or(leaf).signature.name.clone();
            fail("weak-signature", format!("a certificate is signed with {name}, which no client accepts any more"))
                .fix("issue the certificate again")
        }
        PathFault::Unreadable(why) => fail("unreadable", format!("a certificate of the chain cannot be read: {why}"))
            .fix("install the chain that the authority gave out (fullchain.pem), then reload"),
        PathFault::Other(why) => fail("invalid", format!("the chain is not valid: {why}"))
            .fix("install the chain that the authority gave out (fullchain.pem), then reload"),
    }
}

/// Expired and not-yet-valid are `tls.validity`'s own finding, unless it is an intermediate that is over.
fn apart_from_dates(subject: &str, tls: &TlsObservation, leaf: &Certificate, dates: &PathFault) -> Finding {
    if !(leaf.not_before..=leaf.not_after).contains(&tls.path.at) {
        let summary = "the certificates lead to a trusted root; tls.validity judges their dates";
        return Finding::pass("tls.chain", subject, summary);
    }
    let walk = tls.walk();
    let issuers = walk.iter().skip(1).map(|(_, issuer)| *issuer);
    let (reason, culprit, summary) = if *dates == PathFault::NotYetValid {
        let culprit = issuers.max_by_key(|issuer| issuer.not_before);
        ("not-yet-valid", culprit, "is not valid yet".to_owned())
    } else {
        let culprit = issuers.min_by_key(|issuer| issuer.not_after);
        let since = culprit.map_or(tls.path.at, |culprit| culprit.not_after);
        ("expired", culprit, format!("expired {} ago, on {since}", days(tls.path.at.duration_since(since).as_secs())))
    };
    let title = culprit.map_or("an intermediate", Certificate::title);
    Finding::fail("tls.chain", subject, format!("the intermediate `{title}` {summary}"))
        .expected("a path to a trusted root")
        .fix("install the intermediate that came with the last renewal (fullchain.pem), then reload")
        .data("reason", reason)
}

fn ca_as_leaf(leaf: &Certificate, fail: impl Fn(&str, String) -> Finding) -> Finding {
    fail("ca-as-leaf", format!("the certificate of `{}` is an authority's own (CA:TRUE), used as a server's", leaf.title()))
        .cause("OpenSSL and curl accept that when it is trusted; browsers, rustls and Go do not")
        .fix("make a leaf without CA:TRUE (openssl req -x509 -addext basicConstraints=critical,CA:FALSE), or list its SHA-256 in `fingerprints`")
}

fn unknown_issuer(tls: &TlsObservation, leaf: &Certificate, fail: impl Fn(&str, String) -> Finding) -> Finding {
    let walk = tls.walk();
    let (place, last) = walk.last().map_or((0, leaf), |(place, last)| (*place, *last));
    if tls.chain.get(place).is_some_and(|link| link.self_signed) {
        return fail("private-ca", format!("the certificates lead to `{}`, which is not a trusted root", last.title()))
            .fix("if it is your own authority: --ca-file PEM, or `ca_file` in the site's section");
    }
    let issuer = last.issuer_title();
    let finding =
        fail("missing-intermediate", format!("missing intermediate `{issuer}`: it is neither sent nor a trusted root"))
            .cause(format!(
                "the server sent {} certificates, of which the last, `{}`, is issued by `{issuer}`",
                tls.chain.len(),
                last.title()
            ))
            .data("issuer", issuer);
    match last.issuer_urls.first() {
        Some(url) => finding
            .fix(format!("serve the whole chain: in nginx `ssl_certificate` must name fullchain.pem; `{issuer}` can be had at {url}"))
            .data("issuer_url", url.as_str()),
        None => finding.fix(format!(
            "serve the whole chain: in nginx `ssl_certificate` must name fullchain.pem; if `{issuer}` is your own root: --ca-file PEM"
        )),
    }
}

fn weak_key(fail: impl Fn(&str, String) -> Finding) -> Finding {
    fail("weak-key", "a key in the chain is too weak for any client (see tls.key)".into())
        .fix("issue the certificate again")
}

fn weak_on_the_way(tls: &TlsObservation) -> bool {
    tls.walk().iter().any(|(_, sent)| is_weak(&sent.key))
}

/// Whether no verifier accepts signatures by this key.
pub(super) fn is_weak(key: &Key) -> bool {
    match key {
        Key::Rsa(bits) => *bits < 2048,
        Key::Ec { bits, .. } => (1..256).contains(bits),
        Key::Edwards(_) | Key::Other(_) => false,
    }
}

/// "3 days", "1 day", "7 hours".
pub(super) fn days(seconds: i64) -> String {
    let seconds = seconds.unsigned_abs();
    match (seconds / 86_400, seconds / 3600) {
        (0, 1) => "1 hour".to_owned(),
        (0, hours) => format!("{hours} hours"),
        (1, _) => "1 day".to_owned(),
        (days, _) => format!("{days} days"),
    }
}

fn entry(link: &Link) -> Value {
    match &link.certificate {
        Ok(sent) => json!({
            "subject": sent.subject, "issuer": sent.issuer, "not_after": sent.not_after.to_string(),
            "sha256": fingerprint(&sent.sha256),
        }),
        Err(unreadable) => json!({ "sha256": fingerprint(&unreadable.sha256), "error": unreadable.why }),
    }
}

fn title(link: &Link) -> String {
    match &link.certificate {
        Ok(sent) => format!("`{}` by `{}` until {}", sent.title(), sent.issuer_title(), sent.not_after),
        Err(unreadable) => format!("unreadable ({})", unreadable.why),
    }
}
