//! What this host remembers of a backup between runs: `backup/PROJECT-NAME.json` in the state folder.
//!
//! A lost record is no disaster: the next run begins a new one from what the destinations hold.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The memory of one backup.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct Record {
    /// The newest archive that this host made.
    pub last: Option<Last>,
    /// What is known of each destination, by its address.
    pub destinations: BTreeMap<String, Seen>,
    /// The last restore that was rehearsed.
    pub drill: Option<Drill>,
}

/// The newest archive that this host made.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Last {
    /// Its id.
    pub id: String,
    /// Its sequence number.
    pub sequence: u64,
    /// The SHA-256 of its file, in hexadecimal digits.
    pub sha256: String,
    /// The digest of names, modes and content, in hexadecimal digits. Kept here and not in the sidecar: whoever knows
    /// most of a secret could guess the rest by it.
    pub content: String,
    /// The digest of what the file system said of the sources, in hexadecimal digits: where it is the same, nothing has
    /// changed and nothing needs to be read.
    pub metadata: String,
    /// How many files it has.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
}

/// What is known of a destination.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct Seen {
    /// What marks the medium; another one is refused.
    pub identity: Option<String>,
    /// The newest good archive there.
    pub good: Option<Good>,
    /// Archives that were found damaged there: they count for nothing.
    pub damaged: Vec<String>,
}

/// A good archive at a destination.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Good {
    /// Its id.
    pub id: String,
    /// When its making began.
    pub created: Timestamp,
    /// When it was last proved good.
    pub verified: Timestamp,
}

/// A restore that was rehearsed.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Drill {
    /// When.
    pub at: Timestamp,
    /// The archive.
    pub id: String,
    /// Where it came from.
    pub destination: String,
    /// How long it took.
    pub seconds: f64,
    /// How many files came back.
    pub files: u64,
    /// Whether all of them were as the manifest says.
    pub good: bool,
}
