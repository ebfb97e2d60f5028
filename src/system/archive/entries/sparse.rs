//! Files with holes: where in the file the bytes belong that the archive has of it.
//!
//! GNU tar manual, "Storing Sparse Files": three ways to say it in pax records (0.0, 0.1, and 1.0, where the map stands
//! before the bytes), and an old one in the header itself.

use super::{Damage, altered};

/// A file whose map is longer is refused: the map is held in memory.
pub(super) const MOST_PIECES: usize = 1 << 20;

/// What records say about a file with holes.
#[derive(Clone, Debug, Default)]
pub(super) struct Sparse {
    /// 1.0: the map stands before the bytes.
    pub(super) major: Option<u64>,
    pub(super) minor: Option<u64>,
    /// The file's name; the header has a made-up one.
    pub(super) name: Option<Vec<u8>>,
    /// The length with holes.
    pub(super) size: Option<u64>,
    /// 0.0 and 0.1: offsets and lengths, by turns.
    numbers: Vec<u64>,
    listed: bool,
}

/// Where the bytes belong that the archive has of a file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(in super::super) struct Map {
    /// The length of the file.
    pub(in super::super) size: u64,
    /// Offset and length of each piece, in order, apart from each other.
    pub(super) pieces: Vec<(u64, u64)>,
}

impl Sparse {
    /// Takes in a record; `key` is without `GNU.sparse.`.
    pub(super) fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), Damage> {
        match key {
            b"major" => self.major = Some(decimal(value)?),
            b"minor" => self.minor = Some(decimal(value)?),
            b"name" => self.name = Some(value.to_vec()),
            b"realsize" | b"size" => self.size = Some(decimal(value)?),
            b"map" => {
                self.listed = true;
                self.numbers = value.split(|byte| *byte == b',').map(decimal).collect::<Result<_, _>>()?;
            }
            b"offset" | b"numbytes" => {
                self.listed = true;
                // They come by turns, offset first.
                if (key == b"offset") != self.numbers.len().is_multiple_of(2) {
                    return Err(wrong());
                }
                self.numbers.push(decimal(value)?);
            }
            // How many pieces there are is seen.
            _ => {}
        }
        Ok(())
    }

    /// Whether the records speak of a file with holes at all.
    pub(super) fn is_said(&self) -> bool {
        self.major.is_some() || self.size.is_some() || self.listed
    }

    /// The pieces of 0.0 and 0.1.
    pub(super) fn pieces(&self) -> Result<Vec<(u64, u64)>, Damage> {
        if !self.numbers.len().is_multiple_of(2) {
            return Err(wrong());
        }
        Ok(self.numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
    }
}

impl Map {
    /// A map for `stored` bytes; the pieces must be in order, apart, inside of the file, and as long together as what is
    /// stored.
    pub(super) fn new(size: u64, pieces: Vec<(u64, u64)>, stored: u64) -> Result<Self, Damage> {
        let (mut end, mut sum) = (0_u64, 0_u64);
        if pieces.len() > MOST_PIECES {
            return Err(wrong());
        }
        for (offset, length) in &pieces {
            if *offset < end {
                return Err(wrong());
            }
            end = offset.checked_add(*length).filter(|end| *end <= size).ok_or_else(wrong)?;
            // Cannot overflow: pieces are apart, so the sum is not above the end.
            sum += length;
        }
        if sum == stored { Ok(Self { size, pieces }) } else { Err(wrong()) }
    }
}

/// A number of a map or a record.
pub(super) fn decimal(digits: &[u8]) -> Result<u64, Damage> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| plain).and_then(|text| text.parse().ok()).ok_or_else(wrong)
}

pub(super) fn wrong() -> Damage {
    altered("the map of a file with holes is wrong")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backup_case_48_a_map_that_does_not_fit_is_refused() {
        let good = vec![(0, 10), (20, 5), (100, 0)];
        assert!(Map::new(100, good.clone(), 15).is_ok());
        for (size, pieces, stored) in [
            (100, good.clone(), 16),
            (24, good, 15),
            (100, vec![(20, 5), (0, 10)], 15),
            (100, vec![(0, 10), (9, 5)], 15),
            (u64::MAX, vec![(u64::MAX, 2)], 2),
        ] {
            assert!(Map::new(size, pieces.clone(), stored).is_err(), "{pieces:?}");
        }
    }

    #[test]
    fn the_two_old_ways_to_write_records_mean_the_same() {
        let mut listed = Sparse::default();
        listed.take(b"map", b"0,10,20,5").unwrap();
        let mut repeated = Sparse::default();
        for (key, value) in [("offset", "0"), ("numbytes", "10"), ("offset", "20"), ("numbytes", "5")] {
            repeated.take(key.as_bytes(), value.as_bytes()).unwrap();
        }
        assert_eq!(listed.pieces().unwrap(), [(0, 10), (20, 5)]);
        assert_eq!(repeated.pieces().unwrap(), listed.pieces().unwrap());
        assert!(Sparse::default().take(b"numbytes", b"1").is_err(), "a length without an offset");
        assert!(Sparse::default().take(b"map", b"1,").is_err());
        assert!(Sparse::default().take(b"realsize", b"-1").is_err());
    }
}
