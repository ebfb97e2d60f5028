//! The `http.*` and `oauth.*` checks against real servers.

mod oauth;
mod wait;
mod world;

use std::time::Duration;

use oauth::login;
use tokio::{io::AsyncWriteExt, net::TcpListener, time::Instant};
use world::{Asked, World, check, healthy, reason, site, url};

use super::{Addresses, HttpSide, OauthSite, Provider, REGISTRY, Resolve};
use crate::{report::Status, system::tls::testing::Server};

#[tokio::test]
async fn a_healthy_site_passes_every_check() {
    let world = World::new(healthy).await;
    for id in ["http.status", "http.redirect", "http.hsts", "http.host"] {
        let finding = world.one(id).await;
        assert_eq!(finding.status, Status::Pass, "{finding:?}");
    }
    assert_eq!(world.one("oauth.redirect").await.status, Status::Skip);
}

#[tokio::test]
async fn the_way_is_recorded_hop_by_hop() {
    let world = World::new(healthy).await;
    let finding = world.one("http.redirect").await;
    let hops = finding.data["hops"].as_array().unwrap();
    assert_eq!(hops.len(), 2);
    assert_eq!(hops[0]["status"], 301);
    assert!(hops[0]["location"].as_str().unwrap().ends_with("/a?mainstay-check=1"));
    assert_eq!((&hops[1]["status"], &hops[1]["location"]), (&200.into(), &serde_json::Value::Null));
    assert_eq!(finding.data["addresses"], serde_json::json!(["127.0.0.1"]));
}

#[tokio::test]
async fn case_51_location_with_a_path_stays_on_http() {
    let finding = World::new(|_| Asked::redirect(301, "/foo")).await.one("http.redirect").await;
    assert_eq!((finding.status, reason(&finding)), (Status::Fail, "stays-http"));
    let world =
        World::new(|asked| if asked.path() == "/a" { Asked::redirect(301, "/foo") } else { Asked::ok("") }).await;
    let finding = world.one("http.redirect").await;
    assert_eq!((finding.status, reason(&finding)), (Status::Fail, "stays-http"));
}

#[tokio::test]
async fn case_52_location_without_a_scheme_stays_on_http() {
    let world = World::new(|asked| match asked.path() {
        "/a" => Asked::redirect(301, format!("//site.test:{}/x", asked.http)),
        _ => Asked::ok(""),
    })
    .await;
    let finding = world.one("http.redirect").await;
    assert_eq!((finding.status, reason(&finding)), (Status::Fail, "stays-http"));
}

#[tokio::test]
async fn case_53_a_lost_path_and_query_warns() {
    let world = World::new(|asked| match asked.secure {
        true => Asked::ok(""),
        false => Asked::redirect(301, format!("https://site.test:{}/", asked.https)),
    })
    .await;
    let finding = world.one("http.redirect").await;
    assert_eq!((finding.status, reason(&finding)), (Status::Warn, "path-lost"));
}

#[tokio::test]
async fn case_54_another_host_first_warns_and_is_not_asked() {
    let world = World::new(|asked| Asked::redirect(302, format!("https://other{}", asked.target))).await;
    let finding = world.one("http.redirect").await;
    assert_eq!((finding.status, reason(&finding)), (Status::Warn, "other-host"));
    assert_eq!(world.seen().len(), 1);
}

#[tokio::test]
async fn case_55_a_loop_fails_at_hop_2() {
    let world = World::new(|asked| Asked::redirect(301, &asked.target)).await;
    let finding = world.one("http.redirect").await;
    assert_eq!((finding.status, reason(&finding)), (Status::Fail, "loop"));
    assert!(finding.summary.contains("hop 2"), "{}", finding.summary);
}

#[tokio::test]
async fn case_56_port_80_refused_and_443_fine() {
    let mut world = World::new(healthy).await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let closed = listener.local_addr().unwrap().port();
    drop(listener);
    world.site.http = HttpSide::Redirects(url(&format!("http://site.test:{closed}/")));
    for (said, status) in [(Status::Fail, Status::Fail), (Status::Warn, Status::Warn), (Status::Pass, Status::Pass)] {
        world.site.http_closed = said;
        let finding = world.one("http.redirect").await;
        assert_eq!((finding.status, reason(&finding)), (status, "no-connection"));
        assert_eq!(finding.cause.is_some_and(|cause| cause.contains("HTTP-01")), status != Status::Pass);
    }
    assert_eq!(world.one("http.status").await.status, Status::Pass);
    assert_eq!(world.one("http.host").await.status, Status::Pass);
}

#[tokio::test]
async fn case_57_a_location_over_http2_is_found() {
    let mut world = World::speaking(|_| Asked::redirect(302, "/welcome"), true).await;
    let finding = world.one("http.status").await;
    assert_eq!((finding.status, reason(&finding)), (Status::Fail, "status-redirect"));
    assert_eq!((&finding.data["version"], &finding.data["location"]), (&"HTTP/2".into(), &"/welcome".into()));
    assert!(finding.observed.unwrap().contains("Location: /welcome"));
    world.site.status = vec![200, 302];
    assert_eq!(world.one("http.status").await.status, Status::Pass);
}

#[tokio::test]
async fn a_default_server_that_answers_200_is_not_the_application() {
    let mut world = World::new(|_| Asked::ok("")).await;
    world.site.contains = Some("<title>Prime</title>".into());
    assert_eq!(world.one("http.status").await.status, Status::Pass);
    world.site.contains = Some("Other".into());
    let finding = world.one("http.status").await;
    assert_eq!((finding.status, reason(&finding)), (Status::Fail, "other-content"));
}

#[tokio::test]
async fn every_address_is_judged_and_the_dead_one_is_named() {
    let mut world = World::new(healthy).await;
    // All of 127/8 is this machine, and nothing listens on the second address.
    let second = Resolve { host: None, port: None, address: "127.0.0.2".parse().unwrap() };
    world.site.resolve.push(second);
    for id in ["http.status", "http.redirect"] {
        let findings = world.check(id).await;
        let found: Vec<_> =
            findings.iter().map(|finding| (finding.status, finding.data["addresses"][0].as_str().unwrap())).collect();
        assert_eq!(found, [(Status::Pass, "127.0.0.1"), (Status::Fail, "127.0.0.2")], "{id}");
        assert!(findings[1].summary.starts_with("127.0.0.2: "));
    }
    world.site.addresses = Addresses::First;
    world.site.resolve.reverse();
    for id in ["http.status", "http.redirect", "http.host"] {
        assert_eq!(world.one(id).await.status, Status::Pass, "{id}");
    }
}

#[tokio::test]
async fn a_site_that_is_down_has_one_failure_and_the_rest_is_because_of_it() {
    let mut world = login(healthy).await;
    world.sides.clear();
    tokio::task::yield_now().await;
    let finding = world.one("http.status").await;
    assert_eq!((finding.status, reason(&finding)), (Status::Fail, "no-connection"));
    for id in ["http.redirect", "http.hsts", "http.host", "oauth.redirect"] {
        let finding = world.one(id).await;
        assert_eq!((finding.status, &finding.data["because_of"]), (Status::Unknown, &"http.status".into()), "{id}");
    }
}

#[tokio::test]
async fn a_silent_site_costs_its_deadline_and_no_more() {
    let silent = Server::accepting(|tcp| async move {
        std::future::pending::<()>().await;
        drop(tcp);
    })
    .await;
    let mut site = site(&format!("https://site.test:{}/", silent.address.port()));
    site.http = HttpSide::Redirects(url(&format!("http://site.test:{}/", silent.address.port())));
    site.timeout = Duration::from_millis(300);
    let start = Instant::now();
    let findings = check(&site, "http.redirect").await;
    assert_eq!(reason(&findings[0]), "timeout", "{findings:?}");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!(reason(&check(&site, "http.status").await[0]), "timeout");
}

#[tokio::test]
async fn a_redirect_is_judged_by_its_header_however_slow_its_body_is() {
    let mut world = World::new(healthy).await;
    let https = world.site.url.port().unwrap();
    let slow = Server::accepting(move |mut tcp| async move {
        // The body that is announced never comes.
        let location = format!("https://site.test:{https}/?mainstay-check=1");
        let head = format!("HTTP/1.1 301 Moved\r\nLocation: {location}\r\nContent-Length: 9\r\n\r\n");
        let _ = tcp.write_all(head.as_bytes()).await;
        std::future::pending::<()>().await;
    })
    .await;
    world.site.http = HttpSide::Redirects(url(&format!("http://site.test:{}/", slow.address.port())));
    let start = Instant::now();
    let finding = world.one("http.redirect").await;
    assert_eq!(finding.status, Status::Pass, "{finding:?}");
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn hsts_counts_only_over_a_connection_that_browsers_trust() {
    let mut world = World::new(healthy).await;
    world.site.extra_roots.clear();
    let finding = world.one("http.hsts").await;
    assert_eq!((finding.status, &finding.data["because_of"]), (Status::Unknown, &"tls.chain".into()));
    world.site.hsts = None;
    assert_eq!(world.one("http.hsts").await.status, Status::Skip);
    let world = World::new(|_| Asked::ok("")).await;
    assert_eq!(world.one("http.hsts").await.status, Status::Fail);
}

#[tokio::test]
async fn a_foreign_host_that_comes_back_is_said_of_the_side_where_it_does() {
    let world = World::new(|asked| match asked.secure {
        true => Asked::ok(""),
        false => Asked::redirect(301, asked.reflected()),
    })
    .await;
    let findings = world.check("http.host").await;
    let sides: Vec<_> =
        findings.iter().map(|finding| (finding.status, finding.data["side"].as_str().unwrap())).collect();
    assert_eq!(sides, [(Status::Warn, "http"), (Status::Pass, "https")]);
    assert!(world.seen().iter().any(|line| line.starts_with("https / mainstay-check.invalid")), "{:?}", world.seen());
}

#[tokio::test]
async fn a_foreign_host_that_gets_no_answer_passes() {
    for http2 in [false, true] {
        let silent = |asked: &Asked| match asked.host.as_str() {
            "mainstay-check.invalid" => String::new(),
            _ => healthy(asked),
        };
        let finding = World::speaking(silent, http2).await.one("http.host").await;
        assert_eq!((finding.status, &finding.data["sides"]), (Status::Pass, &serde_json::json!(["http", "https"])));
    }
}

#[tokio::test]
async fn a_site_in_trouble_says_nothing_about_hsts() {
    let world = World::new(|_| "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n".to_owned()).await;
    let finding = world.one("http.status").await;
    assert_eq!((finding.status, reason(&finding)), (Status::Fail, "status-5xx"));
    let finding = world.one("http.hsts").await;
    assert_eq!((finding.status, &finding.data["because_of"]), (Status::Unknown, &"http.status".into()));
}

#[tokio::test]
async fn a_foreign_host_is_sent_over_http2_too() {
    let world = World::speaking(|asked| Asked::redirect(302, asked.reflected()), true).await;
    let findings = world.check("http.host").await;
    assert_eq!(findings.iter().map(|finding| finding.status).collect::<Vec<_>>(), [Status::Warn, Status::Fail]);
}

#[tokio::test]
async fn what_cannot_be_followed_is_judged_and_never_panics() {
    let long = "x".repeat(30_000);
    let table: &[(String, Status, &str)] = &[
        ("HTTP/1.1 301 X\r\nLocation: /\x01\r\n\r\n".into(), Status::Fail, "not-http"),
        ("garbage".into(), Status::Fail, "not-http"),
        (String::new(), Status::Fail, "no-connection"),
        (Asked::redirect(301, format!("https://site.test/{long}")), Status::Warn, "location-malformed"),
        (Asked::redirect(301, "https://b\u{fc}cher.test/"), Status::Warn, "location-malformed"),
        (Asked::redirect(301, "https://["), Status::Fail, "location-malformed"),
        (
            "HTTP/1.1 301 X\r\nLocation: https://a.test/\r\nLocation: https://b.test/\r\n\r\n".into(),
            Status::Fail,
            "location-different",
        ),
        ("HTTP/1.1 301 X\r\nContent-Length: 0\r\n\r\n".into(), Status::Fail, "location-absent"),
    ];
    for (answer, status, expected) in table.iter().cloned() {
        let world = World::new(move |asked| if asked.secure { healthy(asked) } else { answer.clone() }).await;
        let finding = world.one("http.redirect").await;
        assert_eq!((finding.status, reason(&finding)), (status, expected), "{finding:?}");
        assert!(serde_json::to_string(&finding).unwrap().len() < 10_000);
    }
}

#[tokio::test]
async fn the_plain_side_may_be_closed_on_purpose_or_unsaid() {
    let mut world = World::new(healthy).await;
    world.site.http = HttpSide::Unsaid("the URL has a port of its own".into());
    let finding = world.one("http.redirect").await;
    assert_eq!((finding.status, finding.summary.as_str()), (Status::Skip, "the URL has a port of its own"));
    assert_eq!(world.one("http.host").await.status, Status::Pass);
}

#[test]
fn every_check_says_how_to_do_it_by_hand() {
    let mut site = site("https://prime.example.edu/");
    site.resolve.clear();
    site.http = HttpSide::Redirects(url("http://prime.example.edu/"));
    let login = url("https://prime.example.edu/auth/login");
    site.oauth = Some(OauthSite { login, provider: Provider::Google, redirect_uri: None, client_id: None });
    let by_hand = |id: &str| REGISTRY.sites.iter().find(|check| check.id() == id).unwrap().by_hand(&site);
    assert_eq!(by_hand("http.status"), "curl -sS -o /dev/null -w '%{http_code}\\n' https://prime.example.edu/");
    assert_eq!(by_hand("http.redirect"), "curl -sS -o /dev/null -D - 'http://prime.example.edu/?mainstay-check=1'");
    assert_eq!(by_hand("oauth.redirect"), "curl -sS -o /dev/null -D - https://prime.example.edu/auth/login");
    assert!(by_hand("http.host").contains("-H 'Host: mainstay-check.invalid'"));
    for check in REGISTRY.sites.iter().filter(|check| check.id().starts_with("http.")) {
        assert!(!check.by_hand(&site).contains("-I"), "HEAD is not what browsers send");
    }
}
