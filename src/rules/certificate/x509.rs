//! The facts of one certificate (RFC 5280): read once, judged by everything beside this file.

use std::{fmt, net::IpAddr};

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use x509_parser::{
    extensions::{GeneralName, ParsedExtension},
    oid_registry,
    prelude::{FromDer, X509Certificate},
    public_key::PublicKey,
    time::ASN1Time,
    x509::{SubjectPublicKeyInfo, X509Name},
};

/// What a certificate says of itself. Nothing here is verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Certificate {
    /// SHA-256 of the whole certificate.
    pub sha256: [u8; 32],
    /// The subject, written like `C=US, O=Example, CN=a.example.org`.
    pub subject: String,
    /// The issuer, written the same.
    pub issuer: String,
    /// The subject's name as it is encoded, for comparisons.
    pub subject_der: Vec<u8>,
    /// The issuer's name as it is encoded, for comparisons.
    pub issuer_der: Vec<u8>,
    /// The first moment of validity.
    pub not_before: Timestamp,
    /// The last moment of validity.
    pub not_after: Timestamp,
    /// The subject alternative names, in their order.
    pub names: Vec<AltName>,
    /// The subject's common name, which no client reads as a host name any more.
    pub common_name: Option<String>,
    /// The issuer's common name.
    pub issuer_common_name: Option<String>,
    /// Whether it may sign other certificates (`CA:TRUE`).
    pub is_ca: bool,
    /// Its key.
    pub key: Key,
    /// How it is signed.
    pub signature: Signature,
    /// Whether it may be a TLS server's: `None` when it says nothing about purposes.
    pub server_auth: Option<bool>,
    /// Where its issuer's certificate can be had (AIA caIssuers).
    pub issuer_urls: Vec<String>,
    /// Where its revocation can be asked (OCSP).
    pub ocsp_urls: Vec<String>,
    /// Whether a server must staple an OCSP answer (RFC 7633).
    pub must_staple: bool,
}

/// A subject alternative name that a client compares with the host it asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AltName {
    /// A host name, perhaps with `*` as its first label.
    Dns(String),
    /// An address.
    Ip(IpAddr),
    /// Another kind, which is never compared with a host.
    Other(String),
}

/// A public key, as far as its strength goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Key {
    /// On an elliptic curve.
    Ec {
        /// The curve, for example `P-256`.
        curve: String,
        /// The size of its field; 0 when the curve is not a known one.
        bits: usize,
    },
    /// Edwards curves: Ed25519, Ed448.
    Edwards(&'static str),
    /// Something else, by its object identifier.
    Other(String),
    /// RSA, with the size of its modulus.
    Rsa(usize),
}

/// A signature algorithm.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signature {
    /// Its usual name, or its object identifier.
    pub name: String,
    /// Whether its digest is broken (MD2, MD5, SHA-1).
    pub broken: bool,
}

/// Why a certificate cannot be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unreadable {
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
    /// In the parser's words.
    pub why: String,
}

impl Certificate {
    /// Reads one DER certificate.
    ///
    /// # Errors
    ///
    /// When the bytes are not one whole certificate.
    pub fn parse(der: &[u8]) -> Result<Self, Unreadable> {
        let sha256: [u8; 32] = Sha256::digest(der).into();
        let unreadable = |why: String| Unreadable { sha256, why };
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|error| unreadable(error.to_string()))?;
        if !rest.is_empty() {
            return Err(unreadable(format!("{} bytes follow the certificate", rest.len())));
        }
        let mut certificate = Self {
            sha256,
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            subject_der: parsed.subject().as_raw().to_vec(),
            issuer_der: parsed.issuer().as_raw().to_vec(),
            not_before: moment(parsed.validity().not_before),
            not_after: moment(parsed.validity().not_after),
            names: Vec::new(),
            common_name: common_name(parsed.subject()),
            issuer_common_name: common_name(parsed.issuer()),
            is_ca: parsed.is_ca(),
            key: Key::of(parsed.public_key()),
            signature: Signature::of(&parsed.signature_algorithm.algorithm.to_id_string()),
            server_auth: None,
            issuer_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            must_staple: false,
        };
        for extension in parsed.extensions() {
            certificate.read_extension(&extension.oid.to_id_string(), extension.value, extension.parsed_extension());
        }
        Ok(certificate)
    }

    /// How messages call it: its common name, its first name, or its whole subject.
    pub fn title(&self) -> &str {
        match (&self.common_name, self.names.first()) {
            (Some(name), _) => name,
            (None, Some(AltName::Dns(name))) => name,
            _ if self.subject.is_empty() => "(no subject)",
            _ => &self.subject,
        }
    }

    /// How messages call its issuer.
    pub fn issuer_title(&self) -> &str {
        self.issuer_common_name.as_deref().unwrap_or(&self.issuer)
    }

    /// Whether it names itself as its issuer; whether it also signed itself takes cryptography.
    pub fn is_self_issued(&self) -> bool {
        self.subject_der == self.issuer_der
    }

    /// From the first to the last moment of validity; zero when they are the wrong way round.
    pub fn lifetime(&self) -> std::time::Duration {
        self.not_after.duration_since(self.not_before).try_into().unwrap_or_default()
    }

    fn read_extension(&mut self, oid: &str, value: &[u8], parsed: &ParsedExtension<'_>) {
        match parsed {
            ParsedExtension::SubjectAlternativeName(alternatives) => {
                self.names = alternatives.general_names.iter().map(AltName::of).collect();
            }
            ParsedExtension::ExtendedKeyUsage(usage) => self.server_auth = Some(usage.server_auth || usage.any),
            ParsedExtension::AuthorityInfoAccess(access) => {
                for description in &access.accessdescs {
                    let GeneralName::URI(url) = &description.access_location else { continue };
                    if description.access_method == oid_registry::OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS {
                        self.issuer_urls.push((*url).to_owned());
                    } else if description.access_method == oid_registry::OID_PKIX_ACCESS_DESCRIPTOR_OCSP {
                        self.ocsp_urls.push((*url).to_owned());
                    }
                }
            }
            // A sequence of TLS extension numbers; status_request is 5 (RFC 7633, 4).
            _ if oid == TLS_FEATURE => self.must_staple = value.windows(3).any(|window| window == [2, 1, 5]),
            _ => {}
        }
    }
}

impl AltName {
    fn of(name: &GeneralName<'_>) -> Self {
        match name {
            GeneralName::DNSName(name) => Self::Dns((*name).to_owned()),
            GeneralName::IPAddress(bytes) => match (<[u8; 4]>::try_from(*bytes), <[u8; 16]>::try_from(*bytes)) {
                (Ok(bytes), _) => Self::Ip(IpAddr::from(bytes)),
                (_, Ok(bytes)) => Self::Ip(IpAddr::from(bytes)),
                _ => Self::Other(format!("an address of {} bytes", bytes.len())),
            },
            other => Self::Other(other.to_string()),
        }
    }
}

impl fmt::Display for AltName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) | Self::Other(name) => f.write_str(name),
            Self::Ip(address) => write!(f, "{address}"),
        }
    }
}

impl Key {
    fn of(info: &SubjectPublicKeyInfo<'_>) -> Self {
        let algorithm = info.algorithm.algorithm.to_id_string();
        match (algorithm.as_str(), info.parsed()) {
            ("1.3.101.112", _) => Self::Edwards("Ed25519"),
            ("1.3.101.113", _) => Self::Edwards("Ed448"),
            (_, Ok(PublicKey::RSA(key))) => Self::Rsa(modulus_bits(key.modulus)),
            (_, Ok(PublicKey::EC(_))) => {
                let curve = info.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
                let curve = curve.map(|oid| oid.to_id_string()).unwrap_or_default();
                match CURVES.iter().find(|(oid, ..)| *oid == curve) {
                    Some((_, name, bits)) => Self::Ec { curve: (*name).to_owned(), bits: *bits },
                    None => Self::Ec { curve, bits: 0 },
                }
            }
            _ => Self::Other(algorithm),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ec { curve, .. } => write!(f, "ECDSA {curve}"),
            Self::Edwards(name) => f.write_str(name),
            Self::Other(oid) => write!(f, "key of kind {oid}"),
            Self::Rsa(bits) => write!(f, "RSA {bits}"),
        }
    }
}

impl Signature {
    fn of(oid: &str) -> Self {
        match SIGNATURES.iter().find(|(known, ..)| *known == oid) {
            Some((_, name, broken)) => Self { name: (*name).to_owned(), broken: *broken },
            None => Self { name: oid.to_owned(), broken: false },
        }
    }
}

/// "ab:cd:…": how OpenSSL prints fingerprints, so that they can be compared by eye.
pub fn fingerprint(sha256: &[u8; 32]) -> String {
    let octets: Vec<String> = sha256.iter().map(|octet| format!("{octet:02X}")).collect();
    octets.join(":")
}

fn common_name(name: &X509Name<'_>) -> Option<String> {
    name.iter_common_name().next().and_then(|value| value.as_str().ok()).map(str::to_owned)
}

/// A certificate "without a well-defined expiration" ends in 9999 (RFC 5280, 4.1.2.5), beyond what a timestamp holds.
fn moment(time: ASN1Time) -> Timestamp {
    let seconds = time.timestamp();
    Timestamp::from_second(seconds).unwrap_or(if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

fn modulus_bits(modulus: &[u8]) -> usize {
    let start = modulus.iter().position(|byte| *byte != 0).unwrap_or(modulus.len());
    let significant = &modulus[start..];
    significant.first().map_or(0, |first| significant.len() * 8 - first.leading_zeros() as usize)
}

const TLS_FEATURE: &str = "1.3.6.1.5.5.7.1.24";

/// Object identifier, name, bits (RFC 5480, 2.1.1.1; RFC 5639).
const CURVES: &[(&str, &str, usize)] = &[
    ("1.2.840.10045.3.1.1", "P-192", 192),
    ("1.2.840.10045.3.1.7", "P-256", 256),
    ("1.3.132.0.10", "secp256k1", 256),
    ("1.3.132.0.33", "P-224", 224),
    ("1.3.132.0.34", "P-384", 384),
    ("1.3.132.0.35", "P-521", 521),
    ("1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1", 256),
    ("1.3.36.3.3.2.8.1.1.11", "brainpoolP384r1", 384),
];

/// Object identifier, name, whether the digest is broken (RFC 3279, 4055, 5758, 8410).
const SIGNATURES: &[(&str, &str, bool)] = &[
    ("1.2.840.113549.1.1.2", "RSA with MD2", true),
    ("1.2.840.113549.1.1.4", "RSA with MD5", true),
    ("1.2.840.113549.1.1.5", "RSA with SHA-1", true),
    ("1.2.840.113549.1.1.10", "RSA-PSS", false),
    ("1.2.840.113549.1.1.11", "RSA with SHA-256", false),
    ("1.2.840.113549.1.1.12", "RSA with SHA-384", false),
    ("1.2.840.113549.1.1.13", "RSA with SHA-512", false),
    ("1.2.840.113549.1.1.14", "RSA with SHA-224", false),
    ("1.2.840.10040.4.3", "DSA with SHA-1", true),
    ("1.2.840.10045.4.1", "ECDSA with SHA-1", true),
    ("1.2.840.10045.4.3.2", "ECDSA with SHA-256", false),
    ("1.2.840.10045.4.3.3", "ECDSA with SHA-384", false),
    ("1.2.840.10045.4.3.4", "ECDSA with SHA-512", false),
    ("1.3.101.112", "Ed25519", false),
    ("1.3.101.113", "Ed448", false),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_modulus_is_measured_without_its_leading_zeros() {
        assert_eq!(modulus_bits(&[0, 0x80, 0, 0]), 24);
        assert_eq!(modulus_bits(&[0x7f, 0xff]), 15);
        assert_eq!((modulus_bits(&[]), modulus_bits(&[0, 0])), (0, 0));
    }

    #[test]
    fn a_fingerprint_is_written_like_openssl_does() {
        let mut sha256 = [0; 32];
        sha256[0] = 0xab;
        assert!(fingerprint(&sha256).starts_with("AB:00:"));
        assert_eq!(fingerprint(&sha256).len(), 95);
    }

    /// One certificate with every extension that is read, as rcgen writes it.
    fn sample() -> Vec<u8> {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params =
            rcgen::CertificateParams::new(vec!["a.bench.test".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params
            .custom_extensions
            .push(rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 24], vec![0x30, 3, 2, 1, 5]));
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_is_read() {
        let certificate = Certificate::parse(&sample()).unwrap();
        assert_eq!(certificate.names[0], AltName::Dns("a.bench.test".into()));
        assert_eq!(certificate.names[1], AltName::Ip([127, 0, 0, 1].into()));
        assert_eq!(certificate.key, Key::Ec { curve: "P-256".into(), bits: 256 });
        assert_eq!(certificate.signature, Signature { name: "ECDSA with SHA-256".into(), broken: false });
        assert!(certificate.must_staple && certificate.is_ca && certificate.is_self_issued());
        assert_eq!(certificate.server_auth, Some(true));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = Certificate::parse(&bytes);
        }

        #[test]
        fn a_damaged_certificate_never_panics(at in any::<prop::sample::Index>(), value in any::<u8>(), cut in any::<prop::sample::Index>()) {
            static SAMPLE: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(sample);
            let mut bytes = SAMPLE.clone();
            let at = at.index(bytes.len());
            bytes[at] = value;
            let _ = Certificate::parse(&bytes);
            bytes.truncate(cut.index(bytes.len()));
            prop_assert!(Certificate::parse(&bytes).is_err());
        }
    }
}
