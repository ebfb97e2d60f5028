//! Who is told of a run, when, and what becomes of a message that does not arrive.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Signal, kill_process};

use crate::{
    hook::{Answer, Hook},
    program::{Run, Running, World, findings, skip},
    server::{Behaviour, Server},
};

/// A backup that fails when its only file is away.
struct App {
    world: World,
    key: String,
}

impl App {
    fn new(notify: &str) -> Self {
        let world = World::new();
        world.file("app/.env", "SECRET=hunter2\n");
        fs::create_dir(world.folder().join("usb")).expect("a folder");
        world.run(&["backup", "keygen", "key.txt"]).expect_code(0);
        let text = fs::read_to_string(world.folder().join("key.txt")).expect("the key");
        let key = text.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("a public key").to_owned();
        let app = Self { world, key };
        app.configure(notify);
        app
    }

    fn configure(&self, notify: &str) {
        let key = &self.key;
        self.world.file(
            "mainstay.toml",
            format!(
                "project = 'prime'\nstate = 'state'\n[backup.app]\nroot = 'app'\ninclude = ['.env']\nrecipients = ['{key}']\n\
                 to = ['usb']\n{notify}"
            ),
        );
    }

    fn is_wrong(&self, wrong: bool) {
        let [here, away] = ["app/.env", "app/away"].map(|name| self.world.folder().join(name));
        if wrong { fs::rename(here, away) } else { fs::rename(away, here) }.expect("moved");
    }

    fn create(&self) -> Run {
        self.world.run(&["backup", "create"])
    }

    fn history(&self) -> String {
        fs::read_to_string(self.world.folder().join("state/history.jsonl")).expect("a history")
    }
}

const PATH: &str = "/services/T000/B000/sesame-open";

#[test]
fn people_are_told_of_the_first_failure_and_of_the_recovery() {
    let hook = Hook::start(Answer::Fine);
    let app = App::new(&format!("[notify]\nwebhook = '{}'\n", hook.url(PATH)));
    app.create().expect_code(0);
    assert!(hook.texts().is_empty(), "all is well");
    app.is_wrong(true);
    let run = app.create();
    run.expect_code(1);
    let texts = hook.texts();
    assert_eq!(texts.len(), 1, "one message a run: {texts:?}");
    assert!(texts[0].starts_with("*[prime] backup create failed on "), "{texts:?}");
    assert!(texts[0].contains("new failure: "), "{texts:?}");
    app.create().expect_code(1);
    assert!(hook.texts().is_empty(), "it has been told");
    app.is_wrong(false);
    app.create().expect_code(0);
    let texts = hook.texts();
    assert_eq!(texts.len(), 1);
    assert!(texts[0].starts_with("*[prime] backup create has recovered on "), "{texts:?}");
    assert!(!app.history().contains("sesame") && !run.stderr.contains("sesame"), "{run}");
}

#[test]
fn what_a_command_gave_as_a_secret_is_in_no_record_and_no_message() {
    let hook = Hook::start(Answer::Fine);
    let app = App::new("");
    app.world.file(
        "mainstay.toml",
        format!(
            "project = 'prime'\nstate = 'state'\n[backup.app]\nroot = 'app'\ninclude = ['.env']\nto = ['usb']\n\
             passphrase = {{ command = ['printf', '%s-open', 'sesame'] }}\n\
             [[backup.app.dump]]\nname = 'db.sql'\ncommand = ['sh', '-c', 'echo no login with sesame-open >&2; exit 1']\n\
             [notify]\nwebhook = '{}'\n",
            hook.url("/hook")
        ),
    );
    app.create().expect_code(1).expect_text("no login with");
    let texts = hook.texts();
    assert!(texts.len() == 1 && texts[0].contains("no login with &lt;secret&gt;"), "{texts:?}");
    assert!(app.history().contains("no login with <secret>"), "{}", app.history());
    assert!(!texts[0].contains("sesame") && !app.history().contains("sesame"), "{texts:?}");
}

#[test]
fn on_failure_each_is_told_and_always_is_every_run() {
    let hook = Hook::start(Answer::Fine);
    let app = App::new(&format!("[notify]\non = 'failure'\nwebhook = '{}'\n", hook.url(PATH)));
    app.create().expect_code(0);
    app.is_wrong(true);
    app.create();
    app.create();
    assert_eq!(hook.texts().len(), 2);
    app.is_wrong(false);
    app.create().expect_code(0);
    assert!(hook.texts().is_empty());
    app.configure(&format!("[notify]\non = 'always'\nwebhook = '{}'\n", hook.url(PATH)));
    app.create().expect_code(0);
    app.world.run(&["backup", "create", "--dry-run"]).expect_code(0);
    app.world.run(&["backup", "list"]).expect_code(0);
    let texts = hook.texts();
    assert_eq!(texts.len(), 1, "a rehearsal and a list are no runs: {texts:?}");
    assert!(texts[0].contains(" is fine on "), "{texts:?}");
}

#[test]
fn a_message_that_does_not_arrive_is_a_warning_and_comes_with_the_next_run() {
    for (answer, says) in [
        (Answer::Wrong, "127.0.0.1 answered 500: out of tea"),
        (Answer::Moved, "127.0.0.1 answered 302, a redirect, which is not followed"),
        (Answer::Hangs, "within 10 s"),
    ] {
        let hook = Hook::start(answer);
        let app = App::new(&format!("[notify]\nwebhook = '{}'\n", hook.url(PATH)));
        app.is_wrong(true);
        let run = app.create();
        run.expect_code(1).expect_text(says).expect_text("notify.webhook");
        assert!(run.took < Duration::from_secs(20), "{run}");
        assert!(!run.stderr.contains("sesame") && !app.history().contains("sesame"), "{run}");
        let seen = app.world.run(&["history", "--job", "notify"]);
        seen.expect_code(0).expect_text("new warning: notify.webhook");
        hook.taken();
        hook.answers(Answer::Fine);
        app.create().expect_code(1);
        let texts = hook.texts();
        assert_eq!(texts.len(), 1, "what is still so is told now");
        assert!(texts[0].contains("still failure (since "), "{texts:?}");
        app.create().expect_code(1);
        assert!(hook.texts().is_empty(), "and not again");
        let seen = app.world.run(&["history", "--job", "notify"]);
        seen.expect_code(0).expect_text("recovered: notify.webhook backup create");
    }
}

#[test]
fn a_job_is_as_good_as_before_when_nobody_can_be_told() {
    let app = App::new("[notify]\non = 'always'\nwebhook = 'http://127.0.0.1:9/sesame-open'\n");
    let run = app.create();
    run.expect_code(0).expect_text("warning: could not tell anybody of this run (notify.webhook)");
    assert!(!run.stderr.contains("sesame"), "{run}");
    assert_eq!(fs::read_dir(app.world.folder().join("usb")).expect("the destination").count(), 4);
}

#[test]
fn the_pings_of_a_switch_come_in_order_and_only_for_the_whole_job() {
    let hook = Hook::start(Answer::Fine);
    let app = App::new(&format!("[notify.ping]\nbackup = '{}'\n", hook.url("/ping/uuid?create=1")));
    let seen = || -> Vec<String> { hook.taken().into_iter().map(|post| post.what).collect() };
    app.create().expect_code(0);
    assert_eq!(seen(), ["POST /ping/uuid/start?create=1", "POST /ping/uuid?create=1"]);
    app.is_wrong(true);
    app.create().expect_code(1);
    let posts = hook.taken();
    assert_eq!(posts[1].what, "POST /ping/uuid/fail?create=1");
    assert!(posts[1].body.contains("backup create failed on") && posts[1].body.contains("exit code 1"), "{posts:?}");
    app.is_wrong(false);
    app.world.run(&["backup", "create", "app"]).expect_code(0);
    assert_eq!(seen().len(), 2, "the one backup that there is");
    app.world.run(&["backup", "create", "--dry-run"]).expect_code(0);
    app.world.run(&["backup", "verify"]).expect_code(0);
    assert!(seen().is_empty(), "only what a timer runs");
    hook.answers(Answer::Hangs);
    let run = app.create();
    run.expect_code(0).expect_text("notify.ping");
    assert!(run.took < Duration::from_secs(20), "{run}");
}

#[test]
fn a_signal_is_told() {
    let hook = Hook::start(Answer::Fine);
    let silent = Server::start(Behaviour::Silent);
    let world = World::new();
    world.file(
        "mainstay.toml",
        format!(
            "project = 'prime'\nstate = 'state'\n[site.silent]\nurl = '{}'\nhttp = false\ntimeout = '50s'\n\
             [notify]\nwebhook = '{}'\nping = {{ check = '{}' }}\n",
            silent.url(),
            hook.url(PATH),
            hook.url("/ping/uuid")
        ),
    );
    let running = Running::start(&mut world.command(&["check"]));
    thread::sleep(Duration::from_millis(700));
    kill_process(running.id(), Signal::TERM).expect("a child of ours");
    running.finish().expect_code(143);
    let posts = hook.taken();
    let message = posts.iter().find(|post| post.what.ends_with(PATH)).expect("a message");
    assert!(message.body.contains("[prime] check was stopped by a signal on "), "{posts:?}");
    assert!(posts.iter().any(|post| post.what.ends_with("/fail")), "{posts:?}");
}

#[test]
fn a_test_message_shows_which_channels_work() {
    let hook = Hook::start(Answer::Fine);
    let notify = |path: &str, port: u16| {
        format!(
            "[notify]\nwebhook = '{}'\nemail = {{ to = ['ops@example.edu'], from = 'mainstay@example.edu', smtp = \
             'smtp://ann:sesame-open@127.0.0.1:{port}' }}\nping = {{ backup = '{}' }}\n",
            hook.url(path),
            hook.url("/ping/uuid")
        )
    };
    let app = App::new(&notify(PATH, crate::server::closed_port()));
    app.world.run(&["config", "check"]).expect_code(0);
    assert!(hook.taken().is_empty());
    let run = app.world.run(&["config", "check", "--notify", "--format", "json"]);
    let report = run.expect_code(1).json();
    let statuses =
        ["notify.webhook", "notify.email", "notify.ping"].map(|id| findings(&report, id)[0]["status"].clone());
    assert_eq!(statuses, ["pass", "fail", "pass"], "{run}");
    assert!(!run.stdout.contains("sesame"), "{run}");
    let posts = hook.taken();
    assert!(posts.iter().any(|post| post.what == "POST /ping/uuid/log"), "a switch is not thrown: {posts:?}");
    assert!(posts.iter().any(|post| post.body.contains("test message")), "{posts:?}");
    app.configure("");
    app.world.run(&["config", "check", "--notify"]).expect_code(0).expect_text("names no channel");
}

/// Debian's aiosmtpd: a real server.
struct Mail {
    folder: PathBuf,
    server: Child,
    port: u16,
}

impl Mail {
    fn start(world: &World, options: &[&str]) -> Option<Self> {
        let folder = world.folder().join("mail");
        fs::create_dir_all(&folder).expect("a folder");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testbed/smtp.py");
        let server =
            Command::new("/usr/bin/python3").arg(script).arg(&folder).args(options).stdin(Stdio::piped()).spawn();
        let mut server = server.ok()?;
        let begun = Instant::now();
        loop {
            if let Some(port) = fs::read_to_string(folder.join("port")).ok().and_then(|text| text.parse().ok()) {
                return Some(Self { folder, server, port });
            }
            if server.try_wait().expect("a child of ours").is_some() {
                return None;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "the mail server does not start");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn mail(&self, number: u32) -> Option<String> {
        fs::read_to_string(self.folder.join(number.to_string())).ok()
    }
}

impl Drop for Mail {
    fn drop(&mut self) {
        drop(self.server.stdin.take());
        let _ = self.server.wait();
    }
}

fn email(smtp: &str) -> String {
    format!(
        "[notify]\non = 'always'\nemail = {{ to = ['ops@example.edu', 'ann@example.edu'], from = \
         'mainstay@example.edu', smtp = '{smtp}' }}\n"
    )
}

const NO_SERVER: &str = "no aiosmtpd of Debian (python3-aiosmtpd)";

#[test]
fn a_mail_arrives_and_a_server_that_refuses_it_is_a_warning() {
    let test = "notify::a_mail_arrives_and_a_server_that_refuses_it_is_a_warning";
    let app = App::new("");
    let Some(mail) = Mail::start(&app.world, &[]) else { return skip(test, NO_SERVER) };
    app.configure(&email(&format!("smtp://localhost:{}", mail.port)));
    app.create().expect_code(0);
    let text = mail.mail(1).expect("a mail");
    assert!(text.contains("X-Tls: False\nX-To: ops@example.edu ann@example.edu"), "{text}");
    assert!(text.contains("Subject: [prime] backup create is fine on "), "{text}");
    assert!(text.contains("Auto-Submitted: auto-generated") && text.contains("Message-ID: <"), "{text}");
    assert!(text.contains("From: mainstay@example.edu"), "{text}");
    drop(mail);
    let refusing = World::new();
    let Some(mail) = Mail::start(&refusing, &["--refuse"]) else { return skip(test, NO_SERVER) };
    app.configure(&email(&format!("smtp://localhost:{}", mail.port)));
    app.create().expect_code(0).expect_text("this server takes no mail");
}

#[test]
fn a_password_is_sent_over_tls_alone_and_never_told() {
    let test = "notify::a_password_is_sent_over_tls_alone_and_never_told";
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let is_here = std::net::ToSocketAddrs::to_socket_addrs(&(name.as_str(), 25))
        .is_ok_and(|mut all| all.any(|address| address.ip() == std::net::Ipv4Addr::LOCALHOST));
    let mut app = App::new("");
    let made = rcgen::generate_simple_self_signed([name.clone(), "localhost".to_owned()]).expect("a certificate");
    let certificate = app.world.file("cert.pem", made.cert.pem());
    let key = app.world.file("key.pem", made.signing_key.serialize_pem());
    let files = [certificate.to_str().expect("UTF-8"), key.to_str().expect("UTF-8")];
    app.world.set("SSL_CERT_FILE", &certificate);
    let login = ["--login", "ann", "sesame-open"];

    let whole = World::new();
    let Some(mail) = Mail::start(&whole, &[&["--smtps"], &files[..], &login[..]].concat()) else {
        return skip(test, NO_SERVER);
    };
    app.configure(&email(&format!("smtps://ann:sesame-open@localhost:{}", mail.port)));
    app.create().expect_code(0);
    assert!(mail.mail(1).expect("a mail").contains("X-Login: ann"), "{:?}", mail.mail(1));
    app.configure(&email(&format!("smtps://ann:sesame-shut@localhost:{}", mail.port)));
    let run = app.create();
    run.expect_code(0).expect_text("notify.email");
    assert!(!run.stderr.contains("sesame") && !app.history().contains("sesame"), "{run}");
    drop(mail);

    if !is_here {
        return skip(test, "the name of this machine is not 127.0.0.1, so STARTTLS cannot be tried");
    }
    let starting = World::new();
    let mail = Mail::start(&starting, &[&["--starttls"], &files[..], &login[..]].concat()).expect("as before");
    app.configure(&email(&format!("smtp://ann:sesame-open@{name}:{}", mail.port)));
    app.create().expect_code(0);
    let text = mail.mail(1).expect("a mail");
    assert!(text.contains("X-Login: ann\nX-Tls: True"), "{text}");
    drop(mail);
    let bare = World::new();
    let mail = Mail::start(&bare, &[]).expect("as before");
    app.configure(&email(&format!("smtp://ann:sesame-open@{name}:{}", mail.port)));
    app.create().expect_code(0).expect_text("notify.email");
    assert_eq!(mail.mail(1), None, "a server without TLS gets neither a password nor a mail");
}
