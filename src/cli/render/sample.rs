//! The rich, fixed reports that every format's snapshot is taken from.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::View;
use crate::{
    error::{Error, Kind},
    report::{Finding, Outcome, Plan, Report, Risk, State, Step},
};

/// Compares a text with `tests/snapshots/render/NAME.snap`; escapes are shown as `␛`, our version as
/// VERSION.
pub(super) fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../tests/snapshots/render");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let text = text.replace('\u{1b}', "␛").replace(concat!('"', env!("CARGO_PKG_VERSION"), '"'), "\"VERSION\"");
    settings.bind(|| insta::assert_snapshot!(name, text));
}

pub(super) fn now() -> Timestamp {
    "2026-11-23T18:00:00.5Z".parse().unwrap()
}

pub(super) fn view() -> View {
    View { checkout: Some("/home/runner/work/prime".into()), ..View::plain("check", now()) }
}

/// Two sites: one is fine, the other has every status, a root cause with two symptoms, notes and hostile text.
pub(super) fn report() -> Report {
    let mut report = Report::new("check", "web-1", now());
    report.took = Duration::from_micros(421_337);
    let headers = Finding::fail(
        "nginx.headers",
        "prime",
        "the application does not receive X-Forwarded-Proto, X-Forwarded-Host and X-Forwarded-Port",
    )
    .expected("X-Forwarded-Proto: $scheme\nX-Forwarded-Host: $host\nX-Forwarded-Port: $server_port")
    .observed("none of them: `location /` at nginx.conf:31 sets a header of its own")
    .cause(
        "proxy_set_header is inherited only by a level that sets none; the line 31 drops the three that the server \
         sets at nginx.conf:12",
    )
    .fix("repeat the three lines inside `location /`, or move the header of line 31 up to the server")
    .by_hand("docker exec prime_webtool_nginx_1 nginx -T | grep -n -e 'proxy_set_header' -e 'location' -e 'server_name prime.example.edu'")
    .data("reason", "not-inherited")
    .data("at", "/home/runner/work/prime/deploy/nginx.conf:31")
    .data("server", "prime.example.edu")
    .data("location", "/")
    .data("upstream", "http://web:8000")
    .data("headers", json!({ "Host": { "value": "$host", "at": "nginx.conf:31", "values": [{ "value": "$host", "at": "nginx.conf:31" }] } }));
    let gunicorn = Finding::warn("gunicorn.settings", "prime", "3 workers, but 2 threads instead of 4")
        .expected("threads = 4")
        .observed("threads = 2 (argv)")
        .fix("start gunicorn with `--threads 4`")
        .data(
            "settings",
            json!({ "workers": { "value": 3, "source": "argv" }, "threads": { "value": 2, "source": "argv" } }),
        );
    let timed = |mut finding: Finding, millis: u64| {
        finding.took = Duration::from_millis(millis);
        finding
    };
    report.findings = vec![
        timed(Finding::pass("tls.chain", "prime", "2 certificates lead to ISRG Root X1"), 31),
        timed(
            Finding::pass("tls.validity", "prime", "61 days left, until 2027-01-23")
                .expected("more than 22 days")
                .observed("notAfter 2027-01-23T09:12:00Z")
                .by_hand("openssl s_client -connect prime.example.edu:443 -servername prime.example.edu </dev/null | openssl x509 -noout -dates")
                .data("not_after", "2027-01-23T09:12:00Z")
                .data("days_left", 61)
                .data("warn_days", 22)
                .data("fail_days", 9),
            31,
        ),
        Finding::pass("tls.hygiene", "prime", "nothing that breaks a client")
            .data("notes", json!(["the root itself is sent too: 1 kB on every handshake"])),
        timed(headers.clone(), 120),
        Finding::unknown("nginx.fresh", "prime", "the container's processes cannot be listed")
            .cause("docker: permission denied on /var/run/docker.sock")
            .fix("add the user to the group `docker`, or run with sudo"),
        Finding::fail("oauth.redirect", "prime", "the redirect_uri is http://prime.example.edu/auth/callback").because_of(&headers),
        Finding::fail("http.redirect", "prime", "leads to http://prime.example.edu:8000/").because_of(&headers),
        gunicorn,
        Finding::warn("http.host", "prime", "answers for a foreign Host")
            .observed("HTTP/1.1 200 OK\r\nServer: \u{1b}[31mnginx\u{1b}[0m \u{202e}evil|\t100% <b>&amp;</b> ]]>")
            .fix("see https://prime.example.edu/docs/a-very-long-path-that-does-not-fit-into-eighty-columns/at-all/index.html"),
        Finding::skip("gunicorn.exposed", "prime", "no container to look at"),
        timed(Finding::pass("tls.chain", "10.0.0.7:8443", "1 certificate, trusted by its fingerprint"), 12),
        timed(Finding::pass("http.status", "10.0.0.7:8443", "200"), 4),
    ];
    report
}

/// A site where nobody listens: one root, what could not be looked at because of it, and what does not apply.
pub(super) fn dead() -> Report {
    let mut report = Report::new("check", "web-1", now());
    report.took = Duration::from_millis(51);
    let chain = Finding::fail("tls.chain", "prime", "the connection was refused")
        .expected("a TLS handshake")
        .fix("start the server, or publish its port");
    let status = Finding::fail("http.status", "prime", "no answer: the connection was refused").because_of(&chain);
    let blind = |id, text: &str, root| Finding::unknown(id, "prime", text).because_of(root);
    let ids = ["tls.name", "tls.validity", "tls.key", "tls.hygiene"];
    report.findings = vec![chain.clone()];
    report.findings.extend(ids.map(|id| blind(id, "no certificate could be looked at", &chain)));
    report.findings.push(blind("tls.protocols", "no handshake could be looked at", &chain));
    report.findings.push(status.clone());
    report.findings.extend(["http.hsts", "http.host"].map(|id| blind(id, "there is no answer to look at", &status)));
    let absent = "no `[site.prime.nginx]` section says where nginx is";
    let ids = ["nginx.config", "nginx.headers", "nginx.fresh", "tls.served"];
    report.findings.extend(ids.map(|id| Finding::skip(id, "prime", absent)));
    report.findings.push(Finding::pass("gunicorn.trust", "prime", "believes the peer 172.18.0.3"));
    report
}

/// A run that changes something, seen with its plan.
pub(super) fn changes() -> Report {
    let mut report = Report::new("renew-cert", "web-1", now());
    report.took = Duration::from_secs(65);
    let mut plan = Plan::new("renew the certificate `prime` (prime.example.edu), which ends in 9 days");
    let step = |action: &'static str, target: &str, reason: &str, risk| Step {
        action,
        target: target.to_owned(),
        reason: reason.to_owned(),
        risk,
        requires: vec![],
        owed: action == "start",
    };
    plan.steps = vec![
        step("stop", "container web", "it holds port 80, which certbot needs for its own server", Risk::Disruptive),
        step(
            "renew",
            "prime",
            "less than 22 days are left, and the authority asks for a renewal before 2026-11-30",
            Risk::Safe,
        ),
        step("start", "container web", "it was running before", Risk::Safe),
    ];
    plan.notes = vec!["the site is away for about 20 s".to_owned()];
    report.plan = serde_json::to_value(plan).ok();
    let outcome = |action: &str, target: &str, state, detail: &str, fix: Option<&str>| Outcome {
        action: action.to_owned(),
        target: target.to_owned(),
        state,
        detail: detail.to_owned(),
        fix: fix.map(str::to_owned),
    };
    report.outcomes = vec![
        outcome("stop", "container web", State::Done, "after 2 s", None),
        outcome(
            "renew",
            "prime",
            State::Failed,
            "certbot exited with status 1: too many certificates already issued",
            Some("wait until 2026-11-24T02:00:00Z, or use --staging"),
        ),
        outcome("reload", "nginx", State::Skipped, "there is no new certificate", None),
        outcome("start", "container web", State::Done, "after 1 s", None),
    ];
    report
}

/// An error with everything: a chain, the excerpt of a file and two hints.
pub(super) fn error() -> Error {
    Error::new(Kind::Config, "read `mainstay.toml`")
        .because("1 error")
        .because(
            "error: unknown key `contians`\n --> /srv/prime/mainstay.toml:4:1\n  |\n4 | contians = \"<title>Prime</title>\"\n  | ^^^^^^^^ did you mean `contains`?",
        )
        .hint("correct the file, then try `mainstay config check`")
        .hint("`mainstay config schema` prints every key that there is")
}
