//! What a restore would do to one path: the entry of the archive against what is on the disk.

use super::manifest::{Entry, Kind, Mtime};

/// What is on the disk under an entry's path, without following a link.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// What it is.
    pub kind: FoundKind,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    /// The owner's number.
    pub uid: u64,
    /// The group's number.
    pub gid: u64,
    /// When its content last changed, as far as programs let that be seen.
    pub mtime: Mtime,
    /// When anything about it last changed: content, attributes, name. No program can set it.
    pub ctime: Mtime,
}

/// What a thing on the disk is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FoundKind {
    /// A folder.
    Directory {
        /// Whether nothing is in it.
        empty: bool,
    },
    /// A regular file.
    File {
        /// Its length in bytes.
        size: u64,
    },
    /// A device, a FIFO, a socket.
    Other,
    /// A symbolic link.
    Symlink {
        /// Where it leads, as it is written in it.
        target: Vec<u8>,
    },
}

/// The attributes that a restore gives an entry: those of the manifest as far as the caller may set them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Wanted {
    /// Permission bits.
    pub mode: u32,
    /// Owner and group; `None` where the caller cannot give files away, and they stay its own.
    pub owner: Option<(u64, u64)>,
}

/// What a restore would do to a path, in the order in which a plan tells it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Difference {
    /// Nothing has the path.
    Create,
    /// The content is another, and not younger than the archive.
    Change,
    /// The content is another, and was changed after the archive was made: to restore it would lose that.
    Newer,
    /// Something else has the path: a file where the archive has a folder, a link where it has a file.
    KindChange,
    /// The content is the same; mode, owner or time is not.
    ModeOnly,
    /// It is on the disk, in a folder of the archive, and not in the archive. It stays.
    Extra,
    /// Content and attributes are the same.
    Same,
}

impl Difference {
    /// All of them, in the order of a plan.
    pub const ALL: [Self; 7] =
        [Self::Create, Self::Change, Self::Newer, Self::KindChange, Self::ModeOnly, Self::Extra, Self::Same];

    /// The word of plans and reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Create => "create",
            Self::Extra => "extra",
            Self::KindChange => "kind-change",
            Self::ModeOnly => "mode-only",
            Self::Newer => "newer-on-disk",
            Self::Same => "same",
        }
    }
}

/// Compares an entry with what is on the disk. `created` is when the archive was made.
///
/// The content on the disk is asked for only where nothing cheaper decides: a file of the same size whose time differs, or
/// to which something has happened since the archive was made. A hard link is compared as the file that it is another name of: see [`judge_link`].
///
/// # Errors
///
/// Those of `content`.
pub fn judge<E>(
    entry: &Entry,
    wanted: Wanted,
    found: Option<&Found>,
    created: Mtime,
    content: impl FnOnce() -> Result<[u8; 32], E>,
) -> Result<Difference, E> {
    let Some(found) = found else { return Ok(Difference::Create) };
    let young = found.mtime > created;
    let quiet = found.ctime <= created;
    let changed = if young { Difference::Newer } else { Difference::Change };
    let same_content = match (&entry.kind, &found.kind) {
        (Kind::Directory, FoundKind::Directory { .. }) => true,
        (Kind::Symlink { target }, FoundKind::Symlink { target: found }) => target == found,
        (Kind::File { size, sha256 }, FoundKind::File { size: found_size }) => {
            let untouched = entry.mtime == found.mtime && !young && quiet;
            size == found_size && (untouched || content()? == *sha256)
        }
        // What is in a folder goes with it, and only somebody who looks can say whether it is missed.
        (_, FoundKind::Directory { empty: false }) => return Ok(Difference::Newer),
        _ if young && !matches!(found.kind, FoundKind::Directory { .. } | FoundKind::Other) => {
            return Ok(Difference::Newer);
        }
        _ => return Ok(Difference::KindChange),
    };
    Ok(match same_content {
        false => changed,
        true if same_attributes(entry, wanted, found) => Difference::Same,
        true => Difference::ModeOnly,
    })
}

/// Compares a further name of a file. `own` is what [`judge`] says of the path as if it were that file, `file` what it says
/// of the file itself; `linked` is whether both paths are one file on the disk.
pub fn judge_link(own: Difference, file: Difference, linked: bool) -> Difference {
    match own {
        // The file's step sets the attributes of all its names.
        Difference::ModeOnly | Difference::Same if linked => match file {
            Difference::Same | Difference::ModeOnly => Difference::Same,
            _ => Difference::Change,
        },
        Difference::ModeOnly | Difference::Same => Difference::Change,
        other => other,
    }
}

/// Mode, owner and time. A link has no mode, and nobody reads its time; the time of a folder changes with every file that
/// comes and goes in it, so by itself it says nothing.
fn same_attributes(entry: &Entry, wanted: Wanted, found: &Found) -> bool {
    let is_link = matches!(entry.kind, Kind::Symlink { .. });
    let owner = wanted.owner.is_none_or(|owner| owner == (found.uid, found.gid));
    let mode = is_link || wanted.mode == found.mode;
    let time = is_link || entry.kind == Kind::Directory || entry.mtime == found.mtime;
    owner && mode && time
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::rules::manifest::Flags;

    const OLD: Mtime = Mtime { seconds: 100, nanos: 5 };
    const LATER: Mtime = Mtime { seconds: 150, nanos: 0 };
    const CREATED: Mtime = Mtime { seconds: 200, nanos: 0 };
    const YOUNG: Mtime = Mtime { seconds: 200, nanos: 1 };

    fn entry(kind: Kind) -> Entry {
        Entry {
            path: b"a".to_vec(),
            kind,
            mode: 0o640,
            uid: 1,
            gid: 2,
            user: None,
            group: None,
            mtime: OLD,
            flags: Flags::default(),
        }
    }

    fn file() -> Entry {
        entry(Kind::File { size: 3, sha256: [1; 32] })
    }

    fn found(kind: FoundKind, mtime: Mtime) -> Found {
        Found { kind, mode: 0o640, uid: 1, gid: 2, mtime, ctime: LATER }
    }

    fn verdict(entry: &Entry, found: &Found, hash: Option<u8>) -> Difference {
        let wanted = Wanted { mode: entry.mode, owner: Some((entry.uid, entry.gid)) };
        let content = || Ok::<_, Infallible>([hash.expect("nobody needs the content"); 32]);
        judge(entry, wanted, Some(found), CREATED, content).unwrap()
    }

    #[test]
    fn backup_case_33_files_are_told_apart_by_content_time_and_mode() {
        let size = |size| FoundKind::File { size };
        for (what, live, hash, expected) in [
            ("untouched: nothing is read", found(size(3), OLD), None, Difference::Same),
            ("another size", found(size(4), OLD), None, Difference::Change),
            ("another size, later", found(size(4), YOUNG), None, Difference::Newer),
            ("another content", found(size(3), LATER), Some(2), Difference::Change),
            ("another content, later", found(size(3), YOUNG), Some(2), Difference::Newer),
            (
                "another content of the same time",
                Found { ctime: YOUNG, ..found(size(3), OLD) },
                Some(2),
                Difference::Change,
            ),
            ("moved here since", Found { ctime: YOUNG, ..found(size(3), OLD) }, Some(1), Difference::Same),
            ("touched", found(size(3), LATER), Some(1), Difference::ModeOnly),
            ("touched after the archive", found(size(3), YOUNG), Some(1), Difference::ModeOnly),
            ("another mode", Found { mode: 0o644, ..found(size(3), OLD) }, None, Difference::ModeOnly),
            ("another owner", Found { uid: 9, ..found(size(3), OLD) }, None, Difference::ModeOnly),
            ("another group", Found { gid: 9, ..found(size(3), OLD) }, None, Difference::ModeOnly),
        ] {
            assert_eq!(verdict(&file(), &live, hash), expected, "{what}");
        }
        let nothing = judge(&file(), Wanted { mode: 0, owner: None }, None, CREATED, || Err(()));
        assert_eq!(nothing, Ok(Difference::Create));
    }

    #[test]
    fn what_has_the_same_time_as_the_entry_and_is_younger_than_the_archive_is_read() {
        // A clock that was set back: the archive is older than what is in it.
        let entry = Entry { mtime: YOUNG, ..file() };
        assert_eq!(verdict(&entry, &found(FoundKind::File { size: 3 }, YOUNG), Some(2)), Difference::Newer);
    }

    #[test]
    fn links_and_folders_have_their_own_rules() {
        let link = entry(Kind::Symlink { target: b"x".to_vec() });
        let to = |target: &[u8]| FoundKind::Symlink { target: target.to_vec() };
        let folder = entry(Kind::Directory);
        let full = FoundKind::Directory { empty: false };
        for (what, entry, live, expected) in [
            ("the same link", &link, Found { mode: 0o777, ..found(to(b"x"), YOUNG) }, Difference::Same),
            ("another link", &link, found(to(b"y"), OLD), Difference::Change),
            ("another link, later", &link, found(to(b"y"), YOUNG), Difference::Newer),
            ("a folder in use", &folder, found(full.clone(), YOUNG), Difference::Same),
            ("a folder's mode", &folder, Found { mode: 0o755, ..found(full.clone(), OLD) }, Difference::ModeOnly),
            ("a link for a folder", &folder, found(to(b"/etc"), OLD), Difference::KindChange),
            ("a younger link for a folder", &folder, found(to(b"/etc"), YOUNG), Difference::Newer),
            ("a file for a folder", &folder, found(FoundKind::File { size: 0 }, OLD), Difference::KindChange),
            ("a folder with things for a file", &file(), found(full, OLD), Difference::Newer),
            (
                "an empty folder for a file",
                &file(),
                found(FoundKind::Directory { empty: true }, YOUNG),
                Difference::KindChange,
            ),
            ("a socket for a file", &file(), found(FoundKind::Other, YOUNG), Difference::KindChange),
        ] {
            assert_eq!(verdict(entry, &live, None), expected, "{what}");
        }
    }

    #[test]
    fn an_owner_that_cannot_be_given_is_no_difference() {
        let live = Found { uid: 9, gid: 9, ..found(FoundKind::File { size: 3 }, OLD) };
        let judged = judge(&file(), Wanted { mode: 0o640, owner: None }, Some(&live), CREATED, || Err(()));
        assert_eq!(judged, Ok(Difference::Same));
    }

    #[test]
    fn a_second_name_is_one_file_with_the_first_or_is_made_so() {
        use Difference::{Change, Create, ModeOnly, Newer, Same};
        for (own, file, linked, expected) in [
            (Same, Same, true, Same),
            (ModeOnly, ModeOnly, true, Same),
            (Same, Same, false, Change),
            (Same, Change, false, Change),
            (Same, Newer, true, Change),
            (Create, Same, false, Create),
            (Newer, Newer, true, Newer),
            (Change, Create, false, Change),
        ] {
            assert_eq!(judge_link(own, file, linked), expected, "{own:?} {file:?} {linked}");
        }
    }
}
