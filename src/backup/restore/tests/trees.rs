//! Any tree over any tree: restored as the archive says, and taken back to the last bit.

use proptest::prelude::*;

use super::*;

/// What is made at a path.
#[derive(Clone, Debug)]
enum Thing {
    File { content: u8, mode: u32, seconds: i64 },
    Folder { mode: u32 },
    Link { target: u8 },
    Name { of: usize },
}

fn thing() -> impl Strategy<Value = Thing> {
    let mode = prop_oneof![Just(0o600), Just(0o644), Just(0o755), Just(0o400)];
    prop_oneof![
        4 => (0_u8..3, mode, 1_500_000_000_i64..1_500_000_003)
            .prop_map(|(content, mode, seconds)| Thing::File { content, mode, seconds }),
        2 => prop_oneof![Just(0o700), Just(0o755), Just(0o500)].prop_map(|mode| Thing::Folder { mode }),
        1 => (0_u8..2).prop_map(|target| Thing::Link { target }),
        1 => (0_usize..8).prop_map(|of| Thing::Name { of }),
    ]
}

fn tree() -> impl Strategy<Value = BTreeMap<String, Thing>> {
    let path =
        prop_oneof![Just("a"), Just("b"), Just("c"), Just("a/a"), Just("a/b"), Just("a/b/a"), Just("b/a"), Just("b/c")];
    proptest::collection::btree_map(path.prop_map(str::to_owned), thing(), 0..8)
}

fn make(root: &Path, tree: &BTreeMap<String, Thing>) {
    let mut files: Vec<PathBuf> = Vec::new();
    for (path, thing) in tree {
        let path = root.join(path);
        if fs::create_dir_all(path.parent().unwrap()).is_err() || path.symlink_metadata().is_ok() {
            continue;
        }
        match thing {
            Thing::File { content, mode, seconds } => {
                fs::write(&path, [b'x' + content]).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
                age(&path, *seconds);
                files.push(path);
            }
            Thing::Folder { mode } => {
                fs::create_dir(&path).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
            }
            Thing::Link { target } => symlink(if *target == 0 { ".." } else { "a" }, &path).unwrap(),
            Thing::Name { of } => {
                if let Some(file) = files.get(*of) {
                    fs::hard_link(file, &path).unwrap();
                }
            }
        }
    }
    // Old times for all, so that only the test itself is young; folders last.
    let mut rest = vec![root.to_owned()];
    let mut folders = Vec::new();
    while let Some(folder) = rest.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let found = fs::symlink_metadata(&entry).unwrap();
            match found.is_dir() {
                true => rest.push(entry),
                false if found.is_symlink() => age(&entry, 1_400_000_000),
                false => {}
            }
        }
        folders.push(folder);
    }
    folders.iter().rev().for_each(|folder| age(folder, 1_300_000_000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_tree_is_restored_over_any_other_and_taken_back(archive in tree(), target in tree()) {
        let bed = Bed::new();
        make(&bed.archive(), &archive);
        make(&bed.target(), &target);
        let before = digest(&bed.target());
        // A folder with things in it that becomes a file is a conflict, and so must be agreed to.
        let request = Request { overwrite: Overwrite::Newer, ..bed.request() };
        let restore = ready(request.clone());
        let is_empty = restore.plan.steps.is_empty();
        let result = run(apply(restore, &context())).unwrap();
        for finding in &result.findings {
            prop_assert_eq!(finding.status, Status::Pass, "{:#?}", finding);
        }
        // Every path of the archive is there with all that belongs to it; times of folders are those of the archive only
        // where something in them changed.
        let after = digest(&bed.target());
        // Whether two paths are one file is looked at by the check.
        let alone = |line: &String| line.rsplit_once(' ').unwrap().0.to_owned();
        let after: Vec<_> = after.iter().map(alone).collect();
        let is_folder = |line: &String| line.split(' ').nth(1).unwrap().starts_with('4');
        for line in digest(&bed.archive()).iter().skip(1).filter(|line| !is_folder(line)).map(alone) {
            prop_assert!(after.contains(&line), "{} is missing in {:#?}", line, after);
        }
        if !is_empty {
            undone(bed.revert());
        }
        prop_assert_eq!(digest(&bed.target()), before);
    }
}
