//! Hands a stream from one thread to the next in large blocks: decrypting, inflating and writing go on at the same time.

use std::{
    io::{self, BufRead, Read},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::Scope,
};

use super::Damage;
use crate::system::Cancel;

/// Large enough that a block costs nothing, small enough that a few of them fit into the cache.
const BLOCK: usize = 256 << 10;

/// Blocks between two threads: what evens out their speeds.
const DEPTH: usize = 4;

/// The reading end.
pub(super) struct Relay {
    full: Receiver<Result<Vec<u8>, Damage>>,
    /// Where used blocks go back to be filled again; what is full there is let go.
    empty: SyncSender<Vec<u8>>,
    block: Vec<u8>,
    at: usize,
}

impl Relay {
    /// Reads `source` on a thread of its own, to its end or to its first error, which `damage` puts into words. The thread
    /// also ends when nobody reads from the relay any more.
    pub(super) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        source: impl Read + Send + 'scope,
        stop: &'scope Cancel,
        damage: fn(io::Error) -> Damage,
    ) -> Self {
        let (full_in, full) = sync_channel(DEPTH);
        let (empty, empty_out) = sync_channel(DEPTH);
        scope.spawn(move || pump(source, &full_in, &empty_out, stop, damage));
        Self { full, empty, block: Vec::new(), at: 0 }
    }
}

fn pump(
    mut source: impl Read,
    full: &SyncSender<Result<Vec<u8>, Damage>>,
    empty: &Receiver<Vec<u8>>,
    stop: &Cancel,
    damage: fn(io::Error) -> Damage,
) {
    loop {
        let mut block = empty.try_recv().unwrap_or_default();
        block.resize(BLOCK, 0);
        let filled = fill(&mut source, &mut block);
        let (length, end) = match filled {
            Ok(length) => (length, length < BLOCK),
            Err(error) => {
                // Nobody may be left to hear it: then another error has ended the run already.
                let _ = full.send(Err(damage(error)));
                return;
            }
        };
        block.truncate(length);
        if stop.is_raised() {
            let _ = full.send(Err(super::damage::stopped()));
            return;
        }
        if (length > 0 && full.send(Ok(block)).is_err()) || end {
            return;
        }
    }
}

/// Fills a block unless the stream ends before.
fn fill(source: &mut impl Read, block: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < block.len() {
        match source.read(&mut block[length..]) {
            Ok(0) => break,
            Ok(some) => length += some,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

impl BufRead for Relay {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.block.len() {
            // The other side is gone: it has sent all there was.
            let Ok(next) = self.full.recv() else { return Ok(&[]) };
            let used = std::mem::replace(&mut self.block, next.map_err(io::Error::other)?);
            self.at = 0;
            let _ = self.empty.try_send(used);
        }
        Ok(&self.block[self.at..])
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount;
    }
}

impl Read for Relay {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let some = bytes.len().min(buffer.len());
        buffer[..some].copy_from_slice(&bytes[..some]);
        self.consume(some);
        Ok(some)
    }
}
