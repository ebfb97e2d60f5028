//! The syntax of every kind of text: one function that accepts a text or says what is wrong with it.

mod aws;
mod keys;

use std::{net::IpAddr, path::Path, str::FromStr};

use globset::GlobBuilder;
use ipnet::IpNet;
use jiff::tz::TimeZoneDatabase;
use url::Url;

use aws::{arn, instance, region};
use keys::{recipient, signer};

use super::{model::Lookup, nearest::nearest, table::Text, value::Value};
use crate::rules::{
    calendar::{Dates, Hours, Repeat, Window},
    dns::is_label,
    units,
};

/// What is wrong with a text.
#[derive(Debug, Eq, PartialEq)]
pub struct Wrong {
    /// Fits after "must be …: "; empty when nothing is to be added. Of a secret it never holds a part.
    pub why: String,
    /// What to write instead.
    pub suggestion: Option<String>,
    /// Whether the text is a secret that stands where none should.
    pub secret: bool,
}

impl Text {
    /// Accepts a text and gives the value that it stands for; relative paths start at `base`.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read(self, text: &str, base: &Path) -> Result<Value, Wrong> {
        if text.trim().is_empty() {
            return Err(wrong("it is empty"));
        }
        if text.contains('\0') {
            return Err(wrong("it holds a NUL character"));
        }
        let same = || Value::Text(text.into());
        let checked = match self {
            Self::Address => text.parse::<IpAddr>().map(drop).map_err(|_| wrong("")),
            Self::Any => Ok(()),
            Self::Arn(service) => arn(text, service),
            Self::Dates => Dates::from_str(text).map(drop).map_err(|error| wrong(&error.0)),
            Self::Destination => return destination(text, base),
            Self::Duration => duration(text),
            Self::Email => email(text),
            Self::Fingerprint => fingerprint(text),
            Self::Forwarders => forwarders(text),
            Self::Glob => glob(text),
            Self::Header => header(text),
            Self::Host => host(text),
            Self::HostPort => host_port(text),
            Self::Hours => Hours::from_str(text).map(drop).map_err(|error| wrong(&error.0)),
            Self::Instance => instance(text),
            Self::Job => one_of(text, JOBS),
            Self::Name => name(text),
            Self::Path => return path(text, base),
            Self::Recipient => recipient(text),
            Self::Region => region(text),
            Self::Repeat => Repeat::from_str(text).map(drop).map_err(|error| wrong(&error.0)),
            Self::Resolve => Lookup::from_str(text).map(drop).map_err(|why| wrong(&why)),
            Self::Share => units::parse_share(text)
                .map(drop)
                .map_err(|error| Wrong { suggestion: Some("write \"10%\"".into()), ..wrong(&error.0) }),
            Self::Signer => signer(text),
            Self::Threshold if text.ends_with('%') => {
                units::parse_share(text).map(drop).map_err(|error| wrong(&error.0))
            }
            Self::Threshold => duration(text).map_err(|error| Wrong {
                suggestion: error.suggestion.or_else(|| Some("write \"25%\" or \"21d\"".into())),
                ..error
            }),
            Self::Timezone => return timezone(text),
            Self::Url(schemes) => url(text, schemes),
            Self::UrlOrPath if !text.contains("://") => url_path(text),
            Self::UrlOrPath => url(text, &["https", "http"]),
            Self::UrlPath => url_path(text),
            Self::Window => Window::from_str(text).map(drop).map_err(|error| wrong(&error.0)),
            Self::Word(words) => one_of(text, words),
        };
        checked.map(|()| same())
    }

    /// What it must be, after "must be".
    pub fn words(self) -> String {
        match self {
            Self::Address => "an IP address".into(),
            Self::Any => "a text".into(),
            Self::Arn(service) => format!("an ARN of {service}"),
            Self::Dates => "a date such as \"2026-11-26\" or a range".into(),
            Self::Destination => "a folder, an s3:// address or rclone:REMOTE:PATH".into(),
            Self::Duration => "a time such as \"10s\", \"5m\" or \"21d\"".into(),
            Self::Email => "an e-mail address".into(),
            Self::Fingerprint => "a SHA-256 in hexadecimal digits".into(),
            Self::Forwarders => "\"*\" or addresses and networks".into(),
            Self::Glob => "a pattern of .gitignore".into(),
            Self::Header => "the name of a header".into(),
            Self::Host => "a host name".into(),
            Self::HostPort => "HOST:PORT".into(),
            Self::Hours => "hours such as \"2026-12-05 09:00-13:00\"".into(),
            Self::Instance => "an instance id".into(),
            Self::Job => format!("one of {}", list(JOBS)),
            Self::Name => "a name of letters, digits, `.`, `_` and `-`".into(),
            Self::Path => "a path".into(),
            Self::Recipient => "an age recipient".into(),
            Self::Region => "an AWS region".into(),
            Self::Repeat => "a time such as \"every 15m\" or \"daily 02:30\"".into(),
            Self::Resolve => "an address, or HOST:PORT:ADDRESS".into(),
            Self::Share => "a share such as \"10%\"".into(),
            Self::Signer => "a minisign public key".into(),
            Self::Threshold => "a share such as \"25%\" or a time such as \"21d\"".into(),
            Self::Timezone => "a time zone such as \"Europe/Berlin\"".into(),
            Self::Url(schemes) => {
                let schemes: Vec<_> = schemes.iter().map(|scheme| format!("{scheme}://")).collect();
                format!("an address that begins with {}", schemes.join(" or "))
            }
            Self::UrlOrPath => "a path that begins with `/`, or an address".into(),
            Self::UrlPath => "a path that begins with `/`".into(),
            Self::Window => "a window such as \"Mon-Fri 07:00-19:00\"".into(),
            Self::Word(words) => match words {
                [only] => format!("\"{only}\""),
                _ => format!("one of {}", list(words)),
            },
        }
    }
}

/// `"a", "b" or "c"`.
pub fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// The jobs that can be named.
pub const JOBS: &[&str] = &["check", "backup", "renew-cert", "schedule"];

fn wrong(why: &str) -> Wrong {
    Wrong { why: why.into(), suggestion: None, secret: false }
}

fn instead(why: &str, suggestion: impl Into<String>) -> Wrong {
    Wrong { why: why.into(), suggestion: Some(suggestion.into()), secret: false }
}

fn one_of(text: &str, words: &[&str]) -> Result<(), Wrong> {
    if words.contains(&text) {
        return Ok(());
    }
    let suggestion = nearest(text, words.iter().copied()).map(|near| format!("did you mean \"{near}\"?"));
    Err(Wrong { why: String::new(), suggestion, secret: false })
}

fn duration(text: &str) -> Result<(), Wrong> {
    match units::parse_duration(text) {
        Ok(length) if length.is_zero() => Err(wrong("it is no time at all")),
        Ok(_) => Ok(()),
        Err(error) => Err(wrong(&error.0)),
    }
}

fn name(text: &str) -> Result<(), Wrong> {
    let right = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.len() > 100 {
        return Err(wrong("it is longer than 100 characters"));
    }
    if !text.chars().all(right) {
        return Err(wrong(""));
    }
    // It becomes part of file names and of options of other programs.
    if text.starts_with(['.', '-']) {
        return Err(wrong("it begins with a letter, a digit or `_`"));
    }
    Ok(())
}

fn path(text: &str, base: &Path) -> Result<Value, Wrong> {
    if text == "~" || text.starts_with("~/") {
        return Err(instead("`~` is not understood here", "write the whole path"));
    }
    if text.contains("://") {
        return Err(wrong("it is an address, not a path"));
    }
    let path = if text == "." { base.to_path_buf() } else { base.join(text.strip_prefix("./").unwrap_or(text)) };
    Ok(Value::Path(path))
}

fn destination(text: &str, base: &Path) -> Result<Value, Wrong> {
    if let Some(rest) = text.strip_prefix("s3://") {
        let bucket = rest.split('/').next().unwrap_or_default();
        let right = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
        if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(right) || bucket.starts_with(['.', '-']) {
            return Err(instead("the bucket has no valid name", "write s3://BUCKET/PREFIX"));
        }
        return Ok(Value::Text(text.into()));
    }
    if let Some(rest) = text.strip_prefix("rclone:") {
        return match rest.split_once(':') {
            Some((remote, _)) if !remote.is_empty() && !remote.starts_with('-') => Ok(Value::Text(text.into())),
            _ => Err(instead("there is no remote in it", "write rclone:REMOTE:PATH")),
        };
    }
    if let Some((scheme, _)) = text.split_once("://") {
        let near = nearest(scheme, ["s3"].into_iter()).map(|near| format!("did you mean {near}://?"));
        return Err(Wrong {
            why: format!("{scheme}:// is not a place that mainstay knows"),
            suggestion: Some(near.unwrap_or_else(|| "write a folder, s3://BUCKET/PREFIX or rclone:REMOTE:PATH".into())),
            secret: false,
        });
    }
    path(text, base)
}

fn url(text: &str, schemes: &[&str]) -> Result<(), Wrong> {
    let first = schemes.first().copied().unwrap_or("https");
    let parsed = match Url::parse(text) {
        Ok(parsed) => parsed,
        Err(url::ParseError::RelativeUrlWithoutBase) if !text.contains(' ') && !text.starts_with('/') => {
            return Err(instead("there is no scheme", format!("write {first}:// before it")));
        }
        Err(error) => return Err(wrong(&error.to_string())),
    };
    let is_mail = schemes.contains(&"smtp");
    if !schemes.contains(&parsed.scheme()) {
        // `prime.example.edu:8443` is read as a scheme and a path.
        if !text.contains("://") {
            return Err(instead("there is no scheme", format!("write {first}:// before it")));
        }
        return Err(wrong(""));
    }
    if parsed.host_str().is_none_or(str::is_empty) {
        return Err(wrong("there is no host in it"));
    }
    if !is_mail && (!parsed.username().is_empty() || parsed.password().is_some()) {
        return Err(Wrong { secret: true, ..wrong("a user or password can not stand in it") });
    }
    if parsed.port() == Some(0) {
        return Err(wrong("there is no port 0"));
    }
    Ok(())
}

fn url_path(text: &str) -> Result<(), Wrong> {
    if !text.starts_with('/') {
        return Err(instead("", format!("write \"/{text}\"")));
    }
    if text.starts_with("//") || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(wrong("it is not the path of an address"));
    }
    Ok(())
}

fn host(text: &str) -> Result<(), Wrong> {
    if text.contains("://") || text.contains('/') {
        return Err(wrong("it is an address, not a host name"));
    }
    match url::Host::parse(text) {
        Ok(url::Host::Domain(domain)) => {
            if domain.len() <= 253 && domain.strip_suffix('.').unwrap_or(&domain).split('.').all(is_label) {
                Ok(())
            } else if text.starts_with("*.") {
                Err(wrong("a wildcard needs the DNS challenge, which mainstay does not do"))
            } else {
                Err(wrong("it is not a host name"))
            }
        }
        Ok(_) => Err(wrong("it is an address, not a host name")),
        Err(_) => Err(wrong("it is not a host name")),
    }
}

fn host_port(text: &str) -> Result<(), Wrong> {
    let (name, port) =
        text.rsplit_once(':').ok_or_else(|| instead("there is no port", format!("write \"{text}:443\"")))?;
    if !port.bytes().all(|byte| byte.is_ascii_digit()) || !port.parse::<u16>().is_ok_and(|port| port > 0) {
        return Err(wrong("a port is a number from 1 to 65535"));
    }
    if name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).is_some_and(|name| name.parse::<IpAddr>().is_ok())
        || name.parse::<std::net::Ipv4Addr>().is_ok()
    {
        return Ok(());
    }
    host(name)
}

fn fingerprint(text: &str) -> Result<(), Wrong> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    if digits.len() == 64 && digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return Ok(());
    }
    let suggestion = (digits.len() == 40).then(|| "this is a SHA-1: ask for `-sha256`".to_string());
    Err(Wrong { why: "a SHA-256 has 64 hexadecimal digits".into(), suggestion, secret: false })
}

fn forwarders(text: &str) -> Result<(), Wrong> {
    if text == "*" {
        return Ok(());
    }
    for part in text.split(',').map(str::trim) {
        if part.parse::<IpAddr>().is_err() && part.parse::<IpNet>().is_err() {
            let why = if part.contains('/') {
                format!("`{part}` is not a network such as 10.0.0.0/8")
            } else {
                format!("`{part}` is not an address, a network or `*`")
            };
            return Err(wrong(&why));
        }
    }
    Ok(())
}

fn glob(text: &str) -> Result<(), Wrong> {
    GlobBuilder::new(text.strip_prefix('!').unwrap_or(text))
        .literal_separator(true)
        .build()
        .map(drop)
        .map_err(|error| wrong(&error.kind().to_string()))
}

fn header(text: &str) -> Result<(), Wrong> {
    // RFC 9110, section 5.6.2: a token.
    let right = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if text.chars().all(right) { Ok(()) } else { Err(wrong("")) }
}

fn email(text: &str) -> Result<(), Wrong> {
    let unquoted = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '<' | '>' | ',' | ';' | '"');
    let right = text.rsplit_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !local.contains('@') && local.chars().all(unquoted) && host(domain).is_ok()
    });
    if right { Ok(()) } else { Err(instead("", "write \"ops@example.edu\"")) }
}

/// Only names of places: abbreviations such as `IST` stand for several zones, and `EST` for one without summer time.
fn timezone(text: &str) -> Result<Value, Wrong> {
    let database = TimeZoneDatabase::bundled();
    let usual = USUAL.iter().find(|(short, _)| short.eq_ignore_ascii_case(text)).map(|(_, long)| *long);
    if let Some(long) = usual {
        return Err(instead("an abbreviation is not a time zone", format!("did you mean \"{long}\"?")));
    }
    let is_place = text == "UTC" || text.contains('/');
    if let (true, Ok(zone)) = (is_place, database.get(text)) {
        return Ok(Value::Text(zone.iana_name().unwrap_or(text).into()));
    }
    let names: Vec<String> = database.available().map(|name| name.to_string()).filter(|n| n.contains('/')).collect();
    let city =
        |name: &&String| name.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(&text.replace(' ', "_")));
    let near = names
        .iter()
        .filter(|name| !name.starts_with("posix/") && !name.starts_with("right/"))
        .find(city)
        .map(String::as_str)
        .or_else(|| nearest(text, names.iter().map(String::as_str)));
    let suggestion = near.map_or("write \"Europe/Berlin\"".into(), |near| format!("did you mean \"{near}\"?"));
    Err(Wrong { why: String::new(), suggestion: Some(suggestion), secret: false })
}

const USUAL: &[(&str, &str)] = &[
    ("AEST", "Australia/Sydney"),
    ("BST", "Europe/London"),
    ("CEST", "Europe/Berlin"),
    ("CET", "Europe/Berlin"),
    ("CST", "America/Chicago"),
    ("CDT", "America/Chicago"),
    ("EDT", "America/New_York"),
    ("EET", "Europe/Helsinki"),
    ("EST", "America/New_York"),
    ("GMT", "UTC"),
    ("HST", "Pacific/Honolulu"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("MDT", "America/Denver"),
    ("MET", "Europe/Berlin"),
    ("MST", "America/Denver"),
    ("PDT", "America/Los_Angeles"),
    ("PST", "America/Los_Angeles"),
    ("WET", "Europe/Lisbon"),
    ("Z", "UTC"),
];
