//! The authorization request in a redirect: its parameters, and which of them may be shown.

use serde_json::{Map, Value};
use url::Url;

use crate::rules::location::{Shown, is_shown, printable, redacted};

/// The parameters of an authorization request, decoded once.
#[derive(Clone, Eq, PartialEq)]
pub struct AuthorizationRequest {
    pairs: Vec<(String, String)>,
}

impl AuthorizationRequest {
    /// Reads the query of the address that the browser is sent to.
    pub fn of(target: &Url) -> Self {
        Self { pairs: target.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect() }
    }

    /// The first value of a parameter that is not empty; RFC 6749 (3.1) treats an empty one as absent.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Parameters that come more than once, as they may be shown.
    pub fn twice(&self) -> Vec<String> {
        let mut twice: Vec<String> = Vec::new();
        for (index, (name, _)) in self.pairs.iter().enumerate() {
            let shown = shown_name(name);
            if self.pairs[..index].iter().any(|(earlier, _)| earlier == name) && !twice.contains(&shown) {
                twice.push(shown);
            }
        }
        twice
    }

    /// Whether the parameters are handed over where only the provider can read them (RFC 9101, RFC 9126).
    pub fn is_pushed(&self) -> bool {
        self.value("request_uri").or(self.value("request")).is_some()
    }

    /// Whether something ties the provider's answer to this browser. A `nonce` does only in OpenID Connect.
    pub fn is_protected(&self) -> bool {
        let openid = self.value("scope").is_some_and(|scope| scope.split_whitespace().any(|scope| scope == "openid"));
        self.value("state").is_some()
            || self.value("code_challenge").is_some()
            || (openid && self.value("nonce").is_some())
            || self.is_pushed()
    }

    /// Values that must differ between two logins and do not.
    pub fn repeated(&self, other: &Self) -> Vec<&'static str> {
        let same = |name: &&str| self.value(name).is_some() && self.value(name) == other.value(name);
        OWN.iter().copied().filter(same).collect()
    }

    /// The parameters for a report: only what is public by its definition is shown.
    pub fn shown(&self) -> Map<String, Value> {
        let mut shown = Map::new();
        for (name, value) in self.pairs.iter().take(MOST) {
            let text = match value.as_str() {
                "" => String::new(),
                _ if name.eq_ignore_ascii_case("redirect_uri") => redacted(value, Shown::Public),
                _ if is_shown(name, value, Shown::Public) => printable(value),
                _ => "<redacted>".to_owned(),
            };
            // Of a parameter that comes twice the first one is shown; a finding says that there are two.
            shown.entry(shown_name(name)).or_insert(Value::String(text));
        }
        shown
    }
}

/// The name of a parameter for a report. Something unheard of and long may be a secret that lacks its name.
pub(super) fn shown_name(name: &str) -> String {
    let harmless = name.len() <= 10 && !name.is_empty() || KNOWN.contains(&name) || is_shown(name, "", Shown::Public);
    if harmless { printable(name) } else { "<redacted>".to_owned() }
}

/// More parameters than this are not shown.
const MOST: usize = 40;

/// Parameters whose value belongs to one login.
const OWN: &[&str] = &["state", "nonce", "code_challenge", "request_uri", "request"];

/// Parameters with a long name whose value is not shown.
const KNOWN: &[&str] = &[
    "claims_locales",
    "client_secret",
    "code_challenge",
    "code_verifier",
    "id_token_hint",
    "login_hint",
    "registration",
    "request_uri",
];

impl std::fmt::Debug for AuthorizationRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.shown()).finish()
    }
}
