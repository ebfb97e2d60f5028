//! Zstandard on all cores (RFC 8878), into one frame with a checksum.

use std::{
    io::Write,
    sync::mpsc::{self, sync_channel},
    thread,
};

use ::zstd::stream::{raw::CParameter, write::Encoder};

use super::{
    blocks::{self, Blocks, Gone},
    write::cannot_store,
};
use crate::error::Result;

/// What all threads together take at once. Their memory is about four times that; a thread that takes less than 2 MiB finds
/// less to refer to, and one that takes more than 4 MiB gains nothing.
const JOBS: usize = 12 << 20;

/// So many blocks may wait, so that a busy machine finds work for whoever gets its turn.
const WAITING: usize = 8;

/// Packs what `produce` writes at a level of Zstandard (1 to 22; 3 is its default), on `cores` threads and one for
/// `produce`, into `out` on this thread.
///
/// # Errors
///
/// What `out` said, or else what `produce` said; the stream has no end then.
pub(super) fn pack<T: Send>(
    level: i32,
    cores: usize,
    produce: impl FnOnce(&mut dyn Write) -> Result<T> + Send,
    out: &mut dyn Write,
) -> Result<T> {
    let mut encoder = Encoder::new(out, level).map_err(|error| cannot_store(&error))?;
    // Each has 2 MiB or more.
    let workers = cores.min(6);
    let job = (JOBS / workers).min(4 << 20);
    let (workers, job) = (workers as u32, job as u32);
    for parameter in [CParameter::NbWorkers(workers), CParameter::JobSize(job), CParameter::ChecksumFlag(true)] {
        encoder.set_parameter(parameter).map_err(|error| cannot_store(&error))?;
    }
    let (full, filled) = sync_channel::<Vec<u8>>(WAITING);
    let (empty, emptied) = mpsc::channel();
    thread::scope(|scope| {
        let producer = scope.spawn(move || {
            let mut blocks = Blocks::new(|block| {
                full.send(block).map_err(|_| Gone)?;
                Ok(emptied.try_recv().unwrap_or_else(|_| Vec::with_capacity(blocks::SIZE)))
            });
            let made = produce(&mut blocks)?;
            blocks.finish().map_err(|error| cannot_store(&error))?;
            Ok(made)
        });
        let packed = filled.into_iter().try_for_each(|mut block| {
            encoder.write_all(&block)?;
            block.clear();
            // The producer may have written its last.
            let _ = empty.send(block);
            Ok(())
        });
        let made: Result<T> = producer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        packed.map_err(|error| cannot_store(&error))?;
        let made = made?;
        // The end is written only when everything before it is there.
        encoder.finish().map_err(|error| cannot_store(&error))?;
        Ok(made)
    })
}
