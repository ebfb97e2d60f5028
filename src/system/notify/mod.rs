//! Tells people of a run: a webhook, a mail, and the pings of a dead man's switch. All at once, each within its time, and no
//! word of an address or password in what went wrong.

mod mail;
mod ping;
mod post;
mod webhook;

use std::time::Duration;

use futures_util::future::join_all;

use super::{Context, secret::Secret};
use crate::rules::notice::Notice;

pub use ping::{Signal, ping};

/// How long all messages of a run may take together.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Where messages go.
#[derive(Clone, Debug)]
pub enum Channel {
    /// A mail.
    Email {
        /// To whom.
        to: Vec<String>,
        /// From whom.
        from: String,
        /// The server, as `smtp://` or `smtps://`, with user and password where it wants them.
        smtp: Secret,
    },
    /// A POST of JSON.
    Webhook(Secret),
}

impl Channel {
    /// The id of findings about it.
    pub fn id(&self) -> &'static str {
        match self {
            Self::Email { .. } => "notify.email",
            Self::Webhook(_) => "notify.webhook",
        }
    }

    /// Sends one message.
    ///
    /// # Errors
    ///
    /// Why it did not arrive, without a secret; [`DEADLINE`] has passed.
    async fn send(&self, notice: &Notice, host: &str, context: &Context) -> Result<String, String> {
        let sent = async {
            match self {
                Self::Email { to, from, smtp } => mail::send(smtp, from, to, notice, host, context).await,
                Self::Webhook(address) => webhook::send(address, notice, context).await,
            }
        };
        within(DEADLINE, sent).await
    }
}

/// Sends the same to all of them at once; what each said, in their order.
pub async fn send(
    channels: &[&Channel],
    notice: &Notice,
    host: &str,
    context: &Context,
) -> Vec<Result<String, String>> {
    join_all(channels.iter().map(|channel| channel.send(notice, host, context))).await
}

/// The answer, unless it takes too long.
async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let late = || Err(format!("there was no answer within {} s", limit.as_secs()));
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| late())
}
