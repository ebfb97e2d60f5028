//! gzip on all cores, into one member (RFC 1952) that every reader takes.
//!
//! Blocks are deflated (RFC 1951) by themselves, each with the end of the one before as its dictionary, and end at a whole
//! byte by an empty stored block, so that they can be put one after the other as they are.

use std::{
    io::{self, Write},
    mem,
    sync::{
        Mutex, PoisonError,
        mpsc::{self, Receiver, Sender, SyncSender, sync_channel},
    },
    thread,
};

use crc32fast::Hasher;
use flate2::{Compress, Compression, FlushCompress};

use super::{
    blocks::{self, Blocks, Gone},
    noise,
    write::cannot_store,
};
use crate::error::Result;

/// How far back deflate can refer.
const WINDOW: usize = 32 << 10;

/// RFC 1952: magic, deflate, no flags, no time, no hint, Unix.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];

/// An empty last block.
const LAST: [u8; 2] = [3, 0];

/// So many blocks more than there are cores may be on their way, so that a busy machine finds work for whoever gets its turn.
const WAITING: usize = 6;

/// A block on its way to a core.
struct Job {
    block: Vec<u8>,
    dictionary: Vec<u8>,
    reply: SyncSender<Packed>,
}

/// A block that was packed.
struct Packed {
    bytes: Vec<u8>,
    crc: Hasher,
}

/// Packs what `produce` writes, on `cores` threads and one for `produce`, into `out` on this thread.
///
/// # Errors
///
/// What `out` said, or else what `produce` said; the stream has no end then.
pub(super) fn pack<T: Send>(
    level: u32,
    cores: usize,
    produce: impl FnOnce(&mut dyn Write) -> Result<T> + Send,
    out: &mut dyn Write,
) -> Result<T> {
    let (jobs, todo) = mpsc::channel::<Job>();
    let todo = Mutex::new(todo);
    // The turns bound everything: a block is on its way or packed while its turn is in the queue.
    let (queue, turns) = sync_channel::<Receiver<Packed>>(cores + WAITING);
    let (empty, emptied) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..cores {
            let (todo, empty) = (&todo, empty.clone());
            scope.spawn(move || work(todo, level, &empty));
        }
        let producer = scope.spawn(move || {
            let mut dictionary = Vec::new();
            let mut blocks = Blocks::new(|block: Vec<u8>| {
                let end = block[block.len().saturating_sub(WINDOW)..].to_vec();
                let (reply, turn) = sync_channel(1);
                queue.send(turn).map_err(|_| Gone)?;
                jobs.send(Job { block, dictionary: mem::replace(&mut dictionary, end), reply }).map_err(|_| Gone)?;
                Ok(emptied.try_recv().unwrap_or_else(|_| Vec::with_capacity(blocks::SIZE)))
            });
            let made = produce(&mut blocks)?;
            blocks.finish().map_err(|error| cannot_store(&error))?;
            Ok(made)
        });
        let packed = collect(turns, out);
        let made: Result<T> = producer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // The end is written only when everything before it is there.
        let crc = packed.map_err(|error| cannot_store(&error))?;
        let made = made?;
        finish(&crc, out).map_err(|error| cannot_store(&error))?;
        Ok(made)
    })
}

/// Writes the header and the packed blocks in their order; when it fails, the turns are gone and the producer ends.
fn collect(turns: Receiver<Receiver<Packed>>, out: &mut dyn Write) -> io::Result<Hasher> {
    let mut crc = Hasher::new();
    out.write_all(&HEADER)?;
    for turn in turns {
        let packed = turn.recv().expect("a worker answers every job");
        crc.combine(&packed.crc);
        out.write_all(&packed.bytes)?;
    }
    Ok(crc)
}

fn finish(crc: &Hasher, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&LAST)?;
    out.write_all(&crc.clone().finalize().to_le_bytes())?;
    // Modulo 2^32, as RFC 1952 has it.
    out.write_all(&(crc.total_len() as u32).to_le_bytes())
}

/// Packs blocks until there are no more.
fn work(todo: &Mutex<Receiver<Job>>, level: u32, empty: &Sender<Vec<u8>>) {
    let mut deflate = Compress::new(Compression::new(level), false);
    loop {
        let job = todo.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { mut block, dictionary, reply }) = job else { return };
        let mut crc = Hasher::new();
        crc.update(&block);
        let bytes = match noise::is_noise(&block) {
            true => store(&block),
            false => squeeze(&mut deflate, &dictionary, &block),
        };
        // Who waits for it may have failed; the producer learns that by itself.
        let _ = reply.send(Packed { bytes, crc });
        block.clear();
        let _ = empty.send(block);
    }
}

fn squeeze(deflate: &mut Compress, dictionary: &[u8], block: &[u8]) -> Vec<u8> {
    deflate.reset();
    if !dictionary.is_empty() {
        deflate.set_dictionary(dictionary).expect("a raw stream takes a dictionary at its beginning");
    }
    let mut packed = Vec::with_capacity(block.len() / 2);
    loop {
        let taken = deflate.total_in() as usize;
        deflate
            .compress_vec(&block[taken..], &mut packed, FlushCompress::Sync)
            .expect("a stream that was not ended takes more");
        // A flush is over when there was room left after it.
        if deflate.total_in() as usize == block.len() && packed.len() < packed.capacity() {
            return packed;
        }
        packed.reserve(block.len() / 8 + 1024);
    }
}

/// Stored blocks: a byte of header at a whole byte, the length and its complement.
fn store(block: &[u8]) -> Vec<u8> {
    let most = usize::from(u16::MAX);
    let mut stored = Vec::with_capacity(block.len() + 5 * block.len().div_ceil(most));
    for piece in block.chunks(most) {
        let length = piece.len() as u16;
        stored.push(0);
        stored.extend(length.to_le_bytes());
        stored.extend((!length).to_le_bytes());
        stored.extend(piece);
    }
    stored
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;
    use crate::error::{Error, Kind};

    fn packed(content: &[u8], piece: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let produce = |into: &mut dyn Write| {
            for piece in content.chunks(piece) {
                into.write_all(piece).unwrap();
            }
            Ok(())
        };
        pack(6, 2, produce, &mut out).unwrap();
        out
    }

    fn unpacked(bytes: &[u8]) -> Vec<u8> {
        let mut content = Vec::new();
        // One member only: a second one would not be read.
        let mut reader = flate2::bufread::GzDecoder::new(bytes);
        reader.read_to_end(&mut content).unwrap();
        assert!(reader.into_inner().is_empty(), "nothing after the member");
        content
    }

    /// A sequence that no compressor knows.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn text_noise_and_both_come_back() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(|line| format!("line {line}\n").into_bytes()).collect();
        let noise = noise(blocks::SIZE * 3 + 77);
        for content in [&b""[..], b"x", &text, &noise, &[&noise[..], &text, &noise[..99]].concat()] {
            assert!(unpacked(&packed(content, 10_007)) == content, "{} bytes", content.len());
        }
        assert!(packed(&text, 512).len() < text.len() / 3);
        let stored = packed(&noise, 512).len();
        assert!(stored < noise.len() + noise.len() / 5000, "noise does not grow: {stored}");
    }

    #[test]
    fn blocks_are_cut_at_almost_no_cost() {
        let text: Vec<u8> = (0..150_000_u32)
            .flat_map(|line| format!("{:x}\n", u64::from(line) * u64::from(line)).into_bytes())
            .collect();
        let mut whole = flate2::write::GzEncoder::new(Vec::new(), Compression::new(6));
        whole.write_all(&text).unwrap();
        let (whole, cut) = (whole.finish().unwrap().len(), packed(&text, 4096).len());
        assert!(cut < whole + whole / 200, "{cut} against {whole}");
    }

    #[test]
    fn a_failed_producer_leaves_no_end() {
        let mut out = Vec::new();
        let produce = |into: &mut dyn Write| {
            into.write_all(&noise(blocks::SIZE * 9)).unwrap();
            Err::<(), _>(Error::new(Kind::Failed, "go on"))
        };
        assert_eq!(pack(6, 2, produce, &mut out).unwrap_err().what, "go on");
        assert!(flate2::read::GzDecoder::new(&out[..]).read_to_end(&mut Vec::new()).is_err());
    }

    #[test]
    fn a_full_store_ends_the_producer_and_is_what_is_told() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let content = noise(blocks::SIZE);
        let produce = |into: &mut dyn Write| -> Result<()> {
            loop {
                into.write_all(&content).map_err(|error| cannot_store(&error))?;
            }
        };
        let error = pack(6, 2, produce, &mut Full(3 << 20)).unwrap_err();
        assert!(error.why[0].contains("no storage space"), "{error:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn every_stream_comes_back(
            parts in proptest::collection::vec((any::<u8>(), 1_usize..400_000, any::<bool>()), 0..6), piece in 1_usize..70_000,
        ) {
            let random = noise(400_000);
            let part = |(byte, length, noisy): &(u8, usize, bool)| match noisy {
                true => random[..*length].to_vec(),
                false => vec![*byte; *length],
            };
            let content: Vec<u8> = parts.iter().flat_map(part).collect();
            prop_assert!(unpacked(&packed(&content, piece)) == content);
        }
    }
}
