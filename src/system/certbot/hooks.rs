//! Finds the commands that certbot runs by itself, besides those of a renewal file.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::{
    rules::renewal::{Hook, Moment, of_ini},
    system::file,
};

/// A script is shorter.
const LIMIT: u64 = 64 << 10;

/// The hooks of certbot's configuration folder: the programs in `renewal-hooks`, in the order in which they are run, and what
/// `cli.ini` says. What cannot be looked at is not there.
pub fn hooks(directory: &Path) -> Vec<Hook> {
    let mut found = Vec::new();
    for moment in Moment::ALL {
        let folder = directory.join("renewal-hooks").join(moment.word());
        let mut paths: Vec<_> =
            fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        paths.sort();
        // As certbot's own `list_hooks`: an executable file that is no editor's copy.
        paths.retain(|path| {
            let program =
                fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
            program && !path.as_os_str().to_string_lossy().ends_with('~')
        });
        found.extend(paths.into_iter().map(|path| Hook {
            moment,
            source: format!("`{}`", folder.display()),
            script: file::read_text(&path, LIMIT).unwrap_or_default(),
            command: path.display().to_string(),
        }));
    }
    let ini = directory.join("cli.ini");
    let text = file::read_text(&ini, LIMIT).unwrap_or_default();
    found.extend(of_ini(&text, &format!("`{}`", ini.display())));
    found
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test writes files of a place of its own")]

    use super::*;

    #[test]
    fn programs_of_the_folders_and_lines_of_cli_ini_are_found_in_their_order() {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(hooks(place.path()), []);
        let script = |name: &str, mode: u32| {
            let path = place.path().join("renewal-hooks").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "#!/bin/sh\nsystemctl stop nginx\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        script("pre/20-b", 0o755);
        script("pre/10-a", 0o700);
        script("pre/README", 0o644);
        script("pre/10-a~", 0o755);
        script("post/x", 0o755);
        fs::write(place.path().join("cli.ini"), "deploy-hook = /bin/true\n").unwrap();
        let found = hooks(place.path());
        let told: Vec<_> = found.iter().map(|hook| (hook.moment, hook.command.rsplit('/').next().unwrap())).collect();
        assert_eq!(told, [(Moment::Pre, "10-a"), (Moment::Pre, "20-b"), (Moment::Post, "x"), (Moment::Deploy, "true")]);
        assert!(found[0].stops() && !found[3].stops());
    }
}
