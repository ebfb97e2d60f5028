//! A site of its own for each test: real servers on loopback, plain and TLS, HTTP/1.1 and HTTP/2.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hyper::Response;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use url::Url;

use crate::check::{Addresses, Family, HttpSide, REGISTRY, Resolve, Scope, Site, Threshold, TlsPolicy, TlsVersion};
use crate::{
    report::{Finding, Status},
    system::{
        Context, clock,
        tls::testing::{Authority, Server, config, now},
    },
};

/// A request as the test server saw it.
pub(super) struct Asked {
    /// Whether it came over TLS.
    pub(super) secure: bool,
    pub(super) host: String,
    pub(super) target: String,
    /// How many requests came before it.
    pub(super) before: usize,
    pub(super) http: u16,
    pub(super) https: u16,
}

impl Asked {
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// What nginx makes of `https://$host`.
    pub(super) fn reflected(&self) -> String {
        format!("https://{}:{}/", self.host.split(':').next().unwrap_or_default(), self.https)
    }

    /// The same address on https.
    pub(super) fn upgraded(&self) -> String {
        format!("https://site.test:{}{}", self.https, self.target)
    }

    pub(super) fn redirect(status: u16, location: impl std::fmt::Display) -> String {
        format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
    }

    pub(super) fn ok(headers: &str) -> String {
        format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 20\r\n\r\n<title>Prime</title>")
    }
}

type Answering = Arc<dyn Fn(&Asked) -> String + Send + Sync>;

/// A site with its two sides.
pub(super) struct World {
    pub(super) site: Site,
    seen: Arc<Mutex<Vec<String>>>,
    pub(super) sides: Vec<Server>,
}

impl World {
    /// A site whose sides answer what `answer` says, in HTTP/1.1.
    pub(super) async fn new(answer: impl Fn(&Asked) -> String + Send + Sync + 'static) -> Self {
        Self::speaking(answer, false).await
    }

    pub(super) async fn speaking(answer: impl Fn(&Asked) -> String + Send + Sync + 'static, http2: bool) -> Self {
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

    pub(super) async fn check(&self, id: &str) -> Vec<Finding> {
        check(&self.site, id).await
    }

    /// The only finding of a check.
    pub(super) async fn one(&self, id: &str) -> Finding {
        let mut findings = self.check(id).await;
        assert_eq!(findings.len(), 1, "{findings:?}");
        findings.remove(0)
    }

    /// What the sides were asked.
    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

pub(super) async fn check(site: &Site, id: &str) -> Vec<Finding> {
    let mut context = Context::real(BTreeMap::new(), PathBuf::from("/"));
    context.clock = Arc::new(clock::Fixed(now()));
    let scope = Scope::new(site, &context);
    let check = REGISTRY.sites.iter().find(|check| check.id() == id).unwrap();
    if let Err(reason) = check.applies(site) {
        return vec![Finding::skip(check.id(), &site.name, reason)];
    }
    let findings = check.run(&scope).await;
    findings.iter().for_each(crate::report::assert_one_voice);
    findings
}

pub(super) fn site(address: &str) -> Site {
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

pub(super) fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

pub(super) fn reason(finding: &Finding) -> &str {
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
        let Some((head, _)) = answer.split_once("\r\n\r\n") else {
            respond.send_reset(h2::Reason::INTERNAL_ERROR);
            continue;
        };
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
pub(super) fn healthy(asked: &Asked) -> String {
    if asked.secure {
        Asked::ok("Strict-Transport-Security: max-age=31536000\r\n")
    } else {
        Asked::redirect(301, asked.upgraded())
    }
}
