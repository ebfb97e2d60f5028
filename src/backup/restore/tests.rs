//! Restores on real file systems, from archives that are plain folders: what is tested here is what happens to the target.

#![expect(clippy::disallowed_methods, reason = "tests set their own stage: files, mounts, processes")]

mod crash;
mod faults;
mod fresh;
mod live;
mod sealed;
mod trees;

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read, Write as _},
    os::{
        fd::AsFd,
        unix::{
            ffi::{OsStrExt, OsStringExt},
            fs::{MetadataExt, PermissionsExt, symlink},
        },
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use sha2::{Digest, Sha256};

use super::*;
use crate::{
    backup::Origin,
    error::Result,
    report::{Finding, State as Done, Status},
    rules::{
        manifest::{Entry, Flags, Kind, Mtime, hex},
        sidecar::{Contents, Proof, Sidecar, StoredFile, Verified as Proved},
    },
    system::{
        Context,
        archive::{Damage, Flaw, Glance, Stage, Verified},
        state::State,
        store::{Condition, Object, Reading, Shelf, Trouble},
        tree::{Attributes, Tree, join},
    },
};

/// A folder that stands for an archive of what is in it.
struct Folder {
    root: PathBuf,
    entries: Vec<Entry>,
    /// Says at the end of the stream that the archive is not good.
    rotten: bool,
}

/// A target, an archive, and a state folder.
struct Bed {
    place: tempfile::TempDir,
}

impl Bed {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        for name in ["archive", "target", "state"] {
            fs::create_dir(place.path().join(name)).unwrap();
        }
        fs::set_permissions(place.path().join("state"), fs::Permissions::from_mode(0o700)).unwrap();
        Self { place }
    }

    fn archive(&self) -> PathBuf {
        self.place.path().join("archive")
    }

    fn target(&self) -> PathBuf {
        self.place.path().join("target")
    }

    fn state(&self) -> State {
        let variables = BTreeMap::from([("MAINSTAY_STATE".into(), self.place.path().join("state").into())]);
        State::find(&Context::real(variables, "/".into()), None).unwrap()
    }

    fn request(&self) -> Request {
        let unpack = Folder { root: self.archive(), entries: entries(&self.archive()), rotten: false };
        Request {
            name: "app".into(),
            source: Source {
                shelf: Arc::new(Nothing),
                object: "prime-app-20261123T181500Z-000001.tar.gz.age".into(),
                id: "prime-app-20261123T181500Z-000001".into(),
                origin: Origin::Signed("key".into()),
                sidecar: Some(sidecar(&unpack.entries)),
                unpack: Arc::new(unpack),
            },
            target: Target::InPlace(self.target()),
            include: Vec::new(),
            overwrite: Overwrite::Older,
            unsigned: Unsigned::Refuse,
            privileges: Privileges::Drop,
            listing: Listing::Counts,
            after: None,
            state: self.state(),
        }
    }

    fn revert(&self) -> Revert {
        Revert { name: "app".into(), target: None, overwrite: Overwrite::Older, state: self.state() }
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn context() -> Context {
    Context::real(BTreeMap::new(), "/".into())
}

fn planned(request: Request) -> Result<Planned> {
    run(plan(request, &context()))
}

fn ready(request: Request) -> Restore {
    match planned(request).unwrap() {
        Planned::Ready(restore) => *restore,
        Planned::Refused(findings, _) => panic!("refused: {findings:#?}"),
    }
}

fn refused(request: Request) -> Finding {
    match planned(request).unwrap() {
        Planned::Ready(restore) => panic!("not refused: {restore:?}"),
        Planned::Refused(findings, _) => {
            findings.iter().for_each(crate::report::assert_one_voice);
            findings.into_iter().next().unwrap()
        }
    }
}

/// Restores, and wants everything to be as in the archive.
fn restored(request: Request) -> Restored {
    let restored = run(apply(ready(request), &context())).unwrap();
    restored.findings.iter().for_each(crate::report::assert_one_voice);
    assert!(restored.findings.iter().all(|finding| finding.status == Status::Pass), "{:#?}", restored.findings);
    assert!(restored.outcomes.iter().all(|outcome| outcome.state == Done::Done), "{:#?}", restored.outcomes);
    restored
}

fn undone(revert: Revert) -> Restored {
    let restored = run(undo(revert, &context())).unwrap();
    assert!(restored.findings.iter().all(|finding| finding.status == Status::Pass), "{:#?}", restored.findings);
    restored
}

/// Everything that is to be the same again after an undo, a line a path: kind, mode, owner, time, content, other names.
fn digest(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut inodes = BTreeMap::new();
    let mut rest = vec![root.to_owned()];
    while let Some(path) = rest.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        let name = path.strip_prefix(root).unwrap();
        if name.as_os_str().as_bytes().starts_with(STAGING.as_bytes()) {
            continue;
        }
        let content = if found.is_symlink() {
            format!("-> {}", fs::read_link(&path).unwrap().display())
        } else if found.is_file() {
            hex(&Sha256::digest(fs::read(&path).unwrap()))
        } else if found.is_dir() {
            let mut names: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
            names.sort();
            rest.extend(names.into_iter().rev());
            String::new()
        } else {
            "special".to_owned()
        };
        let first =
            if found.is_dir() { name.to_owned() } else { inodes.entry(found.ino()).or_insert(name.to_owned()).clone() };
        lines.push(format!(
            "{name:?} {:o} {}:{} {}.{} {content} {first:?}",
            found.mode(),
            found.uid(),
            found.gid(),
            found.mtime(),
            found.mtime_nsec()
        ));
    }
    lines
}

/// The same without what the restored tree itself has not of the archive: the times of folders that were there, and of the
/// target.
fn contents(root: &Path) -> Vec<String> {
    digest(root).into_iter().skip(1).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn write(root: &Path, path: &str, text: &str, mode: u32) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    age(&path, 1_600_000_000);
}

fn age(path: &Path, seconds: i64) {
    let (folder, name) = (path.parent().unwrap(), path.file_name().unwrap().as_bytes());
    let mtime = Some(Mtime { seconds, nanos: 123_456_789 });
    let mode = fs::symlink_metadata(path).unwrap().mode() & 0o7777;
    Tree::open(folder).unwrap().set(name, &Attributes { mode, owner: None, mtime }).unwrap();
}

/// Says why a test did not run here.
fn skipped(name: &str, why: &str) {
    let _ = writeln!(io::stderr(), "SKIPPED {}::{name}: {why}", module_path!());
}

/// A small file system of its own, gone with the value.
struct Mount(PathBuf);

impl Mount {
    /// `None` where the machine cannot mount one.
    fn tmpfs(at: &Path, options: &str) -> Option<Self> {
        let mut command = std::process::Command::new("mount");
        let done = command.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).output();
        done.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

/// The manifest of a folder: sorted, each folder before what is in it.
fn entries(root: &Path) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut inodes = BTreeMap::new();
    let mut rest = vec![Vec::new()];
    while let Some(folder) = rest.pop() {
        let here = root.join(std::ffi::OsStr::from_bytes(&folder));
        let mut inside: Vec<_> = fs::read_dir(&here).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        inside.sort();
        let mut folders = Vec::new();
        for name in inside {
            let (path, real) = (join(&folder, name.as_bytes()), here.join(&name));
            let found = fs::symlink_metadata(&real).unwrap();
            let kind = if found.is_dir() {
                folders.push(path.clone());
                Kind::Directory
            } else if found.is_symlink() {
                Kind::Symlink { target: fs::read_link(&real).unwrap().into_os_string().into_vec() }
            } else if let (Some(target), true) = (inodes.get(&found.ino()), found.nlink() > 1) {
                Kind::HardLink { target: Clone::clone(target) }
            } else {
                inodes.insert(found.ino(), path.clone());
                let content = fs::read(&real).unwrap();
                Kind::File { size: content.len() as u64, sha256: Sha256::digest(&content).into() }
            };
            let mtime = Mtime { seconds: found.mtime(), nanos: found.mtime_nsec().try_into().unwrap() };
            let (mode, uid, gid) = (found.mode() & 0o7777, found.uid().into(), found.gid().into());
            entries.push(Entry { path, kind, mode, uid, gid, user: None, group: None, mtime, flags: Flags::default() });
        }
        rest.extend(folders.into_iter().rev());
    }
    entries
}

fn sidecar(entries: &[Entry]) -> Sidecar {
    let count = |is: fn(&Kind) -> bool| entries.iter().filter(|entry| is(&entry.kind)).count() as u64;
    let created = "2026-11-23T18:15:00Z".parse().unwrap();
    Sidecar {
        schema: 1,
        id: "prime-app-20261123T181500Z-000001".into(),
        project: "prime".into(),
        name: "app".into(),
        host: "web-1".into(),
        tool: "mainstay".into(),
        created,
        sequence: 1,
        previous: None,
        file: StoredFile { name: String::new(), bytes: 0, sha256: hex(&[7; 32]) },
        contents: Contents {
            files: count(|kind| matches!(kind, Kind::File { .. } | Kind::HardLink { .. })),
            directories: count(|kind| *kind == Kind::Directory),
            links: count(|kind| matches!(kind, Kind::Symlink { .. })),
            bytes: entries.iter().map(Entry::size).sum(),
            ..Contents::default()
        },
        sealed_for: Vec::new(),
        verified: Proved { at: created, how: Proof::Decrypted },
        suspect: None,
    }
}

impl Folder {
    fn end(&self) -> Result<Verified, Damage> {
        if self.rotten {
            return Err(Damage::new(Flaw::Truncated, "its end is missing", "restore another archive"));
        }
        let contents = sidecar(&self.entries).contents;
        Ok(Verified { bytes: 0, sha256: [7; 32], contents, content: [0; 32], manifest: true, notes: Vec::new() })
    }
}

impl Unpack for Folder {
    fn verify(&self, _: Box<dyn Read + Send>, glance: Glance<'_>, watch: Watch<'_>) -> Result<Verified, Damage> {
        for entry in self.entries.iter().filter(|entry| entry.size() > 0 && (glance.select)(&entry.path)) {
            (glance.content)(&entry.path, fs::read(self.root.join(std::ffi::OsStr::from_bytes(&entry.path))).unwrap());
        }
        self.entries.iter().for_each(watch.each);
        self.end()
    }

    fn extract(
        &self,
        _: Box<dyn Read + Send>,
        stage: &Stage,
        select: &dyn Fn(&[u8]) -> bool,
        watch: Watch<'_>,
    ) -> Result<Verified, Damage> {
        let mut tree = Tree::of(stage.as_fd().try_clone_to_owned().unwrap());
        let system = |error: io::Error| Damage::new(Flaw::System, error.to_string(), "see why");
        let chosen = || self.entries.iter().filter(|entry| select(&entry.path));
        for entry in chosen() {
            for (end, _) in entry.path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
                let _ = tree.create_folder(&entry.path[..end], 0o700);
            }
            match &entry.kind {
                Kind::Directory => drop(tree.create_folder(&entry.path, 0o700)),
                Kind::File { .. } => {
                    let real = self.root.join(std::ffi::OsStr::from_bytes(&entry.path));
                    let mut file = tree.create(&entry.path, 0o600).map_err(system)?;
                    file.write_all(&fs::read(real).unwrap()).map_err(system)?;
                }
                Kind::HardLink { target } => {
                    let (one, other) = (std::ffi::OsStr::from_bytes(target), std::ffi::OsStr::from_bytes(&entry.path));
                    rustix::fs::linkat(stage, one, stage, other, rustix::fs::AtFlags::empty())
                        .map_err(|error| system(error.into()))?;
                }
                Kind::Symlink { target } => tree.create_link(&entry.path, target).map_err(system)?,
            }
            (watch.each)(entry);
        }
        for entry in
            chosen().filter(|entry| !matches!(entry.kind, Kind::HardLink { .. })).collect::<Vec<_>>().iter().rev()
        {
            let owner = rustix::process::geteuid().is_root().then_some((entry.uid, entry.gid));
            let mode = entry.mode & 0o777;
            tree.set(&entry.path, &Attributes { mode, owner, mtime: Some(entry.mtime) }).map_err(system)?;
        }
        self.end()
    }
}

/// A destination whose archive is elsewhere.
struct Nothing;

impl Shelf for Nothing {
    fn address(&self) -> &str {
        "/mnt/usb"
    }

    fn inspect(&self) -> BoxFuture<'_, Result<Condition, Trouble>> {
        Box::pin(async { Ok(Condition::default()) })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Object>, Trouble>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn open<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Reading, Trouble>> {
        Box::pin(async { Ok(Reading::of(io::empty())) })
    }
}
