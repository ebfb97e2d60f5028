//! Whether the certificates that were shown lead to a trusted root: now, at any time, and until when.

use jiff::Timestamp;
use rustls::{
    CertificateError, Error, RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    pki_types::{CertificateDer, UnixTime},
    server::ParsedCertificate,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::trust::Trust;
use crate::rules::certificate::{Certificate, Key, Link, Path, PathFault};

/// What each certificate is, in the order in which they were sent.
pub(super) fn links(chain: &[CertificateDer<'static>], trust: &Trust) -> Vec<Link> {
    chain
        .iter()
        .enumerate()
        .map(|(place, der)| {
            let certificate = Certificate::parse(der);
            let self_issued = certificate.as_ref().is_ok_and(Certificate::is_self_issued);
            Link {
                self_signed: self_issued && certificate.as_ref().is_ok_and(|read| signs_itself(der, read, trust)),
                // Also a cross-sign of a root has the root's name and key.
                anchor: (self_issued || place > 0) && is_anchor(der, &trust.roots),
                certificate,
            }
        })
        .collect()
}

/// Validates at `at`, and where that fails also at other times, which tells "untrusted" from "expired".
pub(super) fn examine(chain: &[CertificateDer<'static>], links: &[Link], trust: &Trust, at: Timestamp) -> Path {
    let same = |verdict: Result<(), PathFault>| Path { at, now: verdict.clone(), ever: verdict, until: None };
    let Some((leaf_der, others)) = chain.split_first() else {
        return same(Err(PathFault::Unreadable("the server sent no certificate".into())));
    };
    let parsed = match ParsedCertificate::try_from(leaf_der) {
        Ok(parsed) => parsed,
        Err(error) => return same(Err(PathFault::Unreadable(error.to_string()))),
    };
    let leaf = match links.first().map(|link| &link.certificate) {
        Some(Ok(leaf)) => leaf,
        Some(Err(unreadable)) => return same(Err(PathFault::Unreadable(unreadable.why.clone()))),
        None => return same(Err(PathFault::Unreadable("the server sent no certificate".into()))),
    };
    let verdict = |moment: Timestamp| {
        let moment = UnixTime::since_unix_epoch(std::time::Duration::from_secs(
            u64::try_from(moment.as_second()).unwrap_or_default(),
        ));
        verify_server_cert_signed_by_trust_anchor(&parsed, &trust.roots, others, moment, trust.algorithms.all)
            .map_err(fault)
    };
    let others: Vec<&Certificate> = links.iter().skip(1).filter_map(|link| link.certificate.as_ref().ok()).collect();
    let now = verdict(at);
    // A path is valid from the latest beginning on, so the beginnings and the ends are all the moments that matter.
    let mut moments: Vec<Timestamp> = vec![leaf.not_after, leaf.not_before];
    moments.extend(others.iter().flat_map(|other| [other.not_before, other.not_after]));
    moments.retain(|moment| (leaf.not_before..=leaf.not_after).contains(moment));
    moments.truncate(MOST_MOMENTS);
    moments.sort_unstable();
    moments.dedup();
    let ever = match &now {
        Ok(()) => Ok(()),
        Err(PathFault::Expired | PathFault::NotYetValid) => {
            let mut best = now.clone();
            for moment in moments.iter().rev() {
                best = verdict(*moment);
                if !matches!(best, Err(PathFault::Expired | PathFault::NotYetValid)) {
                    break;
                }
            }
            best
        }
        Err(_) => now.clone(),
    };
    // When everything else that was sent lasts longer, the leaf's end is the path's, and that is the usual case.
    let until = match &ever {
        Ok(()) if now.is_ok() && others.iter().all(|other| other.not_after >= leaf.not_after) => Some(leaf.not_after),
        Ok(()) => moments.iter().rev().copied().find(|moment| verdict(*moment).is_ok()),
        Err(_) => None,
    };
    Path { at, now, ever, until }
}

/// A server may send as many certificates as fit; the dates of the leaf and five others are more than any real path has.
const MOST_MOMENTS: usize = 12;

fn fault(error: Error) -> PathFault {
    let Error::InvalidCertificate(error) = error else { return PathFault::Other(error.to_string()) };
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => PathFault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => PathFault::NotYetValid,
        CertificateError::UnknownIssuer => PathFault::UnknownIssuer,
        CertificateError::BadSignature => PathFault::BadSignature,
        CertificateError::BadEncoding => PathFault::Unreadable("its encoding is wrong".into()),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => PathFault::Purpose,
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => PathFault::UnsupportedSignature,
        // What rustls has no word for comes through in the words of the path builder.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => PathFault::CaAsLeaf,
        other => PathFault::Other(other.to_string()),
    }
}

/// Whether the certificate's name and key are those of a root: a server may send the root that is trusted already.
fn is_anchor(der: &CertificateDer<'_>, roots: &RootCertStore) -> bool {
    let mut one = RootCertStore::empty();
    let _ = one.add(der.clone());
    one.roots.iter().any(|sent| {
        roots
            .roots
            .iter()
            .any(|root| root.subject == sent.subject && root.subject_public_key_info == sent.subject_public_key_info)
    })
}

/// Whether the signature is by the certificate's own key. What no verifier accepts any more is believed.
fn signs_itself(der: &CertificateDer<'_>, certificate: &Certificate, trust: &Trust) -> bool {
    if certificate.signature.broken || matches!(certificate.key, Key::Rsa(bits) if bits < 2048) {
        return true;
    }
    let Ok((_, parsed)) = X509Certificate::from_der(der) else { return false };
    let tbs: &[u8] = parsed.tbs_certificate.as_ref();
    let key = &parsed.public_key().subject_public_key.data;
    let signed_with = parsed.signature_algorithm.algorithm.as_bytes();
    // An algorithm identifier starts with the object identifier, its tag and its length.
    let same = |id: &[u8]| id.get(2..).is_some_and(|rest| rest.starts_with(signed_with));
    let mut known =
        trust.algorithms.all.iter().filter(|algorithm| same(algorithm.signature_alg_id().as_ref())).peekable();
    known.peek().is_none()
        || known.any(|algorithm| algorithm.verify_signature(key, tbs, &parsed.signature_value.data).is_ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rustls::{client::verify_server_name, pki_types::ServerName};

    use super::*;
    use crate::{
        rules::certificate::{AltName, covers},
        system::tls::testing::{Authority, leaf},
    };

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Our own matching, which can say why, must agree with the one that decides for clients.
        #[test]
        fn names_match_as_the_verifier_says(
            pattern in r"(\*\.|[ab]\*\.|\*)?([abAB]{1,2}\.){0,2}(test|Test|127\.0\.0\.1)",
            host in r"([ab]{1,2}\.){0,3}test",
        ) {
            let mut params = leaf(&[]);
            params.subject_alt_names = vec![rcgen::SanType::DnsName(pattern.clone().try_into().unwrap())];
            let der = Authority::new("T Root").issue_with(params).der;
            let parsed = ParsedCertificate::try_from(&der).unwrap();
            let name = ServerName::try_from(host.clone()).unwrap();
            let theirs = verify_server_name(&parsed, &name).is_ok();
            prop_assert_eq!(covers(&[AltName::Dns(pattern.clone())], &host), theirs, "{} for {}", pattern, host);
        }
    }
}
