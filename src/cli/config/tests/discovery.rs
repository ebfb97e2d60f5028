//! Where the file is looked for, and whom it may belong to. Ownership is only told apart for root, which CI is.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
};

use crate::{
    cli::config::load::{Found, Loaded, load_below},
    error::{Error, Kind, Result},
    system::Context,
};

const SITE: &str = "[site.a]\nurl = \"https://a.example\"\n";

/// A temporary machine: a home folder, a repository in it, a user's configuration folder and /etc.
struct Machine {
    root: tempfile::TempDir,
    variables: BTreeMap<OsString, OsString>,
}

impl Machine {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("home/ops/app/deep/er")).unwrap();
        let variables = [("HOME".into(), root.path().join("home/ops").into())].into();
        Self { root, variables }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    #[expect(clippy::disallowed_methods, reason = "a test makes the files that are found")]
    fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.variables.insert(name.into(), value.into());
    }

    fn load_from(&self, folder: &str, explicit: Option<&str>) -> Result<Option<Loaded>> {
        let context = Context::real(self.variables.clone(), self.path(folder));
        load_below(explicit.map(Path::new), &context, &self.path("etc"))
    }

    fn found(&self, folder: &str) -> Option<(Found, PathBuf)> {
        self.load_from(folder, None).unwrap().map(|loaded| (loaded.found, loaded.path))
    }

    fn refused(&self) -> Error {
        self.load_from("home/ops/app", None).unwrap_err()
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn the_first_one_found_wins() {
    let mut machine = Machine::new();
    assert_eq!(machine.found("home/ops/app/deep/er"), None);
    let system = machine.write("etc/mainstay/mainstay.toml", SITE);
    assert_eq!(machine.found("home/ops/app/deep/er"), Some((Found::System, system)));
    let user = machine.write("home/ops/.config/mainstay/mainstay.toml", SITE);
    assert_eq!(machine.found("home/ops/app/deep/er"), Some((Found::User, user.clone())));
    machine.set("XDG_CONFIG_HOME", "relative");
    assert_eq!(machine.found("home/ops/app"), Some((Found::User, user)), "a relative folder does not count");
    let xdg = machine.write("xdg/mainstay/mainstay.toml", SITE);
    machine.set("XDG_CONFIG_HOME", machine.path("xdg"));
    assert_eq!(machine.found("home/ops/app/deep/er"), Some((Found::User, xdg)));
    let parent = machine.write("home/ops/app/mainstay.toml", SITE);
    assert_eq!(machine.found("home/ops/app/deep/er"), Some((Found::Folder, parent)));
    let here = machine.write("home/ops/app/deep/er/mainstay.toml", SITE);
    assert_eq!(machine.found("home/ops/app/deep/er"), Some((Found::Folder, here)));
    let named = machine.write("other.toml", SITE);
    machine.set("MAINSTAY_CONFIG", &named);
    assert_eq!(machine.found("home/ops/app"), Some((Found::Variable, named)));
    let flag = machine.load_from("home/ops/app", Some("deep/er/mainstay.toml")).unwrap().unwrap();
    assert_eq!(flag.found, Found::Flag);
    machine.set("MAINSTAY_CONFIG", "");
    assert_eq!(
        machine.found("home/ops/app").map(|found| found.0),
        Some(Found::Folder),
        "an empty variable does not count"
    );
}

#[test]
fn the_search_stops_at_the_git_root_and_at_home() {
    let machine = Machine::new();
    machine.write("home/ops/mainstay.toml", SITE);
    machine.write("home/mainstay.toml", SITE);
    fs::create_dir(machine.path("home/ops/app/.git")).unwrap();
    assert_eq!(machine.found("home/ops/app/deep"), None, "above the repository is not looked at");
    fs::remove_dir(machine.path("home/ops/app/.git")).unwrap();
    assert_eq!(machine.found("home/ops/app/deep").unwrap().1, machine.path("home/ops/mainstay.toml"));
    fs::remove_file(machine.path("home/ops/mainstay.toml")).unwrap();
    assert_eq!(machine.found("home/ops/app/deep"), None, "above the home folder is not looked at");
    // A worktree's `.git` is a file.
    machine.write("home/ops/app/.git", "gitdir: elsewhere");
    machine.write("home/ops/mainstay.toml", SITE);
    assert_eq!(machine.found("home/ops/app/deep"), None);
}

#[test]
fn a_found_file_must_belong_to_somebody_who_is_obeyed_anyway() {
    if !is_root() {
        return;
    }
    let mut machine = Machine::new();
    let file = machine.write("home/ops/app/mainstay.toml", SITE);
    chown(&file, Some(1234), Some(1234)).unwrap();
    let error = machine.refused();
    assert_eq!(error.kind, Kind::Config);
    assert_eq!(
        error.why,
        ["it belongs to user 1234, who is neither you nor root, and it can name commands that mainstay runs"]
    );
    assert_eq!(error.hints, [format!("if you trust it, name it: mainstay --config {}", file.display())]);
    assert!(machine.load_from("home/ops/app", Some("mainstay.toml")).is_ok(), "a named file is used");
    machine.set("SUDO_UID", "1234");
    assert!(machine.load_from("home/ops/app", None).is_ok(), "the caller of sudo is obeyed");
    machine.set("SUDO_UID", "1235");
    assert!(machine.load_from("home/ops/app", None).is_err());
    chown(&file, Some(0), Some(0)).unwrap();
    chown(file.parent().unwrap(), Some(1234), Some(1234)).unwrap();
    assert!(machine.refused().why[0].contains("its folder"), "{:?}", machine.refused());
    machine.set("MAINSTAY_CONFIG", &file);
    assert!(machine.load_from("home/ops/app", None).is_ok(), "the variable names it, too");
}

#[test]
fn a_found_file_must_not_be_writable_by_others() {
    let machine = Machine::new();
    let file = machine.write("home/ops/app/mainstay.toml", SITE);
    let folder = file.parent().unwrap();
    mode(&file, 0o602);
    assert!(machine.refused().why[0].starts_with("it can be written by everybody"), "{:?}", machine.refused());
    mode(&file, 0o600);
    mode(folder, 0o1777);
    assert!(machine.refused().why[0].contains("can be written by everybody"), "{:?}", machine.refused());
    mode(folder, 0o755);
    assert!(machine.load_from("home/ops/app", None).is_ok());
    if is_root() {
        chown(&file, None, Some(50)).unwrap();
        mode(&file, 0o660);
        assert!(machine.refused().why[0].starts_with("it can be written by group 50"), "{:?}", machine.refused());
        chown(&file, None, Some(0)).unwrap();
        assert!(machine.load_from("home/ops/app", None).is_ok(), "root's group is root's");
    }
}

#[test]
fn behind_a_link_both_folders_count() {
    let machine = Machine::new();
    let target = machine.write("open/mainstay.toml", SITE);
    symlink(&target, machine.path("home/ops/app/mainstay.toml")).unwrap();
    assert!(machine.load_from("home/ops/app", None).is_ok());
    mode(target.parent().unwrap(), 0o777);
    assert!(machine.refused().why[0].contains("open` can be written by everybody"), "{:?}", machine.refused());
}

#[test]
fn what_can_not_be_read_is_an_error_and_not_passed_over() {
    let machine = Machine::new();
    machine.write("etc/mainstay/mainstay.toml", SITE);
    let here = machine.path("home/ops/app/mainstay.toml");
    symlink("nowhere", &here).unwrap();
    assert_eq!(machine.refused().what, "read `mainstay.toml`");
    fs::remove_file(&here).unwrap();
    fs::create_dir(&here).unwrap();
    assert_eq!(machine.refused().why, ["it is a folder"]);
    fs::remove_dir(&here).unwrap();
    let fifo = rustix::fs::mknodat(rustix::fs::CWD, &here, rustix::fs::FileType::Fifo, 0o600.into(), 0);
    assert!(fifo.is_ok());
    assert_eq!(machine.refused().why, ["it is not a regular file"], "and it is not waited for");
    fs::remove_file(&here).unwrap();
    machine.write("home/ops/app/mainstay.toml", &"#".repeat((1 << 20) + 1));
    assert_eq!(machine.refused().why, ["it is larger than 1 MiB, which no configuration is"]);
    machine.write("home/ops/app/mainstay.toml", &"#".repeat(1 << 20));
    assert!(machine.load_from("home/ops/app", None).is_ok());
    let missing = machine.load_from("home/ops/app", Some("absent.toml")).unwrap_err();
    assert_eq!((missing.what.as_str(), missing.kind), ("read `absent.toml`", Kind::Config));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test makes the files that are found")]
fn a_file_that_is_not_utf8_says_in_which_line() {
    let machine = Machine::new();
    let file = machine.write("home/ops/app/mainstay.toml", "");
    fs::write(&file, b"project = \"a\"\n# \xff\n").unwrap();
    assert_eq!(machine.refused().why, ["it is not UTF-8 (line 2)"]);
}

#[test]
fn mistakes_become_one_cause_each() {
    let machine = Machine::new();
    machine.write("home/ops/app/mainstay.toml", "[site.a]\nurl = 3\nstatuss = 200\n");
    let error = machine.refused();
    assert_eq!((error.what.as_str(), error.why.len()), ("use `mainstay.toml`", 2));
    assert!(error.why[1].starts_with("mainstay.toml:3:1: unknown key `statuss` in [site.a]\n  |\n3 | statuss = 200\n"));
}

#[test]
fn a_literal_secret_that_others_can_read_is_a_warning() {
    let machine = Machine::new();
    let literal = format!("{SITE}[notify]\nwebhook = \"https://hooks.example/hunter2\"\n");
    let file = machine.write("home/ops/app/mainstay.toml", &literal);
    let warnings = |machine: &Machine| machine.load_from("home/ops/app", None).unwrap().unwrap().warnings;
    assert!(warnings(&machine).is_empty());
    mode(&file, 0o644);
    let [warning] = &warnings(&machine)[..] else { panic!("one warning") };
    assert!(warning.starts_with("`mainstay.toml` holds a secret (line 4) and everybody can read it"), "{warning}");
    assert!(!warning.contains("hunter2"));
    machine.write(
        "home/ops/app/mainstay.toml",
        &format!("{literal}[notify.ping]\ncheck = \"https://ping.example/hunter2\"\n"),
    );
    mode(&file, 0o644);
    assert!(warnings(&machine)[0].starts_with("`mainstay.toml` holds secrets (lines 4, 6) and everybody can read it"));
    machine.write("home/ops/app/mainstay.toml", &format!("{SITE}[notify]\nwebhook = {{ env = \"HOOK\" }}\n"));
    mode(&file, 0o644);
    assert!(warnings(&machine).is_empty());
}

#[test]
fn paths_start_at_the_folder_of_the_file() {
    let machine = Machine::new();
    machine.write(
        "home/ops/app/mainstay.toml",
        "state = \"state\"\n[site.a]\nurl = \"https://a.example\"\nca_file = \"ca.pem\"\n",
    );
    let loaded = machine.load_from("home/ops/app/deep", None).unwrap().unwrap();
    assert_eq!(loaded.model.sites[0].ca_file, Some(machine.path("home/ops/app/ca.pem")));
    assert_eq!(loaded.model.state, Some(machine.path("home/ops/app/state")));
    assert_eq!(loaded.model.project, "app");
}
