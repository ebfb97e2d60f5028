//! One request over a stream, and what came back.

use std::io::{Read, Write};

/// Headers that the client sends, so that a dropped header shows: the application then receives these.
pub const CLIENT: [(&str, &str); 4] =
    [("X-A", "client-a"), ("X-B", "client-b"), ("X-C", "client-c"), ("X-Forwarded-Proto", "evil")];

/// An answer, with what the application echoed.
#[derive(Debug)]
pub struct Received {
    /// The status.
    pub status: u16,
    /// The block that answered.
    pub place: Option<String>,
    /// The request line and the headers that reached the application.
    pub echoed: Option<(String, Vec<(String, String)>)>,
}

/// Asks; `None` when nothing that is HTTP comes back.
pub fn ask(stream: &mut (impl Read + Write), host: &str, path: &str) -> Option<Received> {
    let mut request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in CLIENT {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut bytes = Vec::new();
    // A TLS peer that just closes is fine: the length says whether all came.
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let (first, headers) = lines(head);
    let find =
        |name: &str| headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
    let echoed = find("x-echo").map(|_| lines(body.trim_end()));
    Some(Received { status: first.split(' ').nth(1)?.parse().ok()?, place: find("x-where"), echoed })
}

fn lines(head: &str) -> (String, Vec<(String, String)>) {
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let headers = lines.filter_map(|line| line.split_once(": ").or(line.split_once(':')));
    (first, headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}
