//! Restores to a folder that is missing or empty.

use super::*;

fn sample(root: &Path) {
    write(root, ".env", "SECRET=1\n", 0o600);
    write(root, "config/a.conf", "a", 0o644);
    write(root, "config/deep/b.conf", "b", 0o640);
    symlink("a.conf", root.join("config/link")).unwrap();
    fs::hard_link(root.join(".env"), root.join("config/env")).unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    fs::set_permissions(root.join("empty"), fs::Permissions::from_mode(0o500)).unwrap();
}

#[test]
fn a_target_that_is_missing_is_made_holds_the_archive_and_nothing_else_and_goes_again() {
    let bed = Bed::new();
    sample(&bed.archive());
    let target = bed.place.path().join("new/place");
    let request = Request { target: Target::To(target.clone()), ..bed.request() };
    let restore = ready(request.clone());
    assert!(restore.changes.is_none(), "the archive is read once only");
    assert_eq!(restore.plan.steps.len(), 1, "{:#?}", restore.plan);
    assert!(!target.exists(), "a plan only looks");

    let restored = restored(request);
    let summary = restored.summary.unwrap();
    assert_eq!((summary.files, summary.entries, summary.undo_folder), (4, 8, None));
    assert_eq!(contents(&target), contents(&bed.archive()));
    assert_eq!(names(&target), [".env", "config", "empty"]);

    undone(bed.revert());
    assert!(!target.exists());
    let error = run(undo(bed.revert(), &context())).unwrap_err();
    assert!(error.to_string().contains("remembers none"), "{error}");
}

#[test]
fn an_empty_target_is_empty_again_after_the_undo() {
    let bed = Bed::new();
    sample(&bed.archive());
    age(&bed.target(), 1_500_000_000);
    let before = digest(&bed.target());
    restored(bed.request());
    assert_eq!(contents(&bed.target()), contents(&bed.archive()));
    undone(bed.revert());
    assert_eq!(digest(&bed.target()), before);
}

#[test]
fn an_undo_takes_nothing_back_where_something_was_changed_since() {
    let bed = Bed::new();
    sample(&bed.archive());
    restored(bed.request());
    let (file, text) = (bed.target().join("config/deep/new"), "written since");
    fs::write(&file, text).unwrap();
    let before = digest(&bed.target());
    let result = run(undo(bed.revert(), &context())).unwrap();
    assert_eq!(result.findings[0].data["reason"], "changed");
    assert_eq!(result.findings[0].observed.as_deref(), Some("config"));
    result.findings.iter().for_each(crate::report::assert_one_voice);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    assert_eq!(contents(&bed.target()), before[1..]);

    undone(Revert { overwrite: Overwrite::Newer, ..bed.revert() });
    assert!(names(&bed.target()).is_empty());
}

#[test]
fn backup_case_13_only_an_archive_of_a_known_origin_is_restored() {
    let bed = Bed::new();
    sample(&bed.archive());
    let request = |origin: Origin, unsigned| {
        let request = bed.request();
        Request { source: Source { origin, ..request.source }, unsigned, ..request }
    };
    for (origin, reason) in [
        (Origin::Unsigned, "unsigned"),
        (Origin::Stranger("ABC".into()), "stranger"),
        (Origin::Forged("the sidecar was changed".into()), "forged"),
    ] {
        assert_eq!(refused(request(origin, Unsigned::Refuse)).data["reason"], reason);
    }
    assert_eq!(refused(request(Origin::Forged(String::new()), Unsigned::Accept)).data["reason"], "forged");
    ready(request(Origin::Unsigned, Unsigned::Accept));
    ready(request(Origin::Stranger("ABC".into()), Unsigned::Accept));
}

#[test]
fn backup_case_13_an_archive_that_is_not_the_signed_one_leaves_no_trace() {
    let bed = Bed::new();
    sample(&bed.archive());
    let mut request = bed.request();
    request.source.sidecar.as_mut().unwrap().file.sha256 = hex(&[8; 32]);
    let restored = run(apply(ready(request), &context())).unwrap();
    assert_eq!(restored.findings[0].data["reason"], "altered");
    assert!(restored.summary.is_none() && restored.outcomes.iter().all(|outcome| outcome.state == Done::Skipped));
    assert!(names(&bed.target()).is_empty());
}

#[test]
fn an_archive_without_a_sidecar_is_read_first_and_restores_the_same() {
    let bed = Bed::new();
    sample(&bed.archive());
    let request = bed.request();
    let source = Source { sidecar: None, origin: Origin::Unsigned, ..request.source.clone() };
    let request = Request { source, unsigned: Unsigned::Accept, ..request };
    let restore = ready(request.clone());
    assert_eq!(restore.changes.unwrap().count(crate::rules::difference::Difference::Create).entries, 8);
    restored(request);
    assert_eq!(contents(&bed.target()), contents(&bed.archive()));
}

#[test]
fn a_plan_names_every_path_when_asked_to() {
    let bed = Bed::new();
    sample(&bed.archive());
    let restore = ready(Request { listing: Listing::Paths, ..bed.request() });
    let mut paths = Vec::new();
    let changes = restore.changes.unwrap();
    changes
        .each(|difference, entry| {
            paths.push(format!("{} {}", difference.word(), String::from_utf8_lossy(&entry.path)));
            Ok(())
        })
        .unwrap();
    assert_eq!(paths.len(), 8);
    assert_eq!(paths[0], "create .env");
    let json = serde_json::to_value(&changes).unwrap();
    assert_eq!(json["create"]["files"], 4);
    assert_eq!(json["create"]["first"][1], "config/");
}
