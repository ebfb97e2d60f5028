#![expect(clippy::disallowed_methods, reason = "tests set their own stage: a server, mounts, files in the way")]
#![expect(clippy::print_stdout, reason = "a skipped test is counted by its name")]

use std::{
    collections::BTreeMap,
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Stdio},
    sync::Mutex,
};

use jiff::Timestamp;

use super::*;
use crate::system::{
    clock::Fixed,
    process::{Failure, Machine, Scripted},
    store::conformance::{self, Lack, bytes, content, names, noise, one_voice, spool},
};

const NAME: &str = "prime-app-20261123T181500Z-000042.tar.gz.age";

/// No rclone can keep two runs apart.
const LACKS: &[Lack] = &[Lack::Exclusion];

fn context() -> Context {
    Context::real(BTreeMap::new(), "/".into())
}

fn remote(remote: &str) -> Rclone {
    Rclone::new(remote, &Options { owner: "prime-app@web-1".into(), ..Options::default() }, &context())
}

fn local(path: &Path) -> String {
    format!(":local:{}", path.display())
}

fn has_rclone(test: &str) -> bool {
    let has = std::process::Command::new("rclone").arg("version").output().is_ok();
    if !has {
        println!("SKIPPED system::store::rclone::tests::{test}: rclone is not installed");
    }
    has
}

fn with(runner: impl Runner + 'static, remote: &str) -> Rclone {
    let context = Context { runner: Arc::new(runner), ..context() };
    Rclone::new(remote, &Options { owner: "prime-app@web-1".into(), ..Options::default() }, &context)
}

#[tokio::test]
async fn a_local_remote_conforms() {
    if !has_rclone("a_local_remote_conforms") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("backups");
    conformance::conforms("rclone, local", || Box::new(remote(&local(&path))), LACKS).await;
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0, "nothing else is left");
}

#[tokio::test]
async fn an_encrypted_remote_conforms() {
    if !has_rclone("an_encrypted_remote_conforms") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let obscured = std::process::Command::new("rclone").args(["obscure", "secret"]).output().unwrap();
    let obscured = String::from_utf8(obscured.stdout).unwrap();
    let crypt = format!(":crypt,remote='{}',password={}:backups", place.path().display(), obscured.trim());
    conformance::conforms("rclone, crypt over local", || Box::new(remote(&crypt)), LACKS).await;
}

/// `rclone serve webdav` of a folder, ended with the value.
struct WebDav {
    server: Child,
    url: String,
}

impl WebDav {
    fn serve(folder: &Path) -> Self {
        // The port is free at the moment; the server takes no 0 for one.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let mut command = std::process::Command::new("rclone");
        command.args(["serve", "webdav", "--addr", &address]).arg(folder);
        let mut server = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while TcpStream::connect(&address).is_err() {
            assert!(server.try_wait().unwrap().is_none(), "rclone serves nothing on {address}");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { server, url: format!("http://{address}") }
    }

    fn remote(&self) -> String {
        format!(":webdav,url='{}':backups", self.url)
    }
}

impl Drop for WebDav {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[tokio::test]
async fn a_webdav_remote_conforms_and_one_that_does_not_answer_is_never_an_empty_one() {
    if !has_rclone("a_webdav_remote_conforms_and_one_that_does_not_answer_is_never_an_empty_one") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let server = WebDav::serve(place.path());
    let address = server.remote();
    conformance::conforms("rclone, WebDAV", || Box::new(remote(&address)), LACKS).await;

    let to = remote(&address);
    to.prepare().await.unwrap();
    to.put(NAME, bytes(b"x")).await.unwrap();
    drop(server);
    for trouble in [to.list().await.unwrap_err(), to.inspect().await.unwrap_err(), to.remove(NAME).await.unwrap_err()] {
        assert_eq!(trouble.reason, Reason::Unreachable, "{trouble:?}");
        one_voice(&trouble);
    }
}

#[tokio::test]
async fn what_cannot_be_used_says_why() {
    if !has_rclone("what_cannot_be_used_says_why") {
        return;
    }
    let trouble = remote("mainstay-test-no-such-remote:backups").inspect().await.unwrap_err();
    assert_eq!(trouble.reason, Reason::Configuration, "{trouble:?}");
    assert!(trouble.fix.contains("make the remote `mainstay-test-no-such-remote`"), "{trouble:?}");

    let place = tempfile::tempdir().unwrap();
    let nothing = remote(&local(&place.path().join("backups")));
    assert!(nothing.inspect().await.unwrap().is_new);
    assert_eq!(nothing.list().await.unwrap_err().reason, Reason::Missing, "what is not there is not empty");

    let missing = with(Scripted::default().fail("rclone", Failure::Missing("rclone".into())), "gdrive:backups");
    assert_eq!(missing.inspect().await.unwrap_err().reason, Reason::Tool);
    assert_eq!(missing.put(NAME, bytes(b"x")).await.unwrap_err().reason, Reason::Tool);
}

#[tokio::test]
async fn backup_case_04_a_full_store_fails_this_archive_and_keeps_no_half_of_it() {
    let test = "backup_case_04_a_full_store_fails_this_archive_and_keeps_no_half_of_it";
    if !has_rclone(test) {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let mut command = std::process::Command::new(program);
        command.args(arguments).arg(place.path()).output().is_ok_and(|output| output.status.success())
    };
    if !run("mount", &["-t", "tmpfs", "-o", "size=1m", "tmpfs"]) {
        println!("SKIPPED system::store::rclone::tests::{test}: cannot mount");
        return;
    }
    let to = remote(&local(place.path()));
    to.prepare().await.unwrap();
    to.put("old.json", bytes(b"old")).await.unwrap();
    let result = to.put(NAME, spool(&noise(3 << 20))).await;
    let left: Vec<_> = fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let old = content(&to, "old.json").await;
    assert!(run("umount", &["-l"]));
    let trouble = result.unwrap_err();
    assert_eq!(trouble.reason, Reason::Full, "{trouble:?}");
    one_voice(&trouble);
    assert_eq!(left, ["old.json"]);
    assert_eq!(old.unwrap(), b"old");
}

/// Runs real programs, but instead of `rclone cat` a shell that writes a part and then does this.
struct Cut(&'static str);

impl Runner for Cut {
    fn run(&self, command: Command) -> BoxFuture<'_, Result<Output, Failure>> {
        if command.arguments[0] != "cat" {
            return Box::pin(async { Machine.run(command).await });
        }
        let script = format!("printf part; {}", self.0);
        let cut = Command { sink: command.sink, ..Command::new("sh").args(["-c", &script]) };
        Box::pin(async { Machine.run(cut).await })
    }
}

/// rclone 9b13247ba, PR 9937: a stream that ended early was held for whole.
#[tokio::test]
async fn an_object_whose_producer_ends_early_is_not_whole() {
    if !has_rclone("an_object_whose_producer_ends_early_is_not_whole") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join(NAME), "part of the whole").unwrap();
    for (how, ends_well) in [("kill -9 $$", false), ("exit 1", false), ("exit 0", true)] {
        let from = with(Cut(how), &local(place.path()));
        let Reading { mut reader, done } = from.open(NAME).await.unwrap();
        let read = tokio::task::spawn_blocking(move || {
            let mut content = Vec::new();
            (reader.read_to_end(&mut content).map_err(|error| error.kind()), content)
        });
        let ((result, content), done) = tokio::join!(async { read.await.unwrap() }, done);
        assert_eq!((result, content.as_slice()), (Err(io::ErrorKind::UnexpectedEof), &b"part"[..]), "{how}");
        assert_eq!(done.is_ok(), ends_well, "{how}: {done:?}");
    }
    let from = with(Cut("printf ' of the whole and more'"), &local(place.path()));
    assert_eq!(content(&from, NAME).await.unwrap_err().reason, Reason::Unreachable, "more than the object has");
}

/// Remembers the command lines and runs them.
#[derive(Default)]
struct Watched(Arc<Mutex<Vec<String>>>);

impl Runner for Watched {
    fn run(&self, command: Command) -> BoxFuture<'_, Result<Output, Failure>> {
        self.0.lock().unwrap().push(command.to_string());
        Box::pin(Machine.run(command))
    }
}

#[tokio::test]
async fn an_upload_is_a_file_with_a_temporary_name_and_never_a_stream() {
    if !has_rclone("an_upload_is_a_file_with_a_temporary_name_and_never_a_stream") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let watched = Watched::default();
    let lines = Arc::clone(&watched.0);
    let to = with(watched, &local(place.path()));
    to.prepare().await.unwrap();
    lines.lock().unwrap().clear();
    let receipt = to.put(NAME, spool(&noise(300_000))).await.unwrap();
    assert!(receipt.checksum, "a local remote knows SHA-256");
    assert_eq!(fs::read(place.path().join(NAME)).unwrap(), noise(300_000));
    let lines = lines.lock().unwrap();
    let verbs: Vec<_> = lines.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
    assert_eq!(verbs, ["lsjson", "copyto", "lsjson", "moveto", "lsjson"], "{lines:#?}");
    assert!(lines[1].contains(" /dev/stdin ") && lines[1].contains("/.mainstay-tmp-"), "{lines:#?}");
    assert!(!lines[1].contains(NAME), "{lines:#?}");
}

#[tokio::test]
async fn backup_case_01_what_a_killed_run_left_is_removed_by_the_next_of_the_same_owner() {
    if !has_rclone("backup_case_01_what_a_killed_run_left_is_removed_by_the_next_of_the_same_owner") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let to = remote(&local(place.path()));
    let (ours, theirs) = (format!("{}1", to.prefix), ".mainstay-tmp-0123456789ab-1".to_owned());
    fs::write(place.path().join(&ours), "half").unwrap();
    fs::write(place.path().join(&theirs), "half").unwrap();
    fs::write(place.path().join("foreign.txt"), "").unwrap();
    assert_eq!(names(&to).await, ["foreign.txt"], "nothing half-written is listed");
    assert_eq!(to.tidy().await, Ok(vec![ours]));
    assert_eq!(to.tidy().await, Ok(vec![]), "theirs may still be written");
    let later = Timestamp::from_second(4_000_000_000).unwrap();
    let context = Context { clock: Arc::new(Fixed(later)), ..context() };
    let later = Rclone::new(&local(place.path()), &Options::default(), &context);
    assert_eq!(later.tidy().await, Ok(vec![theirs]), "nobody writes for a week");
}

#[tokio::test]
async fn a_signal_ends_the_wait_and_what_was_uploaded_is_removed() {
    let script = Scripted::default().on("lsjson", 0, "[]", "").on("deletefile", 0, "", "");
    /// Raises the flag when the upload begins, and never ends it.
    struct Signalled(Arc<Scripted>, Cancel);
    impl Runner for Signalled {
        fn run(&self, command: Command) -> BoxFuture<'_, Result<Output, Failure>> {
            if command.to_string().contains("copyto") {
                self.1.raise(15);
                return Box::pin(std::future::pending());
            }
            self.0.run(command)
        }
    }
    let (script, context) = (Arc::new(script), context());
    let runner = Arc::new(Signalled(Arc::clone(&script), context.cancel.clone()));
    let to = Rclone::new("gdrive:backups", &Options::default(), &Context { runner, ..context });
    let trouble = to.put(NAME, bytes(b"x")).await.unwrap_err();
    assert!(trouble.why.contains("interrupted"), "{trouble:?}");
    let asked = script.asked();
    let last = asked.last().unwrap();
    assert!(last.contains("deletefile") && last.contains(" gdrive:backups/.mainstay-tmp-"), "{asked:?}");
}

#[tokio::test]
async fn two_objects_of_one_name_are_trouble() {
    let two = format!(r#"[{{"Name":"{NAME}","Size":1}},{{"Name":"{NAME}","Size":2}}]"#);
    let script = || Scripted::default().on("lsjson", 0, two.as_str(), "").on("about", 1, "", "not supported");
    let to = with(script(), "gdrive:");
    for trouble in [to.list().await.unwrap_err(), to.inspect().await.unwrap_err()] {
        assert_eq!(trouble.reason, Reason::Collision, "{trouble:?}");
        assert!(trouble.why.contains(NAME), "{trouble:?}");
    }
    assert_eq!(to.put(NAME, bytes(b"x")).await.unwrap_err().reason, Reason::Collision);
}

#[test]
fn an_object_is_below_its_remote() {
    for (remote, at) in
        [("gdrive:", "gdrive:a"), ("gdrive:x", "gdrive:x/a"), ("gdrive:x/", "gdrive:x/a"), ("/x", "/x/a")]
    {
        assert_eq!(self::remote(remote).at("a"), at);
    }
}

#[tokio::test]
async fn a_look_tells_what_fits_and_how_the_account_is_set_up() {
    let script = Scripted::default()
        .on("lsjson", 0, "[\n]\n", "")
        .on("about", 0, r#"{"total": 100, "used": 58, "free": 42}"#, "")
        .on("show -- gdrive", 0, "[gdrive]\ntype = drive\nscope = drive\ntoken = secret\n", "");
    let found = with(script, "gdrive:backups").inspect().await.unwrap();
    assert_eq!((found.is_new, found.free, found.notes.len()), (true, Some(42), 2), "{found:?}");
}
