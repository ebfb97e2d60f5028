//! The runbook's system for real, driven by a short configuration: all is well, then one fault at a time.

use serde_json::Value;

use crate::{
    bed::{ADDRESS, Bed, CONFIG},
    program::{Run, findings, statuses},
};

/// What every run on the bed must look at.
const LOOKED_AT: &[&str] = &[
    "tls.chain",
    "tls.name",
    "tls.validity",
    "tls.key",
    "tls.protocols",
    "tls.hygiene",
    "tls.served",
    "http.status",
    "http.redirect",
    "http.hsts",
    "http.host",
    "nginx.config",
    "nginx.headers",
    "nginx.fresh",
    "gunicorn.trust",
    "gunicorn.settings",
    "gunicorn.exposed",
    "oauth.redirect",
];

#[test]
fn all_is_well() {
    let Some(bed) = Bed::up("site::all_is_well") else { return };
    assert!(CONFIG.lines().count() <= 10, "more than ten lines:\n{CONFIG}");
    let run = look(&bed);
    run.expect_code(0);
    let report = run.json();
    for id in LOOKED_AT {
        let statuses = statuses(&report, id);
        assert!(!statuses.is_empty(), "{id} was not looked at: {run}");
        assert!(statuses.iter().all(|status| *status == "pass"), "{id}: {statuses:?}: {run}");
    }
    assert_eq!(report["status"], "pass", "{run}");
    assert_eq!(failures(&bed), Vec::<String>::new());
    let headers = &findings(&report, "nginx.headers")[0]["data"]["headers"];
    assert_eq!(headers["X-Forwarded-Proto"]["value"], "$scheme", "{headers}");
    let settings = &findings(&report, "gunicorn.settings")[0]["data"]["settings"];
    assert_eq!(settings["workers"]["value"].to_string().trim_matches('"'), "3", "{settings}");

    let human = bed.world.run_on_terminal(80, &["check", "--color", "never", "--no-progress"]);
    human.expect_code(0);
    assert!(human.stdout.lines().all(|line| line.chars().count() <= 80), "wider than 80 columns: {human}");
    let quiet = bed.world.run(&["check", "--quiet"]);
    assert_eq!((quiet.code, quiet.stdout.as_str(), quiet.stderr.as_str()), (Some(0), "", ""), "{quiet}");
    let explained = bed.world.run(&["check", "--explain"]);
    explained.expect_code(0).expect_text("docker exec prime_webtool_nginx_1 nginx ").expect_text("openssl s_client");
    let outside = bed.world.run(&[
        "check",
        "https://prime.example.test",
        "--resolve",
        &format!("prime.example.test:443:{ADDRESS}"),
        "--resolve",
        &format!("prime.example.test:80:{ADDRESS}"),
        "--ca-file",
        "bed/ca/root.pem",
    ]);
    outside.expect_code(0);
}

#[test]
fn a_header_dropped_in_a_location() {
    let Some(bed) = Bed::up("site::a_header_dropped_in_a_location") else { return };
    bed.fault("header-dropped");
    let report = fails(&bed, "nginx.headers", &["X-Forwarded-Proto", "prime.conf"]);
    // One cause: what follows from it names it.
    let login = findings(&report, "oauth.redirect");
    assert!(login.iter().any(|finding| finding["status"] == "fail"), "{login:?}");
    assert!(
        login.iter().any(|finding| finding["cause"].as_str().is_some_and(|cause| cause.contains("X-Forwarded-Proto"))),
        "{login:?}"
    );
    assert_eq!(statuses(&report, "gunicorn.trust"), ["pass"]);
}

#[test]
fn gunicorn_with_two_workers() {
    let Some(bed) = Bed::up("site::gunicorn_with_two_workers") else { return };
    bed.fault("two-workers");
    let report = fails(&bed, "gunicorn.settings", &["workers", "2", "3"]);
    assert_eq!(statuses(&report, "oauth.redirect"), ["pass"]);
    assert!(statuses(&report, "nginx.headers").iter().all(|status| *status == "pass"));
}

#[test]
fn an_expired_certificate() {
    let Some(bed) = Bed::up("site::an_expired_certificate") else { return };
    bed.fault("expired");
    let report = fails(&bed, "tls.validity", &["expired", "10 days"]);
    // What else can be said of the certificate is said.
    assert!(statuses(&report, "tls.name").iter().all(|status| *status == "pass"));
    assert!(statuses(&report, "tls.served").iter().all(|status| *status == "pass"));
}

#[test]
fn no_redirect() {
    let Some(bed) = Bed::up("site::no_redirect") else { return };
    bed.fault("no-redirect");
    fails(&bed, "http.redirect", &["200"]);
}

#[test]
fn the_login_asks_to_be_sent_back_over_http() {
    let Some(bed) = Bed::up("site::the_login_asks_to_be_sent_back_over_http") else { return };
    bed.fault("redirect-http");
    let report = fails(&bed, "oauth.redirect", &["redirect_uri", "http://prime.example.test/auth/callback"]);
    assert!(statuses(&report, "nginx.headers").iter().all(|status| *status == "pass"));
    assert_eq!(statuses(&report, "gunicorn.trust"), ["pass"]);
}

#[test]
fn an_edited_configuration_that_is_not_loaded() {
    let Some(bed) = Bed::up("site::an_edited_configuration_that_is_not_loaded") else { return };
    bed.fault("not-reloaded");
    fails(&bed, "nginx.fresh", &["reload"]);
}

#[test]
fn gunicorn_that_does_not_trust_nginx() {
    let Some(bed) = Bed::up("site::gunicorn_that_does_not_trust_nginx") else { return };
    bed.fault("untrusted");
    let report = fails(&bed, "gunicorn.trust", &["127.0.0.1"]);
    let login = findings(&report, "oauth.redirect");
    assert!(
        login.iter().any(|finding| finding["cause"].as_str().is_some_and(|cause| cause.contains("gunicorn"))),
        "{login:?}"
    );
}

#[test]
fn a_configuration_that_does_not_parse() {
    let Some(bed) = Bed::up("site::a_configuration_that_does_not_parse") else { return };
    bed.fault("not-parsing");
    let run = look(&bed);
    let report = run.json();
    assert!(statuses(&report, "nginx.config").iter().any(|status| *status != "pass"), "{run}");
    assert!(statuses(&report, "nginx.headers").iter().all(|status| *status != "pass"), "{run}");
    assert!(matches!(run.code, Some(1 | 3)), "{run}");
    run.expect_text("is not terminated by").expect_text("/etc/nginx/conf.d/prime.conf:37");
}

#[test]
fn nginx_is_stopped() {
    let Some(bed) = Bed::up("site::nginx_is_stopped") else { return };
    bed.fault("nginx-stopped");
    let run = look(&bed);
    run.expect_code(1).expect_text("refused").expect_text("not running");
    assert!(statuses(&run.json(), "nginx.headers").iter().all(|status| *status != "pass"), "{run}");
}

#[test]
fn gunicorn_is_stopped_or_gone() {
    let Some(bed) = Bed::up("site::gunicorn_is_stopped_or_gone") else { return };
    for (fault, text) in [("web-stopped", "not running"), ("web-absent", "no container")] {
        bed.fault(fault);
        let run = look(&bed);
        run.expect_code(1).expect_text(text);
        let report = run.json();
        assert_eq!(statuses(&report, "http.status"), ["fail"], "{run}");
        for id in ["gunicorn.settings", "gunicorn.trust", "gunicorn.exposed"] {
            let statuses = statuses(&report, id);
            assert!(!statuses.is_empty() && statuses.iter().all(|status| *status != "pass"), "{id}: {run}");
        }
    }
}

#[test]
fn gunicorn_that_trusts_everybody_is_published() {
    let Some(bed) = Bed::up("site::gunicorn_that_trusts_everybody_is_published") else { return };
    bed.fault("web-published");
    let run = look(&bed);
    let statuses = statuses(&run.json(), "gunicorn.exposed").join(" ");
    assert_eq!(statuses, "warn", "published on a loopback address only: {run}");
    run.expect_text("8000");
}

/// `mainstay check` with both a report on standard output and a JUnit file.
fn look(bed: &Bed) -> Run {
    bed.world.run(&["check", "--format", "json", "--output", "junit=check.xml"])
}

/// The run must fail because of this check, say all of these words in its finding, and tell CI so.
#[track_caller]
fn fails(bed: &Bed, id: &str, words: &[&str]) -> Value {
    let run = look(bed);
    run.expect_code(1);
    let report = run.json();
    let failed: Vec<String> = findings(&report, id)
        .iter()
        .filter(|finding| finding["status"] == "fail")
        .map(|finding| finding.to_string())
        .collect();
    assert!(!failed.is_empty(), "{id} did not fail: {run}");
    for word in words {
        assert!(failed.iter().any(|finding| finding.contains(word)), "{id} does not say `{word}`: {failed:#?}");
    }
    let junit = failures(bed);
    assert!(junit.iter().any(|name| name.contains(id)), "{id} is not among the failures for CI: {junit:?}");
    report
}

/// The failed test cases of the JUnit file of the last run.
fn failures(bed: &Bed) -> Vec<String> {
    let text = std::fs::read_to_string(bed.world.folder().join("check.xml")).expect("the JUnit file");
    let document = roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("no XML ({error}):\n{text}"));
    assert!(document.descendants().any(|node| node.has_tag_name("testcase")), "no test case:\n{text}");
    document
        .descendants()
        .filter(|node| node.has_tag_name("testcase"))
        .filter(|node| node.children().any(|child| child.has_tag_name("failure") || child.has_tag_name("error")))
        .map(|node| format!("{} {}", node.attribute("classname").unwrap_or(""), node.attribute("name").unwrap_or("")))
        .collect()
}
