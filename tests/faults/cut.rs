//! A store that goes away in the middle of an upload.

use std::{thread, time::Duration};

use crate::{
    dice::Dice,
    moto::Moto,
    program::{Running, findings},
    scene::{FOLDER, Place, Scene},
    tree,
};

#[test]
fn a_store_that_goes_away_during_an_upload_fails_alone() {
    let test = "cut::a_store_that_goes_away_during_an_upload_fails_alone";
    let Some(moto) = Moto::start(test) else { return };
    let mut scene = Scene::new(moto);
    let (mut dice, _) = Dice::new();
    tree::grow(&scene.app(), 20, 40 << 20, &mut dice);
    let sources = tree::look(&scene.app());

    let arguments = Scene::arguments(Place::Both, &["create", "--format", "json"]);
    let running = Running::start(&mut scene.world.command(&arguments));
    // An archive of five parts and more: once the upload is known, most of it is still to come.
    while scene.moto.uploads().is_empty() {
        assert_eq!(scene.names(true), [""; 0], "the upload was over before it was seen");
        thread::sleep(Duration::from_millis(2));
    }
    scene.moto.kill();
    let run = running.finish();
    let report = run.expect_code(1).json();
    let found = findings(&report, "backup.create");
    let status = |bucket: bool| {
        let is_meant = |place: &str| place.starts_with("s3:") == bucket;
        let of = found.iter().find(|it| it["data"]["destination"].as_str().is_some_and(is_meant));
        of.map(|finding| finding["status"].clone()).unwrap_or_default()
    };
    assert_eq!((status(false), status(true)), ("pass".into(), "fail".into()), "{run}");
    assert!(tree::look(&scene.app()) == sources, "the sources are as they were");
    let good = scene.good(Place::Folder);
    assert!(good.len() == 1 && good.iter().all(|(place, _)| place == FOLDER), "{good:?}");
    scene.expect_verified(Place::Folder, &good);
    scene.run(Place::Folder, &["create"]).expect_code(0);
    scene.expect_clean(Place::Folder);
}
