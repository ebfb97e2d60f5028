//! Real archives: made by `tar`, `gzip` and `age` by hand, and by this program.

use std::process::{Command, Stdio};

use super::*;
use crate::system::{
    Cancel,
    archive::{Compression, Keys, Recipe, Seal},
};

/// A file that stands for a destination.
struct OneFile(PathBuf);

impl Shelf for OneFile {
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
        Box::pin(async { Ok(Reading::of(fs::File::open(&self.0).unwrap())) })
    }
}

fn sample(root: &Path) {
    write(root, ".env", "SECRET=1\n", 0o600);
    write(root, "config/a.conf", "a", 0o644);
    write(root, "config/deep/b.conf", &"b".repeat(200_000), 0o640);
    symlink("a.conf", root.join("config/link")).unwrap();
    fs::hard_link(root.join("config/a.conf"), root.join("config/again")).unwrap();
    fs::create_dir(root.join("config/empty")).unwrap();
}

fn by_hand(bed: &Bed, identity: &age::x25519::Identity) -> Option<PathBuf> {
    let file = bed.place.path().join("by-hand.tar.gz.age");
    let line = format!("tar -cz -H posix -f - -- .env config | age -r {} -o \"$0\"", identity.to_public());
    let done =
        Command::new("sh").args(["-c", &line]).arg(&file).current_dir(bed.archive()).stderr(Stdio::null()).status();
    done.is_ok_and(|status| status.success()).then_some(file)
}

fn request(bed: &Bed, file: PathBuf, identity: age::x25519::Identity) -> Request {
    let request = bed.request();
    let unpack = Arc::new(Sealed::new(Arc::new(Keys::of(identity)), None, Privileges::Drop));
    let source =
        Source { shelf: Arc::new(OneFile(file)), sidecar: None, origin: Origin::Unsigned, unpack, ..request.source };
    Request { source, unsigned: Unsigned::Accept, ..request }
}

#[test]
fn an_archive_that_was_made_by_hand_is_planned_restored_and_taken_back() {
    let bed = Bed::new();
    sample(&bed.archive());
    let identity = age::x25519::Identity::generate();
    let Some(file) = by_hand(&bed, &identity) else {
        return skipped("an_archive_that_was_made_by_hand_is_planned_restored_and_taken_back", "tar or age is missing");
    };
    let request = request(&bed, file.clone(), identity.clone());
    restored(request.clone());
    assert_eq!(contents(&bed.target()), contents(&bed.archive()));
    undone(bed.revert());
    assert_eq!(names(&bed.target()), [""; 0]);

    // Over a tree that differs.
    write(&bed.target(), ".env", "SECRET=2\nMORE=3\n", 0o600);
    age(&bed.target().join(".env"), 1_500_000_000);
    write(&bed.target(), "config/a.conf", "a", 0o600);
    let before = digest(&bed.target());
    let restore = ready(request.clone());
    let keys = ".env: changes SECRET; removes MORE (values are not shown)".to_owned();
    assert!(restore.plan.notes.contains(&keys), "{:?}", restore.plan.notes);
    restored(request.clone());
    assert_eq!(fs::read_to_string(bed.target().join(".env")).unwrap(), "SECRET=1\n");
    undone(bed.revert());
    assert_eq!(digest(&bed.target()), before);

    // Cut off at its end: not a byte of it is believed.
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    let reason = refused(request).data["reason"].as_str().unwrap().to_owned();
    assert!(["altered", "truncated"].contains(&reason.as_str()), "{reason}");
    assert_eq!(digest(&bed.target()), before);
}

#[test]
fn backup_case_11_the_wrong_key_restores_nothing_and_names_the_right_one() {
    let bed = Bed::new();
    sample(&bed.archive());
    let identity = age::x25519::Identity::generate();
    let Some(file) = by_hand(&bed, &identity) else {
        return skipped(
            "backup_case_11_the_wrong_key_restores_nothing_and_names_the_right_one",
            "tar or age is missing",
        );
    };
    let finding = refused(request(&bed, file, age::x25519::Identity::generate()));
    assert_eq!(finding.data["reason"], "wrong-key");
    assert_eq!(names(&bed.target()), [""; 0]);
}

#[test]
fn an_archive_of_this_program_is_restored_in_one_pass() {
    let bed = Bed::new();
    sample(&bed.archive());
    let identity = age::x25519::Identity::generate();
    let recipe = Recipe {
        id: "prime-app-20261123T181500Z-000001".into(),
        root: bed.archive(),
        include: vec!["/.env".into(), "/config/".into()],
        compression: Compression::Gzip,
        ..Recipe::default()
    };
    let (cancel, nothing) = (Cancel::default(), |_: u64| {});
    let survey = crate::system::archive::survey(&recipe, &cancel, |_| {}).unwrap();
    let seal = Seal::recipients(&[identity.to_public().to_string()], None).unwrap();
    let file = bed.place.path().join("archive.tar.gz.age");
    let mut sink = fs::File::create(&file).unwrap();
    let (written, _) = crate::system::archive::write(&recipe, &survey, &seal, &mut sink, &nothing, &cancel).unwrap();
    let mut request = request(&bed, file, identity.clone());
    let mut sidecar = sidecar(&[]);
    sidecar.contents = written.contents.clone();
    sidecar.file.sha256 = hex(&written.sha256);
    request.source.unpack = Arc::new(Sealed::new(Arc::new(Keys::of(identity)), Some(&sidecar), Privileges::Drop));
    request.source.sidecar = Some(sidecar);
    assert!(ready(request.clone()).changes.is_none());
    let summary = restored(request).summary.unwrap();
    assert_eq!(summary.files, written.contents.files);
    assert_eq!(contents(&bed.target()), contents(&bed.archive()));
}
