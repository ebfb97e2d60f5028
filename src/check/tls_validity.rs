//! `tls.validity`: the certificates are valid now and for long enough.

use futures_util::future::BoxFuture;

use super::{
    Check, Scope, Site,
    visit::{each_certificate, needs_tls, s_client},
};
use crate::{report::Finding, rules::certificate};

/// `tls.validity`.
pub struct TlsValidity;

impl Check for TlsValidity {
    fn id(&self) -> &'static str {
        "tls.validity"
    }

    fn title(&self) -> &'static str {
        "the certificates are valid now and for long enough"
    }

    fn needs(&self) -> &'static str {
        "an https URL"
    }

    fn applies(&self, site: &Site) -> Result<(), String> {
        needs_tls(site)
    }

    fn run<'a>(&'a self, scope: &'a Scope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(each_certificate(scope, self.id(), |visit, tls| {
            certificate::validity(&scope.site.name, tls, scope.site.tls.warn, scope.site.tls.fail, visit.server_time())
        }))
    }

    fn by_hand(&self, site: &Site) -> String {
        format!("{} 2>/dev/null | openssl x509 -noout -subject -issuer -dates", s_client(site, ""))
    }
}
