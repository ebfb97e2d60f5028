//! `docs/quickstart.md`, block by block, on the runbook's system.

use std::path::Path;

use crate::{
    bed::{ADDRESS, Bed},
    program::{PROGRAM, Running},
};

const PAGE: &str = include_str!("../../docs/quickstart.md");

#[test]
fn the_first_five_minutes_go_as_the_page_says() {
    let Some(mut bed) = Bed::up("quickstart::the_first_five_minutes_go_as_the_page_says") else { return };
    let (state, home) = (bed.world.folder().join("state"), bed.world.folder().join("prime"));
    let programs = Path::new(PROGRAM).parent().expect("a folder").display();
    let path = std::env::var("PATH").expect("a path");
    bed.world.set("MAINSTAY_STATE", state).set("PATH", format!("{programs}:{path}"));
    bed.world.file("prime/.env", "SECRET_KEY=x\n");
    bed.world.file("prime/config/app.ini", "workers = 3\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(home.join(".env"), mode).expect("our own file");

    let mut typed = 0;
    for line in blocks(PAGE) {
        if line == "cd /srv/prime" {
            continue;
        }
        let code =
            line.split_once("# ends with ").and_then(|(_, rest)| rest.split(':').next()?.parse().ok()).unwrap_or(0);
        let run = Running::start(bed.world.wrapped("sh", &["-c", line]).current_dir(&home)).finish();
        assert_eq!(run.code, Some(code), "`{line}`: {run}");
        typed += 1;
        if line == "mainstay init" {
            placed(&home.join("mainstay.toml"), bed.world.folder());
        }
    }
    assert!(typed >= 10, "only {typed} lines");
    assert!(home.join("report.html").exists() && home.join("MAINTENANCE.md").exists());
    let page = std::fs::read_to_string(home.join("MAINTENANCE.md")).expect("the document");
    assert!(page.contains("prime.example.test") && page.contains("age -d"), "{page}");
}

#[test]
fn the_page_is_read_in_five_minutes() {
    // 200 words a minute is slow; a minute is for typing.
    let words = PAGE.split_whitespace().count();
    assert!(words < 800, "{words} words");
    for needed in ["init", "check", "backup create", "timers install --dry-run", "report --html"] {
        assert!(blocks(PAGE).any(|line| line.starts_with(&format!("mainstay {needed}"))), "no {needed}");
    }
}

/// The lines of the page's blocks of shell.
fn blocks(page: &str) -> impl Iterator<Item = &str> {
    page.split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .flat_map(str::lines)
        .filter(|line| !line.is_empty())
}

/// Adds what is the bed's own: where the site is instead of in the DNS, whom to trust, and a folder of the test for the
/// archives.
fn placed(file: &Path, world: &Path) {
    let text = std::fs::read_to_string(file).expect("a configuration");
    let root = world.join("bed/ca/root.pem");
    let own = format!("resolve = [\"{ADDRESS}\"]\nca_file = \"{}\"\n", root.display());
    let mut placed = String::new();
    for line in text.lines() {
        let line = if line.starts_with("to = ") {
            format!("to = [\"{}\"]", world.join("safe").display())
        } else {
            line.to_owned()
        };
        placed += &line;
        placed.push('\n');
        if line.starts_with("url = ") {
            placed += &own;
        }
    }
    std::fs::write(file, placed).expect("the same file");
}
