//! What a run would do about one certificate: looks only.

use std::path::PathBuf;

use serde::Serialize;

use super::{
    Certificate, DUE, LINEAGE, Method, RENEW, Request, Settings, Survey,
    outage::{self, Preflight, Wanted},
    reload,
    standing::{coherence, due, explain, names, twins},
    ways::Choice,
};
use crate::{
    report::{Finding, Plan, Risk, Status, Step},
    rules::renewal::{Call, Conf, Form, Kind, Need, Permission, Ports, Reason, Way, caller, need, wrap},
    system::{Context, acme::LETS_ENCRYPT, certbot, state::Lineage},
};

/// What is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    /// Fetch a token through the web server.
    Prove,
    /// Rehearse at the authority's staging.
    Rehearse,
    /// Let the server load the certificate.
    Reload,
    /// Renew by certbot.
    Renew,
    /// Ask for the certificate the first time.
    Request,
    /// Start again.
    Start,
    /// Stop what holds port 80.
    Stop,
    /// Compare what is served with the file.
    Verify,
}

/// What is to come of a run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Intent {
    /// Nothing to do, or nothing that may be done.
    Nothing,
    /// A reload: an older certificate is served.
    Reload,
    /// A renewal or a first request, rehearsed first where `rehearse`.
    Renew {
        /// The last try failed at the authority.
        rehearse: bool,
    },
    /// A rehearsal alone.
    Rehearse,
}

/// A plan with what was seen while it was made.
pub(super) struct Sketch {
    pub plan: Plan<Action>,
    pub intent: Intent,
    pub survey: Survey,
    pub choice: Choice,
    /// What would be stopped, where that is already known.
    pub preflight: Option<Preflight>,
    pub findings: Vec<Finding>,
}

/// Decides what to do.
pub(super) async fn plan(
    settings: &Settings,
    certificate: &Certificate,
    request: Request,
    survey: Survey,
    context: &Context,
) -> Sketch {
    let mut findings = Vec::new();
    let (intent, why) = intend(certificate, request, &survey, &mut findings, context);
    let mut plan = Plan::new(title(certificate, intent, &survey));
    let mut choice = Choice::default();
    let mut preflight = None;
    match intent {
        Intent::Nothing => {}
        Intent::Reload => {
            plan.steps.push(step(
                Action::Reload,
                target(certificate),
                "an older certificate is served than the one on the disk",
            ));
            plan.steps.push(verify(certificate));
        }
        Intent::Renew { .. } | Intent::Rehearse => {
            choice = Choice::of(certificate, &survey, context).await;
            // Where a webroot comes first, what would be stopped is looked at when it turns out to be needed, or to be told.
            if choice.standalone && choice.plugin.is_none() && (choice.webroots.is_empty() || request.dry_run) {
                preflight = Some(outage::preflight(&wanted(settings, certificate, &survey), context).await);
            }
            let action = match intent {
                Intent::Rehearse => Action::Rehearse,
                _ if survey.stored.is_some() => Action::Renew,
                _ => Action::Request,
            };
            let rehearse = intent == Intent::Renew { rehearse: true };
            steps(&mut plan, certificate, &survey, &choice, preflight.as_ref(), (action, &why, rehearse));
        }
    }
    plan.notes.extend(choice.notes.iter().cloned());
    plan.notes
        .extend(own_ways(certificate, &survey).into_iter().filter(|_| intent != Intent::Nothing || request.explain));
    if request.explain {
        plan.notes.extend(explain(certificate, &survey));
    }
    plan.notes.extend(
        survey
            .no_suggestion
            .iter()
            .map(|why| format!("{}: no suggestion of the authority (ARI): {why}", certificate.name)),
    );
    Sketch { plan, intent, survey, choice, preflight, findings }
}

/// What certbot is called with.
pub(super) fn arguments(certificate: &Certificate, survey: &Survey, way: Way<'_>, rehearsal: bool) -> Vec<String> {
    let conf = survey.stored.as_ref().and_then(|stored| stored.conf.as_ref().ok());
    let mut folders = Vec::new();
    // In a container certbot has its own world.
    if caller(&certificate.certbot) == Form::Host {
        if !certificate.is_default_directory() {
            folders.push(("--config-dir", certificate.directory.display().to_string()));
        }
        for (option, key) in [("--work-dir", "work_dir"), ("--logs-dir", "logs_dir")] {
            let value = conf.and_then(|conf| conf.value(&format!("renewalparams.{key}")));
            folders.extend(value.map(|value| (option, value.to_owned())));
        }
    }
    // For a rehearsal certbot goes to the staging of Let's Encrypt, whatever its renewal file says.
    if rehearsal && survey.stored.is_some() {
        let server = conf.and_then(|conf| conf.server()).filter(|server| *server != LETS_ENCRYPT);
        folders.extend(server.map(|server| ("--server", server.to_owned())));
    }
    let kind = match &survey.stored {
        Some(_) => Kind::Renew,
        None => Kind::Request {
            names: &certificate.names,
            email: certificate.email.as_deref(),
            key_type: &certificate.key_type,
            server: certificate.server.as_ref().map(url::Url::as_str),
        },
    };
    Call { name: &survey.lineage, kind, way, rehearsal, folders }.arguments()
}

/// What an outage needs to know.
pub(super) fn wanted(settings: &Settings, certificate: &Certificate, survey: &Survey) -> Wanted {
    let mut writable = vec![certificate.directory.clone()];
    if caller(&certificate.certbot) == Form::Host {
        let conf = survey.stored.as_ref().and_then(|stored| stored.conf.as_ref().ok());
        writable.extend(own_folders(&certificate.certbot, conf));
    }
    Wanted {
        certificate: certificate.name.clone(),
        command: settings.command.clone(),
        stop: certificate.stop.clone(),
        host: certificate.names.first().cloned().unwrap_or_default(),
        engine: certbot::engine(&certificate.certbot).map(str::to_owned),
        lineage: Some(Lineage { directory: certificate.directory.clone(), name: survey.lineage.clone() }),
        writable,
        state: settings.state.clone(),
        lock_wait: settings.lock_wait,
        own: settings.own.clone(),
    }
}

/// The folders of certbot's work and of its logs, which no `--config-dir` moves: those of the renewal file, since they are
/// passed last, else those that the command says, else certbot's defaults.
fn own_folders(command: &[String], conf: Option<&Conf>) -> [PathBuf; 2] {
    let of = |option: &str, key: &str, default: &str| {
        let stored = conf.and_then(|conf| conf.value(&format!("renewalparams.{key}")));
        let mut words = command.iter().rev();
        let mut after = None;
        let said = words.find_map(|word| match word.strip_prefix(option) {
            Some("") => after.take(),
            Some(rest) => rest.strip_prefix('='),
            None => {
                after = Some(word.as_str());
                None
            }
        });
        PathBuf::from(stored.or(said).unwrap_or(default))
    };
    [of("--work-dir", "work_dir", "/var/lib/letsencrypt"), of("--logs-dir", "logs_dir", "/var/log/letsencrypt")]
}

fn intend(
    certificate: &Certificate,
    request: Request,
    survey: &Survey,
    findings: &mut Vec<Finding>,
    context: &Context,
) -> (Intent, String) {
    let nothing = (Intent::Nothing, String::new());
    let Some(stored) = &survey.stored else { return first(certificate, request, survey, findings, context) };
    if let Err(why) = &stored.conf {
        let summary = format!("the renewal file of `{}` cannot be used: {why}", survey.lineage);
        findings.push(
            Finding::fail(LINEAGE, &certificate.name, summary)
                .observed(stored.path.display().to_string())
                .fix("bring it back from a backup, or request the certificate anew under another name; nothing else is held up by it")
                .data("reason", "renewal-file"),
        );
        return nothing;
    }
    findings.extend(coherence(certificate, survey));
    findings.extend(twins(certificate, survey));
    findings.extend(names(certificate, survey));
    let Some(decision) =
        survey.decision.as_ref().filter(|_| findings.iter().all(|finding| finding.status < Status::Unknown))
    else {
        return nothing;
    };
    let mut due =
        due(certificate, survey).unwrap_or_else(|| Finding::pass(DUE, &certificate.name, decision.to_string()));
    if decision.reason == Reason::Clock {
        findings.push(due);
        return nothing;
    }
    if request.staging {
        // Another authority than Let's Encrypt has no staging of its own: a rehearsal asks it too.
        let own = stored.conf.as_ref().ok().and_then(|conf| conf.server()).is_some_and(|server| server != LETS_ENCRYPT);
        let permission = survey.record.failures.as_ref().map(|failures| failures.permission(context.clock.now()));
        if let Some(Permission::Wait { until, why, authority: true }) = permission.filter(|_| own) {
            due.status = Status::Fail;
            due.summary = format!("not rehearsed before {until}");
            findings.push(
                due.cause(why)
                    .fix("wait: this authority has no staging, and every request makes it longer")
                    .data("reason", "waiting"),
            );
            return nothing;
        }
        findings.push(due);
        return (Intent::Rehearse, "to see whether a renewal would work; nothing is kept".to_owned());
    }
    let why = match (decision.is_due(), request.force) {
        (true, _) => decision.to_string(),
        (false, true) => format!("--force, although {decision}"),
        (false, false) => {
            findings.push(due);
            let reload = survey.leaf().is_some_and(|leaf| need(&leaf, &survey.former(), &survey.looks) == Need::Reload);
            return (if reload { Intent::Reload } else { Intent::Nothing }, String::new());
        }
    };
    let permission = survey.record.failures.as_ref().map(|failures| failures.permission(context.clock.now()));
    match permission {
        Some(Permission::Wait { until, why, authority }) => {
            let what = if decision.is_due() { "due, but not tried" } else { "not tried" };
            let summary = format!("{what} before {until}");
            let fix = match authority {
                true => "wait: every request before that makes it longer".to_owned(),
                false => format!(
                    "mend what failed, then run `mainstay renew-cert {} --staging`: when that works, the next run tries at once",
                    certificate.name
                ),
            };
            due.status = Status::Fail;
            due.summary = summary;
            findings.push(due.cause(why).fix(fix).data("reason", "waiting").data("until", until.to_string()));
            nothing
        }
        Some(Permission::Now { rehearse }) => (Intent::Renew { rehearse }, why),
        None => (Intent::Renew { rehearse: false }, why),
    }
}

/// The lineage does not exist: it is asked for, where the operator has said what that takes.
fn first(
    certificate: &Certificate,
    request: Request,
    survey: &Survey,
    findings: &mut Vec<Finding>,
    context: &Context,
) -> (Intent, String) {
    let why = format!("there is no lineage `{}` in `{}` yet", survey.lineage, certificate.directory.display());
    if !certificate.agree_tos {
        findings.push(
            Finding::fail(RENEW, &certificate.name, format!("{why}, and a first request needs your word"))
                .expected("`agree_tos = true` and, better, `email` in the configuration")
                .fix("read the terms of the authority (https://letsencrypt.org/repository/), then set `agree_tos = true`; correct `directory` where the lineage is elsewhere")
                .data("reason", "agree-tos"),
        );
        return (Intent::Nothing, String::new());
    }
    if request.staging {
        return (Intent::Rehearse, why);
    }
    match survey.record.failures.as_ref().map(|failures| failures.permission(context.clock.now())) {
        Some(Permission::Wait { until, why, .. }) => {
            findings.push(
                Finding::fail(RENEW, &certificate.name, format!("not requested before {until}"))
                    .cause(why)
                    .fix(format!("mend what failed, then run `mainstay renew-cert {} --staging`", certificate.name))
                    .data("reason", "waiting"),
            );
            (Intent::Nothing, String::new())
        }
        Some(Permission::Now { rehearse }) => (Intent::Renew { rehearse }, why),
        None => (Intent::Renew { rehearse: false }, why),
    }
}

fn title(certificate: &Certificate, intent: Intent, survey: &Survey) -> String {
    let name = &certificate.name;
    match intent {
        Intent::Nothing => format!("leave `{name}` as it is"),
        Intent::Reload => format!("let the server load `{name}`"),
        Intent::Rehearse => format!("rehearse the renewal of `{name}`"),
        Intent::Renew { .. } if survey.stored.is_none() => format!("request `{name}`"),
        Intent::Renew { .. } => format!("renew `{name}`"),
    }
}

fn steps(
    plan: &mut Plan<Action>,
    certificate: &Certificate,
    survey: &Survey,
    choice: &Choice,
    preflight: Option<&Preflight>,
    what: (Action, &str, bool),
) {
    let (action, why, rehearse) = what;
    let lineage = &survey.lineage;
    let call = |way| {
        let ports = if way == Way::Standalone { Ports::Published } else { Ports::Closed };
        let mut words = wrap(&certificate.certbot, "certbot", ports);
        words.extend(arguments(certificate, survey, way, action == Action::Rehearse));
        shell_words::join(words)
    };
    if rehearse {
        plan.steps.push(step(Action::Rehearse, lineage.clone(), "the last try failed at the authority"));
    }
    let by_hand = |command: String| format!("by hand: {command}");
    if let Some(plugin) = &choice.plugin {
        plan.steps.push(step(
            action,
            lineage.clone(),
            &format!("{why}; by certbot's own `{plugin}`, as its renewal file says"),
        ));
        plan.notes.push(by_hand(call(Way::Stored)));
    } else if let Some(webroot) = choice.webroots.first() {
        let folder = webroot.folder.display().to_string();
        plan.steps.push(step(
            Action::Prove,
            folder,
            &format!("the folder {}; a token must come back for every name", webroot.how),
        ));
        plan.steps.push(step(action, lineage.clone(), &format!("{why}; by webroot, nothing is stopped")));
        let way = if webroot.stored { Way::Stored } else { Way::Webroot(&webroot.inside) };
        plan.notes.push(by_hand(call(way)));
        if certificate.method == Method::Auto {
            plan.notes.push(match preflight {
                Some(preflight) => format!("if the token does not come back: {}", would_stop(preflight)),
                None => "if the token does not come back: what holds port 80 is stopped for the renewal".to_owned(),
            });
        }
    } else if let Some(preflight) = preflight {
        for stop in &preflight.stops {
            plan.steps
                .push(Step { risk: Risk::Disruptive, ..step(Action::Stop, stop.title(), &format!("it {}", stop.how)) });
        }
        plan.steps.push(step(action, lineage.clone(), &format!("{why}; standalone")));
        for stop in preflight.stops.iter().rev() {
            plan.steps.push(Step { owed: true, ..step(Action::Start, stop.title(), "it ran before") });
        }
        let stops = preflight.stops.iter().map(super::outage::Stop::stop_by_hand);
        let starts = preflight.stops.iter().rev().map(super::outage::Stop::start_by_hand);
        plan.notes.push(by_hand(stops.chain([call(Way::Standalone)]).chain(starts).collect::<Vec<_>>().join("; ")));
        plan.notes.extend(preflight.notes.iter().cloned());
        plan.notes.extend(
            preflight.refusals.iter().map(|refusal| format!("will not work: {}: {}", refusal.subject, refusal.why)),
        );
        if let Some(last) = survey.record.last.as_ref().and_then(|last| last.downtime) {
            plan.notes.push(format!("last time the site was away for {last:.1} s"));
        }
    } else {
        plan.notes.push("no webroot is known: set `webroot`, or `method = \"standalone\"`".to_owned());
    }
    if action != Action::Rehearse {
        if certificate.reload.is_some() {
            plan.steps.push(step(Action::Reload, target(certificate), "it must load the new certificate"));
            plan.notes.push(by_hand(reload::by_hand(certificate)));
        }
        plan.steps.push(verify(certificate));
    }
}

/// What standalone would mean, in a sentence.
pub(super) fn would_stop(preflight: &Preflight) -> String {
    if let Some(refusal) = preflight.refusals.first() {
        return format!("nothing may be stopped: {}: {}", refusal.subject, refusal.why);
    }
    let titles: Vec<String> = preflight.stops.iter().map(|stop| format!("{} ({})", stop.title(), stop.how)).collect();
    if titles.is_empty() {
        "certbot answers port 80, which nobody holds".to_owned()
    } else {
        format!("{} would be stopped for the renewal and started again", titles.join(" and "))
    }
}

/// What certbot does by itself, and what its renewal file wants besides.
fn own_ways(certificate: &Certificate, survey: &Survey) -> Vec<String> {
    let conf = survey.stored.as_ref().and_then(|stored| stored.conf.as_ref().ok());
    let mut hooks = conf.map(|conf| conf.hooks()).unwrap_or_default();
    hooks.extend(certbot::hooks(&certificate.directory));
    hooks.sort_by_key(|hook| hook.moment);
    let mut notes: Vec<String> = hooks.iter().map(ToString::to_string).collect();
    if conf.is_some_and(Conf::is_left_alone) {
        notes.push("its renewal file says `autorenew = False`, which holds for certbot's own runs only".to_owned());
    }
    notes
}

fn target(certificate: &Certificate) -> String {
    use super::Reload;
    match &certificate.reload {
        Some(Reload::Container(crate::system::docker::Reference::Name(name))) => format!("container `{name}`"),
        Some(Reload::Container(crate::system::docker::Reference::Service(service))) => {
            format!("service `{}` of `{}`", service.service, service.project)
        }
        Some(Reload::Systemd(unit)) => format!("unit `{unit}`"),
        Some(Reload::Command(words)) => shell_words::join(words),
        None => "the server".to_owned(),
    }
}

fn verify(certificate: &Certificate) -> Step<Action> {
    let targets = certificate.targets().into_iter().map(|(host, port)| format!("{host}:{port}"));
    step(
        Action::Verify,
        targets.collect::<Vec<_>>().join(", "),
        "each address must serve the certificate that is on the disk",
    )
}

fn step(action: Action, target: String, reason: &str) -> Step<Action> {
    Step { action, target, reason: reason.to_owned(), risk: Risk::Safe, requires: Vec::new(), owed: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renew_case_55_the_folders_that_certbot_writes_to_are_known_wherever_its_configuration_is() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let found = |command: &str, more: &str| {
            let text = certbot::testing::conf("/srv/le".as_ref(), "a.test") + more;
            let conf = Conf::parse(&text).unwrap();
            own_folders(&words(command), Some(&conf)).map(|folder| folder.display().to_string())
        };
        assert_eq!(found("certbot", ""), ["/var/lib/letsencrypt", "/var/log/letsencrypt"]);
        assert_eq!(found("certbot --work-dir /w --logs-dir=/l", ""), ["/w", "/l"]);
        let stored = "work_dir = /srv/work\nlogs_dir = /srv/logs\n";
        assert_eq!(found("certbot --work-dir /w", stored), ["/srv/work", "/srv/logs"]);
    }
}
