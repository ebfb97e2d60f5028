//! `Strict-Transport-Security` (RFC 6797): whether browsers will refuse plain HTTP next time.

use crate::{
    report::{Finding, Status},
    rules::{http::Answer, location::printable},
};

/// A policy that browsers understand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hsts {
    /// For how many seconds; 0 makes browsers forget it.
    pub max_age: u64,
    /// Whether hosts below this one are covered.
    pub include_subdomains: bool,
    /// Whether the owner asks to be put on the list that browsers ship.
    pub preload: bool,
}

/// Reads one header value; browsers ignore what does not follow the grammar of section 6.1.
///
/// # Errors
///
/// Why browsers ignore it.
pub fn parse(value: &str) -> Result<Hsts, String> {
    let (mut max_age, mut include_subdomains, mut preload) = (None, false, false);
    let mut seen: Vec<String> = Vec::new();
    for directive in value.split(';').map(str::trim).filter(|directive| !directive.is_empty()) {
        let (name, argument) = match directive.split_once('=') {
            Some((name, argument)) => (name.trim().to_ascii_lowercase(), Some(unquoted(argument.trim()))),
            None => (directive.to_ascii_lowercase(), None),
        };
        if seen.contains(&name) {
            return Err(format!("`{}` comes twice", printable(&name)));
        }
        match (name.as_str(), argument) {
            ("max-age", Some(digits)) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                // More digits than a number holds is still "for ever".
                max_age = Some(digits.parse().unwrap_or(u64::MAX));
            }
            ("max-age", _) => return Err("`max-age` has no number of seconds".to_owned()),
            ("includesubdomains", None) => include_subdomains = true,
            ("includesubdomains", Some(_)) => return Err("`includeSubDomains` takes no value".to_owned()),
            ("preload", None) => preload = true,
            _ => {}
        }
        seen.push(name);
    }
    match max_age {
        Some(max_age) => Ok(Hsts { max_age, include_subdomains, preload }),
        None => Err("`max-age` is missing".to_owned()),
    }
}

/// Judges the answer of an https request; `missing` is what a missing policy means.
pub fn judge(subject: &str, answer: &Answer, missing: Status) -> Finding {
    // Section 8.1: the first header counts, all others are ignored.
    let mut values = answer.header_values("strict-transport-security");
    let Some(value) = values.next() else {
        return Finding::new(ID, subject, missing, "there is no Strict-Transport-Security header")
            .expected(EXPECTED)
            .observed("no such header")
            .fix(FIX)
            .data("reason", "hsts-missing");
    };
    let duplicates = values.count();
    let finding = match parse(value) {
        Err(why) => Finding::new(ID, subject, missing, format!("browsers ignore the header: {why}"))
            .fix(FIX)
            .data("reason", "hsts-malformed"),
        Ok(Hsts { max_age: 0, .. }) => {
            Finding::new(ID, subject, missing, "`max-age=0` makes browsers forget the policy")
                .fix(FIX)
                .data("reason", "hsts-removed")
                .data("max_age", 0)
        }
        Ok(hsts) => {
            let days = hsts.max_age / DAY;
            let below = if hsts.include_subdomains { ", with subdomains" } else { ", this host only" };
            let finding = if days < 30 {
                Finding::warn(ID, subject, format!("the policy lasts {days} days only{below}"))
                    .fix(FIX)
                    .data("reason", "hsts-short")
            } else {
                Finding::pass(ID, subject, format!("browsers refuse plain HTTP for {days} days{below}"))
            };
            finding
                .data("max_age", hsts.max_age)
                .data("include_subdomains", hsts.include_subdomains)
                .data("preload", hsts.preload)
        }
    };
    let finding = finding.observed(printable(value));
    let finding = if finding.status.is_fine() { finding } else { finding.expected(EXPECTED) };
    match duplicates {
        0 => finding,
        more => finding.data("notes", vec![format!("the header comes {} times; only the first counts", more + 1)]),
    }
}

const ID: &str = "http.hsts";
const DAY: u64 = 86_400;
const EXPECTED: &str = "Strict-Transport-Security with a max-age of 30 days or more";
const FIX: &str = "add `add_header Strict-Transport-Security \"max-age=31536000\" always;` to the https server";

fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rules::http::tests::answer;

    #[test]
    fn a_policy_is_read_as_browsers_read_it() {
        let policy = |max_age, include_subdomains| Some(Hsts { max_age, include_subdomains, preload: false });
        let table = [
            ("max-age=31536000", policy(31_536_000, false)),
            ("Max-Age=\"300\" ; includeSubDomains", policy(300, true)),
            ("; max-age=1;;", policy(1, false)),
            ("max-age=1; unknown=x", policy(1, false)),
            ("max-age=99999999999999999999999", policy(u64::MAX, false)),
            ("max-age=1; max-age=2", None),
            ("max-age=", None),
            ("max-age=-1", None),
            ("max-age", None),
            ("includeSubDomains", None),
            ("", None),
        ];
        for (value, expected) in table {
            assert_eq!(parse(value).ok(), expected, "{value}");
        }
    }

    #[test]
    fn the_first_header_decides_and_a_short_or_removed_policy_is_no_pass() {
        use Status::{Fail, Pass, Warn};
        let table: &[(&[&str], Status, Option<&str>)] = &[
            (&[], Fail, Some("hsts-missing")),
            (&["max-age=31536000"], Pass, None),
            (&["max-age=31536000", "max-age=0"], Pass, None),
            (&["max-age=0", "max-age=31536000"], Fail, Some("hsts-removed")),
            (&["max-age=300"], Warn, Some("hsts-short")),
            (&["nonsense"], Fail, Some("hsts-malformed")),
        ];
        for (values, status, reason) in table {
            let headers: Vec<_> = values.iter().map(|value| ("strict-transport-security", *value)).collect();
            let finding = judge("site", &answer(200, &headers), Fail);
            crate::report::assert_one_voice(&finding);
            assert_eq!(finding.status, *status, "{values:?}");
            assert_eq!(finding.data.get("reason").and_then(|reason| reason.as_str()), *reason, "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_panic(value in any::<String>()) {
            let _ = parse(&value);
        }
    }
}
