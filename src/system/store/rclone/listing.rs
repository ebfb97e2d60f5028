//! What `rclone lsjson` says is there.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use crate::system::store::{Object, Reason, Trouble};

/// A file as `rclone lsjson` writes it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entry {
    pub(super) name: String,
    /// -1 where the store does not know before it has sent it all.
    size: i64,
    mod_time: Option<String>,
    /// By the sort of hash, in hexadecimal digits: those that the store knows without reading the file.
    #[serde(default)]
    pub(super) hashes: BTreeMap<String, String>,
}

impl Entry {
    /// Its length, where the store knows it.
    pub(super) fn bytes(&self) -> Option<u64> {
        u64::try_from(self.size).ok()
    }

    /// When it was stored. Most stores keep the time that rclone gives them, which is when the archive was written; it is no
    /// proof of anything.
    pub(super) fn modified(&self) -> Option<Timestamp> {
        self.mod_time.as_ref()?.parse().ok()
    }

    pub(super) fn into_object(self) -> Object {
        Object { bytes: self.bytes().unwrap_or(0), modified: self.modified(), retained_until: None, name: self.name }
    }
}

/// Reads a listing, which is whole or none.
///
/// # Errors
///
/// It is cut, or is none.
pub(super) fn read(text: &[u8], is_cut: bool) -> Result<Vec<Entry>, Trouble> {
    let fix = "run it again; keep backups in a folder of their own, where there are not millions of files";
    if is_cut {
        return Err(Trouble::new(Reason::Other, "the listing of rclone is too long", fix));
    }
    serde_json::from_slice(text)
        .map_err(|error| Trouble::new(Reason::Other, format!("the listing of rclone is not whole: {error}"), fix))
}

/// Refuses two files of one name: Google Drive allows them, and which one a name means is chance.
///
/// # Errors
///
/// [`Reason::Collision`].
pub(super) fn expect_unique(entries: &[Entry], remote: &str) -> Result<(), Trouble> {
    let mut names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Trouble::new(
            Reason::Collision,
            format!("two files there are called `{}`", pair[0]),
            format!("see which one is right, and rename the other: `rclone dedupe --dedupe-mode list {remote}`"),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::store::conformance::one_voice;

    const TWO: &str = r#"[
{"Path":"a","Name":"a","Size":6,"MimeType":"","ModTime":"2026-11-25T18:11:37.363163015+01:00","IsDir":false},
{"Path":"b","Name":"b","Size":-1,"ModTime":"","IsDir":false,"Hashes":{"md5":"00"},"ID":"x"}
]"#;

    #[test]
    fn a_listing_is_read_whole_or_not_at_all() {
        let entries = read(TWO.as_bytes(), false).unwrap();
        let sizes: Vec<_> = entries.iter().map(|entry| (entry.name.as_str(), entry.bytes())).collect();
        assert_eq!(sizes, [("a", Some(6)), ("b", None)]);
        assert_eq!(entries[0].modified(), Some("2026-11-25T17:11:37.363163015Z".parse().unwrap()));
        assert_eq!((entries[1].modified(), entries[1].hashes["md5"].as_str()), (None, "00"));
        assert_eq!(read(b"[\n]\n", false), Ok(vec![]));
    }

    #[test]
    fn backup_case_18_a_cut_listing_of_rclone_is_an_error() {
        for end in 0..TWO.len() {
            let trouble = read(&TWO.as_bytes()[..end], false).unwrap_err();
            one_voice(&trouble);
        }
        assert!(read(TWO.as_bytes(), true).is_err());
    }

    #[test]
    fn two_files_of_one_name_are_noticed() {
        let twice = TWO.replace("\"b\"", "\"a\"");
        let trouble = expect_unique(&read(twice.as_bytes(), false).unwrap(), "gdrive:x").unwrap_err();
        assert_eq!(trouble.reason, Reason::Collision);
        one_voice(&trouble);
        assert_eq!(expect_unique(&read(TWO.as_bytes(), false).unwrap(), "gdrive:x"), Ok(()));
    }
}
