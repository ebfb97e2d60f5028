//! A tar stream, unpacked into a folder beside one that must not change.
#![no_main]

use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use mainstay::system::{
    Cancel,
    archive::{Bits, ExtractOptions, Limits, Owner, Stage, Staged, extract_tar},
};

/// One folder for all runs: making it costs more than a run.
static PLACE: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let place = tempfile::tempdir_in("/dev/shm").expect("a folder in memory");
    fs::write(place.path().join("canary"), "alive").expect("a file");
    place
});

fuzz_target!(|tar: &[u8]| {
    let stage_path = PLACE.path().join("stage");
    let stage = Stage::make(&stage_path).expect("a fresh folder");
    let options = ExtractOptions { select: &|path| !path.ends_with(b"~"), owner: Owner::Own, bits: Bits::Keep };
    let limits = Limits { unpacked: 1 << 20, entries: 1000, content: 1 << 24 };
    let mut staged = Vec::new();
    let mut each = |one: &Staged<'_>| staged.push(one.entry.clone());
    let read = extract_tar(tar, limits, &Cancel::default(), &stage, &options, &mut each);
    match read {
        Ok(verified) => {
            assert!(verified.contents.bytes <= limits.content && verified.contents.unpacked == tar.len() as u64)
        }
        Err(damage) => assert!(!damage.why.is_empty() && !damage.fix.is_empty()),
    }
    let mut beside: Vec<_> =
        fs::read_dir(PLACE.path()).expect("the folder").map(|entry| entry.expect("an entry").file_name()).collect();
    beside.sort();
    assert_eq!(beside, ["canary", "stage"], "something was written beside the stage");
    assert_eq!(fs::read(PLACE.path().join("canary")).expect("the canary"), b"alive");
    clear(&stage_path);
});

/// Removes a tree, also folders that are closed to us.
fn clear(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).expect("our own folder");
    for entry in fs::read_dir(folder).expect("our own folder") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("a type").is_dir() {
            clear(&entry.path());
        } else {
            fs::remove_file(entry.path()).expect("our own file");
        }
    }
    fs::remove_dir(folder).expect("an empty folder");
}
