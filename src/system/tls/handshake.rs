//! One TLS connection: TCP, handshake, and what was shown on the way.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use jiff::Timestamp;
use rustls::{ProtocolVersion, client::danger::ServerCertVerifier, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    path,
    trust::Trust,
    verifier::{Capturing, Shown},
};
use crate::{
    rules::certificate::{Instead, Session, Stage, TlsObservation, TlsVersion, Trouble, plain},
    system::process::room::is_exhausted,
};

/// How a connection is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The moment at which certificates are judged.
    pub now: Timestamp,
    /// How long TCP and the handshake may take together.
    pub within: Duration,
    /// Whether HTTP/2 is offered beside HTTP/1.1; what was chosen is in the observation.
    pub http2: bool,
    /// SHA-256 of leaves that are right although no authority vouches for them.
    pub pins: &'a [[u8; 32]],
}

/// A connection that stands, with whomever: ask [`TlsObservation::is_trusted`] before sending anything private.
#[derive(Debug)]
pub struct Connection {
    /// What was shown.
    pub observation: TlsObservation,
    /// The connection.
    pub stream: TlsStream<Recorded>,
}

/// A connection that did not come about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failed {
    /// Why.
    pub trouble: Trouble,
    /// What was shown before it broke off, when certificates had come.
    pub observation: Option<Box<TlsObservation>>,
}

impl Connection {
    /// Whether the server chose HTTP/2.
    pub fn is_http2(&self) -> bool {
        self.observation.session.as_ref().is_some_and(|session| session.alpn.as_deref() == Some("h2"))
    }
}

/// Connects to `address` and shakes hands for `host` (a DNS name in A-labels, or an address: then no SNI is sent).
///
/// Whatever the certificate is like, the connection is made and the verdict is in the observation.
///
/// # Errors
///
/// When no TLS connection came about at all.
pub async fn open(address: SocketAddr, host: &str, trust: &Trust, options: Options<'_>) -> Result<Connection, Failed> {
    let failed = |trouble| Failed { trouble, observation: None };
    let start = Instant::now();
    let host = plain(host);
    let name = ServerName::try_from(host.clone()).map_err(|_| failed(Trouble::BadName))?;
    let tcp = connect(address, options.within).await.map_err(failed)?;

    let capturing = Capturing::new(trust.algorithms);
    let mut config = trust.config.clone();
    config.alpn_protocols =
        if options.http2 { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { vec![b"http/1.1".to_vec()] };
    let verifier: Arc<dyn ServerCertVerifier> = capturing.clone();
    config.dangerous().set_certificate_verifier(verifier);

    let recorded = Recorded::new(tcp);
    let first = recorded.first.clone();
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, recorded);
    let left = options.within.saturating_sub(start.elapsed());
    let trouble = match timeout(left, handshake).await {
        Ok(Ok(stream)) => {
            let session = session(&stream);
            let observation = observe(host, capturing.shown(), session, trust, options);
            return Ok(Connection { observation, stream });
        }
        Ok(Err(error)) => trouble(&error, &heard(&first)),
        Err(_) => match instead(&heard(&first)) {
            Some(instead) => Trouble::NotTls(instead),
            None => Trouble::Timeout { stage: Stage::Handshake, after: options.within },
        },
    };
    let shown = capturing.shown();
    let observation = (!shown.chain.is_empty()).then(|| Box::new(observe(host, shown, None, trust, options)));
    Err(Failed { trouble, observation })
}

/// Connects a socket, within a deadline.
///
/// # Errors
///
/// Why it could not.
pub async fn connect(address: SocketAddr, within: Duration) -> Result<TcpStream, Trouble> {
    let late = Trouble::Timeout { stage: Stage::Connect, after: within };
    let stream = match timeout(within, TcpStream::connect(address)).await {
        Ok(connected) => connected.map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => Trouble::Refused,
            io::ErrorKind::TimedOut => late,
            _ if is_exhausted(&error) => Trouble::NoRoom(error.to_string()),
            // These come from this machine and say nothing about the other one.
            io::ErrorKind::AddrNotAvailable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::Unsupported => Trouble::NoRoute(error.to_string()),
            _ if error.raw_os_error() == Some(NO_SUCH_FAMILY) => Trouble::NoRoute(error.to_string()),
            _ => Trouble::Unreachable(error.to_string()),
        })?,
        Err(_) => return Err(late),
    };
    // The messages of a handshake are small and each waits for the other side's; a refusal only costs time.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// EAFNOSUPPORT on Linux: a kernel without IPv6, for which the standard library has no word.
const NO_SUCH_FAMILY: i32 = 97;

/// A socket that keeps the first bytes it reads, to tell what is spoken there when it is not TLS.
#[derive(Debug)]
pub struct Recorded {
    tcp: TcpStream,
    first: Arc<Mutex<Vec<u8>>>,
    full: bool,
}

impl Recorded {
    const KEPT: usize = 64;

    fn new(tcp: TcpStream) -> Self {
        Self { tcp, first: Arc::default(), full: false }
    }
}

impl AsyncRead for Recorded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.tcp).poll_read(cx, buffer))?;
        if !self.full {
            let read = buffer.filled().get(before..).unwrap_or_default();
            let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
            let room = Self::KEPT.saturating_sub(first.len());
            first.extend(read.iter().take(room));
            let full = first.len() >= Self::KEPT;
            drop(first);
            self.full = full;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Recorded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

fn heard(first: &Mutex<Vec<u8>>) -> Vec<u8> {
    first.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn session(stream: &TlsStream<Recorded>) -> Option<Session> {
    let (_, connection) = stream.get_ref();
    let version = match connection.protocol_version()? {
        ProtocolVersion::TLSv1_2 => TlsVersion::Tls12,
        ProtocolVersion::TLSv1_3 => TlsVersion::Tls13,
        _ => return None,
    };
    let cipher = connection.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite())).unwrap_or_default();
    let alpn = connection.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
    Some(Session { version, cipher, alpn })
}

fn observe(
    host: String,
    shown: Shown,
    session: Option<Session>,
    trust: &Trust,
    options: Options<'_>,
) -> TlsObservation {
    let chain = path::links(&shown.chain, trust);
    let path = path::examine(&shown.chain, &chain, trust, options.now);
    let sha256 = chain.first().map(|link| match &link.certificate {
        Ok(certificate) => certificate.sha256,
        Err(unreadable) => unreadable.sha256,
    });
    TlsObservation {
        host,
        session,
        path,
        unproven: match shown.proof {
            Some(Ok(())) => None,
            Some(Err(why)) => Some(why),
            None => Some("the handshake broke off before the proof".to_owned()),
        },
        pinned: sha256.is_some_and(|sha256| options.pins.contains(&sha256)),
        stapled: shown.stapled,
        trust: trust.source.clone(),
        trust_trouble: trust.trouble.clone(),
        chain,
    }
}

fn trouble(error: &io::Error, heard: &[u8]) -> Trouble {
    if let Some(instead) = instead(heard) {
        return Trouble::NotTls(instead);
    }
    match error.get_ref().and_then(|source| source.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => Trouble::Alert(snake(&format!("{alert:?}"))),
        Some(other) => Trouble::Protocol(other.to_string()),
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Trouble::Closed,
            _ => Trouble::Unreachable(error.to_string()),
        },
    }
}

/// What is spoken there, when the first bytes cannot be a TLS record (RFC 8446, 5.1: a type of 20 to 24, major version 3).
pub(super) fn instead(heard: &[u8]) -> Option<Instead> {
    let record = match heard {
        [] => true,
        [kind] => (20..=24).contains(kind),
        [kind, major, ..] => (20..=24).contains(kind) && *major == 3,
    };
    if record {
        return None;
    }
    let line = heard.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let text: String = line.escape_ascii().to_string();
    Some(if heard.starts_with(b"HTTP/") { Instead::Http(text) } else { Instead::Bytes(text) })
}

/// `HandshakeFailure` as the RFC writes it: `handshake_failure`.
pub(super) fn snake(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::system::tls::{
        TrustStores,
        testing::{Authority, Server, now},
    };

    fn options(within: Duration) -> Options<'static> {
        Options { now: now(), within, http2: true, pins: &[] }
    }

    fn trusting(root: &Authority) -> Arc<Trust> {
        TrustStores::default().with(&BTreeMap::new(), &[root.der()], None)
    }

    #[tokio::test]
    async fn a_good_server_is_trusted_and_can_be_talked_to() {
        let root = Authority::new("T Root");
        let middle = root.intermediate("T Int");
        let server = Server::tls(middle.issue(&["a.bench.test"]), &[middle.der()]).await;
        let trust = trusting(&root);
        let mut connection =
            open(server.address, "a.bench.test", &trust, options(Duration::from_secs(5))).await.unwrap();
        assert!(connection.observation.is_trusted(), "{:?}", connection.observation);
        assert_eq!(connection.observation.path.until, Some("2027-01-22T18:00:00Z".parse().unwrap()));
        assert!(!connection.is_http2());
        connection.stream.write_all(b"GET / HTTP/1.1\r\nHost: a.bench.test\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        connection.stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    #[tokio::test]
    async fn a_bad_certificate_does_not_end_the_handshake_and_is_not_trusted() {
        let root = Authority::new("T Root");
        let server = Server::tls(root.issue(&["a.bench.test"]), &[]).await;
        let nobody = trusting(&Authority::new("Another Root"));
        let connection = open(server.address, "a.bench.test", &nobody, options(Duration::from_secs(5))).await.unwrap();
        assert!(!connection.observation.is_trusted());
        let root = trusting(&root);
        let connection = open(server.address, "b.bench.test", &root, options(Duration::from_secs(5))).await.unwrap();
        assert!(connection.observation.path.now.is_ok() && !connection.observation.is_trusted());
    }

    #[tokio::test]
    async fn what_does_not_speak_tls_is_told_apart() {
        let trust = trusting(&Authority::new("T Root"));
        let says = |said: &'static [u8], close: bool| async move {
            Server::accepting(move |mut tcp| async move {
                let mut hello = [0; 1024];
                let _ = tcp.read(&mut hello).await;
                let _ = tcp.write_all(said).await;
                if !close {
                    std::future::pending::<()>().await;
                }
            })
            .await
        };
        let table: &[(&[u8], bool, Trouble)] = &[
            (
                b"HTTP/1.1 400 Bad Request\r\n\r\n",
                true,
                Trouble::NotTls(Instead::Http("HTTP/1.1 400 Bad Request".into())),
            ),
            (b"SSH-2.0-x\r\n", true, Trouble::NotTls(Instead::Bytes("SSH-2.0-x".into()))),
            (b"2", false, Trouble::NotTls(Instead::Bytes("2".into()))),
            (b"", true, Trouble::Closed),
            (b"\x15\x03\x03\x00\x02\x02\x28", false, Trouble::Alert("handshake_failure".into())),
            (b"", false, Trouble::Timeout { stage: Stage::Handshake, after: Duration::from_millis(300) }),
        ];
        for (said, close, expected) in table {
            let server = says(said, *close).await;
            let start = Instant::now();
            let failed =
                open(server.address, "a.bench.test", &trust, options(Duration::from_millis(300))).await.unwrap_err();
            assert_eq!(failed, Failed { trouble: expected.clone(), observation: None });
            assert!(start.elapsed() < Duration::from_millis(500));
        }
    }

    #[tokio::test]
    async fn a_closed_port_is_refused_and_a_strange_name_is_not_asked_for() {
        let address = Server::accepting(|_| async {}).await.address;
        tokio::task::yield_now().await;
        let trust = trusting(&Authority::new("T Root"));
        let failed = open(address, "a.bench.test", &trust, options(Duration::from_secs(1))).await.unwrap_err();
        assert_eq!(failed.trouble, Trouble::Refused);
        let failed = open(address, "a..b", &trust, options(Duration::from_secs(1))).await.unwrap_err();
        assert_eq!(failed.trouble, Trouble::BadName);
    }
}
