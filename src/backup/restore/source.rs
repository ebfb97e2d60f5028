//! The archive as a restore reads it: opened at its destination, read on a thread of its own, to the end.

use std::{io::Read, sync::Arc};

use super::{
    ID,
    request::{Privileges, Source},
};
use crate::{
    error::{Error, Kind, Result},
    report::Finding,
    rules::{manifest::Entry, sidecar::Sidecar},
    system::{
        Cancel, Context,
        archive::{
            self, Accounts, Bits, Damage, ExtractOptions, Glance, Keys, Limits, Owner, Stage, Staged, Terms, Verified,
        },
        store::Trouble,
    },
};

/// How an archive is opened and unpacked. Both read the stream to its end, and say `Ok` only where everything agrees: the
/// packing, the encryption, every file with the manifest.
pub trait Unpack: Send + Sync {
    /// Reads an archive and keeps nothing of it; calls `each` for every entry in the order of the archive.
    ///
    /// # Errors
    ///
    /// It is not good.
    fn verify(&self, reader: Box<dyn Read + Send>, glance: Glance<'_>, watch: Watch<'_>) -> Result<Verified, Damage>;

    /// Unpacks the entries whose path `select` takes into the folder `stage`, with the folders that they lie in; calls
    /// `each` for every one of them. Nothing leads out of the folder.
    ///
    /// # Errors
    ///
    /// It is not good, or cannot be written. What was unpacked until then stays in the folder.
    fn extract(
        &self,
        reader: Box<dyn Read + Send>,
        stage: &Stage,
        select: &dyn Fn(&[u8]) -> bool,
        watch: Watch<'_>,
    ) -> Result<Verified, Damage>;
}

/// Who looks on while an archive is read.
pub struct Watch<'a> {
    /// Gets every entry.
    pub each: &'a mut dyn FnMut(&Entry),
    /// Gets the number of further bytes of the archive that have been read.
    pub tick: &'a (dyn Fn(u64) + Sync),
    /// Whether reading should end with an error now.
    pub stop: &'a Cancel,
}

/// An archive of `mainstay`, or one that was made by hand with `tar` and `age`.
pub struct Sealed {
    keys: Arc<Keys>,
    sealed_for: Vec<String>,
    limits: Limits,
    privileges: Privileges,
}

/// How many bytes an archive without a sidecar may unpack to. Its plan reads it to the end and keeps nothing of it, so it
/// is known before a byte is written whether it fits.
const UNTOLD: u64 = 1 << 44;

impl Sealed {
    /// An archive that `keys` open; its sidecar says how much may be in it.
    pub fn new(keys: Arc<Keys>, sidecar: Option<&Sidecar>, privileges: Privileges) -> Self {
        let limits = sidecar.map_or(Limits::of_stranger(UNTOLD), |sidecar| Limits::of(&sidecar.contents));
        let sealed_for = sidecar.map(|sidecar| sidecar.sealed_for.clone()).unwrap_or_default();
        Self { keys, sealed_for, limits, privileges }
    }

    fn terms<'a>(&'a self, tick: &'a (dyn Fn(u64) + Sync), stop: &'a Cancel) -> Terms<'a> {
        Terms { keys: &self.keys, sealed_for: &self.sealed_for, limits: self.limits, tick, stop }
    }
}

impl Unpack for Sealed {
    fn verify(&self, reader: Box<dyn Read + Send>, glance: Glance<'_>, watch: Watch<'_>) -> Result<Verified, Damage> {
        archive::glance(reader, &self.terms(watch.tick, watch.stop), watch.each, glance)
    }

    fn extract(
        &self,
        reader: Box<dyn Read + Send>,
        stage: &Stage,
        select: &dyn Fn(&[u8]) -> bool,
        watch: Watch<'_>,
    ) -> Result<Verified, Damage> {
        let owner = match rustix::process::geteuid().is_root() {
            true => Owner::Former(Accounts::of_machine()),
            false => Owner::Own,
        };
        let bits = match self.privileges {
            Privileges::Drop => Bits::Strip,
            Privileges::Keep => Bits::Keep,
        };
        let options = ExtractOptions { select, owner, bits };
        let each = &mut |staged: &Staged<'_>| (watch.each)(staged.entry);
        archive::extract(reader, &self.terms(watch.tick, watch.stop), stage, &options, each)
    }
}

/// Why an archive could not be read.
pub(super) enum Failure {
    /// The archive is not good, or its stage could not be written.
    Archive(Damage),
    /// The destination did not give it, or not all of it.
    Destination(Trouble),
    /// A signal ended it, or this machine failed.
    Run(Error),
}

/// Opens the archive and gives it to `job` on a thread that may block. What the job says counts only if the destination says
/// that this was the whole object.
pub(super) async fn read<T: Send + 'static>(
    source: &Source,
    context: &Context,
    label: &str,
    job: impl FnOnce(Box<dyn Read + Send>, &Context) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let reading = source.shelf.open(&source.object).await.map_err(Failure::Destination)?;
    context.progress.begin(label, source.sidecar.as_ref().map(|sidecar| sidecar.file.bytes));
    let inner = context.clone();
    let done = tokio::task::spawn_blocking(move || job(reading.reader, &inner)).await;
    context.progress.end();
    let done = done.unwrap_or_else(|error| Err(Failure::Run(gone(&error))));
    if context.cancel.is_raised() {
        return Err(Failure::Run(Error::new(Kind::Interrupted, "restore").because("a signal came")));
    }
    // A producer that was killed looks like an early end, so its own words come first.
    reading.done.await.map_err(Failure::Destination)?;
    done
}

/// Runs what blocks on a thread of its own.
pub(super) async fn block<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(job).await.map_err(|error| gone(&error))
}

/// A thread that panicked. The panic itself has been reported by whoever reports panics.
fn gone(error: &tokio::task::JoinError) -> Error {
    Error::new(Kind::Failed, "restore").because(error).hint("report this as a bug of mainstay")
}

impl Failure {
    /// As a finding, unless it ends the run.
    pub(super) fn into_finding(self, name: &str, source: &Source) -> Result<Finding> {
        Ok(match self {
            Self::Archive(damage) => {
                Finding::fail(ID, name, format!("archive {} cannot be restored: {damage}", source.id))
                    .fix(damage.fix.clone())
                    .data("reason", damage.reason.word())
            }
            Self::Destination(trouble) => {
                let from = source.shelf.address();
                Finding::fail(ID, name, format!("archive {} cannot be read from {from}: {trouble}", source.id))
                    .fix(trouble.fix.clone())
                    .data("reason", trouble.reason.word())
            }
            Self::Run(error) => return Err(error),
        }
        .data("archive", source.id.as_str()))
    }
}

impl From<Damage> for Failure {
    fn from(damage: Damage) -> Self {
        Self::Archive(damage)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Run(error)
    }
}

impl Source {
    /// Refuses what was not made by somebody who is accepted.
    pub(super) fn refusal(&self, name: &str, unsigned: super::Unsigned) -> Option<Finding> {
        use crate::backup::Origin;
        let accept = unsigned == super::Unsigned::Accept;
        let refused = |why: String, reason: &str, fix: &str| {
            let summary = format!("archive {} is not restored: {why}", self.id);
            Some(Finding::fail(ID, name, summary).fix(fix).data("reason", reason).data("archive", self.id.as_str()))
        };
        match &self.origin {
            Origin::Signed(_) => None,
            Origin::Stranger(_) | Origin::Unsigned if accept => None,
            Origin::Stranger(key) => refused(
                format!("it is signed by key {key}, which nobody has accepted"),
                "stranger",
                "if you know that key, add it to `signers` or pass it with --signer; else restore an older archive",
            ),
            Origin::Unsigned => refused(
                "it is not signed, so anybody who can write to the destination may have made it".to_owned(),
                "unsigned",
                "pass --allow-unsigned if you know where it comes from",
            ),
            Origin::Forged(why) => refused(
                format!("its signature is false: {why}"),
                "forged",
                "restore another archive, and find out who can write to the destination",
            ),
        }
    }

    /// The hash that the archive must have, where somebody has said so.
    pub(super) fn sha256(&self) -> Option<&str> {
        self.sidecar.as_ref().map(|sidecar| sidecar.file.sha256.as_str())
    }
}

/// Whether the stream that was read is the one that was meant: the signature covers the archive through this hash only.
pub(super) fn is_meant(verified: &Verified, sha256: Option<&str>) -> Result<(), Damage> {
    let read = crate::rules::manifest::hex(&verified.sha256);
    match sha256 {
        Some(meant) if !meant.eq_ignore_ascii_case(&read) => Err(Damage::new(
            crate::system::archive::Flaw::Altered,
            "it is not the archive that its sidecar describes",
            "restore another archive, and find out who can write to the destination",
        )),
        _ => Ok(()),
    }
}

/// Closes the memory of this process to core dumps: from here on it holds secrets.
pub(super) fn keep_secrets_in() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    // Where a sandbox forbids it, a restore is still worth more than none.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// How an archive is unpacked, shared by plan and apply.
pub(super) fn unpacker(source: &Source) -> Arc<dyn Unpack> {
    Arc::clone(&source.unpack)
}
