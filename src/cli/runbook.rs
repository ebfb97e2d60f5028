//! `mainstay runbook`: from the command line to the document and back.

use std::{io, path::Path};

use serde_json::json;

use super::{
    Done,
    args::{Cli, RunbookArgs},
    config::Loaded,
    configuration, elapsed, host, settings, warn,
};
use crate::{
    error::Result,
    overview::runbook::{self, Difference},
    report::{Finding, Report},
    system::{Context, file},
};

const COMMAND: &str = "runbook";

/// The id of its finding.
const ID: &str = "runbook.fresh";

/// No document is larger.
const LARGEST: u64 = 16 << 20;

/// Writes the document, or compares it.
pub(super) async fn run(args: &RunbookArgs, cli: &Cli, context: &Context) -> Result<Done> {
    let started = context.clock.now();
    let loaded = configuration(cli, context)?;
    warn(Some(&loaded));
    let settings = settings::runbook_settings(&loaded, context)?;
    let mut report = Report::new(COMMAND, host(), started);
    if let Some(path) = &args.check {
        let wanted = runbook::write(&settings, None);
        let (finding, difference) = compare(path, &wanted, &mend(path, cli), context);
        report.text = difference.as_ref().map(|difference| difference.shown.join("\n") + "\n");
        report.findings.push(finding);
        report.took = elapsed(started, context);
        return Ok(Done::Report(Box::new(report)));
    }
    let found = match args.live {
        true => Some(runbook::look(&live(&loaded, context)?, context).await),
        false => None,
    };
    let text = runbook::write(&settings, found.as_ref());
    report.result = Some(json!({ "markdown": text }));
    report.took = elapsed(started, context);
    Ok(Done::Data { text, report: Box::new(report) })
}

fn live(loaded: &Loaded, context: &Context) -> Result<runbook::Live> {
    let model = &loaded.model;
    let backups = (!model.backups.is_empty()).then(|| settings::backup_settings(loaded, &[], context)).transpose()?;
    let certificates =
        (!model.certificates.is_empty()).then(|| settings::renew_cert_settings(loaded, &[], context)).transpose()?;
    let state = crate::system::state::State::find(context, model.state.as_deref())?;
    Ok(runbook::Live { host: host(), project: model.project.clone(), state, backups, certificates })
}

/// The command that writes the document anew.
fn mend(path: &Path, cli: &Cli) -> String {
    let quoted = |path: &Path| shell_words::quote(&path.to_string_lossy()).into_owned();
    let config = cli.global.config.iter().map(|config| format!("--config {} ", quoted(config)));
    format!("mainstay {}runbook > {}", config.collect::<String>(), quoted(path))
}

/// The verdict on a committed document, and where it differs.
fn compare(path: &Path, wanted: &str, mend: &str, context: &Context) -> (Finding, Option<Difference>) {
    let subject = path.display().to_string();
    let fix = format!("run `{mend}` and commit it");
    let committed = match file::read(&context.folder.join(path), LARGEST) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let finding = Finding::fail(ID, subject, "there is no such document").fix(fix);
            return (finding.data("reason", "absent"), None);
        }
        Err(error) => {
            let finding = Finding::unknown(ID, subject, format!("could not read it: {}", file::why(&error)));
            return (finding.fix("name the committed document, and see that it can be read"), None);
        }
    };
    match runbook::compare(&committed, wanted) {
        None => (Finding::pass(ID, subject, "it is what follows from the configuration"), None),
        Some(difference) => {
            let lines = match difference.lines {
                1 => "1 line differs".to_owned(),
                count => format!("{count} lines differ"),
            };
            let finding = Finding::fail(ID, subject, format!("it is out of date: {lines}"))
                .expected("what `mainstay runbook` writes")
                .fix(fix)
                .data("reason", "differs")
                .data("lines", difference.lines)
                .data("difference", difference.shown.clone());
            (finding, Some(difference))
        }
    }
}
