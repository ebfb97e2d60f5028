//! What an archive holds, entry by entry: JSON lines, the last file of the archive.
//!
//! The first line is a [`Header`], every other one an [`Entry`], in the order of the archive. Paths are bytes: `path` shows
//! them, and where they are not UTF-8 `path_b64` has them as they are.

mod entry;

pub(crate) use entry::hex;
pub use entry::{Entry, Flags, Kind, Mtime, Wrong};

use serde::{Deserialize, Serialize};

/// Where the manifest is in the archive.
pub const PATH: &str = ".mainstay/manifest.jsonl";

/// The folder of an archive that is ours.
pub const FOLDER: &str = ".mainstay";

/// Raised when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// No line is longer: paths have at most 4096 bytes, and so have the targets of links.
pub const LONGEST_LINE: usize = 64 << 10;

/// The first line.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Header {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The archive's id.
    pub archive: String,
    /// The folder that the paths start from, as it was on the machine that made it.
    pub root: String,
}
