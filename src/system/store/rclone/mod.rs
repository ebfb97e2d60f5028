//! Whatever `rclone` reaches: Google Drive, WebDAV, SFTP and some dozens more; through the program, which the operator has
//! set up (`rclone config`).
//!
//! An object is uploaded under a temporary name by `copyto`, looked at, and given its name by `moveto`. Never `rcat`: it
//! takes a stream, cannot try again, and holds a stream whose producer was killed for whole.
//!
//! A spool has no name that another process could open, and its descriptor is not the other's. So it is rclone's standard
//! input, and rclone is told to copy the file `/dev/stdin`: that is opened anew for each attempt, has a length, and needs no
//! second copy on the disk.
//!
//! What no rclone can do: keep two runs from giving the same name at the same moment. `moveto` with `--ignore-existing`
//! looks first (with `--immutable` it overwrites: tried with 1.60); the ids of archives keep runs apart besides.

mod account;
mod listing;
mod said;
mod stream;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{self, Read, Write},
    os::unix::fs::FileExt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use jiff::SignedDuration;
use rustix::fs::{MemfdFlags, memfd_create};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use self::listing::Entry;
use super::{
    Body, Condition, Destination, Draft, Object, Options, Reading, Reason, Receipt, Shelf, Trouble,
    object::{TEMPORARY, expect_name, is_object},
};
use crate::system::{
    Cancel, Clock, Context,
    process::{Command, Output, Runner},
};

/// How long a command may take that moves no content. rclone has deadlines of its own for each connection; this ends one
/// that hangs all the same.
const PATIENCE: Duration = Duration::from_secs(600);

/// The slowest upload that is waited for, in bytes a second.
const SLOWEST: u64 = 64 << 10;

/// How old a temporary object of somebody else must be before it is nobody's.
const ABANDONED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A remote of rclone as a destination.
pub(super) struct Rclone {
    address: String,
    /// `REMOTE:PATH`.
    remote: String,
    /// What the names of this owner's temporary objects begin with.
    prefix: String,
    /// Whether this run has made the folder: stores without folders do not show an empty one.
    is_ready: AtomicBool,
    runner: Arc<dyn Runner>,
    clock: Arc<dyn Clock>,
    cancel: Cancel,
}

impl Rclone {
    /// The folder `REMOTE:PATH`. Starts nothing.
    pub(super) fn new(remote: &str, options: &Options, context: &Context) -> Self {
        let owner = Sha256::digest(options.owner.as_bytes());
        let owner: String = owner[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            address: format!("rclone:{remote}"),
            remote: remote.to_owned(),
            prefix: format!("{TEMPORARY}{owner}-"),
            is_ready: AtomicBool::new(false),
            runner: Arc::clone(&context.runner),
            clock: Arc::clone(&context.clock),
            cancel: context.cancel.clone(),
        }
    }

    /// The object's address for rclone.
    fn at(&self, name: &str) -> String {
        let between = if self.remote.ends_with([':', '/']) { "" } else { "/" };
        format!("{}{between}{name}", self.remote)
    }

    async fn run(&self, command: Command) -> Result<Output, Trouble> {
        tokio::select! {
            biased;
            () = self.cancel.raised(1) => Err(Trouble::new(Reason::Other, "the run was interrupted", "run it again")),
            result = self.runner.run(command) => said::decode(result, &self.remote),
        }
    }

    /// The files of a folder, or the one file of that address; with the hashes that the store knows, on request.
    async fn entries(&self, at: &str, hashes: &[&str]) -> Result<Vec<Entry>, Trouble> {
        let hashes = hashes.iter().map(|hash| format!("--hash-type={hash}"));
        let command = rclone("lsjson", ["--files-only", "--no-mimetype"]).args(hashes).args(["--", at]);
        let output = self.run(command).await?;
        listing::read(&output.stdout, output.truncated)
    }

    /// Everything in the folder.
    async fn everything(&self) -> Result<Vec<Entry>, Trouble> {
        match self.entries(&self.remote, &[]).await {
            Err(trouble) if trouble.reason == Reason::Missing && self.is_ready.load(Ordering::Relaxed) => Ok(vec![]),
            result => result,
        }
    }

    /// One object; `None` where there is none of that name.
    async fn entry(&self, name: &str, hashes: &[&str]) -> Result<Option<Entry>, Trouble> {
        match self.entries(&self.at(name), hashes).await {
            Ok(entries) => Ok(entries.into_iter().find(|entry| entry.name == name)),
            Err(trouble) if trouble.reason == Reason::Missing => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// Bytes that still fit, where the store says so.
    async fn free(&self) -> Option<u64> {
        #[derive(Deserialize)]
        struct About {
            free: Option<u64>,
        }
        let command = rclone("about", ["--json"]).args(["--", &self.remote]).timeout(Duration::from_secs(60));
        // Many stores do not know.
        let output = self.run(command).await.ok()?;
        serde_json::from_slice::<About>(&output.stdout).ok()?.free
    }

    /// What the operator should know of how the remote is set up.
    async fn account_notes(&self) -> Vec<String> {
        let Some(name) = account::name(&self.remote) else { return Vec::new() };
        // What it prints has secrets: it is looked at and forgotten. A remote that is not there says so elsewhere.
        match self.run(rclone("config", ["show"]).args(["--", name])).await {
            Ok(output) => account::notes(name, &output.text()),
            Err(_) => Vec::new(),
        }
    }

    async fn upload(&self, name: &str, body: Body) -> Result<Receipt, Trouble> {
        let bytes = body.bytes();
        let sha256 = match &body {
            Body::Bytes(bytes) => Sha256::digest(bytes).into(),
            Body::Spool { sha256, .. } => *sha256,
        };
        let source = tokio::task::spawn_blocking(move || source(body)).await;
        let source = source.map_err(|error| Trouble::new(Reason::Other, error.to_string(), "run it again"))??;
        if self.everything().await?.iter().any(|entry| entry.name == name) {
            return Err(self.collision(name));
        }
        let temporary = format!("{}{}", self.prefix, Uuid::new_v4());
        let result = self.upload_as(&temporary, name, source, bytes, sha256).await;
        if result.is_err() {
            self.discard(&temporary).await;
        }
        result
    }

    async fn upload_as(
        &self,
        temporary: &str,
        name: &str,
        source: Arc<File>,
        bytes: u64,
        sha256: [u8; 32],
    ) -> Result<Receipt, Trouble> {
        let deadline = PATIENCE + Duration::from_secs(bytes / SLOWEST);
        // `/dev/stdin` is a link to what it is.
        let upload = rclone("copyto", ["--copy-links", "--immutable", "--", "/dev/stdin"]).arg(self.at(temporary));
        self.run(upload.read_from(source).timeout(deadline)).await?;

        // rclone has compared what hashes both sides have; a store that knows SHA-256 is asked for ours.
        let stored = self.entry(temporary, &["sha256", "md5"]).await?;
        let stored = stored.ok_or_else(|| damaged("is not there after it was uploaded"))?;
        if stored.bytes().is_some_and(|stored| stored != bytes) {
            return Err(damaged("has another length than what was uploaded"));
        }
        let digits: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        if stored.hashes.get("sha256").is_some_and(|hash| !hash.is_empty() && *hash != digits) {
            return Err(damaged("has another SHA-256 than what was uploaded"));
        }
        let checksum = stored.hashes.values().any(|hash| !hash.is_empty());

        // Where the store cannot rename, rclone copies.
        let rename = rclone("moveto", ["--ignore-existing", "--"]).args([self.at(temporary), self.at(name)]);
        let renamed = self.run(rename.timeout(deadline)).await;
        let entries = self.everything().await?;
        let count = |name: &str| entries.iter().filter(|entry| entry.name == name).count();
        match (count(name), count(temporary)) {
            // Whatever it said: an answer can be lost on its way after the work is done.
            (1, 0) => Ok(Receipt { checksum }),
            (0, _) => renamed.and(Err(damaged("did not get its name"))),
            _ => renamed.and(Err(self.collision(name))),
        }
    }

    /// Removes the rest of an upload that failed, also after a signal. What cannot be removed now, the next run tries again.
    async fn discard(&self, temporary: &str) {
        let command =
            rclone("deletefile", ["--retries=1", "--"]).arg(self.at(temporary)).timeout(Duration::from_secs(30));
        match said::decode(self.runner.run(command).await, &self.remote) {
            Err(trouble) if trouble.reason != Reason::Missing => {
                tracing::warn!(object = temporary, %trouble, "a temporary object stays");
            }
            _ => {}
        }
    }

    async fn delete(&self, name: &str) -> Result<(), Trouble> {
        // Asked first, for rclone tries several times to remove what is not there.
        if self.entry(name, &[]).await?.is_none() {
            return Ok(());
        }
        match self.run(rclone("deletefile", ["--"]).arg(self.at(name))).await {
            Err(trouble) if trouble.reason != Reason::Missing => Err(trouble),
            _ => Ok(()),
        }
    }

    fn collision(&self, name: &str) -> Trouble {
        Trouble::new(
            Reason::Collision,
            format!("`{}` exists already", self.at(name)),
            "see who else writes archives of this name there; nothing was overwritten",
        )
    }
}

impl Shelf for Rclone {
    fn address(&self) -> &str {
        &self.address
    }

    fn inspect(&self) -> BoxFuture<'_, Result<Condition, Trouble>> {
        Box::pin(async move {
            let (entries, free, mut notes) =
                tokio::join!(self.entries(&self.remote, &[]), self.free(), self.account_notes());
            let entries = match entries {
                Err(trouble) if trouble.reason == Reason::Missing => {
                    notes.push(format!("`{}` does not exist yet, and is made by the first backup", self.remote));
                    vec![]
                }
                result => result?,
            };
            listing::expect_unique(&entries, &self.remote)?;
            let is_new = !entries.iter().any(|entry| is_object(&entry.name));
            Ok(Condition { is_new, free, notes, ..Condition::default() })
        })
    }

    /// A folder that does not exist yet is [`Reason::Missing`] and not empty; [`Shelf::inspect`] tells whether that is all
    /// right.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Object>, Trouble>> {
        Box::pin(async move {
            let entries = self.everything().await?;
            listing::expect_unique(&entries, &self.remote)?;
            let objects = entries.into_iter().filter(|entry| is_object(&entry.name));
            Ok(objects.map(Entry::into_object).collect())
        })
    }

    fn open<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Reading, Trouble>> {
        Box::pin(async move {
            expect_name(name)?;
            // `cat` of a folder would write all of its files, one after the other.
            let entry = self.entry(name, &[]).await?.ok_or_else(|| Trouble::missing(&self.at(name)))?;
            let bytes = entry.bytes();
            let deadline = PATIENCE + Duration::from_secs(bytes.unwrap_or(u64::MAX >> 16) / SLOWEST);
            let command = rclone("cat", ["--"]).arg(self.at(name)).timeout(deadline);
            stream::read(&self.runner, command, bytes, &self.remote)
        })
    }
}

impl Destination for Rclone {
    fn prepare(&self) -> BoxFuture<'_, Result<(), Trouble>> {
        Box::pin(async move {
            if !self.is_ready.load(Ordering::Relaxed) {
                self.run(rclone("mkdir", ["--"]).arg(&self.remote)).await?;
                self.is_ready.store(true, Ordering::Relaxed);
            }
            Ok(())
        })
    }

    fn draft(&self) -> BoxFuture<'_, Result<Option<Box<dyn Draft>>, Trouble>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn put<'a>(&'a self, name: &'a str, body: Body) -> BoxFuture<'a, Result<Receipt, Trouble>> {
        Box::pin(async move {
            expect_name(name)?;
            self.upload(name, body).await
        })
    }

    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        Box::pin(async move {
            expect_name(name)?;
            self.delete(name).await
        })
    }

    fn tidy(&self) -> BoxFuture<'_, Result<Vec<String>, Trouble>> {
        Box::pin(async move {
            let now = self.clock.now();
            let is_old = |entry: &Entry| entry.modified().is_some_and(|then| now.duration_since(then) > ABANDONED);
            let mut removed = Vec::new();
            for entry in self.everything().await? {
                if entry.name.starts_with(&self.prefix) || entry.name.starts_with(TEMPORARY) && is_old(&entry) {
                    self.delete(&entry.name).await?;
                    removed.push(entry.name);
                }
            }
            removed.sort();
            Ok(removed)
        })
    }
}

/// A command of rclone, which asks nothing: nobody is there to answer.
fn rclone<const N: usize>(verb: &str, arguments: [&str; N]) -> Command {
    Command::new("rclone").args([verb, "--ask-password=false"]).args(arguments).timeout(PATIENCE)
}

/// A file that holds the object and nothing else, for rclone reads files to their end.
fn source(body: Body) -> Result<Arc<File>, Trouble> {
    let trouble = |error: io::Error| {
        Trouble::new(
            Reason::Other,
            format!("the spool of the upload: {error}"),
            "free space in the folder of `$TMPDIR`",
        )
    };
    match body {
        Body::Bytes(bytes) => {
            let memory = memfd_create("mainstay", MemfdFlags::CLOEXEC).map_err(|errno| trouble(errno.into()))?;
            let mut memory = File::from(memory);
            memory.write_all(&bytes).map_err(trouble)?;
            Ok(Arc::new(memory))
        }
        Body::Spool { file, bytes, .. } => {
            let length = file.metadata().map_err(trouble)?.len();
            if length < bytes {
                let why = format!("the spooled archive is shorter than it was: {length} of {bytes} bytes");
                return Err(Trouble::new(Reason::Damaged, why, "check the disk of the spool, and run it again"));
            }
            if length == bytes {
                return Ok(file);
            }
            let mut part = tempfile::tempfile().map_err(trouble)?;
            io::copy(&mut Position { file: &file, at: 0 }.take(bytes), &mut part).map_err(trouble)?;
            Ok(Arc::new(part))
        }
    }
}

/// Reads a file from its start without the position that others may use.
struct Position<'a> {
    file: &'a File,
    at: u64,
}

impl Read for Position<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

fn damaged(what: &str) -> Trouble {
    Trouble::new(
        Reason::Damaged,
        format!("the object {what}"),
        "run it again; if it happens again, use another destination",
    )
}
