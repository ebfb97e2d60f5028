//! What was stopped and is owed a start, written down and flushed to the disk before anything is stopped.
//!
//! One file, `journal.json`, because what is stopped for one job must be up again before another one stops it. It is
//! there exactly as long as something is owed. Whoever holds its lock is at work on it; a journal whose lock is free was
//! left by a run that was killed, and [`read`](Journal::read) tells what is to be started.

use std::{fs, io, net::SocketAddr, path::PathBuf, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Lock, Mode, Refusal, Request, State, write};
use crate::{
    error::{Error, Kind, Result},
    system::{Context, procfs},
};

/// Raised when a field changes its meaning or goes.
const SCHEMA: u32 = 1;

/// What is owed, and by whom.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Entry {
    schema: u32,
    /// Marks the run: certbot's processes and its container bear it.
    pub id: String,
    /// What it was stopped for, for people: a certificate's name.
    pub name: String,
    /// The command, for people: `renew-cert prime`.
    pub command: String,
    /// The process that stopped it.
    pub pid: u32,
    /// When.
    pub since: Timestamp,
    /// What was stopped, in the order of stopping.
    pub owed: Vec<Owed>,
    /// Where it answered before.
    pub probes: Vec<Probe>,
    /// A name that it answers to.
    pub host: String,
    /// A container that must be gone first.
    pub container: Option<Helper>,
    /// The lineage that certbot works on; it was whole when the site was stopped.
    pub lineage: Option<Lineage>,
    /// The variables that chose the engine (`DOCKER_HOST`, …): who recovers may have others.
    pub engine: Vec<(String, String)>,
}

/// A container that was started for the run itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Helper {
    /// `docker` or `podman`.
    pub engine: String,
    /// Its name.
    pub name: String,
}

/// A lineage of certbot.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Lineage {
    /// certbot's configuration folder.
    pub directory: PathBuf,
    /// The lineage's name there.
    pub name: String,
}

/// One thing that is owed a start.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Owed {
    /// A container. It is started by its name: who made it anew meanwhile gave it another id.
    Container {
        /// `docker` or `podman`.
        engine: String,
        /// Its name.
        name: String,
        /// Its id when it was stopped.
        id: String,
        /// Whether it was paused.
        paused: bool,
        /// Its restart policy (`unless-stopped`, `on-failure:3`), which a lease may have replaced.
        policy: String,
        /// Whether the policy may have been replaced by `always`.
        leased: bool,
        /// Whether its health check said so before: then it need not be healthy to be back.
        #[serde(default)]
        unhealthy: bool,
    },
    /// A systemd unit.
    Unit {
        /// Its name, with `.service`.
        unit: String,
    },
}

/// Where something answered before it was stopped.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Probe {
    /// The address and port.
    pub address: SocketAddr,
    /// Whether by a TLS handshake; else by an answer to an HTTP request.
    pub tls: bool,
}

/// The journal, as long as its lock is held.
#[derive(Debug)]
#[must_use = "the journal's lock is released when this value is dropped"]
pub struct Journal {
    path: PathBuf,
    _lock: Lock,
}

/// What a look without the lock shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Peek {
    /// Nothing is owed.
    Nothing,
    /// The run that stopped it is at work.
    AtWork(Box<Entry>),
    /// That run was killed, and this is owed. Somebody, its guardian first of all, may be giving it back already: who takes
    /// the lock waits for him.
    Unfinished(Box<Entry>),
}

impl Entry {
    /// An entry that owes nothing yet.
    pub fn new(id: String, name: &str, command: &str, since: Timestamp) -> Self {
        Self {
            schema: SCHEMA,
            id,
            name: name.to_owned(),
            command: command.to_owned(),
            pid: std::process::id(),
            since,
            owed: Vec::new(),
            probes: Vec::new(),
            host: String::new(),
            container: None,
            lineage: None,
            engine: Vec::new(),
        }
    }
}

impl Owed {
    /// The thing in a sentence: "the container `web`".
    pub fn title(&self) -> String {
        match self {
            Self::Container { name, .. } => format!("the container `{name}`"),
            Self::Unit { unit } => format!("the unit `{unit}`"),
        }
    }

    /// Its name alone.
    pub fn name(&self) -> &str {
        match self {
            Self::Container { name, .. } => name,
            Self::Unit { unit } => unit,
        }
    }

    /// What a person would type to stop it.
    pub fn stop_by_hand(&self) -> String {
        match self {
            Self::Container { engine, name, .. } => format!("{engine} stop {name}"),
            Self::Unit { unit } => format!("systemctl stop {unit}"),
        }
    }

    /// What a person would type to start it.
    pub fn start_by_hand(&self) -> String {
        match self {
            Self::Container { engine, name, paused: true, .. } => {
                format!("{engine} start {name} && {engine} pause {name}")
            }
            Self::Container { engine, name, .. } => format!("{engine} start {name}"),
            Self::Unit { unit } => format!("systemctl start {unit}"),
        }
    }
}

impl Journal {
    /// Takes the journal's lock, waiting for another run as long as `wait`.
    ///
    /// # Errors
    ///
    /// [`Refusal::Held`] names the run that is at work on it.
    pub async fn open(state: &State, command: &str, wait: Duration, context: &Context) -> Result<Self, Refusal> {
        let lock = state.lock(context, Request { job: JOB, name: NAME, command, wait }).await?;
        Ok(Self { path: path(state), _lock: lock })
    }

    /// What an earlier run owes.
    ///
    /// # Errors
    ///
    /// It is there and cannot be understood: nobody may go on as if nothing was owed.
    pub fn read(&self) -> Result<Option<Entry>> {
        read(&self.path)
    }

    /// Writes it down and flushes it to the disk, the folder too.
    ///
    /// # Errors
    ///
    /// It is not on the disk: nothing may be stopped.
    pub fn write(&self, entry: &Entry) -> Result<()> {
        // Plain data always serialises.
        let text = serde_json::to_vec_pretty(entry).unwrap_or_default();
        write(&self.path, &text, Mode::Exactly(0o600))
    }

    /// Nothing is owed any more.
    ///
    /// # Errors
    ///
    /// It could not be removed: the next run starts everything once more, which does no harm.
    pub fn close(&self) -> Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(trouble(&self.path, &error)),
            // A crash that brings it back costs a start of what runs already.
            _ => Ok(()),
        }
    }
}

impl State {
    /// What is owed, seen without the lock and without leaving a trace.
    ///
    /// # Errors
    ///
    /// The journal is there and cannot be read.
    pub fn owed(&self) -> Result<Peek> {
        // Before the file is read: a run that ends between the two has nothing left to be told of.
        let locked = self.is_locked(JOB, NAME);
        // The state of another user is another's business.
        if fs::metadata(path(self)).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
            return Ok(Peek::Nothing);
        }
        Ok(match read(&path(self))? {
            None => Peek::Nothing,
            // The guardian of a run that was killed has the lock too.
            Some(entry) if locked && is_alive(entry.pid) => Peek::AtWork(Box::new(entry)),
            Some(entry) => Peek::Unfinished(Box::new(entry)),
        })
    }
}

/// What the lock is named.
const JOB: &str = "journal";
const NAME: &str = "outage";

/// Whether a process runs; one that has ended and was not waited for has no arguments left.
fn is_alive(pid: u32) -> bool {
    procfs::arguments(pid).is_ok_and(|words| !words.is_empty())
}

fn path(state: &State) -> PathBuf {
    state.folder().join("journal.json")
}

fn read(path: &std::path::Path) -> Result<Option<Entry>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(trouble(path, &error)),
    };
    let entry: Entry = serde_json::from_slice(&text).map_err(|error| trouble(path, &io::Error::other(error)))?;
    if entry.schema == SCHEMA {
        Ok(Some(entry))
    } else {
        Err(trouble(path, &io::Error::other("another version of mainstay wrote it")))
    }
}

fn trouble(path: &std::path::Path, error: &io::Error) -> Error {
    let shown = path.display();
    Error::new(Kind::Failed, format!("read the journal `{shown}`, which says what was stopped and must be started"))
        .because(error)
        .hint(format!("see what was stopped: `cat {shown}`; start it by hand, then remove the file"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn context() -> Context {
        Context::real(BTreeMap::new(), "/".into())
    }

    fn state(place: &tempfile::TempDir) -> State {
        let variables = BTreeMap::from([("MAINSTAY_STATE".into(), place.path().join("state").into_os_string())]);
        State::find(&Context::real(variables, "/".into()), None).unwrap()
    }

    fn entry() -> Entry {
        let mut entry = Entry::new("a1".into(), "prime", "renew-cert prime", Timestamp::UNIX_EPOCH);
        entry.owed = vec![
            Owed::Container {
                engine: "docker".into(),
                name: "web".into(),
                id: "abc".into(),
                paused: false,
                policy: "on-failure:3".into(),
                leased: true,
                unhealthy: false,
            },
            Owed::Unit { unit: "nginx.service".into() },
        ];
        entry.probes = vec![Probe { address: "[::1]:443".parse().unwrap(), tls: true }];
        entry
    }

    #[tokio::test]
    async fn what_is_owed_outlives_its_run_and_is_at_work_while_the_lock_is_held() {
        let place = tempfile::tempdir().unwrap();
        let state = state(&place);
        assert_eq!(state.owed().unwrap(), Peek::Nothing);
        assert!(!state.folder().exists(), "a look leaves no trace");
        let journal = Journal::open(&state, "renew-cert", Duration::ZERO, &context()).await.unwrap();
        assert_eq!(journal.read().unwrap(), None);
        journal.write(&entry()).unwrap();
        assert_eq!(state.owed().unwrap(), Peek::AtWork(Box::new(entry())));
        // A guardian at work for a run that is no more.
        journal.write(&Entry { pid: u32::MAX, ..entry() }).unwrap();
        assert!(matches!(state.owed().unwrap(), Peek::Unfinished(_)));
        journal.write(&entry()).unwrap();
        let second = Journal::open(&state, "renew-cert", Duration::ZERO, &context()).await;
        assert!(matches!(second, Err(Refusal::Held { .. })));
        drop(journal);

        assert_eq!(state.owed().unwrap(), Peek::Unfinished(Box::new(entry())));
        let journal = Journal::open(&state, "renew-cert", Duration::ZERO, &context()).await.unwrap();
        assert_eq!(journal.read().unwrap(), Some(entry()));
        journal.close().unwrap();
        journal.close().unwrap();
        assert_eq!((journal.read().unwrap(), state.owed().unwrap()), (None, Peek::Nothing));
    }

    #[test]
    fn a_journal_that_cannot_be_understood_is_no_empty_one() {
        let place = tempfile::tempdir().unwrap();
        let state = state(&place);
        state.open().unwrap();
        let other = serde_json::to_string(&entry()).unwrap().replacen("\"schema\":1", "\"schema\":2", 1);
        for text in ["", "{}", "[]", "nonsense", &other] {
            write(&path(&state), text.as_bytes(), Mode::Exactly(0o600)).unwrap();
            let error = state.owed().unwrap_err();
            assert!(error.hints[0].contains("start it by hand"), "{text}: {error:?}");
        }
    }

    #[test]
    fn every_debt_says_what_to_type() {
        let owed = entry().owed;
        assert_eq!(owed[0].start_by_hand(), "docker start web");
        assert_eq!(
            (owed[1].stop_by_hand(), owed[1].start_by_hand()),
            ("systemctl stop nginx.service".into(), "systemctl start nginx.service".into())
        );
    }
}
