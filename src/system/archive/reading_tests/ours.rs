//! Archives of our own writer: what it says of them is what is found in them.

use super::super::{Compression, Recipe, Seal, survey, write};
use super::*;

/// Writes an archive of a tree, and gives what was said of it and the keys of the run.
fn written(root: &Path, compression: Compression) -> (Vec<u8>, super::super::Written, Keys) {
    let recipe = Recipe {
        id: "prime-app-20261123T181500Z-000042".into(),
        root: root.to_owned(),
        include: vec!["/*".into()],
        one_file_system: true,
        compression,
        ..Recipe::default()
    };
    let stop = Cancel::default();
    let seal = Seal::recipients(&[IDENTITY.to_public().to_string()], None).unwrap();
    let survey = survey(&recipe, &stop, |_| {}).unwrap();
    let mut sealed = Vec::new();
    let (written, key) = write(&recipe, &survey, &seal, &mut sealed, &|_| {}, &stop).unwrap();
    (sealed, written, Keys::of_run(key.expect("a key of the run, where recipients are public keys")))
}

#[test]
fn backup_case_54_the_key_of_the_run_proves_what_was_written_and_all_of_it_comes_back() {
    let place = tempfile::tempdir().unwrap();
    assert!(foreign::shell(place.path(), foreign::TREE));
    let root = place.path().join("tree");
    let ground = Ground::new();
    for compression in [Compression::Gzip, Compression::Zstd] {
        let (sealed, said, keys) = written(&root, compression);
        assert_eq!(said.notes.len(), 1, "the link to nowhere: {:?}", said.notes);
        let stop = Cancel::default();
        let tight = Terms { keys: &keys, ..terms(&stop, Limits::of(&said.contents)) };
        let found = verify(&*sealed, &tight, &mut |_| {}).unwrap();
        assert_eq!((found.bytes, found.sha256), (said.bytes, said.sha256));
        assert_eq!((&found.contents, found.content), (&said.contents, said.content));
        assert!(found.manifest && found.notes.is_empty());

        ground.extract(&sealed, Limits::of(&said.contents)).unwrap();
        let (mut ours, mut theirs) = (picture(&ground.stage()), picture(&root));
        for picture in [&mut ours, &mut theirs] {
            picture.remove(Path::new(""));
        }
        assert_eq!(ours, theirs, "{compression:?}");
    }
}
