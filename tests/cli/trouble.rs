//! Bad input and trouble: each is a finding or an error that says what and what to do, within the deadline.

use std::{
    os::unix::fs::{PermissionsExt, symlink},
    time::Duration,
};

use crate::{
    program::{PROGRAM, Run, Running, World, findings, has_program, is_root, skip, statuses},
    server::{Answer, Behaviour, Server, closed_port},
};

/// Nothing may run longer than the site's own deadline and a little.
const TIMEOUT: Duration = Duration::from_secs(2);
const SLACK: Duration = Duration::from_secs(4);

#[test]
fn a_name_that_does_not_resolve() {
    let run = World::new().run(&["check", "https://no-such-name.invalid", "--format", "json"]);
    run.expect_code(1).expect_text("no-such-name.invalid");
    nothing_passes(&run, "tls.");
    nothing_passes(&run, "http.");
}

#[test]
fn few_descriptors_make_a_run_slower_and_blame_no_site() {
    let world = World::new();
    let server = Server::start(Behaviour::Tls(Answer::Says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")));
    let ca = world.file("ca.pem", &server.pem);
    let site = |n: u32| {
        format!(
            "[site.s{n}]\nurl = \"{}\"\nresolve = [\"127.0.0.1\"]\nca_file = {ca:?}\nhsts = \"off\"\n",
            server.url()
        )
    };
    world.file("mainstay.toml", (0..30).map(site).collect::<String>());
    let script = format!("ulimit -n 48; exec '{PROGRAM}' check --format json --only tls.name,tls.protocols,http");
    let run = Running::start(&mut world.wrapped("bash", &["-c", &script])).finish();
    run.expect_code(0);
    let report = run.json();
    assert_eq!(statuses(&report, "http.status"), ["pass"; 30], "{run}");
    assert_eq!(statuses(&report, "tls.protocols"), ["pass"; 30], "{run}");
}

#[test]
fn who_waits_quietly_tells_only_the_end() {
    let url = format!("https://localhost:{}", closed_port());
    let wait = ["check", &url, "--only", "tls.chain", "--wait", "1500ms"];
    let loud = World::new().run(&wait);
    loud.expect_code(1);
    assert_eq!(loud.stderr.matches("trying for").count(), 1, "one line a trouble: {loud}");
    let quiet = World::new().run(&[&wait[..], &["--quiet"]].concat());
    quiet.expect_code(1).expect_text("refused");
    assert_eq!(quiet.stderr, "", "{quiet}");
}

#[test]
fn a_port_that_refuses() {
    let run = look(&format!("https://localhost:{}", closed_port()), None);
    run.expect_code(1).expect_text("refused");
    nothing_passes(&run, "tls.");
}

#[test]
fn a_server_that_is_silent_drips_closes_or_speaks_something_else() {
    for behaviour in [Behaviour::Silent, Behaviour::Drip, Behaviour::Garbage, Behaviour::Closes] {
        let server = Server::start(behaviour);
        let run = look(&server.url(), None);
        run.expect_code(1);
        nothing_passes(&run, "tls.");
        nothing_passes(&run, "http.");
    }
}

#[test]
fn a_silent_server_is_called_silent_and_does_not_delay_others() {
    let (silent, good) = (Server::start(Behaviour::Silent), Server::start(Behaviour::Tls(Answer::Says(GOOD))));
    let world = World::new();
    world.file("ca.pem", &good.pem);
    world.file(
        "mainstay.toml",
        format!(
            "[site.silent]\nurl = '{}'\ntimeout = '2s'\n[site.good]\nurl = '{}'\nca_file = 'ca.pem'\n",
            silent.url(),
            good.url()
        ),
    );
    let run = world.run(&["check", "--format", "json", "--only", "http.status"]);
    run.expect_code(1);
    assert!(run.took < TIMEOUT + SLACK, "{run}");
    let report = run.json();
    let status = |name: &str| {
        findings(&report, "http.status")
            .iter()
            .find(|finding| finding["subject"].as_str().is_some_and(|subject| subject.starts_with(name)))
            .map(|finding| finding["status"].clone())
            .unwrap_or_else(|| panic!("nothing about {name}: {run}"))
    };
    assert_eq!((status("silent"), status("good")), ("fail".into(), "pass".into()), "{run}");
}

#[test]
fn what_a_certificate_says_cannot_harm_the_terminal_while_waiting() {
    let server = Server::named("x\r\u{1b}[2Jevil.test", Behaviour::Tls(Answer::Says(GOOD)));
    let run = World::new().run(&["check", &server.url(), "--wait", "1s", "--only", "tls.name"]);
    run.expect_code(1).expect_text("evil.test");
    assert!(run.stderr.contains("trying for"), "{run}");
    assert!(!run.stderr.contains(['\r', '\u{1b}']) && !run.stdout.contains(['\r', '\u{1b}']), "{run}");
}

#[test]
fn an_answer_that_drips_or_never_ends_is_cut() {
    for answer in [Answer::Drips, Answer::Floods, Answer::FloodsHeaders] {
        let server = Server::start(Behaviour::Tls(answer));
        let world = site(&server.url(), Some(&server.pem), "contains = 'Prime'\n");
        let run = peak(&world, &["check", "--format", "json", "--only", "http.status"]);
        // What stands behind the first part of a body that never ends is unknown.
        assert!(matches!(run.code, Some(1 | 3)), "{run}");
        assert!(run.took < TIMEOUT + SLACK, "{run}");
        nothing_passes(&run, "http.status");
    }
}

#[test]
fn an_answer_that_is_not_http() {
    for text in ["", "\r\n\r\n", "HTTP/1.1 9999999999 ?\r\n\r\n", "220 mail ready\r\n", "HTTP/1.1 200 OK\r\nbroken"] {
        let server = Server::start(Behaviour::Tls(Answer::Says(text)));
        let run = look(&server.url(), Some(&server.pem));
        run.expect_code(1);
        nothing_passes(&run, "http.status");
    }
}

#[test]
fn control_characters_of_a_server_do_not_reach_the_terminal() {
    let server = Server::start(Behaviour::Tls(Answer::Says(
        "HTTP/1.1 302 Found\r\nLocation: /\x1b[2J\x1b]0;owned\x07\r\nContent-Length: 0\r\n\r\n",
    )));
    let world = site(&server.url(), Some(&server.pem), "");
    for format in ["human", "json", "junit", "nagios", "prometheus", "github"] {
        let run = world.run(&["check", "--format", format]);
        let bad = |text: &str| text.chars().any(|c| c.is_control() && c != '\n');
        assert!(!bad(&run.stdout) && !bad(&run.stderr), "{format}: {run}");
    }
}

#[test]
fn docker_that_is_not_installed() {
    let server = Server::start(Behaviour::Tls(Answer::Says(GOOD)));
    let mut world = site(&server.url(), Some(&server.pem), INSIDE);
    world.set("PATH", "/nowhere");
    let run = world.run(&["check", "--format", "json"]);
    run.expect_text("docker");
    not_looked_inside(&run);
}

#[test]
fn an_engine_that_does_not_answer() {
    if !has_program("docker") {
        return skip("trouble::an_engine_that_does_not_answer", "there is no docker command");
    }
    let server = Server::start(Behaviour::Tls(Answer::Says(GOOD)));
    let mut world = site(&server.url(), Some(&server.pem), INSIDE);
    let socket = world.folder().join("absent.sock");
    world.set("DOCKER_HOST", format!("unix://{}", socket.display()));
    not_looked_inside(&world.run(&["check", "--format", "json"]));
}

#[test]
fn an_engine_that_hangs() {
    let server = Server::start(Behaviour::Tls(Answer::Says(GOOD)));
    let mut world = site(&server.url(), Some(&server.pem), INSIDE);
    let docker = world.file("bin/docker", "#!/bin/sh\nexec sleep 100\n");
    std::fs::set_permissions(&docker, PermissionsExt::from_mode(0o755)).expect("our own file");
    let path = std::env::var("PATH").unwrap_or_default();
    world.set("PATH", format!("{}:{path}", world.folder().join("bin").display()));
    let run = world.run(&["check", "--format", "json"]);
    assert!(run.took < Duration::from_secs(30), "{run}");
    not_looked_inside(&run);
}

#[test]
fn no_permission_on_the_engine() {
    let name = "trouble::no_permission_on_the_engine";
    if !is_root() || !has_program("setpriv") || !has_program("docker") {
        return skip(name, "needs root, setpriv and a docker command");
    }
    let server = Server::start(Behaviour::Tls(Answer::Says(GOOD)));
    let mut world = site(&server.url(), Some(&server.pem), INSIDE);
    // A socket that only root may use, whatever engine this machine has.
    let socket = world.folder().join("docker.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket of our own");
    std::fs::set_permissions(&socket, PermissionsExt::from_mode(0o600)).expect("our own socket");
    world.set("DOCKER_HOST", format!("unix://{}", socket.display()));
    // Somebody else must be able to reach the folder and the program.
    std::fs::set_permissions(world.folder(), PermissionsExt::from_mode(0o755)).expect("our own folder");
    let program = world.folder().join("mainstay");
    std::fs::copy(PROGRAM, &program).expect("a copy of the program");
    let config = world.folder().join("mainstay.toml");
    let run = Running::start(&mut world.wrapped(
        "setpriv",
        &[
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            program.to_str().expect("UTF-8"),
            "check",
            "--format",
            "json",
            "--config",
            config.to_str().expect("UTF-8"),
        ],
    ))
    .finish();
    drop(listener);
    run.expect_text("permission");
    not_looked_inside(&run);
}

#[test]
fn a_container_that_is_not_there() {
    let name = "trouble::a_container_that_is_not_there";
    let world = World::new();
    let engine =
        has_program("docker") && Running::start(&mut world.wrapped("docker", &["version"])).finish().code == Some(0);
    if !engine {
        return skip(name, "no Docker engine answers");
    }
    let server = Server::start(Behaviour::Tls(Answer::Says(GOOD)));
    let world = site(&server.url(), Some(&server.pem), "nginx = { container = 'no_such_container_1' }\n");
    let run = world.run(&["check", "--format", "json"]);
    run.expect_text("no_such_container_1");
    nothing_passes(&run, "nginx.");
}

#[test]
fn a_dump_that_is_absent_a_folder_or_garbage() {
    let server = Server::start(Behaviour::Tls(Answer::Says(GOOD)));
    for (make, content) in [(false, ""), (true, ""), (true, "}}}}{{{{;;;\"'\\"), (true, "\u{0}\u{1}\u{2}")] {
        let world = site(&server.url(), Some(&server.pem), "nginx = { dump = 'dump.txt' }\n");
        if make {
            world.file("dump.txt", content);
        }
        let run = world.run(&["check", "--format", "json"]);
        nothing_passes(&run, "nginx.");
    }
    let world = site(&server.url(), Some(&server.pem), "nginx = { dump = '/' }\n");
    nothing_passes(&world.run(&["check", "--format", "json"]), "nginx.");
    // A file that never ends.
    let world = site(&server.url(), Some(&server.pem), "nginx = { dump = 'dump.txt' }\n");
    symlink("/dev/zero", world.folder().join("dump.txt")).expect("a link");
    nothing_passes(&peak(&world, &["check", "--format", "json", "--only", "nginx"]), "nginx.");
}

const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nPrime";

const INSIDE: &str = "nginx = { container = 'prime_webtool_nginx_1' }\n\
                      gunicorn = { container = 'prime_webtool_web_1', workers = 3, forwarded_allow_ips = '*' }\n";

/// A world with one site.
fn site(url: &str, pem: Option<&str>, more: &str) -> World {
    let world = World::new();
    let trust = pem.map_or("", |_| "ca_file = 'ca.pem'\n");
    if let Some(pem) = pem {
        world.file("ca.pem", pem);
    }
    world.file("mainstay.toml", format!("[site.prime]\nurl = '{url}'\ntimeout = '2s'\n{trust}{more}"));
    world
}

/// Looks at one site from outside and holds the run to its deadline.
fn look(url: &str, pem: Option<&str>) -> Run {
    let run = site(url, pem, "").run(&["check", "--format", "json"]);
    assert!(run.took < TIMEOUT + SLACK, "{run}");
    run
}

/// A run with a bound on its address space: more memory than 1 GiB is none.
fn peak(world: &World, arguments: &[&str]) -> Run {
    let words = arguments.join(" ");
    let script = format!("ulimit -v 1048576; exec '{PROGRAM}' {words}");
    Running::start(&mut world.wrapped("bash", &["-c", &script])).finish()
}

/// No finding whose id begins so may say `pass`, and there must be some.
#[track_caller]
fn nothing_passes(run: &Run, prefix: &str) {
    let report = run.json();
    let all = report["findings"].as_array().expect("findings");
    let told: Vec<_> =
        all.iter().filter(|finding| finding["id"].as_str().is_some_and(|id| id.starts_with(prefix))).collect();
    assert!(!told.is_empty(), "nothing is said about {prefix}: {run}");
    for finding in &told {
        assert!(finding["status"] != "pass", "{finding} passes: {run}");
    }
    assert!(told.iter().any(|finding| finding["status"] != "skip"), "{prefix}: only skips: {run}");
    assert!(!run.stderr.contains("panicked"), "{run}");
}

/// What needs the engine is unknown or failed, with what to do; what does not need it is looked at all the same.
#[track_caller]
fn not_looked_inside(run: &Run) {
    nothing_passes(run, "nginx.");
    nothing_passes(run, "gunicorn.");
    let report = run.json();
    assert_eq!(statuses(&report, "http.status"), ["pass"], "{run}");
    let config = findings(&report, "nginx.config");
    assert!(config.iter().any(|finding| finding["fix"].is_string()), "no advice: {run}");
    assert!(matches!(run.code, Some(1 | 3)), "{run}");
}
