#![expect(clippy::disallowed_methods, reason = "tests set their own stage: files, mounts, sockets")]

use std::{
    fs,
    io::Write,
    os::unix::{fs::symlink, net::UnixListener},
    path::PathBuf,
    process::Command,
};

use rustix::fs::mkfifoat;

use super::*;
use crate::system::archive::{Note, Survey, survey};

struct Tree {
    place: tempfile::TempDir,
    recipe: Recipe,
}

impl Tree {
    /// A name that ends in a slash is a folder, every other one a file that holds its own name.
    fn new(names: &[&str], include: &[&str]) -> Self {
        let place = tempfile::tempdir().unwrap();
        let recipe = Recipe {
            root: place.path().to_owned(),
            include: include.iter().map(|text| (*text).to_owned()).collect(),
            one_file_system: true,
            ..Recipe::default()
        };
        let tree = Self { place, recipe };
        for name in names {
            let path = tree.path(name);
            if name.ends_with('/') {
                fs::create_dir_all(path).unwrap();
            } else {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, name).unwrap();
            }
        }
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn survey(&self) -> Survey {
        survey(&self.recipe, &Cancel::default(), |_| {}).unwrap()
    }

    fn error(&self) -> Error {
        survey(&self.recipe, &Cancel::default(), |_| {}).unwrap_err()
    }

    fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        survey(&self.recipe, &Cancel::default(), |path| paths.push(String::from_utf8(path.to_vec()).unwrap())).unwrap();
        paths
    }

    /// Mounts something on a folder of the tree until the end of the test.
    fn mount(&self, arguments: &[&str], on: &str) -> Option<Mounted> {
        let on = self.path(on);
        let done = Command::new("mount").args(arguments).arg(&on).output().is_ok_and(|done| done.status.success());
        done.then_some(Mounted(on))
    }
}

struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

fn told(notes: &[Note]) -> Vec<(String, Oddity)> {
    notes.iter().map(|note| (String::from_utf8_lossy(&note.path).into_owned(), note.what)).collect()
}

fn skipped(test: &str, why: &str) {
    let _ = writeln!(io::stderr(), "SKIPPED {}::{test}: {why}", module_path!());
}

#[test]
fn backup_case_20_what_is_not_there_is_an_error_before_anything_is_written() {
    let error = Tree::new(&[".env"], &[".env", "config/"]).error();
    assert_eq!(error.kind, Kind::Failed);
    assert!(error.why[0].contains("`config/`"), "{error:?}");

    let mut tree = Tree::new(&[".env"], &[".env", "config/"]);
    tree.recipe.optional = vec!["config/".into()];
    assert_eq!(tree.paths(), [".env"]);

    let mut tree = Tree::new(&["config/"], &[".env", "config/"]);
    tree.recipe.include_is_default = true;
    assert!(tree.error().why[0].contains("no file matches"), "an empty folder is nothing");
    fs::write(tree.path("config/x"), "").unwrap();
    assert_eq!(tree.paths(), ["config", "config/x"]);

    let mut tree = Tree::new(&["a"], &["b"]);
    tree.recipe.optional = vec!["b".into()];
    assert!(tree.error().why[0].contains("no file matches"));

    let mut tree = Tree::new(&[], &["b"]);
    tree.recipe.root = tree.path("gone");
    let error = tree.error();
    assert!(error.what.contains("gone") && error.hints[0].contains("`root`"), "{error:?}");
}

#[test]
fn paths_come_sorted_and_a_folder_before_what_is_in_it() {
    let tree = Tree::new(
        &["config/b", "config/a/z", "config/a.x", "src/deep/config/x", "src/main", ".env"],
        &[".env", "config/"],
    );
    assert_eq!(
        tree.paths(),
        [
            ".env",
            "config",
            "config/a",
            "config/a/z",
            "config/a.x",
            "config/b",
            "src",
            "src/deep",
            "src/deep/config",
            "src/deep/config/x"
        ],
        "with the folders that lead to what is kept, and nothing else in them"
    );
    let survey = tree.survey();
    assert_eq!((survey.files, survey.directories, survey.first.len()), (5, 5, 10));
    assert_eq!(
        survey.bytes,
        ["config/b", "config/a/z", "config/a.x", "src/deep/config/x", ".env"].concat().len() as u64
    );
}

#[test]
fn backup_case_28_a_fifo_and_a_socket_are_noted_and_never_opened() {
    let tree = Tree::new(&["config/app.yml"], &["config/"]);
    mkfifoat(CWD, tree.path("config/pipe"), 0o600.into()).unwrap();
    let _socket = UnixListener::bind(tree.path("config/app.sock")).unwrap();
    let node = Command::new("mknod").arg(tree.path("config/null")).args(["c", "1", "3"]).output();
    // To open the pipe would wait for somebody to write into it.
    let survey = tree.survey();
    let mut expected =
        vec![("config/app.sock".to_owned(), Oddity::Special), ("config/pipe".to_owned(), Oddity::Special)];
    if node.is_ok_and(|done| done.status.success()) {
        expected.insert(1, ("config/null".to_owned(), Oddity::Special));
    }
    assert_eq!(told(&survey.notes), expected);
    assert_eq!((survey.files, survey.directories), (1, 1));
}

#[test]
fn backup_case_28_a_fifo_that_takes_a_files_place_blocks_nobody() {
    let tree = Tree::new(&["a"], &["*"]);
    let cancel = Cancel::default();
    let mut walk = Walk::new(&tree.recipe, &cancel).unwrap();
    walk.run(&mut |found, _| {
        fs::remove_file(tree.path("a")).unwrap();
        mkfifoat(CWD, tree.path("a"), 0o600.into()).unwrap();
        assert!(found.open().unwrap().metadata().unwrap().file_type() != fs::metadata("/").unwrap().file_type());
        fs::remove_file(tree.path("a")).unwrap();
        symlink("/etc/hostname", tree.path("a")).unwrap();
        assert_eq!(found.open().unwrap_err().raw_os_error(), Some(Errno::LOOP.raw_os_error()), "no link is followed");
        Ok(())
    })
    .unwrap();
}

#[test]
fn backup_case_29_another_file_system_is_left_out_unless_it_is_named() {
    let test = "backup_case_29_another_file_system_is_left_out_unless_it_is_named";
    let mut tree = Tree::new(&["config/disk/", "config/a", "data/"], &["config/", "/data/"]);
    let (Some(_disk), Some(_data)) =
        (tree.mount(&["-t", "tmpfs", "tmpfs"], "config/disk"), tree.mount(&["-t", "tmpfs", "tmpfs"], "data"))
    else {
        return skipped(test, "cannot mount");
    };
    fs::write(tree.path("config/disk/far"), "").unwrap();
    fs::write(tree.path("data/named"), "").unwrap();
    assert_eq!(tree.paths(), ["config", "config/a", "config/disk", "data", "data/named"]);
    assert_eq!(told(&tree.survey().notes), [("config/disk".to_owned(), Oddity::OtherFileSystem)]);
    tree.recipe.one_file_system = false;
    assert!(tree.paths().contains(&"config/disk/far".to_owned()));
}

#[test]
fn backup_case_29_a_folder_that_is_mounted_into_itself_is_no_loop() {
    let tree = Tree::new(&["config/a", "config/again/"], &["config/"]);
    let config = tree.path("config");
    let Some(_mounted) = tree.mount(&["--bind", config.to_str().unwrap()], "config/again") else {
        return skipped("backup_case_29_a_folder_that_is_mounted_into_itself_is_no_loop", "cannot mount");
    };
    assert_eq!(tree.paths(), ["config", "config/a"]);
    assert_eq!(told(&tree.survey().notes), [("config/again".to_owned(), Oddity::OtherFileSystem)]);
}

#[test]
fn backup_case_29_a_destination_inside_a_source_is_left_out_however_it_is_called() {
    let mut tree = Tree::new(&["config/a", "config/backups/x.tar.gz.age"], &["config/"]);
    symlink(tree.path("config/backups"), tree.path("stick")).unwrap();
    tree.recipe.never = vec![tree.path("stick"), tree.path("not/there/yet")];
    assert_eq!(tree.paths(), ["config", "config/a"]);
    assert_eq!(told(&tree.survey().notes), [("config/backups".to_owned(), Oddity::Destination)]);
    tree.recipe.never = vec![tree.path(".")];
    assert!(tree.error().why[0].contains("destination"));
}

#[test]
fn what_is_called_like_the_archives_own_folder_is_left_out() {
    let tree = Tree::new(&[".mainstay/manifest.jsonl", "a/.mainstay/x"], &["*"]);
    assert_eq!(tree.paths(), ["a", "a/.mainstay", "a/.mainstay/x"]);
    assert_eq!(told(&tree.survey().notes), [(".mainstay".to_owned(), Oddity::Reserved)]);
}

#[test]
fn backup_case_47_many_files_are_told_one_by_one_and_links_are_counted_once() {
    let tree = Tree::new(&["many/"], &["many/"]);
    for number in 0..3000 {
        fs::write(tree.path(&format!("many/{number}")), "x").unwrap();
    }
    fs::hard_link(tree.path("many/7"), tree.path("many/other")).unwrap();
    let mut last = Vec::new();
    let survey = survey(&tree.recipe, &Cancel::default(), |path| {
        assert!(path > &last[..]);
        last = path.to_vec();
    });
    let survey = survey.unwrap();
    assert_eq!((survey.files, survey.bytes, survey.first.len()), (3001, 3000, 20));
}

#[test]
fn the_digest_of_metadata_tells_every_change_and_no_other() {
    let tree = Tree::new(&["config/a", "config/b"], &["config/"]);
    let first = tree.survey().metadata;
    assert_eq!(tree.survey().metadata, first);
    fs::write(tree.path("config.lock"), "").unwrap();
    assert_eq!(tree.survey().metadata, first, "what is not kept does not count");
    fs::write(tree.path("config/a"), "config/A").unwrap();
    let second = tree.survey().metadata;
    assert_ne!(second, first, "the same length");
    fs::rename(tree.path("config/a"), tree.path("config/c")).unwrap();
    assert_ne!(tree.survey().metadata, second);
}

#[test]
fn a_signal_ends_the_walk() {
    let tree = Tree::new(&["a"], &["*"]);
    let cancel = Cancel::default();
    cancel.raise(2);
    assert_eq!(survey(&tree.recipe, &cancel, |_| {}).unwrap_err().kind, Kind::Interrupted);
}

#[test]
fn a_link_is_judged_by_what_it_says() {
    for (link, target, out) in [
        ("a/b/link", "../../x", false),
        ("a/b/link", "../../../x", true),
        ("link", "..", true),
        ("link", "a/../b", false),
        ("link", "/srv/app/x", false),
        ("link", "/srv/app/../x", true),
        ("link", "/srv/apple", true),
        ("link", "/", true),
    ] {
        assert_eq!(leaves_root(Path::new("/srv/app"), link.as_bytes(), target.as_bytes()), out, "{link} -> {target}");
    }
}
