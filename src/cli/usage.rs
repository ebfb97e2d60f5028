//! Help, version and wrong usage: clap has the text, we have the streams and the codes.

use std::{ffi::OsString, io::Write};

use clap::error::ErrorKind;

use super::{
    exit, facts,
    output::Output,
    render::{Format, View, render_error},
};
use crate::{
    error::{Error, Kind},
    system::Context,
};

/// Prints what clap has to say and returns the exit code.
pub fn explain(error: &clap::Error, arguments: &[OsString], context: &Context) -> u8 {
    if error.kind() == ErrorKind::DisplayVersion
        && let Some(facts) = facts_asked(arguments)
    {
        let _ = std::io::stdout().write_all(facts.as_bytes());
        return 0;
    }
    // A reader that has seen enough (`| head`) is no error, here as elsewhere.
    let _ = error.print();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return 0;
    }
    // A program reads these formats; it needs the error where it looks for the result.
    let format = asked(arguments);
    if !format.is_human() {
        let text = error.render().to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let wrong = Error::new(Kind::Usage, "understand the command line").because(first).hint("see `mainstay --help`");
        let view = View::plain("mainstay", context.clock.now());
        let _ = std::io::stdout().write_all(render_error(format, &wrong, &view).as_bytes());
    }
    if format.is_nagios() { exit::NAGIOS_UNKNOWN } else { exit::USAGE }
}

/// Of which build this is, where more than the version was asked for: `--version --verbose`, `-Vv`, `--format json`.
fn facts_asked(arguments: &[OsString]) -> Option<String> {
    if asked(arguments).name() == "json" {
        return Some(facts::json());
    }
    let is_verbose =
        |word: &str| word == "--verbose" || (word.starts_with('-') && !word.starts_with("--") && word.contains('v'));
    arguments.iter().skip(1).filter_map(|argument| argument.to_str()).any(is_verbose).then(facts::text)
}

/// The format that was asked for on a command line that could not be understood as a whole.
fn asked(arguments: &[OsString]) -> Format {
    let words: Vec<&str> = arguments.iter().filter_map(|argument| argument.to_str()).collect();
    let values = |flag: &str| -> Vec<&str> {
        let apart = words.windows(2).filter(|pair| pair[0] == flag).map(|pair| pair[1]);
        let joined = words.iter().filter_map(|word| word.strip_prefix(flag)?.strip_prefix('='));
        apart.chain(joined).collect()
    };
    let format = values("--format").first().and_then(|name| name.parse().ok());
    let outputs: Vec<String> = values("--output").into_iter().map(str::to_owned).collect();
    Output::fallback(format, &outputs).format
}
