//! The way from plain HTTP to HTTPS: which hops there were, and whether they are right.

#[cfg(test)]
mod tests;
mod walk;

use serde_json::{Value, json};
use url::Url;

pub use walk::{End, Hop, MOST_HOPS, Next, Walk, is_same_site, next};

use crate::{
    report::{Finding, Status},
    rules::{
        http::{Answer, HttpFailure},
        location::{Location, Nowhere, Shown, redacted, resolve},
    },
};

/// What a walk should be like.
#[derive(Clone, Copy, Debug)]
pub struct Expect<'a> {
    /// What the finding is about.
    pub subject: &'a str,
    /// Where the walk should lead: scheme, host and port count.
    pub goal: &'a Url,
    /// What a closed port means.
    pub closed: Status,
}

/// Judges a walk that began on plain HTTP.
pub fn judge(walk: &Walk, expect: Expect<'_>) -> Finding {
    let Some(first) = walk.hops.first() else {
        return Finding::unknown(ID, expect.subject, "nothing was asked");
    };
    let finding = match &first.answer {
        Err(failure) => no_answer(first, failure, expect),
        Ok(answer) => answered(walk, first, answer, expect),
    };
    finding.data("hops", record(walk))
}

/// Judges port 80 of a site where it should be closed.
pub fn judge_closed(walk: &Walk, expect: Expect<'_>) -> Finding {
    let Some(first) = walk.hops.first() else {
        return Finding::unknown(ID, expect.subject, "nothing was asked");
    };
    match &first.answer {
        Err(failure) if failure.is_closed_port() => {
            Finding::pass(ID, expect.subject, format!("port {} is closed, as configured: {failure}", port(&first.url)))
        }
        Err(failure) if !failure.is_the_sites() => no_answer(first, failure, expect),
        Err(failure) => Finding::warn(ID, expect.subject, format!("port {} is open: {failure}", port(&first.url)))
            .expected("a closed port, as configured with `http = false`")
            .fix("close the port, or take `http = false` out")
            .data("reason", "port-open"),
        Ok(_) => {
            let verdict = judge(walk, expect);
            if verdict.status == Status::Pass {
                return Finding::pass(ID, expect.subject, format!("{}, although `http = false`", verdict.summary))
                    .data("hops", record(walk));
            }
            Finding::warn(ID, expect.subject, format!("port {} answers without a redirect to https", port(&first.url)))
                .expected("a closed port, as configured with `http = false`")
                .observed(seen(first))
                .fix("close the port, or let it redirect to https and take `http = false` out")
                .data("reason", "port-open")
                .data("hops", record(walk))
        }
    }
}

const ID: &str = "http.redirect";

/// One thing that is wrong with a walk; kept in the order in which they matter.
struct Problem {
    status: Status,
    reason: &'static str,
    text: String,
    fix: &'static str,
}

fn no_answer(first: &Hop, failure: &HttpFailure, expect: Expect<'_>) -> Finding {
    let port = port(&first.url);
    if failure.is_closed_port() {
        let summary = format!("port {port} is closed: {failure}");
        let finding = Finding::new(ID, expect.subject, expect.closed, summary).data("reason", failure.reason());
        if expect.closed == Status::Pass {
            return finding;
        }
        return finding
            .expected("a permanent redirect to https")
            .observed(failure.to_string())
            .cause("people who type the name without https see nothing, and a certificate cannot be renewed by HTTP-01")
            .fix("open port 80 and redirect it, or say `http = false` or `http_closed = \"pass\"` where it is closed on purpose");
    }
    let status = if failure.is_the_sites() { Status::Fail } else { Status::Unknown };
    Finding::new(ID, expect.subject, status, format!("port {port} does not answer: {failure}"))
        .expected("a permanent redirect to https")
        .observed(failure.to_string())
        .fix("look at the web server's error log; something listens there that does not speak HTTP")
        .data("reason", failure.reason())
}

fn answered(walk: &Walk, first: &Hop, answer: &Answer, expect: Expect<'_>) -> Finding {
    let mut problems = Vec::new();
    let mut notes = Vec::new();
    let location = if answer.is_redirect() { resolve(&first.url, answer).ok() } else { None };
    let first_hop = match &location {
        Some(location) => of_the_first_hop(first, answer, location, expect),
        None if !answer.is_redirect() => vec![no_redirect(answer)],
        None => Vec::new(),
    };
    // A way that goes wrong at once and loops later has its root at the first hop.
    if walk.hops.len() > 1 {
        problems.extend(first_hop);
        problems.extend(of_the_end(walk));
    } else {
        problems.extend(of_the_end(walk));
        problems.extend(first_hop);
    }
    problems.extend(downgrade(walk));
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.status));
    match &walk.end {
        End::Left(url) if walk.hops.len() > 1 => {
            notes.push(format!("the way leads on to {}, which was not asked", redacted(url.as_str(), Shown::Harmless)));
        }
        End::Broken => notes.push("the way could not be followed to its end".to_owned()),
        _ => {}
    }
    let Some(worst) = problems.first() else { return right(walk, answer, location.as_ref(), expect, notes) };
    let texts: Vec<&str> = problems.iter().map(|problem| problem.text.as_str()).collect();
    let reasons: Vec<&str> = problems.iter().map(|problem| problem.reason).collect();
    let finding = Finding::new(ID, expect.subject, worst.status, texts.join("; "))
        .expected(format!("301 or 308 to {}", wanted(first, expect)))
        .observed(seen(first))
        .fix(worst.fix)
        .data("reason", worst.reason)
        .data("reasons", reasons);
    noted(finding, notes)
}

fn right(walk: &Walk, answer: &Answer, location: Option<&Location>, expect: Expect<'_>, notes: Vec<String>) -> Finding {
    let to = location.map_or_else(String::new, |location| redacted(&location.raw, Shown::Harmless));
    if let (End::Broken, Some(hop)) = (&walk.end, walk.hops.last()) {
        let why = hop.answer.as_ref().err().map_or_else(String::new, ToString::to_string);
        return Finding::unknown(
            ID,
            expect.subject,
            format!("redirects to https ({}), but nobody answers there", answer.status),
        )
        .observed(format!("{}: {why}", redacted(hop.url.as_str(), Shown::Harmless)))
        .fix("let the address that it leads to be reached from here, or look from where it can be")
        .data("reason", hop.answer.as_ref().err().map_or("no-connection", HttpFailure::reason))
        .data("notes", notes);
    }
    let finding = Finding::pass(ID, expect.subject, format!("plain HTTP redirects to https ({})", answer.status))
        .observed(format!("{} with Location: {to}", answer.status));
    noted(finding, notes)
}

fn noted(finding: Finding, notes: Vec<String>) -> Finding {
    if notes.is_empty() { finding } else { finding.data("notes", notes) }
}

fn no_redirect(answer: &Answer) -> Problem {
    let reason = if answer.status >= 500 { "status-5xx" } else { "no-redirect" };
    Problem {
        status: Status::Fail,
        reason,
        text: format!("plain HTTP answers {} and does not redirect", answer.status),
        fix: "let the port-80 server answer every request with `return 301 https://$server_name$request_uri;`",
    }
}

fn of_the_end(walk: &Walk) -> Option<Problem> {
    let fail = |reason, text, fix| Some(Problem { status: Status::Fail, reason, text, fix });
    let hop = walk.hops.len();
    match &walk.end {
        End::Loop(url) => fail(
            "loop",
            format!("a loop: hop {} would ask {} again", hop + 1, redacted(url.as_str(), Shown::Harmless)),
            "let the redirect lead to an address that does not redirect back; behind another proxy look at X-Forwarded-Proto",
        ),
        End::TooLong => fail(
            "too-many-hops",
            format!("more than {MOST_HOPS} hops"),
            "let the first redirect lead to the last address at once",
        ),
        End::Lost(nowhere) => {
            let (reason, text) =
                lost(nowhere, walk.hops.last().and_then(|hop| hop.answer.as_ref().ok()), Shown::Harmless);
            fail(reason, text, "send exactly one `Location` with a complete address")
        }
        End::Arrived | End::Broken | End::Left(_) => None,
    }
}

/// The reason word and the sentence for a redirect that leads nowhere.
pub fn lost(nowhere: &Nowhere, answer: Option<&Answer>, shown: Shown) -> (&'static str, String) {
    let status = answer.map_or_else(String::new, |answer| format!("{} ", answer.status));
    match nowhere {
        Nowhere::Absent => ("location-absent", format!("the redirect {status}has no Location")),
        Nowhere::Different(all) => {
            let all: Vec<String> = all.iter().take(4).map(|raw| format!("`{}`", redacted(raw, shown))).collect();
            ("location-different", format!("the redirect {status}has several Location headers: {}", all.join(", ")))
        }
        Nowhere::Unreadable { raw, why } => {
            let raw = redacted(raw, shown);
            ("location-malformed", format!("the Location `{raw}` of the redirect {status}cannot be read: {why}"))
        }
    }
}

fn of_the_first_hop(first: &Hop, answer: &Answer, location: &Location, expect: Expect<'_>) -> Vec<Problem> {
    let target = &location.url;
    let mut problems: Vec<Problem> = location
        .oddities
        .iter()
        .map(|oddity| Problem {
            status: if oddity.is_dangerous() { Status::Fail } else { Status::Warn },
            reason: "location-malformed",
            text: format!("the Location is malformed: {}", oddity.words()),
            fix: "build the address from `$request_uri`, which nginx leaves escaped, and never from `$uri`",
        })
        .collect();
    if target.scheme() != "https" {
        problems.push(Problem {
            status: Status::Fail,
            reason: if target.scheme() == "http" { "stays-http" } else { "not-https" },
            text: format!("the redirect stays on {}", target.scheme()),
            fix: "write the whole address: `return 301 https://$server_name$request_uri;`",
        });
        return problems;
    }
    let mut warn = |reason, text: String, fix| problems.push(Problem { status: Status::Warn, reason, text, fix });
    let same_host = target.host_str() == first.url.host_str();
    if !same_host {
        let host = target.host_str().unwrap_or_default();
        warn(
            "other-host",
            format!(
                "the redirect leaves for `{host}` before HSTS can be noted for `{}`",
                first.url.host_str().unwrap_or_default()
            ),
            "redirect to https on the same host first, and only then to the other one",
        );
    }
    let expected_port = expect.goal.port_or_known_default();
    if same_host && target.port_or_known_default() != expected_port && target.port().is_some() {
        warn(
            "other-port",
            format!("the redirect leads to port {}", port(target)),
            "redirect to the port that is served",
        );
    }
    if (target.path(), target.query()) != (first.url.path(), first.url.query()) {
        warn(
            "path-lost",
            "the path or the query is lost on the way".to_owned(),
            "redirect with `return 301 https://$server_name$request_uri;`",
        );
    }
    if matches!(answer.status, 302 | 303 | 307) {
        warn(
            "not-permanent",
            format!("the redirect is not permanent ({})", answer.status),
            "answer with 301 or 308, which browsers remember",
        );
    }
    problems
}

/// A hop from https back to http, anywhere on the way.
fn downgrade(walk: &Walk) -> Option<Problem> {
    walk.hops.iter().enumerate().find_map(|(index, hop)| {
        let answer = hop.answer.as_ref().ok().filter(|answer| answer.is_redirect() && hop.url.scheme() == "https")?;
        let target = resolve(&hop.url, answer).ok()?.url;
        (target.scheme() == "http").then(|| Problem {
            status: Status::Fail,
            reason: "downgrade",
            text: format!("hop {} leads from https back to {}", index + 1, redacted(target.as_str(), Shown::Harmless)),
            fix: "let the server write https addresses; nginx behind another TLS proxy needs `absolute_redirect off;`",
        })
    })
}

fn wanted(first: &Hop, expect: Expect<'_>) -> String {
    let mut url = first.url.clone();
    // Both schemes are special and the host stays, so neither call can fail.
    let _ = url.set_scheme("https");
    let _ = url.set_port(expect.goal.port());
    url.into()
}

fn seen(hop: &Hop) -> String {
    match &hop.answer {
        Err(failure) => failure.to_string(),
        Ok(answer) => {
            let locations: Vec<String> = answer
                .header_values("location")
                .map(|raw| format!(" with Location: {}", redacted(raw, Shown::Harmless)))
                .collect();
            format!("{} {}{}", answer.version, answer.status, locations.concat())
        }
    }
}

/// The hops as the JSON report shows them.
fn record(walk: &Walk) -> Value {
    walk.hops
        .iter()
        .map(|hop| {
            let answer = hop.answer.as_ref().ok();
            let location = answer.and_then(|answer| answer.header("location"));
            json!({
                "url": redacted(hop.url.as_str(), Shown::Harmless),
                "status": answer.map(|answer| answer.status),
                "location": location.map(|raw| redacted(raw, Shown::Harmless)),
                "error": hop.answer.as_ref().err().map(ToString::to_string),
            })
        })
        .collect()
}

fn port(url: &Url) -> u16 {
    url.port_or_known_default().unwrap_or_default()
}
