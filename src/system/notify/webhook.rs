//! A message as JSON.

use super::post::{address, post};
use crate::{
    rules::notice::Notice,
    system::{Context, secret::Secret},
};

/// Posts a message; what took it.
pub(super) async fn send(secret: &Secret, notice: &Notice, context: &Context) -> Result<String, String> {
    let url = address(&secret.resolve(context).await.map_err(|error| error.to_string())?)?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let body = notice.webhook(&host).to_string().into_bytes();
    let answer = post(&url, "application/json", body, context).await?;
    Ok(format!("{host} took the message ({})", answer.status))
}
