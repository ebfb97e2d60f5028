//! Restores that are cut off: at every single step, and by `kill -9` at any moment.

use std::{collections::HashSet, process::Command, time::Duration};

use super::{
    super::{commit, journal, stage::JOURNAL},
    *,
};

fn differing(bed: &Bed, count: usize) {
    let (archive, target) = (bed.archive(), bed.target());
    for number in 0..count {
        write(&archive, &format!("config/{number}/new/file"), &format!("new {number}"), 0o640);
        write(&archive, &format!("config/{number}/changed"), "from the archive", 0o600);
        write(&target, &format!("config/{number}/changed"), "before", 0o644);
        write(&archive, &format!("config/{number}/mode"), "mode", 0o600);
        write(&target, &format!("config/{number}/mode"), "mode", 0o644);
        symlink("x", target.join(format!("config/{number}/kind"))).unwrap();
        write(&archive, &format!("config/{number}/kind"), "kind", 0o600);
        age(&target.join(format!("config/{number}/kind")), 1_500_000_000);
        age(&target.join(format!("config/{number}/changed")), 1_500_000_000);
    }
}

/// Everything but the times of folders, which staging itself touches.
fn state(root: &Path) -> Vec<String> {
    contents(root)
}

fn find_journal(target: &Path) -> Vec<u8> {
    let folder = names(target).into_iter().find(|name| name.starts_with(STAGING)).unwrap();
    join(folder.as_bytes(), JOURNAL)
}

/// Undoes a finished restore as `take_back` does, but ends at the step with this number. Says whether it came to an end.
fn walk(target: &Path, is_forward: bool, end: usize) -> bool {
    let journal = find_journal(target);
    let mut tree = Tree::open(target).unwrap();
    let file = tree.file(&journal).unwrap();
    let mut count = 0;
    let mut gate = || {
        count += 1;
        if count > end { Err(io::Error::other("killed")) } else { Ok(()) }
    };
    let steps = journal::steps(file).unwrap();
    let done = if is_forward {
        commit::forward(&mut tree, steps, &mut gate)
    } else {
        commit::back(&mut tree, steps, &HashSet::new(), &mut gate)
    };
    done.is_ok()
}

#[test]
fn backup_case_34_a_restore_cut_off_at_any_step_is_finished_or_taken_back() {
    let bed = Bed::new();
    differing(&bed, 6);
    age(&bed.target().join("config"), 1_500_000_000);
    let target = bed.target();
    let old = state(&target);
    let done = |target: &Path| {
        let folder = names(target).into_iter().find(|name| name.starts_with(STAGING)).unwrap();
        fs::remove_file(target.join(folder).join("done")).unwrap();
    };
    restored(bed.request());
    let new = state(&target);
    assert_ne!(old, new);
    done(&target);
    // Wherever one direction is cut off, each of the two comes to its end from there.
    for end in 0.. {
        assert!(walk(&target, false, usize::MAX));
        assert_eq!(state(&target), old, "taken back before {end}");
        let ended = walk(&target, true, end);
        assert!(walk(&target, false, usize::MAX), "taken back after {end} steps forward");
        assert_eq!(state(&target), old, "taken back after {end} steps forward");
        walk(&target, true, end);
        assert!(walk(&target, true, usize::MAX), "finished after {end} steps forward");
        assert_eq!(state(&target), new, "finished after {end} steps forward");
        let back = walk(&target, false, end);
        assert!(walk(&target, true, usize::MAX), "finished after {end} steps back");
        assert_eq!(state(&target), new, "finished after {end} steps back");
        if ended && back {
            assert!(end > 24, "{end} steps");
            break;
        }
    }
    let pending = pending(&bed.revert()).unwrap();
    assert_eq!(pending.len(), 1);
    let finding = refused(bed.request());
    assert_eq!(finding.data["reason"], "pending");
    assert!(finding.fix.as_deref().unwrap().contains("--resume") && finding.fix.as_deref().unwrap().contains("--undo"));
    let resumed = run(resume(bed.revert(), &context())).unwrap();
    assert!(resumed.findings.iter().all(|finding| finding.status == Status::Pass), "{:#?}", resumed.findings);
    assert_eq!(state(&target), new);
    undone(bed.revert());
    assert_eq!(state(&target), old);
}

#[test]
fn a_file_system_that_cannot_exchange_takes_two_steps_and_both_ways_work_between_them() {
    let place = tempfile::tempdir().unwrap();
    let mut tree = Tree::open(place.path()).unwrap();
    for folder in ["new", "old"] {
        fs::create_dir(place.path().join(folder)).unwrap();
    }
    write(place.path(), "new/a", "new", 0o600);
    write(place.path(), "a", "old", 0o600);
    let bytes = |path: &str| journal::Bytes(path.as_bytes().to_vec());
    let (new, old) = (tree.look(b"new/a").unwrap().unwrap(), tree.look(b"a").unwrap().unwrap());
    let step = journal::Step::Place {
        path: bytes("a"),
        staged: bytes("new/a"),
        aside: bytes("old/0"),
        inode: new.inode,
        was: Some(journal::Was::of(&old)),
    };
    let read = || fs::read_to_string(place.path().join("a")).ok();
    let steps = |tree: &mut Tree, is_forward: bool| {
        let steps = std::iter::once(Ok(step.clone()));
        match is_forward {
            true => commit::forward(tree, steps, &mut || Ok(())).unwrap(),
            false => commit::back(tree, steps, &HashSet::new(), &mut || Ok(())).unwrap(),
        }
    };
    // As if the run was killed after the first of the two.
    fs::rename(place.path().join("a"), place.path().join("old/0")).unwrap();
    steps(&mut tree, false);
    assert_eq!(read().as_deref(), Some("old"));
    fs::rename(place.path().join("a"), place.path().join("old/0")).unwrap();
    steps(&mut tree, true);
    assert_eq!(read().as_deref(), Some("new"));
    // Half-way back.
    fs::rename(place.path().join("a"), place.path().join("new/a")).unwrap();
    steps(&mut tree, true);
    assert_eq!(read().as_deref(), Some("new"));
    steps(&mut tree, false);
    assert_eq!(read().as_deref(), Some("old"));
    steps(&mut tree, false);
    steps(&mut tree, true);
    assert_eq!(read().as_deref(), Some("new"), "and where it can exchange, from the start");
}

/// Set in the process that a test starts to be killed.
const VICTIM: &str = "MAINSTAY_TEST_RESTORE";

/// Not a test of its own: what the killed process does.
#[test]
fn a_restore_for_the_test_that_kills_it() {
    let Some(place) = std::env::var_os(VICTIM) else { return };
    let place = PathBuf::from(place);
    let bed = Bed::new();
    let at = |name: &str| place.join(name);
    let mut request = bed.request();
    let folder = Folder { root: at("archive"), entries: entries(&at("archive")), rotten: false };
    request.source.sidecar = Some(sidecar(&folder.entries));
    request.source.unpack = Arc::new(folder);
    request.target = Target::InPlace(at("target"));
    let variables = BTreeMap::from([("MAINSTAY_STATE".into(), at("state").into())]);
    request.state = State::find(&Context::real(variables, "/".into()), None).unwrap();
    for _ in 0..1000 {
        restored(request.clone());
        undone(Revert { name: "app".into(), target: None, overwrite: Overwrite::Older, state: request.state.clone() });
    }
}

#[test]
fn backup_case_34_a_restore_killed_at_any_moment_is_finished_or_taken_back() {
    let bed = Bed::new();
    differing(&bed, 60);
    let target = bed.target();
    let old = state(&target);
    restored(bed.request());
    let new = state(&target);
    undone(bed.revert());
    let me = std::env::current_exe().unwrap();
    let name = "backup::restore::tests::crash::a_restore_for_the_test_that_kills_it";
    let mut cut = 0;
    for round in 0..20 {
        let mut child = Command::new(&me)
            .args([name, "--exact", "--test-threads=1"])
            .env(VICTIM, bed.place.path())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Another moment of the swap each time, or of its undoing; what it hits is chance, and all of it must be right.
        for _ in 0..5_000 {
            let found = pending(&bed.revert());
            if found.is_ok_and(|found| !found.is_empty()) {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(400 * round));
        assert!(child.try_wait().unwrap().is_none(), "it restores until it is killed");
        child.kill().unwrap();
        child.wait().unwrap();
        let found = pending(&bed.revert()).unwrap();
        cut += found.len();
        match (found.is_empty(), round % 2) {
            (false, 0) => {
                run(resume(bed.revert(), &context())).unwrap();
                assert_eq!(state(&target), new, "round {round}");
                undone(bed.revert());
            }
            (false, _) => drop(undone(bed.revert())),
            // Before the swap or after it: a whole state, and only a finished one can be taken back.
            (true, _) => {
                let now = state(&target);
                assert!(now == old || now == new, "round {round}");
                if now == new {
                    undone(bed.revert());
                }
            }
        }
        assert_eq!(state(&target), old, "round {round}");
    }
    let _ = writeln!(io::stderr(), "{cut} of 20 kills hit the swap");
    assert!(cut > 0, "no kill hit what this test is about");
    restored(bed.request());
    assert_eq!(state(&target), new);
    let staging = names(&target).into_iter().filter(|name| name.starts_with(STAGING)).count();
    assert_eq!(staging, 1, "what the killed runs left is gone");
}
