//! Tables of authorization requests, good and bad.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    report::assert_one_voice,
    rules::http::{Stage, tests::answer},
};

const CLIENT: &str = "42-abc.apps.googleusercontent.com";
const CALLBACK: &str = "https%3A%2F%2Fsite.test%2Fauth%2Fcallback";

/// A good request to Google but for these parameters, which replace or (when empty) remove the good ones.
fn target(changes: &[(&str, &str)]) -> String {
    let mut pairs = vec![
        ("client_id", CLIENT),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "openid+email"),
        ("state", "STATE-1-0123456789"),
        ("code_challenge", "CHALLENGE-1"),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changes {
        pairs.retain(|(key, _)| key != name);
        if !value.is_empty() {
            pairs.push((name, value));
        }
    }
    let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("https://accounts.google.com/o/oauth2/v2/auth?{}", query.join("&"))
}

fn login(status: u16, headers: &[(&str, &str)]) -> Login {
    Login { asked: Url::parse("https://site.test/auth/login").unwrap(), answer: Ok(answer(status, headers)) }
}

fn to(location: &str) -> Login {
    login(302, &[("location", location)])
}

/// The second login of a healthy application.
fn second() -> Login {
    to(&target(&[("state", "STATE-2-0123456789"), ("code_challenge", "CHALLENGE-2")]))
}

fn judged(first: &Login, second: &Login) -> Vec<Finding> {
    judged_for(&Provider::Google, None, None, first, second)
}

fn judged_for(
    provider: &Provider,
    redirect_uri: Option<&str>,
    client_id: Option<&str>,
    first: &Login,
    second: &Login,
) -> Vec<Finding> {
    let site = Url::parse("https://site.test/").unwrap();
    let findings = judge(Expect { subject: "prime", site: &site, provider, redirect_uri, client_id }, first, second);
    findings.iter().for_each(assert_one_voice);
    findings
}

fn verdicts(findings: &[Finding]) -> Vec<(Status, &str)> {
    findings
        .iter()
        .map(|finding| (finding.status, finding.data.get("reason").map_or("", |r| r.as_str().unwrap())))
        .collect()
}

#[test]
fn case_58_a_good_login_passes() {
    let findings = judged(&to(&target(&[])), &second());
    assert_eq!(verdicts(&findings), [(Status::Pass, "")], "{findings:?}");
    let parameters = &findings[0].data["parameters"];
    assert_eq!(parameters["redirect_uri"], "https://site.test/auth/callback");
    assert_eq!(parameters["state"], "<redacted>");
    assert_eq!(parameters["code_challenge"], "<redacted>");
    assert_eq!(parameters["client_id"], CLIENT);
}

#[test]
fn case_59_a_redirect_uri_on_http_fails_with_its_cause() {
    let findings = judged(&to(&target(&[("redirect_uri", "http%3A%2F%2Fsite.test%2Fauth%2Fcallback")])), &second());
    assert_eq!(verdicts(&findings), [(Status::Fail, "redirect-uri-http")]);
    assert_eq!(findings[0].data["redirect_uri"], "http://site.test/auth/callback");
    assert!(findings[0].cause.as_ref().unwrap().contains("X-Forwarded-Proto"));
}

#[test]
fn case_60_the_same_state_twice_fails() {
    let findings = judged(&to(&target(&[])), &to(&target(&[("code_challenge", "CHALLENGE-2")])));
    assert_eq!(verdicts(&findings), [(Status::Fail, "value-repeated")]);
    assert_eq!(findings[0].data["repeated"], serde_json::json!(["state"]));
}

#[test]
fn case_61_pkce_without_state_passes_with_a_note() {
    let second = to(&target(&[("state", ""), ("code_challenge", "CHALLENGE-2")]));
    let findings = judged(&to(&target(&[("state", "")])), &second);
    assert_eq!(verdicts(&findings), [(Status::Pass, "")]);
    let notes = findings[0].data["notes"].as_array().unwrap();
    assert!(notes.iter().any(|note| note.as_str().unwrap().contains("no `state`")), "{notes:?}");
}

#[test]
fn case_62_a_token_and_a_disguised_provider_fail() {
    let findings = judged(&to(&target(&[("response_type", "token")])), &second());
    assert_eq!(verdicts(&findings), [(Status::Fail, "response-type")]);
    let table = [
        ("https://accounts.google.com.evil.x/", "provider-host"),
        ("https://accounts.google.com@evil.x/", "provider-host"),
        ("https://evil.x/accounts.google.com/", "provider-host"),
        ("https://accounts.google.com./", "provider-host"),
        ("https://accounts.g\u{43e}ogle.com/", "location-malformed provider-host"),
        ("https://evil.x\\@accounts.google.com/", "location-malformed provider-host"),
        ("https://accounts.google.com\\@evil.x/", "location-malformed"),
        ("https://me@accounts.google.com/", "provider-userinfo"),
        ("https://accounts.google.com:8443/", "provider-port"),
        ("http://accounts.google.com/", "provider-http"),
    ];
    for (start, reasons) in table {
        let location = target(&[]).replace("https://accounts.google.com/", start);
        let findings = judged(&to(&location), &second());
        let found: Vec<&str> = verdicts(&findings).iter().map(|(_, reason)| *reason).collect();
        assert_eq!(found.join(" "), reasons, "{start}");
        assert!(findings.iter().any(|finding| finding.status == Status::Fail), "{start}");
    }
}

#[test]
fn case_63_a_login_that_does_not_redirect_fails_with_its_status() {
    for (status, reason) in [(200, "no-redirect"), (404, "no-redirect"), (500, "status-5xx")] {
        let findings = judged(&login(status, &[]), &login(status, &[]));
        assert_eq!(verdicts(&findings), [(Status::Fail, reason)]);
        assert_eq!(findings[0].data["status"], status);
        assert!(findings[0].summary.contains(&status.to_string()));
    }
}

#[test]
fn every_parameter_is_judged() {
    let table: &[(&str, &str, Status, &str)] = &[
        ("client_id", "", Status::Fail, "client-id-missing"),
        ("client_id", "my-client", Status::Fail, "client-id-malformed"),
        ("response_type", "", Status::Fail, "response-type"),
        ("response_type", "id_token", Status::Fail, "response-type"),
        ("response_type", "code+id_token", Status::Fail, "response-type"),
        ("scope", "", Status::Fail, "scope-missing"),
        ("scope", "+", Status::Fail, "scope-missing"),
        ("code_challenge_method", "", Status::Warn, "pkce-plain"),
        ("code_challenge_method", "plain", Status::Warn, "pkce-plain"),
        ("redirect_uri", "", Status::Fail, "redirect-uri-missing"),
        ("redirect_uri", "%2Fauth%2Fcallback", Status::Fail, "redirect-uri-relative"),
        ("redirect_uri", "https%253A%252F%252Fsite.test%252Fcb", Status::Fail, "redirect-uri-relative"),
        ("redirect_uri", "https:site.test", Status::Fail, "redirect-uri-relative"),
        ("redirect_uri", "https%3A%2F%2Fweb%3A8000%2Fcb", Status::Fail, "redirect-uri-host"),
        ("redirect_uri", "https%3A%2F%2Fsite.test%3A8443%2Fcb", Status::Fail, "redirect-uri-port"),
        ("redirect_uri", "https%3A%2F%2Fsite.test%2Fcb%23x", Status::Fail, "redirect-uri-fragment"),
        ("redirect_uri", "https%3A%2F%2Fsite.test%40evil.test%2Fcb", Status::Fail, "redirect-uri-host"),
        ("redirect_uri", "com.app%3A%2Fcb", Status::Fail, "redirect-uri-scheme"),
        ("x", "1&x=2", Status::Fail, "parameter-twice"),
    ];
    for (name, value, status, reason) in table {
        let findings = judged(&to(&target(&[(name, value)])), &second());
        assert_eq!(verdicts(&findings), [(*status, *reason)], "{name}={value}");
        assert!(findings[0].expected.is_some() && findings[0].fix.is_some(), "{name}={value}");
    }
}

#[test]
fn without_state_nonce_or_challenge_anybody_can_forge_a_login() {
    let bare = [("state", ""), ("code_challenge", ""), ("code_challenge_method", "")];
    let findings = judged(&to(&target(&bare)), &second());
    assert_eq!(verdicts(&findings), [(Status::Fail, "no-csrf")]);
    // A nonce protects only where an ID token brings it back.
    let plain = [bare[0], bare[1], bare[2], ("nonce", "N1"), ("scope", "email")];
    assert_eq!(verdicts(&judged(&to(&target(&plain)), &second())), [(Status::Fail, "no-csrf")]);
    let openid = [bare[0], bare[1], bare[2], ("nonce", "N1")];
    assert_eq!(verdicts(&judged(&to(&target(&openid)), &second())), [(Status::Pass, "")]);
    let findings = judged(&to(&target(&[])), &to(&target(&bare)));
    assert_eq!(verdicts(&findings), [(Status::Fail, "no-csrf")]);
}

#[test]
fn the_configured_addresses_are_compared_letter_by_letter() {
    let own = Provider::Authorize(Url::parse("https://login.test/authorize").unwrap());
    let location =
        target(&[("client_id", "me")]).replace("accounts.google.com/o/oauth2/v2/auth", "login.test/authorize");
    let judged = |redirect_uri, client_id, location: &str| {
        let findings = judged_for(&own, redirect_uri, client_id, &to(location), &second());
        verdicts(&findings).iter().map(|(_, reason)| (*reason).to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(judged(Some("https://site.test/auth/callback"), Some("me"), &location), "");
    assert_eq!(judged(Some("https://site.test/auth/callback/"), None, &location), "redirect-uri-differs");
    assert_eq!(judged(None, Some("you"), &location), "client-id-differs");
    assert_eq!(judged(None, None, &location.replace("/authorize", "/authorise")), "provider-path");
}

#[test]
fn the_status_of_the_redirect_counts() {
    for (status, verdict) in
        [(302, Status::Pass), (303, Status::Pass), (307, Status::Warn), (301, Status::Fail), (308, Status::Fail)]
    {
        let findings = judged(&login(status, &[("location", &target(&[]))]), &second());
        assert_eq!(findings.iter().map(|finding| finding.status).collect::<Vec<_>>(), [verdict], "{status}");
    }
}

#[test]
fn a_redirect_without_a_place_or_within_the_site_fails() {
    let two = [("location", "https://accounts.google.com/?state=a"), ("location", "https://evil.test/?state=b")];
    assert_eq!(verdicts(&judged(&login(302, &two), &second())), [(Status::Fail, "location-different")]);
    assert_eq!(verdicts(&judged(&login(302, &[]), &second())), [(Status::Fail, "location-absent")]);
    assert_eq!(verdicts(&judged(&to("/auth/login/"), &second())), [(Status::Fail, "not-provider")]);
}

#[test]
fn a_second_login_that_fails_leaves_the_comparison_unknown() {
    let late = HttpFailure::Timeout { stage: Stage::Answer, after: Duration::from_secs(10) };
    let second = Login { answer: Err(late), ..to("/") };
    assert_eq!(verdicts(&judged(&to(&target(&[])), &second)), [(Status::Unknown, "timeout")]);
    assert_eq!(verdicts(&judged(&to(&target(&[])), &login(429, &[]))), [(Status::Unknown, "second-request")]);
}

#[test]
fn parameters_that_only_the_provider_can_read_are_unknown() {
    let location = |own| format!("https://accounts.google.com/o?client_id={CLIENT}&request_uri=urn:{own}");
    assert_eq!(verdicts(&judged(&to(&location("a")), &to(&location("b")))), [(Status::Unknown, "request-object")]);
    let same = judged(&to(&location("a")), &to(&location("a")));
    assert_eq!(verdicts(&same), [(Status::Unknown, "request-object"), (Status::Fail, "value-repeated")]);
}

#[test]
fn the_cookie_of_the_state_is_judged_by_its_flags() {
    let table = [
        ("session=STATE-1-0123456789; Secure; HttpOnly; SameSite=Lax", Status::Pass, ""),
        ("session=STATE-1-0123456789; Secure; HttpOnly; SameSite=None", Status::Pass, ""),
        ("session=STATE-1-0123456789; Secure; HttpOnly; SameSite=Strict", Status::Fail, "cookie-strict"),
        ("session=opaque; Secure; HttpOnly; SameSite=Strict", Status::Warn, "cookie-strict"),
        ("session=STATE-1-0123456789; HttpOnly; SameSite=None", Status::Fail, "cookie-refused"),
        ("session=STATE-1-0123456789; HttpOnly; SameSite=Lax", Status::Warn, "cookie-flags"),
        ("session=STATE-1-0123456789; Secure; HttpOnly", Status::Warn, "cookie-flags"),
        ("session=; Max-Age=0", Status::Pass, ""),
    ];
    for (cookie, status, reason) in table {
        let first = login(302, &[("location", &target(&[])), ("set-cookie", cookie)]);
        let findings = judged(&first, &second());
        assert_eq!(verdicts(&findings), [(status, reason)], "{cookie}");
        assert!(!format!("{findings:?}").contains("STATE-1"), "{findings:?}");
    }
    // A cookie that has nothing to do with the login is not blamed when another one is seen to hold the state.
    let headers = [
        ("location", &*target(&[])),
        ("set-cookie", "theme=dark"),
        ("set-cookie", "s=STATE-1-0123456789; Secure; HttpOnly; SameSite=Lax"),
    ];
    assert_eq!(verdicts(&judged(&login(302, &headers), &second())), [(Status::Pass, "")]);
}

proptest! {
    #[test]
    fn no_finding_ever_holds_a_secret(
        secret in "[A-Za-z0-9_-]{16,60}",
        name in prop::sample::select(vec![
            "state", "nonce", "code_challenge", "client_secret", "State", "login_hint", "id_token_hint", "request_uri", "foo",
        ]),
        shape in 0..12_usize,
        status in prop::sample::select(vec![200_u16, 301, 302, 307, 500]),
    ) {
        let secret = format!("zQ9{secret}");
        let pair = format!("{name}={secret}");
        let location = match shape {
            0 => target(&[(name, &secret)]),
            1 => format!("{}&{pair}&{pair}", target(&[])),
            2 => format!("{}&{secret}", target(&[])),
            3 => format!("{}&{secret}&{secret}", target(&[])),
            4 => format!("https:\\\\accounts.google.com/?{pair}\u{7}"),
            5 => format!("https://evil.test:8443/?{pair}"),
            6 => format!("https://[broken/?{pair}"),
            7 => target(&[("redirect_uri", &format!("http%3A%2F%2Fsite.test%2Fcb%3F{name}%3D{secret}%23{secret}"))]),
            8 => target(&[("redirect_uri", &format!("http%3A%2F%2Fme%3A{secret}%40site.test%2Fcb"))]),
            9 => format!("{}&Redirect_URI=http%3A%2F%2Fx%2F%3F{pair}", target(&[])),
            10 => format!("https://me:{secret}@accounts.google.com/?{pair}"),
            _ => format!("/auth/login/?{pair}#{secret}"),
        };
        let cookie = format!("session={secret}; SameSite=Strict");
        let headers = [("location", &*location), ("set-cookie", &*cookie)];
        let twice = [("location", &*location), ("location", "https://other.test/")];
        for first in [login(status, &headers), login(status, &twice)] {
            for second in [first.clone(), second()] {
                for finding in judged(&first, &second) {
                    let text = serde_json::to_string(&finding).unwrap();
                    prop_assert!(!text.contains(&secret), "{}", text);
                }
            }
        }
    }

    #[test]
    fn any_location_and_cookie_are_judged_without_panic(location in any::<String>(), cookie in any::<String>(), rest in ".{0,60}") {
        let known = format!("https://accounts.google.com/o?{rest}");
        for location in [location, known] {
            let first = login(302, &[("location", &location), ("set-cookie", &cookie)]);
            prop_assert!(!judged(&first, &second()).is_empty());
        }
    }
}
