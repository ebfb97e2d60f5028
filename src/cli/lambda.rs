//! The same binary as the function of AWS Lambda: started by its runtime, it applies schedules for each event.

use std::{ffi::OsString, sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{config, host, render, settings};
use crate::{
    error::{Error, Kind, Result},
    report::{Report, Status},
    schedule::{Settings, apply},
    system::{
        Context,
        lambda::{Invocation, Runtime},
        state::{self, Mode},
        zone::Zones,
    },
};

/// The configuration in an environment variable of the function, whole; without it, the package's own file counts.
const TEXT: &str = "MAINSTAY_CONFIG_TEXT";

/// What is left of the time when waiting ends, so that the answer can still be given.
const RESERVE: Duration = Duration::from_secs(10);

/// Serves events until the runtime ends the process.
pub(super) async fn serve(runtime: &Runtime, context: &Context) -> Result<()> {
    let context = at_home(context);
    loop {
        let invocation = runtime.next().await?;
        match one(&invocation, &context).await {
            Ok(report) => {
                let view = render::View::plain(report.command.clone(), context.clock.now());
                let text = render::render(json_format(), &report, &view);
                // To the function's log.
                anstream::print!("{text}");
                let answer: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
                match report.status() {
                    // What failed, or could not be seen, is tried again and counted by Lambda.
                    Status::Fail | Status::Unknown => {
                        runtime.fail(&invocation, report.status().word(), &headline(&report)).await?
                    }
                    Status::Pass | Status::Skip | Status::Warn => runtime.respond(&invocation, answer).await?,
                }
            }
            Err(error) => {
                anstream::eprintln!("{error}");
                runtime.fail(&invocation, "error", &error.to_string()).await?;
            }
        }
    }
}

/// Where a function may write: `/tmp` alone, and nothing relies on what was left there.
fn at_home(context: &Context) -> Context {
    let mut environment = (*context.environment).clone();
    environment.entry(OsString::from("MAINSTAY_STATE")).or_insert_with(|| "/tmp/mainstay".into());
    Context { environment: Arc::new(environment), ..context.clone() }
}

/// One event: `{"schedules": ["office-hours"], "dry_run": false}`; without names all schedules.
async fn one(invocation: &Invocation, context: &Context) -> Result<Report> {
    let started = context.clock.now();
    let mut report = Report::new("schedule apply", host(), started);
    let mut settings = settings_of(&invocation.event, context)?;
    if let Some(deadline) = invocation.deadline {
        let left = Duration::try_from(deadline.duration_since(started)).unwrap_or_default();
        settings.patience.limit = settings.patience.limit.min(left.saturating_sub(RESERVE));
    }
    let dry_run = invocation.event["dry_run"].as_bool().unwrap_or(false);
    apply(&settings, dry_run, &mut report, context).await?;
    report.took = super::elapsed(started, context);
    report.result = Some(json!({ "request": invocation.id }));
    Ok(report)
}

fn settings_of(event: &Value, context: &Context) -> Result<Settings> {
    let names: Vec<String> = match &event["schedules"] {
        Value::Array(names) => names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    let path = match context.variable(TEXT) {
        Some(text) => {
            let path = state::State::find(context, None)?.room("lambda")?.join("mainstay.toml");
            state::write(&path, text.as_bytes(), Mode::Exactly(0o600))?;
            path
        }
        None => match context.variable("MAINSTAY_CONFIG") {
            Some(path) => context.folder.join(path),
            None => context.folder.join(context.variable("LAMBDA_TASK_ROOT").unwrap_or(".")).join("mainstay.toml"),
        },
    };
    let loaded = config::load(Some(&path), context)?.ok_or_else(|| {
        Error::new(Kind::Config, "find a configuration")
            .hint("put mainstay.toml into the package (`mainstay schedule deploy --package FILE.zip`)")
    })?;
    let mut settings = settings::fleet_settings(&loaded, &names, &Zones::newest(context), context)?;
    settings.command = "schedule apply".to_owned();
    Ok(settings)
}

/// The worst of a report in a line.
fn headline(report: &Report) -> String {
    let findings = report.findings.iter().filter(|finding| matches!(finding.status, Status::Fail | Status::Unknown));
    let findings = findings.map(|finding| format!("{}: {}", finding.subject, finding.summary));
    let outcomes = report.outcomes.iter().filter(|outcome| outcome.state == crate::report::State::Failed);
    let outcomes = outcomes.map(|outcome| format!("{} {}: {}", outcome.action, outcome.target, outcome.detail));
    findings.chain(outcomes).collect::<Vec<_>>().join("; ")
}

fn json_format() -> render::Format {
    render::REGISTRY.iter().copied().find(|format| format.name() == "json").unwrap_or_default()
}
