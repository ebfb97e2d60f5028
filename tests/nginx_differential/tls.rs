//! Certificates and servers over TLS.

use std::{fs, net::TcpStream, path::Path, sync::Arc};

use mainstay::rules::nginx::evaluate;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use crate::{
    compare::{Asked, agree},
    echo,
    request::ask,
    served::{Files, Nginx, free_ports},
};

/// The handshake's certificate and the server of the request are those of the evaluator.
pub fn certificates(program: &Path) {
    let application = echo::start();
    let port = free_ports(1)[0];
    let folder = tempfile::tempdir().expect("a folder for certificates");
    let mut files = Files::default();
    let mut text = String::new();
    for (index, (listen, name)) in
        [("default_server", "d.test"), ("", "a.test"), ("", "*.w.test"), ("", "b.test")].into_iter().enumerate()
    {
        let own = rcgen::generate_simple_self_signed(vec![format!("cert{index}.test")]).expect("a certificate");
        let path = folder.path().join(format!("{index}.pem"));
        fs::write(&path, own.cert.pem() + &own.signing_key.serialize_pem()).expect("written");
        text.push_str(&format!(
            "server {{\nlisten {port} ssl {listen}; server_name {name}; add_header X-Where s{index} always;\n\
             ssl_certificate {path}; ssl_certificate_key {path};\nproxy_set_header X-Forwarded-Proto $scheme;\n\
             location / {{\nadd_header X-Where l{index} always; proxy_pass http://127.0.0.1:{application}; }}\n}}\n",
            path = path.display(),
        ));
    }
    files.add("sites/tls.conf", &text);
    let hosts = ["a.test", "d.test", "x.w.test", "w.test", "b.test", "none.test", "127.0.0.1"];
    let requests: Vec<Asked> = hosts.iter().map(|host| Asked::plain("127.0.0.1", port, host, "/")).collect();
    let nginx = Nginx::start(program, &files, "", &requests);
    let config = nginx.evaluated();
    for asked in &requests {
        let answer = evaluate(&config, &asked.question(true)).unwrap_or_else(|doubt| panic!("{asked:?}: {doubt}"));
        let (mut stream, served) = handshake(asked);
        let received = ask(&mut stream, &asked.host, &asked.path).expect("nginx answers over TLS");
        agree(&config, &answer, &received).unwrap_or_else(|what| panic!("{asked:?}: {what}"));
        let file = answer.certificate.expect("a certificate").value;
        let pem = fs::read(&file).expect("the certificate is there");
        let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).expect("PEM");
        assert_eq!(pem.contents, served.as_ref(), "{asked:?} gets {file}");
    }
}

fn handshake(asked: &Asked) -> (StreamOwned<ClientConnection, TcpStream>, CertificateDer<'static>) {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anything(provider)))
        .with_no_client_auth();
    let name = ServerName::try_from(asked.host.clone()).expect("a name");
    let mut connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
    let mut stream = TcpStream::connect((asked.address, asked.port)).expect("nginx listens");
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).expect("a handshake");
    }
    let served =
        connection.peer_certificates().and_then(|chain| chain.first()).expect("a certificate").clone().into_owned();
    (StreamOwned::new(connection, stream), served)
}

/// Trusts every certificate: which one comes is what is looked at.
#[derive(Debug)]
struct Anything(Arc<CryptoProvider>);

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
