//! `nginx.headers`: what the application receives, header by header.

use serde_json::{Map, Value as Json, json};

use crate::report::{Finding, Status};

use super::{
    super::{
        answer::{Answer, Dropped, Ending, Header, Public, Value},
        tree::Place,
        variables::{Part, parts},
    },
    Expected, HEADERS, NOT_PROXIED, answering, facts, place,
};

/// Whether every expected header reaches the application with its value: one finding that names all that do not.
pub fn judge_headers(subject: &str, answer: &Answer, expected: &Expected) -> Vec<Finding> {
    let (block, _) = answering(answer);
    if let Some(finding) = not_over_http(subject, answer) {
        return vec![facts(finding, answer)];
    }
    let verdicts: Vec<Verdict> =
        expected.headers.iter().filter_map(|(name, template)| judge_one(name, template, answer, expected)).collect();
    let wanted = expected.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("; ");
    let status = verdicts.iter().map(|verdict| verdict.status).max().unwrap_or(Status::Pass);
    let wrong: Vec<&Verdict> = verdicts.iter().filter(|verdict| verdict.status > Status::Pass).collect();
    let mut finding = if expected.headers.is_empty() {
        Finding::skip(HEADERS, subject, "no header is expected")
    } else if let Some(worst) = wrong.iter().max_by_key(|verdict| verdict.status) {
        let said = together(&wrong);
        let mut causes: Vec<String> = wrong.iter().map(|verdict| verdict.cause.clone()).collect();
        causes.dedup();
        let passed_over: Vec<String> =
            wrong.iter().filter_map(|verdict| Some(dropped(&verdict.name, answer)?.at.to_string())).collect();
        if !passed_over.is_empty() {
            causes.push(format!("what is set at {} does not count there", passed_over.join(", ")));
        }
        let finding = Finding::new(HEADERS, subject, status, format!("in the configuration file, {}", said.join(", ")))
            .cause(causes.join("; "))
            .fix(fix(answer, &wrong))
            .data("reason", worst.reason)
            .data("wrong", wrong.iter().map(|verdict| Json::from(verdict.name.as_str())).collect::<Vec<_>>());
        place(finding, Some(&worst.at))
    } else {
        let names = expected.headers.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let finding = Finding::pass(HEADERS, subject, format!("in the configuration file, {block} sends {names}"));
        place(finding, headers_at(answer).as_ref())
    };
    let observed: Vec<String> = sent_first(answer)
        .map(|header| format!("{}: {} ({}, {})", header.name, header.value, header.at, header.reason))
        .collect();
    finding = finding.expected(wanted).observed(observed.join("; "));
    let passed = verdicts
        .iter()
        .filter(|verdict| verdict.status == Status::Pass)
        .map(|verdict| format!("{} {}", verdict.name, verdict.said));
    let mut finding = facts(finding, answer).data("headers", received(answer));
    if let Some(Json::Array(notes)) = finding.data.get_mut("notes") {
        notes.extend(passed.map(Json::from));
    }
    vec![finding]
}

/// What is to be said about one header; a status of pass is a note.
struct Verdict {
    /// The header as the operator wrote it.
    name: String,
    status: Status,
    reason: &'static str,
    /// What fits behind its name.
    said: String,
    cause: String,
    at: Place,
    /// The line that would be right.
    line: String,
    /// Whether the line replaces the one at `at`.
    replaces: bool,
}

/// The header as an outer level sets it and an inner one loses it.
fn dropped<'a>(name: &str, answer: &'a Answer) -> Option<&'a Dropped> {
    let set = answer.headers.iter().any(|header| header.name.eq_ignore_ascii_case(name));
    answer.dropped.iter().find(|dropped| !set && dropped.name.eq_ignore_ascii_case(name))
}

/// What is wrong, headers that share a fault together: "A and B are dropped, C is removed".
fn together(wrong: &[&Verdict]) -> Vec<String> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for verdict in wrong {
        match groups.iter_mut().find(|(said, _)| *said == verdict.said) {
            Some((_, names)) => names.push(&verdict.name),
            None => groups.push((&verdict.said, vec![&verdict.name])),
        }
    }
    let sentence = |(said, names): (&str, Vec<&str>)| match names.as_slice() {
        [first @ .., last] if !first.is_empty() => {
            let said = said.replacen("is ", "are ", 1).replace("own value passes", "own values pass");
            format!("{} and {last} {said}", first.join(", "))
        }
        names => format!("{} {said}", names.concat()),
    };
    groups.into_iter().map(sentence).collect()
}

fn judge_one(name: &str, template: &str, answer: &Answer, expected: &Expected) -> Option<Verdict> {
    let (block, block_at) = answering(answer);
    let wanted = wanted(template, &expected.public);
    let set: Vec<&Header> = answer.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name)).collect();
    let sent: Vec<&&Header> = set.iter().filter(|header| header.meaning != Value::Known(String::new())).collect();
    let verdict = |status, reason, said: String, cause: String, at: &Place| Verdict {
        name: name.to_owned(),
        status,
        reason,
        said,
        cause,
        at: at.clone(),
        line: format!("proxy_set_header {name} {template};"),
        replaces: !matches!(reason, "dropped" | "missing"),
    };
    let Some(last) = set.last() else {
        if let Some(passed) = from_front(name, answer)
            && answer.passes_client_headers
        {
            if Some(&passed) == wanted.as_ref() {
                let said = format!("comes unchanged from the proxy in front (`{passed}`)");
                return Some(verdict(Status::Pass, "front", said, String::new(), block_at));
            }
            let said = format!("comes from the proxy in front as `{passed}`");
            return Some(verdict(Status::Fail, "missing", said, "nginx does not set it".to_owned(), block_at));
        }
        let passes = if answer.passes_client_headers { ", so the client's own value passes" } else { "" };
        if let Some(dropped) = dropped(name, answer) {
            let (block, by) = (&dropped.block, &dropped.by);
            let cause = format!("not inherited: {block} has proxy_set_header of its own ({by})");
            let said = format!("is dropped{passes}");
            return Some(verdict(Status::Fail, "dropped", said, cause, &dropped.by));
        }
        let cause = format!("no proxy_set_header for it applies to {block} ({block_at})");
        return Some(verdict(Status::Fail, "missing", format!("is not set{passes}"), cause, block_at));
    };
    let [header] = sent[..] else {
        if sent.is_empty() {
            let cause = format!("an empty value removes the header ({})", last.at);
            return Some(verdict(Status::Fail, "removed", "is removed".to_owned(), cause, &last.at));
        }
        let places = sent.iter().map(|header| header.at.to_string()).collect::<Vec<_>>().join(" and ");
        let cause = format!("nginx sends every proxy_set_header of a level, also of the same name ({places})");
        let said = format!("is sent {} times, which gunicorn refuses with 400", sent.len());
        return Some(verdict(Status::Fail, "twice", said, cause, &last.at));
    };
    let same_text = parts(template) == parts(&header.value);
    let at = &header.at;
    match &header.meaning {
        Value::Client(_) | Value::Open(_) if same_text => None,
        Value::Client(through) => {
            let cause = format!("its value is `{}`, which the client chooses through `{through}` ({at})", header.value);
            Some(verdict(Status::Fail, "client", "is what the client claims".to_owned(), cause, at))
        }
        Value::Open(_) if wanted.is_none() && is_builtin(&header.value) => {
            let cause = format!("it is set so ({at})");
            Some(verdict(Status::Fail, "wrong", format!("is `{}`", header.value), cause, at))
        }
        Value::Open(why) => {
            let cause = format!("`{}` depends on {why} ({at})", header.value);
            Some(verdict(
                Status::Unknown,
                "undecided",
                format!("is `{}`, which cannot be told", header.value),
                cause,
                at,
            ))
        }
        Value::Known(value) => match &wanted {
            Some(wanted) if wanted == value => raw_host(template, &header.value).then(|| {
                verdict(
                    Status::Pass,
                    "raw-host",
                    "is the Host header as the client wrote it".to_owned(),
                    String::new(),
                    at,
                )
            }),
            Some(wanted) if raw_host(template, &header.value) => {
                let cause = format!("`$http_host` keeps the client's case and port, `$host` does not ({at})");
                Some(verdict(Status::Warn, "raw-host", format!("is `{value}` instead of `{wanted}`"), cause, at))
            }
            Some(wanted) if same_text && parts(template) == [Part::Variable("server_port")] => {
                // It is what the operator asked for; only an application that builds addresses from it is misled.
                let said = format!("is the port inside ({value}), visitors use {wanted}");
                Some(verdict(Status::Pass, "inner-port", said, String::new(), at))
            }
            Some(wanted) => {
                let said = format!("is `{value}` instead of `{wanted}`");
                Some(verdict(Status::Fail, "wrong", said, why_wrong(header, answer, expected), at))
            }
            None if same_text => None,
            None => Some(verdict(Status::Fail, "wrong", format!("is `{value}`"), format!("it is set so ({at})"), at)),
        },
    }
}

/// What the expected value amounts to for a visitor; `None` when it depends on more than the address.
fn wanted(template: &str, public: &Public) -> Option<String> {
    let mut text = String::new();
    for part in parts(template) {
        match part {
            Part::Text(literal) => text.push_str(literal),
            Part::Variable("scheme") => text.push_str(&public.scheme),
            Part::Variable("host") => text.push_str(&public.host.to_ascii_lowercase()),
            Part::Variable("server_port") => text.push_str(&public.port.to_string()),
            Part::Variable("http_host") => {
                text.push_str(&public.host);
                if !matches!((public.scheme.as_str(), public.port), ("https", 443) | ("http", 80)) {
                    text.push_str(&format!(":{}", public.port));
                }
            }
            Part::Variable(_) => return None,
        }
    }
    Some(text)
}

fn why_wrong(header: &Header, answer: &Answer, expected: &Expected) -> String {
    let at = &header.at;
    let uses = |wanted: &str| parts(&header.value).contains(&Part::Variable(wanted));
    if uses("server_port") {
        let (own, public) = (answer.question.port, expected.public.port);
        return format!(
            "`$server_port` is the port that nginx listens on ({own}), not the published one ({public}) ({at})"
        );
    }
    if uses("scheme") && !answer.question.tls {
        return format!("`$scheme` is `http` here: TLS ends in front of this server ({at})");
    }
    format!("it is set so ({at})")
}

/// The header as a trusted proxy in front sends it.
fn from_front(name: &str, answer: &Answer) -> Option<String> {
    let front = answer.question.front.as_ref()?;
    match name.to_ascii_lowercase().as_str() {
        "x-forwarded-proto" => Some(front.scheme.clone()),
        "x-forwarded-host" => Some(front.host.clone()),
        "x-forwarded-port" => Some(front.port.to_string()),
        _ => None,
    }
}

fn raw_host(template: &str, value: &str) -> bool {
    parts(template) == [Part::Variable("host")] && parts(value) == [Part::Variable("http_host")]
}

/// Variables of nginx itself whose value another variable never has.
fn is_builtin(value: &str) -> bool {
    let known = ["proxy_add_x_forwarded_for", "realip_remote_addr", "remote_addr", "remote_port", "request_id"];
    parts(value)
        .iter()
        .all(|part| matches!(part, Part::Text(_)) || matches!(part, Part::Variable(name) if known.contains(name)))
}

fn not_over_http(subject: &str, answer: &Answer) -> Option<Finding> {
    let (block, at) = answering(answer);
    let finding = match &answer.ending {
        Ending::Proxied(_) => return None,
        Ending::Other { directive, at } => {
            let summary =
                format!("in the configuration file, {block} uses {directive}, whose parameters are not judged");
            place(Finding::unknown(HEADERS, subject, summary).data("reason", "other-protocol"), Some(at))
        }
        Ending::Returned { code, why } => {
            let summary =
                format!("in the configuration file, no header reaches an application: nginx answers with {code}");
            place(Finding::fail(HEADERS, subject, summary).cause(why.clone()).data("reason", "not-proxied"), Some(at))
        }
        Ending::Static => {
            let summary = format!("in the configuration file, no header reaches an application: {block} serves files");
            let cause = format!("{block} has no proxy_pass ({at})");
            place(Finding::fail(HEADERS, subject, summary).cause(cause).data("reason", "not-proxied"), Some(at))
        }
    };
    Some(finding.fix(NOT_PROXIED).data("headers", Map::new()))
}

/// The lines to write, and where.
fn fix(answer: &Answer, wrong: &[&Verdict]) -> String {
    let mut fixes = Vec::new();
    for verdict in wrong.iter().filter(|verdict| verdict.replaces) {
        fixes.push(format!("replace {} by:\n{}", verdict.at, verdict.line));
    }
    let added: Vec<&str> =
        wrong.iter().filter(|verdict| !verdict.replaces).map(|verdict| verdict.line.as_str()).collect();
    if !added.is_empty() {
        let (place, at) = match headers_at(answer) {
            Some(at) => ("beside the proxy_set_header", at),
            None => ("to the server", answer.server.at.clone()),
        };
        fixes.push(format!("add {place} at {at}:\n{}", added.join("\n")));
    }
    fixes.join("\n")
}

/// The first header line that applies.
fn headers_at(answer: &Answer) -> Option<Place> {
    sent_first(answer).next().map(|header| header.at.clone())
}

/// The headers that somebody wrote, without nginx's defaults.
fn sent_first(answer: &Answer) -> impl Iterator<Item = &Header> {
    answer.headers.iter().filter(|header| header.reason != "nginx's default")
}

/// `headers` of the public contract: by name, the last value that is sent, and all of them with their places.
fn received(answer: &Answer) -> Json {
    let mut received: Map<String, Json> = Map::new();
    for header in &answer.headers {
        let known = received.keys().find(|name| name.eq_ignore_ascii_case(&header.name)).cloned();
        let entry = received
            .entry(known.unwrap_or_else(|| header.name.clone()))
            .or_insert_with(|| json!({"value": "", "at": "", "values": []}));
        if let Some(Json::Array(values)) = entry.get_mut("values") {
            values.push(json!({"value": header.value, "at": header.at.to_string()}));
        }
        // A removed header says nothing when another line of the same name is sent.
        if header.meaning != Value::Known(String::new()) || entry["at"] == "" {
            entry["value"] = json!(header.value);
            entry["at"] = json!(header.at.to_string());
        }
    }
    Json::Object(received)
}
