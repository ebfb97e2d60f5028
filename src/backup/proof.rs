//! Reads an archive from where it is kept, to its very end: with keys to the last file, without to the last byte.

use std::{io, sync::Arc};

use crate::system::{
    Cancel, Context,
    archive::{Damage, Flaw, Keys, Limits, Terms, Verified, verify},
    file,
    store::{Reading, Shelf, Trouble},
};

/// What an archive turned out to be.
pub(super) struct Proof {
    /// The length of what is stored.
    pub bytes: u64,
    /// The SHA-256 of what is stored.
    pub sha256: [u8; 32],
    /// What is in it, where it was opened.
    pub opened: Option<Verified>,
}

/// What is needed to open an archive.
#[derive(Clone)]
pub(super) struct Opener {
    pub keys: Arc<Keys>,
    pub sealed_for: Vec<String>,
    pub limits: Limits,
}

/// Why an archive is not proved good.
#[derive(Debug)]
pub(super) enum Unproved {
    /// It is not good.
    Archive(Damage),
    /// It could not be read from where it is kept.
    Place(Trouble),
}

/// Reads an archive to its end.
///
/// # Errors
///
/// It is not good, or could not be read; a producer that failed looks like an early end, so what it says comes first.
pub(super) async fn read(
    shelf: &dyn Shelf,
    name: &str,
    opener: Option<Opener>,
    context: &Context,
) -> Result<Proof, Unproved> {
    let Reading { reader, done } = shelf.open(name).await.map_err(Unproved::Place)?;
    let (cancel, progress) = (context.cancel.clone(), Arc::clone(&context.progress));
    let work = tokio::task::spawn_blocking(move || {
        let tick = |bytes| progress.advance(bytes);
        match opener {
            None => hash(reader, &tick, &cancel),
            Some(Opener { keys, sealed_for, limits }) => {
                let terms = Terms { keys: &keys, sealed_for: &sealed_for, limits, tick: &tick, stop: &cancel };
                let found = verify(reader, &terms, &mut |_| {})?;
                Ok(Proof { bytes: found.bytes, sha256: found.sha256, opened: Some(found) })
            }
        }
    });
    let (proof, done) = tokio::join!(work, done);
    let system = |error: tokio::task::JoinError| Damage::new(Flaw::System, error.to_string(), "run the command again");
    match (proof.unwrap_or_else(|error| Err(system(error))), done) {
        (Ok(proof), Ok(())) => Ok(proof),
        // Where both speak, damage found before the end is the reader's to tell, and an early end the producer's.
        (Err(damage), Ok(())) => Err(Unproved::Archive(damage)),
        (_, Err(trouble)) => Err(Unproved::Place(trouble)),
    }
}

fn hash(reader: impl io::Read, tick: &dyn Fn(u64), cancel: &Cancel) -> Result<Proof, Damage> {
    match file::sha256(Watched { reader, tick, cancel }) {
        Ok((bytes, sha256)) => Ok(Proof { bytes, sha256, opened: None }),
        Err(_) if cancel.is_raised() => {
            Err(Damage::new(Flaw::System, "a signal ended the run", "run the command again"))
        }
        Err(error) => Err(Damage::new(Flaw::System, error.to_string(), "check the medium")),
    }
}

/// A reader that tells how far it is, and ends with an error at a signal.
struct Watched<'a, R> {
    reader: R,
    tick: &'a dyn Fn(u64),
    cancel: &'a Cancel,
}

impl<R: io::Read> io::Read for Watched<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.cancel.is_raised() {
            return Err(io::Error::other("a signal ended the run"));
        }
        let read = self.reader.read(into)?;
        (self.tick)(read as u64);
        Ok(read)
    }
}

impl Unproved {
    /// The word of `data.reason`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Archive(damage) => damage.reason.word(),
            Self::Place(trouble) => trouble.reason.word(),
        }
    }

    /// What is wrong.
    pub fn why(&self) -> &str {
        match self {
            Self::Archive(damage) => &damage.why,
            Self::Place(trouble) => &trouble.why,
        }
    }

    /// What to do.
    pub fn fix(&self) -> &str {
        match self {
            Self::Archive(damage) => &damage.fix,
            Self::Place(trouble) => &trouble.fix,
        }
    }

    /// Whether it says that the archive itself is bad, and not that this run could not look.
    pub fn condemns(&self) -> bool {
        match self {
            Self::Archive(damage) => !matches!(damage.reason, Flaw::System | Flaw::WrongKey | Flaw::WrongPassphrase),
            Self::Place(_) => false,
        }
    }
}
