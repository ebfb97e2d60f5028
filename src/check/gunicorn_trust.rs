//! `gunicorn.trust`: gunicorn believes nginx that the visitor came over https.

use std::net::IpAddr;

use futures_util::future::BoxFuture;

use super::{
    Check, NginxSource, Scope, Site,
    gunicorn_settings::{self, absent, applies, seen},
};
use crate::{
    report::Finding,
    rules::gunicorn::{Observation, judge_trust},
    system::gunicorn,
};

/// `gunicorn.trust`.
pub struct GunicornTrust;

impl Check for GunicornTrust {
    fn id(&self) -> &'static str {
        "gunicorn.trust"
    }

    fn title(&self) -> &'static str {
        "gunicorn believes the X-Forwarded-Proto of nginx"
    }

    fn needs(&self) -> &'static str {
        gunicorn_settings::NEEDS
    }

    fn applies(&self, site: &Site) -> Result<(), String> {
        applies(site)
    }

    fn run<'a>(&'a self, scope: &'a Scope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            let site = scope.site;
            let (Some(observed), Some(gunicorn)) = (scope.gunicorn().await, &site.gunicorn) else {
                return vec![absent(self.id(), site)];
            };
            let finding = match seen(self.id(), observed, site) {
                Err(finding) => *finding,
                Ok(observation) => {
                    let peer = peer(scope, observation).await;
                    judge_trust(observation, gunicorn.forwarded_allow_ips.as_deref(), peer, &site.name)
                }
            };
            vec![finding.by_hand(self.by_hand(site))]
        })
    }

    fn by_hand(&self, site: &Site) -> String {
        gunicorn_settings::GunicornSettings.by_hand(site)
    }
}

/// Where nginx's connections come from, when both run in containers of one network.
async fn peer(scope: &Scope<'_>, observation: &Observation) -> Option<IpAddr> {
    let network = observation.network.as_ref().filter(|network| !network.host)?;
    let NginxSource::Container(nginx) = &scope.site.nginx.as_ref()?.source else { return None };
    gunicorn::peer(scope.context, nginx, network, scope.site.timeout).await
}
