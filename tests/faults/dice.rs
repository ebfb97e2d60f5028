//! Chance that can be had again: everything follows from the seed that the test prints.

use std::hash::{BuildHasher, RandomState};

/// SplitMix64, which is enough to spread moments evenly.
pub struct Dice(u64);

impl Dice {
    /// From the seed in `MAINSTAY_FAULT_SEED`, or from one that nobody knows; the seed.
    pub fn new() -> (Self, u64) {
        let given = std::env::var("MAINSTAY_FAULT_SEED").ok();
        let seed = match given {
            Some(text) => text.parse().expect("MAINSTAY_FAULT_SEED is a number"),
            None => RandomState::new().hash_one(()),
        };
        (Self(seed), seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to below 1.
    pub fn share(&mut self) -> f64 {
        f64::from(u32::try_from(self.number() >> 32).expect("32 bits")) / (f64::from(u32::MAX) + 1.0)
    }

    pub fn coin(&mut self) -> bool {
        self.number() & 1 == 1
    }
}
