//! One HTTP request over one connection, within a deadline and bounded memory.
//!
//! Over hyper's connection halves and not over a client with a pool: the connection is the TLS probe's own, which has
//! judged it. So nothing here follows a redirect, keeps a cookie, reads a proxy variable or asks for compression.
//! A look is always a GET: applications that route GET only answer HEAD with 405. Messages are posted.

mod exchange;
mod plain;
#[cfg(test)]
mod tests;

use std::time::Duration;

use url::Url;

pub use exchange::exchange;
pub use plain::get_plain;

/// What is asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// The address; its host and port make the `Host` header unless `host` is given.
    pub url: Url,
    /// A `Host` of one's own.
    pub host: Option<String>,
    /// What is sent with a POST; a GET without.
    pub body: Option<Body>,
}

/// What is sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Body {
    /// Its `Content-Type`.
    pub kind: &'static str,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What one exchange may cost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// The whole exchange, from the connection to the last byte that is read.
    pub deadline: Duration,
    /// How much of the body is kept; reading stops there. With 0 the answer is complete with its header.
    pub body: usize,
    /// How large the header may be.
    pub header: usize,
}

impl Request {
    /// A GET of this address.
    pub fn get(url: Url) -> Self {
        Self { url, host: None, body: None }
    }

    /// A POST to this address.
    pub fn post(url: Url, kind: &'static str, bytes: Vec<u8>) -> Self {
        Self { body: Some(Body { kind, bytes }), ..Self::get(url) }
    }

    /// The same with another `Host`.
    pub fn with_host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// The value of `Host`, or of `:authority`: a default port is left out.
    fn authority(&self) -> String {
        match (&self.host, self.url.host_str(), self.url.port()) {
            (Some(host), ..) => host.clone(),
            (None, Some(host), Some(port)) => format!("{host}:{port}"),
            (None, host, _) => host.unwrap_or_default().to_owned(),
        }
    }

    /// Path and query, as they are sent.
    fn target(&self) -> String {
        let path = self.url.path();
        match self.url.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        }
    }
}

impl Limits {
    /// The usual limits: 256 KiB of body, which is enough to find a title, and 64 KiB of header.
    pub fn within(deadline: Duration) -> Self {
        Self { deadline, body: 256 << 10, header: 64 << 10 }
    }

    /// The same where the body does not matter and is not waited for.
    pub fn header_within(deadline: Duration) -> Self {
        Self { body: 0, ..Self::within(deadline) }
    }
}
