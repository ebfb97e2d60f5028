//! Whether a server repeats whatever `Host` it is sent: poison for caches and for password mails.

use crate::{
    report::{Finding, Status},
    rules::{
        http::Answer,
        location::{Shown, redacted},
    },
};

/// A name that nobody has (RFC 6761), sent as `Host` to see whether it comes back.
pub const FOREIGN: &str = "mainstay-check.invalid";

/// Judges the answer to a request with the foreign `Host`; `side` is `http` or `https`.
pub fn judge(subject: &str, side: &str, answer: &Answer) -> Finding {
    let finding = verdict(subject, side, answer);
    finding.data("side", side).data("status", answer.status)
}

const ID: &str = "http.host";

fn verdict(subject: &str, side: &str, answer: &Answer) -> Finding {
    let reflecting = answer
        .headers
        .iter()
        .find(|(name, value)| CARRIERS.contains(&name.as_str()) && value.to_ascii_lowercase().contains(FOREIGN));
    let place = match reflecting {
        Some((name, value)) => format!("{name}: {}", redacted(value, Shown::Harmless)),
        None if answer.body_contains(FOREIGN) => "the body".to_owned(),
        None => {
            let part =
                if answer.truncated { format!(" in the first {} bytes", answer.body.len()) } else { String::new() };
            return Finding::pass(
                ID,
                subject,
                format!("{side} does not repeat a foreign Host{part} ({})", answer.status),
            );
        }
    };
    let reason = if reflecting.is_some() { "reflected-in-header" } else { "reflected-in-body" };
    // No browser can be made to send a foreign Host: over plain HTTP, where nothing is worth keeping, a redirect that
    // repeats it (`return 301 https://$host$request_uri`, the commonest line of all) only misleads a shared cache.
    let harmless = side == "http" && reflecting.is_some() && (300..400).contains(&answer.status);
    let status = if harmless { Status::Warn } else { Status::Fail };
    Finding::new(ID, subject, status, format!("{side} repeats a foreign Host header"))
        .expected("an answer that does not hold the Host of the request, or none")
        .observed(format!("{} with `{FOREIGN}` in {place}", answer.status))
        .cause("the default server answers every name with `$host`, or the application builds addresses from Host")
        .fix("give nginx a default server with `return 444;`, and the application a list of hosts it believes")
        .data("reason", reason)
}

/// Headers that lead a browser somewhere.
const CARRIERS: &[&str] = &["content-location", "link", "location", "refresh"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::http::tests::answer;

    const HEADER: &str = "reflected-in-header";

    #[test]
    fn a_foreign_host_that_comes_back_is_said_wherever_it_is() {
        let body = Answer { body: format!("see https://{FOREIGN}/").into_bytes(), ..answer(200, &[]) };
        let table = [
            ("http", answer(301, &[("location", "https://mainstay-check.invalid/")]), Status::Warn, Some(HEADER)),
            ("https", answer(301, &[("location", "https://mainstay-check.invalid/")]), Status::Fail, Some(HEADER)),
            ("https", answer(302, &[("location", "https://MAINSTAY-check.invalid/")]), Status::Fail, Some(HEADER)),
            ("http", answer(200, &[("link", "<https://mainstay-check.invalid/>")]), Status::Fail, Some(HEADER)),
            ("http", answer(301, &[("location", "https://site.test/")]), Status::Pass, None),
            ("https", answer(421, &[]), Status::Pass, None),
            ("http", body.clone(), Status::Fail, Some("reflected-in-body")),
            ("https", body, Status::Fail, Some("reflected-in-body")),
        ];
        for (side, answer, status, reason) in table {
            let finding = judge("site", side, &answer);
            crate::report::assert_one_voice(&finding);
            assert_eq!(finding.status, status, "{answer:?}");
            assert_eq!(finding.data.get("reason").and_then(|reason| reason.as_str()), reason);
        }
    }
}
