//! What one HTTP exchange showed: plain data that `system::http` fills and the rules beside this file judge.

use std::{fmt, time::Duration};

use jiff::{Timestamp, fmt::rfc2822};

use crate::rules::certificate::Trouble;

/// One answer to one request; never the result of a redirect that was followed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The protocol it came over: `HTTP/1.0`, `HTTP/1.1` or `HTTP/2`.
    pub version: &'static str,
    /// The status code.
    pub status: u16,
    /// Every header line, names in lower case, repeated names kept. A value that is not UTF-8 is read as Latin-1.
    pub headers: Vec<(String, String)>,
    /// The body, up to the cap of the request.
    pub body: Vec<u8>,
    /// Whether the body went on after the cap, which is no error.
    pub truncated: bool,
    /// What ended the body before its end, when something did.
    pub broken: Option<HttpFailure>,
    /// The `Date` header, when it can be read.
    pub date: Option<Timestamp>,
    /// From the start of the request to the end of what was read.
    pub took: Duration,
}

/// Why there is no answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HttpFailure {
    /// The connection was closed or reset before the answer was complete.
    Closed,
    /// The header is larger than anybody should send.
    HeaderTooLarge,
    /// This machine has no descriptor or memory left for a connection, which says nothing about the other one.
    NoRoom(String),
    /// This machine has no way to the address, which says nothing about the other one.
    NoRoute(String),
    /// There is a connection, but no TLS on it.
    NoTls(Trouble),
    /// What came is not HTTP, in the parser's words.
    NotHttp(String),
    /// Anything else, in the words of whoever noticed.
    Other(String),
    /// Nothing listens on the port.
    Refused,
    /// The deadline passed.
    Timeout {
        /// What was being waited for.
        stage: Stage,
        /// How long the whole exchange was allowed to take.
        after: Duration,
    },
    /// The address cannot be reached.
    Unreachable(String),
    /// The name has no address; the word for `data.reason` and the sentence.
    Unresolved(&'static str, String),
}

/// How far an exchange had come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// Waiting for the connection.
    Connect,
    /// Connected, waiting for the status line and the header.
    Answer,
    /// The header is there, waiting for the rest of the body.
    Body,
}

impl Answer {
    /// The first value of a header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Every value of a header, by its lower-case name.
    pub fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether the status asks for another request to the address in `Location`.
    pub fn is_redirect(&self) -> bool {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
    }

    /// The `Set-Cookie` lines.
    pub fn set_cookies(&self) -> impl Iterator<Item = &str> {
        self.header_values("set-cookie")
    }

    /// Whether the body that was read holds `text`.
    pub fn body_contains(&self, text: &str) -> bool {
        text.is_empty() || self.body.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

impl HttpFailure {
    /// The word for `data.reason`; `no-connection` and `timeout` are what a deploy can still mend.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Closed | Self::Refused | Self::Unreachable(_) => "no-connection",
            Self::HeaderTooLarge => "header-too-large",
            Self::NoRoom(_) => "no-room",
            Self::NoRoute(_) => "no-route",
            Self::NoTls(trouble) => trouble.reason(),
            Self::NotHttp(_) => "not-http",
            Self::Other(_) => "http-error",
            Self::Timeout { .. } => "timeout",
            Self::Unresolved(reason, _) => reason,
        }
    }

    /// Whether it tells something about the site; what this machine or its resolver lacks does not.
    pub fn is_the_sites(&self) -> bool {
        !matches!(self, Self::NoRoom(_) | Self::NoRoute(_) | Self::Unresolved("resolver", _))
    }

    /// The same where the exchange was given what others had left of the time `whole`, which is what an operator knows.
    pub fn out_of(self, whole: Duration) -> Self {
        match self {
            Self::Timeout { stage, .. } => Self::Timeout { stage, after: whole },
            other => other,
        }
    }

    /// Whether no connection came about, so that the port looks closed from here.
    pub fn is_closed_port(&self) -> bool {
        matches!(self, Self::Refused | Self::Unreachable(_) | Self::Timeout { stage: Stage::Connect, .. })
    }
}

impl From<Trouble> for HttpFailure {
    fn from(trouble: Trouble) -> Self {
        use crate::rules::certificate::Stage as Tls;
        match trouble {
            Trouble::Closed => Self::Closed,
            Trouble::NoRoom(why) => Self::NoRoom(why),
            Trouble::NoRoute(why) => Self::NoRoute(why),
            Trouble::Refused => Self::Refused,
            Trouble::Timeout { stage: Tls::Connect, after } => Self::Timeout { stage: Stage::Connect, after },
            Trouble::Timeout { stage: Tls::Handshake, after } => Self::Timeout { stage: Stage::Answer, after },
            Trouble::Unreachable(why) => Self::Unreachable(why),
            other => Self::NoTls(other),
        }
    }
}

impl fmt::Display for HttpFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the connection was closed before the answer was complete"),
            Self::HeaderTooLarge => f.write_str("the header of the answer is too large"),
            Self::NoRoom(why) => write!(f, "this machine cannot open another connection: {why}"),
            Self::NoRoute(why) => write!(f, "this machine has no way to the address: {why}"),
            Self::NoTls(trouble) => trouble.fmt(f),
            Self::NotHttp(why) => write!(f, "what came is not HTTP: {why}"),
            Self::Other(why) | Self::Unresolved(_, why) => f.write_str(why),
            Self::Refused => f.write_str("the connection was refused"),
            Self::Timeout { stage, after } => {
                let waited_for = match stage {
                    Stage::Connect => "no connection",
                    Stage::Answer => "no answer",
                    Stage::Body => "the body was not complete",
                };
                // A deadline that other work has already used a little of reads as the one that was configured.
                write!(f, "{waited_for} within {} s", (after.as_secs_f64() * 10.0).round() / 10.0)
            }
            Self::Unreachable(why) => write!(f, "the address cannot be reached: {why}"),
        }
    }
}

/// Reads a `Date` header (RFC 9110, 5.6.7); the two obsolete forms that nobody sends any more are not read.
pub fn parse_date(text: &str) -> Option<Timestamp> {
    static PARSER: rfc2822::DateTimeParser = rfc2822::DateTimeParser::new();
    PARSER.parse_timestamp(text.trim()).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An answer with these header lines and no body.
    pub(crate) fn answer(status: u16, headers: &[(&str, &str)]) -> Answer {
        Answer {
            version: "HTTP/1.1",
            status,
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: Vec::new(),
            truncated: false,
            broken: None,
            date: None,
            took: Duration::ZERO,
        }
    }

    #[test]
    fn a_date_header_is_read_and_nonsense_is_not() {
        let date = parse_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(date.to_string(), "1994-11-06T08:49:37Z");
        for nonsense in ["", "yesterday", "Sun, 99 Nov 1994 08:49:37 GMT", "784111777"] {
            assert_eq!(parse_date(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn only_a_connection_that_never_came_about_is_a_closed_port() {
        let after = Duration::from_secs(1);
        assert!(HttpFailure::Refused.is_closed_port());
        assert!(HttpFailure::Timeout { stage: Stage::Connect, after }.is_closed_port());
        for open in [HttpFailure::Closed, HttpFailure::Timeout { stage: Stage::Answer, after }] {
            assert!(!open.is_closed_port(), "{open}");
        }
    }
}
