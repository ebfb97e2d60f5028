//! Programs of this machine: our own, and where others lie.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::Context;

/// Where our own binary lies. After an upgrade it is the new one's path, which the kernel marks as deleted.
///
/// # Errors
///
/// The system does not tell (there is no `/proc`).
pub fn own() -> io::Result<PathBuf> {
    let path = fs::read_link("/proc/self/exe")?;
    Ok(match path.to_str().and_then(|text| text.strip_suffix(" (deleted)")) {
        Some(text) => text.into(),
        None => path,
    })
}

/// The file that a program's name leads to by `PATH`, links not followed; `None` where there is none.
pub fn find(name: &str, context: &Context) -> Option<PathBuf> {
    if name.contains('/') {
        return is_program(Path::new(name)).then(|| name.into());
    }
    let path = context.variable("PATH")?;
    std::env::split_paths(path).map(|folder| folder.join(name)).find(|file| is_program(file))
}

/// What starts a program: its name where `PATH` has it, else its path where it lies in one of the superuser's folders.
pub fn reachable(name: &str, context: &Context) -> PathBuf {
    beyond_path(name, &SUPERUSERS.map(Path::new), context).unwrap_or_else(|| name.into())
}

fn beyond_path(name: &str, folders: &[&Path], context: &Context) -> Option<PathBuf> {
    if name.contains('/') || find(name, context).is_some() {
        return None;
    }
    folders.iter().map(|folder| folder.join(name)).find(|file| is_program(file))
}

/// Whether a program is one of snap's: it is started inside a sandbox of its own, which no other may be around.
pub fn is_snap(file: &Path) -> bool {
    let real = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    file.starts_with("/snap") || real.starts_with("/snap") || real.file_name().is_some_and(|name| name == "snap")
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Folders that the `PATH` of cron and of most users lacks; nginx lies in one of them.
const SUPERUSERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn our_own_path_is_absolute_and_a_name_is_looked_up() {
        assert!(own().unwrap().is_absolute());
        let context = Context::real(BTreeMap::from([("PATH".into(), "/nowhere:/usr/bin:/bin".into())]), "/".into());
        assert!(find("sh", &context).is_some_and(|file| file.ends_with("sh")));
        assert_eq!(find("/bin/sh", &context), Some("/bin/sh".into()));
        assert_eq!(find("no-such-program", &context), None);
        assert!(!is_snap(Path::new("/bin/sh")) && is_snap(Path::new("/snap/bin/certbot")));
    }

    #[test]
    fn a_program_of_the_superuser_is_found_although_the_path_of_cron_lacks_its_folder() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("sbin-only");
        std::os::unix::fs::symlink("/bin/sh", &file).unwrap();
        let cron = Context::real(BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]), "/".into());
        let beyond = |name: &str| beyond_path(name, &[Path::new("/nowhere"), place.path()], &cron);
        assert_eq!(beyond("sbin-only"), Some(file));
        // What PATH has, and what is a path, stays as it was typed.
        assert_eq!((beyond("sh"), beyond("/opt/sh"), beyond("no-such-program")), (None, None, None));
        assert_eq!(reachable("no-such-program", &cron), PathBuf::from("no-such-program"));
    }
}
