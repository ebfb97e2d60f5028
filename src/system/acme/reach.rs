//! Whether an authority can be reached at all: asked before a site is stopped for it.

use std::{net::SocketAddr, time::Duration};

use url::Url;

use crate::{
    rules::http::HttpFailure,
    system::{
        Context,
        http::{Limits, Request, exchange},
        resolve::{Family, resolve},
        tls::{self, Options},
    },
};

/// Asks an authority for its directory, at each of its addresses until one answers; each step within `within`.
///
/// Only what certbot would meet as well is in the way: no address, no connection, no answer in time. What is answered, and
/// under whose certificate, is for certbot to judge. Where a proxy is set, certbot may reach what we cannot.
///
/// # Errors
///
/// Why it cannot be reached, in words.
pub async fn reach(context: &Context, directory: &Url, within: Duration) -> Result<(), String> {
    let is_set = |name: &&str| context.variable(name).is_some();
    if directory.scheme() != "https" || PROXIES.iter().any(is_set) {
        return Ok(());
    }
    let name = directory.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = directory.port_or_known_default().unwrap_or(443);
    let addresses = resolve(name, port, &[], Family::Any, within).await.map_err(|why| format!("{name}: {why}"))?;
    let mut last = format!("{name}: there is no address");
    for address in addresses {
        match ask(context, directory, name, address, within).await {
            Err(failure) if is_out_of_reach(&failure) => last = format!("{name} at {address}: {failure}"),
            Ok(()) | Err(_) => return Ok(()),
        }
    }
    Err(last)
}

async fn ask(
    context: &Context,
    directory: &Url,
    name: &str,
    address: SocketAddr,
    within: Duration,
) -> Result<(), HttpFailure> {
    let trust = context.trust.with(&context.environment, &[], None);
    let options = Options { now: context.clock.now(), within, http2: false, pins: &[] };
    let connection =
        tls::open(address, name, &trust, options).await.map_err(|failed| HttpFailure::from(failed.trouble))?;
    let request = Request::get(directory.clone());
    exchange(connection.stream, false, request, Limits::header_within(within)).await.map(drop)
}

fn is_out_of_reach(failure: &HttpFailure) -> bool {
    matches!(
        failure,
        HttpFailure::NoRoute(_) | HttpFailure::Refused | HttpFailure::Timeout { .. } | HttpFailure::Unreachable(_)
    )
}

/// What certbot's Python library takes a proxy for HTTPS from.
const PROXIES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::system::tls::testing::{Authority, Server};

    async fn asked(directory: &str, variables: &[(&str, &str)]) -> Result<(), String> {
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let context = Context::real(variables.collect::<BTreeMap<_, _>>(), "/".into());
        reach(&context, &Url::parse(directory).unwrap(), Duration::from_millis(500)).await
    }

    #[tokio::test]
    async fn renew_case_45_an_authority_that_cannot_be_reached_is_told_from_one_that_answers_anything() {
        const CLOSED: &str = "https://127.0.0.1:1/dir";
        let refused = asked(CLOSED, &[]).await.unwrap_err();
        assert_eq!(refused, "127.0.0.1 at 127.0.0.1:1: the connection was refused");
        assert!(asked("https://no-such-name.invalid/dir", &[]).await.is_err());
        let silent = Server::accepting(|tcp| async move {
            let _open = tcp;
            std::future::pending::<()>().await;
        })
        .await;
        let late = asked(&format!("https://{}/dir", silent.address), &[]).await.unwrap_err();
        assert!(late.ends_with("no answer within 0.5 s"), "{late}");
        // Whom certbot trusts, and what it makes of an error, is its own affair.
        let busy = |_: &str| "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n".to_owned();
        let stranger = Server::answering(&Authority::new("T Stranger"), busy).await;
        assert_eq!(asked(&format!("https://{}/dir", stranger.address), &[]).await, Ok(()));
        // Through a proxy certbot may get there.
        assert_eq!(asked(CLOSED, &[("https_proxy", "http://proxy.test:3128")]).await, Ok(()));
        assert!(asked(CLOSED, &[("HTTPS_PROXY", "")]).await.is_err());
    }
}
