//! `tls.hygiene`: nothing needless is sent, and the staple that the certificate demands is there.

use futures_util::future::BoxFuture;

use super::{
    Check, Scope, Site,
    visit::{each_certificate, needs_tls, s_client},
};
use crate::{report::Finding, rules::certificate};

/// `tls.hygiene`.
pub struct TlsHygiene;

impl Check for TlsHygiene {
    fn id(&self) -> &'static str {
        "tls.hygiene"
    }

    fn title(&self) -> &'static str {
        "nothing needless is sent, and the staple that the certificate demands is there"
    }

    fn needs(&self) -> &'static str {
        "an https URL"
    }

    fn applies(&self, site: &Site) -> Result<(), String> {
        needs_tls(site)
    }

    fn run<'a>(&'a self, scope: &'a Scope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(each_certificate(scope, self.id(), |visit, tls| {
            certificate::hygiene(&scope.site.name, tls, visit.server_time())
        }))
    }

    fn by_hand(&self, site: &Site) -> String {
        s_client(site, " -showcerts -status")
    }
}
