//! One run at a time for each job and name.
//!
//! The lock is the kernel's (`flock`), so it is gone the moment its holder is, also after `kill -9`. What is written in
//! the file only tells the next run who holds it; a free lock is free whatever the file says.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::State;
use crate::{
    error::{Error, Kind, Result},
    report::{Finding, Report},
    system::Context,
};

/// What to lock, and on whose behalf.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The job, for example `backup`.
    pub job: &'a str,
    /// The configured name that the job works on.
    pub name: &'a str,
    /// The command as the operator knows it; other runs are told.
    pub command: &'a str,
    /// How long to wait for another run (`--lock-wait`).
    pub wait: Duration,
}

/// Held until dropped.
#[derive(Debug)]
#[must_use = "the lock is released when this value is dropped"]
pub struct Lock {
    file: File,
}

/// Who holds a lock, as far as is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holder {
    /// The number of the process.
    pub pid: u32,
    /// The command that it carries out.
    pub command: String,
    /// Since when.
    pub since: Timestamp,
}

/// Why there is no lock.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// The state folder cannot be used, or a signal ended the wait.
    Failed(Error),
    /// Another run holds it.
    Held {
        /// What was wanted, after "could not".
        what: String,
        /// Who holds it; `None` when the holder has not said.
        holder: Option<Holder>,
        /// For how long; never negative.
        age: Duration,
        /// How long we have waited.
        waited: Duration,
    },
}

/// A holder that is older than this has hung: cron must hear of it.
const LONG: Duration = Duration::from_secs(60 * 60);

/// How often a held lock is tried again.
const AGAIN: Duration = Duration::from_millis(200);

impl State {
    /// Takes the lock of a job and name, waiting for another run as long as the request says.
    ///
    /// # Errors
    ///
    /// [`Refusal::Held`] names the other run.
    pub async fn lock(&self, context: &Context, request: Request<'_>) -> Result<Lock, Refusal> {
        let path = self.room("locks")?.join(file_name(request.job, request.name));
        let mut file = open(&path)?;
        let begun = Instant::now();
        let mut told = false;
        // Who only looks whether it is held has it for a moment too.
        let mut glances = 3;
        while !try_lock(&file, &path)? {
            if glances > 0 {
                glances -= 1;
                sleep(Duration::from_millis(1)).await;
                continue;
            }
            let waited = begun.elapsed();
            let left = request.wait.saturating_sub(waited);
            if left.is_zero() {
                return Err(held(&mut file, context, &request, waited).await);
            }
            if !told {
                told = true;
                let holder = read(&mut file).map_or("another run".to_owned(), |holder| holder.to_string());
                context.progress.say(&format!("waiting for {holder}, which holds the lock of `{}`", request.name));
            }
            tokio::select! {
                () = sleep(left.min(AGAIN)) => {}
                () = context.cancel.raised(1) => {
                    return Err(Error::new(Kind::Interrupted, "wait for the lock").because("a signal came").into());
                }
            }
        }
        let holder =
            Holder { pid: std::process::id(), command: request.command.to_owned(), since: context.clock.now() };
        // The lock holds without its label, for example on a full disk; the next run then cannot name its holder.
        let _ = label(&mut file, &holder);
        Ok(Lock { file })
    }

    /// Takes the lock of what a job works on; `None` where another run has it, which the report says of `subject`. `run` is
    /// how people call such a run: "another run of this backup".
    ///
    /// # Errors
    ///
    /// The state folder cannot be used, or a signal ended the wait.
    pub async fn lock_or_tell(
        &self,
        context: &Context,
        request: Request<'_>,
        (id, subject, run): (&'static str, &str, &str),
        report: &mut Report,
    ) -> Result<Option<Lock>> {
        let refusal = match self.lock(context, request).await {
            Ok(lock) => return Ok(Some(lock)),
            Err(Refusal::Failed(error)) => return Err(error),
            Err(refusal) => refusal,
        };
        report.locked = true;
        report.findings.push(refusal.finding(id, subject, run));
        Ok(None)
    }

    /// Whether a run holds this lock now. Nothing is made where there is none, and a run that takes it at the same moment
    /// tries again.
    pub fn is_locked(&self, job: &str, name: &str) -> bool {
        let path = self.folder().join("locks").join(file_name(job, name));
        let Ok(file) = File::open(path) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The file stays: to remove it would let two runs lock two files of one name.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

impl Refusal {
    /// Whether `--quiet` keeps silent about it: another run is at work, and has not been for suspiciously long.
    pub fn is_routine(&self) -> bool {
        matches!(self, Self::Held { age, .. } if *age <= LONG)
    }

    /// What is told of a `subject` that another run keeps this one from.
    pub fn finding(self, id: &'static str, subject: &str, run: &str) -> Finding {
        let finding = match self.is_routine() {
            true => Finding::skip(id, subject, format!("{run} is at work")),
            false => Finding::warn(id, subject, format!("{run} has been at work for over an hour")),
        };
        let error = Error::from(self);
        let finding = finding.cause(error.why.join(": ")).data("reason", "locked");
        error.hints.into_iter().fold(finding, Finding::fix)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let (what, holder, age, waited) = match refusal {
            Refusal::Failed(error) => return error,
            Refusal::Held { what, holder, age, waited } => (what, holder, age, waited),
        };
        let long = age > LONG;
        let age = SignedDuration::try_from(Duration::from_secs(age.as_secs())).unwrap_or(SignedDuration::MAX);
        let pid = holder.as_ref().map(|holder| holder.pid);
        let who = holder.map_or("another run holds the lock".to_owned(), |holder| {
            format!("{holder} has held the lock since {}", holder.since.strftime("%Y-%m-%dT%H:%M:%SZ"))
        });
        let mut error = Error::new(Kind::Locked, what).because(format!("{who}, for {age:#}"));
        if waited.as_secs() > 0 {
            error = error.because(format!("waited {} s for it", waited.as_secs()));
        }
        match pid {
            Some(pid) if long => {
                error.hint(format!("see whether it hangs: `ps -fp {pid}`; `kill {pid}` ends it in order"))
            }
            _ => error.hint("try again when it is done, or pass `--lock-wait 10m` to wait for it"),
        }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`mainstay {}` (process {})", self.command, self.pid)
    }
}

/// The name of the lock file: what is not a plain letter is written as its bytes, so that no name can leave the folder
/// and no two names meet.
fn file_name(job: &str, name: &str) -> String {
    use std::fmt::Write as _;
    let mut file = format!("{job}-");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') {
            file.push(char::from(byte));
        } else {
            let _ = write!(file, "%{byte:02x}");
        }
    }
    if file.len() > 200 {
        // File names end at 255 bytes on every file system that matters.
        use sha2::{Digest, Sha256};
        let digest = Sha256::digest(name.as_bytes());
        file.truncate(150);
        file.push('%');
        for byte in &digest[..16] {
            let _ = write!(file, "{byte:02x}");
        }
    }
    file + ".lock"
}

fn open(path: &Path) -> Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(|error| {
        Error::new(Kind::Failed, format!("open the lock file `{}`", path.display()))
            .because(error)
            .hint("choose another state folder with $MAINSTAY_STATE or `state = \"DIR\"`")
    })
}

fn try_lock(file: &File, path: &Path) -> Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(Error::new(Kind::Failed, format!("lock `{}`", path.display()))
            .because(error)
            .hint("put the state folder on a local disk: $MAINSTAY_STATE or `state = \"DIR\"`")),
    }
}

fn label(file: &mut File, holder: &Holder) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    // In one call, so that a reader sees all of it or nothing.
    let text = json!({ "pid": holder.pid, "command": holder.command, "since": holder.since.to_string() }).to_string();
    file.write_all(text.as_bytes())
}

fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(64 * 1024).read_to_string(&mut text).ok()?;
    let label: Value = serde_json::from_str(&text).ok()?;
    Some(Holder {
        pid: label["pid"].as_u64()?.try_into().ok()?,
        command: label["command"].as_str()?.to_owned(),
        since: label["since"].as_str()?.parse().ok()?,
    })
}

async fn held(file: &mut File, context: &Context, request: &Request<'_>, waited: Duration) -> Refusal {
    // Between the other run's lock and its label lies a moment in which the file tells nothing.
    let mut holder = read(file);
    for _ in 0..5 {
        if holder.is_some() {
            break;
        }
        sleep(Duration::from_millis(20)).await;
        holder = read(file);
    }
    let since = match &holder {
        Some(holder) => Some(holder.since),
        None => file.metadata().and_then(|found| found.modified()).ok().and_then(|time| Timestamp::try_from(time).ok()),
    };
    let age = since.map_or(Duration::ZERO, |since| {
        Duration::try_from(context.clock.now().duration_since(since)).unwrap_or(Duration::ZERO)
    });
    Refusal::Held { what: format!("start `mainstay {}` for `{}`", request.command, request.name), holder, age, waited }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "a lock is proven by a second process, which tests start themselves"
    )]
    use std::{
        collections::BTreeMap,
        io::{BufRead, BufReader},
        process::{Child, Command, Stdio},
        sync::Arc,
    };

    use super::*;
    use crate::system::clock::Fixed;

    const FOLDER: &str = "MAINSTAY_LOCK_TEST_FOLDER";

    fn context(now: &str) -> Context {
        let mut context = Context::real(BTreeMap::new(), "/".into());
        context.clock = Arc::new(Fixed(now.parse().unwrap()));
        context
    }

    fn state(folder: &Path) -> State {
        State { folder: folder.join("state") }
    }

    fn request(name: &str, wait: Duration) -> Request<'_> {
        Request { job: "backup", name, command: "backup create", wait }
    }

    /// Not a test of its own: what the other process of the tests below does. It ends when its input does.
    #[tokio::test]
    async fn hold_the_lock_for_another_test() {
        let Some(folder) = std::env::var_os(FOLDER) else { return };
        let lock =
            state(Path::new(&folder)).lock(&context("2026-11-23T18:00:00Z"), request("app", Duration::ZERO)).await;
        let mut error = std::io::stderr();
        writeln!(error, "{}", if lock.is_ok() { "held" } else { "refused" }).unwrap();
        let _ = std::io::stdin().read(&mut [0]);
    }

    fn other_process(folder: &Path) -> Child {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "system::state::lock::tests::hold_the_lock_for_another_test"])
            .env(FOLDER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "held"), "the other process has the lock");
        child
    }

    #[tokio::test]
    async fn a_lock_of_another_process_is_refused_by_name_and_free_after_kill_9() {
        let place = tempfile::tempdir().unwrap();
        let mut child = other_process(place.path());
        let now = context("2026-11-23T18:05:00Z");
        let refusal = state(place.path()).lock(&now, request("app", Duration::ZERO)).await.unwrap_err();
        assert!(refusal.is_routine());
        let error = Error::from(refusal);
        assert_eq!(error.kind, Kind::Locked);
        assert_eq!(
            error.to_string(),
            format!(
                "could not start `mainstay backup create` for `app`: `mainstay backup create` (process {}) has held \
                 the lock since 2026-11-23T18:00:00Z, for 5m",
                child.id()
            )
        );
        assert!(state(place.path()).lock(&now, request("other", Duration::ZERO)).await.is_ok(), "names are apart");

        child.kill().unwrap();
        child.wait().unwrap();
        assert!(state(place.path()).lock(&now, request("app", Duration::ZERO)).await.is_ok(), "free after kill -9");
    }

    #[tokio::test]
    async fn a_holder_older_than_an_hour_is_not_routine_and_the_hint_names_the_process() {
        let place = tempfile::tempdir().unwrap();
        let mut child = other_process(place.path());
        let now = context("2026-11-23T19:00:01Z");
        let refusal = state(place.path()).lock(&now, request("app", Duration::ZERO)).await.unwrap_err();
        assert!(!refusal.is_routine());
        assert!(Error::from(refusal).hints[0].contains(&format!("ps -fp {}", child.id())));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[tokio::test]
    async fn a_clock_that_went_back_makes_no_negative_age() {
        let place = tempfile::tempdir().unwrap();
        let held = state(place.path()).lock(&context("2026-11-23T18:00:00Z"), request("app", Duration::ZERO)).await;
        let earlier = context("2026-11-23T17:00:00Z");
        let refusal = state(place.path()).lock(&earlier, request("app", Duration::ZERO)).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Held { age: Duration::ZERO, .. }), "{refusal:?}");
        drop(held);
    }

    #[tokio::test]
    async fn the_wait_ends_when_the_other_run_does() {
        let place = tempfile::tempdir().unwrap();
        let now = context("2026-11-23T18:00:00Z");
        let held = state(place.path()).lock(&now, request("app", Duration::ZERO)).await.unwrap();
        let release = async {
            sleep(Duration::from_millis(50)).await;
            drop(held);
        };
        let second = state(place.path());
        let (taken, ()) = tokio::join!(second.lock(&now, request("app", Duration::from_secs(60))), release);
        assert!(taken.is_ok());
    }

    #[tokio::test]
    async fn a_signal_ends_the_wait_at_once() {
        let place = tempfile::tempdir().unwrap();
        let now = context("2026-11-23T18:00:00Z");
        let _held = state(place.path()).lock(&now, request("app", Duration::ZERO)).await.unwrap();
        now.cancel.raise(15);
        let begun = Instant::now();
        let refusal = state(place.path()).lock(&now, request("app", Duration::from_secs(600))).await.unwrap_err();
        assert_eq!(Error::from(refusal).kind, Kind::Interrupted);
        assert!(begun.elapsed() < Duration::from_secs(5));
    }

    #[tokio::test]
    async fn the_lock_is_free_after_drop_and_its_label_is_gone() {
        let place = tempfile::tempdir().unwrap();
        let now = context("2026-11-23T18:00:00Z");
        drop(state(place.path()).lock(&now, request("app", Duration::ZERO)).await.unwrap());
        let path = place.path().join("state/locks/backup-app.lock");
        assert_eq!(std::fs::read(path).unwrap(), b"");
        assert!(state(place.path()).lock(&now, request("app", Duration::ZERO)).await.is_ok());
    }

    #[test]
    fn names_cannot_leave_the_folder_or_meet() {
        assert_eq!(file_name("backup", "app"), "backup-app.lock");
        assert_eq!(file_name("backup", "../a b"), "backup-..%2fa%20b.lock");
        assert_ne!(file_name("backup", "a%2f"), file_name("backup", "a/"));
        let long = ["x".repeat(300), "x".repeat(301)];
        assert!(long.iter().all(|name| file_name("backup", name).len() < 255));
        assert_ne!(file_name("backup", &long[0]), file_name("backup", &long[1]));
    }
}
