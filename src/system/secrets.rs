//! Looks for secrets among the files of a backup: what they are called, what is in small ones, who can read them.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use super::file;
use crate::rules::secret::{self, Sign};

/// Takes the paths of a backup one after the other and keeps those that hold a secret.
pub struct Search {
    root: PathBuf,
    left: u32,
    passable: HashMap<PathBuf, bool>,
    found: Vec<Found>,
}

/// A file that holds a secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// Its absolute path.
    pub path: PathBuf,
    /// Why it is taken for one.
    pub sign: Sign,
    /// Its permission bits, where everybody on the machine can read it: no folder above it is closed to them.
    pub open: Option<u32>,
}

/// Larger files are data.
const SMALL: u64 = 64 << 10;

/// So many files are read; of the rest only the names are looked at. A configuration has fewer, and a million pictures
/// must not be read every quarter of an hour.
const READ: u32 = 2000;

impl Search {
    /// A search below this folder.
    pub fn below(root: &Path) -> Self {
        Self { root: root.to_owned(), left: READ, passable: HashMap::new(), found: Vec::new() }
    }

    /// Looks at one path, given from the root. What cannot be looked at is the business of the backup itself.
    pub fn look(&mut self, path: &[u8]) {
        let path = self.root.join(OsStr::from_bytes(path));
        let Ok(seen) = fs::metadata(&path) else { return };
        if !seen.is_file() {
            return;
        }
        let sign = if secret::is_named_so(&path) { Some(Sign::Name) } else { self.read(&path, seen.len()) };
        let Some(sign) = sign else { return };
        let mode = seen.mode() & 0o7777;
        let open = (mode & 0o004 != 0 && self.everybody_reaches(&path)).then_some(mode);
        self.found.push(Found { path, sign, open });
    }

    /// What was found, in the order of the paths.
    pub fn finish(self) -> Vec<Found> {
        self.found
    }

    fn read(&mut self, path: &Path, bytes: u64) -> Option<Sign> {
        if bytes > SMALL || self.left == 0 {
            return None;
        }
        self.left -= 1;
        secret::in_content(path, &file::read(path, SMALL).ok()?)
    }

    /// Whether every folder on the way lets everybody pass.
    fn everybody_reaches(&mut self, path: &Path) -> bool {
        let Some(folder) = path.canonicalize().ok().and_then(|real| Some(real.parent()?.to_owned())) else {
            return true;
        };
        if let Some(known) = self.passable.get(&folder) {
            return *known;
        }
        let passes = |folder: &Path| fs::metadata(folder).is_ok_and(|seen| seen.mode() & 0o001 != 0);
        let all = folder.ancestors().all(passes);
        self.passable.insert(folder, all);
        all
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test makes the files that are looked at")]
    fn names_contents_and_permissions_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("app");
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        fs::create_dir_all(root.join("config/closed")).unwrap();
        for (name, content, bits) in [
            (".env", "", 0o644),
            ("config/app.toml", "workers = 3", 0o644),
            ("config/db.toml", "password = \"hunter2hunter2\"", 0o640),
            ("config/closed/tls.pem", "-----BEGIN PRIVATE KEY-----", 0o644),
        ] {
            fs::write(root.join(name), content).unwrap();
            mode(&root.join(name), bits);
        }
        mode(&root.join("config/closed"), 0o700);
        let look = || {
            let mut search = Search::below(&root);
            for path in [".env", "config", "config/app.toml", "config/db.toml", "config/closed/tls.pem", "gone"] {
                search.look(path.as_bytes());
            }
            let found = search.finish();
            found
                .into_iter()
                .map(|found| (found.path.strip_prefix(&root).unwrap().to_owned(), found.sign, found.open))
                .collect::<Vec<_>>()
        };
        mode(folder.path(), 0o700);
        assert_eq!(look()[0], (".env".into(), Sign::Name, None));
        mode(folder.path(), 0o755);
        assert_eq!(
            look(),
            [
                (".env".into(), Sign::Name, Some(0o644)),
                ("config/db.toml".into(), Sign::Credential, None),
                ("config/closed/tls.pem".into(), Sign::PrivateKey, None),
            ]
        );
    }
}
