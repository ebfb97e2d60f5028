//! `Set-Cookie`, read the way browsers read it (RFC 6265, 5.2).

use base64::{Engine, alphabet, engine};

/// One cookie as the server set it. Its value never leaves this module but by [`Cookie::holds`].
#[derive(Clone, Eq, PartialEq)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    value: String,
    /// Sent over https only.
    pub secure: bool,
    /// Hidden from scripts.
    pub http_only: bool,
    /// When it is sent along from other sites.
    pub same_site: SameSite,
    /// The `Domain` it was set for, when it says one.
    pub domain: Option<String>,
    /// The `Path` it was set for, when it says one.
    pub path: Option<String>,
}

/// When a cookie is sent along with requests that another site caused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SameSite {
    /// When the user follows a link or a redirect.
    Lax,
    /// Always.
    None,
    /// Never.
    Strict,
    /// Not said, or a word that browsers do not know: every browser has its own default.
    Unsaid,
}

/// Reads one `Set-Cookie` line; `None` for what browsers ignore.
pub fn parse(line: &str) -> Option<Cookie> {
    let mut parts = line.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let name = name.trim();
    if name.is_empty() || line.chars().any(|c| c.is_control() && c != '\t') {
        return None;
    }
    let mut cookie = Cookie {
        name: name.to_owned(),
        value: value.trim().trim_matches('"').to_owned(),
        secure: false,
        http_only: false,
        same_site: SameSite::Unsaid,
        domain: None,
        path: None,
    };
    for attribute in parts {
        let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "secure" => cookie.secure = true,
            "httponly" => cookie.http_only = true,
            "domain" => cookie.domain = Some(value.trim_start_matches('.').to_ascii_lowercase()),
            "path" => cookie.path = Some(value.to_owned()),
            "samesite" => {
                cookie.same_site = match value.to_ascii_lowercase().as_str() {
                    "lax" => SameSite::Lax,
                    "none" => SameSite::None,
                    "strict" => SameSite::Strict,
                    _ => SameSite::Unsaid,
                }
            }
            _ => {}
        }
    }
    Some(cookie)
}

impl Cookie {
    /// Whether it is set to nothing, which is how a cookie is taken back.
    pub fn is_empty(&self) -> bool {
        self.value.is_empty()
    }

    /// Whether its value holds `secret`, plainly or in one of its base64 parts (Flask's and Rails' signed sessions).
    pub fn holds(&self, secret: &str) -> bool {
        let lenient = engine::GeneralPurposeConfig::new()
            .with_decode_padding_mode(engine::DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true);
        let base64 = engine::GeneralPurpose::new(&alphabet::URL_SAFE, lenient);
        let decoded = percent_encoding::percent_decode_str(&self.value).decode_utf8_lossy();
        let holds = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        !secret.is_empty()
            && (decoded.contains(secret)
                || decoded
                    .split(['.', '-', ':', '|'])
                    .chain([&*decoded])
                    .filter_map(|part| base64.decode(part.replace('+', "-").replace('/', "_")).ok())
                    .any(|bytes| holds(&bytes)))
    }

    /// Why browsers do not keep it, when they do not (RFC 6265bis, 5.6).
    pub fn refused(&self) -> Option<&'static str> {
        let lower = self.name.to_ascii_lowercase();
        if self.same_site == SameSite::None && !self.secure {
            return Some("SameSite=None needs Secure");
        }
        if lower.starts_with("__secure-") && !self.secure {
            return Some("a `__Secure-` name needs Secure");
        }
        let host_only = self.secure && self.domain.is_none() && self.path.as_deref() == Some("/");
        (lower.starts_with("__host-") && !host_only).then_some("a `__Host-` name needs Secure, Path=/ and no Domain")
    }
}

impl std::fmt::Debug for Cookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cookie").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn attributes_are_read_without_case_and_the_last_one_counts() {
        let cookie =
            parse("session=abc; SECURE ;httponly; SameSite=strict; samesite=LAX; Path=/; Domain=.Site.test").unwrap();
        assert!(cookie.secure && cookie.http_only);
        assert_eq!(cookie.same_site, SameSite::Lax);
        assert_eq!((cookie.path.as_deref(), cookie.domain.as_deref()), (Some("/"), Some("site.test")));
    }

    #[test]
    fn what_browsers_ignore_is_no_cookie() {
        for line in ["", "novalue", "=x", " =x; Secure", "a=b\r\nc"] {
            assert_eq!(parse(line), None, "{line:?}");
        }
    }

    #[test]
    fn a_cookie_that_browsers_do_not_keep_is_named() {
        let table = [
            ("a=1; SameSite=None", true),
            ("a=1; SameSite=None; Secure", false),
            ("__Secure-a=1", true),
            ("__Host-a=1; Secure; Path=/", false),
            ("__Host-a=1; Secure; Path=/; Domain=site.test", true),
            ("__host-a=1; Secure", true),
        ];
        for (line, refused) in table {
            assert_eq!(parse(line).unwrap().refused().is_some(), refused, "{line}");
        }
    }

    #[test]
    fn a_state_is_found_in_a_signed_session() {
        // {"oauth_state":"s3cr3t-state"} as Flask writes it.
        let flask = "session=eyJvYXV0aF9zdGF0ZSI6InMzY3IzdC1zdGF0ZSJ9.ZVc1Bg.sig; HttpOnly";
        for line in [flask, "state=s3cr3t-state", "state=s3cr3t%2Dstate"] {
            assert!(parse(line).unwrap().holds("s3cr3t-state"), "{line}");
        }
        assert!(!parse("session=eyJhIjoxfQ.x.y").unwrap().holds("s3cr3t-state"));
        assert!(!parse("a=b").unwrap().holds(""));
    }

    proptest! {
        #[test]
        fn any_line_is_read_without_panic_and_without_showing_the_value(line in any::<String>(), secret in any::<String>()) {
            if let Some(cookie) = parse(&line) {
                let _ = (cookie.holds(&secret), cookie.refused(), cookie.is_empty());
            }
            let shown = format!("{:?}", parse("a=very-secret-value"));
            prop_assert!(!shown.contains("very-secret"));
        }
    }
}
