//! Certificates and servers for tests: real ones, on loopback.

use std::{net::SocketAddr, sync::Arc};

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{io::AsyncWriteExt, net::TcpListener, task::JoinHandle};
use tokio_rustls::TlsAcceptor;

/// The moment that tests call now: 2026-11-23T18:00:00Z.
pub fn now() -> Timestamp {
    "2026-11-23T18:00:00Z".parse().expect("a fixed moment")
}

/// An authority that can issue certificates: a root, or an intermediate of another authority.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key, as a server holds it.
pub struct Issued {
    /// The certificate.
    pub der: CertificateDer<'static>,
    /// Its key.
    pub key: KeyPair,
}

impl Authority {
    /// A self-signed root, valid from 2020 to 2040.
    pub fn new(name: &str) -> Self {
        let params = Self::params(name, ("2020-01-01", "2040-01-01"));
        let key = KeyPair::generate().expect("a key");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("a root") }
    }

    /// An intermediate, valid from 2025 to 2035.
    pub fn intermediate(&self, name: &str) -> Self {
        self.intermediate_between(name, ("2025-01-01", "2035-01-01"))
    }

    /// An intermediate with its own dates.
    pub fn intermediate_between(&self, name: &str, dates: (&str, &str)) -> Self {
        let params = Self::params(name, dates);
        let key = KeyPair::generate().expect("a key");
        Self { issuer: CertifiedIssuer::signed_by(params, key, &self.issuer).expect("an intermediate") }
    }

    /// A certificate for `other`'s name and key, signed by this authority: a cross-sign.
    pub fn cross_sign(&self, other: &Self, name: &str, dates: (&str, &str)) -> CertificateDer<'static> {
        let params = Self::params(name, dates);
        params.signed_by(other.issuer.key(), &self.issuer).expect("a cross-sign").der().clone()
    }

    /// Its own certificate.
    pub fn der(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// Its own certificate as a PEM file.
    pub fn pem_file(&self) -> tempfile::NamedTempFile {
        use std::io::Write as _;
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(self.issuer.pem().as_bytes()).expect("written");
        file
    }

    /// A server certificate for these names, valid 2026-10-24 to 2027-01-22 (90 days, 60 left at [`now`]).
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.issue_with(leaf(names))
    }

    /// A server certificate with everything as given; begin with [`leaf`].
    pub fn issue_with(&self, params: CertificateParams) -> Issued {
        let key = KeyPair::generate().expect("a key");
        let der = params.signed_by(&key, &self.issuer).expect("a certificate").der().clone();
        Issued { der, key }
    }

    fn params(name: &str, dates: (&str, &str)) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        between(&mut params, dates);
        params
    }
}

/// The parameters of an ordinary server certificate.
pub fn leaf(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(names.first().unwrap_or(&"leaf"));
    params.subject_alt_names = names
        .iter()
        .map(|name| match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName((*name).try_into().expect("a name")),
        })
        .collect();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    between(&mut params, ("2026-10-24T18:00:00Z", "2027-01-22T18:00:00Z"));
    params
}

/// A subject with only a common name.
pub fn named(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

/// Sets the first and the last moment of validity: dates, or RFC 3339.
pub fn between(params: &mut CertificateParams, (from, to): (&str, &str)) {
    let moment = |text: &str| {
        let text = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
        let moment: Timestamp = text.parse().expect("a moment");
        rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(moment.as_second().unsigned_abs())
    };
    params.not_before = moment(from);
    params.not_after = moment(to);
}

/// A server on loopback that ends with the test.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Shows this chain and, over HTTP/1.1, answers `200` to everything.
    pub async fn tls(issued: Issued, chain: &[CertificateDer<'static>]) -> Self {
        let mut certificates = vec![issued.der];
        certificates.extend_from_slice(chain);
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(issued.key.serialize_der()));
        Self::with_config(config(certificates, key)).await
    }

    /// The same with a server configuration of one's own.
    pub async fn with_config(config: ServerConfig) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::accepting(move |tcp| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(mut stream) = acceptor.accept(tcp).await else { return };
                let mut request = [0; 4096];
                let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut request).await;
                let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        })
        .await
    }

    /// Over HTTP/1.1, as `127.0.0.1`: answers each request (its head as text) with what `answer` makes of it.
    pub async fn answering<F>(issuer: &Authority, answer: F) -> Self
    where
        F: Fn(&str) -> String + Clone + Send + 'static,
    {
        let issued = issuer.issue(&["127.0.0.1"]);
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(issued.key.serialize_der()));
        let acceptor = TlsAcceptor::from(Arc::new(config(vec![issued.der], key)));
        Self::accepting(move |tcp| {
            let (acceptor, answer) = (acceptor.clone(), answer.clone());
            async move {
                let Ok(mut stream) = acceptor.accept(tcp).await else { return };
                let mut request = [0; 4096];
                let read = tokio::io::AsyncReadExt::read(&mut stream, &mut request).await.unwrap_or(0);
                let text = answer(&String::from_utf8_lossy(&request[..read]));
                let _ = stream.write_all(text.as_bytes()).await;
            }
        })
        .await
    }

    /// Hands every connection to `serve`.
    pub async fn accepting<F, Served>(serve: F) -> Self
    where
        F: Fn(tokio::net::TcpStream) -> Served + Send + 'static,
        Served: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let task = tokio::spawn(async move {
            let mut served = tokio::task::JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                served.spawn(serve(tcp));
            }
        });
        Self { address, task }
    }
}

/// A server configuration that shows these certificates and offers `http/1.1`.
pub fn config(certificates: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .expect("a usable certificate");
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}
