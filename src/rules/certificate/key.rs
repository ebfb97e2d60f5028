//! Whether keys and signatures are strong enough for clients of today.

use super::{Certificate, Key, TlsObservation, chain::is_weak};
use crate::report::Finding;

/// Judges `tls.key`: `None` when no certificate can be read.
///
/// Roots are left out, since nobody verifies their own signature. Where a path is valid, its issuers have been found
/// strong by the verifier already, and others that were sent do not matter.
pub fn key(subject: &str, tls: &TlsObservation) -> Option<Finding> {
    let leaf = tls.leaf()?;
    let walk = tls.walk();
    let judged = walk
        .iter()
        .enumerate()
        .filter(|(place, (_, sent))| *place == 0 || (tls.path.ever.is_err() && !sent.is_self_issued()));
    let weak: Vec<(&'static str, String)> = judged.filter_map(|(_, (_, sent))| fault(sent)).collect();
    let finding = match weak.first() {
        Some((reason, _)) => {
            let texts: Vec<&str> = weak.iter().map(|(_, text)| text.as_str()).collect();
            Finding::fail("tls.key", subject, texts.join("; "))
                .fix("issue the certificate again with ECDSA P-256 or RSA 2048 and SHA-256")
                .data("reason", *reason)
        }
        None if matches!(leaf.key, Key::Other(_) | Key::Ec { bits: 0, .. }) => {
            Finding::warn("tls.key", subject, format!("the certificate has a {}, which few clients know", leaf.key))
                .fix("issue the certificate again with ECDSA P-256 or RSA 2048")
                .data("reason", "unusual-key")
        }
        None => Finding::pass("tls.key", subject, format!("{}, signed with {}", leaf.key, leaf.signature.name)),
    };
    Some(
        finding
            .expected("RSA of 2048 bits or more, or a curve of 256; SHA-256 or better")
            .observed(format!("{}, signed with {}", leaf.key, leaf.signature.name))
            .data("key", leaf.key.to_string())
            .data("signature", leaf.signature.name.as_str()),
    )
}

fn fault(sent: &Certificate) -> Option<(&'static str, String)> {
    if is_weak(&sent.key) {
        return Some(("weak-key", format!("weak key: `{}` has {}", sent.title(), sent.key)));
    }
    sent.signature.broken.then(|| {
        ("weak-signature", format!("weak signature: `{}` is signed with {}", sent.title(), sent.signature.name))
    })
}
