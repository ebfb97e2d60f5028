//! Files that are either the old ones or the new ones, never half of each: also after a crash or on a full disk.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, OFlags, flock};
use tempfile::NamedTempFile;

use crate::error::{Error, Kind, Result};

/// Who may read the file that is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// These bits, whatever the umask says: for a reader that runs as somebody else.
    Exactly(u32),
    /// What the file had before, or what the caller's umask leaves of 0666 for a new one: like a shell's `>`.
    Ordinary,
}

/// Replaces the file at `path` by `contents` in one step.
///
/// A temporary file beside it is filled, flushed to the disk and renamed over it, and the folder is flushed. Whatever
/// fails, the old file stays as it was. A link is followed: the file that it leads to is replaced. The temporary file of a
/// run that was killed is removed by the next one that writes the same file.
pub fn write(path: &Path, contents: &[u8], mode: Mode) -> Result<()> {
    // A dangling link cannot be resolved; then the link itself is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    replace(&target, contents, mode).map_err(|error| trouble(path, &error))
}

/// Like [`write()`], but what is not a regular file (`/dev/null`, a FIFO, the shell's `>(…)`) is written to, since to
/// replace a device by a file would break the machine.
pub fn write_through(path: &Path, contents: &[u8], mode: Mode) -> Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(trouble(path, &io::ErrorKind::IsADirectory.into())),
        Ok(found) if !found.is_file() => {
            pour(path, contents, found.file_type().is_fifo()).map_err(|error| trouble(path, &error))
        }
        _ => write(path, contents, mode),
    }
}

/// Writes a new file in one step, and never over another one: says whether it did.
///
/// What a killed run left is removed by the next one that asks for the same file.
pub fn create(path: &Path, contents: &[u8], mode: Mode) -> io::Result<bool> {
    match draft(path, contents, mode)?.persist_noclobber(path) {
        Ok(_) => sync_folder(folder_of(path)?).map(|()| true),
        Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(failed) => Err(failed.error),
    }
}

fn replace(target: &Path, contents: &[u8], mode: Mode) -> io::Result<()> {
    draft(target, contents, mode)?.persist(target).map_err(|error| error.error)?;
    sync_folder(folder_of(target)?)
}

/// The whole file on the disk, under a name that counts for nothing.
fn draft(target: &Path, contents: &[u8], mode: Mode) -> io::Result<NamedTempFile<File>> {
    let (folder, prefix) = (folder_of(target)?, prefix_of(target)?);
    tidy(folder, &prefix);
    let bits = match mode {
        Mode::Exactly(bits) => Some(bits),
        Mode::Ordinary => fs::metadata(target).ok().map(|found| found.permissions().mode() & 0o777),
    };
    // To a new ordinary file the kernel applies the umask at creation; any other is private until its mode is set.
    let first = if bits.is_none() { 0o666 } else { 0o600 };
    let mut file = loop {
        let file = tempfile::Builder::new()
            .prefix(&prefix)
            .make_in(folder, |path| OpenOptions::new().write(true).create_new(true).mode(first).open(path))?;
        // Where there are no locks, nobody takes it for an abandoned one either.
        let _ = flock(file.as_file(), FlockOperation::LockExclusive);
        // Another one that tidied up may have had it in the moment before it was locked.
        if file.as_file().metadata()?.nlink() > 0 {
            break file;
        }
    };
    if let Some(bits) = bits {
        file.as_file().set_permissions(Permissions::from_mode(bits))?;
    }
    file.as_file_mut().write_all(contents)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn folder_of(target: &Path) -> io::Result<&Path> {
    match target.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Ok(Path::new(".")),
        Some(parent) => Ok(parent),
        None => Err(io::ErrorKind::IsADirectory.into()),
    }
}

fn prefix_of(target: &Path) -> io::Result<OsString> {
    let mut prefix = OsString::from(".");
    prefix.push(target.file_name().ok_or(io::ErrorKind::IsADirectory)?);
    prefix.push(TEMPORARY);
    Ok(prefix)
}

/// Makes the rename itself survive a crash. Some file systems (FUSE, network ones) cannot flush a folder and say
/// `EINVAL` or that it is unsupported; the file is in place then all the same.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        // A folder that may be written to but not read cannot be opened.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        result => result,
    }
}

/// What follows the name of a file in that of its temporary one: nobody else's files are named so.
const TEMPORARY: &str = ".mainstay-tmp-";

/// Removes the temporary files of killed runs: those whose lock (flock(2)) is free, for it dies with its holder. What cannot
/// be removed costs a little space, and the next one tries again.
fn tidy(folder: &Path, prefix: &OsString) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if !entry.file_name().as_bytes().starts_with(prefix.as_bytes()) {
            continue;
        }
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let Ok(file) = OpenOptions::new().read(true).custom_flags(flags).open(entry.path()) else { continue };
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn pour(path: &Path, contents: &[u8], fifo: bool) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true);
    if fifo {
        // Without it the open waits, without end, for somebody to read; with it, it says that nobody does.
        options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    }
    let mut file = options.open(path)?;
    if fifo {
        rustix::fs::fcntl_setfl(&file, OFlags::empty())?;
    }
    file.write_all(contents)
}

/// The error of a file that could not be written: what to do follows from what the system said.
fn trouble(path: &Path, error: &io::Error) -> Error {
    let shown = path.display();
    let folder: PathBuf = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let folder = folder.display();
    let hint = match error.kind() {
        io::ErrorKind::NotFound => format!("make the folder first: `mkdir -p {folder}`"),
        io::ErrorKind::PermissionDenied => {
            format!("run as a user who may write to `{folder}`, or write somewhere else")
        }
        io::ErrorKind::ReadOnlyFilesystem => format!("`{folder}` is mounted read-only: write somewhere else"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            format!("free some space (`df -h {folder}`, `df -i {folder}`); what was there before is unchanged")
        }
        io::ErrorKind::IsADirectory => "name a file, not a folder".to_owned(),
        io::ErrorKind::NotADirectory => format!("a part of `{folder}` is a file: write somewhere else"),
        _ if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
            "start the program that reads from this pipe first".to_owned()
        }
        _ => format!("check `{folder}` and the disk that it is on"),
    };
    Error::new(Kind::Failed, format!("write `{shown}`")).because(error).hint(hint)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests set their own stage: files, a mount, another user")]
    use std::{os::unix::fs::symlink, process::Command};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_file_is_replaced_whole_and_nothing_else_is_left() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("report.json");
        write(&path, b"one", Mode::Exactly(0o644)).unwrap();
        write(&path, b"two", Mode::Exactly(0o600)).unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"two".to_vec(), 0o600));
        assert_eq!(names(place.path()), ["report.json"]);
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_what_another_one_writes_is_not() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("record.json");
        let [killed, writing, other] =
            ["record.json.mainstay-tmp-a", "record.json.mainstay-tmp-b", "record.json.backup"]
                .map(|name| place.path().join(format!(".{name}")));
        for left in [&killed, &writing, &other] {
            fs::write(left, "half").unwrap();
        }
        let held = File::open(&writing).unwrap();
        flock(&held, FlockOperation::LockExclusive).unwrap();
        write(&path, b"whole", Mode::Exactly(0o600)).unwrap();
        assert!(!killed.exists() && writing.exists() && other.exists(), "{:?}", names(place.path()));
        drop(held);
        write(&path, b"whole", Mode::Exactly(0o600)).unwrap();
        assert_eq!(names(place.path()), [".record.json.backup", "record.json"]);
    }

    #[test]
    fn an_ordinary_file_keeps_the_mode_it_had() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("report.json");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        write(&path, b"new", Mode::Ordinary).unwrap();
        assert_eq!(mode(&path), 0o640);
        let fresh = place.path().join("fresh");
        write(&fresh, b"new", Mode::Ordinary).unwrap();
        let by_shell = place.path().join("by_shell");
        fs::write(&by_shell, "").unwrap();
        assert_eq!(mode(&fresh), mode(&by_shell), "the umask counts as it does for everybody");
    }

    #[test]
    fn a_link_is_followed_and_stays_a_link() {
        let place = tempfile::tempdir().unwrap();
        let (real, link) = (place.path().join("real"), place.path().join("link"));
        fs::write(&real, "old").unwrap();
        symlink("real", &link).unwrap();
        write(&link, b"new", Mode::Ordinary).unwrap();
        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn a_missing_folder_and_a_folder_in_the_way_say_what_to_do() {
        let place = tempfile::tempdir().unwrap();
        let error = write_through(&place.path().join("no/such/file"), b"x", Mode::Ordinary).unwrap_err();
        assert!(error.hints[0].contains("mkdir -p"), "{error:?}");
        assert_eq!(error.why, ["No such file or directory (os error 2)"], "without the temporary file's name");
        let error = write_through(place.path(), b"x", Mode::Ordinary).unwrap_err();
        assert_eq!(error.hints, ["name a file, not a folder"]);
    }

    #[test]
    fn what_the_system_said_decides_what_to_do() {
        for (kind, says) in [
            (io::ErrorKind::PermissionDenied, "run as a user who may write to `/srv/reports`"),
            (io::ErrorKind::QuotaExceeded, "free some space"),
            (io::ErrorKind::NotADirectory, "a part of `/srv/reports` is a file"),
            (io::ErrorKind::Other, "check `/srv/reports`"),
        ] {
            let error = trouble(Path::new("/srv/reports/a.json"), &kind.into());
            assert!(error.hints[0].starts_with(says), "{error:?}");
        }
        let error = trouble(Path::new("a.json"), &io::ErrorKind::NotFound.into());
        assert!(error.hints[0].ends_with("`mkdir -p .`"), "{error:?}");
    }

    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        write_through(Path::new("/dev/null"), b"x", Mode::Exactly(0o644)).unwrap();
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
        let error = write_through(Path::new("/dev/full"), b"x", Mode::Ordinary).unwrap_err();
        assert!(error.hints[0].contains("free some space"), "{error:?}");
    }

    #[test]
    fn a_pipe_that_nobody_reads_is_an_error_and_not_a_wait_without_end() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, 0o600.into()).unwrap();
        let error = write_through(&path, b"x", Mode::Ordinary).unwrap_err();
        assert!(error.hints[0].contains("reads from this pipe"), "{error:?}");

        let reader = {
            let path = path.clone();
            std::thread::spawn(move || fs::read(path).unwrap())
        };
        // The reader may need a moment to open its end.
        let written = (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            write_through(&path, &[b'x'; 200_000], Mode::Ordinary).is_ok()
        });
        assert!(written);
        assert_eq!(reader.join().unwrap().len(), 200_000, "more than a pipe holds at once");
    }

    /// A file system of 64 KiB, gone with the value. `None` where the machine cannot mount one.
    struct Tiny(tempfile::TempDir);

    impl Tiny {
        fn mount(options: &str) -> Option<Self> {
            let place = tempfile::tempdir().unwrap();
            let done = Command::new("mount")
                .args(["-t", "tmpfs", "-o", options, "tmpfs"])
                .arg(place.path())
                .output()
                .is_ok_and(|output| output.status.success());
            done.then(|| Self(place))
        }
    }

    impl Drop for Tiny {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(self.0.path()).status();
        }
    }

    #[test]
    fn on_a_full_disk_the_old_file_stays_and_the_error_says_so() {
        let Some(tiny) = Tiny::mount("size=64k") else {
            use std::io::Write as _;
            let _ = writeln!(
                io::stderr(),
                "skipped: on_a_full_disk_the_old_file_stays_and_the_error_says_so (cannot mount)"
            );
            return;
        };
        let path = tiny.0.path().join("state.json");
        write(&path, b"old", Mode::Exactly(0o600)).unwrap();
        let error = write(&path, &[b'x'; 200_000], Mode::Exactly(0o600)).unwrap_err();
        assert!(error.to_string().contains("No space left"), "{error}");
        assert!(error.hints[0].contains("unchanged"), "{error:?}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(tiny.0.path()), ["state.json"], "no debris on the full disk");
    }

    #[test]
    fn in_a_read_only_folder_the_old_file_stays_and_the_error_says_so() {
        let Some(tiny) = Tiny::mount("size=64k") else {
            use std::io::Write as _;
            let _ = writeln!(
                io::stderr(),
                "skipped: in_a_read_only_folder_the_old_file_stays_and_the_error_says_so (cannot mount)"
            );
            return;
        };
        let path = tiny.0.path().join("state.json");
        write(&path, b"old", Mode::Exactly(0o600)).unwrap();
        let done = Command::new("mount").args(["-o", "remount,ro"]).arg(tiny.0.path()).status().unwrap();
        assert!(done.success());
        let error = write(&path, b"new", Mode::Exactly(0o600)).unwrap_err();
        assert!(error.hints[0].contains("mounted read-only"), "{error:?}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }
}
