//! A verifier that notes what it is shown and lets the handshake go on; the judging comes after.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::{
    CertificateError, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

/// What a server showed in one handshake.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    /// The certificates as they were sent, its own first.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// Whether an OCSP answer came with them.
    pub(super) stapled: bool,
    /// The verdict on the proof that the server holds the key: `None` until it was given.
    pub(super) proof: Option<Result<(), String>>,
}

/// Notes and accepts everything: the connection it lets through is not trusted before it has been judged.
#[derive(Debug)]
pub(super) struct Capturing {
    shown: Mutex<Shown>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Accepts nothing: stands in the shared configuration, so that a forgotten [`Capturing`] fails safe.
#[derive(Debug)]
pub(super) struct Refusing;

impl Capturing {
    pub(super) fn new(algorithms: WebPkiSupportedAlgorithms) -> Arc<Self> {
        Arc::new(Self { shown: Mutex::default(), algorithms })
    }

    /// What was shown so far; the chain is empty when no certificate has come.
    pub(super) fn shown(&self) -> Shown {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, proof: Result<HandshakeSignatureValid, Error>) {
        let proof = proof.map(|_| ()).map_err(|error| error.to_string());
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).proof = Some(proof);
    }
}

impl ServerCertVerifier for Capturing {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.chain = std::iter::once(end_entity).chain(intermediates).map(|der| der.clone().into_owned()).collect();
        shown.stapled = !ocsp_response.is_empty();
        Ok(ServerCertVerified::assertion())
    }

    // A key that is too small for any verifier (RSA 1024) fails here too, and is reported as that and not as a broken
    // handshake; so the verdict is kept and the handshake goes on.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.note(verify_tls12_signature(message, cert, dss, &self.algorithms));
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.note(verify_tls13_signature(message, cert, dss, &self.algorithms));
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for Refusing {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Err(refusal())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(refusal())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(refusal())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

fn refusal() -> Error {
    Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
}
