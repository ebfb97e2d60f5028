//! Runs the binary in a world of its own: an empty home, a cleared environment, 80 columns, a deadline.

use std::{
    ffi::OsString,
    fmt,
    fs::File,
    io::Read,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// No run of these tests takes longer; one that does hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// The binary under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_mainstay");

/// A home with nothing in it but what a test puts there.
pub struct World {
    home: TempDir,
    environment: Vec<(OsString, OsString)>,
}

/// How a run ended.
pub struct Run {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

/// A run that goes on.
pub struct Running {
    child: Child,
    started: Instant,
}

impl World {
    pub fn new() -> Self {
        let home = tempfile::Builder::new().prefix("mainstay-cli-").tempdir().expect("a folder in /tmp");
        let mut world = Self { home, environment: Vec::new() };
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folder = world.folder().to_path_buf();
        world.set("PATH", path).set("HOME", &folder).set("LANG", "C.UTF-8").set("COLUMNS", "80");
        // A Docker engine of the test command's own.
        if let Some(engine) = std::env::var_os("DOCKER_HOST") {
            world.set("DOCKER_HOST", engine);
        }
        world
    }

    pub fn folder(&self) -> &Path {
        self.home.path()
    }

    /// Sets a variable of the runs that follow.
    pub fn set(&mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> &mut Self {
        self.environment.retain(|(other, _)| other != name);
        self.environment.push((name.into(), value.as_ref().into()));
        self
    }

    /// Writes a file below the home, which is also the folder the runs start in.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder().join(name);
        std::fs::create_dir_all(path.parent().expect("below the home")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// The command, for a test that wants other streams.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.wrapped(PROGRAM, arguments)
    }

    /// Another program in this world.
    pub fn wrapped(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        Running::start(&mut self.command(arguments)).finish()
    }

    /// A run on a terminal of so many columns; its streams come together, as they do there.
    pub fn run_on_terminal(&self, columns: usize, arguments: &[&str]) -> Run {
        let line = format!("stty cols {columns}; exec '{PROGRAM}' {}", arguments.join(" "));
        let mut command = self.wrapped("script", &["-qec", &line, "/dev/null"]);
        let mut run = Running::start(command.env("TERM", "xterm").env("COLUMNS", columns.to_string())).finish();
        run.stdout = run.stdout.replace("\r\n", "\n");
        run
    }
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let child = command.spawn().unwrap_or_else(|error| panic!("could not start {command:?}: {error}"));
        Self { child, started: Instant::now() }
    }

    pub fn id(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Waits for the end; a run past the deadline is killed and fails the test.
    pub fn finish(mut self) -> Run {
        let stdout = self.child.stdout.take().map(drain);
        let stderr = self.child.stderr.take().map(drain);
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                break status;
            }
            if self.started.elapsed() > DEADLINE {
                self.child.kill().expect("a child of ours");
                self.child.wait().expect("a child of ours");
                panic!("it still ran after {DEADLINE:?}");
            }
            thread::sleep(Duration::from_millis(5));
        };
        let took = self.started.elapsed();
        let text = |stream: Option<thread::JoinHandle<Vec<u8>>>| {
            let bytes = stream.map(|stream| stream.join().expect("a reader")).unwrap_or_default();
            String::from_utf8(bytes).expect("UTF-8 on a stream")
        };
        Run { code: status.code(), signal: status.signal(), stdout: text(stdout), stderr: text(stderr), took }
    }
}

impl Run {
    /// The report, when the run was asked for JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON on stdout ({error}): {self}"))
    }

    /// Fails the test, with everything the run said, unless it ended with this code.
    #[track_caller]
    pub fn expect_code(&self, code: i32) -> &Self {
        assert!(self.code == Some(code), "expected exit code {code}: {self}");
        self
    }

    /// Fails the test unless one of the streams holds this text.
    #[track_caller]
    pub fn expect_text(&self, text: &str) -> &Self {
        assert!(self.stdout.contains(text) || self.stderr.contains(text), "`{text}` is nowhere in: {self}");
        self
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, signal, stdout, stderr, took } = self;
        write!(f, "code {code:?}, signal {signal:?}, {took:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}

/// The findings of a report with this id.
pub fn findings<'a>(report: &'a Value, id: &str) -> Vec<&'a Value> {
    report["findings"].as_array().expect("findings").iter().filter(|finding| finding["id"] == id).collect()
}

/// The statuses of the findings with this id.
pub fn statuses<'a>(report: &'a Value, id: &str) -> Vec<&'a str> {
    findings(report, id).iter().map(|finding| finding["status"].as_str().expect("a status")).collect()
}

/// Whether the other process is root: some refusals are for others only.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether this machine has a program.
pub fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// Says that a test cannot run here; `tests/run` counts and lists these lines.
pub fn skip(name: &str, reason: &str) {
    println!("SKIPPED {name}: {}", reason.replace('\n', " "));
}

/// A full disk.
pub fn full() -> File {
    File::options().write(true).open("/dev/full").expect("/dev/full")
}

fn drain(mut stream: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is what the test looks at.
        let _ = stream.read_to_end(&mut bytes);
        bytes
    })
}
