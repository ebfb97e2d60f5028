//! Asks a site over HTTP, the way its settings say: addresses, roots, deadline.

use std::net::SocketAddr;

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::Instant;
use url::Url;

use super::{Addresses, Scope, Site};
use crate::{
    rules::{
        http::{Answer, HttpFailure},
        redirect::{Hop, Next, Walk, next},
    },
    system::{
        http::{Limits, Request, exchange, get_plain},
        resolve::Unresolved,
        tls,
    },
};

/// The ways from plain HTTP, one for each address.
#[derive(Debug)]
pub(super) enum Hops {
    /// Where each address leads.
    Walks(Vec<(SocketAddr, Walk)>),
    /// The name has no address.
    Unresolved(Unresolved),
}

impl Hops {
    /// Walks from `start` at every address that the settings ask for.
    pub(super) async fn observe(scope: &Scope<'_>, start: &Url) -> Self {
        let addresses = match addresses(scope, start).await {
            Ok(addresses) => addresses,
            Err(unresolved) => return Self::Unresolved(unresolved),
        };
        let mut looks: FuturesUnordered<_> =
            addresses.iter().map(|address| async move { (*address, walk(scope, start, *address).await) }).collect();
        let mut walks = Vec::with_capacity(addresses.len());
        while let Some((address, walk)) = looks.next().await {
            if scope.site.addresses == Addresses::First && has_answer(&walk) {
                return Self::Walks(vec![(address, walk)]);
            }
            walks.push((address, walk));
        }
        walks.sort_by_key(|(address, _)| addresses.iter().position(|other| other == address));
        Self::Walks(walks)
    }

    /// Whether an address answered the first hop.
    pub(super) fn is_alive(&self) -> bool {
        matches!(self, Self::Walks(walks) if walks.iter().any(|(_, walk)| has_answer(walk)))
    }
}

fn has_answer(walk: &Walk) -> bool {
    walk.hops.first().is_some_and(|hop| hop.answer.is_ok())
}

/// The addresses that answer for the host and port of `url`.
pub(super) async fn addresses(scope: &Scope<'_>, url: &Url) -> Result<Vec<SocketAddr>, Unresolved> {
    scope.resolve(url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(443)).await
}

/// Asks at one address. A connection that cannot be verified is used all the same.
pub(super) async fn ask(
    scope: &Scope<'_>,
    request: Request,
    address: SocketAddr,
    limits: Limits,
) -> Result<Answer, HttpFailure> {
    if request.url.scheme() == "http" {
        return get_plain(address, request, limits).await;
    }
    let start = Instant::now();
    let now = scope.context.clock.now();
    let options = tls::Options { now, within: limits.deadline, http2: true, pins: &scope.site.fingerprints };
    let host = request.url.host_str().unwrap_or_default().to_owned();
    let connection = tls::open(address, &host, &scope.trust(), options).await.map_err(|failed| failed.trouble)?;
    let http2 = connection.is_http2();
    let left = Limits { deadline: limits.deadline.saturating_sub(start.elapsed()), ..limits };
    exchange(connection.stream, http2, request, left).await
}

/// Asks at the first address that a connection can be made to.
pub(super) async fn ask_any(scope: &Scope<'_>, request: Request, limits: Limits) -> Result<Answer, HttpFailure> {
    let ends = Instant::now() + limits.deadline;
    let addresses = addresses(scope, &request.url).await.map_err(unresolved)?;
    let mut answer = Err(HttpFailure::Refused);
    for address in addresses {
        let left = ends.saturating_duration_since(Instant::now());
        answer = ask(scope, request.clone(), address, Limits { deadline: left, ..limits }).await;
        if !answer.as_ref().is_err_and(|failure| failure.is_closed_port() || !failure.is_the_sites()) {
            break;
        }
    }
    answer
}

/// Asks at every address at once and takes the first answer, so that a dead one costs nothing.
pub(super) async fn ask_first(scope: &Scope<'_>, request: Request) -> Result<Answer, HttpFailure> {
    let limits = Limits::within(scope.left());
    let addresses = addresses(scope, &request.url).await.map_err(unresolved)?;
    let mut looks: FuturesUnordered<_> =
        addresses.into_iter().map(|address| ask(scope, request.clone(), address, limits)).collect();
    let mut failed = HttpFailure::Refused;
    while let Some(answer) = looks.next().await {
        match answer {
            Ok(answer) => return Ok(answer),
            // A server that hangs up has been asked; one that is not there has not.
            Err(failure) if failed.is_closed_port() || !failed.is_the_sites() => failed = failure,
            Err(_) => {}
        }
    }
    Err(failed.out_of(scope.site.timeout))
}

/// Follows redirects from `start` within the site; all hops share the deadline. The same host keeps its address.
async fn walk(scope: &Scope<'_>, start: &Url, address: SocketAddr) -> Walk {
    let ends = Instant::now() + scope.site.timeout;
    let mut hops: Vec<Hop> = Vec::new();
    let mut url = start.clone();
    loop {
        let left = ends.saturating_duration_since(Instant::now());
        let answer = match place(scope, start, &url, address).await {
            Ok(address) => match seen(scope, &url, address).await {
                Some(answer) => answer,
                None => ask(scope, Request::get(url.clone()), address, Limits::header_within(left)).await,
            },
            Err(why) => Err(unresolved(why)),
        };
        hops.push(Hop { url, answer });
        match next(&hops) {
            Next::Ask(to) => url = to,
            Next::End(end) => return Walk { hops, end },
        }
    }
}

/// The answer of a hop that is the site's own address: it was asked already, without the query that the walk adds, and
/// a second handshake would cost as much as the rest of the walk.
async fn seen(scope: &Scope<'_>, url: &Url, address: SocketAddr) -> Option<Result<Answer, HttpFailure>> {
    let mut own = scope.site.url.clone();
    own.set_fragment(None);
    if without_mark(url) != own {
        return None;
    }
    let visits = scope.visits().await.as_ref().ok()?;
    visits.iter().find(|visit| visit.address == address).map(|visit| visit.answer.clone())
}

/// The address without the query that [`marked`] adds.
fn without_mark(url: &Url) -> Url {
    let mut bare = url.clone();
    bare.set_fragment(None);
    let query = url.query().and_then(|query| query.strip_suffix(MARK)).map(|query| query.trim_end_matches('&'));
    if let Some(query) = query {
        bare.set_query((!query.is_empty()).then_some(query));
    }
    bare
}

/// The address with a query of ours, so that a redirect that loses the query shows.
pub(super) fn marked(mut url: Url) -> Url {
    url.set_fragment(None);
    let query =
        url.query().filter(|query| !query.is_empty()).map_or(MARK.to_owned(), |query| format!("{query}&{MARK}"));
    url.set_query(Some(&query));
    url
}

const MARK: &str = "mainstay-check=1";

/// Where to ask a hop: at the address of the walk when its name has that one, else at its first.
async fn place(scope: &Scope<'_>, start: &Url, url: &Url, address: SocketAddr) -> Result<SocketAddr, Unresolved> {
    if url == start {
        return Ok(address);
    }
    let addresses = addresses(scope, url).await?;
    let same = addresses.iter().find(|candidate| candidate.ip() == address.ip());
    same.or(addresses.first()).copied().ok_or(Unresolved::NoSuchHost)
}

/// A name without addresses in the words of HTTP.
pub(super) fn unresolved(why: Unresolved) -> HttpFailure {
    HttpFailure::Unresolved(why.reason(), why.to_string())
}

/// The hand-run request: `curl` with what the settings add. Not `-I`: applications that route GET only answer HEAD with 405.
pub(super) fn curl(site: &Site, url: &Url, options: &[&str]) -> String {
    let mut words = vec!["curl".to_owned(), "-sS".to_owned()];
    words.extend(options.iter().map(|option| (*option).to_owned()));
    if let Some(file) = &site.ca_file {
        words.extend(["--cacert".to_owned(), file.display().to_string()]);
    }
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(443));
    for entry in &site.resolve {
        if entry.host.as_deref().is_none_or(|listed| listed == host) {
            let address = match entry.address {
                std::net::IpAddr::V6(address) => format!("[{address}]"),
                std::net::IpAddr::V4(address) => address.to_string(),
            };
            words.extend([
                "--resolve".to_owned(),
                format!("{host}:{}:{address}", entry.port.filter(|p| *p != 0).unwrap_or(port)),
            ]);
        }
    }
    words.push(url.to_string());
    shell_words::join(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_can_be_taken_off_again() {
        for text in ["https://a.test/", "https://a.test/x?b=1", "https://a.test:8443/?b=%20&c", "https://a.test/?x"] {
            let url = Url::parse(text).unwrap();
            let marked = marked(url.clone());
            assert!(marked.query().unwrap().ends_with(MARK), "{marked}");
            assert_eq!(without_mark(&marked), url);
            assert_eq!(without_mark(&url), url);
        }
    }
}
