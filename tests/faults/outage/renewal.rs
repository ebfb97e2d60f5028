//! What a visitor notices of a renewal: of webroot nothing, under load; of standalone the time that it says.

use std::{
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::drive::configured_as;
use crate::{
    acme::{self, CONTAINER, container, inside, inside_of, run, serves},
    program::{PROGRAM, has_program, skip},
};

/// Runs `renew-cert` with this configuration of the certificate; the exit code and the report.
fn renew(keys: &str, arguments: &[&str]) -> (Option<i32>, Value) {
    let folder = configured_as(keys);
    // As cron does: no terminal, and nothing in the environment but what leads to the engine and the authority.
    let mut command = Command::new(PROGRAM);
    command
        .arg("renew-cert")
        .args(arguments)
        .args(["--format", "json"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .env_clear();
    for name in ["PATH", "DOCKER_HOST", "REQUESTS_CA_BUNDLE", "WORLD"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    let output = command.output().expect("the binary");
    let report = serde_json::from_slice(&output.stdout);
    (
        output.status.code(),
        report.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr))),
    )
}

fn on_disk() -> String {
    run("openssl", &["x509", "-noout", "-serial", "-in", "/etc/letsencrypt/live/prime/cert.pem"])
}

fn served() -> String {
    let line = "openssl s_client -connect prime.example.test:443 -servername www.prime.example.test </dev/null 2>/dev/null | openssl x509 -noout -serial";
    run("sh", &["-c", line])
}

/// The renewal that is not noticed: what comes of a steady load meanwhile, new connections included.
fn expect_unnoticed(keys: &str) {
    let root = acme::folder().join("log/wrk");
    let load = |options: &[&str]| {
        let log = std::fs::File::create(root.with_extension(options.len().to_string())).expect("a file");
        let mut command = Command::new("wrk");
        command.args(["-t1", "-c4", "-d300s", "--timeout", "5s"]).args(options).arg("https://prime.example.test/");
        command.stdout(log).spawn().expect("wrk")
    };
    let mut loads = [load(&[]), load(&["-H", "Connection: close"])];
    thread::sleep(Duration::from_secs(1));
    let before = on_disk();
    let (code, report) = renew(keys, &["prime", "--force"]);
    assert_eq!(code, Some(0), "{report:#}");
    let after = on_disk();
    assert_ne!(before, after, "{report:#}");
    assert_eq!(served(), after);
    for load in &mut loads {
        assert!(load.try_wait().expect("a child of ours").is_none(), "the load went on to the end of the renewal");
        // It tells what came of it so far.
        kill_process(Pid::from_child(load), Signal::INT).expect("a child of ours");
        load.wait().expect("a child of ours");
    }
    for options in ["0", "2"] {
        let text = std::fs::read_to_string(root.with_extension(options)).expect("what wrk said");
        let requests = text.lines().find(|line| line.contains("requests in")).expect("a count").trim();
        let errors = text.lines().find(|line| line.contains("Socket errors")).unwrap_or_default().trim();
        // A reload ends idle connections, nginx 1.22 also under a request that is on its way: each of the four that were
        // kept alive may meet that once, and every client opens another one. A fresh connection never does.
        let met = |count: usize| errors == format!("Socket errors: connect 0, read {count}, write 0, timeout 0");
        let allowed = if options == "0" { (1..=4).any(met) } else { false };
        assert!((errors.is_empty() || allowed) && !text.contains("Non-2xx"), "{text}");
        println!("webroot: {requests}; {}", if errors.is_empty() { "none failed" } else { errors });
    }
}

fn has_wrk(test: &str) -> bool {
    let there = has_program("wrk");
    if !there {
        skip(test, "no wrk to make a load with");
    }
    there
}

#[test]
fn both_methods_renew_behind_a_container_and_webroot_is_not_noticed() {
    let test = "outage::renewal::both_methods_renew_behind_a_container_and_webroot_is_not_noticed";
    if !inside(test) || !has_wrk(test) {
        return;
    }
    let reload = format!("reload = {{ container = \"{CONTAINER}\" }}\n");
    let webroot = format!("webroot = \"{}\"\n{reload}", acme::folder().join("webroot").display());
    let started = || container(CONTAINER).expect("the container")["State"]["StartedAt"].clone();
    let before = started();
    // Nothing is due, and nothing is touched.
    let serial = on_disk();
    let (code, report) = renew(&webroot, &[]);
    assert_eq!((code, on_disk()), (Some(0), serial), "{report:#}");

    expect_unnoticed(&webroot);
    assert_eq!(started(), before, "it was never stopped");

    let serial = on_disk();
    let (code, report) = renew(&format!("method = \"standalone\"\n{reload}"), &["prime", "--force"]);
    assert_eq!(code, Some(0), "{report:#}");
    assert_ne!(on_disk(), serial);
    assert_eq!(served(), on_disk());
    assert_ne!(started(), before, "it was stopped");
    assert_eq!(acme::wrong(), [""; 0]);
    println!("standalone: {}", report["outcomes"]);
}

#[test]
fn both_methods_renew_behind_nginx_on_the_host() {
    let test = "outage::renewal::both_methods_renew_behind_nginx_on_the_host";
    if !inside_of("host", test) || !has_wrk(test) {
        return;
    }
    let reload = "reload = { systemd = \"nginx\" }\n";
    expect_unnoticed(&format!("webroot = \"{}\"\n{reload}", acme::folder().join("webroot").display()));
    let serial = on_disk();
    let (code, report) = renew(&format!("method = \"standalone\"\n{reload}"), &["prime", "--force"]);
    assert_eq!(code, Some(0), "{report:#}");
    assert_ne!(on_disk(), serial);
    assert!(serves() && served() == on_disk());
    println!("standalone: {}", report["outcomes"]);
}
