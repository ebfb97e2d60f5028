//! Real repositories and the real git.
#![expect(clippy::print_stderr, reason = "a skipped test is counted by its name")]

use std::os::unix::fs::{chown, symlink};

use super::{testing::Tree, *};
use crate::system::process::Scripted;

fn paths(names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(PathBuf::from).collect()
}

fn repository(tree: &Tree) -> Repository {
    Repository::find(tree.path(), &tree.context()).unwrap()
}

fn set(names: &[&str]) -> BTreeSet<PathBuf> {
    paths(names).into_iter().collect()
}

#[test]
fn a_repository_is_found_above_a_folder_and_through_links() {
    let tree = Tree::new();
    tree.write("deep/er/x", "");
    let context = tree.context();
    let top = tree.path().canonicalize().unwrap();
    for below in ["deep/er", "not/made/yet", ""] {
        assert_eq!(Repository::find(&tree.path().join(below), &context).unwrap().top(), top, "{below}");
    }
    let elsewhere = tempfile::tempdir().unwrap();
    assert!(Repository::find(elsewhere.path(), &context).is_none());
    symlink(tree.path().join("deep"), elsewhere.path().join("link")).unwrap();
    let found = Repository::find(&elsewhere.path().join("link/new"), &context).unwrap();
    assert_eq!(found.place(&elsewhere.path().join("link/new/x")).unwrap(), Path::new("deep/new/x"));
    assert_eq!(found.place(elsewhere.path()), None);
}

#[tokio::test]
async fn tracked_and_ignored_files_are_told_apart_whatever_they_are_called() {
    let tree = Tree::new();
    tree.write(".gitignore", ".env\nbackups/\n");
    tree.write("a\nb *[x]", "");
    tree.write("config/app.toml", "");
    tree.commit("first");
    tree.write(".env", "");
    tree.write("ab", "");
    tree.write(":(top)x", "");
    let repository = repository(&tree);
    let asked = paths(&["a\nb *[x]", "config", ".env", "ab", "*"]);
    assert_eq!(repository.tracked(&asked).await.unwrap(), set(&["a\nb *[x]", "config/app.toml"]));
    let asked = paths(&[".env", "ab", "backups/x.age", "config/app.toml", ":(top)x"]);
    assert_eq!(repository.ignored(&asked).await.unwrap(), set(&[".env", "backups/x.age"]));
    assert_eq!(repository.ignored(&paths(&["ab"])).await.unwrap(), set(&[]), "none of them is an answer too");
}

#[tokio::test]
async fn history_reaches_a_branch_that_came_to_nothing() {
    let tree = Tree::new();
    tree.commit("first");
    tree.git(&["checkout", "-q", "-b", "side"]);
    tree.write(".env", "TOKEN=1");
    tree.commit("oops");
    tree.git(&["rm", "-q", ".env"]);
    tree.commit("hide it");
    tree.git(&["checkout", "-q", "main"]);
    tree.write("other", "");
    tree.commit("meanwhile");
    tree.git(&["merge", "-q", "--no-ff", "-m", "merge", "side"]);
    tree.git(&["branch", "-q", "-D", "side"]);
    tree.write(".env", "TOKEN=1");
    tree.write("never", "");
    let repository = repository(&tree);
    let history = repository.history(&paths(&[".env", "never"])).await.unwrap();
    assert_eq!(history.keys().collect::<Vec<_>>(), [Path::new(".env")]);
    let now = repository.blobs(&paths(&[".env", "never"])).await.unwrap();
    assert_eq!(history[Path::new(".env")], BTreeSet::from([now[0].clone()]));
}

#[tokio::test]
async fn a_repository_without_commits_answers() {
    let tree = Tree::new();
    tree.write(".env", "");
    let repository = repository(&tree);
    assert!(repository.tracked(&paths(&[".env"])).await.unwrap().is_empty());
    assert!(repository.history(&paths(&[".env"])).await.unwrap().is_empty());
    assert!(repository.unpushed().await.unwrap().is_empty());
    assert!(repository.remotes().await.unwrap().is_empty());
    let changes = repository.changes().await.unwrap();
    assert_eq!((changes.len(), changes[0].untracked, changes[0].since.is_some()), (1, true, true));
}

#[tokio::test]
async fn what_was_not_pushed_and_not_committed_is_seen() {
    let remote = tempfile::tempdir().unwrap();
    let tree = Tree::new();
    tree.git(&["init", "-q", "--bare", remote.path().to_str().unwrap()]);
    tree.git(&["remote", "add", "origin", remote.path().to_str().unwrap()]);
    tree.write("a", "1");
    tree.write("b", "1");
    tree.commit("first");
    let repository = repository(&tree);
    assert_eq!(repository.unpushed().await.unwrap(), ["2026-11-01T00:00:00Z".parse().unwrap()]);
    tree.git(&["push", "-q", "origin", "main"]);
    assert_eq!((repository.unpushed().await.unwrap().len(), repository.changes().await.unwrap().len()), (0, 0));
    tree.write("a", "22");
    std::fs::remove_file(tree.path().join("b")).unwrap();
    tree.git(&["stash", "-q"]);
    assert!(repository.unpushed().await.unwrap().is_empty(), "a stash is nobody's commit");
    tree.git(&["stash", "pop", "-q"]);
    let changed: Vec<_> = repository.changes().await.unwrap().into_iter().map(|c| (c.path, c.untracked)).collect();
    assert_eq!(changed, [(PathBuf::from("a"), false), (PathBuf::from("b"), false)]);
}

#[tokio::test]
async fn a_program_that_the_repository_names_is_never_run() {
    let tree = Tree::new();
    let proof = tree.path().join(".git/proof");
    let program = format!("sh -c 'touch {}'", proof.display());
    for key in ["core.fsmonitor", "core.pager", "gpg.program", "diff.external", "core.sshCommand", "core.editor"] {
        tree.git(&["config", key, &program]);
    }
    tree.git(&["config", "log.showSignature", "true"]);
    tree.write(".env", "");
    tree.commit("first");
    let repository = repository(&tree);
    repository.tracked(&paths(&[".env"])).await.unwrap();
    repository.history(&paths(&[".env"])).await.unwrap();
    repository.changes().await.unwrap();
    repository.unpushed().await.unwrap();
    // git itself asks the monitor in `commit` and `add` above.
    std::fs::remove_file(&proof).ok();
    repository.tracked(&paths(&[".env"])).await.unwrap();
    repository.ignored(&paths(&[".env"])).await.unwrap();
    repository.history(&paths(&[".env"])).await.unwrap();
    repository.blobs(&paths(&[".env"])).await.unwrap();
    repository.changes().await.unwrap();
    repository.unpushed().await.unwrap();
    assert!(!proof.exists());
}

#[tokio::test]
async fn another_owners_repository_is_asked_with_the_owners_rights_only() {
    if !rustix::process::geteuid().is_root() {
        eprintln!(
            "SKIPPED system::git::tests::another_owners_repository_is_asked_with_the_owners_rights_only: not root"
        );
        return;
    }
    let tree = Tree::new();
    tree.write(".env", "");
    tree.commit("first");
    let proof = tree.path().join("proof");
    // A clean filter is a program that `status` runs.
    tree.write(".gitattributes", ".env filter=spy\n");
    tree.git(&["config", "filter.spy.clean", &format!("sh -c 'id -u > {}; cat'", proof.display())]);
    tree.write(".env", "changed");
    tree.give_to(65534);
    let repository = repository(&tree);
    assert_eq!(repository.tracked(&paths(&[".env"])).await.unwrap(), set(&[".env"]));
    assert!(!repository.changes().await.unwrap().is_empty());
    assert_eq!(std::fs::read_to_string(&proof).unwrap().trim(), "65534");

    // Where not even the two halves have one owner, git refuses, and that is what is said.
    chown(tree.path().join(".git"), Some(65533), Some(65533)).unwrap();
    assert_eq!(repository.tracked(&paths(&[".env"])).await, Err(Trouble::Owner));
}

#[tokio::test]
async fn why_git_gives_no_answer_is_told() {
    let tree = Tree::new();
    let with = |runner: Scripted| {
        let mut context = tree.context();
        context.runner = Arc::new(runner);
        Repository::find(tree.path(), &context).unwrap()
    };
    let missing = with(Scripted::default());
    assert_eq!(missing.remotes().await, Err(Trouble::Missing));
    let slow = with(Scripted::default().fail("remote", Failure::TimedOut(DEADLINE)));
    assert_eq!(slow.remotes().await, Err(Trouble::TimedOut));
    let broken = with(Scripted::default().on("remote", 128, "", "fatal: bad config\n"));
    assert_eq!(broken.remotes().await, Err(Trouble::Failed("fatal: bad config".into())));
}
