//! The `redirect_uri`: where the provider sends the browser back to. What is wrong here is usually wrong in nginx.

use url::Url;

use super::{AuthorizationRequest, Expect, wrong};
use crate::{
    report::{Finding, Status},
    rules::location::{Shown, redacted},
};

/// One finding for everything that is wrong with it.
pub(super) fn judge(expect: Expect<'_>, request: &AuthorizationRequest) -> Option<Finding> {
    let Some(value) = request.value("redirect_uri") else {
        return Some(
            wrong(expect, Status::Fail, "redirect-uri-missing", "`redirect_uri` is missing or empty")
                .expected(wanted(expect))
                .fix("let the application send its callback address"),
        );
    };
    let problems = problems(expect, value);
    let (reason, _) = problems.first()?;
    let texts: Vec<&str> = problems.iter().map(|(_, text)| text.as_str()).collect();
    let reasons: Vec<&str> = problems.iter().map(|(reason, _)| *reason).collect();
    let shown = redacted(value, Shown::Public);
    let finding = wrong(expect, Status::Fail, reason, format!("`redirect_uri` {}", texts.join(", ")))
        .expected(wanted(expect))
        .observed(format!("redirect_uri={shown}"))
        .data("redirect_uri", shown)
        .data("reasons", reasons);
    Some(match *reason {
        "redirect-uri-http" => finding
            .cause("the application believes that it is asked over http: nginx does not send X-Forwarded-Proto, or gunicorn or the application does not trust it")
            .fix("see the findings nginx.headers and gunicorn.trust; then the application's own proxy setting (for Flask: ProxyFix)"),
        "redirect-uri-host" | "redirect-uri-port" => finding
            .cause("the application does not know its public name: nginx does not send X-Forwarded-Host and -Port, or nobody trusts them")
            .fix("see the findings nginx.headers and gunicorn.trust"),
        "redirect-uri-relative" => finding
            .cause("the address is escaped twice, or was never complete")
            .fix("let the application build the complete address and escape it once"),
        _ => finding.fix("register this address with the provider or correct it in the application: the two are compared letter by letter"),
    })
}

/// Every problem as a reason word and a clause, the root of the others first.
fn problems(expect: Expect<'_>, value: &str) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    let lower = value.to_ascii_lowercase();
    let url = match Url::parse(value) {
        Ok(url) if lower.starts_with("http://") || lower.starts_with("https://") => url,
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            return vec![("redirect-uri-scheme", "is neither http nor https".to_owned())];
        }
        _ => return vec![("redirect-uri-relative", "is not a complete address".to_owned())],
    };
    let host = url.host_str().unwrap_or_default();
    if url.scheme() != "https" {
        problems.push(("redirect-uri-http", "is on http".to_owned()));
    }
    if Some(host) != expect.site.host_str() {
        problems.push(("redirect-uri-host", format!("has the host `{host}`")));
    }
    // The site's own port is right where the public comes over another one than 443.
    if url.port().is_some() && url.port_or_known_default() != expect.site.port_or_known_default() {
        problems.push(("redirect-uri-port", format!("has the port {}", url.port().unwrap_or_default())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        problems.push(("redirect-uri-userinfo", "holds a user name".to_owned()));
    }
    if value.contains('#') {
        problems.push(("redirect-uri-fragment", "has a fragment".to_owned()));
    }
    if value.chars().any(|c| c.is_control() || c == '\\' || c == ' ') {
        problems.push(("redirect-uri-malformed", "holds characters that no address has".to_owned()));
    }
    if problems.is_empty() && expect.redirect_uri.is_some_and(|exact| exact != value) {
        problems.push(("redirect-uri-differs", "is not the configured one".to_owned()));
    }
    problems
}

fn wanted(expect: Expect<'_>) -> String {
    match expect.redirect_uri {
        Some(exact) => exact.to_owned(),
        None => format!("https://{}{}/…", expect.site.host_str().unwrap_or_default(), port(expect.site)),
    }
}

fn port(site: &Url) -> String {
    site.port().map_or_else(String::new, |port| format!(":{port}"))
}
