//! One POST to an address that is a secret.

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::DEADLINE;
use crate::{
    rules::{http::Answer, redact::Redact},
    system::{
        Context,
        http::{Limits, Request, exchange, get_plain},
        resolve::{Family, resolve},
        tls::{self, Options},
    },
};

/// So much of an answer is enough to see what it says.
const BODY: usize = 4 << 10;

/// The address that a secret holds. Nothing of it but the host is ever told.
pub(super) fn address(secret: &SecretString) -> Result<Url, String> {
    let text = secret.expose_secret().trim();
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host_str().is_some() => Ok(url),
        Ok(_) => Err("the secret holds no http or https address".to_owned()),
        Err(error) => Err(format!("the secret holds no address: {error}")),
    }
}

/// Posts it; the answer is one of success (2xx). A redirect is not followed: whoever moved the address can tell the new one.
pub(super) async fn post(url: &Url, kind: &'static str, body: Vec<u8>, context: &Context) -> Result<Answer, String> {
    let host = url.host_str().unwrap_or_default();
    let answer = ask(url, host, Request::post(url.clone(), kind, body), context).await;
    let answer = answer.map_err(|why| hidden(url, &format!("{host}: {why}")))?;
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    let said: String = String::from_utf8_lossy(&answer.body).chars().filter(|c| !c.is_control()).take(120).collect();
    let said = if said.trim().is_empty() || said.contains('<') { String::new() } else { format!(": {}", said.trim()) };
    let moved = if (300..400).contains(&answer.status) { ", a redirect, which is not followed" } else { "" };
    Err(hidden(url, &format!("{host} answered {}{moved}{said}", answer.status)))
}

async fn ask(url: &Url, host: &str, request: Request, context: &Context) -> Result<Answer, String> {
    let port = url.port_or_known_default().unwrap_or(443);
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let addresses = resolve(name, port, &[], Family::Any, DEADLINE).await.map_err(|why| why.to_string())?;
    let limits = Limits { body: BODY, ..Limits::within(DEADLINE) };
    let mut last = "it has no address".to_owned();
    for address in addresses {
        if url.scheme() == "http" {
            match get_plain(address, request.clone(), limits).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => last = failure.to_string(),
            }
            continue;
        }
        let trust = context.trust.with(&context.environment, &[], None);
        let options = Options { now: context.clock.now(), within: DEADLINE, http2: false, pins: &[] };
        match tls::open(address, name, &trust, options).await {
            Ok(connection) if connection.observation.is_trusted() => {
                return exchange(connection.stream, false, request, limits)
                    .await
                    .map_err(|failure| failure.to_string());
            }
            // Nothing is sent to a server that may be somebody else's.
            Ok(_) => return Err("it shows a certificate that is not trusted".to_owned()),
            Err(failed) => last = failed.trouble.to_string(),
        }
    }
    Err(last)
}

/// A text without the parts of the address that let others post to it.
fn hidden(url: &Url, text: &str) -> String {
    let path = url.path().trim_matches('/').to_owned();
    let parts = url.path_segments().into_iter().flatten().filter(|part| part.len() >= 8).map(str::to_owned);
    let query = url.query().map(str::to_owned);
    Redact::new(parts.chain([url.to_string(), path]).chain(query)).text(text)
}
