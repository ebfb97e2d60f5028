//! Targets and archives that make trouble.

use super::*;

const BIG: usize = 300_000;

/// A target with one file, and an archive with another content of it and a large file besides.
fn sample(bed: &Bed, target: &Path) {
    write(&bed.archive(), ".env", "A=1\n", 0o600);
    write(&bed.archive(), "big", &"x".repeat(BIG), 0o600);
    write(target, ".env", "A=2\n", 0o600);
    age(&target.join(".env"), 1_500_000_000);
}

fn to(bed: &Bed, target: &Path) -> Request {
    Request { target: Target::InPlace(target.to_owned()), ..bed.request() }
}

#[test]
fn backup_case_35_a_damaged_archive_leaves_no_secret_and_no_trace() {
    let bed = Bed::new();
    sample(&bed, &bed.target());
    let before = digest(&bed.target());
    let mut request = bed.request();
    let restore = ready(request.clone());
    request.source.unpack = Arc::new(Folder { root: bed.archive(), entries: entries(&bed.archive()), rotten: true });
    assert_eq!(refused(request.clone()).data["reason"], "truncated");
    // It was good when the plan was made.
    let result = run(apply(Restore { request, ..restore }, &context())).unwrap();
    assert_eq!(result.findings[0].data["reason"], "truncated");
    assert_eq!(contents(&bed.target()), before[1..]);
    assert_eq!(names(&bed.target()), [".env"], "the staging folder is gone");
}

#[test]
fn backup_case_35_the_staging_folder_is_private_while_it_fills() {
    struct Peeking(Folder, PathBuf);
    impl Unpack for Peeking {
        fn verify(
            &self,
            reader: Box<dyn Read + Send>,
            glance: Glance<'_>,
            watch: Watch<'_>,
        ) -> Result<Verified, Damage> {
            self.0.verify(reader, glance, watch)
        }
        fn extract(
            &self,
            reader: Box<dyn Read + Send>,
            stage: &Stage,
            select: &dyn Fn(&[u8]) -> bool,
            watch: Watch<'_>,
        ) -> Result<Verified, Damage> {
            let folder = names(&self.1).into_iter().find(|name| name.starts_with(STAGING)).unwrap();
            assert_eq!(fs::metadata(self.1.join(folder)).unwrap().mode() & 0o777, 0o700);
            let status = fs::read_to_string("/proc/self/status").unwrap();
            assert!(status.contains("Pid:"), "{status}");
            self.0.extract(reader, stage, select, watch)
        }
    }
    let bed = Bed::new();
    sample(&bed, &bed.target());
    let mut request = bed.request();
    let folder = Folder { root: bed.archive(), entries: entries(&bed.archive()), rotten: false };
    request.source.unpack = Arc::new(Peeking(folder, bed.target()));
    restored(request);
    // What core dumps are made of: a process that may not be dumped makes none.
    assert_eq!(
        rustix::process::dumpable_behavior().unwrap(),
        rustix::process::DumpableBehavior::NotDumpable,
        "core dumps are off"
    );
}

#[test]
fn backup_case_37_a_restore_that_does_not_fit_is_refused_before_a_byte_is_written() {
    let bed = Bed::new();
    let Some(_mount) = Mount::tmpfs(&bed.target(), "size=200k") else {
        return skipped(
            "backup_case_37_a_restore_that_does_not_fit_is_refused_before_a_byte_is_written",
            "cannot mount",
        );
    };
    sample(&bed, &bed.target());
    let before = digest(&bed.target());
    let error = run(apply(ready(bed.request()), &context())).unwrap_err();
    assert!(error.to_string().contains("it needs 29"), "{error}");
    assert!(error.hints[0].contains("df -h"), "{error:?}");
    assert_eq!(digest(&bed.target()), before, "not even the folder's time");
}

#[test]
fn a_disk_that_fills_up_meanwhile_leaves_everything_as_it_was() {
    let bed = Bed::new();
    let Some(_mount) = Mount::tmpfs(&bed.target(), "size=400k") else {
        return skipped("a_disk_that_fills_up_meanwhile_leaves_everything_as_it_was", "cannot mount");
    };
    sample(&bed, &bed.target());
    let before = digest(&bed.target());
    struct Greedy(Folder, PathBuf);
    impl Unpack for Greedy {
        fn verify(
            &self,
            reader: Box<dyn Read + Send>,
            glance: Glance<'_>,
            watch: Watch<'_>,
        ) -> Result<Verified, Damage> {
            self.0.verify(reader, glance, watch)
        }
        fn extract(
            &self,
            reader: Box<dyn Read + Send>,
            stage: &Stage,
            select: &dyn Fn(&[u8]) -> bool,
            watch: Watch<'_>,
        ) -> Result<Verified, Damage> {
            fs::write(self.1.join("log"), "x".repeat(BIG / 2)).unwrap();
            self.0.extract(reader, stage, select, watch)
        }
    }
    let mut request = bed.request();
    let folder = Folder { root: bed.archive(), entries: entries(&bed.archive()), rotten: false };
    request.source.unpack = Arc::new(Greedy(folder, bed.target()));
    let result = run(apply(ready(request), &context())).unwrap();
    assert_eq!(result.findings[0].data["reason"], "system", "{:#?}", result.findings);
    fs::remove_file(bed.target().join("log")).unwrap();
    assert_eq!(contents(&bed.target()), before[1..]);
    assert_eq!(names(&bed.target()), [".env"]);
}

#[test]
fn a_target_that_is_mounted_read_only_says_so() {
    let bed = Bed::new();
    let Some(_mount) = Mount::tmpfs(&bed.target(), "size=1m") else {
        return skipped("a_target_that_is_mounted_read_only_says_so", "cannot mount");
    };
    sample(&bed, &bed.target());
    let remount = std::process::Command::new("mount").args(["-o", "remount,ro"]).arg(bed.target()).status().unwrap();
    assert!(remount.success());
    let error = run(apply(ready(bed.request()), &context())).unwrap_err();
    assert!(error.hints[0].contains("mounted read-only"), "{error:?}");
}

#[test]
fn backup_case_36_what_is_mounted_in_the_target_is_restored_and_taken_back_too() {
    let bed = Bed::new();
    let target = bed.target();
    for root in [bed.archive(), target.clone()] {
        fs::create_dir_all(root.join("config/data")).unwrap();
    }
    let Some(_mount) = Mount::tmpfs(&target.join("config/data"), "size=1m,mode=755") else {
        return skipped("backup_case_36_what_is_mounted_in_the_target_is_restored_and_taken_back_too", "cannot mount");
    };
    for (path, old, new) in
        [("config/a", "old", "new"), ("config/data/b", "old", "new"), ("config/data/deep/c", "old", "new")]
    {
        write(&bed.archive(), path, new, 0o640);
        write(&target, path, old, 0o600);
        age(&target.join(path), 1_500_000_000);
    }
    write(&bed.archive(), "config/data/made/d", "made", 0o600);
    symlink("b", bed.archive().join("config/data/link")).unwrap();
    age(&target.join("config/data"), 1_400_000_000);
    let before = digest(&target);
    restored(bed.request());
    for path in ["config/a", "config/data/b", "config/data/deep/c", "config/data/made/d", "config/data/link"] {
        assert_eq!(fs::read(target.join(path)).unwrap(), fs::read(bed.archive().join(path)).unwrap(), "{path}");
    }
    assert!(names(&target.join("config/data")).iter().any(|name| name.starts_with(STAGING)), "kept where it was");
    undone(bed.revert());
    let without_staging =
        |lines: Vec<String>| lines.into_iter().filter(|line| !line.contains(STAGING)).collect::<Vec<_>>();
    assert_eq!(without_staging(digest(&target)), before);
}

#[test]
fn a_target_of_somebody_else_is_refused_with_what_to_do() {
    let bed = Bed::new();
    sample(&bed, &bed.target());
    let before = digest(&bed.target());
    if !rustix::process::geteuid().is_root() {
        return skipped("a_target_of_somebody_else_is_refused_with_what_to_do", "not root");
    }
    // Root may write everywhere but where the file system says that nobody may.
    let lock = |flag: &str| {
        let done = std::process::Command::new("chattr").arg(flag).arg(bed.target()).output();
        done.is_ok_and(|output| output.status.success())
    };
    if !lock("+i") {
        return skipped("a_target_of_somebody_else_is_refused_with_what_to_do", "the file system has no chattr");
    }
    let error = run(apply(ready(bed.request()), &context()));
    assert!(lock("-i"));
    let error = error.unwrap_err();
    assert!(error.hints[0].contains("run as a user who may write"), "{error:?}");
    assert_eq!(digest(&bed.target()), before);
}

#[test]
fn two_restores_to_one_target_do_not_meet() {
    let bed = Bed::new();
    sample(&bed, &bed.target());
    let restore = ready(bed.request());
    let held = fs::File::open(bed.target()).unwrap();
    held.lock().unwrap();
    let error = run(apply(restore, &context())).unwrap_err();
    assert_eq!(error.kind, crate::error::Kind::Locked);
    drop(held);
    restored(to(&bed, &bed.target()));
}

#[test]
fn a_signal_before_the_swap_leaves_everything_as_it_was() {
    let bed = Bed::new();
    sample(&bed, &bed.target());
    let before = digest(&bed.target());
    let restore = ready(bed.request());
    let context = context();
    context.cancel.raise(15);
    let error = run(apply(restore, &context)).unwrap_err();
    assert_eq!(error.kind, crate::error::Kind::Interrupted);
    assert_eq!(contents(&bed.target()), before[1..]);
    assert_eq!(names(&bed.target()), [".env"]);
}
