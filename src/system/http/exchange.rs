//! Sends the request over a connection that is open, and reads the answer up to the limits.

use std::{error::Error as _, future::Future, io, pin::pin, time::Duration};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Version,
    body::{Body as _, Bytes, Incoming},
    client::conn::{http1, http2},
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, USER_AGENT},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout_at},
};

use super::{Limits, Request};
use crate::{
    rules::http::{Answer, HttpFailure, Stage, parse_date},
    system::process::room::is_exhausted,
};

/// Asks over `stream`; with `http2` it speaks HTTP/2 (what ALPN agreed on), otherwise HTTP/1.1.
///
/// # Errors
///
/// Whatever kept a whole header from coming. A body that ends early is an [`Answer`] with `broken`.
pub async fn exchange<S>(stream: S, http2: bool, request: Request, limits: Limits) -> Result<Answer, HttpFailure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    converse(stream, http2, request, limits, Deadline::starting(limits.deadline)).await
}

/// The same where connecting has already used some of the time.
pub(super) async fn converse<S>(
    stream: S,
    http2: bool,
    request: Request,
    limits: Limits,
    deadline: Deadline,
) -> Result<Answer, HttpFailure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(stream);
    if http2 {
        let handshake = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_header_list_size(u32::try_from(limits.header).unwrap_or(u32::MAX))
            .handshake(io);
        let (mut sender, connection) = deadline.of(Stage::Answer, handshake).await?.map_err(|error| failure(&error))?;
        let message = message(&request, Version::HTTP_2)?;
        drive(connection, read(async move { sender.send_request(message).await }, limits, deadline)).await
    } else {
        let handshake = http1::Builder::new()
            .max_buf_size(limits.header.max(SMALLEST_BUFFER))
            .max_headers(MAX_HEADERS)
            .handshake(io);
        let (mut sender, connection) = deadline.of(Stage::Answer, handshake).await?.map_err(|error| failure(&error))?;
        let message = message(&request, Version::HTTP_11)?;
        drive(connection, read(async move { sender.send_request(message).await }, limits, deadline)).await
    }
}

/// Flow control: how much a server may send ahead of what is read.
const WINDOW: u32 = 64 << 10;

/// hyper refuses a smaller read buffer.
const SMALLEST_BUFFER: usize = 8 << 10;

/// More header lines than this are no answer of a healthy server.
const MAX_HEADERS: usize = 256;

/// The end of the time that an exchange has.
#[derive(Clone, Copy)]
pub(super) struct Deadline {
    start: Instant,
    after: Duration,
}

impl Deadline {
    pub(super) fn starting(after: Duration) -> Self {
        Self { start: Instant::now(), after }
    }

    /// Waits for `work` as long as there is time.
    pub(super) async fn of<T>(self, stage: Stage, work: impl Future<Output = T>) -> Result<T, HttpFailure> {
        timeout_at(self.start + self.after, work).await.map_err(|_| HttpFailure::Timeout { stage, after: self.after })
    }
}

/// Runs the connection's own work beside ours; dropping both ends the connection.
async fn drive<T>(
    connection: impl Future<Output = hyper::Result<()>>,
    work: impl Future<Output = Result<T, HttpFailure>>,
) -> Result<T, HttpFailure> {
    let (mut connection, mut work) = (pin!(connection), pin!(work));
    tokio::select! {
        biased;
        result = &mut work => result,
        ended = &mut connection => match (work.await, ended) {
            // The connection knows the cause better than the request that was waiting for it.
            (Err(HttpFailure::Closed), Err(error)) => Err(failure(&error)),
            (result, _) => result,
        },
    }
}

/// Waits for the header, then reads the body up to its cap.
async fn read(
    answer: impl Future<Output = hyper::Result<hyper::Response<Incoming>>>,
    limits: Limits,
    deadline: Deadline,
) -> Result<Answer, HttpFailure> {
    let response = deadline.of(Stage::Answer, answer).await?.map_err(|error| failure(&error))?;
    let (head, incoming) = response.into_parts();
    let (body, truncated, broken) = body(incoming, limits.body, deadline).await;
    let headers = header_lines(&head.headers);
    let date = headers.iter().find(|(name, _)| name == "date").and_then(|(_, value)| parse_date(value));
    Ok(Answer {
        version: version(head.version),
        status: head.status.as_u16(),
        headers,
        body,
        truncated,
        broken,
        date,
        took: deadline.start.elapsed(),
    })
}

/// The body up to its cap, whether it goes on after that, and what broke it off.
async fn body(mut incoming: Incoming, cap: usize, deadline: Deadline) -> (Vec<u8>, bool, Option<HttpFailure>) {
    let mut body = Vec::new();
    if cap == 0 {
        return (body, !incoming.is_end_stream(), None);
    }
    loop {
        match deadline.of(Stage::Body, incoming.frame()).await {
            Err(late) => return (body, false, Some(late)),
            Ok(None) => return (body, false, None),
            Ok(Some(Err(error))) => return (body, false, Some(failure(&error))),
            Ok(Some(Ok(frame))) => {
                // Trailers have no data and are of no interest.
                let data = frame.into_data().unwrap_or_default();
                let room = cap - body.len();
                body.extend_from_slice(&data[..data.len().min(room)]);
                if data.len() > room {
                    return (body, true, None);
                }
            }
        }
    }
}

/// The request line and header: the least that a server needs to treat us like anybody else.
fn message(request: &Request, version: Version) -> Result<hyper::Request<Full<Bytes>>, HttpFailure> {
    let method = if request.body.is_some() { Method::POST } else { Method::GET };
    let builder = hyper::Request::builder().method(method).uri(match version {
        Version::HTTP_2 => format!("https://{}{}", request.authority(), request.target()),
        _ => request.target(),
    });
    let builder = match version {
        Version::HTTP_2 => builder,
        _ => builder.header(HOST, request.authority()),
    };
    let builder = match &request.body {
        Some(body) => builder.header(CONTENT_TYPE, body.kind),
        None => builder,
    };
    let body = request.body.as_ref().map(|body| Bytes::from(body.bytes.clone())).unwrap_or_default();
    builder
        .version(version)
        .header(USER_AGENT, concat!("mainstay/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "*/*")
        .header(ACCEPT_ENCODING, "identity")
        .body(Full::new(body))
        .map_err(|error| HttpFailure::Other(format!("the request cannot be written: {error}")))
}

fn header_lines(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &[u8]| match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => value.iter().copied().map(char::from).collect(),
    };
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()))).collect()
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/1.1",
    }
}

/// What hyper's error means to an operator.
fn failure(error: &hyper::Error) -> HttpFailure {
    if error.is_parse() {
        // hyper tells the two apart by a method only with its server half, by its words always.
        let words = error.to_string();
        return if words.contains("too large") { HttpFailure::HeaderTooLarge } else { HttpFailure::NotHttp(words) };
    }
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(cause) = cause.downcast_ref::<io::Error>() {
            return of_io(cause);
        }
        source = cause.source();
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return HttpFailure::Closed;
    }
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    HttpFailure::Other(format!("{error}{cause}"))
}

/// What the system's error means to an operator, before and after the connection.
pub(super) fn of_io(error: &io::Error) -> HttpFailure {
    use io::ErrorKind as K;
    match error.kind() {
        _ if is_exhausted(error) => HttpFailure::NoRoom(error.to_string()),
        K::ConnectionRefused => HttpFailure::Refused,
        K::BrokenPipe | K::ConnectionAborted | K::ConnectionReset | K::NotConnected | K::UnexpectedEof => {
            HttpFailure::Closed
        }
        K::HostUnreachable => HttpFailure::Unreachable(error.to_string()),
        K::AddrNotAvailable | K::NetworkDown | K::NetworkUnreachable | K::PermissionDenied | K::Unsupported => {
            HttpFailure::NoRoute(error.to_string())
        }
        _ => HttpFailure::Other(error.to_string()),
    }
}
