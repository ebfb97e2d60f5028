//! Trees of files: made, copied, and looked at to the last bit.

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Command,
    time::{Duration, UNIX_EPOCH},
};

use sha2::{Digest, Sha256};

use crate::dice::Dice;

/// What a restore keeps in its target until it can be forgotten.
pub const STAGING: &str = ".mainstay-restore-";

/// Every file and folder by its path.
pub type Tree = BTreeMap<String, Look>;

/// What is compared of a file or folder; a folder's time is touched by whatever is made in it, and not compared.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Look {
    mode: u32,
    owner: (u32, u32),
    /// The time and the hash of a file.
    content: Option<((i64, i64), [u8; 32])>,
}

/// Everything below a folder, except for what a restore has staged there.
pub fn look(root: &Path) -> Tree {
    let mut tree = Tree::new();
    walk(root, "", &mut tree);
    tree
}

fn walk(folder: &Path, above: &str, tree: &mut Tree) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("text");
        if name.starts_with(STAGING) {
            continue;
        }
        let path = format!("{above}{name}");
        let found = fs::symlink_metadata(entry.path()).expect("a file");
        let content = found.is_file().then(|| {
            let bytes = fs::read(entry.path()).expect("a file");
            ((found.mtime(), found.mtime_nsec()), Sha256::digest(bytes).into())
        });
        let owner = (found.uid(), found.gid());
        tree.insert(path.clone(), Look { mode: found.mode(), owner, content });
        if found.is_dir() {
            walk(&entry.path(), &format!("{path}/"), tree);
        }
    }
}

/// How many folders of a restore are left in a target.
pub fn staged(root: &Path) -> usize {
    let names = fs::read_dir(root).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    names.filter(|name| name.to_string_lossy().starts_with(STAGING)).count()
}

/// Fails unless each file is, whole, the one of either tree.
pub fn expect_whole(now: &Tree, one: &Tree, other: &Tree) {
    for (path, look) in now {
        let fits = |tree: &Tree| tree.get(path).is_some_and(|known| known.content == look.content);
        assert!(fits(one) || fits(other), "`{path}` is neither the old nor the new one: {look:?}");
    }
    for path in one.keys().filter(|path| other.contains_key(*path)) {
        assert!(now.contains_key(path), "`{path}` is gone");
    }
}

/// The first differences, for a failed comparison of hundreds of files.
pub fn differences(one: &Tree, other: &Tree) -> Vec<String> {
    let paths = one.keys().chain(other.keys()).filter(|path| one.get(*path) != other.get(*path));
    paths.take(6).map(|path| format!("{path}: {:?} / {:?}", one.get(path), other.get(path))).collect()
}

/// An application with so many files of configuration, and data of so many bytes that cannot be packed.
pub fn grow(root: &Path, files: usize, large: usize, dice: &mut Dice) {
    write(&root.join(".env"), b"SECRET=new\n", 0o600);
    for number in 0..files {
        let folder = root.join(format!("config/{}", number % 20));
        write(&folder.join(format!("{number}.conf")), &noise(2000 + number * 7 % 3000, dice), 0o640);
    }
    write(&root.join("data/large"), &noise(large, dice), 0o600);
}

/// The same application, earlier: a third of it differs, a third has other modes, some is missing, some is more.
pub fn age(root: &Path, dice: &mut Dice) {
    write(&root.join(".env"), b"SECRET=old\n", 0o640);
    let mut number = 0;
    loop {
        let path = root.join(format!("config/{}/{number}.conf", number % 20));
        match number % 6 {
            _ if !path.exists() => break,
            0 | 1 => write(&path, &noise(2500, dice), 0o600),
            2 => fs::set_permissions(&path, Permissions::from_mode(0o604)).expect("a file of ours"),
            3 => fs::remove_file(&path).expect("a file of ours"),
            4 => write(&path.with_extension("extra"), b"only here", 0o600),
            _ => {}
        }
        number += 1;
    }
    let size = fs::metadata(root.join("data/large")).expect("a file of ours").len();
    write(&root.join("data/large"), &noise(usize::try_from(size).expect("small"), dice), 0o644);
}

fn noise(bytes: usize, dice: &mut Dice) -> Vec<u8> {
    std::iter::repeat_with(|| dice.number().to_le_bytes()).flatten().take(bytes).collect()
}

fn write(path: &Path, bytes: &[u8], mode: u32) {
    fs::create_dir_all(path.parent().expect("below a root")).expect("a folder");
    fs::write(path, bytes).expect("a file");
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a file of ours");
    let old = UNIX_EPOCH + Duration::from_secs(1_700_000_000 + u64::from(mode));
    fs::File::options().write(true).open(path).and_then(|file| file.set_modified(old)).expect("a file of ours");
}

/// Makes `to` what `from` is, times included.
pub fn copy(from: &Path, to: &Path) {
    clear(to);
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp");
    assert!(status.success(), "cp -a {} {}", from.display(), to.display());
}

pub fn clear(folder: &Path) {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{}: {error}", folder.display()),
        _ => {}
    }
}
