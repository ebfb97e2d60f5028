//! `tls.key`: keys and signatures are strong enough for clients of today.

use futures_util::future::BoxFuture;

use super::{
    Check, Scope, Site,
    visit::{each_certificate, needs_tls, s_client},
};
use crate::{report::Finding, rules::certificate};

/// `tls.key`.
pub struct TlsKey;

impl Check for TlsKey {
    fn id(&self) -> &'static str {
        "tls.key"
    }

    fn title(&self) -> &'static str {
        "keys and signatures are strong enough for clients of today"
    }

    fn needs(&self) -> &'static str {
        "an https URL"
    }

    fn applies(&self, site: &Site) -> Result<(), String> {
        needs_tls(site)
    }

    fn run<'a>(&'a self, scope: &'a Scope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(each_certificate(scope, self.id(), |_, tls| certificate::key(&scope.site.name, tls)))
    }

    fn by_hand(&self, site: &Site) -> String {
        format!("{} 2>/dev/null | openssl x509 -noout -text", s_client(site, ""))
    }
}
