//! Fetches a token as an authority would: over plain HTTP, redirects followed, certificates not checked.

use std::{net::SocketAddr, time::Duration};

use url::Url;

use crate::{
    rules::{
        http::{Answer, HttpFailure},
        renewal::{Missed, Next, PATH, next},
    },
    system::{
        Context,
        http::{Limits, Request, exchange, get_plain},
        resolve::{Family, resolve},
        tls::{self, Options},
    },
};

/// Fetches the token of this text for `name` from `address`, each request within `within`. A redirect to the same name
/// stays at the address; one to another is looked up.
///
/// # Errors
///
/// Why it did not come.
pub async fn probe(
    context: &Context,
    name: &str,
    address: SocketAddr,
    token: &str,
    within: Duration,
) -> Result<(), Missed> {
    let start = Url::parse(&format!("http://{name}{PATH}{token}"));
    let mut url = start.map_err(|error| Missed::Other(format!("`{name}` is no host name: {error}")))?;
    for hops in 0.. {
        let answer = get(context, &url, name, address, within).await.map_err(Missed::NoAnswer)?;
        url = match next(&url, &answer, token, hops) {
            Next::Follow(target) => target,
            Next::Served => return Ok(()),
            Next::Missed(missed) => return Err(missed),
        };
    }
    unreachable!("the rules follow no more than ten redirects")
}

async fn get(
    context: &Context,
    url: &Url,
    name: &str,
    address: SocketAddr,
    within: Duration,
) -> Result<Answer, HttpFailure> {
    let port = url.port_or_known_default().unwrap_or(80);
    let host = url.host_str().unwrap_or_default().to_owned();
    let target = if host.eq_ignore_ascii_case(name) {
        SocketAddr::new(address.ip(), if url.scheme() == "http" && port == 80 { address.port() } else { port })
    } else {
        let found = resolve(&host, port, &[], Family::Any, within).await;
        let found = found.map_err(|why| HttpFailure::Unresolved(why.reason(), why.to_string()))?;
        found
            .first()
            .copied()
            .ok_or_else(|| HttpFailure::Unresolved("no-address", format!("there is no address for {host}")))?
    };
    let (request, limits) = (Request::get(url.clone()), Limits { body: 4096, ..Limits::within(within) });
    if url.scheme() == "http" {
        return get_plain(target, request, limits).await;
    }
    let trust = context.trust.with(&context.environment, &[], None);
    let options = Options { now: context.clock.now(), within, http2: false, pins: &[] };
    let connection =
        tls::open(target, &host, &trust, options).await.map_err(|failed| HttpFailure::from(failed.trouble))?;
    exchange(connection.stream, false, request, limits).await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::system::tls::testing::Server;

    async fn saying(said: &'static str) -> Server {
        Server::accepting(move |mut tcp| async move {
            let _ = tcp.read(&mut [0; 1024]).await;
            let _ = tcp.write_all(said.as_bytes()).await;
        })
        .await
    }

    async fn fetch(server: &Server) -> Result<(), Missed> {
        let context = Context::real(BTreeMap::new(), "/".into());
        probe(&context, "a.test", server.address, "tok", Duration::from_secs(3)).await
    }

    #[tokio::test]
    async fn a_token_is_fetched_and_everything_else_says_why_not() {
        let served = saying("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntok").await;
        assert_eq!(fetch(&served).await, Ok(()));
        let other = saying("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnot").await;
        assert_eq!(fetch(&other).await.unwrap_err().reason(), "other-answer");
        let round =
            saying("HTTP/1.1 301 Moved\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
        assert_eq!(fetch(&round).await, Err(Missed::Redirect("more than 10 redirects".into())));
        let silent = saying("").await;
        assert_eq!(fetch(&silent).await.unwrap_err().reason(), "no-connection");
    }
}
