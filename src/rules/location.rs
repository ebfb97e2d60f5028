//! The `Location` of a redirect: where it leads, and how it may be shown.
//!
//! Resolution is that of RFC 3986, section 5. The `url` crate follows the WHATWG standard instead, which forgives much in
//! silence (tabs and line ends vanish, `\` becomes `/`, blanks are escaped), so every such mend is an [`Oddity`] here.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::rules::http::Answer;

/// Where a redirect leads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Location {
    /// The header as it was sent.
    pub raw: String,
    /// What browsers make of it.
    pub url: Url,
    /// What browsers mend in silence and other programs may not.
    pub oddities: Vec<Oddity>,
}

/// A departure from RFC 3986 that browsers forgive, the worse ones first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Oddity {
    /// Control characters: the sign of a header that can be split by whoever writes the address.
    Control,
    /// A backslash, which browsers take for a slash and other programs do not: two readings of the host.
    Backslash,
    /// `https:/host` or `https:path`.
    Slashes,
    /// Blanks: usually an address that was un-escaped on the way (nginx's `$uri`).
    Blank,
    /// Characters outside ASCII, not escaped.
    NonAscii,
    /// Longer than what RFC 9110 (4.1) asks everybody to support.
    Long,
}

/// Why a redirect leads nowhere.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Nowhere {
    /// There is no `Location`.
    Absent,
    /// Several `Location` headers that differ: every program takes another one.
    Different(Vec<String>),
    /// It cannot be read as an address.
    Unreadable {
        /// The header as it was sent.
        raw: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Which values of a query are shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shown {
    /// Those that are harmless by their name and length.
    Harmless,
    /// Only those of an authorization request that are public by their definition.
    Public,
}

impl Oddity {
    /// What is wrong, in a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Control => "it holds control characters",
            Self::Backslash => "it holds a backslash",
            Self::Slashes => "the scheme is not followed by `//`",
            Self::Blank => "it holds a blank that is not escaped",
            Self::NonAscii => "it holds characters outside ASCII that are not escaped",
            Self::Long => "it is longer than 8000 characters",
        }
    }

    /// Whether two programs can read two different hosts out of it, or a third can write headers into it.
    pub fn is_dangerous(self) -> bool {
        matches!(self, Self::Control | Self::Backslash | Self::Slashes)
    }
}

/// Where the answer to a request of `base` leads.
///
/// # Errors
///
/// Why it leads nowhere.
pub fn resolve(base: &Url, answer: &Answer) -> Result<Location, Nowhere> {
    let mut all: Vec<&str> = answer.header_values("location").collect();
    all.dedup();
    match all.as_slice() {
        [] => Err(Nowhere::Absent),
        [raw] => read(base, raw),
        _ => Err(Nowhere::Different(all.iter().map(|raw| (*raw).to_owned()).collect())),
    }
}

/// Reads one reference against the address that was asked.
fn read(base: &Url, raw: &str) -> Result<Location, Nowhere> {
    let unreadable = |why: &str| Nowhere::Unreadable { raw: raw.to_owned(), why: why.to_owned() };
    let mut url = base.join(raw).map_err(|error| unreadable(&error.to_string()))?;
    if url.cannot_be_a_base() || url.host_str().is_none_or(str::is_empty) {
        return Err(unreadable("it names no host"));
    }
    url.set_fragment(None);
    Ok(Location { raw: raw.to_owned(), url, oddities: oddities(raw) })
}

fn oddities(raw: &str) -> Vec<Oddity> {
    let lower = raw.trim_start_matches(|c: char| c <= ' ').to_ascii_lowercase();
    let after_scheme = ["http:", "https:"].iter().find_map(|scheme| lower.strip_prefix(scheme));
    let table = [
        (Oddity::Control, raw.chars().any(char::is_control)),
        // After the `?` a backslash cannot change the host any more, but is still not allowed.
        (Oddity::Backslash, raw.contains('\\')),
        (Oddity::Slashes, after_scheme.is_some_and(|rest| !rest.starts_with("//") || rest.starts_with("///"))),
        (Oddity::Blank, raw.contains(' ')),
        (Oddity::NonAscii, raw.chars().any(|c| !c.is_ascii() && !c.is_control())),
        (Oddity::Long, raw.len() > 8000),
    ];
    table.into_iter().filter(|(_, holds)| *holds).map(|(oddity, _)| oddity).collect()
}

/// Text from the network as it may stand in a report: control characters escaped, cut after 400 characters.
pub fn printable(text: &str) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == 400 {
            out.push_str(&format!("… ({} bytes)", text.len()));
            break;
        }
        match c {
            '"' | '\'' | '\\' => out.push(c),
            c => out.extend(c.escape_debug()),
        }
    }
    out
}

/// An address or reference as it may stand in a report: printable, and without values that may be secrets.
pub fn redacted(reference: &str, shown: Shown) -> String {
    let (reference, fragment) = split(reference, '#');
    let (place, query) = split(reference, '?');
    let mut out = printable(&without_password(place));
    if let Some(query) = query {
        let pairs: Vec<String> = query.split('&').take(MOST_PAIRS).map(|pair| redacted_pair(pair, shown)).collect();
        out.push('?');
        out.push_str(&printable(&pairs.join("&")));
    }
    if fragment.is_some_and(|fragment| !fragment.is_empty()) {
        out.push_str("#<redacted>");
    }
    out
}

/// Whether the value of a parameter may be shown.
pub fn is_shown(name: &str, value: &str, shown: Shown) -> bool {
    let name = name.to_ascii_lowercase();
    PUBLIC.contains(&name.as_str())
        || (shown == Shown::Harmless && value.len() <= 24 && !SECRET.iter().any(|word| name.contains(word)))
}

/// More pairs than this are not shown.
const MOST_PAIRS: usize = 40;

/// Parameters of an authorization request that are no secret (RFC 6749, OpenID Connect Core, Google's own).
const PUBLIC: &[&str] = &[
    "access_type",
    "approval_prompt",
    "client_id",
    "code_challenge_method",
    "display",
    "hd",
    "hl",
    "include_granted_scopes",
    "max_age",
    "prompt",
    "redirect_uri",
    "response_mode",
    "response_type",
    "scope",
    "ui_locales",
];

/// Words in the names of parameters whose values are nobody's business.
const SECRET: &[&str] = &[
    "assert",
    "auth",
    "challenge",
    "code",
    "cred",
    "hash",
    "hint",
    "jwt",
    "key",
    "nonce",
    "pass",
    "pwd",
    "relay",
    "request",
    "secret",
    "session",
    "sid",
    "sig",
    "state",
    "ticket",
    "token",
    "verifier",
];

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn redacted_pair(pair: &str, shown: Shown) -> String {
    let (name, value) = split(pair, '=');
    let decoded = percent_decode_str(name).decode_utf8_lossy();
    match value {
        // An address inside an address can hold secrets of its own.
        Some(value) if decoded.eq_ignore_ascii_case("redirect_uri") => format!("{name}={}", inner(value)),
        Some(value) if is_shown(&decoded, value, shown) => pair.to_owned(),
        Some(_) => format!("{name}=<redacted>"),
        None if pair.is_empty() || is_shown(pair, pair, shown) => pair.to_owned(),
        None => "<redacted>".to_owned(),
    }
}

/// An escaped address without what may be secret in it.
fn inner(value: &str) -> String {
    let lower = value.to_ascii_lowercase();
    let end = ["?", "#", "%3f", "%23"].iter().filter_map(|mark| lower.find(mark)).min().unwrap_or(value.len());
    let start = ["@", "%40"].iter().filter_map(|mark| lower[..end].rfind(mark)).max().unwrap_or(0);
    let hidden = |hides| if hides { "<redacted>" } else { "" };
    format!("{}{}{}", hidden(start > 0), &value[start..end], hidden(end < value.len()))
}

/// Hides what stands before an `@` of the authority, unless it is the disguise of a host:
/// `https://accounts.google.com@evil.test/`.
fn without_password(place: &str) -> String {
    let is_slash = |c: char| c == '/' || c == '\\';
    let scheme = place.find(':').filter(|at| place[..*at].chars().all(|c| c.is_ascii_alphanumeric()));
    let after = scheme.map_or(place, |at| &place[at + 1..]);
    let authority = after.trim_start_matches(is_slash);
    if scheme.is_none() && after.len() < authority.len() + 2 {
        return place.to_owned();
    }
    let authority = authority.split(is_slash).next().unwrap_or_default();
    let Some((user, _)) = authority.rsplit_once('@') else { return place.to_owned() };
    if user.contains('.') && user.chars().all(|c| c.is_ascii_alphanumeric() || c == '.') {
        return place.to_owned();
    }
    let start = place.len() - after.trim_start_matches(is_slash).len();
    format!("{}<redacted>{}", &place[..start], &place[start + user.len()..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn base() -> Url {
        Url::parse("http://site.test/a/b?c=1#d").unwrap()
    }

    #[test]
    fn a_reference_is_resolved_as_rfc_3986_says() {
        let table = [
            ("/foo", "http://site.test/foo"),
            ("foo", "http://site.test/a/foo"),
            ("../foo", "http://site.test/foo"),
            ("?q=2", "http://site.test/a/b?q=2"),
            ("", "http://site.test/a/b?c=1"),
            ("#x", "http://site.test/a/b?c=1"),
            ("//other.test/x", "http://other.test/x"),
            ("https://SITE.test:443/x", "https://site.test/x"),
        ];
        for (raw, url) in table {
            let location = read(&base(), raw).unwrap();
            assert_eq!((location.url.as_str(), location.oddities), (url, vec![]), "{raw}");
        }
    }

    #[test]
    fn what_browsers_mend_in_silence_is_told() {
        use Oddity::{Backslash, Blank, Control, Long, NonAscii, Slashes};
        let long = format!("/{}", "x".repeat(9000));
        let table: &[(&str, &[Oddity])] = &[
            ("/a\tb", &[Control]),
            ("https://site.test/\r\nSet-Cookie: a=1", &[Control, Blank]),
            ("https:\\\\evil.test", &[Backslash, Slashes]),
            ("https:/site.test/", &[Slashes]),
            ("https:site", &[Slashes]),
            ("/a b", &[Blank]),
            ("/caf\u{e9}", &[NonAscii]),
            (&long, &[Long]),
        ];
        for (raw, expected) in table {
            assert_eq!(read(&base(), raw).unwrap().oddities, *expected, "{raw}");
        }
    }

    #[test]
    fn an_address_without_a_host_leads_nowhere() {
        for raw in ["javascript:alert(1)", "mailto:a@b.test", "https://", "http://[::1", "https://a b/"] {
            assert!(matches!(read(&base(), raw), Err(Nowhere::Unreadable { .. })), "{raw}");
        }
    }

    #[test]
    fn secrets_are_not_shown_and_the_rest_is() {
        let table = [
            ("/a?b=1", "/a?b=1"),
            ("//host/x", "//host/x"),
            ("/login?next=/&state=abc", "/login?next=/&state=<redacted>"),
            ("/x?0123456789012345678901234", "/x?<redacted>"),
            ("https://me:secret@h.test/", "https://<redacted>@h.test/"),
            ("//me@h.test/", "//<redacted>@h.test/"),
            ("https:me:secret@h.test", "https:<redacted>@h.test"),
            ("https://h.test/@me", "https://h.test/@me"),
            ("/@me", "/@me"),
            ("/x?redirect_uri=https%3A%2F%2Fme%40h.test%2Fc", "/x?redirect_uri=<redacted>%40h.test%2Fc"),
            ("https://accounts.google.com@evil.test/", "https://accounts.google.com@evil.test/"),
            ("/x#token=1", "/x#<redacted>"),
            ("/x?redirect_uri=https%3A%2F%2Fh%2Fc%3Fkey%3D1", "/x?redirect_uri=https%3A%2F%2Fh%2Fc<redacted>"),
            ("/a\u{1b}[31m\r\n", "/a\\u{1b}[31m\\r\\n"),
        ];
        for (raw, expected) in table {
            assert_eq!(redacted(raw, Shown::Harmless), expected, "{raw:?}");
        }
    }

    proptest! {
        #[test]
        fn any_location_is_read_and_shown_without_panic_or_control_characters(raw in any::<String>()) {
            let _ = read(&base(), &raw);
            for shown in [Shown::Harmless, Shown::Public] {
                prop_assert!(!redacted(&raw, shown).chars().any(char::is_control));
            }
        }

        #[test]
        fn what_has_no_oddity_is_read_alike_by_everybody(
            raw in "(https?://[a-z]{1,8}\\.test)?(/[a-z0-9][a-z0-9%._~-]{0,8}){1,3}(\\?[a-z0-9=&]{0,8})?"
        ) {
            let location = read(&base(), &raw).unwrap();
            prop_assert_eq!(&location.oddities, &vec![]);
            let query = raw.split_once('?').map(|(_, query)| query);
            prop_assert_eq!(location.url.query(), query);
        }
    }
}
