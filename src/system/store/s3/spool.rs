//! A spooled archive, read piece by piece on threads that may block.

use std::{fs::File, os::unix::fs::FileExt, sync::Arc};

use sha2::{Digest, Sha256};

use super::checksum::Sums;
use crate::system::store::{Reason, Trouble};

/// What is left of a spool.
pub(super) struct Spool {
    file: Arc<File>,
    bytes: u64,
    sha256: [u8; 32],
    /// How large the pieces are.
    size: u64,
    at: u64,
    hash: Sha256,
}

/// A piece of it: in memory, so that it can be sent again.
pub(super) struct Piece {
    pub(super) bytes: bytes::Bytes,
    pub(super) sums: Sums,
}

impl Spool {
    pub(super) fn new(file: Arc<File>, bytes: u64, sha256: [u8; 32], size: u64) -> Self {
        Self { file, bytes, sha256, size: size.max(1), at: 0, hash: Sha256::new() }
    }

    /// The next piece, and the rest; `None` at the end. The last piece comes only where all of them are what was spooled.
    pub(super) async fn next(self) -> Result<Option<(Piece, Self)>, Trouble> {
        if self.at == self.bytes {
            return Ok(None);
        }
        let read = tokio::task::spawn_blocking(move || self.read());
        match read.await {
            Ok(read) => read.map(Some),
            Err(error) => Err(damaged(&format!("cannot be read: {error}"))),
        }
    }

    fn read(mut self) -> Result<(Piece, Self), Trouble> {
        let length = self.size.min(self.bytes - self.at);
        let length = usize::try_from(length).map_err(|error| damaged(&format!("cannot be read: {error}")))?;
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, self.at).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => damaged("is shorter than it was"),
            _ => damaged(&format!("cannot be read: {error}")),
        })?;
        self.hash.update(&bytes);
        self.at += length as u64;
        if self.at == self.bytes && self.hash.clone().finalize().as_slice() != self.sha256 {
            return Err(damaged("is not what was written there"));
        }
        let sums = Sums::of(&bytes);
        Ok((Piece { bytes: bytes.into(), sums }, self))
    }
}

fn damaged(why: &str) -> Trouble {
    let fix = "check the disk of the spool, and run it again";
    Trouble::new(Reason::Damaged, format!("the spooled archive {why}"), fix)
}
