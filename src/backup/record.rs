//! What this host remembers of a backup between runs: `backup/PROJECT-NAME.json` in the state folder.
//!
//! A lost record is no disaster: the next run begins a new one from what the destinations hold.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    rules::archive_id,
    system::state::{Advice, State},
};

/// The memory of one backup.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct Record {
    /// The newest archive that this host made.
    pub last: Option<Last>,
    /// How large the newest good one was: what the next one is held against.
    pub usual: Option<Size>,
    /// The archive that is being stored; where a run finds it at its start, the one before was ended in the middle.
    pub pending: Option<String>,
    /// What is known of each destination, by its address.
    pub destinations: BTreeMap<String, Seen>,
    /// The last restore that was rehearsed.
    pub drill: Option<Drill>,
}

/// The newest archive that this host made.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Last {
    /// Its id.
    pub id: String,
    /// Its sequence number.
    pub sequence: u64,
    /// Who can open it.
    pub sealed_for: Vec<String>,
    /// The SHA-256 of its file, in hexadecimal digits.
    pub sha256: String,
    /// The digest of names, modes and content, in hexadecimal digits. Kept here and not in the sidecar: whoever knows
    /// most of a secret could guess the rest by it.
    pub content: String,
    /// The digest of what the file system said of the sources, in hexadecimal digits: where it is the same, nothing has
    /// changed and nothing needs to be read.
    pub metadata: String,
}

/// How much an archive holds.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Size {
    /// Its id.
    pub id: String,
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
    /// The digest of names, modes and content, as [`Last::content`]; empty where another run or host made it.
    #[serde(default)]
    pub content: String,
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

impl Record {
    /// What is remembered of the backup `name`; nothing where there is no record yet.
    ///
    /// # Errors
    ///
    /// The record is there and cannot be read: it is not thrown away for that.
    pub fn load(state: &State, project: &str, name: &str) -> Result<Self> {
        state.recall(ROOM, &archive_id::set_name(project, name), ADVICE)
    }

    /// Writes the record in one step.
    ///
    /// # Errors
    ///
    /// The state folder cannot be written to; the old record is unchanged then.
    pub fn save(&self, state: &State, project: &str, name: &str) -> Result<()> {
        state.remember(ROOM, &archive_id::set_name(project, name), self)
    }

    /// What is known of a destination, made where nothing is.
    pub fn at(&mut self, address: &str) -> &mut Seen {
        self.destinations.entry(address.to_owned()).or_default()
    }
}

/// The folder of the records inside the state folder.
const ROOM: &str = "backup";

const ADVICE: Advice = Advice {
    unread: "run as the user who makes the backups",
    damaged: Some("move it away: the next run begins a new one from what the destinations hold"),
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{
        Context,
        state::{self, Mode},
    };

    #[test]
    fn a_record_is_kept_between_runs_and_a_damaged_one_is_not_taken_for_none() {
        let place = tempfile::tempdir().unwrap();
        let context = Context::real(std::collections::BTreeMap::new(), "/".into());
        let state = State::find(&context, Some(&place.path().join("state"))).unwrap();
        assert_eq!(Record::load(&state, "prime", "app").unwrap(), Record::default());

        let mut record = Record::default();
        record.at("/mnt/usb").identity = Some("1b4e28ba".into());
        record.save(&state, "prime", "app").unwrap();
        assert_eq!(Record::load(&state, "prime", "app").unwrap(), record);
        assert_eq!(Record::load(&state, "prime", "db").unwrap(), Record::default());

        let file = format!("{}.json", archive_id::set_name("prime", "app"));
        state::write(&state.folder().join(ROOM).join(file), b"{\"last\": 3}", Mode::Exactly(0o600)).unwrap();
        let error = Record::load(&state, "prime", "app").unwrap_err();
        assert!(error.hints[0].contains("move it away"), "{error:?}");
    }
}
