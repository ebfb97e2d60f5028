//! `tls.name`: the certificate is for the host that was asked for.

use futures_util::future::BoxFuture;

use super::{
    Check, Scope, Site,
    visit::{each_certificate, needs_tls, s_client},
};
use crate::{report::Finding, rules::certificate};

/// `tls.name`.
pub struct TlsName;

impl Check for TlsName {
    fn id(&self) -> &'static str {
        "tls.name"
    }

    fn title(&self) -> &'static str {
        "the certificate is for the host that was asked for"
    }

    fn needs(&self) -> &'static str {
        "an https URL"
    }

    fn applies(&self, site: &Site) -> Result<(), String> {
        needs_tls(site)
    }

    fn run<'a>(&'a self, scope: &'a Scope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(each_certificate(scope, self.id(), |_, tls| certificate::name(&scope.site.name, tls)))
    }

    fn by_hand(&self, site: &Site) -> String {
        format!("{} 2>/dev/null | openssl x509 -noout -subject -ext subjectAltName", s_client(site, ""))
    }
}
