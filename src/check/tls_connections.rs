//! The reference cases 21 and 22 of `check`, protocol versions, and everything that is not a TLS server.
#![expect(clippy::disallowed_methods, reason = "the servers of another age are OpenSSL's own, started by the tests")]

use std::{
    net::SocketAddr,
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
};

use super::testing::{look, site};
use crate::{
    check::{Addresses, Resolve, Site, TlsVersion},
    report::{Finding, Status},
    system::tls::testing::{Authority, Server},
};

const HOST: &str = "a.bench.test";
const TLS: &[&str] = &["tls.chain", "tls.name", "tls.validity", "tls.key", "tls.protocols", "tls.hygiene"];

/// A server of OpenSSL that ends with the test.
pub(super) struct External {
    pub(super) address: SocketAddr,
    _child: Child,
}

/// `openssl s_server` with these arguments, beside the fixtures.
pub(super) async fn s_server(arguments: &[&str]) -> External {
    let address = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let child = Command::new("openssl")
        .args(["s_server", "-quiet", "-accept", &address.to_string()])
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    for _ in 0..200 {
        if TcpStream::connect(address).await.is_ok() {
            return External { address, _child: child };
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("openssl s_server does not answer: {arguments:?}");
}

/// Everything is unknown because of `tls.chain`, which fails with this reason.
async fn fails_with(site: &Site, reason: &str) -> Finding {
    let mut found = look(site, TLS).await;
    for id in &TLS[1..] {
        for finding in &found[id] {
            // What a server offers can be known although no client of today comes to terms with it.
            if *id == "tls.protocols" && ["old-tls", "old-ciphers"].contains(&reason) {
                continue;
            }
            assert_eq!(finding.status, Status::Unknown, "{finding:#?}");
            assert_eq!(finding.data["because_of"], "tls.chain", "{finding:#?}");
        }
    }
    let chain = found.remove("tls.chain").unwrap().remove(0);
    assert_eq!((chain.status, &chain.data["reason"]), (Status::Fail, &reason.into()), "{chain:#?}");
    chain
}

/// Answers every connection with these bytes after the first ones have come, and then says nothing more.
async fn saying(said: &'static [u8], close: bool) -> Server {
    Server::accepting(move |mut tcp| async move {
        let _ = tcp.read(&mut [0; 1024]).await;
        let _ = tcp.write_all(said).await;
        if !close {
            std::future::pending::<()>().await;
        }
    })
    .await
}

#[tokio::test]
async fn case_21_silence_fails_at_the_deadline() {
    let server = saying(b"", false).await;
    let mut site = site(HOST, server.address, &[]);
    site.timeout = Duration::from_millis(400);
    let began = Instant::now();
    let chain = fails_with(&site, "timeout").await;
    assert!(began.elapsed() < Duration::from_millis(600), "{:?}", began.elapsed());
    assert!(chain.summary.contains("0.4 s"), "{}", chain.summary);
}

#[tokio::test]
async fn case_21_a_drip_of_bytes_fails_at_the_deadline() {
    let server = Server::accepting(|mut tcp| async move {
        for byte in b"\x16\x03\x03\x40\x00" {
            let _ = tcp.write_all(&[*byte]).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        std::future::pending::<()>().await;
    })
    .await;
    let mut site = site(HOST, server.address, &[]);
    site.timeout = Duration::from_millis(700);
    let began = Instant::now();
    let chain = fails_with(&site, "timeout").await;
    assert!(chain.summary.contains("0.7 s"), "{}", chain.summary);
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
}

/// A good server on 127.0.0.1 and nobody on the same port of 127.0.0.2.
async fn half_a_site() -> (Server, Site) {
    let root = Authority::new("T Root");
    let server = Server::tls(root.issue(&[HOST]), &[]).await;
    let mut site = site(HOST, server.address, &[root.der()]);
    let other = Resolve { host: None, port: None, address: [127, 0, 0, 2].into() };
    site.resolve.insert(0, other);
    (server, site)
}

#[tokio::test]
async fn case_22_an_address_that_refuses_fails_beside_one_that_passes() {
    let (_server, site) = half_a_site().await;
    let found = look(&site, TLS).await;
    let chain = &found["tls.chain"];
    assert_eq!(chain.len(), 2);
    assert_eq!((chain[0].status, &chain[0].data["reason"]), (Status::Fail, &"no-connection".into()));
    assert!(chain[0].summary.starts_with("127.0.0.2: "), "{}", chain[0].summary);
    assert_eq!(chain[1].status, Status::Pass);
    assert_eq!(chain[1].data["addresses"], serde_json::json!(["127.0.0.1"]));
    let name = &found["tls.name"];
    assert_eq!((name[0].status, &name[0].data["because_of"]), (Status::Unknown, &"tls.chain".into()));
    assert_eq!(name[1].status, Status::Pass);
}

#[tokio::test]
async fn case_22_one_address_is_enough_when_the_operator_says_so() {
    let (_server, mut site) = half_a_site().await;
    site.addresses = Addresses::First;
    let found = look(&site, TLS).await;
    for id in TLS {
        assert_eq!(found[id].len(), 1);
        assert_eq!(found[id][0].status, Status::Pass, "{:#?}", found[id]);
    }
}

#[tokio::test]
async fn addresses_with_the_same_verdict_share_a_finding() {
    let (server, mut site) = half_a_site().await;
    let twin = Resolve { host: None, port: Some(0), address: server.address.ip() };
    site.resolve = vec![twin.clone(), twin, Resolve { host: None, port: None, address: [127, 0, 0, 2].into() }];
    let chain = &look(&site, &["tls.chain"]).await["tls.chain"];
    assert_eq!(chain.len(), 2, "{chain:#?}");

    site.resolve = vec![
        Resolve { host: None, port: None, address: [127, 0, 0, 2].into() },
        Resolve { host: None, port: None, address: [127, 0, 0, 3].into() },
    ];
    let chain = &look(&site, &["tls.chain"]).await["tls.chain"];
    assert_eq!(chain.len(), 1, "{chain:#?}");
    assert_eq!(chain[0].data["addresses"], serde_json::json!(["127.0.0.2", "127.0.0.3"]));
}

#[tokio::test]
async fn what_is_not_a_tls_server_fails_with_its_reason() {
    let table: &[(&[u8], bool, &str, &str)] = &[
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", true, "not-tls", "plain HTTP"),
        (b"220 mail ESMTP\r\n", false, "not-tls", "not TLS"),
        (b"\x00\xff\x00\xff", false, "not-tls", "not TLS"),
        (b"", true, "no-connection", "closed the connection"),
        (b"\x15\x03\x03\x00\x02\x02\x50", true, "alert", "internal_error"),
        (b"\x16\x03\x03\x00\x04\x63\x00\x00\x00", true, "protocol", "breaks the TLS protocol"),
    ];
    for (said, close, reason, text) in table {
        let server = saying(said, *close).await;
        let mut site = site(HOST, server.address, &[]);
        site.timeout = Duration::from_millis(500);
        let chain = fails_with(&site, reason).await;
        assert!(chain.summary.contains(text), "{chain:#?}");
    }
}

#[tokio::test]
async fn a_closed_port_is_no_connection() {
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let chain = fails_with(&site(HOST, closed, &[]), "no-connection").await;
    assert!(chain.summary.contains("refused"), "{chain:#?}");
}

#[tokio::test]
async fn a_name_without_address_of_the_family_fails_once() {
    let mut site = site(HOST, "127.0.0.1:443".parse().unwrap(), &[]);
    site.family = crate::check::Family::V6;
    let chain = fails_with(&site, "no-address").await;
    assert!(chain.summary.contains("IPv6"), "{chain:#?}");
}

#[tokio::test]
async fn a_server_of_tls_1_1_is_told_apart_from_a_broken_one() {
    let server =
        s_server(&["-cert", "sha1.pem", "-key", "sha1.key", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-www"]).await;
    let site = site(HOST, server.address, &[]);
    let chain = fails_with(&site, "old-tls").await;
    assert_eq!(chain.summary, "only offers TLS 1.1 or older");
    let protocols = &look(&site, &["tls.protocols"]).await["tls.protocols"][0];
    let expected = serde_json::json!({"1.0": false, "1.1": true, "1.2": false, "1.3": false});
    assert_eq!((protocols.status, &protocols.data["offered"]), (Status::Fail, &expected), "{protocols:#?}");
}

#[tokio::test]
async fn a_server_without_forward_secrecy_is_told_apart() {
    let server = s_server(&[
        "-cert",
        "rsa1024.pem",
        "-key",
        "rsa1024.key",
        "-tls1_2",
        "-cipher",
        "AES128-SHA:@SECLEVEL=0",
        "-www",
    ])
    .await;
    let site = site(HOST, server.address, &[]);
    let chain = fails_with(&site, "old-ciphers").await;
    assert!(chain.cause.as_ref().unwrap().contains("TLS_RSA_WITH_AES_128_CBC_SHA"), "{chain:#?}");
    let protocols = &look(&site, &["tls.protocols"]).await["tls.protocols"][0];
    let expected = serde_json::json!({"1.0": false, "1.1": false, "1.2": true, "1.3": false});
    assert_eq!((protocols.status, &protocols.data["offered"]), (Status::Pass, &expected), "{protocols:#?}");
}

#[tokio::test]
async fn every_version_of_a_generous_server_is_seen() {
    let server = s_server(&["-cert", "rsa1024.pem", "-key", "rsa1024.key", "-cipher", "ALL:@SECLEVEL=0", "-www"]).await;
    let protocols = &look(&site(HOST, server.address, &[]), &["tls.protocols"]).await["tls.protocols"][0];
    let expected = serde_json::json!({"1.0": true, "1.1": true, "1.2": true, "1.3": true});
    assert_eq!((protocols.status, &protocols.data["offered"]), (Status::Fail, &expected), "{protocols:#?}");
    assert_eq!(protocols.data["reason"], "old-tls");
}

#[tokio::test]
async fn a_server_of_today_passes_unless_more_is_asked_of_it() {
    let root = Authority::new("T Root");
    let server = Server::tls(root.issue(&[HOST]), &[]).await;
    let mut site = site(HOST, server.address, &[root.der()]);
    let protocols = &look(&site, &["tls.protocols"]).await["tls.protocols"][0];
    let expected = serde_json::json!({"1.0": false, "1.1": false, "1.2": true, "1.3": true});
    assert_eq!((protocols.status, &protocols.data["offered"]), (Status::Pass, &expected), "{protocols:#?}");
    site.tls.min_version = TlsVersion::Tls13;
    let protocols = &look(&site, &["tls.protocols"]).await["tls.protocols"][0];
    assert_eq!(protocols.status, Status::Fail, "{protocols:#?}");
}
