//! `gunicorn.settings`: gunicorn runs with the settings that it should.

use futures_util::future::BoxFuture;

use super::{Check, GunicornSite, GunicornSource, Scope, Site};
use crate::{
    report::Finding,
    rules::gunicorn::{Expected, Observation, Trouble, judge_settings, trouble},
};

/// `gunicorn.settings`; it also carries what hinders the other two.
pub struct GunicornSettings;

impl Check for GunicornSettings {
    fn id(&self) -> &'static str {
        "gunicorn.settings"
    }

    fn title(&self) -> &'static str {
        "gunicorn runs with the configured workers, threads and time limits"
    }

    fn needs(&self) -> &'static str {
        NEEDS
    }

    fn applies(&self, site: &Site) -> Result<(), String> {
        applies(site)
    }

    fn run<'a>(&'a self, scope: &'a Scope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            let site = scope.site;
            let Some(observed) = scope.gunicorn().await else { return vec![absent(self.id(), site)] };
            vec![judge(observed, site).by_hand(self.by_hand(site))]
        })
    }

    fn by_hand(&self, site: &Site) -> String {
        site.gunicorn.as_ref().map_or_else(|| "docker top NAME -o pid,ppid,args | grep gunicorn".to_owned(), by_hand)
    }
}

/// What the three checks of gunicorn need.
pub(super) const NEEDS: &str = "a `[site.NAME.gunicorn]` section";

const ABSENT: &str = "no `[site.NAME.gunicorn]` section is configured";

/// The three checks of gunicorn apply to the same sites.
pub(super) fn applies(site: &Site) -> Result<(), String> {
    site.gunicorn.as_ref().map(|_| ()).ok_or_else(|| ABSENT.to_owned())
}

/// The finding of a site without gunicorn, for who runs a check that does not apply.
pub(super) fn absent(id: &'static str, site: &Site) -> Finding {
    Finding::skip(id, &site.name, ABSENT)
}

/// The judgement that the other two checks refer to when nothing could be seen.
pub(super) fn judge(observed: &Result<Observation, Trouble>, site: &Site) -> Finding {
    match observed {
        Ok(observation) => judge_settings(observation, &expected(site), &site.name),
        Err(why) => trouble(why, &site.name),
    }
}

/// What was seen, or the finding of a check that saw nothing because gunicorn itself could not be seen.
pub(super) fn seen<'a>(
    id: &'static str,
    observed: &'a Result<Observation, Trouble>,
    site: &Site,
) -> Result<&'a Observation, Box<Finding>> {
    match observed {
        Ok(observation) if observation.refused.is_none() && !observation.settings.is_unknown() => Ok(observation),
        Ok(_) | Err(_) => {
            let finding = Finding::unknown(id, &site.name, "gunicorn's settings could not be read");
            Err(Box::new(finding.because_of(&judge(observed, site))))
        }
    }
}

fn expected(site: &Site) -> Expected {
    site.gunicorn.as_ref().map_or_else(Expected::default, |gunicorn| Expected {
        workers: gunicorn.workers,
        threads: gunicorn.threads,
        timeout: gunicorn.timeout,
        graceful_timeout: gunicorn.graceful_timeout,
    })
}

/// The command that shows the same processes: the engine's `ps`, so that the image needs none, and no terminal that cuts.
pub(super) fn by_hand(gunicorn: &GunicornSite) -> String {
    match &gunicorn.source {
        GunicornSource::Container(reference) => {
            format!("docker top {} -o pid,ppid,args | grep gunicorn", reference.in_shell())
        }
        GunicornSource::PidFile(path) => {
            format!("tr '\\0' ' ' < /proc/$(cat {})/cmdline", shell_words::quote(&path.to_string_lossy()))
        }
        GunicornSource::Argv(words) => shell_words::join(words),
    }
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, sync::Arc};

    use super::*;
    use crate::{
        check::{Compose, Reference, testing},
        report::Status,
        system::process::Scripted,
    };

    const IDS: [&str; 3] = ["gunicorn.settings", "gunicorn.trust", "gunicorn.exposed"];

    fn site(source: GunicornSource) -> Site {
        let mut site = testing::site("prime.test", "127.0.0.1:443".parse().unwrap(), &[]);
        site.gunicorn = Some(GunicornSite {
            source,
            workers: Some(3),
            threads: Some(4),
            timeout: Some(90),
            graceful_timeout: Some(30),
            forwarded_allow_ips: Some("*".to_owned()),
        });
        site
    }

    #[tokio::test]
    async fn one_trouble_is_told_once_and_looked_for_once() {
        let site = site(GunicornSource::Container(Reference::Name("web".to_owned())));
        let mut context = testing::context();
        let engine = Arc::new(Scripted::default());
        context.runner = engine.clone();
        let findings = testing::look_in(&context, &site, &IDS).await;
        let one = |id: &str| &findings[id][0];
        assert_eq!(one("gunicorn.settings").status, Status::Unknown);
        assert_eq!(one("gunicorn.settings").data["reason"], "docker-absent");
        assert!(one("gunicorn.settings").fix.is_some());
        for id in &IDS[1..] {
            assert_eq!(one(id).status, Status::Unknown, "{id}");
            assert!(one(id).cause.as_deref().unwrap().starts_with("because of gunicorn.settings: "), "{id}");
        }
        assert_eq!(engine.asked().iter().filter(|line| line.starts_with("docker ")).count(), 1, "{:?}", engine.asked());
    }

    #[tokio::test]
    async fn case_42_a_rehearsal_of_the_runbooks_command_line() {
        let line = "gunicorn -w3 --thr 4 -t90 --graceful 30 --forwarded * app:app";
        let site = site(GunicornSource::Argv(line.split(' ').map(str::to_owned).collect()));
        let findings = testing::look_in(&testing::context(), &site, &IDS).await;
        for (id, status) in IDS.into_iter().zip([Status::Pass, Status::Pass, Status::Skip]) {
            assert_eq!(findings[id][0].status, status, "{:?}", findings[id]);
        }
    }

    #[test]
    fn the_runbooks_command_needs_no_terminal_and_no_ps_inside() {
        let compose = Compose { project: "prime_webtool".to_owned(), service: "web".to_owned() };
        for (source, command) in [
            (
                GunicornSource::Container(Reference::Name("web".to_owned())),
                "docker top web -o pid,ppid,args | grep gunicorn",
            ),
            (
                GunicornSource::Container(Reference::Service(compose)),
                "docker top \"$(docker ps -q --filter label=com.docker.compose.project=prime_webtool \
                 --filter label=com.docker.compose.service=web)\" -o pid,ppid,args | grep gunicorn",
            ),
            (
                GunicornSource::PidFile(PathBuf::from("/run/app.pid")),
                "tr '\\0' ' ' < /proc/$(cat /run/app.pid)/cmdline",
            ),
        ] {
            assert_eq!(GunicornSettings.by_hand(&site(source)), command);
        }
    }
}
