//! `nginx.headers`: the application receives the proxy headers that are expected.

use futures_util::{FutureExt, future::BoxFuture};

use super::{Check, Scope, Site, nginx};
use crate::report::Finding;

/// `nginx.headers`.
pub struct NginxHeaders;

impl Check for NginxHeaders {
    fn id(&self) -> &'static str {
        "nginx.headers"
    }

    fn title(&self) -> &'static str {
        "the application receives the proxy headers that it needs"
    }

    fn needs(&self) -> &'static str {
        "a `[site.NAME.nginx]` section"
    }

    fn applies(&self, site: &Site) -> Result<(), String> {
        nginx::applies(site)
    }

    fn run<'a>(&'a self, scope: &'a Scope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        nginx::judged(scope, self.id()).boxed()
    }

    fn by_hand(&self, site: &Site) -> String {
        site.nginx.as_ref().map_or_else(String::new, |settings| nginx::command(&settings.source, &["nginx", "-T"]))
    }
}
