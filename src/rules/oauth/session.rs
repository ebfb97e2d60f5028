//! The cookie that keeps the `state`: it must come back when the provider sends the browser back, and to nobody else.

use super::{AuthorizationRequest, Expect, Judged, wrong};
use crate::{
    report::{Finding, Status},
    rules::{
        cookie::{self, Cookie, SameSite},
        http::Answer,
        location::printable,
    },
};

/// Judges the cookies of the answer that starts the login.
pub(super) fn judge(judged: &mut Judged, expect: Expect<'_>, answer: &Answer, request: &AuthorizationRequest) {
    let cookies: Vec<Cookie> =
        answer.set_cookies().take(MOST).filter_map(cookie::parse).filter(|cookie| !cookie.is_empty()).collect();
    let secrets: Vec<&str> = ["state", "nonce"].iter().filter_map(|name| request.value(name)).collect();
    let holding: Vec<&Cookie> =
        cookies.iter().filter(|cookie| secrets.iter().any(|secret| cookie.holds(secret))).collect();
    match (holding.as_slice(), cookies.as_slice()) {
        (_, []) => judged.note("no cookie is set, so nothing ties the `state` to this browser"),
        // Where no cookie can be seen to hold it (an encrypted session), each of them may.
        ([], all) => judged.extend(all.iter().filter_map(|cookie| of_cookie(expect, cookie, false))),
        (holding, _) => judged.extend(holding.iter().filter_map(|cookie| of_cookie(expect, cookie, true))),
    }
}

/// More cookies than this are not looked at.
const MOST: usize = 20;

fn of_cookie(expect: Expect<'_>, cookie: &Cookie, certain: bool) -> Option<Finding> {
    let name = printable(&cookie.name);
    let role = if certain { "keeps the `state`" } else { "may keep the `state`" };
    let finding = |status, reason, text: String| {
        wrong(expect, status, reason, format!("the cookie `{name}` {role}, but {text}"))
            .expected("Secure, HttpOnly and SameSite=Lax or None")
            .observed(attributes(cookie))
            .data("cookie", name.clone())
    };
    if let Some(why) = cookie.refused() {
        return Some(
            finding(
                if certain { Status::Fail } else { Status::Warn },
                "cookie-refused",
                format!("browsers refuse it: {why}"),
            )
            .fix("set the cookie with the attributes that its name and SameSite ask for"),
        );
    }
    if cookie.same_site == SameSite::Strict {
        let status = if certain { Status::Fail } else { Status::Warn };
        return Some(
            finding(
                status,
                "cookie-strict",
                "SameSite=Strict keeps it back when the provider sends the browser back".to_owned(),
            )
            .fix("set SameSite=Lax"),
        );
    }
    let missing: Vec<&str> = [
        (!cookie.secure, "Secure"),
        (!cookie.http_only, "HttpOnly"),
        (cookie.same_site == SameSite::Unsaid, "SameSite"),
    ]
    .into_iter()
    .filter_map(|(missing, name)| missing.then_some(name))
    .collect();
    (!missing.is_empty()).then(|| {
        finding(Status::Warn, "cookie-flags", format!("lacks {}", missing.join(", ")))
            .fix("set the attributes in the application (for Flask: SESSION_COOKIE_SECURE, SESSION_COOKIE_SAMESITE)")
            .data("missing", missing)
    })
}

/// Name and attributes, never the value.
fn attributes(cookie: &Cookie) -> String {
    let same_site = match cookie.same_site {
        SameSite::Lax => Some("SameSite=Lax"),
        SameSite::None => Some("SameSite=None"),
        SameSite::Strict => Some("SameSite=Strict"),
        SameSite::Unsaid => None,
    };
    let all = [cookie.secure.then_some("Secure"), cookie.http_only.then_some("HttpOnly"), same_site];
    let all: Vec<&str> = all.into_iter().flatten().collect();
    let name = printable(&cookie.name);
    if all.is_empty() { format!("{name}=<redacted>") } else { format!("{name}=<redacted>; {}", all.join("; ")) }
}
