//! Whether the medium that a folder belongs on is mounted.
//!
//! A stick that is not plugged in leaves an empty folder behind. What is written there fills the machine's own disk, and is
//! lost with it. So a folder whose path says that it is on a medium must be on another file system than what is there
//! without the medium.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

use crate::system::store::{Mounted, Reason, Trouble};

/// Where media are mounted (Filesystem Hierarchy Standard 3.0, sections 3.11 and 3.12; `/run/media` is what udisks uses).
const USUAL: [&str; 3] = ["/mnt", "/media", "/run/media"];

/// Refuses a folder whose medium is not there.
///
/// `path` is the folder as the configuration has it, `device` what it is on: of the folder, or of the nearest one above it
/// that exists. `fstab` is the table of what should be mounted (fstab(5)).
///
/// # Errors
///
/// [`Reason::MediumAbsent`].
pub(super) fn expect(path: &Path, mounted: Mounted, fstab: &Path, device: u64) -> Result<(), Trouble> {
    if mounted == Mounted::Never {
        return Ok(());
    }
    let table = match fs::read(fstab) {
        Ok(table) => String::from_utf8_lossy(&table).into_owned(),
        // A container has none.
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            return Err(Trouble::of_io(&error, fstab).doing("find out what should be mounted"));
        }
    };
    let mut demands = demands(path, mounted, &table);
    // A link in the path may lead to a medium.
    if let Ok(real) = real(path) {
        demands.extend(self::demands(&real, mounted, &table));
    }
    demands.iter().try_for_each(|demand| demand.expect(path, device))
}

/// Why a folder must be on another file system, and than which.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Demand {
    /// What comes through where the medium is not mounted, besides `/`.
    below: PathBuf,
    /// In words, after "it should be, because".
    because: String,
}

fn demands(path: &Path, mounted: Mounted, fstab: &str) -> Vec<Demand> {
    if mounted == Mounted::Always {
        let because = "the configuration says `mounted = true`".to_owned();
        return vec![Demand { below: "/".into(), because }];
    }
    let usual = USUAL.into_iter().map(|place| (PathBuf::from(place), format!("`{place}` is where media are mounted")));
    let listed = mount_points(fstab).map(|point| {
        let because = format!("/etc/fstab mounts `{}`", point.display());
        (point, because)
    });
    let path = plain(path);
    let fitting = usual.chain(listed).filter(|(base, _)| path.starts_with(base));
    let demand = |(base, because): (PathBuf, _)| base.parent().map(|below| Demand { below: below.into(), because });
    fitting.filter_map(demand).collect()
}

impl Demand {
    fn expect(&self, path: &Path, device: u64) -> Result<(), Trouble> {
        // What cannot be looked at is no medium either; `/` always can.
        let same = |place: &Path| fs::metadata(place).is_ok_and(|found| found.dev() == device);
        if !same(Path::new("/")) && !same(&self.below) {
            return Ok(());
        }
        let shown = path.display();
        Err(Trouble::new(
            Reason::MediumAbsent,
            format!("`{shown}` is not on a mounted medium, and should be, because {}", self.because),
            format!(
                "plug it in and mount it (`findmnt -T {shown}` shows what is there now); `mounted = false` if this disk is meant"
            ),
        ))
    }
}

/// The mount points of a table: the second field of each line, with blanks and backslashes as octal escapes.
fn mount_points(fstab: &str) -> impl Iterator<Item = PathBuf> {
    let lines = fstab.lines().filter(|line| !line.trim_start().starts_with('#'));
    let points = lines.filter_map(|line| line.split_whitespace().nth(1)).map(unescape).map(PathBuf::from);
    points.filter(|point| point.is_absolute() && point != Path::new("/"))
}

fn unescape(field: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(field.to_owned(), |field, (escape, plain)| field.replace(escape, plain))
}

/// The path without `.` and `..`, as it reads.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

/// The path with its links resolved, as far as it exists.
fn real(path: &Path) -> io::Result<PathBuf> {
    let (there, rest) = nearest(path)?;
    Ok(fs::canonicalize(there)?.join(rest))
}

/// The nearest folder that exists at or above a path, and the rest of the path below it.
pub(super) fn nearest(path: &Path) -> io::Result<(&Path, &Path)> {
    for there in path.ancestors() {
        match fs::metadata(there) {
            Ok(_) => return Ok((there, path.strip_prefix(there).expect("an ancestor is a prefix"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FSTAB: &str = "\
# device     mount point        type  options
UUID=1234    /                  ext4  errors=remount-ro 0 1
UUID=5678    /srv/my\\040disk   ext4  noauto 0 2
/swapfile    none               swap  sw 0 0
  # /dev/sdz /old               ext4
/dev/sdb1    /backup            vfat  user,noauto
";

    #[test]
    fn backup_case_06_the_path_says_whether_a_medium_belongs_there() {
        for (path, below) in [
            ("/srv/backups", &[][..]),
            ("/old/backups", &[]),
            ("/mntx", &[]),
            ("/backup", &["/"]),
            ("/backup/deep/er", &["/"]),
            ("/backups", &[]),
            ("/srv/my disk/prime", &["/srv"]),
            ("/srv/my/../my disk/./prime", &["/srv"]),
            ("/mnt", &["/"]),
            ("/mnt/usb/backups", &["/"]),
            ("/media/ann/STICK", &["/"]),
            // On the file system of /run, a memory that is gone after a reboot, it is not on a stick.
            ("/run/media/ann/STICK", &["/run"]),
        ] {
            let found = demands(Path::new(path), Mounted::Auto, FSTAB);
            let found: Vec<_> = found.iter().map(|demand| demand.below.to_str().unwrap()).collect();
            assert_eq!(found, below, "{path}");
        }
        assert_eq!(demands(Path::new("/srv/backups"), Mounted::Always, "").len(), 1);
    }

    #[test]
    fn backup_case_06_a_folder_of_the_same_file_system_is_no_medium() {
        let root = fs::metadata("/").unwrap().dev();
        let (path, none) = (Path::new("/mnt/usb/backups"), Path::new("/nonexistent/fstab"));
        let trouble = expect(path, Mounted::Auto, none, root).unwrap_err();
        assert_eq!(trouble.reason, Reason::MediumAbsent);
        assert!(trouble.why.contains("`/mnt` is where media are mounted"), "{trouble:?}");
        assert_eq!(expect(path, Mounted::Auto, none, root + 4711), Ok(()));
        assert_eq!(expect(path, Mounted::Never, none, root), Ok(()));
        assert_eq!(expect(Path::new("/srv/backups"), Mounted::Auto, none, root), Ok(()));
        assert!(expect(Path::new("/srv/backups"), Mounted::Always, none, root).is_err());
    }

    #[test]
    fn backup_case_06_a_link_to_a_medium_is_a_medium() {
        let place = tempfile::tempdir().unwrap();
        let (point, link, fstab) = (place.path().join("point"), place.path().join("link"), place.path().join("fstab"));
        fs::create_dir(&point).unwrap();
        std::os::unix::fs::symlink("point", &link).unwrap();
        crate::system::state::write(
            &fstab,
            format!("/dev/sdb1 {} vfat", point.display()).as_bytes(),
            crate::system::state::Mode::Ordinary,
        )
        .unwrap();
        let device = fs::metadata(&point).unwrap().dev();
        for path in [point.join("backups"), link.join("backups")] {
            let trouble = expect(&path, Mounted::Auto, &fstab, device).unwrap_err();
            assert!(trouble.why.contains("/etc/fstab mounts"), "{trouble:?}");
        }
    }
}
