//! Programs of this machine.

use std::{os::unix::process::ExitStatusExt, process::Stdio, time::Duration};

use futures_util::future::BoxFuture;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    sync::watch,
};

use super::{Command, Failure, Output, Runner};

/// How long a group may take to end after TERM before it gets KILL.
const GRACE: Duration = Duration::from_secs(2);

/// Runs real programs, each in a process group of its own, so that its children end with it.
pub struct Machine;

impl Runner for Machine {
    fn run(&self, command: Command) -> BoxFuture<'_, Result<Output, Failure>> {
        Box::pin(run(command))
    }
}

async fn run(command: Command) -> Result<Output, Failure> {
    #[expect(clippy::disallowed_methods, reason = "the one place that starts programs")]
    let mut process = tokio::process::Command::new(&command.program);
    process
        .args(&command.arguments)
        .envs(command.environment.iter().map(|(name, value)| (name, value)))
        .stdin(match &command.source {
            Some(source) => source.try_clone().map_err(|error| Failure::System(error.to_string()))?.into(),
            None if command.input.is_some() => Stdio::piped(),
            None => Stdio::null(),
        })
        .stdout(match &command.sink {
            Some(sink) => sink.try_clone().map_err(|error| Failure::System(error.to_string()))?.into(),
            None => Stdio::piped(),
        })
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // The leader of a group cannot make a session.
    if !command.session {
        process.process_group(0);
    }
    for name in &command.without {
        process.env_remove(name);
    }
    if let Some((user, group)) = command.user {
        // The standard library gives up the other groups of root with it.
        process.gid(group).uid(user);
    }
    if let Some(folder) = &command.folder {
        process.current_dir(folder);
    }
    tracing::debug!(command = %command, "run");
    let spawned = process.spawn();
    // Ours must be closed: a reader of a pipe waits for the end of every writer.
    drop(process);
    let mut command = command;
    command.sink = None;
    let mut child = spawned.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::Missing(command.program.to_string_lossy().into_owned()),
        _ => Failure::System(format!("could not start `{}`: {error}", command.program.to_string_lossy())),
    })?;
    let group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let (Some(mut stdin), Some(input)) = (stdin, &command.input) {
            // A program that does not read all of its input is free to do so.
            let _ = stdin.write_all(input).await;
        }
    };
    // A daemon that it started, and that has left its session, may hold its streams for ever.
    let (over, ended) = watch::channel(false);
    let (linger, limit) = (command.session.then_some(ended), command.limit);
    let leader = async {
        let status = child.wait().await;
        over.send_replace(true);
        status
    };
    let work = async {
        let ((), out, err, status) =
            tokio::join!(feed, keep(stdout, limit, linger.clone()), keep(stderr, limit, linger.clone()), leader);
        let status = status.map_err(|error| Failure::System(error.to_string()))?;
        let (stdout, more_out) = out.map_err(|error| Failure::System(error.to_string()))?;
        let (stderr, more_err) = err.map_err(|error| Failure::System(error.to_string()))?;
        let truncated = more_out || more_err;
        Ok(Output { code: status.code(), signal: status.signal(), stdout, stderr, truncated })
    };
    tokio::pin!(work);
    if let Ok(result) = tokio::time::timeout(command.timeout, &mut work).await {
        group.forget();
        return result;
    }
    group.signal(Signal::TERM);
    let _ = tokio::time::timeout(GRACE, &mut work).await;
    // The rest of the group may live on after its leader has gone.
    group.signal(Signal::KILL);
    group.forget();
    Err(Failure::TimedOut(command.timeout))
}

/// A process group that is killed when the future that runs it is dropped.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.0 {
            // It may have ended just now, or, when it makes a session of its own, not have come as far as that.
            if kill_process_group(pid, signal).is_err() {
                let _ = kill_process(pid, signal);
            }
        }
    }

    fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Reads a stream to its end and keeps the first `limit` bytes; says whether there was more. With `ended`, not for longer
/// than [`GRACE`] after that has become true.
async fn keep(
    stream: Option<impl AsyncRead + Unpin>,
    limit: usize,
    ended: Option<watch::Receiver<bool>>,
) -> std::io::Result<(Vec<u8>, bool)> {
    let (mut kept, mut more) = (Vec::new(), false);
    let Some(mut stream) = stream else { return Ok((kept, more)) };
    let mut chunk = vec![0; 16 << 10];
    let late = async {
        match ended {
            Some(mut ended) => {
                let _ = ended.wait_for(|ended| *ended).await;
                tokio::time::sleep(GRACE).await;
            }
            None => std::future::pending().await,
        }
    };
    tokio::pin!(late);
    loop {
        let read = tokio::select! {
            read = stream.read(&mut chunk) => read?,
            () = &mut late => return Ok((kept, more)),
        };
        if read == 0 {
            return Ok((kept, more));
        }
        let room = limit.saturating_sub(kept.len()).min(read);
        kept.extend_from_slice(&chunk[..room]);
        more |= room < read;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        Command::new("sh").args(["-c", script])
    }

    #[tokio::test]
    async fn both_streams_and_the_status_are_captured() {
        let output = run(sh("echo out; echo err >&2; exit 3")).await.unwrap();
        assert_eq!((output.code, output.text().as_str(), output.complaint().as_str()), (Some(3), "out\n", "err"));
        assert_eq!(output.ending(), "exited with status 3");
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let failure = run(Command::new("no-such-program-here")).await.unwrap_err();
        assert_eq!(failure, Failure::Missing("no-such-program-here".into()));
    }

    #[tokio::test]
    async fn output_beyond_the_limit_is_dropped_and_said() {
        let output = run(sh("head -c 100000 /dev/zero").limit(1000)).await.unwrap();
        assert_eq!((output.stdout.len(), output.truncated), (1000, true));
    }

    #[tokio::test]
    async fn input_is_written_and_closed() {
        let mut command = Command::new("cat");
        command.input = Some(b"hello".to_vec());
        assert_eq!(run(command).await.unwrap().text(), "hello");
    }

    #[tokio::test]
    async fn a_variable_can_be_kept_away_and_root_can_run_as_somebody_else() {
        let output = run(sh("echo ${HOME-none}; echo ${HERE-none}").without_env("HOME").env("HERE", "x")).await;
        assert_eq!(output.unwrap().text(), "none\nx\n");
        if rustix::process::geteuid().is_root() {
            let output = run(sh("id -u; id -G").run_as(65534, 65534).folder("/")).await.unwrap();
            assert_eq!(output.text(), "65534\n65534\n");
        }
    }

    #[tokio::test]
    async fn input_can_come_straight_from_a_file_without_a_name_that_the_program_opens_anew() {
        use std::io::Write;
        let mut file = tempfile::tempfile().unwrap();
        // Our own position is at the end now; who opens the file anew begins at its beginning.
        file.write_all(b"hello").unwrap();
        let output = run(sh("cat; cat /dev/stdin; stat -Lc %s /dev/stdin").read_from(file)).await.unwrap();
        assert_eq!(output.text(), "hello5\n");
    }

    #[tokio::test]
    async fn output_can_go_straight_to_a_file_or_a_pipe_whose_reader_sees_the_end() {
        use std::io::{Read, Seek};
        let mut file = tempfile::tempfile().unwrap();
        let output = run(sh("echo out; echo err >&2").pour_into(file.try_clone().unwrap())).await.unwrap();
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!((output.stdout.len(), text.as_str(), output.complaint().as_str()), (0, "out\n", "err"));

        let (mut reader, writer) = std::io::pipe().unwrap();
        let read = std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()).unwrap());
        let writer = std::fs::File::from(std::os::fd::OwnedFd::from(writer));
        run(sh("head -c 300000 /dev/zero").pour_into(writer)).await.unwrap();
        assert_eq!(read.join().unwrap(), 300_000);
    }

    #[tokio::test]
    async fn a_daemon_that_holds_the_streams_of_a_session_does_not_hold_it_up() {
        let mut command = sh("echo out; setsid sleep 30 & echo $!").timeout(Duration::from_secs(20));
        command.session = true;
        let begun = tokio::time::Instant::now();
        let output = run(command).await.unwrap();
        let text = output.text();
        let (out, pid) = text.trim().split_once('\n').unwrap();
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        assert_eq!((out, output.code), ("out", Some(0)));
        kill_process(Pid::from_raw(pid.parse().unwrap()).unwrap(), Signal::KILL).unwrap();
    }

    #[tokio::test]
    async fn the_whole_group_ends_at_the_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let script = format!("sleep 60 & echo $! >'{}'; wait", file.display());
        let failure = run(sh(&script).timeout(Duration::from_millis(300))).await.unwrap_err();
        assert_eq!(failure, Failure::TimedOut(Duration::from_millis(300)));
        let pid: i32 = std::fs::read_to_string(file).unwrap().trim().parse().unwrap();
        let gone = || rustix::process::test_kill_process(Pid::from_raw(pid).unwrap()).is_err();
        for _ in 0..50 {
            if gone() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the child of the ended command still runs");
    }
}
