//! The same jobs where there is podman and no docker: Debian's 4.3, which differs in more than its name.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    acme::{CONTAINER, attempt, folder, inside_of, run, wrong},
    cron::{LIVE, configure, mainstay, serial, served},
    program::PROGRAM,
};

#[test]
fn renew_case_12_and_18_with_podman_by_webroot_and_standalone() {
    if !inside_of("podman", "podman::renew_case_12_and_18_with_podman_by_webroot_and_standalone") {
        return;
    }
    for (method, asked, stopped) in [("webroot", "", None), ("standalone", "method = \"standalone\"\n", Some("done"))] {
        configure(&format!("{asked}reload = {{ container = \"{CONTAINER}\" }}"));
        let before = serial(LIVE);
        let ran = mainstay(&["--force"]).ended(0);
        assert_eq!((ran.outcome("renew"), ran.outcome("stop")), (Some("done"), stopped), "{:#}", ran.report);
        let is_so = |finding: &Value| finding["data"]["method"] == method;
        assert!(ran.report["findings"].as_array().expect("findings").iter().any(is_so), "{:#}", ran.report);
        assert!(serial(LIVE) != before && served() == serial(LIVE));
        assert_eq!(wrong(), [""; 0]);
        let notes = ran.report["plan"]["notes"].to_string();
        assert!(notes.contains("podman exec ") && !notes.contains("docker "), "{notes}");
    }
}

#[test]
fn the_checks_see_into_podmans_containers_and_their_commands_work_by_hand() {
    if !inside_of("podman", "podman::the_checks_see_into_podmans_containers_and_their_commands_work_by_hand") {
        return;
    }
    let image = std::env::var("IMAGE").expect("only inside a world");
    let application = "cd /tmp && echo 'def app(environ, start): start(\"200 OK\", []); return [b\"x\"]' >a.py && \
                       echo 'forwarded_allow_ips = \"10.0.0.1\"' >gunicorn.conf.py && exec gunicorn -b 127.0.0.1:8000 -w 2 a:app";
    run("podman", &["run", "-d", "--name", "prime_webtool_web_1", &image, "sh", "-c", application]);
    let path = folder().join("mainstay.toml");
    let text = format!(
        "project = 'prime'\n[site.prime]\nurl = 'https://prime.example.test'\n[site.prime.nginx]\ncontainer = '{CONTAINER}'\n\
         [site.prime.gunicorn]\ncontainer = 'prime_webtool_web_1'\nworkers = 2\n"
    );
    std::fs::write(&path, text).expect("a folder of the world");
    let ids = ["nginx.config", "nginx.fresh", "tls.served", "gunicorn.settings", "gunicorn.trust", "gunicorn.exposed"];
    let look = || -> Vec<Value> {
        let mut command = Command::new(PROGRAM);
        command.arg("--config").arg(&path).args(["--format", "json", "check"]);
        let output = command.env("SSL_CERT_FILE", folder().join("ca/issuer.pem")).output().expect("the binary");
        let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
        let all = report["findings"].as_array().expect("findings").clone();
        all.into_iter().filter(|finding| ids.contains(&finding["id"].as_str().unwrap_or_default())).collect()
    };
    // The workers need a moment to be there.
    let (begun, mut found) = (Instant::now(), look());
    while found.iter().any(|finding| finding["data"]["reason"] == "live-workers")
        && begun.elapsed() < Duration::from_secs(20)
    {
        thread::sleep(Duration::from_millis(300));
        found = look();
    }
    let status = |id: &str| found.iter().find(|finding| finding["id"] == id).map(|finding| &finding["status"]);
    // nginx itself answers in this world, and is not whom gunicorn believes.
    let expected = ["fail", "pass", "pass", "pass", "fail", "pass"];
    assert_eq!(ids.map(|id| status(id).and_then(Value::as_str).unwrap_or("none")), expected, "{found:#?}");
    for finding in &found {
        let line = finding["by_hand"].as_str().expect("a command");
        assert!(!line.contains("docker"), "{line}");
        if line.contains("podman") {
            let output = attempt("sh", &["-c", line]);
            assert!(
                output.status.success() && !output.stdout.is_empty() || line.starts_with("podman port"),
                "{line}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
}
