//! When an authority wants a certificate to be renewed: its directory, then its `renewalInfo` (RFC 9773, 4).

use std::{path::Path, time::Duration};

use url::Url;

use crate::{
    rules::{http::Answer, renewal::ari::Window},
    system::{Context, fetch::fetch},
};

/// The directory that certbot uses where nothing else is said.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Where certbot goes instead for a rehearsal.
pub const STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

/// What an authority suggests.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Suggestion {
    /// The window.
    pub window: Window,
    /// Its `Retry-After`.
    pub retry_after: Option<String>,
}

/// Asks the authority of this directory about the certificate of this identifier, all within `within`.
///
/// # Errors
///
/// Why there is no suggestion, in words: the authority offers none, cannot be reached, or answers nonsense. Never a reason
/// not to renew.
pub async fn suggestion(
    context: &Context,
    directory: &Url,
    identifier: &str,
    within: Duration,
) -> Result<Suggestion, String> {
    let asked = async {
        let listed = get(context, directory, within).await?;
        let listed: serde_json::Value =
            serde_json::from_slice(&listed.body).map_err(|_| "its directory is no JSON".to_owned())?;
        let base = listed.get("renewalInfo").and_then(serde_json::Value::as_str);
        let base = base.ok_or("it offers no renewal information")?;
        let url = Url::parse(&format!("{}/{identifier}", base.trim_end_matches('/')));
        let url = url.map_err(|_| format!("`{base}` in its directory is no address"))?;
        let answer = get(context, &url, within).await?;
        if answer.status != 200 {
            return Err(format!("it answers {} about this certificate", answer.status));
        }
        let window = crate::rules::renewal::ari::parse(&answer.body)?;
        Ok(Suggestion { window, retry_after: answer.header("retry-after").map(str::to_owned) })
    };
    match tokio::time::timeout(within, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("it gave no answer within {} s", within.as_secs_f64())),
    }
}

/// One question to an authority that can be trusted.
async fn get(context: &Context, url: &Url, within: Duration) -> Result<Answer, String> {
    if url.scheme() != "https" {
        return Err(format!("`{url}` is no https address"));
    }
    // What certbot trusts: its Python library reads this variable.
    fetch(url, within, context.variable("REQUESTS_CA_BUNDLE").map(Path::new), context).await
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use super::*;
    use crate::system::{
        clock::Fixed,
        tls::testing::{Authority, Server, now},
    };

    /// An authority that suggests a window for `a.b`: Debian's pebble is too old for that.
    async fn authority(issuer: &Authority) -> Server {
        Server::answering(issuer, |request| {
            let text = request.to_ascii_lowercase();
            let host = text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
            let (status, body) = match text.split(' ').nth(1) {
                Some("/dir") => (200, format!(r#"{{"newNonce": "x", "renewalInfo": "https://{host}/ari/"}}"#)),
                Some("/old") => (200, r#"{"newNonce": "x"}"#.to_owned()),
                Some("/ari/a.b") => {
                    let window =
                        r#"{"suggestedWindow": {"start": "2026-12-01T00:00:00Z", "end": "2026-12-02T00:00:00Z"}}"#;
                    (200, window.to_owned())
                }
                _ => (404, "{}".to_owned()),
            };
            let length = body.len();
            format!("HTTP/1.1 {status} X\r\nRetry-After: 3600\r\nContent-Length: {length}\r\n\r\n{body}")
        })
        .await
    }

    #[tokio::test]
    async fn renew_case_50_an_authority_is_asked_and_what_is_no_answer_is_told_and_never_in_the_way() {
        let issuer = Authority::new("T Authority");
        let (server, bundle) = (authority(&issuer).await, issuer.pem_file());
        let trusting = BTreeMap::from([("REQUESTS_CA_BUNDLE".into(), bundle.path().into())]);
        let mut context = Context::real(trusting, "/".into());
        context.clock = Arc::new(Fixed(now()));
        let ask = async |context: &Context, path: &str, identifier: &str| {
            let directory = Url::parse(&format!("https://{}{path}", server.address)).unwrap();
            suggestion(context, &directory, identifier, Duration::from_secs(5)).await
        };
        let answer = ask(&context, "/dir", "a.b").await.unwrap();
        assert_eq!(answer.window.start, "2026-12-01T00:00:00Z".parse().unwrap());
        assert_eq!(answer.retry_after.as_deref(), Some("3600"));
        assert_eq!(ask(&context, "/old", "a.b").await.unwrap_err(), "it offers no renewal information");
        assert_eq!(ask(&context, "/dir", "c.d").await.unwrap_err(), "it answers 404 about this certificate");

        // One whose certificate nobody vouches for is not believed.
        let mut stranger = Context::real(BTreeMap::new(), "/".into());
        stranger.clock = Arc::new(Fixed(now()));
        assert!(ask(&stranger, "/dir", "a.b").await.unwrap_err().contains("not trusted"));
        let closed = Url::parse("https://127.0.0.1:1/dir").unwrap();
        assert!(suggestion(&context, &closed, "a.b", Duration::from_secs(5)).await.is_err());
    }
}
