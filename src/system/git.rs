//! What git knows of files: asked of the `git` program, a question a call, without changing anything.
//!
//! A repository's own configuration can name programs. None of them is run with more rights than its owner has: root asks
//! as the owner, and anybody else is refused by git itself (`safe.directory`, CVE-2022-24765).

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fmt, fs, io,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::MetadataExt,
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

use super::{
    Context, Runner,
    process::{Command, Failure, Output},
};

/// A work tree and how to ask about it.
#[derive(Clone)]
pub struct Repository {
    top: PathBuf,
    owner: (u32, u32),
    runner: Arc<dyn Runner>,
}

/// Why git gave no answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// It ended with this complaint.
    Failed(String),
    /// It is not installed.
    Missing,
    /// It does not touch the repository of another owner.
    Owner,
    /// It was still running at its deadline.
    TimedOut,
}

/// A change that is not in any commit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// From the top of the work tree.
    pub path: PathBuf,
    /// Whether git does not know the file at all.
    pub untracked: bool,
    /// When the file was changed last; for one that is gone, the folder that it was in.
    pub since: Option<Timestamp>,
}

/// The history of a large repository takes a while.
const DEADLINE: Duration = Duration::from_secs(60);

/// So many paths fit into one command line.
const PATHS: usize = 500;

/// What a hook or another git above us may have set: it speaks of another repository.
const FOREIGN: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_CEILING_DIRECTORIES",
    "GIT_PREFIX",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_EXTERNAL_DIFF",
    "GIT_TRACE",
];

impl Repository {
    /// The repository whose work tree holds this folder, or would hold it if it were made; `None` where there is none.
    pub fn find(folder: &Path, context: &Context) -> Option<Self> {
        // A link in the way may lead into a work tree or out of one.
        let real = folder.ancestors().find_map(|above| above.canonicalize().ok())?;
        let top = real.ancestors().find(|above| above.join(".git").symlink_metadata().is_ok())?;
        let found = fs::metadata(top).ok()?;
        Some(Self { top: top.to_owned(), owner: (found.uid(), found.gid()), runner: Arc::clone(&context.runner) })
    }

    /// The folder at the top of its work tree, with all links resolved.
    pub fn top(&self) -> &Path {
        &self.top
    }

    /// Where a path of this machine is in the work tree, whether or not it exists; `None` where it is outside.
    pub fn place(&self, path: &Path) -> Option<PathBuf> {
        let (real, above) = path.ancestors().find_map(|above| Some((above.canonicalize().ok()?, above)))?;
        let place = real.join(path.strip_prefix(above).ok()?);
        Some(place.strip_prefix(&self.top).ok()?.to_owned())
    }

    /// Those of the paths, or of what is below them, that git tracks.
    ///
    /// # Errors
    ///
    /// git gave no answer.
    pub async fn tracked(&self, paths: &[PathBuf]) -> Result<BTreeSet<PathBuf>, Trouble> {
        let mut tracked = BTreeSet::new();
        for some in paths.chunks(PATHS) {
            let output =
                self.ask(self.command(&["--literal-pathspecs", "ls-files", "-z", "--"]).args(some), &[0]).await?;
            tracked.extend(names(&output.stdout));
        }
        Ok(tracked)
    }

    /// Those of the paths that git would never add by itself.
    ///
    /// # Errors
    ///
    /// git gave no answer.
    pub async fn ignored(&self, paths: &[PathBuf]) -> Result<BTreeSet<PathBuf>, Trouble> {
        if paths.is_empty() {
            return Ok(BTreeSet::new());
        }
        let mut input = Vec::new();
        for path in paths {
            // It takes no --literal-pathspecs, and a name can begin with a colon.
            input.extend_from_slice(Path::new(".").join(path).as_os_str().as_bytes());
            input.push(0);
        }
        let command = self.command(&["check-ignore", "-z", "--stdin", "--no-index"]).input(input);
        // 1: none of them.
        let ignored = self.ask(command, &[0, 1]).await?;
        Ok(names(&ignored.stdout).filter_map(|path| Some(path.strip_prefix(".").ok()?.to_owned())).collect())
    }

    /// What each of the paths has held in any commit of any branch, as the hashes of the blobs; paths that were never
    /// committed are absent.
    ///
    /// # Errors
    ///
    /// git gave no answer.
    pub async fn history(&self, paths: &[PathBuf]) -> Result<BTreeMap<PathBuf, BTreeSet<String>>, Trouble> {
        let mut history: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
        // Without --full-history git leaves out a branch that came to nothing: where a secret was added and removed.
        let question = [
            "--literal-pathspecs",
            "log",
            "--all",
            "--full-history",
            "-m",
            "--raw",
            "--no-abbrev",
            "--no-renames",
            "--no-show-signature",
            "--format=",
            "-z",
            "--",
        ];
        for some in paths.chunks(PATHS) {
            let output = self.ask(self.command(&question).args(some), &[0]).await?;
            let mut words = output.stdout.split(|byte| *byte == 0).filter(|word| !word.is_empty());
            while let Some(change) = words.next() {
                // `:100644 100644 OLD NEW M`, then the path.
                let blob =
                    change.split(|byte| *byte == b' ').nth(3).map(|blob| String::from_utf8_lossy(blob).into_owned());
                let (Some(blob), Some(path)) = (blob, words.next()) else { break };
                let blobs = history.entry(PathBuf::from(OsStr::from_bytes(path))).or_default();
                if blob.bytes().any(|digit| digit != b'0') {
                    blobs.insert(blob);
                }
            }
        }
        Ok(history)
    }

    /// The hashes that the files would have as blobs, in the order of the paths.
    ///
    /// # Errors
    ///
    /// git gave no answer, for example because a file cannot be read.
    pub async fn blobs(&self, paths: &[PathBuf]) -> Result<Vec<String>, Trouble> {
        let mut blobs = Vec::new();
        for some in paths.chunks(PATHS) {
            let output = self.ask(self.command(&["hash-object", "--no-filters", "--"]).args(some), &[0]).await?;
            blobs.extend(output.text().lines().map(str::to_owned));
        }
        Ok(blobs)
    }

    /// The names of its remotes.
    ///
    /// # Errors
    ///
    /// git gave no answer.
    pub async fn remotes(&self) -> Result<Vec<String>, Trouble> {
        Ok(self.ask(self.command(&["remote"]), &[0]).await?.text().lines().map(str::to_owned).collect())
    }

    /// When each commit was made that no remote has, as far as the last push or fetch tells.
    ///
    /// # Errors
    ///
    /// git gave no answer.
    pub async fn unpushed(&self) -> Result<Vec<Timestamp>, Trouble> {
        let question =
            ["log", "--exclude=refs/stash", "--all", "--not", "--remotes", "--format=%ct", "--no-show-signature", "--"];
        let output = self.ask(self.command(&question), &[0]).await?;
        let second = |line: &str| Timestamp::from_second(line.trim().parse().ok()?).ok();
        Ok(output.text().lines().filter_map(second).collect())
    }

    /// What differs from the last commit, ignored files aside.
    ///
    /// # Errors
    ///
    /// git gave no answer.
    pub async fn changes(&self) -> Result<Vec<Change>, Trouble> {
        let question =
            ["status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--ignore-submodules=dirty"];
        let output = self.ask(self.command(&question), &[0]).await?;
        let top = self.top.clone();
        let change = move |line: &[u8]| {
            let (state, path) = line.split_at_checked(3)?;
            let path = PathBuf::from(OsStr::from_bytes(path));
            let since = modified(&top.join(&path));
            Some(Change { path, untracked: state.starts_with(b"??"), since })
        };
        let read = move || output.stdout.split(|byte| *byte == 0).filter_map(change).collect();
        tokio::task::spawn_blocking(read).await.map_err(|error| Trouble::Failed(error.to_string()))
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command =
            Command::new("git").args(["--no-pager", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]);
        let us = rustix::process::geteuid().as_raw();
        if us == 0 && self.owner.0 != 0 {
            // There is no home of theirs that we know, and ours is not for them to read.
            command = command.run_as(self.owner.0, self.owner.1).env("HOME", "/nonexistent");
            command = command.without_env("XDG_CONFIG_HOME");
        } else if self.owner.0 == 0 && us != 0 {
            // What root could make us run it could run itself.
            command = command.args([OsStr::new("-c"), &config("safe.directory=", &self.top)]);
        }
        command = FOREIGN.iter().fold(command, |command, name| command.without_env(name));
        command
            .args(words)
            // No lock is taken to write down what was found, nothing is asked of a person or of another machine.
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("LC_ALL", "C")
            .folder(&self.top)
            .timeout(DEADLINE)
            .limit(64 << 20)
    }

    async fn ask(&self, command: Command, right: &[i32]) -> Result<Output, Trouble> {
        let output = self.runner.run(command).await.map_err(|failure| match failure {
            Failure::Missing(_) => Trouble::Missing,
            Failure::TimedOut(_) => Trouble::TimedOut,
            Failure::Cancelled | Failure::System(_) => Trouble::Failed(failure.to_string()),
        })?;
        match output.code {
            Some(code) if right.contains(&code) && !output.truncated => Ok(output),
            _ if output.complaint().contains("dubious ownership") => Err(Trouble::Owner),
            Some(code) if right.contains(&code) => Err(Trouble::Failed("its answer is larger than 64 MiB".to_owned())),
            _ => {
                let complaint = output.complaint();
                Err(Trouble::Failed(if complaint.is_empty() { output.ending() } else { complaint }))
            }
        }
    }
}

impl Trouble {
    /// The word of `data.reason`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Failed(_) => "git-failed",
            Self::Missing => "git-missing",
            Self::Owner => "git-owner",
            Self::TimedOut => "git-slow",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => f.write_str(why),
            Self::Missing => f.write_str("`git` is not installed"),
            Self::Owner => f.write_str("the repository belongs to another user"),
            Self::TimedOut => write!(f, "it was still running after {} s", DEADLINE.as_secs()),
        }
    }
}

fn config(key: &str, path: &Path) -> std::ffi::OsString {
    let mut text = key.as_bytes().to_vec();
    text.extend_from_slice(path.as_os_str().as_bytes());
    std::ffi::OsString::from_vec(text)
}

fn names(list: &[u8]) -> impl Iterator<Item = PathBuf> {
    list.split(|byte| *byte == 0).filter(|name| !name.is_empty()).map(|name| PathBuf::from(OsStr::from_bytes(name)))
}

/// When the file, or the nearest folder above it that is there, was changed.
fn modified(path: &Path) -> Option<Timestamp> {
    let found = path.ancestors().find_map(|above| match above.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        found => Some(found.ok()),
    })??;
    Timestamp::new(found.mtime(), 0).ok()
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests;
