//! `tls.protocols`: no protocol version of another age is offered.

use futures_util::future::BoxFuture;

use super::{
    Check, Scope, Site, tls_chain,
    visit::{Visit, fold, needs_tls, s_client, unresolved},
};
use crate::{
    report::{Finding, Status},
    rules::certificate::{self, Offer, Offers, TlsVersion},
};

/// `tls.protocols`.
pub struct TlsProtocols;

impl Check for TlsProtocols {
    fn id(&self) -> &'static str {
        "tls.protocols"
    }

    fn title(&self) -> &'static str {
        "no protocol version of another age is offered"
    }

    fn needs(&self) -> &'static str {
        "an https URL"
    }

    fn applies(&self, site: &Site) -> Result<(), String> {
        needs_tls(site)
    }

    fn run<'a>(&'a self, scope: &'a Scope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            let (visits, offers) = tokio::join!(scope.visits(), scope.offers());
            let visits = match visits {
                Ok(visits) => visits,
                Err(none) => return vec![unresolved(self.id(), scope.site, none)],
            };
            let mut judged = Vec::with_capacity(visits.len());
            for visit in visits {
                let known = offers.iter().find(|(address, _)| *address == visit.address).map(|(_, offers)| offers);
                let finding = match known.map(|offers| with_session(offers, visit)) {
                    Some(offers) if !offers.is_blank() => {
                        certificate::protocols(&scope.site.name, &offers, scope.site.tls.min_version)
                    }
                    _ => Finding::unknown(self.id(), &scope.site.name, "no handshake could be looked at")
                        .fix("make the address answer first; the finding tls.chain says what is wrong with it"),
                };
                // What could not be found out because nobody answers is a consequence.
                let finding = if finding.status == Status::Unknown && visit.trouble.is_some() {
                    finding.because_of(&tls_chain::judge(scope, visit).await)
                } else {
                    finding
                };
                judged.push((visit.address, finding));
            }
            fold(judged)
        })
    }

    fn by_hand(&self, site: &Site) -> String {
        format!("{}    # must fail; and so with -tls1", s_client(site, " -tls1_1 -cipher ALL:@SECLEVEL=0"))
    }
}

/// Completes what was asked by hand with what the real handshake chose: it offered 1.2 and 1.3, and a server takes the
/// highest version that both speak (RFC 8446, 4.2.1).
fn with_session(offers: &Offers, visit: &Visit) -> Offers {
    let mut offers = offers.clone();
    let session = visit.tls.as_ref().and_then(|tls| tls.session.as_ref());
    match session.map(|session| (session.version, session.cipher.clone())) {
        Some((TlsVersion::Tls13, cipher)) => offers.tls13 = Offer::Yes { cipher },
        Some((TlsVersion::Tls12, cipher)) => {
            offers.tls13 = Offer::No("chooses TLS 1.2 where both are possible".to_owned());
            offers.tls12 = Offer::Yes { cipher };
        }
        // A server that refuses because of the version refuses the newest one too.
        _ if visit.trouble.as_ref().is_some_and(|trouble| trouble.may_be_age()) && !offers.offered().is_empty() => {
            offers.tls13 = Offer::No("refuses the handshake".to_owned());
        }
        _ => {}
    }
    offers
}
