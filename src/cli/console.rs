//! What kind of terminal this is, if any. Asked once; everything below takes it as an argument.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io::{IsTerminal, stderr, stdin, stdout},
};

use super::args::When;

/// Without a terminal that says otherwise.
const COLUMNS: usize = 80;

/// The facts about our three streams.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    /// Whether a person can type an answer.
    pub stdin: bool,
    /// Whether a person reads the result as it is written.
    pub stdout: bool,
    /// Whether a person sees progress and warnings.
    pub stderr: bool,
    /// The width in columns.
    pub columns: usize,
    /// Whether the environment allows colour (`NO_COLOR`, `CLICOLOR_FORCE`, `TERM`); `None` leaves it to the stream.
    pub colour: Option<bool>,
}

impl Console {
    /// The real streams of this process, with what the environment says about them.
    pub fn real(environment: &BTreeMap<OsString, OsString>) -> Self {
        let variable = |name: &str| environment.get(OsStr::new(name)).filter(|value| !value.is_empty());
        let columns = variable("COLUMNS")
            .and_then(|value| value.to_str()?.parse().ok())
            .or_else(|| rustix::termios::tcgetwinsize(stdout()).ok().map(|size| usize::from(size.ws_col)))
            .filter(|columns| *columns >= 20)
            .unwrap_or(COLUMNS);
        // https://no-color.org and https://bixense.com/clicolors: to refuse is stronger than to force.
        let colour = if variable("NO_COLOR").is_some() || variable("TERM").is_some_and(|term| term == "dumb") {
            Some(false)
        } else if variable("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
            Some(true)
        } else {
            None
        };
        Self {
            stdin: stdin().is_terminal(),
            stdout: stdout().is_terminal(),
            stderr: stderr().is_terminal(),
            columns,
            colour,
        }
    }

    /// Whether a stream gets colour; the flag is stronger than the environment.
    pub fn coloured(&self, when: When, terminal: bool) -> bool {
        match when {
            When::Always => true,
            When::Never => false,
            When::Auto => self.colour.unwrap_or(terminal),
        }
    }
}
