//! Media that are mounted where people mount sticks and disks.

use std::path::{Path, PathBuf};

use super::file;

/// Where media are mounted (Filesystem Hierarchy Standard 3.0, sections 3.11 and 3.12; udisks).
const USUAL: [&str; 3] = ["/mnt", "/media", "/run/media"];

/// The kernel's table of mounts is smaller.
const LARGEST: u64 = 4 << 20;

/// The mount points of writable media, in the order of the kernel's table.
pub fn mounted() -> Vec<PathBuf> {
    let text = file::read_text(Path::new("/proc/self/mountinfo"), LARGEST).unwrap_or_default();
    text.lines().filter_map(medium).collect()
}

/// A line of proc_pid_mountinfo(5): `36 35 98:0 /root /point options … - type source superoptions`.
fn medium(line: &str) -> Option<PathBuf> {
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ').skip(4);
    let (point, options) = (unescape(fields.next()?), fields.next()?);
    let (kind, source) =
        after.split_once(' ').map(|(kind, rest)| (kind, rest.split(' ').next().unwrap_or_default()))?;
    let is_medium = source.starts_with("/dev/") || matches!(kind, "nfs" | "nfs4" | "cifs" | "smb3" | "fuse.sshfs");
    let writable = options.split(',').any(|option| option == "rw");
    let point = PathBuf::from(point);
    let usual = USUAL.iter().any(|folder| point.starts_with(folder) && point != Path::new(folder));
    (is_medium && writable && usual).then_some(point)
}

/// Blanks and backslashes are octal.
fn unescape(field: &str) -> String {
    let pairs = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    pairs.iter().fold(field.to_owned(), |field, (escape, plain)| field.replace(escape, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stick_is_a_medium_and_the_system_is_not() {
        for (line, point) in [
            ("90 25 8:17 / /media/ann/MY\\040STICK rw,nosuid - vfat /dev/sdb1 rw", Some("/media/ann/MY STICK")),
            ("91 25 0:50 / /mnt/nas rw shared:1 - nfs4 nas:/export rw", Some("/mnt/nas")),
            ("92 25 8:17 / /media/cd ro - iso9660 /dev/sr0 ro", None),
            ("93 25 8:1 / / rw - ext4 /dev/sda1 rw", None),
            ("94 25 0:51 / /mnt/x rw - tmpfs tmpfs rw", None),
            ("95 25 8:1 /m /mnt rw - ext4 /dev/sda1 rw", None),
            ("", None),
        ] {
            assert_eq!(medium(line), point.map(PathBuf::from), "{line}");
        }
        let _ = mounted();
    }
}
