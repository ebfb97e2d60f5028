//! `nginx.config`: the configuration can be read, nginx accepts it, and it holds what is expected of it.

use futures_util::{FutureExt, future::BoxFuture};

use super::{Check, Scope, Site, nginx};
use crate::report::Finding;

/// `nginx.config`.
pub struct NginxConfig;

impl Check for NginxConfig {
    fn id(&self) -> &'static str {
        "nginx.config"
    }

    fn title(&self) -> &'static str {
        "nginx accepts its configuration, and the right server and location answer"
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
