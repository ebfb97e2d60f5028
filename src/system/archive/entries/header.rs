//! One header block of a tar archive.
//!
//! POSIX.1-2024, `pax`, "ustar Interchange Format"; the GNU tar manual, "Basic Tar Format", for what GNU adds: numbers in
//! base 256, long names and sparse files. The fields are read here and not by the `tar` crate, which takes the last eight
//! bytes of a base-256 number and forgets the others: two readers would then see two sizes.

use super::{Damage, altered, hostile, text_of};

/// Everything in a tar archive is cut into blocks of so many bytes.
pub(super) const BLOCK: usize = 512;

/// A header block whose checksum is right.
pub(super) struct Header<'a>(&'a [u8; BLOCK]);

/// What a header announces.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sort {
    Directory,
    File,
    HardLink,
    /// GNU: the name of the target of the next entry, as a body.
    LongLink,
    /// GNU: the name of the next entry, as a body.
    LongName,
    /// Records for all entries that follow.
    PaxAll,
    /// Records for the next entry.
    PaxNext,
    /// GNU: a file with holes, its map in the header.
    Sparse,
    /// A device or a FIFO.
    Special(&'static str),
    Symlink,
}

impl<'a> Header<'a> {
    /// The header in a block; `None` where the checksum is wrong, which is what everything but a header has.
    pub(super) fn read(block: &'a [u8; BLOCK]) -> Option<Self> {
        // The checksum's own field counts as blanks. Some old writers added up signed bytes.
        let bytes = || block[..148].iter().chain(&[b' '; 8]).chain(&block[156..]);
        let unsigned: i64 = bytes().map(|byte| i64::from(*byte)).sum();
        let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
        let told = number(&block[148..156])?;
        (told == i128::from(unsigned) || told == i128::from(signed)).then_some(Self(block))
    }

    pub(super) fn sort(&self) -> Result<Sort, Damage> {
        Ok(match self.0[156] {
            // Before POSIX a folder was a file whose name ends with a slash, and programs still write it.
            0 | b'0' if self.field(0..100).ends_with(b"/") => Sort::Directory,
            0 | b'0' | b'7' => Sort::File,
            b'1' => Sort::HardLink,
            b'2' => Sort::Symlink,
            b'3' | b'4' => Sort::Special("a device"),
            b'5' => Sort::Directory,
            b'6' => Sort::Special("a FIFO"),
            b'K' => Sort::LongLink,
            b'L' => Sort::LongName,
            b'S' => Sort::Sparse,
            b'g' => Sort::PaxAll,
            b'x' => Sort::PaxNext,
            other => {
                let what = char::from(other).escape_default();
                return Err(hostile(format!("it holds an entry of type `{what}`, which no backup holds")));
            }
        })
    }

    /// The name, put together from its two fields where it is too long for one.
    pub(super) fn path(&self) -> Vec<u8> {
        let name = self.field(0..100);
        // GNU's headers have other things in the place of the prefix.
        let posix = self.0[257..263] == *b"ustar\0";
        let prefix = if posix { self.field(345..500) } else { &[] };
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    pub(super) fn link(&self) -> &'a [u8] {
        self.field(157..257)
    }

    pub(super) fn mode(&self) -> Result<u32, Damage> {
        // Some writers put the type of the file above the permissions.
        u32::try_from(self.number(100..108, "mode")? & 0o7777).map_err(|_| altered("a header has a wrong mode"))
    }

    pub(super) fn uid(&self) -> Result<u64, Damage> {
        self.natural(108..116, "owner")
    }

    pub(super) fn gid(&self) -> Result<u64, Damage> {
        self.natural(116..124, "group")
    }

    pub(super) fn size(&self) -> Result<u64, Damage> {
        self.natural(124..136, "size")
    }

    /// Seconds since 1970.
    pub(super) fn mtime(&self) -> Result<i64, Damage> {
        i64::try_from(self.number(136..148, "time")?).map_err(|_| altered("a header has a wrong time"))
    }

    pub(super) fn user(&self) -> Option<String> {
        self.has_names().then(|| text_of(self.field(265..297))).flatten()
    }

    pub(super) fn group(&self) -> Option<String> {
        self.has_names().then(|| text_of(self.field(297..329))).flatten()
    }

    /// GNU: offset and length of up to four pieces of a file with holes, and whether more follow in blocks of their own.
    pub(super) fn pieces(&self) -> Result<(Vec<(u64, u64)>, bool), Damage> {
        Ok((pieces(&self.0[386..482])?, self.0[482] != 0))
    }

    /// GNU: the length of a file with its holes.
    pub(super) fn real_size(&self) -> Result<u64, Damage> {
        self.natural(483..495, "size")
    }

    fn has_names(&self) -> bool {
        self.0[257..262] == *b"ustar"
    }

    /// A text: up to the first NUL.
    fn field(&self, at: std::ops::Range<usize>) -> &'a [u8] {
        let field = &self.0[at];
        &field[..field.iter().position(|byte| *byte == 0).unwrap_or(field.len())]
    }

    fn number(&self, at: std::ops::Range<usize>, what: &str) -> Result<i128, Damage> {
        number(&self.0[at]).ok_or_else(|| altered(format!("a header has a wrong {what}")))
    }

    fn natural(&self, at: std::ops::Range<usize>, what: &str) -> Result<u64, Damage> {
        self.number(at, what)?.try_into().map_err(|_| altered(format!("a header has a wrong {what}")))
    }
}

/// The pieces of an extension block of a file with holes, and whether another block follows.
pub(super) fn more_pieces(block: &[u8; BLOCK]) -> Result<(Vec<(u64, u64)>, bool), Damage> {
    Ok((pieces(&block[..504])?, block[504] != 0))
}

fn pieces(fields: &[u8]) -> Result<Vec<(u64, u64)>, Damage> {
    let wrong = || altered("the map of a file with holes is wrong");
    let one = |field: &[u8]| number(field).and_then(|number| u64::try_from(number).ok()).ok_or_else(wrong);
    // A piece that begins with NUL ends the list.
    let used = fields.chunks_exact(24).take_while(|piece| piece[12] != 0);
    used.map(|piece| Ok((one(&piece[..12])?, one(&piece[12..])?))).collect()
}

/// A number: octal digits between blanks, or base 256 with its sign where the first bit is set. An empty field is 0.
fn number(field: &[u8]) -> Option<i128> {
    if field[0] & 0x80 != 0 {
        let negative = field[0] & 0x40 != 0;
        let first = if negative { i128::from(field[0].cast_signed()) } else { i128::from(field[0] & 0x7f) };
        // Twelve bytes at the most: they fit.
        return Some(field[1..].iter().fold(first, |sum, byte| (sum << 8) | i128::from(*byte)));
    }
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    let digits = field[..end].trim_ascii();
    digits.iter().try_fold(0, |sum, digit| match digit {
        b'0'..=b'7' => Some(sum * 8 + i128::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_base_256_with_a_sign() {
        for (field, value) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"  644 \0", Some(0o644)),
            (b"777777777777", Some(0o777_777_777_777)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"        ", Some(0)),
            (b"0000648\0", None),
            (b"-1\0", None),
            (b"12 34\0", None),
            (b"\x80\0\0\0\0\0\0\0\0\0\x01\0", Some(256)),
            (b"\x80\0\0\x01\0\0\0\0\0\0\0\0", Some(1 << 64)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", Some(-2)),
        ] {
            assert_eq!(number(field), value, "{}", field.escape_ascii());
        }
    }

    #[test]
    fn backup_case_49_a_size_of_more_than_64_bits_is_not_cut_to_a_small_one() {
        let mut block = [0; BLOCK];
        block[124..136].copy_from_slice(b"\x80\0\0\x01\0\0\0\0\0\0\0\x05");
        let sum: u32 = block[..148].iter().chain(&[b' '; 8]).chain(&block[156..]).map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        assert!(Header::read(&block).unwrap().size().is_err());
        block[0] = 1;
        assert!(Header::read(&block).is_none(), "the checksum is wrong");
    }
}
