//! What a job remembers between runs: one file of JSON a record, in a folder of the job's.

use std::{io, path::PathBuf};

use serde::{Serialize, de::DeserializeOwned};

use super::{Mode, State, write};
use crate::{
    error::{Error, Kind, Result},
    system::file,
};

/// What to do about a record that is there and cannot be used.
#[derive(Clone, Copy, Debug)]
pub struct Advice {
    /// Where the file cannot be read.
    pub unread: &'static str,
    /// Where it is damaged; `None`: it counts for no record then, since nothing hangs on it.
    pub damaged: Option<&'static str>,
}

impl State {
    /// The record of this name; an empty one where there is none yet. Names hold no slash.
    ///
    /// # Errors
    ///
    /// It is there and cannot be read, or is damaged and must not be taken for none.
    pub fn recall<T: DeserializeOwned + Default>(&self, room: &str, name: &str, advice: Advice) -> Result<T> {
        let path = self.record(room, name);
        let error = || Error::new(Kind::Failed, format!("read the record `{}`", path.display()));
        let bytes = match file::read(&path, LARGEST) {
            Ok(bytes) => bytes,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(T::default()),
            Err(cause) => return Err(error().because(file::why(&cause)).hint(advice.unread)),
        };
        match (serde_json::from_slice(&bytes), advice.damaged) {
            (Ok(record), _) => Ok(record),
            (Err(_), None) => Ok(T::default()),
            (Err(cause), Some(hint)) => Err(error().because(cause).hint(hint)),
        }
    }

    /// Writes a record in one step.
    ///
    /// # Errors
    ///
    /// The state folder cannot be written to; the old record is unchanged then.
    pub fn remember(&self, room: &str, name: &str, record: &impl Serialize) -> Result<()> {
        self.room(room)?;
        let mut text = serde_json::to_vec_pretty(record).expect("plain fields always serialise");
        text.push(b'\n');
        write(&self.record(room, name), &text, Mode::Exactly(0o600))
    }

    fn record(&self, room: &str, name: &str) -> PathBuf {
        self.folder.join(room).join(format!("{name}.json"))
    }
}

/// No record is larger: one of ten thousand machines has a megabyte.
const LARGEST: u64 = 8 << 20;

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use super::*;

    #[test]
    fn a_record_is_kept_and_a_damaged_one_counts_for_none_only_where_nothing_hangs_on_it() {
        let place = tempfile::tempdir().unwrap();
        let state = State::at(place.path().join("state"));
        let strict = Advice { unread: "run as root", damaged: Some("remove it") };
        let recall = |advice| state.recall::<BTreeMap<String, u8>>("job", "prime", advice);
        assert_eq!(recall(strict).unwrap(), BTreeMap::new());
        assert!(!state.folder().exists(), "a look leaves no trace");
        let record = BTreeMap::from([("a".to_owned(), 1)]);
        state.remember("job", "prime", &record).unwrap();
        assert_eq!(recall(strict).unwrap(), record);
        write(&state.folder().join("job/prime.json"), b"{\"a\":", Mode::Exactly(0o600)).unwrap();
        assert_eq!(recall(Advice { damaged: None, ..strict }).unwrap(), BTreeMap::new());
        let error = recall(strict).unwrap_err();
        assert!(error.to_string().contains("job/prime.json") && error.hints == ["remove it"], "{error:?}");
        fs::remove_file(state.folder().join("job/prime.json")).unwrap();
        fs::create_dir(state.folder().join("job/prime.json")).unwrap();
        assert_eq!(recall(strict).unwrap_err().hints, ["run as root"]);
    }
}
