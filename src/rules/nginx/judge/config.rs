//! `nginx.config`: the way to the application, and the settings of the proxy.

use crate::report::Finding;

use super::{
    super::answer::{Answer, Ending, Setting, Value},
    CONFIG, Expected, NOT_PROXIED, answering, facts, place,
};

/// Whether the request reaches an application, and with the expected `proxy_http_version` and `proxy_redirect`.
///
/// One finding for each thing that is wrong; one that passes when nothing is.
pub fn judge_config(subject: &str, answer: &Answer, expected: &Expected) -> Vec<Finding> {
    let (block, at) = answering(answer);
    let upstream = match &answer.ending {
        Ending::Proxied(upstream) => upstream,
        ending => return vec![not_proxied(subject, answer, ending)],
    };
    let mut findings = Vec::new();
    if let Some(failure) = &upstream.failure {
        let finding = Finding::fail(
            CONFIG,
            subject,
            format!("in the configuration file, every request to {block} fails while nginx runs (502)"),
        )
        .expected("an application that nginx can reach")
        .observed(format!("proxy_pass {}; ({})", upstream.written, upstream.at))
        .cause(failure.clone())
        .fix("name an upstream block, or add a `resolver` (in Docker: `resolver 127.0.0.11;`)")
        .data("reason", "run-time-502");
        findings.push(place(facts(finding, answer), Some(&upstream.at)));
    } else if let (Value::Client(why) | Value::Open(why), false) = (&upstream.target, upstream.resolver) {
        let finding =
            Finding::unknown(CONFIG, subject, format!("the configuration file does not tell where {block} proxies to"))
                .observed(format!("proxy_pass {}; ({})", upstream.written, upstream.at))
                .cause(format!("it depends on {why}, and there is no resolver"))
                .fix("name an upstream block, or add a `resolver` (in Docker: `resolver 127.0.0.11;`)")
                .data("reason", "undecided");
        findings.push(place(facts(finding, answer), Some(&upstream.at)));
    }
    let modern = expected.version.is_some_and(|version| version >= HTTP_1_1_BY_DEFAULT);
    let mut http_version = answer.http_version.clone();
    if http_version.at.is_none() && modern {
        "1.1".clone_into(&mut http_version.value);
    }
    let settings = [
        ("proxy_http_version", &expected.http_version, &http_version, "http-version"),
        ("proxy_redirect", &expected.redirect, &answer.redirect, "redirect"),
    ];
    for (name, wanted, found, reason) in settings {
        let Some(wanted) = wanted.as_ref().filter(|wanted| **wanted != found.value) else { continue };
        let summary = format!("in the configuration file, {name} is {} for {block}", found.value);
        let finding = Finding::fail(CONFIG, subject, summary)
            .expected(format!("{name} {wanted};"))
            .observed(shown(name, found))
            .cause(match &found.at {
                Some(place) => format!("it is set so ({place})"),
                None => "no level sets it, so nginx's default applies".to_owned(),
            })
            .fix(match &found.at {
                Some(place) => format!("replace {place} by:\n{name} {wanted};"),
                None => format!("add to {block} ({at}):\n{name} {wanted};"),
            })
            .data("reason", reason);
        findings.push(place(facts(finding, answer), Some(found.at.as_ref().unwrap_or(at))));
    }
    if findings.is_empty() {
        let summary = format!("in the configuration file, {block} proxies to {} ({at})", upstream.written);
        let observed =
            format!("{}; {}", shown("proxy_http_version", &http_version), shown("proxy_redirect", &answer.redirect));
        findings
            .push(place(facts(Finding::pass(CONFIG, subject, summary).observed(observed), answer), Some(&upstream.at)));
    }
    findings
}

/// The change log of nginx 1.29.7: proxying speaks HTTP/1.1 unless told otherwise.
const HTTP_1_1_BY_DEFAULT: (u32, u32, u32) = (1, 29, 7);

fn not_proxied(subject: &str, answer: &Answer, ending: &Ending) -> Finding {
    let (block, at) = answering(answer);
    let expected = "the request is proxied to the application";
    let finding = match ending {
        Ending::Other { directive, at } => Finding::unknown(
            CONFIG,
            subject,
            format!("in the configuration file, {block} hands requests on by {directive}, not over HTTP"),
        )
        .observed(format!("{directive} ({at})"))
        .cause("settings and headers of other protocols than HTTP are not judged")
        .data("reason", "other-protocol"),
        Ending::Returned { code, why } => {
            Finding::fail(CONFIG, subject, format!("in the configuration file, nginx itself answers with {code}"))
                .observed(why.clone())
                .cause(format!("{why} ends the request in {block}"))
                .data("reason", "not-proxied")
        }
        Ending::Proxied(_) | Ending::Static => Finding::fail(
            CONFIG,
            subject,
            format!("in the configuration file, {block} serves files and proxies nothing"),
        )
        .observed(format!("no proxy_pass in {block} ({at})"))
        .cause("proxy_pass is not inherited by nested locations, nor by the server")
        .data("reason", "not-proxied"),
    };
    place(facts(finding.expected(expected).fix(NOT_PROXIED), answer), Some(at))
}

fn shown(name: &str, setting: &Setting) -> String {
    match &setting.at {
        Some(at) => format!("{name} {} ({at})", setting.value),
        None => format!("{name} {} (default)", setting.value),
    }
}
