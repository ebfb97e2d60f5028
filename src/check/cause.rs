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
    // Where no connection comes about there is no answer either.
    Link { symptom: has_no_answer, root: has_no_connection },
    // A certificate that was renewed on disk and not loaded is one pending reload, seen twice.
    Link { symptom: serves_old_certificate, root: waits_for_reload },
];

/// Marks the symptoms among the findings of one site as "because of" their root.
pub fn join(findings: &mut [Finding]) {
    for at in 0..findings.len() {
        if findings[at].data.contains_key("because_of") {
            continue;
        }
        let root = LINKS
            .iter()
            .filter(|link| (link.symptom)(&findings[at]))
            .find_map(|link| findings.iter().position(|finding| (link.root)(finding)));
        if let Some(root) = root.filter(|root| *root != at).map(|root| findings[root].clone()) {
            findings[at] = findings[at].clone().because_of(&root);
        }
    }
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

    #[test]
    fn nothing_is_blamed_without_a_failed_root() {
        let mut findings = vec![Finding::pass("nginx.headers", "prime", "fine"), redirect_uri()];
        join(&mut findings);
        assert_eq!(findings[1], redirect_uri());
    }
}
