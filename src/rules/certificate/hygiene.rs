//! What is untidy about a chain without hurting anybody, and the staple that a certificate insists on.

use jiff::Timestamp;

use super::{TlsObservation, chain::days, validity::TOLERATED};
use crate::report::Finding;

/// Judges `tls.hygiene`: `None` when no certificate can be read. Notes are not warnings: clients do not mind.
pub fn hygiene(subject: &str, tls: &TlsObservation, server_time: Option<Timestamp>) -> Option<Finding> {
    let leaf = tls.leaf()?;
    let mut notes = Vec::new();
    untidy(tls, &mut notes);
    if leaf.ocsp_urls.is_empty() {
        // Without a responder there is nothing to staple: Let's Encrypt ended its own in 2025.
    } else if !tls.stapled && !leaf.must_staple {
        notes.push("the certificate names an OCSP responder, and no OCSP answer is stapled".to_owned());
    }
    if let Some(theirs) = server_time {
        let skew = tls.path.at.duration_since(theirs).as_secs();
        if skew.abs() > TOLERATED {
            let ahead = if skew > 0 { "ahead of" } else { "behind" };
            notes.push(format!("this machine's clock is {skew} s {ahead} the server's", skew = skew.abs()));
        }
    }
    if let Some(trouble) = &tls.trust_trouble {
        notes.push(format!("trust store: {trouble}"));
    }
    let finding = if leaf.must_staple && !tls.stapled {
        Finding::fail("tls.hygiene", subject, "the certificate demands a stapled OCSP answer, and none is sent")
            .expected("an OCSP answer in the handshake (RFC 7633)")
            .observed("a handshake without one")
            .fix("in nginx: `ssl_stapling on;` with `resolver`; or issue the certificate without must-staple")
            .data("reason", "must-staple")
    } else {
        match notes.as_slice() {
            [] => Finding::pass("tls.hygiene", subject, "nothing needless is sent"),
            [one] => Finding::pass("tls.hygiene", subject, format!("harmless: {one}")),
            [first, rest @ ..] => {
                Finding::pass("tls.hygiene", subject, format!("harmless: {first} (and {} more)", rest.len()))
            }
        }
    };
    Some(finding.data("notes", notes))
}

/// What a path does not need.
fn untidy(tls: &TlsObservation, notes: &mut Vec<String>) {
    let walk = tls.walk();
    let mut seen: Vec<&[u8; 32]> = Vec::new();
    for (place, link) in tls.chain.iter().enumerate() {
        let sent = match &link.certificate {
            Ok(sent) => sent,
            Err(unreadable) => {
                notes.push(format!("certificate {} of the chain cannot be read: {}", place + 1, unreadable.why));
                continue;
            }
        };
        if seen.contains(&&sent.sha256) {
            notes.push(format!("duplicate: `{}` is sent more than once", sent.title()));
            continue;
        }
        seen.push(&sent.sha256);
        if place == 0 {
            continue;
        }
        if link.self_signed {
            notes.push(format!("the root `{}` is sent, which clients must have already", sent.title()));
        } else if tls.path.now.is_ok() && sent.not_after < tls.path.at {
            notes.push(format!(
                "an extra certificate is over and not needed: `{}` by `{}` expired {} ago",
                sent.title(),
                sent.issuer_title(),
                days(tls.path.at.duration_since(sent.not_after).as_secs())
            ));
        } else if !walk.iter().any(|(on, _)| *on == place) {
            notes.push(format!("`{}` is sent and not part of the path", sent.title()));
        }
    }
    if walk.windows(2).any(|pair| matches!(pair, [(first, _), (second, _)] if first > second)) {
        notes.push("the certificates are not in order: each should be followed by its issuer".to_owned());
    }
}
