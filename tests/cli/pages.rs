//! The pages of the repository: what they point to is there.

use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Written by the benchmark and by the fuzzer: a page may speak of them before they are there.
const MADE_LATER: &[&str] = &["tests/fuzz/artifacts/"];

#[test]
fn every_link_and_every_path_in_the_pages_leads_somewhere() {
    let mut pages: Vec<PathBuf> = ["README.md", "CHANGELOG.md"].map(|name| Path::new(ROOT).join(name)).into();
    pages.extend(std::fs::read_dir(Path::new(ROOT).join("docs")).expect("docs").flatten().map(|entry| entry.path()));
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    let (mut seen, mut lost) = (0, Vec::new());
    for page in &pages {
        let text = std::fs::read_to_string(page).expect("a page");
        let folder = page.parent().expect("its folder");
        let links = links(&text).map(|link| folder.join(link));
        // The examples of a further check and of a further destination are not there, and that is the point.
        let paths = paths(&text).filter(|path| !path.contains("teapot") && !path.contains("sftp"));
        let paths = paths.map(|path| Path::new(ROOT).join(path));
        for target in links.chain(paths) {
            seen += 1;
            let later = MADE_LATER.iter().any(|later| target.ends_with(later));
            if !later && !target.exists() {
                lost.push(format!("{}: {}", page.display(), target.display()));
            }
        }
    }
    assert!(seen > 40, "only {seen} found");
    assert!(lost.is_empty(), "\n{}\n", lost.join("\n"));
}

/// The targets of `[text](target)` that are files.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    targets.filter(|target| !target.is_empty() && !target.contains("://"))
}

/// What stands in backquotes and looks like a path of the repository.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let ours = |path: &&str| ["src/", "tests/", "docs/", "examples/", ".ci/"].iter().any(|top| path.starts_with(top));
    quoted.filter(ours).filter(|path| !path.contains(['*', ' ', '\n', '<']))
}
