#![expect(
    clippy::disallowed_methods,
    reason = "tests set their own stage, and judge by the programs that everybody has"
)]
//! Archives as `age`, `tar` and others see them; our own reader must agree.

use std::{
    collections::BTreeMap,
    fs::{self, File, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
};

use age::secrecy::ExposeSecret;

use super::*;
use crate::system::archive::{Keys, Limits, Terms, survey, verify};

/// A folder to back up, a key, and an archive of the one for the other.
struct Stage {
    place: tempfile::TempDir,
    recipe: Recipe,
    seal: Seal,
}

impl Stage {
    fn new(include: &[&str]) -> Self {
        let place = tempfile::tempdir().unwrap();
        let identity = age::x25519::Identity::generate();
        let seal = Seal::recipients(&[identity.to_public().to_string()], None).unwrap();
        fs::write(place.path().join("key"), identity.to_string().expose_secret()).unwrap();
        let root = place.path().join("root");
        fs::create_dir(&root).unwrap();
        let recipe = Recipe {
            id: "prime-app-20261123T181500Z-000042".into(),
            root,
            include: include.iter().map(|text| (*text).to_owned()).collect(),
            one_file_system: true,
            ..Recipe::default()
        };
        Self { place, recipe, seal }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.recipe.root.join(name)
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn archive(&self) -> PathBuf {
        self.place.path().join("archive.age")
    }

    fn write(&self) -> Written {
        let cancel = Cancel::default();
        let survey = survey(&self.recipe, &cancel, |_| {}).unwrap();
        let ticks = AtomicU64::new(0);
        let tick = |bytes| {
            ticks.fetch_add(bytes, Ordering::Relaxed);
        };
        let mut file = File::create(self.archive()).unwrap();
        let (written, key) = write(&self.recipe, &survey, &self.seal, &mut file, &tick, &cancel).unwrap();
        let stored = fs::read(self.archive()).unwrap();
        assert_eq!((written.bytes, written.sha256), (stored.len() as u64, Sha256::digest(&stored).into()));
        let holes = self.recipe.include == ["sparse"];
        verify_by(key.unwrap(), &stored, &written);
        assert!(holes || ticks.into_inner() == written.contents.bytes, "progress reaches its end");
        written
    }

    /// Decrypts and unpacks with the programs of this machine; the tar stream stays beside it.
    fn tar(&self) -> PathBuf {
        let unpack = match self.recipe.compression {
            Compression::Gzip => "gzip -dc",
            Compression::Zstd => "zstd -dcq",
        };
        shell(
            self.place.path(),
            &format!("age -d -i key archive.age > archive.gz && {unpack} archive.gz > archive.tar"),
        );
        self.place.path().join("archive.tar")
    }

    /// Extracts with this command, which reads standard input, into a new folder.
    fn extract(&self, with: &str) -> PathBuf {
        let tar = self.tar();
        let out = self.place.path().join("out");
        if out.exists() {
            fs::remove_dir_all(&out).unwrap();
        }
        fs::create_dir(&out).unwrap();
        shell(&out, &format!("{with} < {}", tar.display()));
        out
    }

    /// Names as GNU tar lists them, without the manifest.
    fn list(&self) -> Vec<String> {
        let tar = self.tar();
        let listed = shell(self.place.path(), &format!("tar tf {}", tar.display()));
        let mut names: Vec<_> = listed.lines().map(str::to_owned).collect();
        assert_eq!(names.pop().as_deref(), Some(manifest::PATH), "the manifest is the last entry");
        names
    }

    fn manifest(&self) -> BTreeMap<Vec<u8>, Entry> {
        let out = self.extract("tar x --warning=no-timestamp");
        let text = fs::read_to_string(out.join(manifest::PATH)).unwrap();
        let entries = text.lines().skip(1).map(|line| Entry::from_line(line).unwrap());
        entries.map(|entry| (entry.path.clone(), entry)).collect()
    }
}

/// Our own reader sees what was written.
fn verify_by(key: RunKey, stored: &[u8], written: &Written) {
    let Contents { unpacked, bytes, .. } = written.contents;
    let limits = Limits { unpacked, content: bytes, entries: 10_000 };
    let stop = Cancel::default();
    let terms = Terms { keys: &Keys::of_run(key), sealed_for: &[], limits, tick: &|_| {}, stop: &stop };
    let verified = verify(io::Cursor::new(stored.to_vec()), &terms, &mut |_| {}).unwrap();
    let seen = Contents { unreadable: written.contents.unreadable, ..verified.contents };
    assert_eq!((seen, verified.content), (written.contents.clone(), written.content));
    assert!(verified.manifest);
}

/// Runs a command line that must say nothing on its standard error.
fn shell(folder: &Path, line: &str) -> String {
    let output = Command::new("bash")
        .args(["-o", "pipefail", "-c", line])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{line}: {}: {said}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_tar_takes_the_archive_byte_and_mode_exact() {
    let mut stage = Stage::new(&[".env", ".env.*", "config/"]);
    stage.put(".env", "SECRET=1\n");
    fs::set_permissions(stage.path(".env"), Permissions::from_mode(0o600)).unwrap();
    stage.put(".env.production", "");
    stage.put("config/deep/er/app.yml", "a: 1\n".repeat(300_000));
    stage.put("config/latin", vec![0_u8, 1, 2, 255]);
    symlink("deep/er", stage.path("config/link")).unwrap();
    stage.put("src/main.rs", "not a secret");
    fs::set_permissions(stage.path("config/deep"), Permissions::from_mode(0o2750)).unwrap();
    for compression in [Compression::Gzip, Compression::Zstd] {
        stage.recipe.compression = compression;
        let written = stage.write();
        assert_eq!(written.notes, []);
        let counts = &written.contents;
        assert_eq!((counts.files, counts.directories, counts.links), (4, 3, 1));
        for with in ["tar xp", "bsdtar -xpf -", "busybox tar xp", "python3 -m tarfile -e /dev/stdin ."] {
            let out = stage.extract(with);
            assert_eq!(fs::metadata(stage.tar()).unwrap().len(), counts.unpacked);
            fs::remove_dir_all(out.join(manifest::FOLDER)).unwrap();
            fs::create_dir(out.join("src")).unwrap();
            fs::copy(stage.path("src/main.rs"), out.join("src/main.rs")).unwrap();
            shell(stage.place.path(), "diff -r --no-dereference root out");
            assert_eq!(fs::metadata(out.join(".env")).unwrap().mode() & 0o7777, 0o600, "{with}");
            assert_eq!(fs::metadata(out.join("config/deep")).unwrap().mode() & 0o777, 0o750, "{with}");
        }
    }
}

#[test]
fn backup_case_22_a_file_that_vanishes_is_noted_and_one_that_is_named_is_missed() {
    let stage = Stage::new(&["config/", "/config/named"]);
    let paths = ["config/a", "config/gone", "config/named", "config/z"].map(|name| stage.put(name, name));
    let gone = |_| {
        // After the first file was read: the names are known by then.
        let _ = fs::remove_file(&paths[1]);
        let _ = fs::remove_file(&paths[2]);
    };
    let cancel = Cancel::default();
    let survey = survey(&stage.recipe, &cancel, |_| {}).unwrap();
    let mut file = File::create(stage.archive()).unwrap();
    let (written, _) = write(&stage.recipe, &survey, &stage.seal, &mut file, &gone, &cancel).unwrap();
    let told: Vec<_> = written.notes.iter().map(|note| (note.path.as_slice(), note.what)).collect();
    assert_eq!(told, [(&b"config/gone"[..], Oddity::Vanished), (b"config/named", Oddity::Unreadable)]);
    assert_eq!((written.contents.files, written.contents.unreadable), (2, 1));
    assert_eq!(stage.list(), ["config/", "config/a", "config/z"]);
}

#[test]
fn backup_case_26_what_cannot_be_read_is_named_and_left_out_and_the_rest_is_saved() {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    let stage = Stage::new(&["config/", ".env"]);
    for name in ["config/a", "config/secret", "config/shut/inside", "config/z", "elsewhere/x"] {
        stage.put(name, name);
    }
    for name in ["config/secret", "config/shut", "elsewhere"] {
        fs::set_permissions(stage.path(name), Permissions::from_mode(0o0)).unwrap();
    }
    // Of this thread and those that it starts.
    let mut less = capabilities(None).unwrap();
    less.effective.remove(CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH);
    set_capabilities(None, less).unwrap();
    let mut recipe = stage;
    recipe.recipe.optional.push(".env".into());
    let written = recipe.write();
    let told: Vec<_> = written.notes.iter().map(|note| (note.path.as_slice(), note.what)).collect();
    assert_eq!(
        told,
        [
            (&b"config/secret"[..], Oddity::Unreadable),
            (b"config/shut", Oddity::Unreadable),
            (b"elsewhere", Oddity::Unsearched)
        ]
    );
    assert_eq!(written.notes[0].detail, "permission denied");
    assert_eq!((written.contents.files, written.contents.unreadable), (2, 2));
    assert_eq!(recipe.list(), ["config/", "config/a", "config/shut/", "config/z"]);
}

#[test]
fn backup_case_27_links_are_stored_and_a_named_one_is_followed_once() {
    let stage = Stage::new(&["/current/.env", ".env", "config/", "gone/"]);
    let outside = stage.place.path().join("outside");
    fs::create_dir_all(outside.join("conf")).unwrap();
    fs::write(outside.join("env"), "OUT=1").unwrap();
    fs::write(outside.join("conf/app.yml"), "a: 1").unwrap();
    symlink(outside.join("env"), stage.path(".env")).unwrap();
    symlink(outside.join("conf"), stage.path("config")).unwrap();
    symlink("app.yml", outside.join("conf/inner")).unwrap();
    symlink("../env", outside.join("conf/out")).unwrap();
    stage.put("releases/5/.env", "FIVE=1");
    symlink("releases/5", stage.path("current")).unwrap();
    symlink("nowhere", stage.path("gone")).unwrap();
    let mut stage = stage;
    stage.recipe.optional.push("gone/".into());
    let written = stage.write();
    let manifest = stage.manifest();
    let kind = |path: &str| manifest[path.as_bytes()].kind.word();
    assert_eq!((kind(".env"), kind("config"), kind("config/app.yml")), ("file", "directory", "file"));
    assert_eq!((kind("config/inner"), kind("config/out")), ("symlink", "symlink"));
    assert_eq!((kind("current"), kind("current/.env")), ("directory", "file"));
    assert_eq!(kind("releases/5/.env"), "file");
    assert!(!manifest.contains_key(&b"gone"[..]), "a link to nothing is no folder");
    assert_eq!(written.notes, []);

    let stage = Stage::new(&[".env", "links/"]);
    symlink("nowhere", stage.path(".env")).unwrap();
    stage.put("links/file", "x");
    symlink("/etc/passwd", stage.path("links/away")).unwrap();
    symlink("../../up", stage.path("links/up")).unwrap();
    symlink(stage.path("links/file"), stage.path("links/absolute")).unwrap();
    let written = stage.write();
    let told: Vec<_> = written.notes.iter().map(|note| (note.path.as_slice(), note.what)).collect();
    assert_eq!(
        told,
        [(&b".env"[..], Oddity::Unreadable), (b"links/away", Oddity::LeavesRoot), (b"links/up", Oddity::LeavesRoot)]
    );
    assert_eq!(written.contents.links, 4, "each is stored as the link that it is");
}

#[test]
fn hard_links_are_stored_once_and_come_back_as_links() {
    let stage = Stage::new(&["config/"]);
    stage.put("config/a", vec![b'x'; 100_000]);
    fs::hard_link(stage.path("config/a"), stage.path("config/b")).unwrap();
    fs::hard_link(stage.path("config/a"), stage.path("elsewhere")).unwrap();
    let written = stage.write();
    assert_eq!((written.contents.files, written.contents.bytes), (2, 100_000));
    assert!(written.contents.unpacked < 110_000);
    for with in ["tar x", "bsdtar -xf -", "busybox tar x"] {
        let out = stage.extract(with);
        let inode = |name: &str| fs::metadata(out.join(name)).unwrap().ino();
        assert_eq!(inode("config/a"), inode("config/b"), "{with}");
    }
}

#[test]
fn backup_case_46_odd_names_sizes_and_times_survive() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let stage = Stage::new(&["*"]);
    let long = format!("{}/{}", "d".repeat(120), "n".repeat(180));
    for name in ["a b", "new\nline", " lead", "trail ", "-rf", "\u{fc}", &long] {
        stage.put(name, name);
    }
    let raw = OsStr::from_bytes(b"raw\xff\xfe");
    fs::write(stage.recipe.root.join(raw), "raw").unwrap();
    let times = rustix::fs::Timespec { tv_sec: -315_619_200, tv_nsec: 250_000_000 };
    let times = rustix::fs::Timestamps { last_access: times, last_modification: times };
    let old = File::open(stage.path("a b")).unwrap();
    rustix::fs::futimens(&old, &times).unwrap();
    stage.write();
    for with in ["tar x --warning=no-timestamp", "bsdtar -xf -"] {
        let out = stage.extract(with);
        assert_eq!(fs::read(out.join(raw)).unwrap(), b"raw");
        fs::remove_dir_all(out.join(manifest::FOLDER)).unwrap();
        shell(stage.place.path(), "diff -r root out");
        let old = fs::metadata(out.join("a b")).unwrap();
        if with.starts_with("tar") {
            // libarchive takes the fraction of a time before 1970 for one after its second.
            assert_eq!((old.mtime(), old.mtime_nsec()), (-315_619_200, 250_000_000));
        }
        let now = fs::metadata(out.join("-rf")).unwrap();
        let then = fs::metadata(stage.path("-rf")).unwrap();
        assert_eq!((now.mtime(), now.mtime_nsec()), (then.mtime(), then.mtime_nsec()));
    }
    let manifest = stage.manifest();
    assert!(manifest.contains_key(raw.as_bytes()) && manifest.contains_key(long.as_bytes()));
    let shown = &manifest[&b"-rf"[..]];
    assert_eq!((shown.uid, shown.user.is_some()), (fs::metadata(stage.path("-rf")).unwrap().uid().into(), true));
}

#[test]
fn backup_case_48_holes_take_no_room_in_the_archive_nor_after_it() {
    use std::os::unix::fs::FileExt;
    for tail in [0_u64, 5 << 20] {
        let stage = Stage::new(&["sparse"]);
        let file = File::create(stage.path("sparse")).unwrap();
        for (at, text) in [(0, "begin"), (40 << 20, "middle"), (70 << 20, "near the end")] {
            file.write_all_at(text.as_bytes(), at).unwrap();
        }
        file.set_len((70 << 20) + 12 + tail).unwrap();
        if fs::metadata(stage.path("sparse")).unwrap().blocks() * 512 > 1 << 20 {
            skipped("backup_case_48_holes_take_no_room_in_the_archive_nor_after_it", "this file system has no holes");
            return;
        }
        let written = stage.write();
        assert!(written.contents.unpacked < 64 << 10, "{written:?}");
        assert_eq!(written.contents.bytes, (70 << 20) + 12 + tail);
        for with in ["tar x", "bsdtar -xf -", "python3 -m tarfile -e /dev/stdin ."] {
            let out = stage.extract(with);
            shell(stage.place.path(), "cmp root/sparse out/sparse");
            assert!(with.starts_with("python") || fs::metadata(out.join("sparse")).unwrap().blocks() < 1000, "{with}");
        }
        let Some(Entry { kind: manifest::Kind::File { sha256, .. }, .. }) = stage.manifest().remove(&b"sparse"[..])
        else {
            panic!("it is a file");
        };
        let sum = shell(stage.place.path(), "sha256sum < root/sparse");
        assert!(sum.starts_with(&manifest::hex(&sha256)), "holes count as the zeros that they are");
    }
    let stage = Stage::new(&["sparse"]);
    File::create(stage.path("sparse")).unwrap().set_len(1 << 20).unwrap();
    stage.write();
    stage.extract("tar x");
    shell(stage.place.path(), "cmp root/sparse out/sparse");
}

#[test]
fn backup_case_50_the_output_of_a_dump_is_a_file_like_others() {
    use std::io::Seek;
    let mut stage = Stage::new(&["config/"]);
    stage.put("config/db.sql", "not the dump");
    stage.put("config/mainstay.toml", "the same file twice");
    let mut spool = tempfile::tempfile().unwrap();
    spool.write_all(b"CREATE TABLE t;").unwrap();
    spool.seek(io::SeekFrom::End(0)).unwrap();
    let mtime = Mtime { seconds: 1_700_000_000, nanos: 0 };
    stage.recipe.extra = vec![
        Extra { path: b"config/db.sql".to_vec(), file: spool, mode: 0o600, mtime },
        Extra {
            path: b"config/mainstay.toml".to_vec(),
            file: File::open(stage.path("config/mainstay.toml")).unwrap(),
            mode: 0o640,
            mtime,
        },
    ];
    let written = stage.write();
    assert_eq!(written.notes.len(), 1, "{:?}", written.notes);
    assert_eq!((written.notes[0].path.as_slice(), written.notes[0].what), (&b"config/db.sql"[..], Oddity::Reserved));
    assert_eq!(stage.list(), ["config/", "config/db.sql", "config/mainstay.toml"]);
    let out = stage.extract("tar xp");
    assert_eq!(fs::read(out.join("config/db.sql")).unwrap(), b"CREATE TABLE t;");
    let stat = fs::metadata(out.join("config/db.sql")).unwrap();
    assert_eq!((stat.mode() & 0o7777, stat.mtime()), (0o600, 1_700_000_000));
}

#[test]
fn backup_case_54_the_runs_own_key_opens_what_was_written_and_nobody_else_learns_of_it() {
    let stage = Stage::new(&[".env"]);
    stage.put(".env", "SECRET=1");
    let cancel = Cancel::default();
    let survey = survey(&stage.recipe, &cancel, |_| {}).unwrap();
    let mut stored = Vec::new();
    let (written, key) = write(&stage.recipe, &survey, &stage.seal, &mut stored, &|_| {}, &cancel).unwrap();
    verify_by(key.expect("beside an X25519 recipient"), &stored, &written);
    assert_eq!(stage.seal.fingerprints().len(), 1, "it is not told among those who can open it");
}

#[test]
fn a_run_that_ends_early_leaves_nothing_that_opens() {
    let stage = Stage::new(&["config/"]);
    for number in 0..40 {
        stage.put(&format!("config/{number}"), vec![number; 300_000]);
    }
    let cancel = Cancel::default();
    let survey = survey(&stage.recipe, &cancel, |_| {}).unwrap();
    let read = AtomicU64::new(0);
    let raise = |bytes| {
        if read.fetch_add(bytes, Ordering::Relaxed) > 5_000_000 {
            cancel.raise(15);
        }
    };
    let mut file = File::create(stage.archive()).unwrap();
    let error = write(&stage.recipe, &survey, &stage.seal, &mut file, &raise, &cancel).unwrap_err();
    assert_eq!(error.kind, Kind::Interrupted);
    let opened = Command::new("age").args(["-d", "-i", "key", "archive.age"]).current_dir(stage.place.path()).output();
    assert!(!opened.unwrap().status.success());
}

#[test]
fn a_store_that_is_full_is_what_is_told() {
    let stage = Stage::new(&["*"]);
    stage.put("a", "x");
    for compression in [Compression::Gzip, Compression::Zstd] {
        let recipe =
            Recipe { compression, include: vec!["*".into()], root: stage.recipe.root.clone(), ..Recipe::default() };
        let cancel = Cancel::default();
        let survey = survey(&recipe, &cancel, |_| {}).unwrap();
        let mut full = File::options().write(true).open("/dev/full").unwrap();
        let error = write(&recipe, &survey, &stage.seal, &mut full, &|_| {}, &cancel).unwrap_err();
        assert!(error.to_string().contains("No space left"), "{error}");
    }
}

#[test]
fn the_digest_of_content_changes_with_names_modes_and_bytes_only() {
    let stage = Stage::new(&["config/"]);
    stage.put("config/a", "one");
    let first = stage.write().content;
    let later = stage.put("config/a", "one");
    assert_eq!(stage.write().content, first, "a time is no content");
    fs::set_permissions(&later, Permissions::from_mode(0o600)).unwrap();
    let second = stage.write().content;
    assert_ne!(second, first);
    stage.put("config/a", "two");
    assert_ne!(stage.write().content, second);
}

fn skipped(test: &str, why: &str) {
    let _ = writeln!(io::stderr(), "SKIPPED {}::{test}: {why}", module_path!());
}
