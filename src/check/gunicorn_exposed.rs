//! `gunicorn.exposed`: nobody but nginx can reach a gunicorn that believes everybody.

use futures_util::future::BoxFuture;

use super::{
    Check, GunicornSource, Scope, Site,
    gunicorn_settings::{self, absent, applies, seen},
};
use crate::{
    report::Finding,
    rules::gunicorn::{Name, Reading, judge_exposure, judge_trust},
};

/// `gunicorn.exposed`: `--forwarded-allow-ips` together with the published ports.
pub struct GunicornExposed;

impl Check for GunicornExposed {
    fn id(&self) -> &'static str {
        "gunicorn.exposed"
    }

    fn title(&self) -> &'static str {
        "nobody but nginx can tell gunicorn that a request came over https"
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
                Ok(observation) => match observation.settings.reading(Name::ForwardedAllowIps) {
                    Reading::Unknown(_) if observation.network.is_some() => {
                        let root = judge_trust(observation, gunicorn.forwarded_allow_ips.as_deref(), None, &site.name);
                        Finding::unknown(self.id(), &site.name, "whom gunicorn believes is not known").because_of(&root)
                    }
                    _ => judge_exposure(observation, &site.name),
                },
            };
            vec![finding.by_hand(self.by_hand(site))]
        })
    }

    fn by_hand(&self, site: &Site) -> String {
        match site.gunicorn.as_ref().map(|gunicorn| &gunicorn.source) {
            Some(GunicornSource::Container(reference)) => format!("docker port {}", reference.in_shell()),
            Some(GunicornSource::PidFile(_)) => "ss -ltnp | grep gunicorn".to_owned(),
            Some(GunicornSource::Argv(words)) => shell_words::join(words),
            None => "docker port NAME".to_owned(),
        }
    }
}
