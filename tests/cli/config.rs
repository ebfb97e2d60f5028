//! The configuration file: every error at once, each with its place.

use std::os::unix::fs::PermissionsExt;

use crate::program::World;

#[test]
fn a_typing_error_has_file_line_column_and_a_suggestion() {
    let world = World::new();
    world.file(
        "mainstay.toml",
        "[site.prime]\nurl = \"https://prime.example.test\"\n[site.prime.gunicorn]\ncontainer = \"web\"\nworkrs = 3\n",
    );
    for arguments in [&["config", "check"][..], &["check"]] {
        let run = world.run(arguments);
        run.expect_code(2)
            .expect_text("mainstay.toml:5:1")
            .expect_text("workrs")
            .expect_text("workers")
            .expect_text("^");
        assert!(run.stdout.is_empty(), "{run}");
    }
}

#[test]
fn all_errors_are_reported_at_once() {
    let world = World::new();
    world.file(
        "mainstay.toml",
        "[site.prime]\nurl = 'nonsense'\nstatus = 'two hundred'\ntimout = '10s'\ntimeout = '10 parsecs'\n\
         [schedule.office]\ntimezone = 'America/Detriot'\non = ['Mon-Fry 07:00-19:00']\n",
    );
    let run = world.run(&["config", "check"]);
    run.expect_code(2);
    for place in ["mainstay.toml:2:", "mainstay.toml:3:", "mainstay.toml:4:", "mainstay.toml:5:", "mainstay.toml:7:"] {
        assert!(run.stderr.contains(place), "nothing is said about {place} {run}");
    }
    run.expect_text("America/Detroit");
}

#[test]
fn a_file_that_is_no_toml_is_an_error_with_its_place() {
    let world = World::new();
    for (text, place) in [("[site.prime\nurl = 1\n", ":1:"), ("a = 1\nb = = 2\n", ":2:"), ("\u{0}", ":1:")] {
        world.file("mainstay.toml", text);
        let run = world.run(&["config", "check"]);
        run.expect_code(2).expect_text(&format!("mainstay.toml{place}"));
    }
    world.file("mainstay.toml", b"a = \"\xff\xfe\"\n");
    world.run(&["config", "check"]).expect_code(2).expect_text("UTF-8");
}

#[test]
fn an_error_of_the_file_is_json_where_json_is_asked_for() {
    let world = World::new();
    world.file("mainstay.toml", "[site.prime]\nurll = 'https://prime.example.test'\n");
    let run = world.run(&["check", "--format", "json"]);
    run.expect_code(2);
    let report = run.json();
    assert_eq!((&report["schema"], &report["error"]["kind"]), (&1.into(), &"config".into()), "{run}");
}

#[test]
fn show_says_where_values_come_from_and_hides_secrets() {
    let world = World::new();
    world.file(
        "mainstay.toml",
        "[backup.app]\nroot = '/srv/prime'\npassphrase = 'correct horse battery staple'\nto = ['/mnt/usb/backups']\n",
    );
    let run = world.run(&["config", "show"]);
    run.expect_code(0).expect_text("<secret>").expect_text("mainstay.toml");
    assert!(!run.stdout.contains("battery") && !run.stderr.contains("battery"), "{run}");
}

#[test]
fn a_file_found_by_search_that_others_may_write_is_refused() {
    let world = World::new();
    let path = world.file("mainstay.toml", "[site.prime]\nurl = 'https://localhost:1'\n");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).expect("our own file");
    let run = world.run(&["check"]);
    run.expect_code(2).expect_text("--config");
    // Named on the command line, it is the operator's own choice.
    let run = world.run(&["check", "--config", "mainstay.toml"]);
    run.expect_code(1);
}

#[test]
fn the_schema_is_json() {
    let run = World::new().run(&["config", "schema"]);
    run.expect_code(0);
    let schema = run.json();
    assert!(schema["properties"]["site"].is_object(), "{run}");
}
