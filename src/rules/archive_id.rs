//! What an archive is called: `PROJECT-NAME-20261123T181500Z-000042`.
//!
//! UTC and without colons, so that every file system takes it; the sequence number keeps two archives of one second, or of
//! a clock that was set back, apart.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, tz::Offset};

/// The id of an archive: the stem of its three files.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ArchiveId {
    /// Project and name of the backup, joined.
    set: String,
    /// When it was made, in whole seconds.
    created: Timestamp,
    /// Counts the archives of one backup, from 1.
    sequence: u64,
}

/// Which of an archive's three files a name is, in the order in which they are written.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Part {
    /// The archive itself.
    Archive,
    /// What is said about it.
    Sidecar,
    /// The signature over the sidecar.
    Signature,
}

/// The endings of the three files, the archive's in both packings.
const ENDINGS: &[(&str, Part)] = &[
    (".tar.gz.age", Part::Archive),
    (".tar.zst.age", Part::Archive),
    (".json", Part::Sidecar),
    (".json.minisig", Part::Signature),
];

/// What the name of an archive looks like, for a text that is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotAnId;

impl ArchiveId {
    /// The id of the archive that the backup `name` of `project` makes now. What a file system could refuse in the names
    /// is written as `_`.
    pub fn new(project: &str, name: &str, created: Timestamp, sequence: u64) -> Self {
        let created = Timestamp::from_second(created.as_second()).unwrap_or(created);
        Self { set: set_name(project, name), created, sequence }
    }

    /// The archive that a file belongs to by its name; `None` for the name of anything else.
    pub fn of_file(name: &str) -> Option<(Self, Part)> {
        let fits = |(ending, part): &(&str, Part)| Some((name.strip_suffix(ending)?.parse().ok()?, *part));
        ENDINGS.iter().find_map(fits)
    }

    /// Project and name, joined: what all archives of one backup begin with.
    pub fn set(&self) -> &str {
        &self.set
    }

    /// When it was made, in whole seconds.
    pub fn created(&self) -> Timestamp {
        self.created
    }

    /// Counts the archives of one backup, from 1.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }
}

/// Project and name of a backup as its archives' names begin.
pub fn set_name(project: &str, name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' };
    format!("{project}-{name}").chars().map(plain).collect()
}

impl fmt::Display for ArchiveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { set, created, sequence } = self;
        write!(f, "{set}-{}-{sequence:06}", created.strftime("%Y%m%dT%H%M%SZ"))
    }
}

impl FromStr for ArchiveId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let (rest, sequence) = text.rsplit_once('-').ok_or(NotAnId)?;
        let (set, time) = rest.rsplit_once('-').ok_or(NotAnId)?;
        let created = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", time)
            .and_then(|time| Offset::UTC.to_timestamp(time))
            .map_err(|_| NotAnId)?;
        let digits = sequence.len() >= 6 && sequence.bytes().all(|byte| byte.is_ascii_digit());
        let sequence = sequence.parse().ok().filter(|sequence| digits && *sequence > 0).ok_or(NotAnId)?;
        let id = Self { set: set.to_owned(), created, sequence };
        // Only the one way to write it: two names for one archive would be two archives.
        if set.is_empty() || id.to_string() != text { Err(NotAnId) } else { Ok(id) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_is_written_as_the_contract_says() {
        let at = "2026-11-23T18:15:00.75Z".parse().unwrap();
        let id = ArchiveId::new("prime", "app", at, 42);
        assert_eq!(id.to_string(), "prime-app-20261123T181500Z-000042");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(ArchiveId::new("a b/c", "ü", at, 1).set(), "a_b_c-_");
    }

    #[test]
    fn a_file_tells_its_archive_and_its_part() {
        let id = "a.b-app-20261123T181500Z-000042";
        for (ending, part) in ENDINGS {
            let found = ArchiveId::of_file(&format!("{id}{ending}")).unwrap();
            assert_eq!((found.0.to_string().as_str(), found.1), (id, *part));
        }
        for name in [id, "notes.json", "a-b-20261123T181500Z-000042.json.tmp", ".mainstay-dest.json"] {
            assert_eq!(ArchiveId::of_file(name), None, "{name}");
        }
    }

    #[test]
    fn what_is_written_otherwise_is_none() {
        for wrong in [
            "",
            "prime-app",
            "prime-app-20261123T181500Z-42",
            "prime-app-20261123T181500Z-0000042",
            "prime-app-20261323T181500Z-000042",
            "prime-app-20261123T181500-000042",
            "-20261123T181500Z-000042",
            "prime-app-20261123T181500Z-00004x",
            "prime-app-20261123T181500Z-000000",
        ] {
            assert_eq!(wrong.parse::<ArchiveId>(), Err(NotAnId), "{wrong}");
        }
        assert!("a-b-20261123T181500Z-1234567".parse::<ArchiveId>().is_ok(), "more than a million archives");
    }

    proptest! {
        #[test]
        fn every_id_is_read_back(name in "[a-z0-9._-]{1,20}", second in 0_i64..10_000_000_000, sequence in 1_u64..) {
            let id = ArchiveId::new("p", &name, Timestamp::from_second(second).unwrap(), sequence);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }
    }
}
