//! Turns what the file says into findings of `nginx.config` and `nginx.headers`.
//!
//! Every finding says that it describes the file: the running process may have loaded another one (`nginx.fresh`).

mod config;
mod headers;

use std::collections::BTreeMap;

use crate::report::Finding;

use super::{
    answer::{Answer, Doubt, DoubtKind, Ending, Public, Question},
    evaluate::evaluate,
    parser::{ParseError, Trouble},
    tree::{Config, Place},
};

pub use config::judge_config;
pub use headers::judge_headers;

/// What the application must receive.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// The site as its visitors see it: what `$scheme`, `$host` and `$server_port` in `headers` must amount to.
    pub public: Public,
    /// Header name to value, with nginx variables.
    pub headers: BTreeMap<String, String>,
    /// `proxy_http_version`, judged when given.
    pub http_version: Option<String>,
    /// `proxy_redirect`, judged when given.
    pub redirect: Option<String>,
    /// The version of nginx, when known: since 1.29.7 it speaks HTTP/1.1 to applications by default.
    pub version: Option<(u32, u32, u32)>,
}

/// All findings about a configuration that could be gathered.
pub fn judge(
    subject: &str,
    config: &Result<Config, ParseError>,
    question: &Question,
    expected: &Expected,
) -> Vec<Finding> {
    let config = match config {
        Ok(config) => config,
        Err(error) => return judge_unparsed(subject, error),
    };
    match evaluate(config, question) {
        Ok(answer) => {
            let mut findings = judge_config(subject, &answer, expected);
            findings.extend(judge_headers(subject, &answer, expected));
            findings
        }
        Err(doubt) => judge_doubt(subject, &doubt),
    }
}

/// The findings when `nginx -T` did not succeed: nothing is known, and nginx says why.
pub fn judge_failed_dump(subject: &str, exit: &str, stderr: &str) -> Vec<Finding> {
    let emerg = stderr
        .lines()
        .rev()
        .find(|line| line.contains("[emerg]"))
        .or(stderr.lines().rev().find(|l| !l.trim().is_empty()));
    let message = emerg.unwrap_or("it says nothing").trim();
    let message = message.split_once("[emerg]").map_or(message, |(_, rest)| rest.trim_start());
    let message = message.split_once(": ").filter(|(id, _)| id.contains('#')).map_or(message, |(_, rest)| rest);
    let root = Finding::unknown(CONFIG, subject, format!("the configuration file cannot be loaded: {message}"))
        .expected("nginx -T prints the configuration")
        .observed(format!("nginx -T: {exit}: {message}"))
        .cause("nginx prints nothing when it would refuse to start with the files that are there now")
        .fix(
            "mend what nginx names, or let the name resolve where nginx runs; the running process is not affected yet",
        );
    with_followers(subject, file_only(root).data("reason", "dump-unavailable"))
}

/// The findings when the text is not a configuration that could be read.
pub fn judge_unparsed(subject: &str, error: &ParseError) -> Vec<Finding> {
    let summary = format!("the configuration file cannot be read: {}", error.why);
    let root = match error.trouble {
        Trouble::Syntax => Finding::fail(CONFIG, subject, summary)
            .expected("a configuration that nginx loads")
            .observed(error.to_string())
            .cause("nginx refuses it: a reload keeps the old configuration, a restart fails")
            .fix("mend the line, then run nginx -t")
            .data("reason", "syntax"),
        Trouble::Limit => Finding::unknown(CONFIG, subject, summary)
            .fix("give the part that serves this site alone, with `dump` or `files`")
            .data("reason", "limit"),
        Trouble::Missing => Finding::unknown(CONFIG, subject, summary)
            .fix("give the whole output of nginx -T, or the folder with every included file")
            .data("reason", "missing-file"),
        Trouble::NoDump => Finding::unknown(CONFIG, subject, summary)
            .fix("save it with `nginx -T > FILE`, standard output only")
            .data("reason", "no-dump"),
    };
    with_followers(subject, place(file_only(root), error.at.as_ref()))
}

/// The findings when the file does not answer the question.
pub fn judge_doubt(subject: &str, doubt: &Doubt) -> Vec<Finding> {
    let root = match doubt.kind {
        DoubtKind::NoServer => Finding::fail(CONFIG, subject, format!("{}, says the configuration file", doubt.why))
            .expected("a server that answers this request")
            .fix("add a `server` with a `listen` for it; behind another proxy set `trusted_proxy = true`")
            .data("reason", "no-server"),
        DoubtKind::Undecided => {
            Finding::unknown(CONFIG, subject, format!("the configuration file does not decide it: {}", doubt.why))
                .cause(doubt.to_string())
                .fix("see by hand what arrives at the application, or leave the check out with `--skip nginx`")
                .data("reason", "undecided")
        }
    };
    with_followers(subject, place(file_only(root), doubt.at.as_ref()))
}

const CONFIG: &str = "nginx.config";
const HEADERS: &str = "nginx.headers";

/// What could not be seen because of the first finding.
fn with_followers(subject: &str, root: Finding) -> Vec<Finding> {
    let headers =
        Finding::unknown(HEADERS, subject, "the headers cannot be told from the configuration file").because_of(&root);
    let headers = file_only(headers);
    vec![root, headers]
}

/// Says that the finding is about the file.
fn file_only(finding: Finding) -> Finding {
    finding.data("describes", "file")
}

/// What to do where the request does not reach an application over HTTP.
const NOT_PROXIED: &str = "set `path` to an address that the application answers, or add a `proxy_pass` to the block";

fn place(finding: Finding, at: Option<&Place>) -> Finding {
    match at {
        Some(at) => finding.data("at", at.to_string()),
        None => finding,
    }
}

/// The innermost location, or the server, with its place.
fn answering(answer: &Answer) -> (String, &Place) {
    match answer.locations.last() {
        Some(location) => (format!("location {}", location.label), &location.at),
        None => ("server".to_owned(), &answer.server.at),
    }
}

/// The facts of an answer that every finding carries.
fn facts(finding: Finding, answer: &Answer) -> Finding {
    let upstream = match &answer.ending {
        Ending::Proxied(upstream) => Some(upstream.written.clone()),
        Ending::Other { .. } | Ending::Returned { .. } | Ending::Static => None,
    };
    file_only(finding)
        .data("server", answer.server.name.clone())
        .data("server_at", answer.server.at.to_string())
        .data("location", answer.locations.last().map(|location| location.label.clone()))
        .data("location_at", answer.locations.last().map(|location| location.at.to_string()))
        .data("upstream", upstream)
        .data("steps", answer.steps.clone())
        .data("notes", answer.notes.clone())
}

#[cfg(test)]
mod tests;
