//! `oauth.redirect`, cases 58 to 63.

use super::world::{Asked, World, healthy, reason};
use crate::{
    check::{OauthSite, Provider},
    report::Status,
};

const CALLBACK: &str = "https%3A%2F%2Fsite.test";

/// A world with a login that answers what `location` makes of the request.
pub(super) async fn login(location: impl Fn(&Asked) -> String + Send + Sync + 'static) -> World {
    let mut world = World::new(move |asked| match asked.path() {
        "/auth/login" => location(asked),
        _ => healthy(asked),
    })
    .await;
    let login = world.site.url.join("/auth/login").unwrap();
    world.site.oauth = Some(OauthSite { login, provider: Provider::Google, redirect_uri: None, client_id: None });
    world
}

fn google(asked: &Asked, callback: &str, rest: &str) -> String {
    let location = format!(
        "https://accounts.google.com/o/oauth2/v2/auth?client_id=1.apps.googleusercontent.com&response_type=code\
         &scope=openid+email&redirect_uri={callback}%3A{}%2Fauth%2Fcallback{rest}",
        asked.https
    );
    Asked::redirect(302, location)
}

#[tokio::test]
async fn case_58_two_logins_that_differ_pass() {
    let world = login(|asked| google(asked, CALLBACK, &format!("&state=s3cret-{}", asked.before))).await;
    let finding = world.one("oauth.redirect").await;
    assert_eq!(finding.status, Status::Pass, "{finding:?}");
    assert_eq!(world.seen().len(), 2, "two independent requests");
    assert_eq!(finding.data["parameters"]["state"], "<redacted>");
    assert!(!serde_json::to_string(&finding).unwrap().contains("s3cret"));
}

#[tokio::test]
async fn case_59_a_redirect_uri_on_http_names_the_cause() {
    let world = login(|asked| google(asked, "http%3A%2F%2Fsite.test", &format!("&state={}", asked.before))).await;
    let finding = world.one("oauth.redirect").await;
    assert_eq!((finding.status, reason(&finding)), (Status::Fail, "redirect-uri-http"));
    assert!(finding.data["redirect_uri"].as_str().unwrap().starts_with("http://site.test"));
    assert!(finding.cause.unwrap().contains("X-Forwarded-Proto"));
}

#[tokio::test]
async fn case_60_the_same_state_twice_fails() {
    let finding = login(|asked| google(asked, CALLBACK, "&state=constant")).await.one("oauth.redirect").await;
    assert_eq!((finding.status, reason(&finding)), (Status::Fail, "value-repeated"));
}

#[tokio::test]
async fn case_61_pkce_without_state_passes_with_a_note() {
    let world = login(|asked| {
        google(asked, CALLBACK, &format!("&code_challenge=c{}&code_challenge_method=S256", asked.before))
    })
    .await;
    let finding = world.one("oauth.redirect").await;
    assert_eq!(finding.status, Status::Pass);
    assert!(!finding.data["notes"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn case_62_a_token_or_a_disguised_provider_fails() {
    let token = |asked: &Asked| google(asked, CALLBACK, &format!("&state={}", asked.before)).replace("=code", "=token");
    let finding = login(token).await.one("oauth.redirect").await;
    assert_eq!((finding.status, reason(&finding)), (Status::Fail, "response-type"));
    let evil = |asked: &Asked| {
        google(asked, CALLBACK, &format!("&state={}", asked.before)).replace("google.com/", "google.com.evil.x/")
    };
    let finding = login(evil).await.one("oauth.redirect").await;
    assert_eq!((finding.status, reason(&finding)), (Status::Fail, "provider-host"));
}

#[tokio::test]
async fn case_63_a_login_without_a_redirect_fails_with_its_status() {
    for status in [200, 404, 500] {
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>");
        let finding = login(move |_| answer.clone()).await.one("oauth.redirect").await;
        assert_eq!((finding.status, &finding.data["status"]), (Status::Fail, &status.into()));
        assert!(finding.summary.contains(&status.to_string()));
    }
}
