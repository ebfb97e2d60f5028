//! Processes that outlive this one, and processes that must not: a session of their own for each.
//!
//! Both are our own program once more, by a hidden first word. What it does to itself (setsid(2), the parent-death signal of
//! prctl(2)) needs no code between fork and exec then. It is spawned from the main thread only: the parent that the kernel
//! watches is the thread.

use std::{ffi::OsString, fs, io, os::unix::process::CommandExt, path::Path, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{io::AsyncReadExt, process::Child};

use super::Command;
use crate::system::procfs;

/// The hidden first word of a program that dies with its parent: PARENT MARK PROGRAM ARGUMENT…
pub const LEASH: &str = "__leash";

/// The hidden first word of a guardian.
pub const GUARDIAN: &str = "__guardian";

/// The variable that a program on the leash and its descendants bear: `MARK:SESSION`.
const MARK: &str = "MAINSTAY_RUN";

/// How the complaint of a leash begins whose program is not there; its status is 127 then.
pub const NO_PROGRAM: &str = "no program: ";

/// How long marked processes may take to end after TERM.
const GRACE: Duration = Duration::from_secs(2);

/// The same command, run by `own` in a session of its own that dies with this process. [`end`] finds all of it by `mark`.
pub fn leashed(own: &Path, mark: &str, command: Command) -> Command {
    let mut words: Vec<OsString> = vec![LEASH.into(), std::process::id().to_string().into(), mark.into()];
    words.push(command.program.clone());
    words.extend(command.arguments.iter().cloned());
    Command { program: own.into(), arguments: words, session: true, ..command }
}

/// What `__leash` does: a session of its own, dies with its parent, and becomes the program. Returns only when it could not.
#[cfg(target_os = "linux")]
pub fn hold(words: &[OsString]) -> io::Error {
    let [parent, mark, program, arguments @ ..] = words else {
        return io::Error::other("this command is for mainstay itself");
    };
    let parent = parent.to_str().and_then(|text| text.parse::<i32>().ok()).and_then(Pid::from_raw);
    let session = match rustix::process::setsid() {
        Ok(session) => session,
        Err(error) => return error.into(),
    };
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
        return error.into();
    }
    // It may have died before it was watched.
    if rustix::process::getppid() != parent {
        return io::Error::other("the run that started this has ended");
    }
    let mut value = mark.clone();
    value.push(format!(":{}", session.as_raw_nonzero()));
    #[expect(
        clippy::disallowed_methods,
        reason = "it becomes this program, which the runner has checked and waits for"
    )]
    let mut command = std::process::Command::new(program);
    let error = command.args(arguments).env(MARK, value).exec();
    io::Error::new(error.kind(), format!("{NO_PROGRAM}{}: {error}", program.to_string_lossy()))
}

/// Nothing but Linux has a parent-death signal that can be trusted here.
#[cfg(not(target_os = "linux"))]
pub fn hold(_words: &[OsString]) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "stopping a site for its renewal needs Linux")
}

/// The processes of a mark: those of its own session. What left the session on purpose (a daemon that a hook of certbot
/// started) is not ours to end.
pub fn marked(mark: &str) -> Vec<u32> {
    let is_marked = |pid: &u32| {
        let variables = procfs::environment(*pid).ok()?;
        let (own, session) = variables.get(MARK)?.rsplit_once(':')?;
        let session: u32 = session.parse().ok()?;
        Some(own == mark && procfs::session(*pid) == Some(session))
    };
    procfs::pids().into_iter().filter(|pid| is_marked(pid) == Some(true)).collect()
}

/// Ends the processes of a mark: TERM, and KILL for what is left. How many there were.
pub async fn end(mark: &str) -> usize {
    let found = marked(mark);
    signal(&found, Signal::TERM);
    let begun = tokio::time::Instant::now();
    while !found.is_empty() && begun.elapsed() < GRACE {
        if marked(mark).is_empty() {
            return found.len();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // A process that forks meanwhile is found by the next look.
    for _ in 0..50 {
        let left = marked(mark);
        if left.is_empty() {
            break;
        }
        signal(&left, Signal::KILL);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    found.len()
}

/// Asks the processes of a mark to end, and does not wait.
pub fn terminate(mark: &str) {
    signal(&marked(mark), Signal::TERM);
}

fn signal(pids: &[u32], signal: Signal) {
    for pid in pids.iter().filter_map(|pid| Pid::from_raw(pid.cast_signed())) {
        // It may have ended just now.
        let _ = kill_process(pid, signal);
    }
}

/// A process of our own program that goes on when this one is gone, and notices it.
///
/// It waits at the other end of a pipe. [`Watch::dismiss`] ends it; the pipe's end without a word is the end of this process,
/// whatever killed it.
#[derive(Debug)]
pub struct Watch {
    child: Child,
}

/// The word that ends a guardian's watch.
const DISMISSED: u8 = b'd';

/// The word with which a guardian says that it watches.
const READY: u8 = b'r';

impl Watch {
    /// Starts a guardian with these arguments and waits until it watches.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub async fn start(own: &Path, arguments: &[OsString]) -> io::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "it outlives this process, so no runner waits for it")]
        let mut command = tokio::process::Command::new(own);
        // What it has to say goes where our own errors go: cron's mail, the unit's journal.
        command.arg(GUARDIAN).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).current_dir("/");
        let mut child = command.spawn()?;
        let mut answer = [0];
        let stdout = child.stdout.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        match tokio::time::timeout(Duration::from_secs(10), stdout.read_exact(&mut answer)).await {
            Ok(Ok(_)) if answer == [READY] => Ok(Self { child }),
            Ok(Err(error)) => Err(error),
            _ => {
                let _ = child.start_kill();
                Err(io::Error::other("it did not say that it watches"))
            }
        }
    }

    /// All is well: it ends.
    pub async fn dismiss(mut self) {
        use tokio::io::AsyncWriteExt;
        if let Some(mut stdin) = self.child.stdin.take() {
            // It may have been killed.
            let _ = stdin.write_all(&[DISMISSED]).await;
        }
        let _ = tokio::time::timeout(GRACE, self.child.wait()).await;
    }
}

/// What a guardian does first: a session of its own, and the word that it watches. Then it waits for the end of its parent;
/// whether that came, and not a dismissal.
pub async fn watch() -> bool {
    // Where it is a leader already, no terminal's signals reach it either.
    let _ = rustix::process::setsid();
    {
        use std::io::Write;
        let mut stdout = io::stdout();
        let _ = stdout.write_all(&[READY]).and_then(|()| stdout.flush());
    }
    let read = tokio::task::spawn_blocking(|| {
        use std::io::Read;
        let mut word = [0];
        io::stdin().read_exact(&mut word).map(|()| word)
    });
    !matches!(read.await, Ok(Ok([DISMISSED])))
}

/// Where this program is, for another start of it: what was started, even if it has been replaced since.
pub fn own_program() -> std::path::PathBuf {
    let link = Path::new("/proc/self/exe");
    if fs::read_link(link).is_ok() {
        return link.to_owned();
    }
    std::env::current_exe().unwrap_or_else(|_| "mainstay".into())
}
