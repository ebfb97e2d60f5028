//! What is run, and what came of it.

use std::{ffi::OsString, fmt, fs::File, path::PathBuf, sync::Arc, time::Duration};

/// A program with its arguments and limits. No shell is ever involved.
#[derive(Clone, Debug)]
pub struct Command {
    /// Looked up on `PATH` unless it has a slash.
    pub program: OsString,
    /// Passed as they are.
    pub arguments: Vec<OsString>,
    /// Set on top of the inherited environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Variables that are not inherited.
    pub without: Vec<OsString>,
    /// The user and the group to run as; only root can.
    pub user: Option<(u32, u32)>,
    /// The folder to run in; the caller's when absent.
    pub folder: Option<PathBuf>,
    /// Written to standard input, which is closed then; without it standard input is empty.
    pub input: Option<Vec<u8>>,
    /// What standard input is instead: an open file. The program can also open it anew, as `/dev/stdin`, whether the file
    /// has a name or not.
    pub source: Option<Arc<File>>,
    /// After this the group gets TERM, and KILL two seconds later.
    pub timeout: Duration,
    /// At most this many bytes of each stream are kept; the rest is read and dropped.
    pub limit: usize,
    /// Where standard output goes instead of being kept: a file, or the writing end of a pipe.
    pub sink: Option<Arc<File>>,
    /// Whether the program makes a session of its own; else it is put into a process group of its own.
    pub session: bool,
}

impl Command {
    /// A command with no arguments, 30 seconds and 16 MiB a stream.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            without: Vec::new(),
            user: None,
            folder: None,
            input: None,
            source: None,
            timeout: Duration::from_secs(30),
            limit: 16 << 20,
            sink: None,
            session: false,
        }
    }

    /// Adds one argument.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds several arguments.
    pub fn args<I: IntoIterator<Item = S>, S: Into<OsString>>(mut self, arguments: I) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets the deadline.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets a variable on top of the inherited environment.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Keeps a variable of the caller's environment away from it.
    pub fn without_env(mut self, name: impl Into<OsString>) -> Self {
        self.without.push(name.into());
        self
    }

    /// Runs it as this user with this group and no others.
    pub fn run_as(mut self, user: u32, group: u32) -> Self {
        self.user = Some((user, group));
        self
    }

    /// Sets the folder to run in.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Sets what is written to standard input.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// Takes standard input straight from a file.
    pub fn read_from(mut self, source: impl Into<Arc<File>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Sends standard output straight to a file or a pipe: for output that may be large.
    pub fn pour_into(mut self, sink: impl Into<Arc<File>>) -> Self {
        self.sink = Some(sink.into());
        self
    }

    /// Sets how many bytes of each stream are kept.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }
}

impl fmt::Display for Command {
    /// As a person would type it in a shell.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = std::iter::once(&self.program).chain(&self.arguments).map(|word| word.to_string_lossy());
        f.write_str(&shell_words::join(words))
    }
}

/// What a program left when it ended by itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Output {
    /// The exit status; `None` when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Standard output, at most `limit` bytes.
    pub stdout: Vec<u8>,
    /// Standard error, at most `limit` bytes.
    pub stderr: Vec<u8>,
    /// Whether some output went over the limit and was dropped.
    pub truncated: bool,
}

impl Output {
    /// Whether it exited with 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }

    /// Standard output as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The last non-empty lines of standard error, for an error message.
    pub fn complaint(&self) -> String {
        let text = String::from_utf8_lossy(&self.stderr);
        let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(3)..].join("; ")
    }

    /// "exited with status 1" or "was ended by signal 9".
    pub fn ending(&self) -> String {
        match (self.code, self.signal) {
            (Some(code), _) => format!("exited with status {code}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended".to_owned(),
        }
    }
}

/// Why a program did not run to its own end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Failure {
    /// The operator cancelled the run.
    Cancelled,
    /// There is no such program.
    Missing(String),
    /// The system refused to start it, or its pipes broke.
    System(String),
    /// It was still running at its deadline and was ended.
    TimedOut(Duration),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("cancelled"),
            Self::Missing(program) => write!(f, "`{program}` is not installed (not found on PATH)"),
            Self::System(why) => f.write_str(why),
            Self::TimedOut(limit) => write!(f, "still running after {} s, ended", limit.as_secs_f64()),
        }
    }
}

impl std::error::Error for Failure {}
