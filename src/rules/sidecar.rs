//! The file beside an archive that says what it is: schema 1, plain JSON, signed as `minisign` does it.
//!
//! It holds no names of files: whoever can read the store learns counts and sizes only. It is written after the archive
//! was read back, so an archive without one is half-written, and the signature over it covers the archive through the
//! hash of its ciphertext.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Raised when a field changes its meaning or goes; new fields do not raise it.
pub const SCHEMA: u32 = 1;

/// No sidecar is larger; what is larger is none.
pub const LARGEST: u64 = 1 << 20;

/// What is said about an archive.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Sidecar {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The archive's id, which is also its name's stem.
    pub id: String,
    /// The project of the configuration.
    pub project: String,
    /// The name of the backup in the configuration.
    pub name: String,
    /// The machine that made it.
    pub host: String,
    /// The tool that made it, for example `mainstay 0.1.0`.
    pub tool: String,
    /// When the run began.
    pub created: Timestamp,
    /// Counts the archives of this backup, from 1.
    pub sequence: u64,
    /// The archive made before this one, so that one which is missing or put back is noticed.
    pub previous: Option<Previous>,
    /// The archive's own file.
    pub file: StoredFile,
    /// What is in it.
    pub contents: Contents,
    /// Who can open it, as fingerprints: an age public key, `ssh-ed25519 SHA256:…`, `passphrase`.
    pub sealed_for: Vec<String>,
    /// How it was proved good after it was written.
    pub verified: Verified,
    /// Why it may not be what it should be, although it is whole: `shrunk`, `empty`, `incomplete`; absent when all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspect: Option<String>,
}

/// The archive before.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Previous {
    /// Its id.
    pub id: String,
    /// The SHA-256 of its file, in hexadecimal digits.
    pub sha256: String,
}

/// The encrypted file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StoredFile {
    /// Its name in the store.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// The SHA-256 of what is stored, in hexadecimal digits.
    pub sha256: String,
}

/// Counts of what an archive holds; the manifest itself is not among them.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Contents {
    /// Regular files, hard links included.
    pub files: u64,
    /// Folders.
    pub directories: u64,
    /// Symbolic links.
    pub links: u64,
    /// The content of all files, unpacked.
    pub bytes: u64,
    /// The whole tar stream, unpacked: the limit that a reader holds a stranger's archive to.
    pub unpacked: u64,
    /// Entries that changed while they were read.
    pub changed: u64,
    /// Entries whose content is not what the file held (it shrank while it was read).
    pub damaged: u64,
    /// Things that should be in it and could not be read.
    pub unreadable: u64,
    /// The SHA-256 of the manifest, in hexadecimal digits.
    pub manifest_sha256: String,
}

/// How an archive was proved good.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Verified {
    /// When.
    pub at: Timestamp,
    /// How far.
    pub how: Proof,
}

/// How far an archive was proved good, from weak to strong.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// The store confirmed a checksum of all bytes; the credentials may not read them back.
    Checksum,
    /// The bytes were read back from the store and hashed.
    ReadBack,
    /// They were read back, decrypted and unpacked to the end, and every file compared with the manifest.
    Decrypted,
}

impl Sidecar {
    /// The sidecar as it is stored: one JSON document with a line end.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).expect("plain fields always serialise");
        text.push(b'\n');
        text
    }

    /// Reads a sidecar.
    ///
    /// # Errors
    ///
    /// Why it is none, as a fragment after "the sidecar is wrong: ".
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let Version { schema } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if schema != SCHEMA {
            return Err(format!("it has schema {schema}, and this mainstay reads {SCHEMA}"));
        }
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }
}
