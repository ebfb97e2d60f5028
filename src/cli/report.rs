//! `mainstay report`: settings in, everything at a glance out.

use jiff::Timestamp;

use super::{
    Done,
    args::{Cli, ReportArgs},
    config::Loaded,
    configuration, elapsed, host,
    render::{View, glance as terminal},
    settings::glance_settings,
    warn,
};
use crate::{
    error::Result,
    overview::{
        glance,
        history::{Filter, Listing, look},
        page,
    },
    report::Report,
    system::{
        Context,
        state::{self, Mode, State},
    },
};

/// Looks, writes the page where one is asked for, and leaves the text.
pub(super) async fn run(args: &ReportArgs, cli: &Cli, view: &View, context: &Context) -> Result<Done> {
    let started = context.clock.now();
    let loaded = configuration(cli, context)?;
    warn(Some(&loaded));
    let settings = glance_settings(&loaded, context)?;
    let runs = runs(&loaded, started, context).map_err(|error| error.to_string());
    let (glance, findings) = glance::look(&settings, runs, context).await;
    let mut report = Report::new("report", host(), started);
    report.findings = findings;
    report.result = serde_json::to_value(&glance).ok();
    report.took = elapsed(started, context);
    if let Some(file) = &args.html {
        state::write_through(&context.folder.join(file), page::page(&glance).as_bytes(), Mode::Ordinary)?;
    }
    Ok(Done::Data { text: terminal::text(&glance, view), report: Box::new(report) })
}

/// The runs of the days that are drawn.
fn runs(loaded: &Loaded, now: Timestamp, context: &Context) -> Result<Listing> {
    let history = State::find(context, loaded.model.state.as_deref())?.history();
    look(&history, &Filter::of_project(&loaded.model.project, now))
}
