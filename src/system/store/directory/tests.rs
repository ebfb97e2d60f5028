#![expect(clippy::disallowed_methods, reason = "tests set their own stage: files, mounts, processes that are killed")]
#![expect(clippy::print_stdout, reason = "a skipped test is counted by its name")]

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead, BufReader, Read, Write},
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use super::*;
use crate::system::store::conformance::{self, bytes, content, names, noise, one_voice, spool};

const NAME: &str = "prime-app-20261123T181500Z-000042.tar.gz.age";

fn context() -> Context {
    Context::real(BTreeMap::new(), "/".into())
}

fn plain(path: &Path) -> Directory {
    Directory::new(path, &Options { mounted: Mounted::Never, ..Options::default() }, &context())
}

/// A destination below a mount point that the table of mounts has.
fn on_medium(path: &Path, fstab: &Path, identity: Option<String>) -> Directory {
    let mut directory = Directory::new(path, &Options { identity, ..Options::default() }, &context());
    Arc::get_mut(&mut directory.site).unwrap().fstab = fstab.into();
    directory
}

fn table(place: &Path, point: &Path) -> PathBuf {
    let fstab = place.join("fstab");
    fs::write(&fstab, format!("/dev/sdb1 {} auto noauto 0 0\n", point.display())).unwrap();
    fstab
}

/// What is in a folder, of whatever kind.
fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn skip(test: &str, reason: &str) {
    println!("SKIPPED system::store::directory::tests::{test}: {reason}");
}

fn done(program: &str, arguments: &[&str]) -> Result<(), String> {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("{program}: {error}")),
    }
}

/// A mounted file system, gone with the value.
struct Mount(PathBuf);

impl Mount {
    fn memory(point: &Path, size: &str) -> Result<Self, String> {
        let size = format!("size={size}");
        done("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", point.to_str().unwrap()])?;
        Ok(Self(point.to_owned()))
    }

    /// A FAT32 file system in a file: by the kernel, or by `fusefat` where it knows none.
    fn fat(image: &Path, point: &Path) -> Result<Self, String> {
        File::create(image).unwrap().set_len(64 << 20).unwrap();
        let (image, folder) = (image.to_str().unwrap(), point.to_str().unwrap());
        done("mkfs.vfat", &["-F", "32", image])?;
        let by_kernel = done("mount", &["-t", "vfat", "-o", "loop", image, folder]);
        by_kernel
            .or_else(|why| done("fusefat", &["-o", "rw+", image, folder]).map_err(|other| format!("{why}; {other}")))?;
        Ok(Self(point.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = done("umount", &["-l", self.0.to_str().unwrap()]);
    }
}

#[tokio::test]
async fn a_folder_conforms() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("backups");
    conformance::conforms("a folder", || Box::new(plain(&path)), &[]).await;
    assert_eq!(entries(&path), [".mainstay-dest.json"], "and nothing else is left");
}

#[tokio::test]
async fn a_folder_in_memory_conforms() {
    let place = tempfile::tempdir().unwrap();
    let _mount = match Mount::memory(place.path(), "64m") {
        Ok(mount) => mount,
        Err(why) => return skip("a_folder_in_memory_conforms", &why),
    };
    let options = Options { mounted: Mounted::Always, ..Options::default() };
    let path = place.path().join("backups");
    conformance::conforms("tmpfs", || Box::new(Directory::new(&path, &options, &context())), &[]).await;
}

#[tokio::test]
async fn backup_case_05_a_folder_on_fat_conforms() {
    let place = tempfile::tempdir().unwrap();
    let point = place.path().join("stick");
    fs::create_dir(&point).unwrap();
    let _mount = match Mount::fat(&place.path().join("image"), &point) {
        Ok(mount) => mount,
        Err(why) => return skip("backup_case_05_a_folder_on_fat_conforms", &why),
    };
    let path = point.join("backups");
    let fstab = table(place.path(), &point);
    conformance::conforms("FAT", || Box::new(on_medium(&path, &fstab, None)), &[]).await;
    // What was removed while it was open goes when FUSE has heard that it was closed.
    let left: Vec<_> = entries(&path).into_iter().filter(|name| !name.starts_with(".fuse_hidden")).collect();
    assert_eq!(left, [".mainstay-dest.json"], "and nothing else is left");
}

#[test]
fn backup_case_05_a_file_too_large_for_the_medium_is_explained() {
    let too_large = Trouble::of_io(&Errno::FBIG.into(), Path::new("/mnt/usb"));
    assert_eq!(too_large.reason, Reason::Full);
    assert!(too_large.fix.contains("exFAT"), "{too_large:?}");
    let place = tempfile::tempdir().unwrap();
    let trouble = super::too_large(&plain(place.path()).site, u64::from(u32::MAX));
    assert!(trouble.why.contains("4294967295 bytes: FAT"), "{trouble:?}");
}

#[test]
fn what_the_system_says_is_told_with_what_to_do() {
    for (errno, reason) in [
        (Errno::NOSPC, Reason::Full),
        (Errno::DQUOT, Reason::Full),
        (Errno::NOTCONN, Reason::MediumAbsent),
        (Errno::NODEV, Reason::MediumAbsent),
        (Errno::ROFS, Reason::Permission),
        (Errno::ACCESS, Reason::Permission),
        (Errno::PERM, Reason::Permission),
        (Errno::NOTDIR, Reason::Configuration),
        (Errno::NOENT, Reason::Missing),
        (Errno::IO, Reason::Other),
        (Errno::MFILE, Reason::Other),
    ] {
        let trouble = Trouble::of_io(&errno.into(), Path::new("/mnt/usb"));
        assert_eq!(trouble.reason, reason, "{trouble:?}");
        one_voice(&trouble);
    }
}

/// A run of its own, for the tests that kill or trace one. `MAINSTAY_TEST_FOLDER` is where it writes; with
/// `MAINSTAY_TEST_WAIT` it says when it is half done, and goes on after a line.
#[tokio::test]
async fn a_run_that_can_be_watched() {
    let place = tempfile::tempdir().unwrap();
    let folder = env::var_os("MAINSTAY_TEST_FOLDER").map_or_else(|| place.path().to_owned(), PathBuf::from);
    let to = plain(&folder);
    to.prepare().await.unwrap();
    let draft = to.draft().await.unwrap().unwrap();
    draft.file().write_all(b"half").unwrap();
    if env::var_os("MAINSTAY_TEST_WAIT").is_some() {
        println!("\nhalf");
        std::io::stdin().read_line(&mut String::new()).unwrap();
    }
    draft.file().write_all(b" and half").unwrap();
    draft.keep(NAME).unwrap();
    assert_eq!(content(&to, NAME).await.unwrap(), b"half and half");
}

fn a_run(program: &mut Command, folder: &Path) -> std::process::Child {
    let run = program.args(["--exact", "system::store::directory::tests::a_run_that_can_be_watched", "--nocapture"]);
    run.env("MAINSTAY_TEST_FOLDER", folder).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

#[tokio::test]
async fn backup_case_01_a_killed_run_leaves_only_a_temporary_file_that_the_next_one_removes() {
    let place = tempfile::tempdir().unwrap();
    let to = plain(place.path());
    to.prepare().await.unwrap();
    let mut run = a_run(Command::new(env::current_exe().unwrap()).env("MAINSTAY_TEST_WAIT", "1"), place.path());
    let mut said = BufReader::new(run.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap() == "half"));

    let left = entries(place.path());
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left[1].starts_with(".mainstay-tmp-"), "{left:?}");
    let mode = fs::metadata(place.path().join(&left[1])).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(to.tidy().await, Ok(vec![]), "its run still lives");

    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!(names(&to).await, [""; 0], "nothing half-written is listed");
    assert_eq!(to.tidy().await, Ok(vec![left[1].clone()]));
    assert_eq!(entries(place.path()), [".mainstay-dest.json"]);
}

#[test]
fn backup_case_03_the_content_reaches_the_disk_before_the_name_and_the_name_before_the_end() {
    let test = "backup_case_03_the_content_reaches_the_disk_before_the_name_and_the_name_before_the_end";
    let place = tempfile::tempdir().unwrap();
    let (folder, trace) = (place.path().join("backups"), place.path().join("trace"));
    fs::create_dir(&folder).unwrap();
    if let Err(why) = done("strace", &["-f", "-o", "/dev/null", "true"]) {
        return skip(test, &why);
    }
    let mut strace = Command::new("strace");
    // With the file of each descriptor (`-y`), whole names, and one line a call.
    strace.args(["-f", "-y", "-s", "4096", "-o"]).arg(&trace);
    strace.args(["-e", "trace=openat,write,fsync,renameat2,unlinkat"]).arg(env::current_exe().unwrap());
    let mut run = a_run(&mut strace, &folder);
    let mut said = String::new();
    run.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(run.wait().unwrap().success(), "{said}");

    let trace = fs::read_to_string(trace).unwrap();
    let folder = folder.to_str().unwrap();
    let lines: Vec<&str> = trace.lines().collect();
    let at = |from: usize, what: &str, parts: &[&str]| {
        let found = lines[from..].iter().position(|line| parts.iter().all(|part| line.contains(part)));
        from + found.unwrap_or_else(|| panic!("no {what} {parts:?} after line {from} of\n{trace}"))
    };
    // Of the archive; the marker went the same way before.
    let named = at(0, "name", &["renameat2(", &format!("\"{NAME}\""), "RENAME_NOREPLACE"]);
    let temporary = lines[named].split('"').nth(1).unwrap();
    assert!(temporary.starts_with(".mainstay-tmp-"), "{}", lines[named]);
    let made = at(0, "new file", &["openat(", temporary, "O_EXCL", "0600"]);
    let written =
        at(made, "write", &["write(", temporary, "half and half"].map(|part| part.trim_end_matches("half and half")));
    let flushed = at(written, "flush of the content", &["fsync(", temporary]);
    let settled = at(named, "flush of the name", &["fsync(", &format!("<{folder}>")]);
    assert!(made < written && written < flushed && flushed < named && named < settled, "{trace}");
    let marker = at(flushed, "look at the marker", &["openat(", ".mainstay-dest.json"]);
    assert!(marker < named, "the marker is looked at before the name is given\n{trace}");
}

#[tokio::test]
async fn backup_case_04_a_full_disk_fails_this_archive_and_harms_no_other() {
    let place = tempfile::tempdir().unwrap();
    let _mount = match Mount::memory(place.path(), "1m") {
        Ok(mount) => mount,
        Err(why) => return skip("backup_case_04_a_full_disk_fails_this_archive_and_harms_no_other", &why),
    };
    let to = plain(place.path());
    to.prepare().await.unwrap();
    to.put("old.json", bytes(b"old")).await.unwrap();
    let free = to.inspect().await.unwrap().free.unwrap();
    assert!(free < 1 << 20, "{free}");

    let trouble = to.put(NAME, spool(&noise(3 << 20))).await.unwrap_err();
    assert_eq!(trouble.reason, Reason::Full, "{trouble:?}");
    one_voice(&trouble);
    assert_eq!(entries(place.path()), [".mainstay-dest.json", "old.json"], "the half archive is gone");

    let draft = to.draft().await.unwrap().unwrap();
    let error = draft.file().write_all(&noise(3 << 20)).unwrap_err();
    assert_eq!(Trouble::of_io(&error, place.path()).reason, Reason::Full);
    drop(draft);
    assert_eq!(entries(place.path()), [".mainstay-dest.json", "old.json"]);
    assert_eq!(content(&to, "old.json").await.unwrap(), b"old");
    to.put("new.json", bytes(b"new")).await.unwrap();
}

#[tokio::test]
async fn backup_case_06_a_stick_that_is_not_there_is_refused_and_so_is_another_one() {
    let place = tempfile::tempdir().unwrap();
    let point = place.path().join("stick");
    fs::create_dir(&point).unwrap();
    let (path, fstab) = (point.join("backups"), table(place.path(), &point));
    let reason = |identity: Option<String>| {
        let to = on_medium(&path, &fstab, identity);
        async move {
            let (looked, listed) = (to.inspect().await.unwrap_err(), to.list().await.unwrap_err());
            let prepared = to.prepare().await.unwrap_err();
            let put = to.put(NAME, bytes(b"x")).await.unwrap_err();
            assert!(looked == listed && listed == prepared && prepared == put, "{looked:?} {listed:?} {prepared:?}");
            one_voice(&looked);
            looked.reason
        }
    };
    assert_eq!(reason(None).await, Reason::MediumAbsent, "also on the first run");
    fs::create_dir(&path).unwrap();
    assert_eq!(reason(None).await, Reason::MediumAbsent, "whatever is in the mount point");
    fs::remove_dir(&path).unwrap();

    let test = "backup_case_06_a_stick_that_is_not_there_is_refused_and_so_is_another_one";
    let stick = match Mount::memory(&point, "1m") {
        Ok(mount) => mount,
        Err(why) => return skip(test, &why),
    };
    let to = on_medium(&path, &fstab, None);
    assert!(to.inspect().await.unwrap().is_new);
    assert_eq!(entries(&point), [""; 0], "a look makes nothing");
    to.prepare().await.unwrap();
    to.put(NAME, bytes(b"x")).await.unwrap();
    let known = to.inspect().await.unwrap().identity;
    assert!(known.is_some());
    let again = on_medium(&path, &fstab, known.clone());
    assert_eq!(again.inspect().await.unwrap().identity, known);
    drop((to, again));

    fs::remove_file(path.join(".mainstay-dest.json")).unwrap();
    assert_eq!(reason(known.clone()).await, Reason::MarkerGone);
    let unknown = on_medium(&path, &fstab, None).inspect().await.unwrap();
    assert!(!unknown.is_new && unknown.notes.len() == 1, "{unknown:?}");

    drop(stick);
    assert_eq!(reason(known.clone()).await, Reason::MediumAbsent);
    let _other = Mount::memory(&point, "1m").unwrap();
    assert_eq!(reason(known.clone()).await, Reason::MarkerGone, "an empty stick is not the known one");
    on_medium(&path, &fstab, None).prepare().await.unwrap();
    assert_eq!(reason(known).await, Reason::MediumOther);
}

#[tokio::test]
async fn backup_case_06_what_cannot_be_a_destination_says_why() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    let trouble = plain(&file).inspect().await.unwrap_err();
    assert_eq!(trouble.reason, Reason::Configuration, "{trouble:?}");
    let trouble = plain(&place.path().join("no/such")).inspect().await.unwrap_err();
    assert!(trouble.fix.contains("mkdir -p"), "{trouble:?}");
    let gone = Options { identity: Some("known".into()), mounted: Mounted::Never, ..Options::default() };
    let trouble = Directory::new(&place.path().join("gone"), &gone, &context()).prepare().await.unwrap_err();
    assert_eq!(trouble.reason, Reason::MarkerGone, "{trouble:?}");
    assert_eq!(entries(place.path()), ["file"], "a folder that went away is not made anew");

    let open = place.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let found = plain(&open).inspect().await.unwrap();
    assert!(found.notes[0].contains("everybody may write"), "{found:?}");
    fs::write(open.join(".mainstay-dest.json"), "{").unwrap();
    let trouble = plain(&open).prepare().await.unwrap_err();
    assert!(trouble.why.contains("is not a marker"), "{trouble:?}");
}

#[tokio::test]
async fn backup_case_06_a_medium_that_is_mounted_read_only_can_be_read_and_not_written_to() {
    let place = tempfile::tempdir().unwrap();
    let mount = match Mount::memory(place.path(), "1m") {
        Ok(mount) => mount,
        Err(why) => {
            return skip("backup_case_06_a_medium_that_is_mounted_read_only_can_be_read_and_not_written_to", &why);
        }
    };
    let to = plain(place.path());
    to.prepare().await.unwrap();
    to.put(NAME, bytes(b"x")).await.unwrap();
    drop(to);
    done("mount", &["-o", "remount,ro", mount.0.to_str().unwrap()]).unwrap();
    let to = plain(place.path());
    let told = to.inspect().await.unwrap().unwritable.expect("it is read-only");
    for trouble in [told, to.put("new", bytes(b"x")).await.unwrap_err()] {
        assert_eq!(trouble.reason, Reason::Permission, "{trouble:?}");
        assert!(trouble.fix.contains("read-only"), "{trouble:?}");
    }
    assert_eq!(content(&to, NAME).await.unwrap(), b"x");
}

#[tokio::test]
async fn backup_case_07_what_is_mounted_over_the_folder_meanwhile_gets_nothing() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("backups");
    let to = plain(&path);
    to.prepare().await.unwrap();
    let draft = to.draft().await.unwrap().unwrap();
    let over = match Mount::memory(&path, "1m") {
        Ok(mount) => mount,
        Err(why) => return skip("backup_case_07_what_is_mounted_over_the_folder_meanwhile_gets_nothing", &why),
    };
    draft.file().write_all(b"secret").unwrap();
    for trouble in [draft.keep(NAME).unwrap_err(), to.put(NAME, bytes(b"secret")).await.unwrap_err()] {
        assert_eq!(trouble.reason, Reason::MediumOther, "{trouble:?}");
        one_voice(&trouble);
    }
    assert_eq!(entries(&path), [""; 0], "nothing went to what was mounted over it");
    drop(over);
    assert_eq!(entries(&path), [".mainstay-dest.json"], "and nothing is left below");
}

#[tokio::test]
async fn backup_case_07_a_stick_that_is_pulled_meanwhile_fails_the_archive_and_nothing_goes_elsewhere() {
    let place = tempfile::tempdir().unwrap();
    let point = place.path().join("stick");
    fs::create_dir(&point).unwrap();
    let stick = match Mount::memory(&point, "1m") {
        Ok(mount) => mount,
        Err(why) => {
            return skip(
                "backup_case_07_a_stick_that_is_pulled_meanwhile_fails_the_archive_and_nothing_goes_elsewhere",
                &why,
            );
        }
    };
    let path = point.join("backups");
    let to = on_medium(&path, &table(place.path(), &point), None);
    to.prepare().await.unwrap();
    let draft = to.draft().await.unwrap().unwrap();
    draft.file().write_all(b"secret").unwrap();
    drop(stick);
    let trouble = draft.keep(NAME).unwrap_err();
    assert_eq!(trouble.reason, Reason::MediumAbsent, "{trouble:?}");
    // Somebody puts a folder there, as restic's users had it.
    fs::create_dir(&path).unwrap();
    let trouble = to.put(NAME, bytes(b"secret")).await.unwrap_err();
    assert_eq!(trouble.reason, Reason::MediumOther, "{trouble:?}");
    assert_eq!(entries(&path), [""; 0]);
}

#[tokio::test]
async fn backup_case_07_a_marker_that_changes_meanwhile_fails_the_archive() {
    let place = tempfile::tempdir().unwrap();
    let to = plain(place.path());
    to.prepare().await.unwrap();
    let draft = to.draft().await.unwrap().unwrap();
    let marker = place.path().join(".mainstay-dest.json");
    fs::write(&marker, r#"{"schema": 1, "id": "00000000-0000-4000-8000-000000000000"}"#).unwrap();
    assert_eq!(draft.keep(NAME).unwrap_err().reason, Reason::MediumOther);
    fs::remove_file(&marker).unwrap();
    assert_eq!(to.put(NAME, bytes(b"x")).await.unwrap_err().reason, Reason::MarkerGone);
    assert_eq!(entries(place.path()), [""; 0]);
}

#[tokio::test]
async fn backup_case_18_a_failed_listing_is_an_error_and_never_an_empty_one() {
    let place = tempfile::tempdir().unwrap();
    let nothing = plain(&place.path().join("backups"));
    assert!(nothing.inspect().await.unwrap().is_new);
    assert_eq!(nothing.list().await.unwrap_err().reason, Reason::Missing);

    let (image, point) = (place.path().join("image"), place.path().join("stick"));
    fs::create_dir(&point).unwrap();
    File::create(&image).unwrap().set_len(64 << 20).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    if let Err(why) = done("mkfs.vfat", &["-F", "32", &text(&image)]) {
        return skip("backup_case_18_a_failed_listing_is_an_error_and_never_an_empty_one", &why);
    }
    let mut fusefat = Command::new("fusefat");
    fusefat.args(["-f", "-o", "rw+"]).args([&image, &point]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut server = match fusefat.spawn() {
        Ok(server) => server,
        Err(error) => {
            return skip(
                "backup_case_18_a_failed_listing_is_an_error_and_never_an_empty_one",
                &format!("fusefat: {error}"),
            );
        }
    };
    let _mount = Mount(point.clone());
    let own = fs::metadata(place.path()).unwrap().dev();
    while fs::metadata(&point).unwrap().dev() == own {
        assert!(server.try_wait().unwrap().is_none(), "fusefat does not mount");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let to = plain(&point);
    to.prepare().await.unwrap();
    to.put(NAME, bytes(b"x")).await.unwrap();
    // The medium goes away under the mount: "transport endpoint is not connected".
    server.kill().unwrap();
    server.wait().unwrap();
    for trouble in [to.list().await.unwrap_err(), to.put("new", bytes(b"x")).await.unwrap_err()] {
        assert_eq!(trouble.reason, Reason::MediumAbsent, "{trouble:?}");
    }
}

#[tokio::test]
async fn backup_case_17_a_list_has_what_is_there_and_follows_nothing() {
    let place = tempfile::tempdir().unwrap();
    let to = plain(place.path());
    to.prepare().await.unwrap();
    to.put(NAME, bytes(b"x")).await.unwrap();
    fs::write(place.path().join("foreign.txt"), "abc").unwrap();
    fs::write(place.path().join(".mainstay-tmp-left"), "abc").unwrap();
    fs::create_dir(place.path().join("folder")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", place.path().join("link")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, place.path().join("pipe"), 0o600.into()).unwrap();
    assert_eq!(names(&to).await, ["foreign.txt", NAME]);
    for name in ["link", "pipe", "folder"] {
        let trouble = content(&to, name).await.unwrap_err();
        assert!(trouble.why.contains("no file"), "{name}: {trouble:?}");
    }
    assert_eq!(to.tidy().await, Ok(vec![".mainstay-tmp-left".to_owned()]));
    let (one, two) = (names(&to).await, names(&to).await);
    to.remove(NAME).await.unwrap();
    assert_eq!((one, names(&to).await), (two, vec!["foreign.txt".to_owned()]), "listed twice, then again");
}

#[tokio::test]
async fn what_was_altered_in_the_spool_is_not_stored() {
    let place = tempfile::tempdir().unwrap();
    let to = plain(place.path());
    to.prepare().await.unwrap();
    let Body::Spool { file, bytes, .. } = spool(b"as it was") else { unreachable!("a spool is a spool") };
    let trouble = to.put(NAME, Body::Spool { file, bytes, sha256: [7; 32] }).await.unwrap_err();
    assert_eq!(trouble.reason, Reason::Damaged, "{trouble:?}");
    assert_eq!(entries(place.path()), [".mainstay-dest.json"]);
}
