//! The world of `tests/testbed/acme/world`: a test runs itself once more inside it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::program::skip;

/// The container that serves the site.
pub const CONTAINER: &str = "prime_webtool_nginx_1";

/// Whether the caller is inside, where it goes on. Outside, the same test has been run inside by then, or skipped by name.
pub fn inside(test: &str) -> bool {
    inside_of("run", test)
}

/// The same in a world of this kind: `run` and `podman` have the container, `host` has nginx as a unit.
pub fn inside_of(kind: &str, test: &str) -> bool {
    inside_with(kind, test, &[])
}

/// The same with variables that the world reads.
pub fn inside_with(kind: &str, test: &str, variables: &[(&str, &str)]) -> bool {
    if std::env::var_os("WORLD_INSIDE").is_some() {
        return true;
    }
    let folder = tempfile::Builder::new().prefix("mainstay-world-").tempdir().expect("a folder in /tmp");
    let world = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testbed/acme/world");
    let own = std::env::current_exe().expect("this test");
    let output = Command::new(world)
        .arg(kind)
        .arg(folder.path().join("w"))
        .arg(own)
        .args(["--exact", test, "--nocapture"])
        .envs(variables.iter().copied())
        .output()
        .expect("tests/testbed/acme/world");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.code() == Some(77) {
        skip(test, err.lines().last().unwrap_or("no world can be had here"));
        return false;
    }
    // Indented, the inner run's own results are not counted by `tests/run`.
    for line in out.lines().chain(err.lines()) {
        println!("{}{line}", if line.starts_with("test ") { "  " } else { "" });
    }
    assert!(output.status.success(), "{test} failed inside its world");
    false
}

/// The folder of the world.
pub fn folder() -> PathBuf {
    std::env::var_os("WORLD").expect("only inside a world").into()
}

/// Runs a program that must succeed; its output.
#[track_caller]
pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = attempt(program, arguments);
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Runs a program, whatever comes of it.
pub fn attempt(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().expect("a program of the world")
}

/// The command of the world's engine.
pub fn engine() -> String {
    std::env::var("ENGINE").expect("only inside a world with containers")
}

/// What the engine says of a container.
pub fn container(name: &str) -> Option<Value> {
    let output = attempt(&engine(), &["inspect", "--type", "container", name]);
    let list: Value = serde_json::from_slice(&output.stdout).ok()?;
    list.get(0).cloned()
}

/// Whether the site answers with a certificate of the authority.
pub fn serves() -> bool {
    let root = folder().join("ca/issuer.pem");
    let url = "https://prime.example.test/";
    attempt("curl", &["-fs", "-m", "5", "--cacert", &root.to_string_lossy(), url]).status.success()
}

/// Waits for something.
pub fn wait_for(within: Duration, what: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < within {
        if what() {
            return true;
        }
        thread::sleep(Duration::from_millis(50));
    }
    what()
}

/// Everything that must hold when all is over; what does not.
pub fn wrong() -> Vec<String> {
    let mut wrong = Vec::new();
    match container(CONTAINER) {
        Some(found) => {
            let (state, policy) = (&found["State"]["Status"], &found["HostConfig"]["RestartPolicy"]["Name"]);
            if state != "running" {
                wrong.push(format!("the container is {state}"));
            }
            if policy != "unless-stopped" {
                wrong.push(format!("its restart policy is {policy}"));
            }
        }
        None => wrong.push("the container is gone".to_owned()),
    }
    if !serves() {
        wrong.push("the site does not answer by TLS".to_owned());
    }
    let names = run(&engine(), &["ps", "-a", "--format", "{{.Names}}"]);
    wrong.extend(
        names.lines().filter(|name| name.starts_with("mainstay-certbot")).map(|name| format!("{name} is left")),
    );
    wrong.extend(
        processes().into_iter().filter(|(_, line)| is_ours(line)).map(|(pid, line)| format!("{pid} is left: {line}")),
    );
    if Path::new("/var/lib/mainstay/journal.json").exists() {
        wrong.push("the journal is not closed".to_owned());
    }
    wrong
}

/// The pid of the guardian, while there is one.
pub fn guardian() -> Option<i32> {
    processes().into_iter().find(|(_, line)| line.contains("__guardian")).map(|(pid, _)| pid)
}

/// certbot, the leash and the guardian; not the test, in whose name it is too.
fn is_ours(line: &str) -> bool {
    line.contains("certbot") && !line.contains("--exact") || line.contains("__guardian") || line.contains("__leash")
}

/// Every process of the world with its command line.
pub fn processes() -> Vec<(i32, String)> {
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let line = |pid: i32| {
        let text = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        Some((pid, String::from_utf8_lossy(&text).replace('\0', " ")))
    };
    pids.filter_map(line).collect()
}
