//! Who is told of a run: the channels of `[notify]`, and what became of the messages.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::{
    args::Kept,
    config::{Loaded, Model, model},
    host,
};
use crate::{
    report::{Finding, Report, Status},
    rules::{
        history::Run,
        notice::{Notice, When},
    },
    system::{
        Context,
        notify::{Channel, DEADLINE, Signal, ping, send},
        secret::Secret,
        state::State,
    },
};

/// What `[notify]` says about one run.
pub(super) struct Notifier {
    on: When,
    channels: Vec<Channel>,
    /// The dead man's switch of the job.
    ping: Option<Secret>,
    /// The ping of the start, on its way.
    started: Option<JoinHandle<Result<String, String>>>,
}

/// A message that did not arrive, or did again after one that had not.
pub(super) struct Delivery {
    /// The id of the channel.
    pub id: &'static str,
    /// Why it did not arrive.
    pub trouble: Option<String>,
}

impl Notifier {
    /// Reads the channels and sends the ping of the start, which the run does not wait for.
    pub(super) fn begin(loaded: &Loaded, kept: Kept<'_>, context: &Context) -> Self {
        let notify = &loaded.model.notify;
        // A run over a part says nothing about the whole job, and the switch is about the whole.
        let whole = kept.timed && !kept.partial && !kept.otherwise && is_all(kept, &loaded.model);
        let ping = notify.ping.iter().find(|(job, _)| whole && job == kept.job).map(|(_, secret)| secret.clone());
        let started = ping.clone().map(|secret| {
            let context = context.clone();
            tokio::spawn(async move { self::ping(&secret, Signal::Start, "", &context).await })
        });
        Self { on: notify.on, channels: channels(notify), ping, started }
    }

    /// Tells of a run that has ended, on all channels at once and within [`DEADLINE`]; what did not arrive is remembered, and
    /// the next run of the command tries again. `silent`: a person has seen the end already, only the switch is told.
    pub(super) async fn end(self, run: &Run, silent: bool, state: &State, context: &Context) -> Vec<Delivery> {
        let mut untold = state.untold();
        let key = |channel: &Channel| {
            format!("{}/{}/{}", run.project.as_deref().unwrap_or_default(), run.command, channel.id())
        };
        let told: Vec<&Channel> = self
            .channels
            .iter()
            .filter(|channel| !silent && self.on.tells(run, untold.since(&key(channel)).is_some()))
            .collect();
        let notice = Notice::of(run);
        let host = host();
        let messages = send(&told, &notice, &host, context);
        let pings = signal(self.ping.as_ref(), self.started, run, &notice, context);
        let (sent, pinged) = tokio::join!(messages, pings);
        let mut deliveries = Vec::new();
        for (channel, answer) in told.into_iter().zip(sent) {
            let had = untold.since(&key(channel)).is_some();
            // Where the state cannot be written the history has already said so.
            let _ = untold.settle(&key(channel), answer.is_ok(), context.clock.now());
            match answer {
                Ok(_) if !had => {}
                answer => deliveries.push(Delivery { id: channel.id(), trouble: answer.err() }),
            }
        }
        deliveries.extend(pinged.into_iter().map(|trouble| Delivery { id: "notify.ping", trouble: Some(trouble) }));
        deliveries
    }
}

/// The pings of a run: the start has to arrive before the end. What went wrong, once.
async fn signal(
    secret: Option<&Secret>,
    started: Option<JoinHandle<Result<String, String>>>,
    run: &Run,
    notice: &Notice,
    context: &Context,
) -> Option<String> {
    let secret = secret?;
    let begun = async {
        match started {
            Some(task) => task.await.unwrap_or_else(|error| Err(error.to_string())),
            None => Ok(String::new()),
        }
    };
    // A server that hangs at the start has its time already behind it; the end gets a try of its own.
    let first = tokio::time::timeout(DEADLINE / 2, begun).await.ok().and_then(Result::err);
    if run.is_left_to_another() {
        return first;
    }
    let signal = if run.is_good() { Signal::Success } else { Signal::Fail };
    let last = tokio::time::timeout(DEADLINE / 2, ping(secret, signal, &notice.text(), context)).await;
    match last {
        Ok(answer) => answer.err(),
        Err(_) => Some(format!("there was no answer within {} s", (DEADLINE / 2).as_secs())),
    }
}

/// Whether everything that the configuration has for this job is meant.
fn is_all(kept: Kept<'_>, model: &Model) -> bool {
    let names: Vec<&str> = match kept.job {
        "backup" => model.backups.iter().map(|backup| backup.name.as_str()).collect(),
        "renew-cert" => model.certificates.iter().map(|certificate| certificate.name.as_str()).collect(),
        "schedule" => model.schedules.iter().map(|schedule| schedule.name.as_str()).collect(),
        _ => return kept.names.is_empty(),
    };
    kept.names.is_empty() || names.iter().all(|name| kept.names.iter().any(|asked| asked == name))
}

fn channels(notify: &model::Notify) -> Vec<Channel> {
    let email = notify.email.iter().map(|email| Channel::Email {
        to: email.to.clone(),
        from: email.from.clone(),
        smtp: email.smtp.clone(),
    });
    notify.webhook.iter().cloned().map(Channel::Webhook).chain(email).collect()
}

/// `config check --notify`: sends a message to every channel, and a ping that counts for nothing to every switch.
pub(super) async fn test(loaded: &Loaded, context: &Context) -> Vec<Finding> {
    let notify = &loaded.model.notify;
    let channels = channels(notify);
    let notice = Notice::test(&host(), &loaded.model.project);
    let all: Vec<&Channel> = channels.iter().collect();
    let host = host();
    let text = notice.text();
    let pings =
        futures_util::future::join_all(notify.ping.iter().map(|(_, secret)| ping(secret, Signal::Log, &text, context)));
    let (sent, pinged) = tokio::join!(send(&all, &notice, &host, context), pings);
    let messages = channels.iter().zip(sent).map(|(channel, answer)| found(channel.id(), "", answer));
    let pings = notify.ping.iter().zip(pinged).map(|((job, _), answer)| found("notify.ping", job, answer));
    let mut findings: Vec<Finding> = messages.chain(pings).collect();
    if findings.is_empty() {
        findings.push(Finding::skip("notify.webhook", "", "nobody is told: [notify] names no channel"));
    }
    findings
}

fn found(id: &'static str, subject: &str, answer: Result<String, String>) -> Finding {
    match answer {
        Ok(took) => Finding::pass(id, subject, took),
        Err(why) => {
            // Who answers that there is no such thing has been reached; the rest may be a server that is away.
            let is_refused = ["answered 3", "answered 4", "the secret holds"].iter().any(|part| why.contains(part));
            let fix = match (id, is_refused) {
                ("notify.email", _) => "correct `smtp`, `from` or `to` of [notify] email, or see the mail server's log",
                ("notify.ping", true) => "correct the address in [notify.ping]: the one without /start or /fail",
                (_, true) => "correct `webhook` of [notify]: make the address anew where the messages shall arrive",
                (_, false) => {
                    "see whether the server is up and this machine reaches it; if it does, correct the address"
                }
            };
            Finding::fail(id, subject, "the test message did not arrive")
                .cause(why)
                .fix(fix)
                .data("reason", "undelivered")
        }
    }
}

/// The record of messages that did not arrive: a run of its own in the history.
pub(super) fn report_of(deliveries: &[Delivery], command: &str, context: &Context) -> Report {
    let mut report = Report::new("notify", host(), context.clock.now());
    for delivery in deliveries {
        report.findings.push(match &delivery.trouble {
            None => Finding::pass(delivery.id, command, "messages arrive again"),
            Some(why) => Finding::new(
                delivery.id,
                command,
                Status::Warn,
                format!("nobody was told of `mainstay {command}`: {why}"),
            )
            .fix("see whether it arrives now: mainstay config check --notify"),
        });
    }
    report.took = Duration::ZERO;
    report
}
