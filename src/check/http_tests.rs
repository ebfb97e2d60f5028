//! The `http.*` and `oauth.*` checks against real servers on loopback: plain HTTP and TLS, HTTP/1.1 and HTTP/2.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use hyper::Response;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::{
    Addresses, Family, HttpSide, OauthSite, Provider, REGISTRY, Resolve, Scope, Site, Threshold, TlsPolicy, TlsVersion,
};
use crate::{
    report::{Finding, Status},
    system::{
        Context, clock,
        tls::testing::{Authority, Server, config, now},
    },
};

/// A request as the test server saw it.
struct Asked {
    /// Whether it came over TLS.
    secure: bool,
    host: String,
    target: String,
    /// How many requests came before it.
    before: usize,
    http: u16,
    https: u16,
}

impl Asked {
    fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// What nginx makes of `https://$host`.
    fn reflected(&self) -> String {
        format!("https://{}:{}/", self.host.split(':').next().unwrap_or_default(), self.https)
    }

    /// The same address on https.
    fn upgraded(&self) -> String {
        format!("https://site.test:{}{}", self.https, self.target)
    }

    fn redirect(status: u16, location: impl std::fmt::Display) -> String {
        format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
    }

    fn ok(headers: &str) -> String {
        format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 20\r\n\r\n<title>Prime</title>")
    }
}

type Answering = Arc<dyn Fn(&Asked) -> String + Send + Sync>;

/// A site with its two sides.
struct World {
    site: Site,
    seen: Arc<Mutex<Vec<String>>>,
    sides: Vec<Server>,
}

impl World {
    /// A site whose sides answer what `answer` says, in HTTP/1.1.
    async fn new(answer: impl Fn(&Asked) -> String + Send + Sync + 'static) -> Self {
        Self::speaking(answer, false).await
    }

    async fn speaking(answer: impl Fn(&Asked) -> String + Send + Sync + 'static, http2: bool) -> Self {
        let root = Authority::new("T Root");
        let issued = root.issue(&["site.test", "127.0.0.1"]);
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(issued.key.serialize_der()));
        let mut tls = config(vec![issued.der], key);
        if http2 {
            tls.alpn_protocols = vec![b"h2".to_vec()];
        }
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let answer: Answering = Arc::new(answer);
        let (seen, count) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicUsize>::default());
        // Each side must know the other's port before the first request comes.
        let ports = Arc::new(Mutex::new((0, 0)));
        let asked = {
            let (seen, ports) = (seen.clone(), ports.clone());
            move |secure: bool, host: &str, target: &str| {
                let (http, https) = *ports.lock().unwrap();
                seen.lock().unwrap().push(format!("{} {target} {host}", if secure { "https" } else { "http" }));
                let before = count.fetch_add(1, Ordering::Relaxed);
                answer(&Asked { secure, host: host.to_owned(), target: target.to_owned(), before, http, https })
            }
        };
        let plain = {
            let asked = asked.clone();
            Server::accepting(move |tcp| serve(tcp, asked.clone(), false)).await
        };
        let secure = Server::accepting(move |tcp| {
            let (acceptor, asked) = (acceptor.clone(), asked.clone());
            async move {
                let Ok(stream) = acceptor.accept(tcp).await else { return };
                if http2 { serve_http2(stream, asked).await } else { serve(stream, asked, true).await }
            }
        })
        .await;
        *ports.lock().unwrap() = (plain.address.port(), secure.address.port());
        let mut site = site(&format!("https://site.test:{}/", secure.address.port()));
        site.http = HttpSide::Redirects(url(&format!("http://site.test:{}/a", plain.address.port())));
        site.extra_roots = vec![root.der()];
        Self { site, seen, sides: vec![plain, secure] }
    }

    async fn check(&self, id: &str) -> Vec<Finding> {
        check(&self.site, id).await
    }

    /// The only finding of a check.
    async fn one(&self, id: &str) -> Finding {
        let mut findings = self.check(id).await;
        assert_eq!(findings.len(), 1, "{findings:?}");
        findings.remove(0)
    }

    /// What the sides were asked.
    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn check(site: &Site, id: &str) -> Vec<Finding> {
    let mut context = Context::real(BTreeMap::new(), PathBuf::from("/"));
    context.clock = Arc::new(clock::Fixed(now()));
    let scope = Scope::new(site, &context);
    let check = REGISTRY.iter().find(|check| check.id() == id).unwrap();
    if let Err(reason) = check.applies(site) {
        return vec![Finding::skip(check.id(), &site.name, reason)];
    }
    check.run(&scope).await
}

fn site(address: &str) -> Site {
    Site {
        name: "prime".into(),
        url: url(address),
        status: vec![200],
        contains: None,
        http: HttpSide::Unsaid("nobody asked".into()),
        addresses: Addresses::All,
        resolve: vec![Resolve { host: None, port: None, address: "127.0.0.1".parse().unwrap() }],
        family: Family::Any,
        extra_roots: Vec::new(),
        ca_file: None,
        fingerprints: Vec::new(),
        http_closed: Status::Fail,
        trusted_proxy: false,
        hsts: Some(Status::Fail),
        timeout: Duration::from_secs(5),
        tls: TlsPolicy { warn: Threshold::Share(0.25), fail: Threshold::Share(0.1), min_version: TlsVersion::Tls12 },
        nginx: None,
        gunicorn: None,
        oauth: None,
    }
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn reason(finding: &Finding) -> &str {
    finding.data.get("reason").and_then(|reason| reason.as_str()).unwrap_or_default()
}

/// Answers one HTTP/1.1 request.
async fn serve<S>(mut stream: S, asked: impl Fn(bool, &str, &str) -> String, secure: bool)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1).unwrap_or_default();
    let host = head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let _ = stream.write_all(asked(secure, host, target).as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Answers HTTP/2 requests with what the same function says in HTTP/1.1.
async fn serve_http2<S>(stream: S, asked: impl Fn(bool, &str, &str) -> String)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let target = request.uri().path_and_query().unwrap().to_string();
        let answer = asked(true, request.uri().authority().unwrap().as_str(), &target);
        let (head, _) = answer.split_once("\r\n\r\n").unwrap();
        let mut response = Response::builder().status(head.split(' ').nth(1).unwrap());
        for line in head.lines().skip(1) {
            let (name, value) = line.split_once(": ").unwrap();
            if name != "Content-Length" {
                response = response.header(name, value);
            }
        }
        respond.send_response(response.body(()).unwrap(), true).unwrap();
    }
}

/// A site that does everything right.
fn healthy(asked: &Asked) -> String {
    if asked.secure {
        Asked::ok("Strict-Transport-Security: max-age=31536000\r\n")
    } else {
        Asked::redirect(301, asked.upgraded())
    }
}

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
    assert_eq!((finding.status, reason(&finding)), (Status::Fail, "loop"));
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

const CALLBACK: &str = "https%3A%2F%2Fsite.test";

/// A world with a login that answers what `location` makes of the request.
async fn login(location: impl Fn(&Asked) -> String + Send + Sync + 'static) -> World {
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
    let mut world = login(|asked| healthy(asked)).await;
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
async fn a_foreign_host_that_comes_back_fails_on_the_side_where_it_does() {
    let world = World::new(|asked| match asked.secure {
        true => Asked::ok(""),
        false => Asked::redirect(301, asked.reflected()),
    })
    .await;
    let findings = world.check("http.host").await;
    let sides: Vec<_> =
        findings.iter().map(|finding| (finding.status, finding.data["side"].as_str().unwrap())).collect();
    assert_eq!(sides, [(Status::Fail, "http"), (Status::Pass, "https")]);
    assert!(world.seen().iter().any(|line| line.starts_with("https / mainstay-check.invalid")), "{:?}", world.seen());
}

#[tokio::test]
async fn a_foreign_host_is_sent_over_http2_too() {
    let world = World::speaking(|asked| Asked::redirect(302, asked.reflected()), true).await;
    let findings = world.check("http.host").await;
    assert_eq!(findings.iter().map(|finding| finding.status).collect::<Vec<_>>(), [Status::Fail, Status::Fail]);
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
    let by_hand = |id: &str| REGISTRY.iter().find(|check| check.id() == id).unwrap().by_hand(&site);
    assert_eq!(by_hand("http.status"), "curl -sS -o /dev/null -w '%{http_code}\\n' https://prime.example.edu/");
    assert_eq!(by_hand("http.redirect"), "curl -sS -o /dev/null -D - 'http://prime.example.edu/?mainstay-check=1'");
    assert_eq!(by_hand("oauth.redirect"), "curl -sS -o /dev/null -D - https://prime.example.edu/auth/login");
    assert!(by_hand("http.host").contains("-H 'Host: mainstay-check.invalid'"));
    for check in REGISTRY.iter().filter(|check| check.id().starts_with("http.")) {
        assert!(!check.by_hand(&site).contains("-I"), "HEAD is not what browsers send");
    }
}
