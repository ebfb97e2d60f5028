//! When an authority wants a certificate to be renewed: its directory, then its `renewalInfo` (RFC 9773, 4).

use std::{path::Path, time::Duration};

use rustls::pki_types::{CertificateDer, pem::PemObject};
use url::Url;

use crate::{
    rules::{http::Answer, renewal::ari::Window},
    system::{
        Context, file,
        http::{Limits, Request, exchange},
        resolve::{Family, resolve},
        tls::{self, Options},
    },
};

/// The directory that certbot uses where nothing else is said.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

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

/// One request to an authority that can be trusted.
async fn get(context: &Context, url: &Url, within: Duration) -> Result<Answer, String> {
    if url.scheme() != "https" {
        return Err(format!("`{url}` is no https address"));
    }
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(443));
    let addresses = resolve(host, port, &[], Family::Any, within).await.map_err(|why| format!("{host}: {why}"))?;
    // What certbot trusts: its Python library reads this variable.
    let bundle = context.variable("REQUESTS_CA_BUNDLE").map(Path::new);
    let extra = bundle.map(roots).unwrap_or_default();
    let trust = context.trust.with(&context.environment, &extra, bundle);
    let mut last = format!("{host}: there is no address");
    for address in addresses {
        let options = Options { now: context.clock.now(), within, http2: false, pins: &[] };
        let connection = match tls::open(address, host, &trust, options).await {
            Ok(connection) => connection,
            Err(failed) => {
                last = format!("{host}: {}", failed.trouble);
                continue;
            }
        };
        if !connection.observation.is_trusted() {
            return Err(format!("{host} shows a certificate that is not trusted"));
        }
        let limits = Limits::within(within);
        let answer = exchange(connection.stream, false, Request::get(url.clone()), limits).await;
        return answer.map_err(|failure| format!("{host}: {failure}"));
    }
    Err(last)
}

/// The certificates of a bundle; one that cannot be read adds none.
fn roots(path: &Path) -> Vec<CertificateDer<'static>> {
    let pem = file::read(path, 4 << 20).unwrap_or_default();
    CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect()
}
