//! What is on the disk and what is served after a run: the only judge of whether it worked.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    Certificate, DUE, Last, RENEW, Survey,
    apply::{Attempt, Work, failed, interrupted, next_try, remember, word},
    guard::{opened, put_in_order, relink},
    judge_looks,
    look::{look, status},
    plan::Action,
    reload::{self, reload},
};
use crate::{
    error::Result,
    report::{Finding, Outcome, Report, State, Status},
    rules::renewal::{Need, Word, failed_hook, need},
    system::{
        Context,
        certbot::{self, Stored},
    },
};

/// How long old workers may go on answering after a reload.
const SETTLED: Duration = Duration::from_secs(10);

/// How often in a row, and how far apart, the new certificate must be all that is seen. nginx starts the new workers and
/// tells the old ones 100 ms later to go (`ngx_master_process_cycle`); meanwhile either may accept a connection.
const IN_A_ROW: u32 = 4;
const PAUSE: Duration = Duration::from_millis(200);

/// Judges what certbot did, lets the server load it, and compares.
///
/// # Errors
///
/// A signal came, or the record cannot be written.
pub(super) async fn judge(
    mut survey: Survey,
    attempt: Attempt,
    work: Work<'_>,
    report: &mut Report,
    context: &Context,
) -> Result<()> {
    let Work { settings, certificate, .. } = work;
    let name = &certificate.name;
    let mut downtime = None;
    let mut is_down = false;
    if let Some(outage) = attempt.outage {
        (downtime, is_down) = (outage.downtime, !outage.back);
        report.outcomes.extend(outage.outcomes);
        report.findings.extend(outage.findings);
    }
    let action = match (attempt.rehearsed, survey.stored.is_some()) {
        (true, _) => Action::Rehearse,
        (false, true) => Action::Renew,
        (false, false) => Action::Request,
    };
    let outcome = |state, detail: String| Outcome {
        action: word(action),
        target: survey.lineage.clone(),
        state,
        detail,
        fix: None,
    };
    let before = survey.stored.clone();
    let after = certbot::read(&certificate.directory, &survey.lineage)?;
    if let (Some(before), Some(after)) = (&before, &after) {
        put_in_order(before, after, work, report)?;
    }
    let leaf = |stored: &Option<Stored>| stored.as_ref().and_then(|stored| stored.lineage.newest()?.leaf);
    let renewed = leaf(&after).is_some() && leaf(&after) != leaf(&before);
    if attempt.rehearsed {
        let was_wanted = work.request.staging;
        match attempt.ended {
            Ok(_) => {
                report.outcomes.push(outcome(State::Done, format!("it would work, {}", by(&attempt.method))));
                let away = downtime
                    .map(|time| format!("; the site was away for {:.1} s", time.as_secs_f64()))
                    .unwrap_or_default();
                report.findings.push(Finding::pass(
                    RENEW,
                    name,
                    format!("a renewal would work, {}{away}", by(&attempt.method)),
                ));
                // Our own pause ends with the proof; what the authority wants stays.
                let now = context.clock.now();
                let kept = survey.record.failures.take();
                survey.record.failures = kept.filter(|failures| failures.retry_after.is_some_and(|until| until > now));
            }
            Err((trouble, text)) => {
                report.outcomes.push(outcome(State::Failed, trouble.detail.clone()));
                if !was_wanted {
                    remember(&mut survey, &trouble, context);
                }
                let finding = failed(name, &trouble, &text);
                let summary = finding.summary.replace("could not be renewed", "the rehearsal failed");
                report.findings.push(with_next(Finding { summary, ..finding }, &survey, context));
                if trouble.word == Word::Signal {
                    return Err(interrupted());
                }
            }
        }
        return survey.record.save(&settings.state, name);
    }
    if !renewed {
        let (trouble, text) = match attempt.ended {
            Err(trouble) => trouble,
            Ok(ended) => {
                let detail = "certbot says that all went well, and there is no new certificate".to_owned();
                (crate::rules::renewal::Trouble { word: Word::Nothing, detail, retry_after: None }, ended.text)
            }
        };
        report.outcomes.push(outcome(State::Failed, trouble.detail.clone()));
        if trouble.word == Word::Signal {
            return Err(interrupted());
        }
        remember(&mut survey, &trouble, context);
        report.findings.push(with_next(failed(name, &trouble, &text), &survey, context));
        survey.record.save(&settings.state, name)?;
        // What is on the disk is still what it was, and must be served all the same.
        return compare(&survey, certificate, is_down, report, context).await;
    }
    survey.record.failures = None;
    survey.record.rolled_back = None;
    match &attempt.ended {
        Ok(ended) => {
            if let Some(said) = failed_hook(&ended.text) {
                report.findings.push(
                    Finding::warn(RENEW, name, format!("renewed, and a hook that certbot runs failed: {said}"))
                        .fix(Word::Hook.fix())
                        .data("reason", Word::Hook.word()),
                );
            }
        }
        Err((trouble, text)) => {
            let finding = failed(name, trouble, text);
            let summary = format!("renewed, and certbot ended badly all the same: {}", trouble.detail);
            report.findings.push(Finding { status: Status::Warn, summary, ..finding });
        }
    }
    let mut stored = after;
    relink(&mut stored, &survey.lineage, certificate, report)?;
    let until = stored.as_ref().and_then(|stored| stored.lineage.newest()?.validity).map(|validity| validity.until);
    let until = until.map(|until| format!(", valid until {until}")).unwrap_or_default();
    report.outcomes.push(outcome(State::Done, format!("{}{until}", by(&attempt.method))));
    if let (Some(before), Some(after)) = (&before, &stored) {
        report.findings.extend(opened(certificate, before.modes, after.modes));
    }
    let hex = |leaf: [u8; 32]| leaf.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    survey.record.last = Some(Last {
        at: context.clock.now(),
        sha256: leaf(&stored).map(hex).unwrap_or_default(),
        method: attempt.method.clone(),
        downtime: downtime.map(|time| time.as_secs_f64()),
    });
    survey.stored = stored;
    survey.record.save(&settings.state, name)?;
    let finding = Finding::pass(RENEW, name, format!("renewed {}{until}", by(&attempt.method)))
        .data("method", attempt.method.clone());
    let finding = match downtime {
        Some(time) => {
            let summary = format!("{}; the site was away for {:.1} s", finding.summary, time.as_secs_f64());
            Finding { summary, ..finding }.data("downtime_seconds", (time.as_secs_f64() * 1e3).round() / 1e3)
        }
        None => finding,
    };
    report.findings.push(finding);
    load(&mut survey, certificate, is_down, report, context).await
}

/// Nothing is due, and an older certificate is served: a reload, told as a repair.
///
/// # Errors
///
/// A signal came.
pub(super) async fn repair_served(
    survey: &Survey,
    work: Work<'_>,
    report: &mut Report,
    context: &Context,
) -> Result<()> {
    let mut survey = survey.clone();
    let (findings, outcomes) = (report.findings.len(), report.outcomes.len());
    load(&mut survey, work.certificate, false, report, context).await?;
    let is_done = |action| {
        let action = word(action);
        report.outcomes[outcomes..].iter().any(|outcome| outcome.action == action && outcome.state == State::Done)
    };
    // Where it was no repair, what came of it speaks for itself.
    if is_done(Action::Reload) && is_done(Action::Verify) {
        let repaired =
            "repaired: an older certificate was served than the one on the disk, so the server was told to load it";
        let finding = Finding::pass(DUE, &work.certificate.name, repaired).data("reason", "repair");
        report.findings.insert(findings, finding);
    }
    Ok(())
}

/// Lets the server load what is on the disk, where it does not serve it yet, and judges what is served then.
pub(super) async fn load(
    survey: &mut Survey,
    certificate: &Certificate,
    is_down: bool,
    report: &mut Report,
    context: &Context,
) -> Result<()> {
    if is_down {
        return compare(survey, certificate, is_down, report, context).await;
    }
    survey.looks = look(certificate, context).await;
    let wanted = survey.leaf().map(|leaf| need(&leaf, &survey.former(), &survey.looks));
    if wanted == Some(Need::Nothing) {
        return compare(survey, certificate, is_down, report, context).await;
    }
    let Some(how) = &certificate.reload else {
        report.findings.push(
            Finding::warn(RENEW, &certificate.name, "nothing is configured that loads the new certificate")
                .fix("set `reload`, for example `reload = { systemd = \"nginx\" }`")
                .data("reason", "no-reload"),
        );
        return compare(survey, certificate, is_down, report, context).await;
    };
    let target = certificate.name.clone();
    match reload(how, context).await {
        Ok(done) => report.outcomes.push(Outcome {
            action: word(Action::Reload),
            target,
            state: State::Done,
            detail: done,
            fix: None,
        }),
        Err(refused) => {
            report.outcomes.push(Outcome {
                action: word(Action::Reload),
                target,
                state: State::Failed,
                detail: refused.why.clone(),
                fix: Some(refused.fix.clone()),
            });
            let finding =
                Finding::fail(RENEW, &certificate.name, "the certificate on the disk is not loaded by the server")
                    .cause(refused.why);
            let fix = match refused.reason {
                "nginx-test" if survey.record.last.is_some() => format!(
                    "{}; where only the new certificate is the reason, `mainstay renew-cert {} --rollback`",
                    refused.fix, certificate.name
                ),
                _ => refused.fix,
            };
            report.findings.push(finding.fix(fix).data("reason", refused.reason));
            return compare(survey, certificate, is_down, report, context).await;
        }
    }
    settle(survey, certificate, context).await;
    compare(survey, certificate, is_down, report, context).await
}

/// Looks until the server has gone over to the new certificate, or has had the time to.
async fn settle(survey: &mut Survey, certificate: &Certificate, context: &Context) {
    let begun = Instant::now();
    let seen = |survey: &Survey| survey.looks.iter().filter(|look| look.leaf.is_ok()).count();
    let former = survey.former();
    let before = seen(survey);
    let mut right = 0;
    loop {
        survey.looks = look(certificate, context).await;
        let need = survey.leaf().map(|leaf| need(&leaf, &former, &survey.looks));
        // An old worker that goes may cut a connection: what could be seen before is to be seen again.
        let is_cut = seen(survey) < before;
        // At a public address it may be another machine's, for which the time runs out, or an old worker's of this one.
        let is_old = survey.looks.iter().any(|look| look.leaf.as_ref().is_ok_and(|leaf| former.contains(&leaf.sha256)));
        right = if need == Some(Need::Nothing) && !is_cut && !is_old { right + 1 } else { 0 };
        let may_change = is_cut || matches!(need, Some(Need::Nothing | Need::Reload));
        if right == IN_A_ROW || !may_change || begun.elapsed() >= SETTLED || context.cancel.is_raised() {
            return;
        }
        sleep(PAUSE).await;
    }
}

/// Judges what is served as it was looked at last; where the site is down, somebody has said so already.
async fn compare(
    survey: &Survey,
    certificate: &Certificate,
    is_down: bool,
    report: &mut Report,
    context: &Context,
) -> Result<()> {
    if is_down || survey.stored.is_none() {
        return Ok(());
    }
    let mut judged = judge_looks(certificate, survey);
    if judged.iter().any(|finding| finding.status == Status::Fail)
        && let Some((cause, fix)) = reload::stuck(certificate, &survey.lineage, context).await
    {
        for finding in judged.iter_mut().filter(|finding| finding.status == Status::Fail) {
            finding.cause = Some(cause.clone());
            finding.fix = Some(fix.clone());
        }
    }
    let served = judged.iter().all(|finding| finding.status != Status::Fail);
    let mut addresses: Vec<&str> =
        survey.looks.iter().filter(|look| look.leaf.is_ok()).map(|look| look.address.as_str()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    report.outcomes.push(Outcome {
        action: word(Action::Verify),
        target: certificate.name.clone(),
        state: match (served, addresses.is_empty()) {
            (false, _) => State::Failed,
            (true, true) => State::Skipped,
            (true, false) => State::Done,
        },
        detail: if addresses.is_empty() {
            "no address could be seen".to_owned()
        } else {
            format!("looked at {}", addresses.join(", "))
        },
        fix: None,
    });
    report.findings.append(&mut judged);
    // Not ours to go back for: the certificate is right.
    if served && let Some(code) = status(certificate, context).await.filter(|code| *code >= 500) {
        report.findings.push(
            Finding::warn(RENEW, &certificate.name, format!("the certificate is served, and the site answers {code}"))
                .cause("the application behind the server does not answer; a renewal does not touch it")
                .fix("see its log; `mainstay check` tells more")
                .data("reason", "status-5xx"),
        );
    }
    Ok(())
}

fn with_next(finding: Finding, survey: &Survey, context: &Context) -> Finding {
    match next_try(survey, context) {
        Some(until) => finding.data("next_try", until),
        None => finding,
    }
}

fn by(method: &str) -> String {
    match method {
        "webroot" => "by webroot, without stopping anything".to_owned(),
        "standalone" => "standalone".to_owned(),
        plugin => format!("by certbot's `{plugin}`"),
    }
}
