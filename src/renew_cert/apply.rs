//! Carries a plan out: proves the way, calls certbot, ends what it began. What is on the disk afterwards is judged elsewhere.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use url::Url;

use super::{
    Certificate, RENEW, Request, Settings, aftermath,
    outage::{self, Certbot, Ended as OutageEnded, Outage},
    plan::{Action, Intent, Sketch, arguments, wanted, would_stop},
    ways::{Choice, Webroot, proof},
};
use crate::{
    error::{Error, Kind, Result},
    report::{Finding, Outcome, Report, State, Status},
    rules::renewal::{Failures, Form, Permission, Ports, Trouble, Way, Word, caller, read},
    system::{
        Context,
        acme::{self, LETS_ENCRYPT, STAGING},
        certbot::{self, Ended},
    },
};

/// What a run works on.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    pub settings: &'a Settings,
    pub certificate: &'a Certificate,
    pub request: Request,
}

/// What came of certbot.
pub(super) struct Attempt {
    /// What it left, or why it did not do it.
    pub ended: std::result::Result<Ended, (Trouble, String)>,
    /// What came of the outage, where there was one.
    pub outage: Option<OutageEnded>,
    /// `webroot`, `standalone`, or certbot's own plugin.
    pub method: String,
    /// Whether only a rehearsal was made, by wish or because it failed.
    pub rehearsed: bool,
}

/// The way that was chosen.
enum Chosen {
    Plugin(String),
    Standalone(outage::Preflight),
    Webroot(Webroot),
}

/// How often another certbot is looked for.
const AGAIN: Duration = Duration::from_secs(2);

/// Carries it out.
///
/// # Errors
///
/// A signal came, or the state folder cannot be written to.
pub(super) async fn apply(sketch: Sketch, work: Work<'_>, report: &mut Report, context: &Context) -> Result<()> {
    match sketch.intent {
        Intent::Nothing => Ok(()),
        Intent::Reload => aftermath::repair_served(&sketch.survey, work, report, context).await,
        Intent::Rehearse | Intent::Renew { .. } => attempt(sketch, work, report, context).await,
    }
}

async fn attempt(sketch: Sketch, work: Work<'_>, report: &mut Report, context: &Context) -> Result<()> {
    let Work { settings, certificate, request } = work;
    let name = &certificate.name;
    if let Err(finding) = idle(certificate, settings.lock_wait, context).await {
        report.findings.push(finding);
        return Ok(());
    }
    // Asked first: a certbot that is not there must not be found out while the site is down.
    let helper = Certbot::new(&settings.own);
    let call = certbot::version_call(&certificate.certbot, &helper.container());
    if let Err(trouble) = certbot::version(helper.run(call, context).await, &certificate.certbot) {
        report.findings.push(failed(name, &trouble, ""));
        return Ok(());
    }
    let Some(chosen) = choose(&sketch, work, report, context).await? else { return Ok(()) };
    let rehearsal = sketch.intent == Intent::Rehearse;
    let rehearse_first = matches!(sketch.intent, Intent::Renew { rehearse: true });
    context.progress.say(&match &chosen {
        Chosen::Plugin(plugin) => format!("renewing `{name}` by certbot's `{plugin}`"),
        Chosen::Standalone(_) => format!("renewing `{name}` standalone"),
        Chosen::Webroot(webroot) => format!("renewing `{name}` by webroot `{}`", webroot.folder.display()),
    });
    let way = match &chosen {
        Chosen::Plugin(_) => Way::Stored,
        Chosen::Standalone(_) => Way::Standalone,
        Chosen::Webroot(webroot) if webroot.stored => Way::Stored,
        Chosen::Webroot(webroot) => Way::Webroot(&webroot.inside),
    };
    let run = Run { work, survey: &sketch.survey, way, rehearsal, rehearse_first };
    let attempt = match &chosen {
        Chosen::Standalone(preflight) => {
            if rehearsal && !request.may_stop && !preflight.stops.is_empty() {
                let summary = format!("not rehearsed: {}", would_stop(preflight));
                let fix = "say --yes to stop it for the rehearsal";
                report.findings.push(Finding::unknown(RENEW, name, summary).fix(fix).data("reason", "would-stop"));
                return Ok(());
            }
            let stopped = !preflight.stops.is_empty();
            let out_of_reach = match stopped {
                true => out_of_reach(&run, context).await,
                false => None,
            };
            if let Some(trouble) = out_of_reach {
                let attempt = Attempt {
                    ended: Err((trouble, String::new())),
                    outage: None,
                    method: "standalone".to_owned(),
                    rehearsed: rehearsal || rehearse_first,
                };
                return aftermath::judge(sketch.survey, attempt, work, report, context).await;
            }
            match Outage::begin(preflight.clone(), &wanted(settings, certificate, &sketch.survey), context).await {
                Ok(outage) => {
                    let (ended, rehearsed) = run.within(Held::Within(&outage), context).await;
                    report.findings.extend(outage.notes().iter().map(|note| {
                        Finding::warn(RENEW, name, note.clone())
                            .fix("nothing now; look at it before the next renewal")
                            .data("reason", "layer")
                    }));
                    let ended_outage = outage.end(context).await;
                    Attempt {
                        ended,
                        outage: stopped.then_some(ended_outage),
                        method: "standalone".to_owned(),
                        rehearsed,
                    }
                }
                Err(unbegun) => {
                    if let Some(ended) = unbegun.ended {
                        report.outcomes.extend(ended.outcomes);
                        report.findings.extend(ended.findings);
                    }
                    return Err(unbegun.error);
                }
            }
        }
        Chosen::Plugin(plugin) => {
            let (ended, rehearsed) = run.beside(&helper, context).await;
            Attempt { ended, outage: None, method: plugin.clone(), rehearsed }
        }
        Chosen::Webroot(_) => {
            let (ended, rehearsed) = run.beside(&helper, context).await;
            Attempt { ended, outage: None, method: "webroot".to_owned(), rehearsed }
        }
    };
    aftermath::judge(sketch.survey, attempt, work, report, context).await
}

/// Waits for another certbot, for example of the distribution's timer.
async fn idle(certificate: &Certificate, wait: Duration, context: &Context) -> std::result::Result<(), Finding> {
    let begun = Instant::now();
    let limit = wait.max(PATIENCE);
    let mut told = false;
    while certbot::is_locked(&certificate.directory) {
        if begun.elapsed() >= limit || context.cancel.is_raised() {
            let summary = format!("another certbot has been at work for {} s", begun.elapsed().as_secs());
            return Err(Finding::fail(RENEW, &certificate.name, summary)
                .fix(Word::Locked.fix())
                .by_hand(format!("fuser -v {}", certificate.directory.join(".certbot.lock").display()))
                .data("reason", Word::Locked.word()));
        }
        if !told {
            told = true;
            context.progress.say("waiting for another certbot to end");
        }
        tokio::select! {
            () = sleep(AGAIN) => {}
            () = context.cancel.raised(1) => {}
        }
    }
    Ok(())
}

/// How long another certbot is waited for at least.
const PATIENCE: Duration = Duration::from_secs(120);

/// The way that works, found by proof; `None` where there is none, which the report says.
async fn choose(sketch: &Sketch, work: Work<'_>, report: &mut Report, context: &Context) -> Result<Option<Chosen>> {
    let Work { settings, certificate, .. } = work;
    let name = &certificate.name;
    let Choice { webroots, plugin, standalone, notes } = &sketch.choice;
    if let Some(plugin) = plugin {
        return Ok(Some(Chosen::Plugin(plugin.clone())));
    }
    let mut refused: Vec<Finding> = Vec::new();
    let mut is_elsewhere = false;
    for webroot in webroots {
        let folder = webroot.folder.display().to_string();
        let outcome = |state, detail: String| Outcome {
            action: word(Action::Prove),
            target: folder.clone(),
            state,
            detail,
            fix: None,
        };
        let proof = match proof(certificate, &webroot.folder, context).await {
            Ok(proof) => proof,
            Err(error) => {
                report.outcomes.push(outcome(State::Skipped, error.to_string()));
                let finding = Finding::fail(RENEW, name, format!("the webroot `{folder}` cannot be used"))
                    .cause(error.to_string());
                refused.push(finding.fix(error.hints.join("; ")).data("reason", "webroot"));
                continue;
            }
        };
        if proof.against.is_empty() {
            report
                .outcomes
                .push(outcome(State::Done, format!("a token came back for {}", certificate.names.join(", "))));
            report.findings.extend(refused.into_iter().map(only_a_warning));
            report.findings.extend(proof.warnings);
            return Ok(Some(Chosen::Webroot(webroot.clone())));
        }
        report.outcomes.push(outcome(State::Skipped, proof.against.join("; ")));
        is_elsewhere |= proof.is_elsewhere;
        let summary = match proof.is_elsewhere {
            true => "another machine answers where the authority would ask".to_owned(),
            false => format!("the webroot `{folder}`, which {}, is not what is served on port 80", webroot.how),
        };
        let finding = Finding::fail(RENEW, name, summary).observed(proof.against.join("; "));
        refused.push(finding.fix(proof.fix.unwrap_or_default()).data("reason", "probe-failed"));
    }
    // certbot itself would not be asked there either, so nothing is stopped for it.
    if !standalone || is_elsewhere {
        if refused.is_empty() {
            let why = notes.first().cloned().unwrap_or_else(|| "no webroot is known".to_owned());
            refused.push(
                Finding::fail(RENEW, name, why)
                    .fix("set `webroot` to the folder that is served")
                    .data("reason", "webroot"),
            );
        }
        report.findings.extend(refused);
        return Ok(None);
    }
    let preflight = match &sketch.preflight {
        Some(preflight) => preflight.clone(),
        None => outage::preflight(&wanted(settings, certificate, &sketch.survey), context).await,
    };
    if preflight.may_stop() {
        report.findings.extend(refused.into_iter().map(only_a_warning));
        return Ok(Some(Chosen::Standalone(preflight)));
    }
    report.findings.extend(refused);
    report.findings.extend(preflight.refusals.iter().map(|refusal| refusal.finding(RENEW, name)));
    Ok(None)
}

/// Why a way that was tried first did not work is worth a look, where another one did.
fn only_a_warning(finding: Finding) -> Finding {
    Finding { status: Status::Warn, ..finding }
}

/// One certbot, perhaps after its rehearsal.
struct Run<'a> {
    work: Work<'a>,
    survey: &'a super::Survey,
    way: Way<'a>,
    rehearsal: bool,
    rehearse_first: bool,
}

/// Where certbot runs: beside the site, or while it is down.
#[derive(Clone, Copy)]
enum Held<'a> {
    Beside(&'a Certbot),
    Within(&'a Outage),
}

type Came = (std::result::Result<Ended, (Trouble, String)>, bool);

impl Run<'_> {
    async fn beside(&self, helper: &Certbot, context: &Context) -> Came {
        let came = self.within(Held::Beside(helper), context).await;
        let engine = certbot::engine(&self.work.certificate.certbot);
        if let Err(trouble) = helper.clear(engine, context).await {
            tracing::warn!(%trouble, "could not remove what certbot left");
        }
        came
    }

    async fn within(&self, held: Held<'_>, context: &Context) -> Came {
        if self.rehearsal || self.rehearse_first {
            let rehearsed = self.once(held, true, context).await;
            if self.rehearsal || rehearsed.is_err() {
                return (rehearsed, true);
            }
        }
        let first = self.once(held, false, context).await;
        // certbot itself tries again once only, and a busy authority refuses more often than that.
        match first {
            Err((trouble, _)) if trouble.word == Word::BadNonce => (self.once(held, false, context).await, false),
            first => (first, false),
        }
    }

    async fn once(
        &self,
        held: Held<'_>,
        rehearsal: bool,
        context: &Context,
    ) -> std::result::Result<Ended, (Trouble, String)> {
        let Work { certificate, .. } = self.work;
        let arguments = arguments(certificate, self.survey, self.way, rehearsal);
        let (container, ports) = match held {
            Held::Beside(helper) => (helper.container(), Ports::Closed),
            Held::Within(outage) => (outage.certbot().container(), Ports::Published),
        };
        let command = certbot::command(&certificate.certbot, &arguments, (&container, ports), certificate.deadline);
        let answer = match held {
            Held::Beside(helper) => helper.run(command, context).await,
            Held::Within(outage) => outage.run(command, context).await,
        };
        match certbot::ended(answer, &certificate.certbot) {
            Ok(ended) if ended.success => Ok(ended),
            Ok(ended) => Err((read(&ended.text, &ended.ending, context.clock.now()), ended.text)),
            Err(trouble) => Err((trouble, String::new())),
        }
    }
}

/// Why the authority that certbot would ask cannot be reached; `None` where it can, or where that is not known.
async fn out_of_reach(run: &Run<'_>, context: &Context) -> Option<Trouble> {
    let certificate = run.work.certificate;
    // A container has a network of its own, and perhaps a proxy.
    if caller(&certificate.certbot) != Form::Host {
        return None;
    }
    let conf = run.survey.stored.as_ref().and_then(|stored| stored.conf.as_ref().ok());
    // For a first request certbot's own settings may name one that is not known here.
    let server = conf.and_then(|conf| conf.server()).or(certificate.server.as_ref().map(Url::as_str))?;
    // The first that is asked.
    let is_rehearsed = run.rehearsal || run.rehearse_first;
    let server = if is_rehearsed && server == LETS_ENCRYPT { STAGING } else { server };
    let directory = Url::parse(server).ok()?;
    let why = tokio::select! {
        answer = acme::reach(context, &directory, REACHED) => answer.err()?,
        // Whoever begins the outage ends the run.
        () = context.cancel.raised(1) => return None,
    };
    let detail = format!("the authority cannot be reached, so nothing was stopped: {why}");
    Some(Trouble { word: Word::Authority, detail, retry_after: None })
}

/// How long one step on the way to an authority may take: nothing is stopped yet.
const REACHED: Duration = Duration::from_secs(20);

/// The finding of a certbot that did not do it.
pub(super) fn failed(name: &str, trouble: &Trouble, text: &str) -> Finding {
    let finding = Finding::fail(RENEW, name, format!("could not be renewed: {}", trouble.detail))
        .fix(trouble.word.fix())
        .data("reason", trouble.word.word());
    let finding = match trouble.retry_after {
        Some(until) => finding.data("retry_after", until.to_string()),
        None => finding,
    };
    let noise = |line: &&str| !line.is_empty() && !line.starts_with("- - -") && !line.starts_with("Saving debug log");
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(noise).collect();
    let tail = lines[lines.len().saturating_sub(20)..].join("\n");
    if tail.is_empty() { finding } else { finding.observed(tail) }
}

/// Remembers a failure where the authority was asked; what was never asked costs nothing.
pub(super) fn remember(survey: &mut super::Survey, trouble: &Trouble, context: &Context) {
    if trouble.word.is_authoritys() {
        let (reason, detail) = (trouble.word.word(), trouble.detail.clone());
        let before = survey.record.failures.take();
        let failures = Failures::after(before.as_ref(), reason, detail, trouble.retry_after, true, context.clock.now());
        survey.record.failures = Some(failures);
    }
}

/// When the next try is, for the report.
pub(super) fn next_try(survey: &super::Survey, context: &Context) -> Option<String> {
    match survey.record.failures.as_ref()?.permission(context.clock.now()) {
        Permission::Now { .. } => None,
        Permission::Wait { until, .. } => Some(until.to_string()),
    }
}

/// The error of a run that a signal has ended.
pub(super) fn interrupted() -> Error {
    Error::new(Kind::Interrupted, "finish the renewal").because("a signal ended the run")
}

/// The word of an outcome.
pub(super) fn word(action: Action) -> String {
    match action {
        Action::Prove => "prove",
        Action::Rehearse => "rehearse",
        Action::Reload => "reload",
        Action::Renew => "renew",
        Action::Request => "request",
        Action::Start => "start",
        Action::Stop => "stop",
        Action::Verify => "verify",
    }
    .to_owned()
}
