//! The numbered cases that need a real engine, one world for all of them.

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use mainstay::{
    renew_cert::outage::{self, Ended, Outage, Wanted},
    report::Status,
    system::{
        Context,
        process::{Command as Run, Failure},
        state::{Owed, Peek, State},
    },
};
use rustix::process::{Pid, Signal, kill_process};

use super::drive::{certbot, context, preflight, rehearsal, start, wanted};
use crate::{
    acme::{self, CONTAINER, attempt, container, inside, inside_of, run, serves, wait_for, wrong},
    program::PROGRAM,
};

fn block<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

async fn begun(wanted: &Wanted, context: &Context) -> Outage {
    let preflight = preflight(wanted, context).await;
    Outage::begin(preflight, wanted, context).await.expect("nothing is in the way")
}

#[track_caller]
fn expect_back(ended: &Ended) {
    assert!(ended.back, "{ended:?}");
    assert_eq!(wrong(), [""; 0]);
}

fn state(name: &str) -> String {
    container(name).map_or("gone".into(), |found| found["State"]["Status"].as_str().unwrap_or_default().to_owned())
}

fn policy() -> String {
    let found = container(CONTAINER).expect("the container");
    found["HostConfig"]["RestartPolicy"]["Name"].as_str().expect("a policy").to_owned()
}

#[test]
fn renew_case_18_and_22_and_49_standalone_stops_renews_and_starts_and_measures_the_downtime() {
    if !inside(
        "outage::cases::renew_case_18_and_22_and_49_standalone_stops_renews_and_starts_and_measures_the_downtime",
    ) {
        return;
    }
    block(async {
        let (wanted, context) = (wanted(), context());
        let before = run("openssl", &["x509", "-noout", "-serial", "-in", "/etc/letsencrypt/live/prime/cert.pem"]);
        let found = preflight(&wanted, &context).await;
        assert_eq!(found.stops.len(), 1);
        assert_eq!(
            (found.stops[0].title(), found.stops[0].how.as_str()),
            (format!("the container `{CONTAINER}`"), "publishes 0.0.0.0:80")
        );
        assert_eq!(found.stops[0].start_by_hand(), format!("docker start {CONTAINER}"));
        let outage = Outage::begin(found, &wanted, &context).await.unwrap();
        // Row 22 and 25: it stays stopped, and would come back with the engine.
        assert_eq!((state(CONTAINER).as_str(), policy().as_str()), ("exited", "always"));
        assert!(outage.notes().is_empty(), "{:?}", outage.notes());
        // Row 49: the second one waits or is refused by name.
        let refused = outage::recover(&wanted.state, "renew-cert", Duration::ZERO, &context).await.unwrap_err();
        assert!(refused.to_string().contains("`mainstay renew-cert prime`"), "{refused}");
        assert!(outage::unfinished(&wanted.state, &context).unwrap().is_none(), "it is at work, and not cut off");
        let certbot_took = Instant::now();
        let output = outage.run(certbot(), &context).await.unwrap();
        let certbot_took = certbot_took.elapsed();
        assert!(output.success(), "{}", output.complaint());
        let ended = outage.end(&context).await;
        expect_back(&ended);
        let downtime = ended.downtime.unwrap();
        println!("downtime {downtime:?}, of which certbot took {certbot_took:?}");
        assert!(downtime - certbot_took < Duration::from_secs(5), "beyond certbot: {:?}", downtime - certbot_took);
        let after = run("openssl", &["x509", "-noout", "-serial", "-in", "/etc/letsencrypt/live/prime/cert.pem"]);
        assert_ne!(before, after);
    });
}

#[test]
fn renew_case_20_and_21_and_32_and_36_and_55_and_56_what_would_not_come_back_is_not_stopped() {
    if !inside(
        "outage::cases::renew_case_20_and_21_and_32_and_36_and_55_and_56_what_would_not_come_back_is_not_stopped",
    ) {
        return;
    }
    block(async {
        let (wanted, context) = (wanted(), context());
        let reasons = async || -> Vec<&'static str> {
            outage::preflight(&wanted, &context).await.refusals.iter().map(|refusal| refusal.reason).collect()
        };
        // 32: a configuration that has been broken since it was started, by a name that no longer resolves.
        let conf = acme::folder().join("nginx/nginx.conf");
        let good = std::fs::read_to_string(&conf).unwrap();
        let broken = good.replace("return 200 \"Prime\\n\";", "proxy_pass http://gone.example.invalid;");
        assert_ne!(good, broken);
        std::fs::write(&conf, &broken).unwrap();
        let found = outage::preflight(&wanted, &context).await;
        assert!(found.refusals[0].why.contains("host not found in upstream"), "{:?}", found.refusals);
        let error = Outage::begin(found, &wanted, &context).await.unwrap_err().error;
        assert!(error.to_string().contains("host not found"), "{error}");
        assert_eq!((state(CONTAINER).as_str(), serves()), ("running", true), "nothing was stopped");
        std::fs::write(&conf, &good).unwrap();

        // 55: a folder that cannot be written to.
        run("mount", &["-t", "tmpfs", "-o", "size=64k", "tmpfs", "/var/log/letsencrypt"]);
        let full = preflight(&wanted, &context).await;
        let filled = attempt("dd", &["if=/dev/zero", "of=/var/log/letsencrypt/full", "bs=64k"]);
        assert!(!filled.status.success());
        let error = Outage::begin(full, &wanted, &context).await.unwrap_err().error;
        assert!(error.to_string().contains("/var/log/letsencrypt"), "{error}");
        assert_eq!(reasons().await, ["disk"]);
        run("umount", &["/var/log/letsencrypt"]);
        run("mount", &["-t", "tmpfs", "-o", "ro", "tmpfs", "/var/log/letsencrypt"]);
        let found = outage::preflight(&wanted, &context).await;
        let answer = Outage::begin(found, &wanted, &context).await;
        assert!(answer.is_err_and(|unbegun| unbegun.error.to_string().contains("/var/log/letsencrypt")));
        run("umount", &["/var/log/letsencrypt"]);
        assert_eq!((state(CONTAINER).as_str(), serves()), ("running", true));

        // 20: --rm. 36: never -t; this whole test has no terminal.
        run("docker", &["stop", CONTAINER]);
        let image = std::env::var("IMAGE").unwrap();
        let conf_mount = format!("{}:/etc/nginx/nginx.conf:ro", conf.display());
        let common = ["-v", "/etc/letsencrypt:/etc/letsencrypt:ro", "-v", &conf_mount];
        let start = |name: &str, options: &[&str]| {
            run(
                "docker",
                &[&["run", "-d", "--name", name], options, &common, &[&image, "nginx", "-g", "daemon off;"]].concat(),
            );
            assert!(wait_for(Duration::from_secs(20), serves), "{name} serves");
        };
        start("removed", &["--rm", "-p", "80:80", "-p", "443:443"]);
        assert_eq!(reasons().await, ["auto-remove"]);
        run("docker", &["rm", "-f", "removed"]);

        // 21: what a swarm's label says.
        start("managed", &["--label", "com.docker.swarm.task.id=x", "-p", "80:80", "-p", "443:443"]);
        assert_eq!(reasons().await, ["managed"]);
        run("docker", &["rm", "-f", "managed"]);

        // 18: the host's network, by the cgroup; and a range.
        start("hostnet", &["--network", "host"]);
        let found = preflight(&wanted, &context).await;
        assert_eq!(found.stops[0].title(), "the container `hostnet`");
        assert!(found.stops[0].how.contains("itself"), "{}", found.stops[0].how);
        run("docker", &["rm", "-f", "hostnet"]);
        start("range", &["-p", "80-81:80-81", "-p", "443:443"]);
        assert_eq!(preflight(&wanted, &context).await.stops[0].title(), "the container `range`");
        run("docker", &["rm", "-f", "range"]);

        // 19: something that nobody knows how to start again.
        let stranger = TcpListener::bind("0.0.0.0:80").unwrap();
        let found = outage::preflight(&wanted, &context).await;
        assert_eq!(found.refusals[0].reason, "unknown-holder");
        assert!(found.refusals[0].why.contains(&format!("process {}", std::process::id())), "{:?}", found.refusals);
        drop(stranger);

        run("docker", &["start", CONTAINER]);
        assert!(wait_for(Duration::from_secs(20), serves));

        // 56: an engine that does not answer; one that is not there at all. The port is held all the same.
        let looked = |name: &str, value: &str| {
            let output = rehearsal().env(name, value).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            assert!(text.contains("will not work"), "{name}={value}: {text}");
            text
        };
        let text = looked("DOCKER_HOST", "unix:///nowhere/docker.sock");
        assert!(text.contains("the container engine does not answer"), "{text}");
        let text = looked("PATH", "/nowhere");
        assert!(text.contains("docker-proxy"), "{text}");
    });
}

#[test]
fn renew_case_23_and_28_and_29_and_30_and_34_and_35_and_45_what_happens_meanwhile_does_not_keep_the_site_down() {
    if !inside(
        "outage::cases::renew_case_23_and_28_and_29_and_30_and_34_and_35_and_45_what_happens_meanwhile_does_not_keep_the_site_down",
    ) {
        return;
    }
    block(async {
        let (wanted, context) = (wanted(), context());
        // 23: somebody starts it between stop and start; it is found, told, and all is well.
        let outage = begun(&wanted, &context).await;
        run("docker", &["start", CONTAINER]);
        let ended = outage.end(&context).await;
        expect_back(&ended);
        let told =
            ended.findings.iter().find(|finding| finding.data.get("reason") == Some(&"started-meanwhile".into()));
        assert_eq!(told.map(|finding| finding.status), Some(Status::Warn), "{ended:?}");

        // 23 again: it is made anew under its name, with another id, and not started; it is started by its name.
        let outage = begun(&wanted, &context).await;
        let id = container(CONTAINER).unwrap()["Id"].clone();
        make_anew(&["create"]);
        let ended = outage.end(&context).await;
        expect_back(&ended);
        assert_ne!(container(CONTAINER).unwrap()["Id"], id);

        // And under another name: what answers in its place is as good.
        let outage = begun(&wanted, &context).await;
        run("docker", &["rename", CONTAINER, "other"]);
        run("docker", &["start", "other"]);
        let ended = outage.end(&context).await;
        assert!(ended.back && ended.findings.iter().any(|finding| finding.data["reason"] == "replaced"), "{ended:?}");
        run("docker", &["rename", "other", CONTAINER]);
        run("docker", &["update", "--restart=unless-stopped", CONTAINER]);
        assert_eq!(wrong(), [""; 0]);

        // 30: the port is taken for a moment when it is to be started.
        let outage = begun(&wanted, &context).await;
        let taken = TcpListener::bind("0.0.0.0:80").unwrap();
        let free = thread::spawn(move || {
            thread::sleep(Duration::from_secs(14));
            drop(taken);
        });
        let ended = outage.end(&context).await;
        free.join().unwrap();
        expect_back(&ended);
        assert!(ended.downtime.unwrap() > Duration::from_secs(10), "{ended:?}");

        // 28 and 45: certbot holds the port beyond its deadline, in processes that have left its group.
        let outage = begun(&wanted, &context).await;
        let holds =
            Run::new("sh").args(["-c", "python3 -m http.server 80 & exec sleep 600"]).timeout(Duration::from_secs(2));
        assert!(matches!(outage.run(holds, &context).await, Err(Failure::TimedOut(_))));
        let holds =
            Run::new("sh").args(["-c", "python3 -m http.server 80 >/dev/null 2>&1 & trap '' TERM; sleep 1; exit 0"]);
        outage.run(holds.timeout(Duration::from_secs(20)), &context).await.unwrap();
        let ended = outage.end(&context).await;
        expect_back(&ended);

        // 34: one that was paused is paused again. It answers nothing before, so nothing is proved by an answer.
        run("docker", &["pause", CONTAINER]);
        let found = outage::preflight(&wanted, &context).await;
        assert!(found.may_stop() && found.notes[0].contains("paused"), "{found:?}");
        assert!(matches!(&found.stops[0].owed, Owed::Container { paused: true, .. }));
        let outage = Outage::begin(found, &wanted, &context).await.unwrap();
        assert_eq!(state(CONTAINER), "exited");
        assert!(outage.end(&context).await.back);
        assert_eq!((state(CONTAINER).as_str(), policy().as_str()), ("paused", "unless-stopped"));
        run("docker", &["unpause", CONTAINER]);
        assert!(wait_for(Duration::from_secs(10), serves));

        // 35: a first process that ignores TERM is killed after its grace, and that is part of the downtime.
        run("docker", &["stop", CONTAINER]);
        let image = std::env::var("IMAGE").unwrap();
        let script = "trap '' TERM QUIT; while :; do sleep 1; done";
        run(
            "docker",
            &["run", "-d", "--name", "deaf", "-p", "80:80", "--stop-timeout", "2", &image, "sh", "-c", script],
        );
        let found = outage::preflight(&wanted, &context).await;
        assert_eq!(found.stops[0].grace, 2);
        let begin = Instant::now();
        let outage = Outage::begin(found, &wanted, &context).await.unwrap();
        assert!((2..6).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
        assert!(outage.end(&context).await.downtime.unwrap() >= Duration::from_secs(2));
        run("docker", &["rm", "-f", "deaf"]);

        // 29: certbot in a container whose client is killed lives on and holds 80.
        run("docker", &["start", CONTAINER]);
        assert!(wait_for(Duration::from_secs(10), serves));
        let in_a_container = Wanted { engine: Some("docker".into()), ..wanted.clone() };
        let outage = begun(&in_a_container, &context).await;
        let name = outage.certbot().container();
        let client = Run::new("docker")
            .args(["run", "--rm", "--name", &name, "-p", "80:80", &image, "python3", "-m", "http.server", "80"])
            .timeout(Duration::from_secs(4));
        assert!(matches!(outage.run(client, &context).await, Err(Failure::TimedOut(_))));
        let ended = outage.end(&context).await;
        expect_back(&ended);
    });
}

#[test]
fn renew_case_19_a_unit_is_stopped_and_started_by_systemctl() {
    // systemd is scripted: nginx is real, and is in a control group as systemd would put it there.
    if !inside_of("host", "outage::cases::renew_case_19_a_unit_is_stopped_and_started_by_systemctl") {
        return;
    }
    block(async {
        let (wanted, context) = (wanted(), context());
        let found = preflight(&wanted, &context).await;
        assert_eq!((found.stops.len(), found.stops[0].title().as_str()), (1, "the unit `nginx.service`"));
        assert!(found.stops[0].how.starts_with("runs `nginx`"), "{}", found.stops[0].how);
        assert_eq!(found.stops[0].stop_by_hand(), "systemctl stop nginx.service");
        let outage = Outage::begin(found, &wanted, &context).await.unwrap();
        assert!(!serves());
        let output = outage.run(certbot(), &context).await.unwrap();
        assert!(output.success(), "{}", output.complaint());
        let ended = outage.end(&context).await;
        assert!(ended.back && serves(), "{ended:?}");
        println!("downtime {:?}", ended.downtime.unwrap());
        assert!(!Path::new("/var/lib/mainstay/journal.json").exists());

        // What is not listed is not stopped.
        let named = Wanted { stop: Some(vec!["other.service".into()]), ..wanted.clone() };
        let reasons: Vec<_> =
            outage::preflight(&named, &context).await.refusals.iter().map(|refusal| refusal.reason).collect();
        assert_eq!(reasons, ["not-listed", "unit-gone"]);

        // 32: the same for a unit.
        let conf = acme::folder().join("nginx/nginx.conf");
        let good = std::fs::read_to_string(&conf).unwrap();
        std::fs::write(&conf, good.replace("worker_processes 1;", "worker_processes x;")).unwrap();
        let reasons: Vec<_> =
            outage::preflight(&wanted, &context).await.refusals.iter().map(|refusal| refusal.reason).collect();
        assert_eq!((reasons, serves()), (vec!["nginx-test"], true));
    });
}

#[test]
fn renew_case_31_a_crash_loop_is_not_taken_for_being_back_and_the_journal_stays_open() {
    if !inside("outage::cases::renew_case_31_a_crash_loop_is_not_taken_for_being_back_and_the_journal_stays_open") {
        return;
    }
    block(async {
        let (wanted, context) = (wanted(), context());
        let conf = acme::folder().join("nginx/nginx.conf");
        let good = std::fs::read_to_string(&conf).unwrap();
        let outage = begun(&wanted, &context).await;
        std::fs::write(&conf, good.replace("worker_processes 1;", "worker_processes x;")).unwrap();
        let ended = outage.end(&context).await;
        assert!(!ended.back, "{ended:?}");
        let loud =
            ended.findings.iter().find(|finding| finding.data.get("reason") == Some(&"site-down".into())).unwrap();
        assert!(loud.summary.starts_with("the site is not back up"), "{loud:?}");
        assert_eq!(loud.by_hand.as_deref(), Some(&*format!("docker start {CONTAINER}")));
        assert!(Path::new("/var/lib/mainstay/journal.json").exists(), "it is still owed");
        // The guardian took over, and is at work now; what is mended is found by it or by the next run.
        std::fs::write(&conf, &good).unwrap();
        let next = attempt(PROGRAM, &["renew-cert", "--recover"]);
        assert!(next.status.success(), "{}", String::from_utf8_lossy(&next.stdout));
        wait_for(Duration::from_secs(5), || acme::guardian().is_none());
        assert_eq!(wrong(), [""; 0]);

        // One that was unhealthy before is back when it runs and answers, and that is told.
        make_anew(&["run", "-d", "--health-cmd", "false", "--health-interval", "1s", "--health-retries", "1"]);
        let health = || container(CONTAINER).map(|found| found["State"]["Health"]["Status"].clone());
        assert!(wait_for(Duration::from_secs(20), || health() == Some("unhealthy".into()) && serves()));
        let found = outage::preflight(&wanted, &context).await;
        assert!(found.may_stop() && found.notes[0].contains("unhealthy already"), "{found:?}");
        let ended = Outage::begin(found, &wanted, &context).await.unwrap().end(&context).await;
        expect_back(&ended);
        assert!(ended.findings.iter().any(|finding| finding.data["reason"] == "unhealthy-before"), "{ended:?}");
    });
}

#[test]
fn renew_case_24_and_25_and_27_the_engine_and_the_guardian_start_it_alone() {
    if !inside("outage::cases::renew_case_24_and_25_and_27_the_engine_and_the_guardian_start_it_alone") {
        return;
    }
    // 24: the engine restarts while certbot has the port: it cannot start the container, and never tries again.
    let engine = block(async {
        let (wanted, context) = (wanted(), context());
        let outage = begun(&wanted, &context).await;
        let certbot = TcpListener::bind("0.0.0.0:80").unwrap();
        let engine = restart_engine(None);
        thread::sleep(Duration::from_secs(1));
        assert_ne!(state(CONTAINER), "running");
        drop(certbot);
        let ended = outage.end(&context).await;
        expect_back(&ended);
        engine
    });

    // 27: kill -9 of the run; nobody runs anything, and the guardian alone brings it back.
    let mut child = start();
    assert!(wait_for(Duration::from_secs(20), || state(CONTAINER) == "exited"), "it is stopped");
    child.kill().unwrap();
    child.wait().unwrap();
    let begun = Instant::now();
    assert!(wait_for(Duration::from_secs(30), serves), "the guardian starts it");
    println!("the guardian had it back after {:?}", begun.elapsed());
    assert!(wait_for(Duration::from_secs(40), || wrong().is_empty()), "{:?}", wrong());

    // 25: the run and the guardian are killed, and the engine restarts (which stands for a reboot): the lease.
    let mut child = start();
    assert!(wait_for(Duration::from_secs(20), || state(CONTAINER) == "exited"), "it is stopped");
    kill_process(acme::guardian().and_then(Pid::from_raw).expect("a guardian"), Signal::KILL).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    thread::sleep(Duration::from_secs(1));
    assert!(!serves() && policy() == "always");
    let state_of_world = State::at("/var/lib/mainstay".into());
    assert!(matches!(state_of_world.owed().unwrap(), Peek::Unfinished(_)));
    let finding = outage::unfinished(&state_of_world, &context()).unwrap().unwrap();
    assert_eq!((finding.status, finding.fix.as_deref()), (Status::Fail, Some("run `mainstay renew-cert --recover`")));
    let looked = attempt(PROGRAM, &["check", "https://prime.example.test/", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_slice(&looked.stdout).unwrap();
    assert_eq!((&report["findings"][0]["id"], looked.status.code()), (&"renew-cert.outage".into(), Some(1)));
    let engine = restart_engine(Some(engine));
    assert!(wait_for(Duration::from_secs(30), serves), "the engine starts it");
    let next = attempt(PROGRAM, &["renew-cert", "--recover"]);
    assert!(next.status.success(), "{}", String::from_utf8_lossy(&next.stdout));
    assert_eq!(wrong(), [""; 0]);
    end_engine(engine);
}

/// Removes the container and makes it anew, as `compose up` does when its configuration has changed.
fn make_anew(verb: &[&str]) {
    run("docker", &["rm", "-f", CONTAINER]);
    let (image, folder) = (std::env::var("IMAGE").expect("a world"), acme::folder());
    let mount = |from: &str, to: &str| format!("{}:{to}:ro", folder.join(from).display());
    let (webroot, conf) = (mount("webroot", "/var/www/acme"), mount("nginx/nginx.conf", "/etc/nginx/nginx.conf"));
    let options = ["--name", CONTAINER, "--restart", "unless-stopped", "-p", "80:80", "-p", "443:443"];
    let mounts = ["-v", "/etc/letsencrypt:/etc/letsencrypt:ro", "-v", &webroot, "-v", &conf];
    run("docker", &[verb, &options, &mounts, &[&image, "nginx", "-g", "daemon off;"]].concat());
}

/// Ends the world's engine, which may be one that was started here before, and starts another on its data.
fn restart_engine(before: Option<Child>) -> Child {
    let pid = std::fs::read_to_string(acme::folder().join("run/dockerd")).expect("the engine's pid");
    let pid: i32 = pid.trim().parse().expect("a number");
    let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).expect("the engine runs");
    let words: Vec<String> =
        arguments.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    kill_process(Pid::from_raw(pid).expect("a pid"), Signal::TERM).expect("the engine");
    if let Some(mut before) = before {
        before.wait().expect("a child of ours");
    }
    assert!(wait_for(Duration::from_secs(30), || has_ended(pid)), "the engine ends");
    let engine = Command::new(&words[0])
        .args(words[1..].iter().filter(|word| !word.is_empty()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("dockerd");
    assert!(wait_for(Duration::from_secs(40), || attempt("docker", &["version"]).status.success()));
    engine
}

/// Whether a process is gone, or a zombie that its parent has not looked at yet.
fn has_ended(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

/// The world's own end knows nothing of this engine.
fn end_engine(mut engine: Child) {
    attempt("docker", &["rm", "-f", CONTAINER]);
    kill_process(Pid::from_child(&engine), Signal::TERM).expect("a child of ours");
    engine.wait().expect("a child of ours");
}
