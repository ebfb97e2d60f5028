//! `mainstay renew-cert` for real: the binary, certbot, an authority, and nginx in a container or on the host. What a visitor
//! notices of it is `outage::renewal`'s business.

use std::{fs, time::Instant};

use crate::{
    acme::{CONTAINER, attempt, folder, inside, inside_of, run, wrong},
    cron::{CONF, LIVE, configure, mainstay, serial, served},
};

/// Orders that the authority has seen.
fn orders() -> usize {
    let log = fs::read_to_string(folder().join("log/pebble")).unwrap_or_default();
    log.lines().filter(|line| line.contains("order")).count()
}

#[test]
fn renew_case_01_and_02_and_12_and_16_and_17_by_webroot_through_the_container() {
    if !inside("renewal::renew_case_01_and_02_and_12_and_16_and_17_by_webroot_through_the_container") {
        return;
    }
    configure(&format!("reload = {{ container = \"{CONTAINER}\" }}"));
    let (before, conf) = (serial(LIVE), fs::read_to_string(CONF).unwrap());

    // Nothing due: no certbot, no order, nothing said.
    let asked = orders();
    let idle = mainstay(&[]).ended(0);
    assert_eq!((idle.finding("certificate.due", "early")["status"].as_str(), orders()), (Some("pass"), asked));
    assert!(
        mainstay(&["--dry-run", "--force"]).ended(0).report["plan"]["steps"][0]["reason"]
            .as_str()
            .unwrap()
            .contains(CONTAINER)
    );
    assert_eq!(serial(LIVE), before);

    let ran = mainstay(&["--force"]).ended(0);
    assert_eq!(
        (ran.outcome("prove"), ran.outcome("renew"), ran.outcome("reload")),
        (Some("done"), Some("done"), Some("done"))
    );
    assert_eq!(
        (ran.finding("certificate.renew", "")["data"]["method"].as_str(), ran.outcome("stop")),
        (Some("webroot"), None)
    );
    assert_ne!(serial(LIVE), before);
    assert_eq!(serial(LIVE), served());
    assert_eq!(fs::read_to_string(CONF).unwrap(), conf, "the renewal file is as it was");
    assert_eq!(wrong(), [""; 0]);

    // Renewed by somebody who does not reload.
    run(
        "certbot",
        &[
            "renew",
            "-n",
            "--cert-name",
            "prime",
            "--force-renewal",
            "--no-random-sleep-on-renew",
            "--webroot",
            "-w",
            &folder().join("webroot").to_string_lossy(),
        ],
    );
    assert_ne!(serial(LIVE), served());
    let repaired = mainstay(&[]).ended(0);
    repaired.finding("certificate.due", "repair");
    assert_eq!(serial(LIVE), served());

    // A folder that nginx does not serve: the authority is not asked.
    fs::write(CONF, &conf).unwrap();
    configure(&format!(
        "method = \"webroot\"\nwebroot = \"{}\"\nreload = {{ container = \"{CONTAINER}\" }}",
        folder().join("elsewhere").display()
    ));
    let asked = orders();
    let refused = mainstay(&["--force"]).ended(1);
    assert!(refused.finding("certificate.renew", "probe-failed")["observed"].as_str().unwrap().contains("404"));
    assert_eq!(orders(), asked);
    assert!(!folder().join("elsewhere").exists(), "nothing is left of the probe");

    // Back to the certificate before, and forward again.
    let newest = serial(LIVE);
    configure(&format!("reload = {{ container = \"{CONTAINER}\" }}"));
    mainstay(&["prime", "--rollback"]).ended(0);
    assert!(serial(LIVE) != newest && served() == serial(LIVE));
    mainstay(&["prime", "--repair"]).ended(0);
    assert!(serial(LIVE) == newest && served() == newest);
}

#[test]
fn renew_case_18_and_35_standalone_stops_the_container_for_the_renewal_and_says_for_how_long() {
    if !inside("renewal::renew_case_18_and_35_standalone_stops_the_container_for_the_renewal_and_says_for_how_long") {
        return;
    }
    configure(&format!("method = \"standalone\"\nreload = {{ container = \"{CONTAINER}\" }}"));
    let before = serial(LIVE);
    let plan = mainstay(&["--force", "--dry-run"]).ended(0);
    let actions: Vec<&str> =
        plan.report["plan"]["steps"].as_array().unwrap().iter().filter_map(|step| step["action"].as_str()).collect();
    assert_eq!(actions, ["stop", "renew", "start", "reload", "verify"]);
    // A rehearsal stops nothing unasked.
    let rehearsal = mainstay(&["--staging"]).ended(3);
    rehearsal.finding("certificate.renew", "would-stop");
    assert_eq!(serial(LIVE), before);
    let begun = Instant::now();
    let ran = mainstay(&["--force"]).ended(0);
    let renewed = ran.finding("certificate.renew", "");
    let away = renewed["data"]["downtime_seconds"].as_f64().expect("the downtime");
    println!("the site was away for {away} s, the run took {:.1} s", begun.elapsed().as_secs_f64());
    assert!(away > 0.0 && away < begun.elapsed().as_secs_f64(), "{renewed:#}");
    assert!(serial(LIVE) != before && served() == serial(LIVE));
    assert_eq!(wrong(), [""; 0]);
}

#[test]
fn renew_case_03_and_19_on_the_host_with_a_unit_and_a_first_request() {
    if !inside_of("host", "renewal::renew_case_03_and_19_on_the_host_with_a_unit_and_a_first_request") {
        return;
    }
    configure("reload = { systemd = \"nginx\" }");
    let before = serial(LIVE);
    let ran = mainstay(&["--force"]).ended(0);
    assert_eq!(ran.finding("certificate.renew", "")["data"]["method"], "webroot");
    assert!(serial(LIVE) != before && served() == serial(LIVE));

    let before = serial(LIVE);
    configure("method = \"standalone\"\nreload = { systemd = \"nginx\" }");
    let ran = mainstay(&["--force"]).ended(0);
    assert_eq!(
        (ran.finding("certificate.renew", "")["data"]["method"].as_str(), ran.outcome("start")),
        (Some("standalone"), Some("done"))
    );
    assert!(serial(LIVE) != before && served() == serial(LIVE));

    // A lineage that does not exist: nothing without the operator's word.
    let path = folder().join("mainstay.toml");
    let first = |agree: bool| {
        let text = format!(
            "[certificate.second]\nnames = [\"www.prime.example.test\"]\nagree_tos = {agree}\nserver = \"https://127.0.0.1:14000/dir\"\n"
        );
        fs::write(&path, text).unwrap();
        mainstay(&[])
    };
    first(false).ended(1).finding("certificate.renew", "agree-tos");
    let ran = first(true).ended(1);
    assert_eq!(ran.outcome("request"), Some("done"), "{:#}", ran.report);
    assert!(attempt("test", &["-L", "/etc/letsencrypt/live/www.prime.example.test/privkey.pem"]).status.success());
    // nginx reads another lineage, and that is said, whatever certbot says.
    assert_eq!(ran.finding("tls.served", "not-reloaded")["status"], "fail");
    ran.finding("certificate.renew", "no-reload");
}
