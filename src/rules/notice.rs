//! Whether people are told of a run, and in which words.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::history::{Gone, Run, Trouble};
use crate::{
    error::Kind,
    report::{State, Status},
};

/// When people are told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum When {
    /// Of every run.
    Always,
    /// Of what is new, and of what has recovered.
    Change,
    /// Of every run that is not good.
    Failure,
}

/// A message: what a person reads first, and the rest line by line. Without control characters, and short enough for every
/// channel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Notice {
    /// One line.
    pub title: String,
    /// What was found and done, and what to do.
    pub lines: Vec<String>,
}

/// So many things are told; the history has the others.
const TOLD: usize = 15;

/// The longest line, in characters.
const LONGEST: usize = 300;

impl When {
    /// Whether a run is told. `untold`: an earlier message to the same place did not arrive.
    ///
    /// A run that found its lock held is none to tell of; a holder that is suspiciously old is a warning of its own. What was
    /// looked at in another way than usual says nothing about how things are.
    pub fn tells(self, run: &Run, untold: bool) -> bool {
        if run.otherwise || is_held(run) {
            return false;
        }
        untold
            || match self {
                Self::Always => true,
                Self::Change => is_change(run),
                Self::Failure => !run.is_good() || run.findings.iter().any(is_old_holder),
            }
    }
}

/// Another run was at work, and there is nothing else to say.
fn is_held(run: &Run) -> bool {
    run.is_left_to_another() && run.findings.is_empty() && run.recovered.is_empty()
}

/// Something is wrong that was not, or is right again that had failed. The end of a mere warning waits for the next message.
fn is_change(run: &Run) -> bool {
    run.findings.iter().any(|trouble| trouble.new)
        || run.changes.iter().any(|change| change.new)
        || run.error.as_ref().is_some_and(|error| error.new)
        || run.recovered.iter().any(|one| one.was != Status::Warn)
}

fn is_old_holder(trouble: &Trouble) -> bool {
    trouble.new && trouble.reason.as_deref() == Some("locked")
}

impl Notice {
    /// What a run has to say.
    pub fn of(run: &Run) -> Self {
        let mut items = Vec::new();
        if let Some(error) = &run.error {
            items.push(format!("error: {error}"));
            items.extend(error.hints.iter().map(|hint| format!("  do: {hint}")));
        }
        // What is new stands first.
        let (new, still): (Vec<_>, Vec<_>) = run.findings.iter().partition(|trouble| trouble.new);
        for trouble in new.into_iter().chain(still) {
            items.push(of_trouble(trouble));
            items.extend(trouble.cause.iter().map(|cause| format!("  because {cause}")));
            items.extend(trouble.fix.iter().map(|fix| format!("  do: {fix}")));
        }
        for change in run.changes.iter().filter(|change| change.state == State::Failed) {
            let word = if change.new { "new failure" } else { "still failing" };
            items.push(format!("{word}: {} {}: {}", change.action, change.target, change.detail));
            items.extend(change.fix.iter().map(|fix| format!("  do: {fix}")));
        }
        for one in &run.recovered {
            let how = match one.how {
                Gone::Eased => "eased to a warning",
                Gone::NotReported => "not reported any more",
                Gone::Right => "recovered",
            };
            let what = match (one.id.as_str(), one.subject.as_str()) {
                ("run", "") => "a run came to its end again".to_owned(),
                (id, subject) => format!("{id} {subject}").trim_end().to_owned(),
            };
            items.push(format!("{how}: {what} ({} since {})", one.was.word(), minute(one.since)));
        }
        for change in run.done() {
            let reason = change.reason.iter().map(|reason| format!(" ({reason})"));
            items.push(format!("done: {} {}{}", change.action, change.target, reason.collect::<String>()));
        }
        let surplus = items.len().saturating_sub(TOLD);
        if surplus > 0 {
            items.truncate(TOLD);
            items.push(format!("and {surplus} lines more: `mainstay history -v` on {}", run.host));
        }
        items.push(format!("{}, {:.1} s, exit code {}", minute(run.started), run.seconds, run.exit));
        Self { title: plain(&title(run)), lines: items.iter().map(|item| plain(item)).collect() }
    }

    /// A message that only shows that it arrives.
    pub fn test(host: &str, project: &str) -> Self {
        Self {
            title: plain(&format!("[{project}] test message of mainstay on {host}")),
            lines: vec!["sent by `mainstay config check --notify`: this channel works".to_owned()],
        }
    }

    /// All of it, for a mail and for the log of a ping.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.title);
        for line in &self.lines {
            let _ = writeln!(text, "{line}");
        }
        text
    }

    /// The body of a webhook at this host.
    ///
    /// Slack and Mattermost take `text`. Teams takes an Adaptive Card in a message: its Workflows take nothing else, and its
    /// older connectors (`*.webhook.office.com`) take `text`, so the host decides. No body suits all three: Slack and
    /// Mattermost read `attachments`, where Teams has its card, as something else.
    pub fn webhook(&self, host: &str) -> Value {
        let is_below =
            |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        match WORKFLOWS.iter().any(|domain| is_below(domain)) {
            true => self.card(),
            false => json!({ "text": self.marked() }),
        }
    }

    /// As Slack and Mattermost set it: `&`, `<` and `>` are written out (Slack, "Formatting text for app surfaces"), and no
    /// text calls everybody of a channel.
    fn marked(&self) -> String {
        let safe = |line: &String| {
            let line = line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            ["@all", "@channel", "@here"]
                .iter()
                .fold(line, |line, call| line.replace(call, &format!("@ {}", &call[1..])))
        };
        let mut text = format!("*{}*", safe(&self.title));
        for line in &self.lines {
            let _ = write!(text, "\n{}", safe(line));
        }
        text
    }

    /// An Adaptive Card 1.4 in a message, as Workflows of Teams take it.
    fn card(&self) -> Value {
        let block = |text: &str, more: Value| {
            let mut block = json!({ "type": "TextBlock", "text": escaped(text), "wrap": true });
            if let (Some(block), Value::Object(more)) = (block.as_object_mut(), more) {
                block.extend(more);
            }
            block
        };
        let mut body = vec![block(&self.title, json!({ "weight": "Bolder", "size": "Medium" }))];
        body.extend(self.lines.iter().map(|line| block(line, json!({ "spacing": "Small" }))));
        json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.4",
                    "body": body,
                },
            }],
        })
    }
}

/// Where Teams' Workflows (Power Automate) have their addresses.
const WORKFLOWS: &[&str] = &["logic.azure.com", "api.powerplatform.com"];

/// `[prime] check failed on web-1`
fn title(run: &Run) -> String {
    let project = run.project.iter().map(|project| format!("[{project}] ")).collect::<String>();
    let what = match (&run.error, run.status) {
        (Some(error), _) if error.kind == Kind::Interrupted => "was stopped by a signal",
        (Some(_), _) => "ended with an error",
        (None, Status::Fail) if is_only_better(run) => "has recovered in part",
        (None, Status::Fail) => "failed",
        (None, Status::Unknown) => "could not look at everything",
        (None, _) if !run.recovered.is_empty() => "has recovered",
        (None, Status::Warn) => "has a warning",
        (None, Status::Pass | Status::Skip) => "is fine",
    };
    format!("{project}{} {what} on {}", run.command, run.host)
}

fn is_only_better(run: &Run) -> bool {
    let new = run.findings.iter().any(|trouble| trouble.new) || run.changes.iter().any(|change| change.new);
    !new && !run.recovered.is_empty()
}

fn of_trouble(trouble: &Trouble) -> String {
    let kind = match trouble.status {
        Status::Fail => "failure",
        Status::Unknown => "unknown",
        Status::Pass | Status::Skip | Status::Warn => "warning",
    };
    let word = match trouble.since.filter(|_| !trouble.new) {
        Some(since) => format!("still {kind} (since {})", minute(since)),
        None => format!("new {kind}"),
    };
    let subject = if trouble.subject.is_empty() { String::new() } else { format!(" {}", trouble.subject) };
    format!("{word}: {}{subject}: {}", trouble.id, trouble.summary)
}

fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// One line without control characters, not too long.
fn plain(text: &str) -> String {
    let safe: String =
        text.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST + 1).collect();
    match safe.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &safe[..end]),
        None => safe,
    }
}

/// A card reads Markdown: what would be a link or a list is shown as it is.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '[' | ']' | '*' | '_' | '\\') {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::Error,
        report::{Finding, Report},
        rules::{history::Facts, redact::Redact},
    };

    fn facts() -> Facts {
        Facts {
            started: "2026-11-26T02:30:00Z".parse().unwrap(),
            seconds: 1.2,
            host: "web-1".into(),
            user: "root".into(),
            sudo: None,
            project: Some("prime".into()),
            job: "check".into(),
            command: "check".into(),
            names: Vec::new(),
            partial: false,
            otherwise: false,
            exit: 1,
        }
    }

    fn of(findings: Vec<Finding>) -> Run {
        let mut report = Report::new("check", "web-1", facts().started);
        report.findings = findings;
        Run::of_report(facts(), &report, &Redact::default())
    }

    fn one(status: Status) -> Run {
        of(vec![Finding::new("tls.validity", "prime", status, "a summary").cause("a cause").fix("a fix")])
    }

    fn after(before: Option<&Run>, mut run: Run) -> Run {
        run.compare(before);
        run
    }

    #[test]
    fn who_is_told_when() {
        use Status::{Fail, Pass, Unknown, Warn};
        // Before, now; told on failure, on change, always.
        for (was, is, told) in [
            (Pass, Pass, [false, false, true]),
            (Pass, Warn, [false, true, true]),
            (Warn, Warn, [false, false, true]),
            (Warn, Pass, [false, false, true]),
            (Pass, Fail, [true, true, true]),
            (Fail, Fail, [true, false, true]),
            (Fail, Unknown, [true, false, true]),
            (Warn, Fail, [true, true, true]),
            (Pass, Unknown, [true, true, true]),
            (Fail, Pass, [false, true, true]),
            (Unknown, Warn, [false, true, true]),
        ] {
            let run = after(Some(&after(None, one(was))), one(is));
            let tells = [When::Failure, When::Change, When::Always].map(|when| when.tells(&run, false));
            assert_eq!(tells, told, "{was:?} to {is:?}");
            assert!(When::Failure.tells(&run, true), "what did not arrive is told again");
        }
    }

    #[test]
    fn a_held_lock_is_nothing_to_tell_of_unless_it_has_been_held_for_long() {
        let held = Run::of_error(facts(), &Error::new(Kind::Locked, "start"), &Redact::default());
        let held = after(None, held);
        let mut routine = of(vec![Finding::skip("backup.create", "app", "at work").data("reason", "locked")]);
        routine.locked = true;
        let mut long = of(vec![Finding::warn("backup.create", "app", "hangs").data("reason", "locked")]);
        long.locked = true;
        let (routine, long) = (after(None, routine), after(None, long));
        for when in [When::Failure, When::Change, When::Always] {
            assert!(!when.tells(&held, true) && !when.tells(&routine, true), "{when:?}");
            assert!(when.tells(&long, false), "{when:?}");
        }
        let mut elsewhere = after(None, one(Status::Fail));
        elsewhere.otherwise = true;
        assert!(!When::Always.tells(&elsewhere, false), "a look at another host");
    }

    #[test]
    fn a_message_says_what_is_wrong_and_what_to_do() {
        let notice = Notice::of(&after(None, one(Status::Fail)));
        assert_eq!(
            notice.text(),
            "[prime] check failed on web-1\n\nnew failure: tls.validity prime: a summary\n  because a cause\n  do: a fix\n\
             2026-11-26 02:30 UTC, 1.2 s, exit code 1\n"
        );
        let recovered = Notice::of(&after(Some(&after(None, one(Status::Fail))), one(Status::Pass)));
        assert_eq!(recovered.title, "[prime] check has recovered on web-1");
        assert_eq!(recovered.lines[0], "recovered: tls.validity prime (fail since 2026-11-26 02:30 UTC)");
    }

    #[test]
    fn each_chat_gets_the_body_that_it_takes_and_no_text_of_others_does_anything_there() {
        let run = of(vec![Finding::fail("http.status", "prime", "<!channel> @channel & [x](http://y) *b*\u{7}\nline")]);
        let notice = Notice::of(&after(None, run));
        for host in ["hooks.slack.com", "chat.example.edu", "x.webhook.office.com", "logic.azure.com.evil.example"] {
            let body = notice.webhook(host);
            let text = body["text"].as_str().unwrap();
            assert!(text.contains("&lt;!channel&gt; @ channel &amp; [x]"), "{text}");
            assert!(!text.contains('\u{7}') && body.get("attachments").is_none(), "{host}");
        }
        for host in ["prod-1.westus.logic.azure.com", "abc.1a.environment.api.powerplatform.com"] {
            let body = notice.webhook(host);
            let card = &body["attachments"][0];
            assert_eq!(card["contentType"], "application/vnd.microsoft.card.adaptive", "{host}");
            assert!(card["content"]["body"][1]["text"].as_str().unwrap().contains("\\[x\\]"), "{body}");
        }
    }

    #[test]
    fn a_message_of_a_thousand_failures_is_short() {
        let many = (0..1000).map(|number| Finding::fail("tls.validity", format!("site-{number}"), "x".repeat(900)));
        let notice = Notice::of(&after(None, of(many.collect())));
        assert_eq!(notice.lines.len(), TOLD + 2);
        assert!(notice.text().len() < 8000 && notice.lines[TOLD].contains("lines more"), "{notice:?}");
    }
}
