//! Which protocol versions a server offers: hand-made ClientHello messages, for what rustls cannot speak.
//!
//! Only the first answer is read: a ServerHello says what the server would speak (RFC 2246, 4346 and 5246, 7.4.1), an
//! alert that it would not. No key is exchanged. TLS 1.3 is not asked for here, the real handshake shows it.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

use super::handshake::{connect, instead};
use crate::rules::certificate::{Offer, Offers, TlsVersion, plain};

/// Asks which of TLS 1.0, 1.1 and 1.2 the server would speak; TLS 1.3 stays unknown.
///
/// Two connections where the old versions are off, since a server answers with the highest version it shares.
pub async fn offers(address: SocketAddr, host: &str, within: Duration) -> Offers {
    let start = Instant::now();
    let (old, new) =
        tokio::join!(ask(address, host, TlsVersion::Tls11, within), ask(address, host, TlsVersion::Tls12, within));
    let (tls10, tls11) = match old {
        Answered::Speaks(TlsVersion::Tls11, cipher) => {
            let left = within.saturating_sub(start.elapsed());
            (ask(address, host, TlsVersion::Tls10, left).await.offer(TlsVersion::Tls10), Offer::Yes { cipher })
        }
        other => (other.clone().offer(TlsVersion::Tls10), other.offer(TlsVersion::Tls11)),
    };
    Offers { tls10, tls11, tls12: new.offer(TlsVersion::Tls12), tls13: Offer::Unknown("not asked yet".into()) }
}

/// What came of one ClientHello.
#[derive(Clone, Debug)]
enum Answered {
    /// An alert or a closed connection.
    No(String),
    /// A ServerHello with this version and cipher suite.
    Speaks(TlsVersion, String),
    /// Neither.
    Unknown(String),
}

impl Answered {
    fn offer(self, version: TlsVersion) -> Offer {
        match self {
            Self::No(why) => Offer::No(why),
            Self::Speaks(spoken, cipher) if spoken == version => Offer::Yes { cipher },
            Self::Speaks(spoken, _) => Offer::No(format!("answers with TLS {}", spoken.number())),
            Self::Unknown(why) => Offer::Unknown(why),
        }
    }
}

async fn ask(address: SocketAddr, host: &str, highest: TlsVersion, within: Duration) -> Answered {
    let start = Instant::now();
    let mut tcp = match connect(address, within).await {
        Ok(tcp) => tcp,
        Err(trouble) => return Answered::Unknown(trouble.to_string()),
    };
    let left = within.saturating_sub(start.elapsed());
    match timeout(left, exchange(&mut tcp, &client_hello(&plain(host), highest))).await {
        Ok(answered) => answered,
        Err(_) => Answered::Unknown(format!(
            "no answer to a TLS {} handshake within {} s",
            highest.number(),
            within.as_secs_f64()
        )),
    }
}

async fn exchange(tcp: &mut TcpStream, hello: &[u8]) -> Answered {
    // A server that hangs up without a word refuses too; several do so instead of an alert.
    let closed = || Answered::No("closes the connection".into());
    if tcp.write_all(hello).await.is_err() {
        return closed();
    }
    let mut heard = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        match read(&heard) {
            Reading::Alert(alert) => return Answered::No(format!("alert `{alert}`")),
            Reading::Incomplete if heard.len() >= MOST_HEARD => {
                return Answered::Unknown("the answer does not end".into());
            }
            Reading::Incomplete => {}
            Reading::ServerHello { version, cipher } => {
                return Answered::Speaks(version, suite(cipher));
            }
            Reading::Strange(why) => return Answered::Unknown(why),
        }
        match tcp.read(&mut buffer).await {
            Ok(0) | Err(_) if heard.is_empty() => return closed(),
            Ok(0) | Err(_) => return Answered::Unknown("the answer broke off".into()),
            Ok(read) => heard.extend_from_slice(buffer.get(..read).unwrap_or_default()),
        }
    }
}

/// Enough for a ServerHello, which is all that is read.
const MOST_HEARD: usize = 4096;

/// What the first bytes of an answer say.
#[derive(Debug, Eq, PartialEq)]
enum Reading {
    /// The handshake is refused.
    Alert(String),
    /// More must come.
    Incomplete,
    /// The server's choice.
    ServerHello { version: TlsVersion, cipher: u16 },
    /// Not what a TLS server answers.
    Strange(String),
}

/// Reads the first message of a server.
fn read(heard: &[u8]) -> Reading {
    if instead(heard).is_some() {
        return Reading::Strange("the answer is not TLS".into());
    }
    let [kind, _, _, high, low, record @ ..] = heard else { return Reading::Incomplete };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    match (*kind, record) {
        (ALERT, [level, code, ..]) if length >= 2 => match level {
            // A warning (unrecognized_name) goes before the real answer in the same stream (RFC 6066, 3).
            1 if *code != 0 => read(record.get(length..).unwrap_or_default()),
            _ => Reading::Alert(alert(*code)),
        },
        (ALERT | HANDSHAKE, _) if length == 0 => Reading::Strange("an empty record".into()),
        (ALERT, _) => Reading::Incomplete,
        (HANDSHAKE, _) => server_hello(record),
        _ => Reading::Strange(format!("a record of type {kind}")),
    }
}

/// Type, length (3), version (2), random (32), session id (1 + n), cipher suite (2).
fn server_hello(message: &[u8]) -> Reading {
    let Some(kind) = message.first() else { return Reading::Incomplete };
    if *kind != SERVER_HELLO {
        return Reading::Strange(format!("a handshake message of type {kind} instead of a ServerHello"));
    }
    let (Some([major, minor]), Some(session)) = (message.get(4..6), message.get(38)) else {
        return Reading::Incomplete;
    };
    let at = 39 + usize::from(*session);
    let Some([high, low]) = message.get(at..at + 2) else { return Reading::Incomplete };
    let cipher = u16::from_be_bytes([*high, *low]);
    match (major, minor) {
        (3, 1) => Reading::ServerHello { version: TlsVersion::Tls10, cipher },
        (3, 2) => Reading::ServerHello { version: TlsVersion::Tls11, cipher },
        (3, 3) => Reading::ServerHello { version: TlsVersion::Tls12, cipher },
        _ => Reading::Strange(format!("protocol version {major}.{minor}")),
    }
}

fn alert(code: u8) -> String {
    super::handshake::snake(&format!("{:?}", rustls::AlertDescription::from(code)))
}

fn suite(code: u16) -> String {
    let known = MODERN_SUITES.iter().chain(OLD_SUITES).find(|(suite, _)| *suite == code);
    known.map_or_else(|| format!("{code:#06x}"), |(_, name)| (*name).to_owned())
}

/// A ClientHello as a browser of the time would send it, in one record.
fn client_hello(host: &str, highest: TlsVersion) -> Vec<u8> {
    let version: [u8; 2] = match highest {
        TlsVersion::Tls10 => [3, 1],
        TlsVersion::Tls11 => [3, 2],
        TlsVersion::Tls12 | TlsVersion::Tls13 => [3, 3],
    };
    let modern = highest >= TlsVersion::Tls12;
    let mut extensions = Vec::new();
    if host.parse::<std::net::IpAddr>().is_err() {
        // A list with one entry of type host_name (RFC 6066, 3).
        let entry = [&[0][..], &counted(host.as_bytes())].concat();
        extensions.extend(extension(0, &counted(&entry)));
    }
    extensions.extend(extension(10, &counted(&pairs(GROUPS))));
    // Uncompressed points only.
    extensions.extend(extension(11, &[1, 0]));
    if modern {
        extensions.extend(extension(13, &counted(&pairs(SIGNATURES))));
    }
    // Secure renegotiation and the extended master secret, which hardened servers insist on (RFC 5746, 7627).
    extensions.extend(extension(0xff01, &[0]));
    extensions.extend(extension(23, &[]));

    let suites = if modern { MODERN_SUITES } else { &[] };
    let suites: Vec<u16> = suites.iter().chain(OLD_SUITES).map(|(code, _)| *code).collect();
    let mut body = version.to_vec();
    // It only has to differ from other connections' for the key exchange that never comes.
    body.extend(b"mainstay asks and goes no further");
    body.truncate(2 + 32);
    body.push(0);
    body.extend(counted(&pairs(&suites)));
    body.extend([1, 0]);
    body.extend(counted(&extensions));

    let length = u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes();
    let message = [&[CLIENT_HELLO, 0][..], &length, &body].concat();
    // Records say 3.1 before a version is agreed upon, which the oldest servers need (RFC 5246, E.1).
    [&[HANDSHAKE, 3, 1][..], &counted(&message)].concat()
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &counted(content)].concat()
}

/// The bytes with their length before them.
fn counted(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&length[..], bytes].concat()
}

fn pairs(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

/// x25519, P-256, P-384, P-521.
const GROUPS: &[u16] = &[29, 23, 24, 25];

/// ECDSA and RSA (PSS and PKCS#1) with SHA-256 to SHA-512, then SHA-1 for servers that have nothing else.
const SIGNATURES: &[u16] =
    &[0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0807, 0x0203, 0x0201];

/// TLS 1.2 only: ECDHE and DHE with GCM and ChaCha20, then the CBC and plain-RSA ones with SHA-2 (IANA's names).
const MODERN_SUITES: &[(u16, &str)] = &[
    (0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    (0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    (0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
    (0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
    (0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    (0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"),
    (0xccaa, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    (0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"),
    (0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"),
    (0xc024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"),
    (0xc028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"),
    (0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256"),
    (0x006b, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256"),
    (0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256"),
    (0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384"),
    (0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256"),
    (0x003d, "TLS_RSA_WITH_AES_256_CBC_SHA256"),
];

/// Any version: ECDHE, DHE and plain RSA with AES-CBC, 3DES, and RC4, which some forgotten servers have alone.
const OLD_SUITES: &[(u16, &str)] = &[
    (0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
    (0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"),
    (0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"),
    (0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"),
    (0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"),
    (0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"),
    (0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA"),
    (0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA"),
    (0xc008, "TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA"),
    (0xc012, "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0x0016, "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0xc007, "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA"),
    (0xc011, "TLS_ECDHE_RSA_WITH_RC4_128_SHA"),
    (0x0005, "TLS_RSA_WITH_RC4_128_SHA"),
    (0x0004, "TLS_RSA_WITH_RC4_128_MD5"),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hello(minor: u8, cipher: u16, session: u8) -> Vec<u8> {
        let mut body = vec![3, minor];
        body.extend([7; 32]);
        body.push(session);
        body.extend(vec![9; usize::from(session)]);
        body.extend(cipher.to_be_bytes());
        body.push(0);
        let message = [&[SERVER_HELLO, 0, 0, body.len() as u8][..], &body].concat();
        [&[HANDSHAKE, 3, minor][..], &counted(&message)].concat()
    }

    #[test]
    fn a_server_hello_is_read_as_soon_as_its_cipher_suite_is_there() {
        for (minor, version) in [(1, TlsVersion::Tls10), (2, TlsVersion::Tls11), (3, TlsVersion::Tls12)] {
            for session in [0, 32] {
                let whole = hello(minor, 0xc013, session);
                let expected = Reading::ServerHello { version, cipher: 0xc013 };
                assert_eq!(read(&whole), expected);
                let needed = whole.len() - 1;
                assert_eq!(read(&whole[..needed]), expected);
                for cut in 0..needed {
                    assert_eq!(read(&whole[..cut]), Reading::Incomplete, "{cut} of {}", whole.len());
                }
            }
        }
    }

    #[test]
    fn alerts_are_named_and_a_warning_is_not_the_answer() {
        let refused = [21, 3, 1, 0, 2, 2, 70];
        assert_eq!(read(&refused), Reading::Alert("protocol_version".into()));
        let warned = [&[21, 3, 1, 0, 2, 1, 112][..], &hello(2, 0x2f, 0)].concat();
        assert_eq!(read(&warned), Reading::ServerHello { version: TlsVersion::Tls11, cipher: 0x2f });
        assert_eq!(read(&warned[..7]), Reading::Incomplete);
    }

    #[test]
    fn what_is_not_tls_is_strange() {
        for said in [&b"HTTP/1.1 400 Bad Request"[..], b"\x16\x03\x01\x00\x00", b"\x17\x03\x03\x00\x01\x00"] {
            assert!(matches!(read(said), Reading::Strange(_)), "{said:?}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }

        #[test]
        fn a_damaged_server_hello_never_panics(at in 0usize..80, value in any::<u8>(), cut in 0usize..90) {
            let mut bytes = hello(3, 0xc02f, 32);
            let at = at % bytes.len();
            bytes[at] = value;
            bytes.truncate(cut);
            let _ = read(&bytes);
        }
    }
}
