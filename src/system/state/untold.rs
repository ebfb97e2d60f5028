//! Messages that did not arrive: the next run of the same command tries again.
//!
//! One small file that is there only as long as something is untold, so that a run that tells nobody reads nothing.

use std::{collections::BTreeMap, fs, io, path::PathBuf};

use jiff::Timestamp;

use super::{Mode, State, write};
use crate::error::Result;

/// What is untold.
#[derive(Debug)]
pub struct Untold {
    path: PathBuf,
    since: BTreeMap<String, Timestamp>,
}

impl State {
    /// What is untold now; nothing where the file cannot be read.
    pub fn untold(&self) -> Untold {
        let path = self.folder().join("untold.json");
        let since = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Untold { path, since }
    }
}

impl Untold {
    /// Since when messages with this key have not arrived.
    pub fn since(&self, key: &str) -> Option<Timestamp> {
        self.since.get(key).copied()
    }

    /// Notes whether the last message with this key has arrived; writes only what has changed.
    ///
    /// # Errors
    ///
    /// The state folder cannot be written to.
    pub fn settle(&mut self, key: &str, arrived: bool, now: Timestamp) -> Result<()> {
        let changed = match arrived {
            true => self.since.remove(key).is_some(),
            false if self.since.contains_key(key) => false,
            false => self.since.insert(key.to_owned(), now).is_none(),
        };
        if !changed {
            return Ok(());
        }
        if self.since.is_empty() {
            return match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => write(&self.path, b"{}", Mode::Exactly(0o600)),
                _ => Ok(()),
            };
        }
        let text = serde_json::to_vec(&self.since).unwrap_or_default();
        write(&self.path, &text, Mode::Exactly(0o600))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_arrive_is_known_until_it_does() {
        let place = tempfile::tempdir().unwrap();
        let state = State::at(place.path().to_owned());
        let [first, later] = ["2026-11-26T02:30:00Z", "2026-11-26T02:35:00Z"].map(|text| text.parse().unwrap());
        assert_eq!(state.untold().since("a"), None);
        state.untold().settle("a", true, first).unwrap();
        assert!(!place.path().join("untold.json").exists(), "nothing is written where nothing is to be kept");
        state.untold().settle("a", false, first).unwrap();
        state.untold().settle("a", false, later).unwrap();
        state.untold().settle("b", false, later).unwrap();
        assert_eq!((state.untold().since("a"), state.untold().since("b")), (Some(first), Some(later)));
        state.untold().settle("a", true, later).unwrap();
        assert_eq!((state.untold().since("a"), state.untold().since("b")), (None, Some(later)));
        state.untold().settle("b", true, later).unwrap();
        assert!(!place.path().join("untold.json").exists());
    }
}
