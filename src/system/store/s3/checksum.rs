//! What proves that the bytes in the store are ours.
//!
//! Amazon's store takes CRC64NVME over a whole object, joined from its parts; SHA-256 over an upload in parts would only be a
//! hash of hashes. Others check Content-MD5 (RFC 1864), and say it again as the ETag.

use base64::{Engine, prelude::BASE64_STANDARD};
use crc_fast::{CrcAlgorithm::Crc64Nvme, checksum, checksum_combine};
use md5::{Digest, Md5};

/// The checksums of a piece. Only one of them is sent, but both are cheap beside the line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Sums {
    crc: u64,
    md5: [u8; 16],
    bytes: u64,
}

impl Sums {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { crc: checksum(Crc64Nvme, bytes), md5: Md5::digest(bytes).into(), bytes: bytes.len() as u64 }
    }

    /// The CRC as its header has it: big-endian, Base64.
    pub(super) fn crc64nvme(&self) -> String {
        BASE64_STANDARD.encode(self.crc.to_be_bytes())
    }

    /// The MD5 as Content-MD5 has it.
    pub(super) fn content_md5(&self) -> String {
        BASE64_STANDARD.encode(self.md5)
    }
}

/// The checksums of an object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Whole {
    crc: u64,
    etag: String,
}

/// What a store's words about an object prove.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Proves {
    /// It has other bytes.
    Damage,
    /// Neither; an object under a KMS key has an ETag that says nothing.
    Nothing,
    /// It has ours.
    Same,
}

impl Whole {
    /// An object that was sent in one call.
    pub(super) fn of_one(sums: &Sums) -> Self {
        Self { crc: sums.crc, etag: hex(&sums.md5) }
    }

    /// An object that was sent in parts. Most stores name it for the MD5s of these.
    pub(super) fn of_parts(parts: &[Sums]) -> Self {
        let crc = parts.iter().fold(0, |crc, part| checksum_combine(Crc64Nvme, crc, part.crc, part.bytes));
        let mut md5 = Md5::new();
        for part in parts {
            md5.update(part.md5);
        }
        let md5: [u8; 16] = md5.finalize().into();
        Self { crc, etag: format!("{}-{}", hex(&md5), parts.len()) }
    }

    /// The CRC as its header has it.
    pub(super) fn crc64nvme(&self) -> String {
        BASE64_STANDARD.encode(self.crc.to_be_bytes())
    }

    /// Compares with what the store says.
    pub(super) fn compare(&self, crc: Option<&str>, etag: Option<&str>) -> Proves {
        let same = etag.is_some_and(|etag| etag.trim_matches('"').eq_ignore_ascii_case(&self.etag));
        // What is no CRC64NVME at all (moto without Amazon's runtime gives a CRC32 that name) says nothing.
        let crc = crc.filter(|crc| BASE64_STANDARD.decode(crc).is_ok_and(|crc| crc.len() == 8));
        match crc {
            Some(crc) if crc != self.crc64nvme() => Proves::Damage,
            Some(_) => Proves::Same,
            None if same => Proves::Same,
            None => Proves::Nothing,
        }
    }
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_checksums_are_the_published_ones() {
        // The check value of CRC-64/NVME in the catalogue of parametrised CRC algorithms, and of RFC 1321.
        let sums = Sums::of(b"123456789");
        assert_eq!(sums.crc, 0xae8b_1486_0a79_9888);
        assert_eq!(Sums::of(b"").content_md5(), "1B2M2Y8AsgTpgAmY7PhCfg==");
        let whole = Whole::of_one(&sums);
        assert_eq!(whole.compare(None, Some("\"25f9e794323b453885f5181f1b624d0b\"")), Proves::Same);
        assert_eq!(whole.compare(None, Some("\"the name of something encrypted\"")), Proves::Nothing);
        assert_eq!(whole.compare(Some(&whole.crc64nvme()), None), Proves::Same);
        assert_eq!(whole.compare(Some("y/Q5Jg=="), None), Proves::Nothing, "a CRC32");
        assert_eq!(whole.compare(Some("AAAAAAAAAAA="), Some("25f9e794323b453885f5181f1b624d0b")), Proves::Damage);
    }

    proptest! {
        #[test]
        fn parts_joined_are_the_whole(bytes in proptest::collection::vec(any::<u8>(), 1..2000), size in 1_usize..700) {
            let parts: Vec<Sums> = bytes.chunks(size).map(Sums::of).collect();
            prop_assert_eq!(Whole::of_parts(&parts).crc64nvme(), Sums::of(&bytes).crc64nvme());
        }
    }
}
