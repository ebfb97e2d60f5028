//! Reads an archive from where it is kept, to its very end: with keys to the last file, without to the last byte.

use std::{io, sync::Arc};

use sha2::{Digest, Sha256};

use crate::system::{
    Context,
    archive::{Damage, Flaw, Keys, Limits, Terms, Verified, verify},
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

fn hash(mut reader: impl io::Read, tick: &dyn Fn(u64), cancel: &crate::system::Cancel) -> Result<Proof, Damage> {
    let (mut digest, mut bytes) = (Sha256::new(), 0);
    let mut chunk = vec![0; 256 << 10];
    loop {
        if cancel.is_raised() {
            return Err(Damage::new(Flaw::System, "a signal ended the run", "run the command again"));
        }
        match reader.read(&mut chunk) {
            Ok(0) => return Ok(Proof { bytes, sha256: digest.finalize().into(), opened: None }),
            Ok(read) => {
                digest.update(&chunk[..read]);
                bytes += read as u64;
                tick(read as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Damage::new(Flaw::System, error.to_string(), "check the medium")),
        }
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
