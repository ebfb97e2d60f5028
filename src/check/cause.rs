//! One cause, not five symptoms: joins the findings of one site where one explains another.

use crate::report::{Finding, Status};

/// A rule: a symptom that a root explains. The first rule that holds names the cause.
struct Link {
    symptom: fn(&Finding) -> bool,
    root: fn(&Finding) -> bool,
}

/// From the browser inwards: what the login shows, what gunicorn believes, what nginx passes on.
const LINKS: &[Link] = &[
    // A scheme header that nginx does not set leaves the application at http, so it builds http addresses.
    Link { symptom: shows_http_scheme, root: loses_scheme },
    // The header arrives, but gunicorn does not believe the peer that sent it.
    Link { symptom: shows_http_scheme, root: distrusts_proxy },
    // Both are right in the files, and nginx has not loaded them.
    Link { symptom: shows_http_scheme, root: waits_for_reload },
    // Where no connection comes about there is no answer either.
    Link { symptom: has_no_answer, root: has_no_connection },
    // A server that does not run takes no connection, and one without its application has no answer.
    Link { symptom: has_no_connection, root: nginx_is_down },
    Link { symptom: lacks_application, root: gunicorn_is_down },
    // nginx looks up the names of the files before it prints them, and a container that does not run has none.
    Link { symptom: lacks_dump, root: gunicorn_is_down },
    // What the gateway says of every page it says of the login.
    Link { symptom: login_lacks_gateway, root: lacks_gateway },
    // One engine that cannot be asked, seen twice.
    Link { symptom: gunicorn_without_engine, root: nginx_without_engine },
    // A certificate that was renewed on disk and not loaded is one pending reload, seen twice.
    Link { symptom: serves_old_certificate, root: waits_for_reload },
];

/// Marks the symptoms among the findings of one site as "because of" their root.
pub fn join(findings: &mut [Finding]) {
    for at in 0..findings.len() {
        if findings[at].data.contains_key("because_of") {
            continue;
        }
        let root = LINKS.iter().filter(|link| (link.symptom)(&findings[at])).find_map(|link| {
            findings.iter().position(|root| (link.root)(root) && concerns(root, &findings[at], findings))
        });
        if let Some(root) = root.filter(|root| *root != at).map(|root| findings[root].clone()) {
            findings[at] = findings[at].clone().because_of(&root);
        } else if let Some(bind) = unreachable_bind(&findings[at], findings) {
            findings[at] = findings[at]
                .clone()
                .cause(format!("gunicorn listens on {bind} of its own container, where nginx cannot reach it"))
                .fix("start gunicorn with `--bind 0.0.0.0:PORT`, at the PORT that proxy_pass names");
        } else if is_the_applications_own(&findings[at], findings) {
            findings[at] = findings[at].clone().cause(OWN_CAUSE).fix(OWN_FIX);
        }
    }
}

const OWN_CAUSE: &str = "nginx sends X-Forwarded-Proto and gunicorn believes it, so the application itself builds the \
    address with http";

const OWN_FIX: &str = "correct the application's own setting: a callback address or scheme that is written down \
    (PREFERRED_URL_SCHEME of Flask, SECURE_PROXY_SSL_HEADER of Django), then start it again";

/// Whether the root speaks of what the symptom shows: where the login has a location of its own, only that one counts.
fn concerns(root: &Finding, symptom: &Finding, findings: &[Finding]) -> bool {
    let own = |finding: &Finding| finding.id == "nginx.headers" && finding.data.contains_key("path");
    symptom.id != "oauth.redirect" || root.id != "nginx.headers" || own(root) || !findings.iter().any(own)
}

/// Whether an http address is built although the scheme is seen to arrive and to be believed.
fn is_the_applications_own(symptom: &Finding, findings: &[Finding]) -> bool {
    let pass = |id: &str, seen: fn(&Finding) -> bool| {
        let mut of_id = findings.iter().filter(|finding| finding.id == id && concerns(finding, symptom, findings));
        of_id.clone().next().is_some() && of_id.all(|finding| finding.status == Status::Pass && seen(finding))
    };
    symptom.id == "oauth.redirect"
        && shows_http_scheme(symptom)
        && pass("nginx.headers", sends_scheme)
        && pass("nginx.fresh", |_| true)
        && pass("gunicorn.trust", believes_nginx)
}

/// What gunicorn listens on, where that is the reason why nginx does not reach it: nothing but a loopback address of a
/// container, and nginx asks another address.
fn unreachable_bind(symptom: &Finding, findings: &[Finding]) -> Option<String> {
    let of_id = |id: &str| findings.iter().find(|finding| finding.id == id);
    let upstream = of_id("nginx.config")?.data.get("upstream")?.as_str()?;
    let inside = ["127.", "localhost", "[::1]", "unix:"].iter().any(|local| upstream.contains(local));
    // Only what can publish ports is a container with a network of its own.
    let contained = of_id("gunicorn.exposed")?.data.get("host_network")?.as_bool() == Some(false);
    let binds = of_id("gunicorn.settings")?.data.get("settings")?["bind"]["value"].as_array()?;
    let binds: Vec<&str> = binds.iter().filter_map(|bind| bind.as_str()).collect();
    let loopback = |bind: &&str| ["127.", "localhost:", "[::1]"].iter().any(|local| bind.starts_with(local));
    (lacks_gateway(symptom) && contained && !inside && !binds.is_empty() && binds.iter().all(loopback))
        .then(|| binds.join(" and "))
}

/// nginx itself says the scheme; what a proxy in front says is not seen here.
fn sends_scheme(finding: &Finding) -> bool {
    let headers = finding.data.get("headers").and_then(|headers| headers.as_object());
    headers.into_iter().flatten().any(|(name, header)| {
        name.eq_ignore_ascii_case("x-forwarded-proto") && matches!(header["value"].as_str(), Some("$scheme" | "https"))
    })
}

/// Not only as configured: everybody is believed, or nginx's address is known and is.
fn believes_nginx(finding: &Finding) -> bool {
    let text = |key: &str| finding.data.get(key).and_then(|value| value.as_str());
    text("value").is_some_and(|list| list.split(',').any(|entry| entry == "*")) || text("peer").is_some()
}

fn shows_http_scheme(finding: &Finding) -> bool {
    failed(finding) && matches!(reason(finding), "redirect-uri-http" | "downgrade" | "location-http")
}

fn loses_scheme(finding: &Finding) -> bool {
    finding.id == "nginx.headers"
        && failed(finding)
        && (finding.data.get("wrong").and_then(|wrong| wrong.as_array()))
            .is_some_and(|names| names.iter().any(|name| name.as_str().is_some_and(is_scheme_header)))
}

fn is_scheme_header(name: &str) -> bool {
    ["x-forwarded-proto", "x-forwarded-protocol", "x-forwarded-ssl"].contains(&name.to_ascii_lowercase().as_str())
}

fn distrusts_proxy(finding: &Finding) -> bool {
    finding.id == "gunicorn.trust" && failed(finding)
}

fn has_no_answer(finding: &Finding) -> bool {
    finding.id == "http.status" && unfit(finding) && !finding.data.contains_key("status")
}

fn has_no_connection(finding: &Finding) -> bool {
    let no_certificate = !finding.data.contains_key("chain");
    finding.id == "tls.chain" && unfit(finding) && no_certificate
}

fn nginx_is_down(finding: &Finding) -> bool {
    finding.id == "nginx.config" && reason(finding) == "not-running"
}

/// No answer, or one that says that nobody is behind nginx.
fn lacks_application(finding: &Finding) -> bool {
    has_no_answer(finding) || lacks_gateway(finding)
}

fn lacks_gateway(finding: &Finding) -> bool {
    finding.id == "http.status" && has_gateway_status(finding)
}

fn login_lacks_gateway(finding: &Finding) -> bool {
    finding.id == "oauth.redirect" && has_gateway_status(finding)
}

fn has_gateway_status(finding: &Finding) -> bool {
    let status = finding.data.get("status").and_then(|status| status.as_u64());
    failed(finding) && status.is_some_and(|status| (502..=504).contains(&status))
}

fn lacks_dump(finding: &Finding) -> bool {
    finding.id == "nginx.config"
        && finding.status == Status::Unknown
        && reason(finding) == "dump-unavailable"
        && ["host not found in upstream", "did not end"].iter().any(|text| finding.summary.contains(text))
}

fn gunicorn_is_down(finding: &Finding) -> bool {
    finding.id == "gunicorn.settings" && matches!(reason(finding), "not-running" | "no-container")
}

fn gunicorn_without_engine(finding: &Finding) -> bool {
    finding.id == "gunicorn.settings" && lacks_engine(finding)
}

fn nginx_without_engine(finding: &Finding) -> bool {
    finding.id == "nginx.config" && lacks_engine(finding)
}

fn lacks_engine(finding: &Finding) -> bool {
    finding.status == Status::Unknown && matches!(reason(finding), "docker-absent" | "engine-down" | "engine-forbidden")
}

fn unfit(finding: &Finding) -> bool {
    matches!(finding.status, Status::Fail | Status::Unknown)
}

fn serves_old_certificate(finding: &Finding) -> bool {
    finding.id == "tls.served" && failed(finding) && reason(finding) == "not-reloaded"
}

fn waits_for_reload(finding: &Finding) -> bool {
    finding.id == "nginx.fresh" && failed(finding)
}

fn failed(finding: &Finding) -> bool {
    matches!(finding.status, Status::Fail | Status::Warn)
}

fn reason(finding: &Finding) -> &str {
    finding.data.get("reason").and_then(|reason| reason.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn redirect_uri() -> Finding {
        Finding::fail("oauth.redirect", "prime", "redirect_uri is http").data("reason", "redirect-uri-http")
    }

    fn dropped(name: &str) -> Finding {
        Finding::fail("nginx.headers", "prime", "drops a header").data("wrong", json!([name]))
    }

    fn distrust() -> Finding {
        Finding::fail("gunicorn.trust", "prime", "does not trust nginx")
    }

    #[test]
    fn a_dropped_scheme_header_explains_the_redirect_uri() {
        let mut findings = vec![dropped("X-Forwarded-Proto"), distrust(), redirect_uri()];
        join(&mut findings);
        assert_eq!(findings[2].data["because_of"], "nginx.headers");
        assert!(!findings[0].data.contains_key("because_of"));
    }

    #[test]
    fn distrust_explains_it_where_the_header_is_sent() {
        let mut findings = vec![dropped("X-Forwarded-Port"), distrust(), redirect_uri()];
        join(&mut findings);
        assert_eq!(findings[2].cause.as_deref(), Some("because of gunicorn.trust: does not trust nginx"));
    }

    fn all_is_well() -> Vec<Finding> {
        vec![
            Finding::pass("nginx.headers", "prime", "fine")
                .data("headers", json!({"X-Forwarded-Proto": {"value": "$scheme"}})),
            Finding::pass("nginx.fresh", "prime", "fine"),
            Finding::pass("gunicorn.trust", "prime", "fine").data("value", "*"),
        ]
    }

    #[test]
    fn where_the_scheme_arrives_and_is_believed_it_is_the_application_itself() {
        let mut findings = all_is_well();
        findings.push(redirect_uri());
        join(&mut findings);
        assert_eq!(findings[3].cause.as_deref(), Some(OWN_CAUSE));
        assert!(!findings[3].data.contains_key("because_of"));

        // What was not seen clears nobody.
        for (at, unseen) in [
            (0, Finding::pass("nginx.headers", "prime", "fine").data("headers", json!({}))),
            (1, Finding::unknown("nginx.fresh", "prime", "not seen")),
            (2, Finding::pass("gunicorn.trust", "prime", "as configured").data("value", "127.0.0.1")),
        ] {
            let mut findings = all_is_well();
            findings[at] = unseen;
            findings.push(redirect_uri());
            join(&mut findings);
            assert_eq!(findings[3], redirect_uri(), "{at}");
        }
    }

    #[test]
    fn a_pending_reload_explains_it_where_the_files_are_right() {
        let mut findings = all_is_well();
        findings[1] = Finding::fail("nginx.fresh", "prime", "reload pending");
        findings.push(redirect_uri());
        join(&mut findings);
        assert_eq!(findings[3].data["because_of"], "nginx.fresh");
    }

    #[test]
    fn only_the_location_of_the_login_explains_the_login() {
        let login = |finding: Finding| finding.data("path", "/auth/login");
        let mut findings =
            vec![dropped("X-Forwarded-Proto"), login(all_is_well().remove(0)), distrust(), redirect_uri()];
        join(&mut findings);
        assert_eq!(findings[3].data["because_of"], "gunicorn.trust");
        let mut findings = vec![all_is_well().remove(0), login(dropped("X-Forwarded-Proto")), redirect_uri()];
        join(&mut findings);
        assert_eq!(findings[2].data["because_of"], "nginx.headers");
    }

    #[test]
    fn what_does_not_run_explains_what_does_not_answer() {
        let down = |id| Finding::unknown(id, "prime", "the container is exited").data("reason", "not-running");
        let silent = Finding::fail("http.status", "prime", "no answer");
        let mut findings = vec![Finding::fail("tls.chain", "prime", "refused"), silent.clone(), down("nginx.config")];
        join(&mut findings);
        assert_eq!(findings[0].data["because_of"], "nginx.config");
        assert_eq!(findings[1].data["because_of"], "tls.chain");
        for status in [silent.clone(), silent.clone().data("status", 502)] {
            let mut findings = vec![status, down("gunicorn.settings")];
            join(&mut findings);
            assert_eq!(findings[0].data["because_of"], "gunicorn.settings");
        }
        let mut findings = vec![silent.data("status", 500), down("gunicorn.settings")];
        join(&mut findings);
        assert!(!findings[0].data.contains_key("because_of"));
    }

    #[test]
    fn a_gunicorn_that_listens_to_its_own_container_only_is_why_nginx_has_no_answer() {
        let found = |upstream: &str, bind: &str| {
            let mut findings = vec![
                Finding::fail("http.status", "prime", "answers 502").data("status", 502),
                Finding::pass("nginx.config", "prime", "fine").data("upstream", upstream),
                Finding::pass("gunicorn.settings", "prime", "fine")
                    .data("settings", json!({"bind": {"value": [bind]}})),
                Finding::pass("gunicorn.exposed", "prime", "fine").data("host_network", false),
                Finding::fail("oauth.redirect", "prime", "the login answers 502").data("status", 502),
            ];
            join(&mut findings);
            assert_eq!(findings[4].data["because_of"], "http.status");
            findings.remove(0).cause
        };
        let cause = found("http://web:8000", "127.0.0.1:8000").unwrap();
        assert!(cause.starts_with("gunicorn listens on 127.0.0.1:8000 of its own container"), "{cause}");
        assert_eq!(found("http://web:8000", "0.0.0.0:8000"), None);
        assert_eq!(found("http://127.0.0.1:8000", "127.0.0.1:8000"), None);
    }

    #[test]
    fn a_dump_that_waits_for_the_stopped_application_has_it_as_its_cause() {
        let dump = |said: &str| Finding::unknown("nginx.config", "prime", said).data("reason", "dump-unavailable");
        let down = Finding::unknown("gunicorn.settings", "prime", "exited").data("reason", "not-running");
        let mut findings = vec![dump("host not found in upstream \"web\""), down.clone()];
        join(&mut findings);
        assert_eq!(findings[0].data["because_of"], "gunicorn.settings");
        let mut findings = vec![dump("Permission denied"), down];
        join(&mut findings);
        assert!(!findings[0].data.contains_key("because_of"));
    }

    #[test]
    fn one_engine_is_one_cause() {
        let blocked = |id, reason: &str| Finding::unknown(id, "prime", "no engine").data("reason", reason);
        let mut findings = vec![blocked("nginx.config", "engine-down"), blocked("gunicorn.settings", "engine-down")];
        join(&mut findings);
        assert_eq!(findings[1].data["because_of"], "nginx.config");
        assert!(!findings[0].data.contains_key("because_of"));
    }

    #[test]
    fn nothing_is_blamed_without_a_failed_root() {
        let mut findings = vec![Finding::pass("nginx.headers", "prime", "fine"), redirect_uri()];
        join(&mut findings);
        assert_eq!(findings[1], redirect_uri());
    }
}
