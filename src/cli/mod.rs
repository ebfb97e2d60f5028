//! The top floor: the only one that knows arguments, environment, files of settings and a terminal.
//!
//! One variant and one arm a command; what a command does lives in its job below.

pub mod args;
mod backup;
pub mod config;
mod confirm;
pub mod console;
pub mod exit;
mod facts;
mod hidden;
mod history;
mod init;
#[cfg(feature = "aws")]
mod lambda;
mod notify;
pub mod output;
mod progress;
mod record;
pub mod reference;
pub mod render;
mod renew_cert;
mod report;
mod runbook;
mod schedule;
pub mod settings;
mod signals;
pub mod style;
mod timers;
mod usage;

use std::{ffi::OsString, io::Write, process::ExitCode, sync::Arc, time::Duration};

use clap::Parser;
use jiff::Timestamp;

use crate::{
    check,
    error::{Error, Kind, Result},
    report::Report,
    rules::podman,
    system::Context,
};
use args::{CheckArgs, Cli, Command, ConfigCommand};
use config::Loaded;
use console::Console;
use output::Output;
use render::{Format, View, render_error};

/// Runs one command line and returns its exit code. The same entry for `main`, the tour and tests with a fixed clock.
///
/// `arguments` begins with the name of the program. The result goes to standard output, everything else to standard
/// error.
pub async fn run(arguments: Vec<OsString>, mut context: Context) -> u8 {
    if let Some(code) = hidden::run(&arguments, &context).await {
        return code;
    }
    let console = Console::real(&context.environment);
    #[cfg(feature = "aws")]
    if arguments.len() < 2
        && let Some(runtime) = crate::system::lambda::Runtime::find(&context)
    {
        // The runtime starts `bootstrap` without arguments, and ends it when it likes.
        return match lambda::serve(&runtime, &context).await {
            Ok(()) => 0,
            Err(error) => show(&error, &[], &View::plain("schedule apply", context.clock.now()), &context),
        };
    }
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage::explain(&error, &arguments, &context),
    };
    log(cli.global.verbose, &console, &context);
    let drawn = console.stderr && !cli.global.no_progress && !cli.global.quiet;
    context.progress = Arc::new(progress::Bar::new(drawn, !cli.global.quiet));
    signals::listen(&context);
    let view = view(&cli, &console, &context);
    let person = View {
        width: console.stderr.then_some(console.columns),
        colour: console::colours(cli.global.color, console.stderr, &context),
        ..view.clone()
    };
    let outputs = match outputs(&cli, &context) {
        Ok(outputs) => outputs,
        Err(error) => {
            return fail(&error, &[Output::fallback(cli.global.format, &cli.global.outputs)], &view, &person, &context);
        }
    };
    let recorder = record::Recorder::begin(&cli, &console, &context);
    let done = tokio::select! {
        biased;
        () = context.cancel.raised(cli.command.patience()) => Err(Error::new(Kind::Interrupted, "finish").because("a signal ended the run")),
        done = dispatch(&cli, &console, &view, &context) => done,
    };
    let code = match done.as_ref().map(|done| deliver(done, &outputs, &view, &context)) {
        Ok(Ok(code)) => code,
        // What is written already stays: the error is for the person only.
        Ok(Err(error)) => show(&error, &outputs, &person, &context),
        Err(error) => fail(error, &outputs, &view, &person, &context),
    };
    if let Some(recorder) = recorder {
        let ended = match &done {
            Ok(Done::Report(report) | Done::Data { report, .. }) => Ok(&**report),
            Ok(Done::Text(_)) => return code,
            Err(error) => Err(error),
        };
        recorder.end(&ended, code, &context).await;
    }
    code
}

/// What a command leaves to be written.
enum Done {
    /// A report, in every format that was asked for.
    Report(Box<Report>),
    /// Data: as text for a person, in the report's `result` for programs.
    Data {
        /// What a person reads.
        text: String,
        /// What programs read.
        report: Box<Report>,
    },
    /// Text that is the result itself, whatever the format: a script, a schema.
    Text(String),
}

async fn dispatch(cli: &Cli, console: &Console, view: &View, context: &Context) -> Result<Done> {
    let mut first = Report::new(cli.command.name(), host(), context.clock.now());
    renew_cert::first(cli, context, &mut first).await;
    let mut done = perform(cli, console, view, context).await?;
    if let Done::Report(report) | Done::Data { report, .. } = &mut done {
        report.findings.splice(0..0, first.findings);
        report.outcomes.splice(0..0, first.outcomes);
        if context.engines.is_podman() {
            podman::translate(report);
        }
    }
    Ok(done)
}

async fn perform(cli: &Cli, console: &Console, view: &View, context: &Context) -> Result<Done> {
    match &cli.command {
        Command::Backup(args) => backup::run(&args.command, cli, console, context).await,
        Command::Check(args) => check(args, cli, context).await,
        Command::Init(args) => init::run(args, cli, context).await,
        Command::RenewCert(args) => renew_cert::run(args, cli, context).await,
        Command::Report(args) => report::run(args, cli, view, context).await,
        Command::Schedule(args) => schedule::run(args, cli, console, context).await,
        Command::Runbook(args) => runbook::run(args, cli, context).await,
        Command::Timers(args) => timers::run(args, cli, context).await,
        Command::History(args) => history::run(args, cli, view, context),
        Command::Config(args) => configure(args.command, cli, context).await,
        Command::Completions { shell } => {
            Ok(Done::Text(String::from_utf8_lossy(&reference::completions(*shell)).into_owned()))
        }
        Command::Man { dir } => {
            let names = reference::write_manual(&context.folder.join(dir))?;
            Ok(Done::Text(names.iter().map(|name| format!("{}\n", dir.join(name).display())).collect()))
        }
    }
}

async fn check(args: &CheckArgs, cli: &Cli, context: &Context) -> Result<Done> {
    if args.list {
        return Ok(list(context));
    }
    let settings = check_settings(args, cli, context)?;
    let started = context.clock.now();
    let mut report = Report::new("check", host(), started);
    report.strict = settings.strict;
    report.findings = check::run(&settings, context).await;
    report.took = elapsed(started, context);
    Ok(Done::Report(Box::new(report)))
}

/// What `check` shall do: the command line over the file. Addresses alone need no file, so a wrong one is no hindrance.
fn check_settings(args: &CheckArgs, cli: &Cli, context: &Context) -> Result<check::Settings> {
    let loaded = match &cli.global.config {
        None if args.only_addresses() => None,
        explicit => config::load(explicit.as_deref(), context)?,
    };
    warn(loaded.as_ref());
    let known: Vec<&'static str> = check::REGISTRY.checks().map(|check| check.id).collect();
    settings::check_settings(loaded.as_ref(), args, &known, context)
}

/// What the operator should know of the file, although it can be used.
fn warn(loaded: Option<&Loaded>) {
    for warning in loaded.iter().flat_map(|loaded| &loaded.warnings) {
        // A pipe that nobody reads any more ends no run.
        let _ = writeln!(anstream::stderr(), "warning: {}", render::visible(&warning.to_string()));
    }
}

/// The configuration, for a command that can do nothing without one.
fn configuration(cli: &Cli, context: &Context) -> Result<Loaded> {
    config::load(cli.global.config.as_deref(), context)?.ok_or_else(|| {
        Error::new(Kind::Config, "find a configuration file")
            .because("there is no mainstay.toml here or above, in the user's folder or in /etc/mainstay")
            .hint("write a first one from what is found here: `mainstay init`")
            .hint("or name one with --config FILE")
    })
}

async fn configure(command: ConfigCommand, cli: &Cli, context: &Context) -> Result<Done> {
    if command == ConfigCommand::Schema {
        let schema = serde_json::to_string_pretty(&config::schema());
        return Ok(Done::Text(schema.unwrap_or_default() + "\n"));
    }
    let loaded = configuration(cli, context)?;
    let started = context.clock.now();
    if command == ConfigCommand::Show {
        warn(Some(&loaded));
        let mut report = Report::new("config show", host(), started);
        report.result = Some(config::json(&loaded));
        return Ok(Done::Data { text: config::show(&loaded), report: Box::new(report) });
    }
    let mut report = Report::new("config check", host(), started);
    report.findings = config::check(&loaded, context);
    if command == (ConfigCommand::Check { notify: true }) {
        report.findings.extend(notify::test(&loaded, context).await);
    }
    report.took = elapsed(started, context);
    Ok(Done::Report(Box::new(report)))
}

/// What there is to check, two lines a check.
fn list(context: &Context) -> Done {
    let entry = |check: check::About| {
        let check::About { id, title, needs } = check;
        format!("{id:<18} {title}\n{:<18} needs {needs}\n", "")
    };
    let data = |check: check::About| serde_json::json!({ "id": check.id, "title": check.title, "needs": check.needs });
    let checks: Vec<_> = check::REGISTRY.checks().map(data).collect();
    let mut report = Report::new("check", host(), context.clock.now());
    report.result = Some(serde_json::json!({ "checks": checks }));
    Done::Data { text: check::REGISTRY.checks().map(entry).collect(), report: Box::new(report) }
}

/// Where the result goes, and in which formats.
fn outputs(cli: &Cli, context: &Context) -> Result<Vec<Output>> {
    let extra = cli.global.outputs.iter().map(|text| text.parse()).collect::<Result<_>>()?;
    output::settle(cli.global.format, extra, &context.folder)
}

/// How the reader of standard output wants to see it.
fn view(cli: &Cli, console: &Console, context: &Context) -> View {
    let now = context.clock.now();
    View {
        width: console.stdout.then_some(console.columns),
        colour: console::colours(cli.global.color, console.stdout, context),
        quiet: cli.global.quiet,
        verbose: cli.global.verbose > 0,
        explain: match &cli.command {
            Command::Check(args) => args.explain,
            Command::RenewCert(args) => args.explain,
            _ => false,
        },
        checkout: context.variable("GITHUB_WORKSPACE").map(Into::into).or_else(|| Some(context.folder.clone())),
        ..View::plain(cli.command.name(), now)
    }
}

/// Writes what a command left and returns the exit code.
fn deliver(done: &Done, outputs: &[Output], view: &View, context: &Context) -> Result<u8> {
    let mut stdout = std::io::stdout();
    match done {
        Done::Text(text) => output::print(&mut stdout, text).map(|()| 0),
        Done::Data { text, report } => {
            output::deliver_data(outputs, &context.folder, &mut stdout, text, report, view)?;
            Ok(exit::of_report(report, output::on_stdout(outputs)))
        }
        Done::Report(report) => {
            let written = output::deliver(outputs, &context.folder, &mut stdout, report, view);
            // With a terminal that is closed comes a signal, and its code says more than that nobody reads.
            if report.interrupted.is_none() {
                written?;
            }
            Ok(exit::of_report(report, output::on_stdout(outputs)))
        }
    }
}

/// Writes the error that ended the run to every output, shows it to the person, and returns the exit code.
fn fail(error: &Error, outputs: &[Output], view: &View, person: &View, context: &Context) -> u8 {
    // What cannot be written twice is not worth a second error.
    let _ = output::deliver_error(outputs, &context.folder, &mut std::io::stdout(), error, view);
    show(error, outputs, person, context)
}

/// Shows an error on standard error and returns the exit code.
fn show(error: &Error, outputs: &[Output], person: &View, context: &Context) -> u8 {
    let _ = std::io::stderr().write_all(render_error(Format::default(), error, person).as_bytes());
    exit::of_error(error, output::on_stdout(outputs), context.cancel.state())
}

/// The name of this machine.
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn elapsed(started: Timestamp, context: &Context) -> Duration {
    context.clock.now().duration_since(started).try_into().unwrap_or_default()
}

/// Logs to standard error, when asked to.
fn log(verbose: u8, console: &Console, context: &Context) {
    let level = match verbose {
        0 => return,
        1 => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    };
    // Only our own events: the libraries' would bury them. A second run in one process keeps the first one's.
    let filter = tracing_subscriber::EnvFilter::new(format!("mainstay={level}"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(console::colours(style::Choice::Auto, console.stderr, context))
        .with_writer(std::io::stderr)
        // It would be told on the very stream that cannot be written to, and that is a panic.
        .log_internal_errors(false)
        .try_init();
}

/// From here on a panic says how to report it.
pub fn report_bugs() {
    std::panic::set_hook(Box::new(|panic| {
        anstream::eprintln!("bug: {panic}");
        anstream::eprintln!("mainstay {} stopped: a bug in mainstay, not in your set-up", env!("CARGO_PKG_VERSION"));
        anstream::eprintln!("hint: please report it with the lines above and the command line");
    }));
}

/// Without a runtime nothing can be done at all.
pub fn no_runtime(error: &std::io::Error) -> ExitCode {
    anstream::eprintln!("error: could not start: {error}");
    anstream::eprintln!("hint: the system may be out of file descriptors or memory (see `ulimit -a`)");
    ExitCode::from(exit::FAILED)
}
