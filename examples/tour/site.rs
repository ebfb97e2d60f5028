//! A small web site of the tour's own: HTTPS behind a fresh authority, and a plain side that redirects.

use std::{net::SocketAddr, sync::Arc};

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// The error of everything that only has to work for the tour to start.
pub type Anything = Box<dyn std::error::Error>;

/// A certificate authority that nobody trusts but the tour.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// What is wrong with a site, if anything.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    /// The certificate ended yesterday.
    pub expired: bool,
    /// The plain side answers 200 itself.
    pub no_redirect: bool,
    /// The application believes that it is asked over http.
    pub thinks_http: bool,
}

/// A site that listens on loopback until the runtime ends.
pub struct Site {
    /// Where HTTPS answers.
    pub https: SocketAddr,
    /// Where plain HTTP answers.
    pub http: SocketAddr,
}

impl Authority {
    /// A fresh one.
    pub fn new() -> Result<Self, Anything> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "The tour's authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)? })
    }

    /// Its certificate, for `ca_file`.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Signs a certificate; its PEM.
    pub fn sign(&self, params: CertificateParams, key: &KeyPair) -> Result<String, Anything> {
        Ok(params.signed_by(key, &self.issuer)?.pem())
    }

    /// A server configuration for `localhost` with 90 days of which `left` remain.
    fn server(&self, now: Timestamp, left: i64) -> Result<ServerConfig, Anything> {
        let midnight = |days: i64| {
            let date = (TimeZone::UTC.to_datetime(now).date()).checked_add(days.days())?;
            let part = |number: i8| u8::try_from(number).unwrap_or(1);
            Ok::<_, Anything>(rcgen::date_time_ymd(date.year().into(), part(date.month()), part(date.day())))
        };
        let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
        (params.not_before, params.not_after) = (midnight(left - 90)?, midnight(left)?);
        let key = KeyPair::generate()?;
        let leaf = params.signed_by(&key, &self.issuer)?;
        let chain = vec![leaf.der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der())?;
        Ok(ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?)
    }
}

impl Site {
    /// Starts a site with these faults.
    pub async fn start(authority: &Authority, faults: Faults, now: Timestamp) -> Result<Self, Anything> {
        let config = authority.server(now, if faults.expired { -1 } else { 60 })?;
        let (secure, plain) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
        let site = Self { https: secure.local_addr()?, http: plain.local_addr()? };
        let (acceptor, port) = (TlsAcceptor::from(Arc::new(config)), site.https.port());
        tokio::spawn(async move {
            while let Ok((stream, _)) = secure.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        answer(stream, |path| application(path, port, faults)).await;
                    }
                });
            }
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = plain.accept().await {
                let respond = move |path: &str| match faults.no_redirect {
                    true => page(200, "", "<title>Prime</title>"),
                    false => page(301, &format!("Location: https://localhost:{port}{path}\r\n"), ""),
                };
                tokio::spawn(async move { answer::<TcpStream>(stream, respond).await });
            }
        });
        Ok(site)
    }
}

/// Reads one request head and answers it. A tour needs no more of HTTP/1.1.
async fn answer<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, respond: impl Fn(&str) -> String) {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < 8192 {
        if !matches!(stream.read_buf(&mut head).await, Ok(1..)) {
            return;
        }
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or("/");
    // The visitor may have gone; the tour goes on.
    let _ = stream.write_all(respond(path).as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// The application behind the proxy: a page, and a login that leads to the provider.
fn application(path: &str, port: u16, faults: Faults) -> String {
    if path != "/auth/login" {
        return page(200, "Strict-Transport-Security: max-age=31536000\r\n", "<title>Prime</title>");
    }
    let scheme = if faults.thinks_http { "http" } else { "https" };
    let fresh = KeyPair::generate().map(|key| key.serialize_der()).unwrap_or_default();
    let state: String = fresh.iter().rev().take(16).map(|byte| format!("{byte:02x}")).collect();
    let location = format!(
        "https://accounts.google.com/o/oauth2/v2/auth?response_type=code&client_id=tour.apps.googleusercontent.com\
         &scope=openid%20email&redirect_uri={scheme}%3A%2F%2Flocalhost%3A{port}%2Fauth%2Fcallback&state={state}",
    );
    page(302, &format!("Location: {location}\r\n"), "")
}

fn page(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} Tour\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}")
}
