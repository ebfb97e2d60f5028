//! Ciphertext in, tar stream out: opened by age, unpacked by gzip or zstd, whichever the content says.
//!
//! Nothing goes by names: an archive made by `tar | gzip | age` or `tar | age` with any name reads as well, and so does an
//! armored one. Every layer is read to its end, and the last one to the end of the file: bytes after it are damage, as are
//! bytes that are missing (the traps are those of `tar x`, which stops at its end marker, and of a gzip reader that takes the
//! first member for all).

use std::{
    io::{self, BufRead, BufReader, Cursor, ErrorKind, Read},
    sync::Mutex,
    thread::Scope,
};

use age::{DecryptError, Decryptor, armor::ArmoredReader};
use sha2::{Digest, Sha256};

use super::{
    Damage, Flaw, Terms,
    damage::{altered, carried, stopped, system, truncated},
    relay::Relay,
};
use crate::system::Cancel;

/// Headers of age are a few hundred bytes a recipient; reading them takes quadratic time.
const LONGEST_HEADER: u64 = 256 << 10;

const AGE: &[u8] = b"age-encryption.org/";
const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";

/// What was counted of a ciphertext, once it has been read to its end.
#[derive(Default)]
pub(super) struct Tally(Mutex<Option<Counted>>);

/// A ciphertext's length and SHA-256.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    pub(super) bytes: u64,
    pub(super) sha256: [u8; 32],
}

impl Tally {
    /// The count; `None` when the end has not been read.
    pub(super) fn counted(&self) -> Option<Counted> {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Hashes and counts what goes through.
struct Meter<'a, R> {
    inner: R,
    digest: Sha256,
    bytes: u64,
    tally: &'a Tally,
    tick: &'a (dyn Fn(u64) + Sync),
    stop: &'a Cancel,
}

impl<R: Read> Read for Meter<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_raised() {
            return Err(io::Error::other(stopped()));
        }
        let some = match self.inner.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            // In words now: further up nobody knows that it was the source and not the content.
            Err(error) => return Err(io::Error::other(system(format!("it could not be read: {error}")))),
            Ok(some) => some,
        };
        if some == 0 && !buffer.is_empty() {
            let counted = Counted { bytes: self.bytes, sha256: self.digest.clone().finalize().into() };
            *self.tally.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(counted);
        }
        self.digest.update(&buffer[..some]);
        self.bytes += some as u64;
        (self.tick)(some as u64);
        Ok(some)
    }
}

/// The tar stream of an archive, decrypted and unpacked on threads of `scope`.
///
/// # Errors
///
/// It is not sealed by age, or not for these keys. What is wrong further on comes while it is read.
pub(super) fn open<'scope, R: Read + Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    reader: R,
    terms: &'scope Terms<'_>,
    tally: &'scope Tally,
) -> Result<Relay, Damage> {
    let (tick, stop) = (terms.tick, terms.stop);
    let meter = Meter { inner: reader, digest: Sha256::new(), bytes: 0, tally, tick, stop };
    let sealed = BufReader::with_capacity(128 << 10, meter);
    let plain = Relay::start(scope, unseal(sealed, terms)?, stop, unsealing);
    unpack(scope, plain, stop)
}

/// Opens the seal.
fn unseal<'a, R: BufRead + Send + 'a>(
    mut sealed: R,
    terms: &Terms<'_>,
) -> Result<impl Read + Send + use<'a, R>, Damage> {
    let mut start = [0; ARMOR.len()];
    let length = read_up_to(&mut sealed, &mut start).map_err(unsealing)?;
    let start = &start[..length];
    let mut sealed: Box<dyn BufRead + Send> = if start == ARMOR {
        Box::new(ArmoredReader::new(Cursor::new(start.to_vec()).chain(sealed)))
    } else if start.starts_with(AGE) {
        Box::new(Cursor::new(start.to_vec()).chain(sealed))
    } else {
        return Err(no_archive(start));
    };
    let mut header = Vec::new();
    while !header.rsplit(|byte| *byte == b'\n').nth(1).is_some_and(|line| line.starts_with(b"---")) {
        let room = LONGEST_HEADER.saturating_sub(header.len() as u64);
        if room == 0 {
            return Err(altered("its header does not end"));
        }
        if (&mut sealed).take(room).read_until(b'\n', &mut header).map_err(unsealing)? == 0 {
            return Err(truncated("it ends inside its header"));
        }
    }
    let sealed = Cursor::new(header.clone()).chain(sealed);
    let decryptor = Decryptor::new_buffered(sealed).map_err(|error| match error {
        DecryptError::Io(error) => unsealing(error),
        DecryptError::UnknownFormat => Damage::new(
            Flaw::NotAnArchive,
            "it is sealed by a newer version of age",
            "open it with a current `age`, or use a newer mainstay",
        ),
        _ => altered("its header is malformed"),
    })?;
    let by_passphrase = decryptor.is_scrypt();
    decryptor
        .decrypt(terms.keys.identities())
        .map_err(|error| terms.keys.refused(error, by_passphrase, &header, terms.sealed_for))
}

/// Unpacks what was sealed, as its first bytes say.
fn unpack<'scope>(scope: &'scope Scope<'scope, '_>, mut plain: Relay, stop: &'scope Cancel) -> Result<Relay, Damage> {
    let start = plain.fill_buf().map_err(carried)?;
    match start {
        [] => Err(Damage::new(Flaw::NotAnArchive, "there is nothing in it", "use another copy or an older archive")),
        [0x1f, 0x8b, ..] => {
            let packed = flate2::bufread::MultiGzDecoder::new(plain);
            Ok(Relay::start(scope, packed, stop, |error| unpacking(error, "gzip")))
        }
        // A frame of zstd, or one that is to be skipped and that parallel packers begin with (RFC 8878).
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            let packed = zstd::stream::read::Decoder::with_buffer(plain).map_err(|error| system(error.to_string()))?;
            Ok(Relay::start(scope, packed, stop, |error| unpacking(error, "zstd")))
        }
        _ => Ok(plain),
    }
}

/// What the seal says when it does not hold.
fn unsealing(error: io::Error) -> Damage {
    match error.downcast::<Damage>() {
        Ok(damage) => damage,
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => truncated("it ends before its last block"),
        Err(error) if error.get_ref().is_some_and(|inner| inner.is::<age::armor::ArmoredReadError>()) => {
            altered(format!("its armor is damaged ({error})"))
        }
        Err(_) => altered("a block of it is not what was sealed: changed, cut off, or with more behind it"),
    }
}

/// What an unpacker says.
fn unpacking(error: io::Error, packer: &str) -> Damage {
    match error.downcast::<Damage>() {
        Ok(damage) => damage,
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            truncated(format!("its {packer} stream ends early: what made it was cut off"))
        }
        Err(error) => altered(format!("its {packer} stream is damaged ({error})")),
    }
}

/// What a file is that age did not seal, as far as its first bytes tell.
fn no_archive(start: &[u8]) -> Damage {
    let what = match start {
        [] => "it is empty",
        [0x1f, 0x8b, ..] => "it is packed by gzip and not encrypted",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "it is packed by zstd and not encrypted",
        // `gpg -c` and `gpg -e` begin with these packets (RFC 9580).
        [0x8c | 0x84 | 0x85 | 0xc1 | 0xc3, ..] => "it looks like a file of gpg, and not of age",
        _ if start.starts_with(b"-----BEGIN PGP") => "it is a file of gpg, and not of age",
        _ if AGE.starts_with(start) || ARMOR.starts_with(start) => return truncated("it ends inside its header"),
        _ => "it is not encrypted by age",
    };
    Damage::new(Flaw::NotAnArchive, what, "name an archive that ends with `.age`")
}

fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match reader.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(some) => length += some,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}
