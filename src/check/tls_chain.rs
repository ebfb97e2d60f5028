//! `tls.chain`: the certificates lead to a trusted root, and there is a TLS server at all.

use futures_util::future::BoxFuture;

use super::{
    Check, Scope, Site,
    visit::{Visit, fold, needs_tls, s_client, unresolved},
};
use crate::{report::Finding, rules::certificate};

/// `tls.chain`.
pub struct TlsChain;

impl Check for TlsChain {
    fn id(&self) -> &'static str {
        "tls.chain"
    }

    fn title(&self) -> &'static str {
        "a TLS server answers, and its certificates lead to a trusted root"
    }

    fn needs(&self) -> &'static str {
        "an https URL"
    }

    fn applies(&self, site: &Site) -> Result<(), String> {
        needs_tls(site)
    }

    fn run<'a>(&'a self, scope: &'a Scope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            let visits = match scope.visits().await {
                Ok(visits) => visits,
                Err(none) => return vec![unresolved(self.id(), scope.site, none)],
            };
            let mut judged = Vec::with_capacity(visits.len());
            for visit in visits {
                judged.push((visit.address, judge(scope, visit).await));
            }
            fold(judged)
        })
    }

    fn by_hand(&self, site: &Site) -> String {
        s_client(site, " -showcerts -verify_return_error")
    }
}

/// The finding about one address, which is the root of what the other checks could not see there.
pub(super) async fn judge(scope: &Scope<'_>, visit: &Visit) -> Finding {
    let name = &scope.site.name;
    match (&visit.trouble, &visit.tls) {
        (Some(trouble), tls) => {
            // Only then is it worth waiting for the handshakes of another age.
            let offers = if trouble.may_be_age() { scope.offers().await } else { &[] };
            let offers = offers.iter().find(|(address, _)| *address == visit.address).map(|(_, offers)| offers);
            let finding = certificate::trouble(name, trouble, offers);
            match tls {
                Some(tls) => finding.data("chain", certificate::sent(tls)),
                None => finding,
            }
        }
        (None, Some(tls)) => certificate::chain(name, tls),
        (None, None) => Finding::skip("tls.chain", name, "the site's address is not https"),
    }
}
