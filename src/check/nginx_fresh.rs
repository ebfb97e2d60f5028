//! `nginx.fresh`: the running nginx has read its files as they are now.

use std::time::Duration;

use futures_util::{FutureExt, future::BoxFuture};

use super::{Check, NginxSource, Scope, Site, nginx};
use crate::{report::Finding, rules::fresh};

/// How often to look while a reload is under way, and how long to wait in between.
const LOOKS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// `nginx.fresh`.
pub struct NginxFresh;

impl Check for NginxFresh {
    fn id(&self) -> &'static str {
        "nginx.fresh"
    }

    fn title(&self) -> &'static str {
        "nginx runs the configuration and the certificates that are in the files"
    }

    fn needs(&self) -> &'static str {
        "a `[site.NAME.nginx]` section with a running nginx"
    }

    fn applies(&self, site: &Site) -> Result<(), String> {
        nginx::applies_running(site)
    }

    fn run<'a>(&'a self, scope: &'a Scope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        async move { vec![look(scope).await] }.boxed()
    }

    fn by_hand(&self, site: &Site) -> String {
        match site.nginx.as_ref().map(|settings| &settings.source) {
            Some(NginxSource::Container(reference)) => {
                let name = reference.in_shell();
                format!("docker top {name} -o pid,ppid,lstart,args; docker cp -L {name}:/etc/nginx - | tar -tv")
            }
            _ => "ps -C nginx -o pid,ppid,lstart,args; ls -lLR --full-time /etc/nginx".to_owned(),
        }
    }
}

async fn look(scope: &Scope<'_>) -> Finding {
    let site = scope.site;
    let view = match scope.nginx().await {
        Ok(view) => view,
        Err(fault) => return nginx::follow("nginx.fresh", site, &nginx::cannot_look(site, fault)),
    };
    let config = match (&view.nginx.config, view.root()) {
        (Ok(config), _) => config,
        (Err(_), Some(root)) => return nginx::follow("nginx.fresh", site, root),
        (Err(error), None) => return Finding::unknown("nginx.fresh", &site.name, error.to_string()),
    };
    let certificates = fresh::certificates(config);
    let mut looks = LOOKS;
    loop {
        let freshness = view.nginx.freshness(&certificates).await;
        let finding = fresh::judge(&site.name, &freshness, scope.context.clock.now());
        looks -= 1;
        // A reload that is under way settles by itself.
        if looks > 0 && finding.data.get("reason").is_some_and(|reason| reason == fresh::MIXED) {
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        let main = freshness.looked_at.unwrap_or_default();
        return finding.by_hand(format!("{}; {}", view.nginx.workers_command(), view.nginx.list_command(&main)));
    }
}
