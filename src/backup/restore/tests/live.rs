//! Restores over files that are there.

use super::*;
use crate::rules::difference::Difference;

/// After the archive was made.
const YOUNG: i64 = 1_795_460_000;

/// An archive and a target that differ in every way.
fn differing(bed: &Bed) {
    let (archive, target) = (bed.archive(), bed.target());
    for root in [&archive, &target] {
        write(root, "same", "same", 0o644);
        write(root, "config/same.conf", "same", 0o644);
        write(root, "config/mode.conf", "mode", 0o600);
        write(root, "config/touched", "touched", 0o600);
        write(root, "config/.env", "A=1\n", 0o600);
        fs::create_dir(root.join("config/old")).unwrap();
    }
    write(&archive, "config/created/deep/file", "created", 0o640);
    write(&archive, "kind", "a file", 0o600);
    symlink("same", target.join("kind")).unwrap();
    age(&target.join("kind"), 1_500_000_000);
    write(&target, "config/.env", "A=2\n", 0o600);
    age(&target.join("config/.env"), 1_500_000_001);
    write(&target, "config/mode.conf", "mode", 0o644);
    age(&target.join("config/touched"), YOUNG);
    write(&target, "config/extra/by-hand", "extra", 0o600);
    write(&target, "unrelated", "not ours", 0o600);
    fs::hard_link(archive.join("config/.env"), archive.join("config/env")).unwrap();
    fs::set_permissions(target.join("config/old"), fs::Permissions::from_mode(0o700)).unwrap();
}

/// Paths of the target are as in the archive, and what the archive lacks is as it was.
fn assert_restored(bed: &Bed, before: &[String]) {
    let after = digest(&bed.target());
    // The times of folders that hold more than the archive's own are their own.
    let line =
        |lines: &[String], path: &str| lines.iter().find(|line| line.starts_with(&format!("{path:?} "))).cloned();
    for path in [
        "same",
        "config/same.conf",
        "config/mode.conf",
        "config/touched",
        "config/.env",
        "config/env",
        "kind",
        "config/created/deep/file",
    ] {
        assert_eq!(line(&after, path), line(&digest(&bed.archive()), path), "{path}");
    }
    for path in ["unrelated", "config/extra/by-hand"] {
        assert_eq!(line(&after, path), line(before, path), "{path}");
    }
}

#[test]
fn backup_case_33_a_plan_tells_what_would_be_created_changed_and_left() {
    let bed = Bed::new();
    differing(&bed);
    let before = digest(&bed.target());
    let restore = ready(bed.request());
    let changes = restore.changes.as_ref().unwrap();
    let first = |difference| changes.count(difference).first;
    assert_eq!(
        first(Difference::Create),
        ["config/created/", "config/env", "config/created/deep/", "config/created/deep/file"]
    );
    assert_eq!(first(Difference::Change), ["config/.env"]);
    assert_eq!(first(Difference::KindChange), ["kind"]);
    assert_eq!(first(Difference::ModeOnly), ["config/mode.conf", "config/old/", "config/touched"]);
    assert_eq!(first(Difference::Extra), ["config/extra/"]);
    assert_eq!(first(Difference::Newer), [""; 0]);
    let json = serde_json::to_value(&restore.plan).unwrap();
    let actions: Vec<_> =
        json["steps"].as_array().unwrap().iter().map(|step| step["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["create", "change", "replace-kind", "mode-only"]);
    assert_eq!(json["steps"][1]["reason"], "1 file (4 B) with another content: config/.env");
    let notes = &restore.plan.notes;
    assert!(notes.iter().any(|note| note.contains("config/extra/")), "{notes:?}");
    assert!(notes.contains(&"config/.env: changes A (values are not shown)".to_owned()), "{notes:?}");
    assert_eq!(digest(&bed.target()), before, "a plan only looks");
    assert_eq!(names(&bed.place.path().join("state/restore")), [""; 0], "and leaves nothing");
}

#[test]
fn backup_case_34_a_restore_is_taken_back_to_the_last_bit() {
    let bed = Bed::new();
    differing(&bed);
    age(&bed.target().join("config"), 1_400_000_000);
    let before = digest(&bed.target());
    let summary = restored(bed.request()).summary.unwrap();
    assert_restored(&bed, &before);
    let kept = summary.undo_folder.unwrap();
    assert_eq!(fs::metadata(&kept).unwrap().mode() & 0o777, 0o700);
    assert_eq!(fs::read_to_string(kept.join("new/config/.env")).unwrap(), "A=2\n", "what was replaced is kept");
    undone(bed.revert());
    assert_eq!(digest(&bed.target()), before);
    assert!(!kept.exists());
}

#[test]
fn nothing_to_do_is_said_and_nothing_is_written() {
    let bed = Bed::new();
    differing(&bed);
    let before = digest(&bed.target());
    restored(bed.request());
    let after = digest(&bed.target());
    let again = ready(bed.request());
    assert!(again.plan.steps.is_empty(), "{:#?}", again.plan);
    let nothing = run(apply(again, &context())).unwrap();
    assert!(nothing.outcomes.is_empty() && nothing.findings[0].status == Status::Pass);
    assert_eq!(digest(&bed.target()), after);
    undone(bed.revert());
    assert_eq!(digest(&bed.target()), before, "the undo of the restore before is still there");
}

#[test]
fn backup_case_33_newer_files_are_replaced_only_when_that_is_said() {
    let bed = Bed::new();
    differing(&bed);
    age(&bed.target().join("config/.env"), YOUNG);
    let before = digest(&bed.target());
    let finding = refused(bed.request());
    assert_eq!((finding.data["reason"].as_str(), finding.observed.as_deref()), (Some("newer"), Some("config/.env")));
    let by_folder = refused(Request { include: vec!["config/".into()], ..bed.request() });
    assert_eq!(by_folder.data["reason"], "newer", "a folder names no file");
    for request in [
        Request { overwrite: Overwrite::Newer, ..bed.request() },
        Request { include: vec!["/config/.env".into()], ..bed.request() },
    ] {
        restored(request);
        assert_eq!(fs::read_to_string(bed.target().join("config/.env")).unwrap(), "A=1\n");
        undone(bed.revert());
        assert_eq!(digest(&bed.target()), before);
    }
}

#[test]
fn only_what_is_included_is_restored_also_another_name_of_what_is_not() {
    let bed = Bed::new();
    differing(&bed);
    let before = digest(&bed.target());
    restored(Request { include: vec!["config/env".into(), "config/created/".into()], ..bed.request() });
    assert_eq!(fs::read_to_string(bed.target().join("config/env")).unwrap(), "A=1\n");
    assert_eq!(fs::read_to_string(bed.target().join("config/.env")).unwrap(), "A=2\n");
    assert_eq!(fs::read_to_string(bed.target().join("config/created/deep/file")).unwrap(), "created");
    assert!(bed.target().join("kind").is_symlink());
    undone(bed.revert());
    assert_eq!(digest(&bed.target()), before);
}

#[test]
fn backup_case_30_a_folder_that_is_a_link_now_is_replaced_and_never_written_through() {
    let bed = Bed::new();
    write(&bed.archive(), "config/a.conf", "from the archive", 0o600);
    let elsewhere = bed.place.path().join("elsewhere");
    write(&elsewhere, "a.conf", "somebody else's", 0o600);
    symlink(&elsewhere, bed.target().join("config")).unwrap();
    age(&bed.target().join("config"), 1_500_000_000);
    let (before, outside) = (digest(&bed.target()), digest(&elsewhere));

    let finding = refused(Request { include: vec!["/config/a.conf".into()], ..bed.request() });
    assert_eq!(finding.data["reason"], "obstacle");
    restored(bed.request());
    assert_eq!(digest(&elsewhere), outside);
    assert_eq!(contents(&bed.target()), contents(&bed.archive()));
    undone(bed.revert());
    assert_eq!((digest(&bed.target()), digest(&elsewhere)), (before, outside));
}

#[test]
fn what_changes_between_plan_and_apply_stays_and_the_restore_does_not_happen() {
    let bed = Bed::new();
    differing(&bed);
    let restore = ready(bed.request());
    let elsewhere = bed.place.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::rename(bed.target().join("config"), bed.target().join("moved")).unwrap();
    symlink(&elsewhere, bed.target().join("config")).unwrap();
    let before = contents(&bed.target());
    let error = run(apply(restore, &context())).unwrap_err();
    assert!(error.to_string().contains("has changed since the plan was made"), "{error}");
    assert_eq!(contents(&bed.target()), before);
    assert_eq!(names(&elsewhere), [""; 0]);
}

#[test]
fn the_undo_folder_stays_until_the_next_restore() {
    let bed = Bed::new();
    differing(&bed);
    let first = restored(bed.request()).summary.unwrap().undo_folder.unwrap();
    write(&bed.target(), "same", "other", 0o644);
    let before = digest(&bed.target());
    let second = restored(bed.request()).summary.unwrap().undo_folder.unwrap();
    assert!(!first.exists() && second.exists());
    undone(bed.revert());
    assert_eq!(digest(&bed.target()), before);
}

#[test]
fn an_undo_leaves_alone_what_came_beside() {
    let bed = Bed::new();
    differing(&bed);
    restored(bed.request());
    fs::write(bed.target().join("config/since"), "by hand").unwrap();
    undone(bed.revert());
    assert_eq!(fs::read_to_string(bed.target().join("config/since")).unwrap(), "by hand");
    assert_eq!(fs::read_to_string(bed.target().join("config/.env")).unwrap(), "A=2\n");
    assert!(!bed.target().join("config/created").exists());
}

#[test]
fn the_command_afterwards_is_in_the_plan_and_its_failure_is_told() {
    let bed = Bed::new();
    differing(&bed);
    let request = Request { after: Some(vec!["false".into()]), ..bed.request() };
    let restore = ready(request.clone());
    let last = restore.plan.steps.last().unwrap();
    assert_eq!((last.action, last.target.as_str()), (Action::AfterRestore, "false"));
    let result = run(apply(restore, &context())).unwrap();
    assert_eq!(result.outcomes.last().unwrap().state, Done::Failed);
    assert!(result.findings.iter().any(|finding| finding.data.get("reason") == Some(&"after-restore".into())));
    let elsewhere = Request { target: Target::To(bed.place.path().join("to")), ..request };
    assert!(ready(elsewhere).plan.steps.iter().all(|step| step.action != Action::AfterRestore), "only in place");
}

#[test]
fn backup_case_32_what_the_system_did_not_do_is_told() {
    let bed = Bed::new();
    write(&bed.archive(), "a", "a", 0o600);
    let mut request = bed.request();
    // An archive whose unpacking leaves another owner and mode than the manifest says: as a file system without either.
    let mut lying = entries(&bed.archive());
    lying[0].uid = 12345;
    lying[0].mode = 0o640;
    struct Lying(Folder, Vec<Entry>);
    impl Unpack for Lying {
        fn verify(&self, _: Box<dyn Read + Send>, _: Glance<'_>, watch: Watch<'_>) -> Result<Verified, Damage> {
            self.1.iter().for_each(watch.each);
            self.0.end()
        }
        fn extract(
            &self,
            reader: Box<dyn Read + Send>,
            stage: &Stage,
            select: &dyn Fn(&[u8]) -> bool,
            watch: Watch<'_>,
        ) -> Result<Verified, Damage> {
            self.1.iter().for_each(watch.each);
            self.0.extract(reader, stage, select, Watch { each: &mut |_| {}, tick: watch.tick, stop: watch.stop })
        }
    }
    let honest = Folder { root: bed.archive(), entries: entries(&bed.archive()), rotten: false };
    request.source.unpack = Arc::new(Lying(honest, lying));
    let result = run(apply(ready(request), &context())).unwrap();
    let told: Vec<_> = result
        .findings
        .iter()
        .map(|finding| (finding.data["reason"].as_str().unwrap(), finding.expected.as_deref().unwrap()))
        .collect();
    assert_eq!(told[0], ("mode", "0640"));
    assert!(told[1].0 == "owner" && told[1].1.starts_with("12345:"), "{told:?}");
    result.findings.iter().for_each(crate::report::assert_one_voice);
}
