//! What kind of terminal this is, if any. Asked once; everything below takes it as an argument.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io::{IsTerminal, stderr, stdin, stdout},
};

use super::style::{Choice, Surroundings};
use crate::system::Context;

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
        Self { stdin: stdin().is_terminal(), stdout: stdout().is_terminal(), stderr: stderr().is_terminal(), columns }
    }
}

/// Whether a stream gets colours, by the flag, the environment and what the stream is.
pub fn colours(choice: Choice, terminal: bool, context: &Context) -> bool {
    choice.colours(Surroundings {
        terminal,
        no_color: context.variable("NO_COLOR"),
        clicolor_force: context.variable("CLICOLOR_FORCE"),
        term: context.variable("TERM"),
    })
}
