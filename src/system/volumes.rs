//! Filesystems of this machine: how much room there is where something is kept.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::future::join_all;
use rustix::fs::{StatVfsMountFlags, statvfs};

use super::file;
use crate::rules::host_disk::{Amount, Disks, Use, Volume};

/// Looks at the filesystem of each of these paths; several on one are one volume. What is not there yet is looked for where
/// it would come to be. A filesystem that hangs costs `within` and no more.
pub async fn look(uses: Vec<Use>, within: Duration) -> Disks {
    let looks = uses.into_iter().map(|used| async move {
        let path = PathBuf::from(&used.path);
        let looked = tokio::task::spawn_blocking(move || one(&path));
        let seen = match tokio::time::timeout(within, looked).await {
            Ok(Ok(seen)) => seen.map_err(|error| file::why(&error)),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {} s", within.as_secs_f64())),
        };
        (used, seen)
    });
    let mut disks = Disks::default();
    let mut devices: Vec<u64> = Vec::new();
    for (used, seen) in join_all(looks).await {
        match seen {
            Err(why) => disks.unseen.push((used, why)),
            Ok((device, volume)) => match devices.iter().position(|known| *known == device) {
                Some(at) => disks.volumes.get_mut(at).into_iter().for_each(|volume| volume.uses.push(used.clone())),
                None => {
                    devices.push(device);
                    disks.volumes.push(Volume { uses: vec![used], ..volume });
                }
            },
        }
    }
    disks
}

/// The device and the volume of a path.
fn one(path: &Path) -> io::Result<(u64, Volume)> {
    let (path, device) = existing(path)?;
    let told = statvfs(&path)?;
    let block = told.f_frsize.max(1);
    // As df counts: what is kept for root is neither free nor part of the whole.
    let total = told.f_blocks.saturating_sub(told.f_bfree).saturating_add(told.f_bavail).saturating_mul(block);
    let bytes = Amount { free: told.f_bavail.saturating_mul(block), total };
    let inodes = (told.f_files > 0).then_some(Amount { free: told.f_favail, total: told.f_files });
    let read_only = told.f_flag.contains(StatVfsMountFlags::RDONLY);
    let mount = mount(&path).unwrap_or_else(|| path.display().to_string());
    Ok((device, Volume { mount, bytes, inodes, read_only, uses: Vec::new() }))
}

/// The path itself, without symbolic links, or the nearest folder above it that is there; with its device.
fn existing(path: &Path) -> io::Result<(PathBuf, u64)> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for path in path.ancestors().filter(|path| !path.as_os_str().is_empty()) {
        match fs::canonicalize(path).and_then(|path| Ok((path.clone(), fs::metadata(&path)?.dev()))) {
            Ok(found) => return Ok(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// Where the filesystem of a path is mounted; `None` where the system does not tell (proc(5), `/proc/PID/mountinfo`).
fn mount(path: &Path) -> Option<String> {
    let table = file::read_text(Path::new("/proc/self/mountinfo"), 4 << 20).ok()?;
    let mut best: Option<PathBuf> = None;
    for line in table.lines() {
        let Some(point) = line.split(' ').nth(4).map(unescaped) else { continue };
        // The last one of several at one place is the one that is seen.
        let longer = best.as_ref().is_none_or(|best| point.as_os_str().len() >= best.as_os_str().len());
        if path.starts_with(&point) && longer {
            best = Some(point);
        }
    }
    best.map(|point| point.display().to_string())
}

/// Blanks, tabs, line ends and backslashes are written as octal numbers there.
fn unescaped(text: &str) -> PathBuf {
    let codes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    codes.iter().fold(text.to_owned(), |text, (code, plain)| text.replace(code, plain)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(path: &Path) -> Use {
        Use { what: "a test".into(), path: path.display().to_string(), writes: true }
    }

    #[tokio::test]
    async fn a_folder_and_what_will_be_in_it_are_on_one_volume() {
        let folder = tempfile::tempdir().unwrap();
        let uses = vec![used(folder.path()), used(&folder.path().join("not/there/yet")), used(Path::new("/proc"))];
        let disks = look(uses, Duration::from_secs(5)).await;
        assert!(disks.unseen.is_empty(), "{disks:?}");
        assert_eq!(disks.volumes.len(), 2, "{disks:?}");
        let volume = &disks.volumes[0];
        assert_eq!(volume.uses.len(), 2);
        assert!(volume.bytes.free <= volume.bytes.total && volume.bytes.total > 0, "{volume:?}");
        assert!(folder.path().canonicalize().unwrap().starts_with(&volume.mount), "{volume:?}");
        assert_eq!(disks.volumes[1].mount, "/proc");
    }

    #[test]
    fn a_name_with_a_blank_is_read() {
        assert_eq!(unescaped("/mnt/my\\040stick"), Path::new("/mnt/my stick"));
    }
}
