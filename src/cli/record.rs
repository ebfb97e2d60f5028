//! What every run that changes or judges something leaves in the history.

use std::path::PathBuf;

use jiff::Timestamp;

use super::{
    args::{Cli, Effect, Kept},
    config,
    console::Console,
    elapsed, host,
    render::visible,
};
use crate::{
    error::{Error, Kind, Result},
    report::Report,
    rules::{
        history::{Facts, Run},
        redact::Redact,
    },
    system::{
        Context,
        state::{Flush, State, Unwritten},
        user,
    },
};

/// A run that will be written down.
pub(super) struct Recorder<'a> {
    kept: Kept<'a>,
    effect: Effect,
    command: &'static str,
    started: Timestamp,
    state: State,
    project: Option<String>,
    redact: Redact,
    /// Whether the configuration could be read.
    knows: bool,
    /// Whether a person sees what goes wrong.
    watched: bool,
}

impl<'a> Recorder<'a> {
    /// Gets ready before the run begins; `None` where it leaves no record.
    pub(super) fn begin(cli: &'a Cli, console: &Console, context: &Context) -> Option<Self> {
        let kept = cli.command.kept()?;
        let loaded = match kept.elsewhere {
            true => Ok(None),
            false => config::load(cli.global.config.as_deref(), context),
        };
        let knows = loaded.is_ok();
        let loaded = loaded.ok().flatten();
        let setting: Option<PathBuf> = loaded.as_ref().and_then(|loaded| loaded.model.state.clone());
        Some(Self {
            kept,
            effect: cli.command.effect(),
            command: cli.command.name(),
            started: context.clock.now(),
            state: State::find(context, setting.as_deref()).ok()?,
            project: loaded.as_ref().map(|loaded| loaded.model.project.clone()),
            redact: loaded.as_ref().map(|loaded| config::secrets(loaded, context)).unwrap_or_default(),
            knows,
            watched: console.stderr,
        })
    }

    /// Writes down how it ended. A record that cannot be written is a warning, and no reason for the job to fail.
    pub(super) async fn end(self, ended: &Result<&Report, &Error>, exit: u8, context: &Context) {
        let facts = Facts {
            started: self.started,
            seconds: elapsed(self.started, context).as_secs_f64(),
            host: host(),
            user: user::name(),
            sudo: context.variable("SUDO_USER").map(str::to_owned),
            project: self.project.clone(),
            job: self.kept.job.to_owned(),
            command: self.command.to_owned(),
            names: self.kept.names.to_vec(),
            partial: self.kept.partial,
            otherwise: self.kept.otherwise,
            exit,
        };
        let mut run = match ended {
            Ok(report) => Run::of_report(facts, report, &self.redact),
            Err(error) => Run::of_error(facts, error, &self.redact),
        };
        if !self.is_worth_it(&run) {
            return;
        }
        let flush = if self.effect == Effect::Looks { Flush::News } else { Flush::Always };
        match self.state.history().append(&mut run, flush).await {
            Ok(()) => {}
            Err(Unwritten::NotOurs) => {
                tracing::debug!("no record of this run: the state folder belongs to another user");
            }
            Err(Unwritten::Failed(error)) => warn(&error),
        }
    }

    /// A slip of a person is no run, but a timer with a wrong command line is one that fails; and where the configuration cannot be read nobody says where its records are:
    /// then only a folder that is there already gets one.
    fn is_worth_it(&self, run: &Run) -> bool {
        match &run.error {
            Some(error) if error.kind == Kind::Usage && self.watched => false,
            Some(error) if error.kind == Kind::Config || !self.knows => self.state.folder().is_dir(),
            _ => true,
        }
    }
}

fn warn(error: &Error) {
    anstream::eprintln!("warning: {}", visible(&error.to_string()));
    for hint in &error.hints {
        anstream::eprintln!("hint: {}", visible(hint));
    }
}
