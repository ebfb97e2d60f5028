#![expect(clippy::disallowed_methods, reason = "tests set their own stage")]

use std::{cell::Cell, fs, os::unix::fs::FileExt, path::PathBuf};

use super::*;

/// Everything is read while it is written.
const LIVE: Care = Care { memory: 0, whole: 0 };

/// Everything is read whole, into an unlinked file.
const SPOOLED: Care = Care { memory: 0, whole: 1 << 30 };

struct Stage {
    place: tempfile::TempDir,
}

impl Stage {
    fn new(content: &[u8]) -> Self {
        let stage = Self { place: tempfile::tempdir().unwrap() };
        fs::write(stage.path(), content).unwrap();
        stage
    }

    fn path(&self) -> PathBuf {
        self.place.path().join("file")
    }

    /// Takes and pours the file; `tick` runs after each piece that was read live.
    fn read(&self, care: Care, tick: &dyn Fn(u64)) -> (Vec<u8>, Known) {
        let mut reader = Reader::new(care);
        let taken = reader.take(|| File::open(self.path())).unwrap();
        let size = taken.size;
        let mut out = Vec::new();
        let known = reader.pour(taken, &mut Tape::new(&mut out), tick).unwrap();
        assert_eq!(out.len() as u64, size.next_multiple_of(512), "the stream stays in step");
        out.truncate(size as usize);
        let sum: [u8; 32] = Sha256::digest(&out).into();
        assert_eq!(known.sha256, sum, "the checksum is that of what is stored");
        (out, known)
    }
}

#[test]
fn however_a_file_is_read_it_is_the_same() {
    for length in [0, 1, 511, 512, 513, PIECE, PIECE + 1, 3 * PIECE] {
        let content: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let stage = Stage::new(&content);
        for care in [LIVE, SPOOLED, Care::default()] {
            let (read, known) = stage.read(care, &|_| {});
            assert!(read == content && known.flags == Flags::default(), "{length} bytes");
        }
    }
}

#[test]
fn backup_case_23_a_file_that_grows_is_stored_as_long_as_it_was() {
    let stage = Stage::new(&[b'x'; 3 * PIECE]);
    let grow = |_| {
        fs::File::options().append(true).open(stage.path()).unwrap().write_all(b"more").unwrap();
    };
    let (read, known) = stage.read(LIVE, &grow);
    assert_eq!(read, [b'x'; 3 * PIECE]);
    assert_eq!(known.flags, Flags { changed: true, damaged: false });
}

#[test]
fn backup_case_24_a_file_that_shrinks_is_filled_up_and_marked_damaged() {
    let stage = Stage::new(&[b'x'; 3 * PIECE]);
    let shrink = |_| File::options().write(true).open(stage.path()).unwrap().set_len(100).unwrap();
    let (read, known) = stage.read(LIVE, &shrink);
    assert!(read[..PIECE].iter().all(|byte| *byte == b'x') && read[PIECE..].iter().all(|byte| *byte == 0));
    assert_eq!(known.flags, Flags { changed: true, damaged: true });
}

#[test]
fn backup_case_25_a_file_that_changes_without_a_change_of_length_is_marked() {
    let stage = Stage::new(&[b'x'; 3 * PIECE]);
    // Times have the kernel's ticks: a change within the same one cannot be seen.
    let change = |_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        File::options().write(true).open(stage.path()).unwrap().write_all_at(b"y", 0).unwrap();
    };
    let (_, known) = stage.read(LIVE, &change);
    assert_eq!(known.flags, Flags { changed: true, damaged: false });
}

#[test]
fn backup_case_25_a_file_that_changes_is_read_again() {
    let stage = Stage::new(b"whole");
    let tries = Cell::new(0);
    // What never tells its length seems to change each time.
    let taken = Reader::new(SPOOLED).take(|| {
        tries.set(tries.get() + 1);
        File::open("/proc/self/status")
    });
    assert_eq!(tries.get(), TRIES);
    let Body::Memory(known) = taken.unwrap().body else { panic!("an empty file needs no spool") };
    assert!(known.flags.changed && !known.flags.damaged);

    // Something else is in its place, and then the file again.
    tries.set(0);
    let taken = Reader::new(SPOOLED).take(|| {
        tries.set(tries.get() + 1);
        File::open(if tries.get() == 1 { stage.place.path().to_owned() } else { stage.path() })
    });
    assert_eq!((taken.unwrap().size, tries.get()), (5, 2));
}

#[test]
fn backup_case_26_what_cannot_be_opened_or_read_is_an_error_and_never_zeros() {
    let gone = Reader::new(LIVE).take(|| Err(io::ErrorKind::NotFound.into()));
    assert_eq!(gone.err().map(|error| error.kind()), Some(io::ErrorKind::NotFound));
    let tries = Cell::new(0);
    let refused = Reader::new(LIVE).take(|| {
        tries.set(tries.get() + 1);
        Err(io::ErrorKind::PermissionDenied.into())
    });
    assert_eq!(refused.err().map(|error| error.kind()), Some(io::ErrorKind::PermissionDenied));
    assert_eq!(tries.get(), TRIES);
    // The system fails to read it: opened for writing only.
    let stage = Stage::new(b"content");
    let broken = Reader::new(SPOOLED).take(|| File::options().write(true).open(stage.path()));
    assert!(broken.is_err());
    // A large one is found out when its header is written: it is damaged.
    let (_, known) = {
        let mut reader = Reader::new(LIVE);
        let taken = reader.take(|| File::options().write(true).open(stage.path())).unwrap();
        let mut out = Vec::new();
        let known = reader.pour(taken, &mut Tape::new(&mut out), &|_| {}).unwrap();
        (out, known)
    };
    assert_eq!(known.flags, Flags { changed: true, damaged: true });
}

#[test]
fn backup_case_48_parts_begin_and_end_at_whole_blocks() {
    let stage = Stage::new(b"");
    let file = File::options().write(true).read(true).open(stage.path()).unwrap();
    file.set_len(10 << 20).unwrap();
    file.write_all_at(&[1; 5000], 1 << 20).unwrap();
    file.write_all_at(&[2; 10], (9 << 20) + 700).unwrap();
    let stat = fstat(&file).unwrap();
    let Some(parts) = data(&file, &stat, 10 << 20) else {
        use std::io::Write as _;
        let test = "backup_case_48_parts_begin_and_end_at_whole_blocks";
        let _ = writeln!(io::stderr(), "SKIPPED {}::{test}: this file system has no holes", module_path!());
        return;
    };
    assert!(parts.iter().all(|part| part.at % 512 == 0 && part.length % 512 == 0), "{parts:?}");
    assert_eq!(parts.last(), Some(&Segment { at: 10 << 20, length: 0 }), "the hole at the end is told");
    assert!(parts.iter().map(|part| part.length).sum::<u64>() < 1 << 20);
    for care in [LIVE, SPOOLED, Care::default()] {
        let mut reader = Reader::new(care);
        let taken = reader.take(|| File::open(stage.path())).unwrap();
        let mut out = Vec::new();
        let known = reader.pour(taken, &mut Tape::new(&mut out), &|_| {}).unwrap();
        let sum: [u8; 32] = Sha256::digest(fs::read(stage.path()).unwrap()).into();
        assert_eq!((known.sha256, known.flags), (sum, Flags::default()));
    }
}
