//! Runs the checks of all sites at once, and again while a deploy can still mend what failed.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use super::{Check, REGISTRY, Scope, Settings, Site, cause, clock, lanes};
use crate::{
    report::{Finding, Status},
    system::Context,
};

/// A check that has not answered so long after the site's own deadline has a bug or waits for a stuck engine.
const BACKSTOP: Duration = Duration::from_secs(60);

/// How long to wait before a site is looked at again.
const PAUSE: Duration = Duration::from_secs(1);

/// What a deploy that is still going on can mend by itself, as `data.reason` of a finding: a server that does not answer
/// yet, or not with what it will, and a certificate that is about to be replaced.
///
/// Not a wrong configuration: that stays wrong however long one waits.
const MENDABLE: &[&str] = &[
    "alert",
    "expired",
    "key-not-proven",
    "missing-intermediate",
    "name",
    "no-connection",
    "not-http",
    "not-running",
    "not-tls",
    "private-ca",
    "protocol",
    "resolver",
    "self-signed",
    "status-5xx",
    "timeout",
];

/// Looks at every site and judges it; findings in the order of the sites and of the registry.
///
/// With `settings.wait`, sites whose failures a deploy can mend are looked at again until they pass or the time is up.
pub async fn run(settings: &Settings, context: &Context) -> Vec<Finding> {
    let mut findings = until_mended(settings, context).await;
    clock::join(&mut findings);
    findings.concat()
}

/// The findings of each site, after as many looks as there is something to wait for.
async fn until_mended(settings: &Settings, context: &Context) -> Vec<Vec<Finding>> {
    let checks = selection(settings);
    let all: Vec<usize> = (0..settings.sites.len()).collect();
    let mut findings = look(settings, &checks, &all, context).await;
    let Some(wait) = settings.wait else { return findings };
    let deadline = Instant::now() + wait;
    let mut said = vec![String::new(); all.len()];
    loop {
        let again: Vec<usize> = all.iter().copied().filter(|site| findings[*site].iter().any(is_mendable)).collect();
        let left = deadline.saturating_duration_since(Instant::now());
        if again.is_empty() || left.is_zero() {
            return findings;
        }
        for site in &again {
            // Once for each new trouble: a log of a deploy is no place for a line a second.
            let Some(finding) = findings[*site].iter().find(|finding| is_mendable(finding)) else { continue };
            if said[*site] != finding.summary {
                let seconds = left.as_secs().max(1);
                context.progress.say(&format!("{}: {}; trying for {seconds} s more", finding.subject, finding.summary));
                said[*site].clone_from(&finding.summary);
            }
        }
        sleep(PAUSE.min(left)).await;
        let fresh = look(settings, &checks, &again, context).await;
        for (site, found) in again.into_iter().zip(fresh) {
            findings[site] = found;
        }
    }
}

/// The checks that `--only` and `--skip` leave, in the order of the registry.
fn selection(settings: &Settings) -> Vec<&'static dyn Check> {
    let named = |list: &[String], id: &str| {
        list.iter().any(|word| id == word || id.split_once('.').is_some_and(|(first, _)| first == word))
    };
    let wanted = |id: &str| settings.only.is_empty() || named(&settings.only, id);
    REGISTRY.iter().copied().filter(|check| wanted(check.id()) && !named(&settings.skip, check.id())).collect()
}

/// One look at these sites, as many at once as the settings allow.
async fn look(
    settings: &Settings,
    checks: &[&'static dyn Check],
    sites: &[usize],
    context: &Context,
) -> Vec<Vec<Finding>> {
    context.progress.begin("looking", Some(sites.len() as u64));
    let sites = sites.iter().map(|site| Arc::new(settings.sites[*site].clone())).collect();
    let checks: Arc<[&'static dyn Check]> = checks.into();
    let look: lanes::Look = Arc::new(move |site, context| {
        let checks = Arc::clone(&checks);
        Box::pin(async move { look_at(&site, &checks, &context).await })
    });
    let found = lanes::spread(sites, settings.concurrency, look, context).await;
    context.progress.end();
    found
}

/// All checks of one site at once.
async fn look_at(site: &Site, checks: &[&dyn Check], context: &Context) -> Vec<Finding> {
    let scope = Scope::new(site, context);
    let mut findings = join_all(checks.iter().map(|check| judge(*check, &scope, BACKSTOP))).await.concat();
    cause::join(&mut findings);
    findings
}

/// One check of one site, with its hand-run command and its time; unknown when it takes so much more than the site's.
async fn judge(check: &dyn Check, scope: &Scope<'_>, backstop: Duration) -> Vec<Finding> {
    let site = scope.site;
    if let Err(reason) = check.applies(site) {
        return vec![Finding::skip(check.id(), &site.name, reason)];
    }
    let began = Instant::now();
    let limit = site.timeout + backstop;
    let mut findings = timeout(limit, check.run(scope)).await.unwrap_or_else(|_| {
        let summary = format!("did not finish within {} s", limit.as_secs());
        vec![Finding::unknown(check.id(), &site.name, summary).data("reason", "timeout")]
    });
    let took = began.elapsed();
    for finding in &mut findings {
        finding.took = took;
        finding.by_hand.get_or_insert_with(|| check.by_hand(site));
    }
    findings
}

/// Whether a deploy that is still going on can mend this.
fn is_mendable(finding: &Finding) -> bool {
    let reason = finding.data.get("reason").and_then(|reason| reason.as_str());
    matches!(finding.status, Status::Fail | Status::Unknown) && reason.is_some_and(|reason| MENDABLE.contains(&reason))
}

#[cfg(test)]
mod tests;
