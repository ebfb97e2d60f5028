//! For programs: schema 1, described in `docs/report.md` and `docs/report.schema.json`.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use super::{Render, View, text};
use crate::{
    error::Error,
    report::{Counts, Finding, Outcome, Report, SCHEMA, Status},
};

/// `--format json`.
pub(super) struct Json;

impl Render for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn title(&self) -> &'static str {
        "for programs: schema 1, errors too"
    }

    fn report(&self, report: &Report, _view: &View) -> String {
        document(&Document {
            schema: SCHEMA,
            tool: TOOL,
            command: &report.command,
            host: &report.host,
            started: report.started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            seconds: (report.took.as_secs_f64() * 1e6).round() / 1e6,
            status: report.status(),
            counts: report.counts(),
            findings: &report.findings,
            plan: report.plan.as_ref(),
            outcomes: &report.outcomes,
            result: report.result.as_ref(),
        })
    }

    fn error(&self, error: &Error, _view: &View) -> String {
        document(&Envelope { schema: SCHEMA, error })
    }
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

const TOOL: Tool = Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };

/// The keys of the contract, in its order.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    tool: Tool,
    command: &'a str,
    host: &'a str,
    started: String,
    seconds: f64,
    status: Status,
    counts: Counts,
    findings: &'a [Finding],
    plan: Option<&'a Value>,
    outcomes: &'a [Outcome],
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a Value>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    schema: u32,
    error: &'a Error,
}

/// One document, indented, ASCII where a character could mislead. The escapes are JSON's own, so that a program reads
/// back exactly what was there.
fn document(value: &impl Serialize) -> String {
    let plain = serde_json::to_string_pretty(value).unwrap_or_else(|error| {
        // Maps with text keys and finite numbers always serialise; if that ever changes, say so in the same envelope.
        let why = Value::from(error.to_string());
        format!(
            r#"{{"schema":{SCHEMA},"error":{{"kind":"failed","what":"write the report","why":[{why}],"hints":[]}}}}"#
        )
    });
    let mut safe = String::with_capacity(plain.len() + 1);
    for c in plain.chars() {
        // A line end can only be one of ours: serde_json has escaped those inside texts.
        if c != '\n' && text::is_dangerous(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
    }
    safe.push('\n');
    safe
}

#[cfg(test)]
mod tests {
    use super::{
        super::{render, render_error, sample, schema},
        *,
    };
    use crate::cli::render::Format;

    fn json() -> Format {
        "json".parse().unwrap()
    }

    #[test]
    fn snapshots() {
        let mut report = sample::report();
        report.result = Some(serde_json::json!({ "runs": [] }));
        sample::snapshot("json_report", &render(json(), &report, &sample::view()));
        sample::snapshot("json_changes", &render(json(), &sample::changes(), &sample::view()));
        sample::snapshot("json_error", &render_error(json(), &sample::error(), &sample::view()));
    }

    #[test]
    fn every_document_obeys_the_published_schema() {
        let mut report = sample::report();
        report.result = Some(serde_json::json!({ "runs": [] }));
        for report in [report, sample::changes(), Report::new("check", "web-1", sample::now())] {
            schema::assert_valid(&serde_json::from_str(&render(json(), &report, &sample::view())).unwrap());
        }
        schema::assert_valid(&serde_json::from_str(&render_error(json(), &sample::error(), &sample::view())).unwrap());
    }

    #[test]
    fn a_program_reads_back_what_was_there() {
        let text = "\u{1b}[31m \u{202e} \u{7f} \u{9b} \u{e0041} 漢字 \" \\";
        let mut report = Report::new("check", "web-1", sample::now());
        report.findings.push(Finding::fail("tls.name", "prime", text));
        let document = render(json(), &report, &sample::view());
        assert!(document.chars().all(|c| c == '\n' || !text::is_dangerous(c)), "{document:?}");
        let value: Value = serde_json::from_str(&document).unwrap();
        assert_eq!(value["findings"][0]["summary"], text);
    }

    #[test]
    fn the_keys_come_in_the_order_of_the_contract() {
        let document = render(json(), &sample::report(), &sample::view());
        let value: serde_json::Map<String, Value> = serde_json::from_str(&document).unwrap();
        let keys: Vec<_> = value.keys().map(String::as_str).collect();
        let contract = "schema tool command host started seconds status counts findings plan outcomes";
        assert_eq!(keys, contract.split(' ').collect::<Vec<_>>());
        let finding: Vec<_> = value["findings"][0].as_object().unwrap().keys().map(String::as_str).collect();
        let contract = "id subject status summary expected observed cause fix by_hand data seconds";
        assert_eq!(finding, contract.split(' ').collect::<Vec<_>>());
    }
}
