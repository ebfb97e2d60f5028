//! The top floor: the only one that knows arguments, environment, files of settings and a terminal.
//!
//! One variant and one arm a command; what a command does lives in its job below.

pub mod args;
pub mod config;
pub mod console;
pub mod exit;
pub mod output;
mod progress;
pub mod reference;
pub mod render;
pub mod settings;
mod signals;
pub mod style;

use std::{ffi::OsString, io::Write, process::ExitCode, sync::Arc};

use clap::{Parser, error::ErrorKind};
use jiff::Timestamp;

use crate::{
    check,
    error::{Error, Kind, Result},
    report::Report,
    system::Context,
};
use args::{CheckArgs, Cli, Command, ConfigCommand, Format};
use console::Console;

/// Runs one command line and returns its exit code. The same entry for `main`, the tour and tests with a fixed clock.
///
/// `arguments` begins with the name of the program. The result goes to standard output, everything else to standard
/// error.
pub async fn run(arguments: Vec<OsString>, mut context: Context) -> u8 {
    let console = Console::real(&context.environment);
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &arguments, &context),
    };
    log(cli.global.verbose, &console);
    let drawn = console.stderr && !cli.global.no_progress && !cli.global.quiet;
    context.progress = Arc::new(progress::Bar::new(drawn));
    signals::listen(&context);
    let done = tokio::select! {
        biased;
        () = context.cancel.raised(1) => Err(Error::new(Kind::Interrupted, "finish").because("a signal ended the run")),
        done = dispatch(&cli, &context, &console) => done,
    };
    let output = output::Output::new(&cli.global, &console, &context);
    let explain = matches!(&cli.command, Command::Check(args) if args.explain);
    match done.and_then(|done| output.deliver(done, explain)) {
        Ok(code) => code,
        Err(error) => output.fail(&error),
    }
}

/// What a command leaves to be written.
pub enum Done {
    /// A report, in every format that was asked for.
    Report(Box<Report>),
    /// Text that is the result itself: a script, a schema, a list.
    Text(String),
}

async fn dispatch(cli: &Cli, context: &Context, console: &Console) -> Result<Done> {
    let _ = console;
    match &cli.command {
        Command::Check(args) => check(args, cli, context).await,
        Command::Config(args) => configure(args.command, cli, context),
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
        return Ok(Done::Text(list()));
    }
    let loaded = settings::load_for_check(args, cli.global.config.as_deref(), context)?;
    let settings = settings::check(loaded.as_ref(), args, context)?;
    let started = context.clock.now();
    let mut report = Report::new("check", host(), started);
    report.strict = settings.strict;
    report.findings = check::run(&settings, context).await;
    report.took = elapsed(started, context);
    Ok(Done::Report(Box::new(report)))
}

fn configure(command: ConfigCommand, cli: &Cli, context: &Context) -> Result<Done> {
    if command == ConfigCommand::Schema {
        let schema = serde_json::to_string_pretty(&config::schema());
        return Ok(Done::Text(schema.unwrap_or_default() + "\n"));
    }
    let loaded = config::load(cli.global.config.as_deref(), context)?;
    Ok(Done::Text(match command {
        ConfigCommand::Show => config::show(&loaded),
        ConfigCommand::Check | ConfigCommand::Schema => format!("{}: fine\n", loaded.path.display()),
    }))
}

/// What there is to check, one paragraph a check.
fn list() -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for check in check::REGISTRY {
        let _ = writeln!(text, "{:<20} {}\n{:<20} needs {}", check.id(), check.title(), "", check.needs());
    }
    text
}

/// The name of this machine.
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn elapsed(started: Timestamp, context: &Context) -> std::time::Duration {
    context.clock.now().duration_since(started).try_into().unwrap_or_default()
}

/// Logs to standard error, when asked to.
fn log(verbose: u8, console: &Console) {
    let level = match verbose {
        0 => return,
        1 => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    };
    // Only our own events: the libraries' would bury them. A second run in one process keeps the first one's.
    let filter = tracing_subscriber::EnvFilter::new(format!("mainstay={level}"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(console.stderr && console.colour != Some(false))
        .with_writer(std::io::stderr)
        .try_init();
}

/// Help, version and wrong usage: clap has the text, we have the streams and the codes.
fn usage(error: &clap::Error, arguments: &[OsString], context: &Context) -> u8 {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader that has seen enough (`| head`) is no error.
            let _ = error.print();
            return 0;
        }
        _ => {}
    }
    let after_format = arguments.iter().skip_while(|argument| *argument != "--format").nth(1);
    let asked = |name: &str| {
        after_format.is_some_and(|value| value == name)
            || arguments.iter().any(|argument| *argument == *format!("--format={name}"))
    };
    let text = error.render().to_string();
    let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let wrong = Error::new(Kind::Usage, "understand the command line").because(first).hint("see `mainstay --help`");
    let mut stdout = std::io::stdout();
    // These formats are read by programs, which need the error where they look for the result.
    if asked("json") {
        let _ = stdout.write_all(render::error(Format::Json, &wrong, context.clock.now()).as_bytes());
    } else if asked("nagios") {
        let _ = stdout.write_all(render::error(Format::Nagios, &wrong, context.clock.now()).as_bytes());
        return exit::NAGIOS_UNKNOWN;
    }
    let _ = error.print();
    exit::USAGE
}

/// From here on a panic says how to report it.
pub fn report_bugs() {
    std::panic::set_hook(Box::new(|panic| {
        anstream::eprintln!("bug: {panic}");
        anstream::eprintln!("mainstay {} stopped. This is a bug in mainstay, not in your set-up.", env!("CARGO_PKG_VERSION"));
        anstream::eprintln!("hint: please report it with the lines above and the command line");
    }));
}

/// Without a runtime nothing can be done at all.
pub fn no_runtime(error: &std::io::Error) -> ExitCode {
    anstream::eprintln!("error: could not start: {error}");
    anstream::eprintln!("hint: the system may be out of file descriptors or memory (see `ulimit -a`)");
    ExitCode::from(exit::FAILED)
}
