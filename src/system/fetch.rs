//! A document of somebody else's, fetched over our own connections: redirects are followed, and nobody who is not vouched for
//! is believed.

use std::{path::Path, time::Duration};

use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use url::Url;

use super::{
    Context, file,
    http::{Limits, Request, exchange, get_plain},
    resolve::{Family, resolve},
    tls::{self, Options},
};
use crate::rules::http::Answer;

/// So many redirects are followed.
const MOST: usize = 4;

/// No list or object that is fetched here is larger.
const LARGEST: usize = 4 << 20;

/// Gets an address, all within `within`. Any status that is no redirect is an answer. The authorities of `bundle` are trusted
/// besides the machine's.
///
/// # Errors
///
/// Why there is no answer, in words.
pub async fn fetch(url: &Url, within: Duration, bundle: Option<&Path>, context: &Context) -> Result<Answer, String> {
    let asked = async {
        let mut url = url.clone();
        for _ in 0..=MOST {
            let answer = once(&url, within, bundle, context).await?;
            let Some(next) = answer.header("location").filter(|_| answer.is_redirect()) else { return Ok(answer) };
            let next = url.join(next).map_err(|_| format!("`{url}` leads to what is no address"))?;
            if next.scheme() != "https" && url.scheme() == "https" {
                return Err(format!("`{url}` leads to `{next}`, which anybody on the way could change"));
            }
            url = next;
        }
        Err(format!("more than {MOST} redirects, the last to `{url}`"))
    };
    tokio::time::timeout(within, asked)
        .await
        .unwrap_or_else(|_| Err(format!("no answer from `{}` within {} s", host(url), within.as_secs_f64())))
}

/// One request, to the first address that takes it.
async fn once(url: &Url, within: Duration, bundle: Option<&Path>, context: &Context) -> Result<Answer, String> {
    let (name, port) = (host(url), url.port_or_known_default().unwrap_or(443));
    let limits = Limits { body: LARGEST, ..Limits::within(within) };
    let addresses = resolve(&name, port, &[], Family::Any, within).await.map_err(|why| format!("{name}: {why}"))?;
    let extra = bundle.map(roots).unwrap_or_default();
    let mut last = format!("{name}: there is no address");
    for address in addresses {
        let request = Request::get(url.clone());
        if url.scheme() == "http" {
            match get_plain(address, request, limits).await {
                Ok(answer) => return whole(answer, &name),
                Err(failure) => last = format!("{name}: {failure}"),
            }
            continue;
        }
        let trust = context.trust.with(&context.environment, &extra, bundle);
        let now: Timestamp = context.clock.now();
        let options = Options { now, within, http2: true, pins: &[] };
        match tls::open(address, &name, &trust, options).await {
            Ok(connection) if !connection.observation.is_trusted() => {
                return Err(format!("{name} shows a certificate that is not trusted"));
            }
            Ok(connection) => {
                let http2 = connection.is_http2();
                let answer = exchange(connection.stream, http2, request, limits).await;
                return whole(answer.map_err(|failure| format!("{name}: {failure}"))?, &name);
            }
            Err(failed) => last = format!("{name}: {}", failed.trouble),
        }
    }
    Err(last)
}

/// Half an answer is none.
fn whole(answer: Answer, name: &str) -> Result<Answer, String> {
    match &answer.broken {
        Some(failure) => Err(format!("{name}: {failure}")),
        None if answer.truncated => Err(format!("{name}: the answer is larger than {} MiB", LARGEST >> 20)),
        None => Ok(answer),
    }
}

/// The certificates of a bundle; one that cannot be read adds none.
fn roots(path: &Path) -> Vec<CertificateDer<'static>> {
    let pem = file::read(path, 4 << 20).unwrap_or_default();
    CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect()
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use super::*;
    use crate::system::{
        clock::Fixed,
        tls::testing::{Authority, Server, now},
    };

    /// A server that leads from one page to the next, and from one of them out of TLS.
    async fn server(issuer: &Authority) -> Server {
        Server::answering(issuer, |request| {
            let head = match request.split(' ').nth(1) {
                Some("/from") => "302 X\r\nLocation: /to\r\nContent-Length: 0\r\n\r\n",
                Some("/to") => "200 X\r\nContent-Length: 4\r\n\r\nhere",
                Some("/out") => "302 X\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
                Some("/half") => "200 X\r\nContent-Length: 40\r\n\r\nhalf",
                _ => "404 X\r\nContent-Length: 0\r\n\r\n",
            };
            format!("HTTP/1.1 {head}")
        })
        .await
    }

    #[tokio::test]
    async fn redirects_are_followed_within_tls_and_a_stranger_or_half_an_answer_is_not_believed() {
        let issuer = Authority::new("T Registry");
        let (server, bundle) = (server(&issuer).await, issuer.pem_file());
        let context = |variables: BTreeMap<_, _>| {
            let mut context = Context::real(variables, "/".into());
            context.clock = Arc::new(Fixed(now()));
            context
        };
        let trusting = context(BTreeMap::from([("SSL_CERT_FILE".into(), bundle.path().into())]));
        let get = async |context: &Context, path: &str| {
            let url = Url::parse(&format!("https://{}{path}", server.address)).unwrap();
            fetch(&url, Duration::from_secs(5), None, context).await
        };
        let answer = get(&trusting, "/from").await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"here".as_slice()));
        assert_eq!(get(&trusting, "/nothing").await.unwrap().status, 404);
        assert!(get(&trusting, "/out").await.unwrap_err().contains("anybody on the way"));
        assert!(get(&trusting, "/half").await.is_err());
        let other = Authority::new("T Other").pem_file();
        let stranger = context(BTreeMap::from([("SSL_CERT_FILE".into(), other.path().into())]));
        assert!(get(&stranger, "/to").await.unwrap_err().contains("not trusted"));
    }
}
