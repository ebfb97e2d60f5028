//! A stream cut into blocks that go from thread to thread.

use std::io::{self, Write};

/// So many bytes are packed at once: large enough that the cut costs under 0.1 % of the size, small enough that a few of
/// them on each core are nothing.
pub(super) const SIZE: usize = 512 << 10;

/// Cuts what is written into blocks, and hands each on.
pub(super) struct Blocks<F> {
    block: Vec<u8>,
    hand_on: F,
}

/// Whoever should take the blocks has ended: it knows why.
#[derive(Debug)]
pub(super) struct Gone;

impl<F: FnMut(Vec<u8>) -> Result<Vec<u8>, Gone>> Blocks<F> {
    /// `hand_on` takes a block and gives an empty one back.
    pub(super) fn new(hand_on: F) -> Self {
        Self { block: Vec::with_capacity(SIZE), hand_on }
    }

    /// Hands the last block on.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.block.is_empty() { Ok(()) } else { self.hand_on() }
    }

    fn hand_on(&mut self) -> io::Result<()> {
        let block = std::mem::take(&mut self.block);
        self.block = (self.hand_on)(block).map_err(|Gone| io::ErrorKind::BrokenPipe)?;
        Ok(())
    }
}

impl<F: FnMut(Vec<u8>) -> Result<Vec<u8>, Gone>> Write for Blocks<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len().min(SIZE - self.block.len());
        self.block.extend_from_slice(&bytes[..length]);
        if self.block.len() == SIZE {
            self.hand_on()?;
        }
        Ok(length)
    }

    /// Blocks are handed on when they are full, never before.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
