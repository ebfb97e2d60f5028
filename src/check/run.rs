//! Runs the checks of all subjects at once, and again while a deploy can still mend what failed.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use super::{
    Check, REGISTRY, Settings, Subject, cause, clock,
    lanes::{self, Look},
};
use crate::{
    report::{Finding, Status},
    system::Context,
};

/// A check that has not answered so long after its subject's own deadline has a bug or waits for a stuck engine.
const BACKSTOP: Duration = Duration::from_secs(60);

/// How long to wait before a subject is looked at again.
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

/// Looks at every site, backup, certificate, schedule, machine and domain and judges it; findings in the order of the settings and of the
/// registry.
///
/// With `settings.wait`, subjects whose failures a deploy can mend are looked at again until they pass or the time is up.
pub async fn run(settings: &Settings, context: &Context) -> Vec<Finding> {
    let mut findings = until_mended(settings, context).await;
    clock::join(&mut findings);
    findings.concat()
}

/// Whether `--only` and `--skip` leave a check over for what is to be looked at.
pub fn has_work(settings: &Settings) -> bool {
    !looks(settings).is_empty()
}

/// The findings of each subject, after as many looks as there is something to wait for.
async fn until_mended(settings: &Settings, context: &Context) -> Vec<Vec<Finding>> {
    let looks = looks(settings);
    let mut findings = look(looks.clone(), settings, context).await;
    let Some(wait) = settings.wait else { return findings };
    let deadline = Instant::now() + wait;
    let mut said = vec![String::new(); looks.len()];
    loop {
        let again: Vec<usize> = (0..looks.len()).filter(|at| findings[*at].iter().any(is_mendable)).collect();
        let left = deadline.saturating_duration_since(Instant::now());
        if again.is_empty() || left.is_zero() {
            return findings;
        }
        for at in &again {
            // Once for each new trouble: a log of a deploy is no place for a line a second.
            let Some(finding) = findings[*at].iter().find(|finding| is_mendable(finding)) else { continue };
            if said[*at] != finding.summary {
                let seconds = left.as_secs().max(1);
                context.progress.say(&format!("{}: {}; trying for {seconds} s more", finding.subject, finding.summary));
                said[*at].clone_from(&finding.summary);
            }
        }
        sleep(PAUSE.min(left)).await;
        let fresh = look(again.iter().map(|at| Look::clone(&looks[*at])).collect(), settings, context).await;
        for (at, found) in again.into_iter().zip(fresh) {
            findings[at] = found;
        }
    }
}

/// A look at every subject that has a check left.
fn looks(settings: &Settings) -> Vec<Look> {
    let sites = looks_at(&settings.sites, REGISTRY.sites, settings);
    let backups = looks_at(&settings.backups, REGISTRY.backups, settings);
    let certificates = looks_at(&settings.certificates, REGISTRY.certificates, settings);
    let schedules = looks_at(&settings.schedules, REGISTRY.schedules, settings);
    let hosts = looks_at(&settings.hosts, REGISTRY.hosts, settings);
    let domains = looks_at(&settings.domains, REGISTRY.domains, settings);
    let jobs = sites.into_iter().chain(backups).chain(certificates).chain(schedules);
    jobs.chain(hosts).chain(domains).collect()
}

fn looks_at<S: Subject>(subjects: &[S], checks: &[&'static dyn Check<S>], settings: &Settings) -> Vec<Look> {
    let checks: Arc<[_]> = selection(checks, settings).into();
    if checks.is_empty() {
        return Vec::new();
    }
    let look = |subject: &S| {
        let both = Arc::new((subject.clone(), Arc::clone(&checks)));
        let look: Look = Arc::new(move |context| {
            let both = Arc::clone(&both);
            Box::pin(async move { look_at(&both.0, &both.1, &context).await })
        });
        look
    };
    subjects.iter().map(look).collect()
}

/// The checks that `--only` and `--skip` leave, in the order of the registry.
fn selection<S: Subject>(checks: &[&'static dyn Check<S>], settings: &Settings) -> Vec<&'static dyn Check<S>> {
    let named = |list: &[String], id: &str| {
        list.iter().any(|word| id == word || id.split_once('.').is_some_and(|(first, _)| first == word))
    };
    let wanted = |id: &str| settings.only.is_empty() || named(&settings.only, id);
    checks.iter().copied().filter(|check| wanted(check.id()) && !named(&settings.skip, check.id())).collect()
}

/// All these looks, as many at once as the settings allow.
async fn look(looks: Vec<Look>, settings: &Settings, context: &Context) -> Vec<Vec<Finding>> {
    context.progress.begin("looking", Some(looks.len() as u64));
    let found = lanes::spread(looks, settings.concurrency, context).await;
    context.progress.end();
    found
}

/// All checks of one subject at once.
async fn look_at<S: Subject>(subject: &S, checks: &[&'static dyn Check<S>], context: &Context) -> Vec<Finding> {
    let scope = subject.scope(context);
    let judged = checks.iter().map(|check| judge(*check, subject, &scope, BACKSTOP));
    let mut findings = join_all(judged).await.concat();
    cause::join(&mut findings);
    findings
}

/// One check of one subject, with its hand-run command and its time; unknown when it takes so much more than the subject's.
async fn judge<S: Subject>(
    check: &dyn Check<S>,
    subject: &S,
    scope: &S::Scope<'_>,
    backstop: Duration,
) -> Vec<Finding> {
    if let Err(reason) = check.applies(subject) {
        return vec![Finding::skip(check.id(), subject.name(), reason)];
    }
    let began = Instant::now();
    let limit = subject.timeout() + backstop;
    let mut findings = timeout(limit, check.run(scope)).await.unwrap_or_else(|_| {
        let summary = format!("did not finish within {} s", limit.as_secs());
        vec![Finding::unknown(check.id(), subject.name(), summary).data("reason", "timeout")]
    });
    let took = began.elapsed();
    for finding in &mut findings {
        finding.took = took;
        finding.by_hand.get_or_insert_with(|| check.by_hand(subject));
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
