//! The pings of a dead man's switch, as healthchecks.io understands them (its "Pinging API"): the bare address for success,
//! `/start`, `/fail` and `/log` below it, each with a text that is kept for people.

use url::Url;

use super::{
    DEADLINE,
    post::{address, post},
    within,
};
use crate::system::{Context, secret::Secret};

/// What is signalled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signal {
    /// It failed.
    Fail,
    /// Something for the log that is neither.
    Log,
    /// It begins.
    Start,
    /// It is done.
    Success,
}

/// healthchecks.io keeps 100 kB of a text, older installations 10 kB.
const LONGEST: usize = 10_000;

/// Sends one ping; what took it.
///
/// # Errors
///
/// Why it did not arrive, without a secret.
pub async fn ping(secret: &Secret, signal: Signal, text: &str, context: &Context) -> Result<String, String> {
    within(DEADLINE, async {
        let base = address(&secret.resolve(context).await.map_err(|error| error.to_string())?)?;
        let url = signal.address(&base);
        let text: String = text.chars().take(LONGEST / 4).collect();
        let answer = post(&url, "text/plain; charset=utf-8", text.into_bytes(), context).await?;
        Ok(format!("{} took the ping ({})", base.host_str().unwrap_or_default(), answer.status))
    })
    .await
}

impl Signal {
    /// The address of this signal; a query (`?create=1`) stays at the end.
    fn address(self, base: &Url) -> Url {
        let word = match self {
            Self::Fail => "/fail",
            Self::Log => "/log",
            Self::Start => "/start",
            Self::Success => return base.clone(),
        };
        let mut url = base.clone();
        url.set_path(&format!("{}{word}", base.path().trim_end_matches('/')));
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_a_word_at_the_end_of_the_path() {
        for (base, start) in [
            ("https://hc.example/uuid", "https://hc.example/uuid/start"),
            ("https://hc.example/uuid/", "https://hc.example/uuid/start"),
            ("https://hc.example/key/slug?create=1", "https://hc.example/key/slug/start?create=1"),
        ] {
            let base = Url::parse(base).unwrap();
            assert_eq!(Signal::Start.address(&base).as_str(), start);
            assert_eq!(Signal::Success.address(&base), base);
        }
    }
}
