//! What every run that changes or judges something leaves: a record in the history, and a message to those who are told.

use jiff::Timestamp;

use super::{
    args::{Cli, Effect, Kept},
    config,
    console::Console,
    elapsed, host,
    notify::{self, Delivery, Notifier},
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
    notifier: Option<Notifier>,
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
        let setting = loaded.as_ref().and_then(|loaded| loaded.model.state.clone());
        let state = State::find(context, setting.as_deref()).ok()?;
        // Without a memory nothing is ever known to be told, and a look with somebody else's configuration is no run of theirs.
        let notifies = loaded.as_ref().filter(|_| state.history().is_ours());
        Some(Self {
            kept,
            effect: cli.command.effect(),
            command: cli.command.name(),
            started: context.clock.now(),
            project: loaded.as_ref().map(|loaded| loaded.model.project.clone()),
            redact: loaded.as_ref().map(|loaded| config::secrets(loaded, context)).unwrap_or_default(),
            knows,
            watched: console.stderr,
            notifier: notifies.map(|loaded| Notifier::begin(loaded, kept, context)),
            state,
        })
    }

    /// Writes down how it ended and tells people. What goes wrong here is a warning, and no reason for the job to fail.
    pub(super) async fn end(mut self, ended: &Result<&Report, &Error>, exit: u8, context: &Context) {
        // What a command printed is known only by who has used it.
        self.redact = self.redact.and(context.secrets.texts());
        let mut run = match ended {
            Ok(report) => Run::of_report(self.facts(exit, context), report, &self.redact),
            Err(error) => Run::of_error(self.facts(exit, context), error, &self.redact),
        };
        if !self.is_worth_it(&run) {
            return;
        }
        self.append(&mut run).await;
        let Some(notifier) = self.notifier.take() else { return };
        let times = context.cancel.state().times;
        // Who stopped it with the keyboard knows already.
        let silent = self.watched && context.cancel.state().signal == Some(2);
        let told = tokio::select! {
            biased;
            () = context.cancel.raised(times + 1) => return,
            told = notifier.end(&run, silent, &self.state, context) => told,
        };
        self.redact = self.redact.and(context.secrets.texts());
        self.account(&told, context).await;
    }

    fn facts(&self, exit: u8, context: &Context) -> Facts {
        Facts {
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
        }
    }

    async fn append(&self, run: &mut Run) {
        let flush = if self.effect == Effect::Looks { Flush::News } else { Flush::Always };
        match self.state.history().append(run, flush).await {
            Ok(()) => {}
            Err(Unwritten::NotOurs) => {
                tracing::debug!("no record of this run: the state folder belongs to another user");
            }
            Err(Unwritten::Failed(error)) => warn(&error),
        }
    }

    /// Says what did not arrive, and writes it down as a run of its own.
    async fn account(&self, told: &[Delivery], context: &Context) {
        for delivery in told {
            if let Some(why) = &delivery.trouble {
                let error = Error::new(Kind::Failed, format!("tell anybody of this run ({})", delivery.id))
                    .because(self.redact.text(why))
                    .hint("see whether it arrives now: mainstay config check --notify");
                warn(&error);
            }
        }
        if told.is_empty() {
            return;
        }
        let report = notify::report_of(told, self.command, context);
        let facts = Facts {
            job: "notify".to_owned(),
            command: "notify".to_owned(),
            names: vec![self.command.to_owned()],
            partial: true,
            started: report.started,
            ..self.facts(report.exit(), context)
        };
        let mut run = Run::of_report(Facts { seconds: 0.0, ..facts }, &report, &self.redact);
        // A history that cannot be written has been told of with the run itself.
        let _ = self.state.history().append(&mut run, Flush::News).await;
    }

    /// A slip of a person is no run, but a timer with a wrong command line is one that fails. Where nothing could begin, or
    /// the configuration cannot be read and so does not say where its records are, only a folder that is there already gets
    /// one.
    fn is_worth_it(&self, run: &Run) -> bool {
        match &run.error {
            Some(error) if error.kind == Kind::Usage && self.watched => false,
            Some(error) if matches!(error.kind, Kind::Config | Kind::Usage) || !self.knows => {
                self.state.folder().is_dir()
            }
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
