//! `mainstay renew-cert`: certificates that are renewed without leaving the site down.
//!
//! Success is one thing only: every name, on every address, serves the certificate that is on the disk. What certbot says of
//! itself is read and shown, and never believed alone.

mod aftermath;
mod apply;
mod guard;
mod look;
pub mod outage;
mod plan;
mod record;
mod reload;
mod repair;
mod settings;
mod standing;
mod survey;
#[cfg(test)]
mod tests;
mod ways;

use futures_util::future::join_all;

pub use record::{Last, Record};
pub use repair::{Mend, mend};
pub use settings::{Certificate, Method, Reload, Settings};
pub use survey::{Ask, Survey};

use crate::{
    error::{Error, Kind, Result},
    report::{Finding, Report},
    rules::renewal::judge_served,
    system::{
        Context,
        state::{Journal, Lock, Peek, Refusal},
    },
};

/// What a run was asked to do besides.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request {
    /// Print the plan and stop.
    pub dry_run: bool,
    /// Tell everything that the decisions rest on.
    pub explain: bool,
    /// Renew although nothing is due.
    pub force: bool,
    /// Let the renewal file keep how it was renewed this time.
    pub remember: bool,
    /// Rehearse at the authority's staging; nothing is kept.
    pub staging: bool,
    /// Whether a rehearsal may stop what holds port 80.
    pub may_stop: bool,
}

/// Looks after every certificate: renews what is due, reloads what is served from an older file. What fails is told in the
/// report and stops no other certificate.
///
/// # Errors
///
/// A signal came; everything that had been stopped runs again.
pub async fn renew(settings: &Settings, request: Request, report: &mut Report, context: &Context) -> Result<()> {
    // Held to the end: the record is its holder's.
    let mut locks = Vec::new();
    let mut free = Vec::new();
    for certificate in &settings.certificates {
        if !request.dry_run {
            match lock(settings, certificate, report, context).await? {
                Some(lock) => locks.push(lock),
                None => continue,
            }
        }
        free.push(certificate);
    }
    let surveys = loop {
        context.progress.begin("looking", Some(free.len() as u64));
        let surveys = join_all(free.iter().map(|certificate| async {
            let survey = Survey::of(certificate, &settings.state, Ask::WhenStale, context).await;
            context.progress.advance(1);
            survey
        }))
        .await;
        context.progress.end();
        // What was seen while another run had the site stopped is of no use.
        match settings.state.owed() {
            Ok(Peek::AtWork(_)) if !request.dry_run => {
                if !wait_for_others(settings, report, context).await? {
                    return Ok(());
                }
            }
            _ => break surveys,
        }
    };
    for (certificate, survey) in free.into_iter().zip(surveys) {
        let done = match survey {
            Ok(survey) => one(settings, certificate, request, survey, report, context).await,
            Err(error) => Err(error),
        };
        match done {
            // Another run was a moment earlier.
            Err(error) if error.kind == Kind::Locked => {
                report.locked = true;
                let finding = Finding::skip(RENEW, &certificate.name, format!("{OTHER} is at work"));
                let finding = finding.cause(error.why.join(": ")).data("reason", "locked");
                report.findings.push(error.hints.into_iter().fold(finding, Finding::fix));
            }
            Err(error) if error.kind != Kind::Interrupted => {
                report.findings.push(Finding::of_error(RENEW, &certificate.name, &error))
            }
            done => done?,
        }
        if context.cancel.is_raised() {
            return Err(Error::new(Kind::Interrupted, "finish the renewals").because("a signal ended the run"));
        }
    }
    Ok(())
}

/// Waits for another run that has stopped the site for its renewal, as long as `--lock-wait` says: nothing can be proved or
/// compared meanwhile. Whether it is over; else the report says so of every certificate.
///
/// # Errors
///
/// The journal cannot be read, or a signal ended the wait.
pub async fn wait_for_others(settings: &Settings, report: &mut Report, context: &Context) -> Result<bool> {
    let Peek::AtWork(_) = settings.state.owed()? else { return Ok(true) };
    match Journal::open(&settings.state, &settings.command, settings.lock_wait, context).await {
        Ok(journal) => {
            drop(journal);
            Ok(true)
        }
        Err(Refusal::Failed(error)) => Err(error),
        Err(refusal) => {
            report.locked = true;
            let told = |certificate: &Certificate| refusal.clone().finding(RENEW, &certificate.name, OTHER);
            report.findings.extend(settings.certificates.iter().map(told));
            Ok(false)
        }
    }
}

/// What `check` says of a certificate: whether it is due. Nothing is asked of an authority.
///
/// # Errors
///
/// certbot's folder or the record cannot be read.
pub fn judge_due(certificate: &Certificate, survey: &Survey) -> Vec<Finding> {
    let mut findings: Vec<Finding> = match &survey.stored {
        None => vec![
            Finding::fail(
                DUE,
                &certificate.name,
                format!("there is no lineage `{}` in `{}`", survey.lineage, certificate.directory.display()),
            )
            .fix(format!("request it: `mainstay renew-cert {}`; or correct `directory`", certificate.name))
            .data("reason", "no-lineage"),
        ],
        Some(stored) => match &stored.conf {
            Ok(_) => Vec::new(),
            Err(why) => vec![
                Finding::fail(DUE, &certificate.name, format!("its renewal file cannot be used: {why}"))
                    .observed(stored.path.display().to_string())
                    .fix("bring it back from a backup")
                    .data("reason", "renewal-file"),
            ],
        },
    };
    findings.extend(standing::coherence(certificate, survey).into_iter().map(|finding| Finding { id: DUE, ..finding }));
    findings.extend(standing::names(certificate, survey).map(|finding| Finding { id: DUE, ..finding }));
    findings.extend(standing::due(certificate, survey).map(|finding| standing::with_failures(finding, survey)));
    findings
}

/// What `check` says of what is served.
pub fn judge_looks(certificate: &Certificate, survey: &Survey) -> Vec<Finding> {
    let reload =
        format!("run `mainstay renew-cert {}`, or by hand `{}`", certificate.name, reload::by_hand(certificate));
    judge_served(&certificate.name, &survey.file(&certificate.directory), &survey.looks, &reload)
}

async fn one(
    settings: &Settings,
    certificate: &Certificate,
    request: Request,
    survey: Survey,
    report: &mut Report,
    context: &Context,
) -> Result<()> {
    let sketch = plan::plan(settings, certificate, request, survey, context).await;
    if !sketch.plan.steps.is_empty() || request.dry_run || request.explain {
        report.add_plan(&sketch.plan);
    }
    report.findings.extend(sketch.findings.iter().cloned());
    if sketch.intent == plan::Intent::Nothing && sketch.survey.leaf().is_some() {
        report.findings.extend(judge_looks(certificate, &sketch.survey));
    }
    if request.dry_run {
        if sketch.intent == plan::Intent::Reload {
            report.findings.extend(judge_looks(certificate, &sketch.survey));
        }
        return Ok(());
    }
    // What the authority said is kept, whatever comes of the rest.
    sketch.survey.record.save(&settings.state, &certificate.name)?;
    apply::apply(sketch, apply::Work { settings, certificate, request }, report, context).await
}

/// The lock of a certificate; `None` where another run has it, which the report says.
async fn lock(
    settings: &Settings,
    certificate: &Certificate,
    report: &mut Report,
    context: &Context,
) -> Result<Option<Lock>> {
    let request = crate::system::state::Request {
        job: "renew-cert",
        name: &certificate.name,
        command: &settings.command,
        wait: settings.lock_wait,
    };
    let told = (RENEW, certificate.name.as_str(), "another run for this certificate");
    settings.state.lock_or_tell(context, request, told, report).await
}

/// Whether a certificate is due.
pub const DUE: &str = "certificate.due";
/// Whether its files are as certbot leaves them.
const LINEAGE: &str = "certificate.lineage";
/// The run whose outage is waited for.
const OTHER: &str = "another run that has stopped the site for its renewal";
/// What came of a renewal.
const RENEW: &str = "certificate.renew";
