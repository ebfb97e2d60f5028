//! Who made an archive: this host signs each sidecar with a key of its own, in the format of minisign.
//!
//! `minisign -V` checks our signatures and this module checks its ones. The key is made at the first use and kept in the
//! state folder: `signing.key`, which only its owner can read, and `signing.pub`. It has no passphrase, since nobody is
//! there at night to type one: it proves that this host made an archive, and opens none.
//!
//! The format: <https://jedisct1.github.io/minisign/>.

use std::{
    fmt,
    io::{self, Cursor},
    path::{Path, PathBuf},
    str::FromStr,
};

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    file,
    state::{self, Mode, State},
};
use crate::error::{Error, Kind, Result};

/// No signature and no key is larger; what is larger is none.
pub const LARGEST: u64 = 64 << 10;

/// A public key, as minisign prints it: `RW…`, 56 characters.
#[derive(Clone)]
pub struct PublicKey(minisign::PublicKey);

/// The key that this host signs with.
pub struct Signer {
    secret: minisign::SecretKey,
    public: PublicKey,
}

/// What a signature says about who signed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Signature {
    /// It does not belong to what it shall cover, or is none; why.
    Forged(String),
    /// By an accepted key; the key's id.
    Signed(String),
    /// By a key that is not accepted, so that nothing could be checked; the id that it gives.
    Stranger(String),
}

/// Checks a signature over `bytes` against the keys that are accepted.
pub fn verify(bytes: &[u8], signature: &str, accepted: &[PublicKey]) -> Signature {
    let parsed = match parse(signature) {
        Ok(parsed) => parsed,
        Err(why) => return Signature::Forged(format!("the signature cannot be read: {why}")),
    };
    let id = key_id(parsed.keynum());
    // A key's id is chosen by who makes it: more than one key can have the same.
    let mut keys = accepted.iter().filter(|key| key.0.keynum() == parsed.keynum()).peekable();
    if keys.peek().is_none() {
        return Signature::Stranger(id);
    }
    if keys.any(|key| minisign::verify(&key.0, &parsed, Cursor::new(bytes), true, false, true).is_ok()) {
        Signature::Signed(id)
    } else {
        Signature::Forged(format!("it names the key {id}, which did not sign this"))
    }
}

impl Signer {
    /// The key of this host, made where there is none yet.
    ///
    /// # Errors
    ///
    /// The key cannot be read or written, is damaged, or has gone while its public half is still there. It is never
    /// replaced then: archives signed with it would become a stranger's.
    pub fn open(state: &State) -> Result<Self> {
        state.open()?;
        let files = Files::of(state);
        let signer = match files.read()? {
            Some(signer) => signer,
            None => {
                // Both halves are missing at the first use; another run may be making them just now, the secret one first.
                if !files.public.exists() {
                    files.make()?;
                }
                files.read()?.ok_or_else(|| files.key_is_gone())?
            }
        };
        // A run that was killed right after it made the key has left no public half.
        if !files.public.exists() {
            files.write_public(&signer.public)?;
        }
        Ok(signer)
    }

    /// Signs `bytes`; `comment` is covered too and shown by `minisign -V`: the id of the archive. The text of a
    /// `.minisig` file.
    ///
    /// # Errors
    ///
    /// The system has no random numbers.
    pub fn sign(&self, bytes: &[u8], comment: &str) -> Result<String> {
        let untrusted = format!("signature of mainstay, key {}", self.public.id());
        minisign::sign(Some(&self.public.0), &self.secret, Cursor::new(bytes), Some(comment), Some(&untrusted))
            .map(minisign::SignatureBox::into_string)
            .map_err(|error| {
                Error::new(Kind::Failed, "sign the sidecar")
                    .because(error)
                    .hint("try again: the system gave no random numbers")
            })
    }

    /// The key that others check with.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }
}

impl PublicKey {
    /// The public key of this host; `None` where it has made no archive yet. Writes nothing.
    ///
    /// # Errors
    ///
    /// It is there and cannot be read.
    pub fn of_host(state: &State) -> Result<Option<Self>> {
        let path = Files::of(state).public;
        let text = match file::read_text(&path, LARGEST) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(&path, &file::why(&error))),
        };
        text.parse().map(Some).map_err(|why: String| {
            unreadable(&path, &why)
                .hint("remove it: the next `mainstay backup create` writes it again from `signing.key`")
        })
    }

    /// The id that minisign shows: 16 hexadecimal digits.
    pub fn id(&self) -> String {
        key_id(self.0.keynum())
    }
}

impl FromStr for PublicKey {
    type Err = String;

    /// Reads `RW…` alone, or the two lines of a `.pub` file.
    fn from_str(text: &str) -> Result<Self, String> {
        let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        let bytes = STANDARD.decode(last).map_err(|_| "it is not a minisign public key".to_owned())?;
        // The crate takes any algorithm and ignores what comes after the key.
        if bytes.len() != 42 || !bytes.starts_with(b"Ed") {
            return Err("it is not a minisign public key".to_owned());
        }
        minisign::PublicKey::from_bytes(&bytes).map(Self).map_err(|error| error.to_string())
    }
}

impl fmt::Display for PublicKey {
    /// As it stands in `signers`: `RW…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_base64())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bytes() == other.0.to_bytes()
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for Signer {
    /// Never the secret half.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.public)
    }
}

/// Where the two halves are.
struct Files {
    secret: PathBuf,
    public: PathBuf,
}

impl Files {
    fn of(state: &State) -> Self {
        Self { secret: state.folder().join("signing.key"), public: state.folder().join("signing.pub") }
    }

    /// The key, when there is one and its halves belong together.
    fn read(&self) -> Result<Option<Signer>> {
        let text = match file::read_text(&self.secret, LARGEST) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(&self.secret, &file::why(&error)).hint(way_out(self))),
        };
        let secret = minisign::SecretKeyBox::from_string(&text)
            .and_then(minisign::SecretKeyBox::into_unencrypted_secret_key)
            .map_err(|error| unreadable(&self.secret, &error).hint(way_out(self)))?;
        let public = minisign::PublicKey::from_secret_key(&secret)
            .map(PublicKey)
            .map_err(|error| unreadable(&self.secret, &error).hint(way_out(self)))?;
        if let Ok(text) = file::read_text(&self.public, LARGEST)
            && text.parse() != Ok(public.clone())
        {
            return Err(Error::new(Kind::Failed, format!("use the signing key `{}`", self.secret.display()))
                .because(format!("`{}` is not its public half", self.public.display()))
                .hint("put back the `signing.key` and `signing.pub` that belong together")
                .hint(format!(
                    "if the key was changed on purpose, move `{}` away and add its key to `signers`",
                    self.public.display()
                )));
        }
        Ok(Some(Signer { secret, public }))
    }

    /// Makes a new key. Where two runs do so at once, the first one's stays.
    fn make(&self) -> Result<()> {
        let trouble = |error: &dyn fmt::Display| {
            Error::new(Kind::Failed, format!("make the signing key `{}`", self.secret.display())).because(error)
        };
        let pair = minisign::KeyPair::generate_unencrypted_keypair()
            .map_err(|error| trouble(&error).hint("try again: the system gave no random numbers"))?;
        let text = pair
            .sk
            .to_box(Some("signing key of mainstay: keep it secret"))
            .map_err(|error| trouble(&error).hint("please report this as a bug"))?
            .into_string();
        let place = "choose another state folder with $MAINSTAY_STATE or `state = \"DIR\"`";
        // Never over a key that another run has made meanwhile.
        let made = state::create(&self.secret, text.as_bytes(), Mode::Exactly(0o600));
        made.map(drop).map_err(|error| trouble(&error).hint(place))
    }

    fn write_public(&self, public: &PublicKey) -> Result<()> {
        let text = format!("untrusted comment: minisign public key {}\n{public}\n", public.id());
        state::write(&self.public, text.as_bytes(), Mode::Exactly(0o644))
    }

    fn key_is_gone(&self) -> Error {
        let error = Error::new(Kind::Failed, format!("read the signing key `{}`", self.secret.display()));
        error.because("it is gone, and only its public half is there").hint(way_out(self))
    }
}

/// What to do about a signing key that cannot be used.
fn way_out(files: &Files) -> String {
    format!(
        "put the key back from a copy; if there is none, add the key in `{public}` to `signers`, so that its archives stay \
         accepted, and move both files away: the next run makes a new key",
        public = files.public.display()
    )
}

fn unreadable(path: &Path, why: &dyn fmt::Display) -> Error {
    Error::new(Kind::Failed, format!("read the key `{}`", path.display())).because(why)
}

/// The crate's reader, held to what it relies upon: it would panic over a short signature of the comment.
fn parse(text: &str) -> Result<minisign::SignatureBox, String> {
    let global = text.lines().nth(3).unwrap_or_default().trim();
    if STANDARD.decode(global).map_or(0, |bytes| bytes.len()) != 64 {
        return Err("the signature of its comment is none".to_owned());
    }
    minisign::SignatureBox::from_string(text).map_err(|error| error.to_string())
}

/// A key's number as minisign shows it: little-endian, in upper-case digits.
fn key_id(number: &[u8]) -> String {
    number.iter().rev().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests;
