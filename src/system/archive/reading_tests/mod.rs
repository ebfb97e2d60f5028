//! Archives for tests, made piece by piece, and what reading them comes to.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests make the files and run the programs that judge"
)]

mod damaged;
mod foreign;
mod hostile;
mod opening;
mod ours;

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::LazyLock,
};

use sha2::{Digest, Sha256};

use super::{
    Damage, Flaw, Limits, Terms, Verified,
    extract::{Bits, Options, Owner, Staged, extract},
    keys::Keys,
    stage::Stage,
    verify::verify,
};
use crate::{
    rules::manifest::{self, Entry, Flags, Kind, Mtime},
    system::Cancel,
};

/// The key that test archives are sealed for.
static IDENTITY: LazyLock<age::x25519::Identity> = LazyLock::new(age::x25519::Identity::generate);

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::of(IDENTITY.clone()));

/// No limits.
const ANY: Limits = Limits { unpacked: u64::MAX, entries: u64::MAX, content: u64::MAX };

/// A tar stream, made as crookedly as a test wants it.
#[derive(Clone, Default)]
struct Tape {
    bytes: Vec<u8>,
    /// What a manifest would say of it.
    entries: Vec<Entry>,
}

impl Tape {
    /// A header block with everything that a test may want to set, in the ustar format.
    fn header(sort: u8, name: &[u8], link: &[u8], size: u64, mode: u32) -> [u8; 512] {
        let mut block = [0; 512];
        block[..name.len()].copy_from_slice(name);
        block[100..108].copy_from_slice(format!("{mode:07o}\0").as_bytes());
        block[108..116].copy_from_slice(b"0001750\0");
        block[116..124].copy_from_slice(b"0001750\0");
        block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
        block[136..148].copy_from_slice(b"14524770000\0");
        block[156] = sort;
        block[157..157 + link.len()].copy_from_slice(link);
        block[257..265].copy_from_slice(b"ustar\x0000");
        sum(&mut block);
        block
    }

    fn add(mut self, sort: u8, name: &str, link: &str, content: &[u8], mode: u32) -> Self {
        self.bytes.extend(Self::header(sort, name.as_bytes(), link.as_bytes(), content.len() as u64, mode));
        self = self.body(content);
        let target = link.as_bytes().to_vec();
        let kind = match sort {
            b'0' => Kind::File { size: content.len() as u64, sha256: Sha256::digest(content).into() },
            b'1' => Kind::HardLink { target },
            b'2' => Kind::Symlink { target },
            b'5' => Kind::Directory,
            _ => return self,
        };
        let path = name.trim_end_matches('/').as_bytes().to_vec();
        let mtime = Mtime { seconds: 0o14_524_770_000, nanos: 0 };
        let (uid, gid, user, group, flags) = (1000, 1000, None, None, Flags::default());
        self.entries.push(Entry { path, kind, mode, uid, gid, user, group, mtime, flags });
        self
    }

    fn file(self, name: &str, content: &[u8]) -> Self {
        self.add(b'0', name, "", content, 0o640)
    }

    fn folder(self, name: &str) -> Self {
        self.add(b'5', name, "", b"", 0o750)
    }

    fn symlink(self, name: &str, target: &str) -> Self {
        self.add(b'2', name, target, b"", 0o777)
    }

    fn hard_link(self, name: &str, target: &str) -> Self {
        self.add(b'1', name, target, b"", 0o640)
    }

    /// Records for the next entry.
    fn pax(mut self, records: &[(&str, &[u8])]) -> Self {
        let body = records.iter().flat_map(|(key, value)| record(key, value)).collect::<Vec<_>>();
        self.bytes.extend(Self::header(b'x', b"PaxHeaders/x", b"", body.len() as u64, 0o644));
        self.body(&body)
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self
    }

    /// Bytes, filled up to a whole block.
    fn body(mut self, content: &[u8]) -> Self {
        self.bytes.extend(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    /// Adds the manifest of all entries so far, as `change` makes it.
    fn manifest(self, change: impl Fn(&mut Vec<String>)) -> Self {
        let header = manifest::Header { schema: manifest::SCHEMA, archive: "t".into(), root: "/srv".into() };
        let mut lines = vec![serde_json::to_string(&header).unwrap()];
        lines.extend(self.entries.iter().map(Entry::to_line));
        change(&mut lines);
        let text: String = lines.into_iter().map(|line| line + "\n").collect();
        let entries = self.entries.clone();
        Self { entries, ..self.add(b'0', manifest::PATH, "", text.as_bytes(), 0o600) }
    }

    /// The stream with its end marker.
    fn end(mut self) -> Vec<u8> {
        self.bytes.extend([0; 1024]);
        self.bytes
    }
}

/// Writes the checksum into a header.
fn sum(block: &mut [u8; 512]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// A pax record: its own length counts the digits of the length too.
fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let length = (rest..).find(|length| rest + length.to_string().len() == *length).unwrap();
    [length.to_string().as_bytes(), b" ", key.as_bytes(), b"=", value, b"\n"].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn seal(bytes: &[u8]) -> Vec<u8> {
    age::encrypt(&IDENTITY.to_public(), bytes).unwrap()
}

fn terms<'a>(stop: &'a Cancel, limits: Limits) -> Terms<'a> {
    Terms { keys: &KEYS, sealed_for: &[], limits, tick: &|_| {}, stop }
}

/// What verify says of a sealed archive.
fn verified(sealed: &[u8], limits: Limits) -> Result<Verified, Damage> {
    verify(sealed, &terms(&Cancel::default(), limits), &mut |_| {})
}

/// A stage in a place with a neighbour that must never change.
struct Ground {
    place: tempfile::TempDir,
    before: BTreeMap<PathBuf, Vec<u8>>,
}

impl Ground {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("outside")).unwrap();
        fs::write(place.path().join("outside/canary"), "alive").unwrap();
        fs::set_permissions(place.path().join("outside/canary"), fs::Permissions::from_mode(0o604)).unwrap();
        let before = picture(place.path());
        Self { place, before }
    }

    fn stage(&self) -> PathBuf {
        self.place.path().join("stage")
    }

    /// Unpacks a sealed archive into a fresh stage, with the plainest options.
    fn extract(&self, sealed: &[u8], limits: Limits) -> Result<Verified, Damage> {
        self.extract_with(sealed, limits, &plain_options(), &mut |_| {})
    }

    fn extract_with(
        &self,
        sealed: &[u8],
        limits: Limits,
        options: &Options<'_>,
        each: &mut dyn FnMut(&Staged<'_>),
    ) -> Result<Verified, Damage> {
        // A folder of mode 0 may be in it, and a stage is used once.
        if self.stage().exists() {
            fs::remove_dir_all(self.stage()).unwrap();
        }
        let stage = Stage::make(&self.stage()).unwrap();
        extract(sealed, &terms(&Cancel::default(), limits), &stage, options, each)
    }

    /// Nothing but the stage has changed.
    fn assert_unharmed(&self, what: &str) {
        let mut after = picture(self.place.path());
        after.retain(|path, _| !path.starts_with("stage"));
        let mut before = self.before.clone();
        // The stage itself is made in this folder, which changes its time.
        for picture in [&mut before, &mut after] {
            picture.remove(Path::new(""));
        }
        assert_eq!(after, before, "{what}: something outside of the stage was touched");
    }
}

fn plain_options() -> Options<'static> {
    Options { select: &|_| true, owner: Owner::Own, bits: Bits::Strip }
}

/// A tree with everything that a restore brings back of it: type, mode, time, content.
fn picture(top: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fn walk(path: &Path, top: &Path, picture: &mut BTreeMap<PathBuf, Vec<u8>>) {
        let meta = fs::symlink_metadata(path).unwrap();
        let mut line = format!("{:o} {}.{:09}", meta.mode(), meta.mtime(), meta.mtime_nsec()).into_bytes();
        if meta.is_file() {
            line.extend(format!(" {} {} ", meta.nlink(), meta.len()).into_bytes());
            line.extend(Sha256::digest(fs::read(path).unwrap()));
        } else if meta.is_symlink() {
            line.extend(format!(" {:?}", fs::read_link(path).unwrap()).into_bytes());
        } else if meta.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                walk(&entry.unwrap().path(), top, picture);
            }
        }
        picture.insert(path.strip_prefix(top).unwrap().to_owned(), line);
    }
    let mut found = BTreeMap::new();
    walk(top, top, &mut found);
    found
}

/// Says that a test could not run here.
fn skip(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED {}::{test}: {why}", module_path!());
}
