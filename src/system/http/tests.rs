//! Real servers on loopback that behave and misbehave.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};
use url::Url;

use super::{Limits, Request, get_plain};
use crate::rules::http::{Answer, HttpFailure, Stage};

/// A server that reads one request a connection and hands the connection on.
async fn server<F, W>(respond: F) -> SocketAddr
where
    F: Fn(String, TcpStream) -> W + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            tokio::spawn(respond(String::from_utf8(head).unwrap(), stream));
        }
    });
    address
}

/// A server that answers these bytes and closes.
async fn saying(bytes: impl Into<Vec<u8>>) -> SocketAddr {
    let bytes = bytes.into();
    server(move |_, mut stream| {
        let bytes = bytes.clone();
        async move {
            let _ = stream.write_all(&bytes).await;
        }
    })
    .await
}

async fn ask(address: SocketAddr, deadline: Duration) -> Result<Answer, HttpFailure> {
    let request = Request::get(Url::parse("http://site.test/a?b=1").unwrap());
    get_plain(address, request, Limits::within(deadline)).await
}

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn an_answer_comes_with_every_header_line_and_no_redirect_is_followed() {
    let address = saying(
        "HTTP/1.1 301 Moved Permanently\r\nLOCATION: https://site.test/a?b=1\r\nSet-Cookie: a=1\r\n\
         Set-Cookie: b=2\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-Latin: caf\u{00e9}\r\nContent-Length: 2\r\n\r\nok",
    )
    .await;
    let answer = ask(address, SOON).await.unwrap();
    assert_eq!((answer.version, answer.status, answer.is_redirect()), ("HTTP/1.1", 301, true));
    assert_eq!(answer.header("location"), Some("https://site.test/a?b=1"));
    assert_eq!(answer.set_cookies().collect::<Vec<_>>(), ["a=1", "b=2"]);
    assert_eq!(answer.date.unwrap().to_string(), "1994-11-06T08:49:37Z");
    assert_eq!((answer.body.as_slice(), answer.truncated, answer.broken), (&b"ok"[..], false, None));
}

#[tokio::test]
async fn the_request_is_a_plain_get_that_asks_for_no_compression() {
    let address = server(|head, mut stream| async move {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{head}", head.len());
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await;
    let request = Request::get(Url::parse("http://site.test:8080/a?b=1#part").unwrap());
    let answer = get_plain(address, request.clone(), Limits::within(SOON)).await.unwrap();
    let head = String::from_utf8(answer.body).unwrap();
    assert!(head.starts_with("GET /a?b=1 HTTP/1.1\r\nhost: site.test:8080\r\n"), "{head}");
    assert!(head.contains("accept-encoding: identity\r\n"), "{head}");
    assert!(head.contains(concat!("user-agent: mainstay/", env!("CARGO_PKG_VERSION"))), "{head}");
    let answer = get_plain(address, request.with_host("evil.test"), Limits::within(SOON)).await.unwrap();
    assert!(answer.body_contains("host: evil.test\r\n"));
}

#[tokio::test]
async fn a_port_where_nobody_listens_refuses() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let failure = ask(address, SOON).await.unwrap_err();
    assert_eq!((failure.reason(), failure.is_closed_port()), ("no-connection", true));
}

#[tokio::test]
async fn a_silent_server_costs_the_deadline_and_no_more() {
    let address = server(|_, stream| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    let (start, after) = (Instant::now(), Duration::from_millis(300));
    let failure = ask(address, after).await.unwrap_err();
    assert!(matches!(failure, HttpFailure::Timeout { stage: Stage::Answer, .. }), "{failure}");
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_drip_of_bytes_ends_with_the_deadline_and_keeps_the_status() {
    let address = server(|_, mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let (start, after) = (Instant::now(), Duration::from_millis(400));
    let answer = ask(address, after).await.unwrap();
    assert_eq!((answer.status, answer.truncated), (200, false));
    assert_eq!(answer.broken, Some(HttpFailure::Timeout { stage: Stage::Body, after }));
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_body_of_ten_gigabytes_is_read_to_the_cap_and_is_no_error() {
    let address = server(|_, mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n").await;
        while stream.write_all(&[b'x'; 64 << 10]).await.is_ok() {}
    })
    .await;
    let start = Instant::now();
    let answer = ask(address, SOON).await.unwrap();
    assert_eq!((answer.body.len(), answer.truncated, answer.broken), (256 << 10, true, None));
    assert!(start.elapsed() < SOON);
}

#[tokio::test]
async fn what_is_not_http_is_named_so() {
    let table: &[(&[u8], &str)] = &[
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not-http"),
        (b"\0\x01\x02garbage\r\n\r\n", "not-http"),
        (b"HTTP/1.1 banana\r\n\r\n", "not-http"),
        (b"HTTP/1.1 301 Moved\r\nLocation: /a\x01b\r\n\r\n", "not-http"),
        (b"", "no-connection"),
        (b"HTTP/1.1 200 OK\r\nContent-", "no-connection"),
    ];
    for (bytes, reason) in table {
        let failure = ask(saying(*bytes).await, SOON).await.unwrap_err();
        assert_eq!(failure.reason(), *reason, "{bytes:?}: {failure}");
    }
}

#[tokio::test]
async fn a_header_without_end_is_cut_off() {
    let mut bytes = b"HTTP/1.1 200 OK\r\nX-Long: ".to_vec();
    bytes.extend(vec![b'x'; 1 << 20]);
    assert_eq!(ask(saying(bytes).await, SOON).await.unwrap_err(), HttpFailure::HeaderTooLarge);
    let many: String = (0..1000).map(|n| format!("X-{n}: y\r\n")).collect();
    let bytes = format!("HTTP/1.1 200 OK\r\n{many}\r\n");
    assert_eq!(ask(saying(bytes).await, SOON).await.unwrap_err(), HttpFailure::HeaderTooLarge);
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_told() {
    let table: &[&[u8]] = &[
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ];
    for bytes in table {
        let answer = ask(saying(*bytes).await, SOON).await.unwrap();
        assert_eq!((answer.status, answer.broken), (200, Some(HttpFailure::Closed)), "{bytes:?}");
    }
}
