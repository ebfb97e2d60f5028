//! certbot in its other forms: in a container of the engine, of Compose, and the newest one of PyPI.

use std::{fs, os::unix::fs::PermissionsExt, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    acme::{CONTAINER, attempt, folder, guardian, inside, inside_with, processes, run, serves, wait_for, wrong},
    cron::{CONF, LIVE, Ran, command, configure, mainstay, serial, served},
    program::{has_program, skip},
};

/// The newest version, which `tests/run` has installed beside Debian's.
const PYPI: &str = "certbot-pypi";

/// A renewal that must go well by this method, with this command for certbot, and leave nothing.
#[track_caller]
fn renews(certbot: &[String], method: &str) -> Ran {
    let reload = format!("reload = {{ container = \"{CONTAINER}\" }}");
    configure(&format!("method = \"{method}\"\ncertbot = {certbot:?}\n{reload}"));
    let (before, conf) = (serial(LIVE), fs::read_to_string(CONF).unwrap());
    let ran = mainstay(&["--force"]).ended(0);
    assert_eq!(ran.method(), if method == "auto" { "webroot" } else { method }, "{:#}", ran.report);
    assert_ne!(serial(LIVE), before);
    expect_served();
    assert_eq!(fs::read_to_string(CONF).unwrap(), conf, "the renewal file is as it was");
    assert_eq!(wrong(), [""; 0]);
    ran
}

/// A worker of nginx that is about to end may answer for a moment longer.
#[track_caller]
fn expect_served() {
    assert!(wait_for(Duration::from_secs(5), || served() == serial(LIVE)), "what is on the disk is served");
}

/// `docker run` of the world's image with these options besides.
fn container(options: &[&str]) -> Vec<String> {
    let (world, image) = (folder().display().to_string(), std::env::var("IMAGE").expect("a world"));
    let mounts = [format!("{world}/webroot:/srv/acme"), format!("{world}/ca:{world}/ca:ro")];
    let fixed =
        ["-e", "REQUESTS_CA_BUNDLE", "-v", "/etc/letsencrypt:/etc/letsencrypt", "-v", &mounts[0], "-v", &mounts[1]];
    let words = [&["docker", "run", "--rm"], options, &fixed, &[&image, "certbot"]].concat();
    words.into_iter().map(str::to_owned).collect()
}

#[test]
fn certbot_in_a_container_renews_by_both_methods_and_is_ended_after_a_kill() {
    if !inside("callers::certbot_in_a_container_renews_by_both_methods_and_is_ended_after_a_kill") {
        return;
    }
    // A port that is published would be refused by the engine while the server holds it.
    let published = container(&["-p", "80:80"]);
    renews(&published, "auto");
    let ran = renews(&published, "standalone");
    assert_eq!((ran.outcome("stop"), ran.outcome("start")), (Some("done"), Some("done")));
    renews(&container(&["--network", "host"]), "standalone");

    // 29: the run and its guardian are killed; the container goes on, and holds port 80.
    let slow: Vec<String> = container(&["-p", "80:80", "--entrypoint", "sh"])
        .into_iter()
        .map(|word| if word == "certbot" { "-c".to_owned() } else { word })
        .chain(["case $1 in --version) ;; *) sleep 30;; esac; exec certbot \"$@\"".to_owned(), "certbot".to_owned()])
        .collect();
    configure(&format!("method = \"standalone\"\ncertbot = {slow:?}\nreload = {{ container = \"{CONTAINER}\" }}"));
    let mut child = command(&["--force"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let names = || run("docker", &["ps", "--filter", "publish=80", "--format", "{{.Names}}"]);
    assert!(wait_for(Duration::from_secs(30), || names().starts_with("mainstay-certbot-")), "certbot has the port");
    kill_process(guardian().and_then(Pid::from_raw).expect("a guardian"), Signal::KILL).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(names().starts_with("mainstay-certbot-") && !serves(), "it outlives the client");
    let certbot = container(&["-p", "80:80"]);
    configure(&format!("method = \"standalone\"\ncertbot = {certbot:?}\nreload = {{ container = \"{CONTAINER}\" }}"));
    mainstay(&[]).ended(0);
    assert_eq!(wrong(), [""; 0]);
}

#[test]
fn certbot_of_compose_renews_by_both_methods() {
    let test = "callers::certbot_of_compose_renews_by_both_methods";
    if !has_program("docker-compose") {
        return skip(test, "no docker-compose");
    }
    // No Debian has Compose 2: behind `docker compose` stands the plugin of the client's own kind, with Compose 1 in it.
    let plugins = tempfile::tempdir().expect("a folder in /tmp");
    if !inside_with("run", test, &[("DOCKER_CONFIG", &plugins.path().to_string_lossy())]) {
        return;
    }
    let (world, image) = (folder().display().to_string(), std::env::var("IMAGE").expect("a world"));
    let file = format!("{world}/docker-compose.yml");
    let text = format!(
        "version: '3'\nservices:\n  certbot:\n    image: {image}\n    entrypoint: certbot\n    network_mode: host\n    \
         environment: [REQUESTS_CA_BUNDLE]\n    volumes: ['/etc/letsencrypt:/etc/letsencrypt', '{world}/webroot:{world}/webroot', \
         '{world}/ca:{world}/ca:ro']\n"
    );
    fs::write(&file, text).unwrap();
    let words = |front: &str| -> Vec<String> {
        let text = format!("{front} -f {file} -p prime_webtool run --rm certbot");
        text.split(' ').map(str::to_owned).collect()
    };
    renews(&words("docker-compose"), "auto");
    renews(&words("docker-compose"), "standalone");

    let folder = std::path::PathBuf::from(std::env::var_os("DOCKER_CONFIG").expect("set outside")).join("cli-plugins");
    fs::create_dir_all(&folder).unwrap();
    let script = "#!/bin/sh\n[ \"$1\" != docker-cli-plugin-metadata ] || exec echo '{\"SchemaVersion\":\"0.1.0\",\"Vendor\":\"test\"}'\nshift\nexec docker-compose \"$@\"\n";
    fs::write(folder.join("docker-compose"), script).unwrap();
    fs::set_permissions(folder.join("docker-compose"), fs::Permissions::from_mode(0o755)).unwrap();
    renews(&words("docker compose"), "auto");
    renews(&words("docker compose"), "standalone");
}

#[test]
fn certbot_of_debian_issues_and_renews_and_what_it_says_is_understood() {
    story("callers::certbot_of_debian_issues_and_renews_and_what_it_says_is_understood", "certbot");
}

#[test]
fn certbot_of_pypi_issues_and_renews_and_what_it_says_is_understood() {
    let test = "callers::certbot_of_pypi_issues_and_renews_and_what_it_says_is_understood";
    if !has_program(PYPI) {
        return skip(test, "no certbot of PyPI (`tests/run --install`)");
    }
    story(test, PYPI);
}

/// What one certbot does on the host, from the first request to an authority that is gone.
fn story(test: &str, certbot: &str) {
    if !inside_with("host", test, &[("WORLD_CERTBOT", certbot)]) {
        return;
    }
    println!("{}", run(certbot, &["--version"]));
    let command = format!("certbot = [\"{certbot}\"]");
    let common = format!("{command}\nreload = {{ systemd = \"nginx\" }}");
    let conf = fs::read_to_string(CONF).unwrap();
    assert!(conf.contains(&format!("version = {}", run(certbot, &["--version"]).replace("certbot ", ""))), "{conf}");
    for (method, name) in [("auto", "webroot"), ("standalone", "standalone")] {
        configure(&format!("method = \"{method}\"\n{common}"));
        let before = serial(LIVE);
        let ran = mainstay(&["--force"]).ended(0);
        assert_eq!(ran.method(), name);
        assert_ne!(serial(LIVE), before);
        expect_served();
        assert_eq!(fs::read_to_string(CONF).unwrap(), conf, "the renewal file is as it was");
    }
    // What the option says: kept.
    configure(&format!("method = \"auto\"\n{common}"));
    mainstay(&["--force", "--remember"]).ended(0).finding("certificate.renew", "renewal-file-changed");
    assert!(fs::read_to_string(CONF).unwrap().contains("authenticator = webroot"));
    mainstay(&["--staging"]).ended(0);
    // A program in certbot's own folder of hooks is shown, and its failure is told although certbot ends with 0.
    let hook = "/etc/letsencrypt/renewal-hooks/deploy/10-fails";
    fs::write(hook, "#!/bin/sh\necho no luck >&2\nexit 3\n").unwrap();
    fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).unwrap();
    let plan = mainstay(&["--force", "--dry-run"]).ended(0).report["plan"]["notes"].to_string();
    assert!(plan.contains("will run the deploy hook of `/etc/letsencrypt/renewal-hooks/deploy`: /etc/"), "{plan}");
    mainstay(&["--force"]).ended(0).finding("certificate.renew", "hook-failed");
    fs::remove_file(hook).unwrap();

    // The first request of another lineage.
    let path = folder().join("mainstay.toml");
    let server = std::env::var("ACME").unwrap();
    let second = format!(
        "[certificate.second]\nnames = [\"www.prime.example.test\"]\nagree_tos = true\nserver = \"{server}\"\n{command}\n"
    );
    fs::write(&path, second).unwrap();
    let ran = mainstay(&[]).ended(1);
    assert_eq!(ran.outcome("request"), Some("done"), "{:#}", ran.report);
    ran.finding("tls.served", "not-reloaded");

    // What it says when it goes wrong. Each failure is forgotten for the next one.
    configure(&common);
    let refused = |reason: &str| {
        let ran = mainstay(&["--force"]).ended(1);
        let finding = ran.finding("certificate.renew", reason).clone();
        println!("{reason}: {}", finding["summary"]);
        fs::remove_file("/var/lib/mainstay/renew-cert/prime.json").unwrap();
        expect_served();
        finding
    };
    let dns = |what: &str| {
        let url = format!("http://127.0.0.1:8055/{what}");
        run("curl", &["-fsS", "-d", "{\"host\":\"www.prime.example.test\"}", &url]);
    };
    dns("set-servfail");
    let finding = refused("challenge-failed");
    assert!(finding["summary"].as_str().unwrap().contains("www.prime.example.test: "), "{finding:#}");
    dns("clear-servfail");
    let (accounts, away) = ("/etc/letsencrypt/accounts", "/etc/letsencrypt/accounts.away");
    fs::rename(accounts, away).unwrap();
    refused("account-unknown");
    let _ = fs::remove_dir_all(accounts);
    fs::rename(away, accounts).unwrap();
    // The last: nothing listens where the authority was.
    let pebble = processes().into_iter().find(|(_, line)| line.starts_with("pebble -config")).expect("an authority").0;
    kill_process(Pid::from_raw(pebble).unwrap(), Signal::TERM).unwrap();
    assert!(wait_for(Duration::from_secs(10), || !attempt("curl", &["-sk", &server]).status.success()));
    refused("authority-down");
}
