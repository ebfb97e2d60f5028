//! Whether bytes are worth packing: what is packed or encrypted already is not.

use flate2::{Compress, Compression, FlushCompress};

/// Of 8 bits a byte. The sample below shows 7.99 of true noise.
const ENTROPY: f64 = 7.95;

/// The sample: so many pieces of so many bytes, spread over the block.
const PIECES: usize = 64;
const PIECE: usize = 256;

/// What is tried out when the sample looks like noise.
const TRIAL: usize = 16 << 10;

/// Whether deflate would gain nothing on the block: its bytes are about as likely as each other, and a part of it that was
/// tried out did not shrink (one key repeated over and over has likely bytes too).
pub(super) fn is_noise(block: &[u8]) -> bool {
    block.len() >= PIECES * PIECE && entropy(block) > ENTROPY && !shrinks(block)
}

/// Bits a byte in the sample (Shannon, without regard to order).
fn entropy(block: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    let step = (block.len() - PIECE) / (PIECES - 1);
    for piece in 0..PIECES {
        for byte in &block[piece * step..][..PIECE] {
            counts[usize::from(*byte)] += 1;
        }
    }
    let total = f64::from((PIECES * PIECE) as u32);
    let bits = |count: &u32| f64::from(*count) / total * (total / f64::from(*count)).log2();
    counts.iter().filter(|count| **count > 0).map(bits).sum()
}

fn shrinks(block: &[u8]) -> bool {
    let start = (block.len() - TRIAL) / 2;
    let mut packed = Vec::with_capacity(TRIAL - TRIAL / 50);
    let mut deflate = Compress::new(Compression::fast(), false);
    // It has shrunk when it fits into less.
    let status = deflate.compress_vec(&block[start..][..TRIAL], &mut packed, FlushCompress::Finish);
    matches!(status, Ok(flate2::Status::StreamEnd))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_packed_is_noise() {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        };
        let random: Vec<u8> = (0..100_000).map(|_| next()).collect();
        let digits: Vec<u8> = random.iter().map(|byte| b"0123456789abcdef"[usize::from(byte % 16)]).collect();
        let repeated = random[..4096].repeat(20);
        assert!(is_noise(&random));
        assert!(!is_noise(&digits), "a key in hexadecimal digits has 4 bits a byte");
        assert!(!is_noise(&repeated), "the same again and again");
        assert!(!is_noise(&random[..1000]), "too little to tell");
        assert!(!is_noise(&[7; 100_000]));
    }
}
