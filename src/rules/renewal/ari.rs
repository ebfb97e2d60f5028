//! ACME Renewal Information (RFC 9773): when the authority wants a certificate to be renewed.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use x509_parser::{
    extensions::ParsedExtension,
    prelude::{FromDer, X509Certificate},
};

/// The window that an authority suggests.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Window {
    /// Its beginning.
    pub start: Timestamp,
    /// Its end, which lies after the beginning.
    pub end: Timestamp,
    /// A page that says why, where the authority names one.
    pub explanation: Option<String>,
}

/// A window and the moment in it that was drawn once and is kept.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Drawn {
    /// The window.
    pub window: Window,
    /// The moment.
    pub moment: Timestamp,
}

/// What is remembered of an authority's answer about one certificate.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Memory {
    /// Which certificate it is about: [`identifier`].
    pub certificate: String,
    /// The last sound answer.
    pub drawn: Option<Drawn>,
    /// When the authority was asked last.
    pub asked: Timestamp,
    /// When it is asked again.
    pub again: Timestamp,
}

/// How an authority names a certificate: `base64url(AKI) "." base64url(serial)` (RFC 9773, 4.1). `None` for one without an
/// authority key identifier, about which nothing can be asked.
pub fn identifier(der: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let key = certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(aki) => aki.key_identifier.as_ref().map(|key| key.0.to_vec()),
        _ => None,
    })?;
    let serial = certificate.tbs_certificate.raw_serial();
    Some(format!("{}.{}", URL_SAFE_NO_PAD.encode(key), URL_SAFE_NO_PAD.encode(serial)))
}

/// Reads an answer.
///
/// # Errors
///
/// It is none: no JSON, no window, or one that ends before it begins (RFC 9773, 4.2: to be ignored).
pub fn parse(body: &[u8]) -> Result<Window, String> {
    let answer: serde_json::Value = serde_json::from_slice(body).map_err(|error| format!("it is no JSON: {error}"))?;
    let moment = |name: &str| {
        let text = answer.pointer(&format!("/suggestedWindow/{name}")).and_then(serde_json::Value::as_str);
        let text = text.ok_or_else(|| format!("it has no suggestedWindow.{name}"))?;
        text.parse::<Timestamp>().map_err(|_| format!("suggestedWindow.{name} is no time"))
    };
    let (start, end) = (moment("start")?, moment("end")?);
    if end <= start {
        return Err(format!("the window ends ({end}) before it begins ({start})"));
    }
    let explanation = answer.get("explanationURL").and_then(serde_json::Value::as_str).map(str::to_owned);
    Ok(Window { start, end, explanation })
}

/// Draws a moment of the window; `random` is any number.
pub fn draw(window: Window, random: u64) -> Drawn {
    let length = window.end.duration_since(window.start).as_secs().max(1);
    let offset = i64::try_from(random % length.unsigned_abs()).unwrap_or(0);
    let moment = window.start + SignedDuration::from_secs(offset);
    Drawn { window, moment }
}

/// When to ask again: after `Retry-After` (seconds or a date), but not sooner than in a minute and not later than in half a
/// day; six hours without one (RFC 9773, 4.3).
pub fn again(retry_after: Option<&str>, now: Timestamp) -> Timestamp {
    let wanted = retry_after.and_then(|text| retry(text, now));
    let usual = now + SignedDuration::from_hours(6);
    wanted.unwrap_or(usual).clamp(now + SignedDuration::from_mins(1), now + SignedDuration::from_hours(12))
}

/// The moment of a `Retry-After` header (RFC 9110, 10.2.3).
pub fn retry(text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return now.checked_add(SignedDuration::from_secs(i64::from(seconds))).ok();
    }
    crate::rules::http::parse_date(text)
}

impl Memory {
    /// The drawn moment, where it is about this certificate and not older than a day past its time: an authority that is
    /// gone must not decide for ever.
    pub fn fresh(&self, certificate: &str, now: Timestamp) -> Option<&Drawn> {
        let fresh = self.certificate == certificate && now < self.again + SignedDuration::from_hours(24);
        self.drawn.as_ref().filter(|_| fresh)
    }

    /// Whether the authority is to be asked about this certificate now.
    pub fn is_stale(&self, certificate: &str, now: Timestamp) -> bool {
        // A clock that was put back must not keep us from asking.
        self.certificate != certificate || now >= self.again || now < self.asked
    }

    /// What is remembered after another answer; a window that is still the same keeps its moment.
    pub fn after(
        before: Option<&Self>,
        certificate: &str,
        window: Option<Window>,
        again: Timestamp,
        now: Timestamp,
        random: u64,
    ) -> Self {
        let known = before.filter(|before| before.certificate == certificate).and_then(|before| before.drawn.clone());
        let drawn = match (window, known) {
            (Some(window), Some(known)) if known.window == window => Some(known),
            (Some(window), _) => Some(draw(window, random)),
            (None, known) => known,
        };
        Self { certificate: certificate.to_owned(), drawn, asked: now, again }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn window(start: &str, end: &str) -> Window {
        Window { start: at(start), end: at(end), explanation: None }
    }

    #[test]
    fn an_answer_of_the_rfc_is_read() {
        // RFC 9773, 4.2.
        let body = br#"{"suggestedWindow": {"start": "2025-01-02T04:00:00Z", "end": "2025-01-03T04:00:00Z"},
                        "explanationURL": "https://acme.example.com/docs/ari"}"#;
        let answer = parse(body).unwrap();
        assert_eq!((answer.start, answer.end), (at("2025-01-02T04:00:00Z"), at("2025-01-03T04:00:00Z")));
        assert_eq!(answer.explanation.as_deref(), Some("https://acme.example.com/docs/ari"));
    }

    #[test]
    fn renew_case_50_a_malformed_answer_is_ignored_and_said() {
        for (body, why) in [
            (&b"<html>"[..], "it is no JSON"),
            (b"{}", "it has no suggestedWindow.start"),
            (
                br#"{"suggestedWindow": {"start": "soon", "end": "2025-01-03T04:00:00Z"}}"#,
                "suggestedWindow.start is no time",
            ),
            (
                br#"{"suggestedWindow": {"start": "2025-01-03T04:00:00Z", "end": "2025-01-03T04:00:00Z"}}"#,
                "the window ends",
            ),
        ] {
            assert!(parse(body).unwrap_err().starts_with(why), "{body:?}");
        }
    }

    #[test]
    fn the_moment_is_drawn_once_and_kept_while_the_window_stays() {
        let now = at("2026-01-01T00:00:00Z");
        let (first, other) = (
            window("2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z"),
            window("2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"),
        );
        let memory = Memory::after(None, "a.b", Some(first.clone()), again(None, now), now, 12_345);
        assert_eq!(memory.drawn.as_ref().unwrap().moment, at("2026-02-01T03:25:45Z"));
        let same = Memory::after(Some(&memory), "a.b", Some(first), again(None, now), now, 99);
        assert_eq!(same.drawn, memory.drawn);
        let moved = Memory::after(Some(&memory), "a.b", Some(other.clone()), again(None, now), now, 7);
        assert_eq!(moved.drawn.unwrap().window, other);
        // Without an answer the last one stays; for another certificate nothing does.
        assert_eq!(Memory::after(Some(&memory), "a.b", None, again(None, now), now, 1).drawn, memory.drawn);
        assert_eq!(Memory::after(Some(&memory), "c.d", None, again(None, now), now, 1).drawn, None);
    }

    #[test]
    fn it_is_asked_again_after_retry_after_within_bounds_and_forgotten_a_day_later() {
        let now = at("2026-01-01T00:00:00Z");
        for (header, expected) in [
            (None, "2026-01-01T06:00:00Z"),
            (Some("21600"), "2026-01-01T06:00:00Z"),
            (Some("1"), "2026-01-01T00:01:00Z"),
            (Some("999999"), "2026-01-01T12:00:00Z"),
            (Some("Thu, 01 Jan 2026 02:00:00 GMT"), "2026-01-01T02:00:00Z"),
            (Some("soon"), "2026-01-01T06:00:00Z"),
        ] {
            assert_eq!(again(header, now), at(expected), "{header:?}");
        }
        let memory = Memory::after(
            None,
            "a.b",
            Some(window("2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z")),
            again(None, now),
            now,
            0,
        );
        assert!(
            !memory.is_stale("a.b", at("2026-01-01T05:59:59Z")) && memory.is_stale("a.b", at("2026-01-01T06:00:00Z"))
        );
        assert!(memory.is_stale("c.d", now) && memory.is_stale("a.b", at("2025-01-01T00:00:00Z")));
        assert!(memory.fresh("a.b", at("2026-01-02T05:59:59Z")).is_some());
        assert!(memory.fresh("a.b", at("2026-01-02T06:00:00Z")).is_none() && memory.fresh("c.d", now).is_none());
    }

    #[test]
    fn a_certificate_is_named_as_the_rfc_names_it() {
        let issuer = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        params.serial_number = Some(rcgen::SerialNumber::from_slice(&[0x00, 0x87, 0x65, 0x43, 0x21]));
        params.use_authority_key_identifier_extension = true;
        let ca = rcgen::CertificateParams::new(vec![]).unwrap();
        let ca = rcgen::Issuer::new(ca, issuer);
        let key = rcgen::KeyPair::generate().unwrap();
        let der = params.signed_by(&key, &ca).unwrap();
        let name = identifier(der.der()).unwrap();
        let (aki, serial) = name.split_once('.').unwrap();
        // RFC 9773, 4.1: this serial with its leading zero is `AIdlQyE`.
        assert_eq!(serial, "AIdlQyE");
        assert!(!aki.is_empty() && !name.contains('='), "{name}");
        assert_eq!(identifier(b"no certificate"), None);
    }

    proptest! {
        #[test]
        fn a_drawn_moment_lies_in_its_window(length in 1i64..10_000_000, random: u64) {
            let start = at("2026-01-01T00:00:00Z");
            let window = Window { start, end: start + SignedDuration::from_secs(length), explanation: None };
            let drawn = draw(window, random);
            prop_assert!(drawn.moment >= drawn.window.start && drawn.moment < drawn.window.end);
        }
    }
}
