//! A repository in a temporary folder, for the tests of all who ask git.

use std::{collections::BTreeMap, path::Path};

use crate::system::Context;

/// A folder with a repository, gone when it is dropped.
pub(crate) struct Tree {
    /// Where it is.
    pub folder: tempfile::TempDir,
}

#[expect(clippy::disallowed_methods, reason = "a test makes the world that is looked at")]
impl Tree {
    /// An empty repository.
    pub(crate) fn new() -> Self {
        let tree = Self { folder: tempfile::tempdir().unwrap() };
        tree.git(&["init", "-q", "-b", "main"]);
        tree
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The real world.
    pub(crate) fn context(&self) -> Context {
        Context::real(BTreeMap::new(), self.path().to_owned())
    }

    /// Writes a file, with the folders above it.
    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Runs git there as a developer does.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = std::process::Command::new("git")
            .args(["-c", "user.name=T", "-c", "user.email=t@example.test", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_COMMITTER_DATE", "2026-11-01T00:00:00Z")
            .current_dir(self.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Makes somebody else the owner of everything; only root can.
    pub(crate) fn give_to(&self, user: u32) {
        let owner = format!("{user}:{user}");
        let done = std::process::Command::new("chown").args(["-R", &owner]).arg(self.path()).status();
        assert!(done.unwrap().success());
    }

    /// Commits everything.
    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "-A", "-f"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
    }
}
