//! Whether the https side answers what it should.

use crate::{
    report::{Finding, Status},
    rules::{
        http::{Answer, HttpFailure},
        location::{Shown, printable, redacted},
    },
};

/// What the answer should be like.
#[derive(Clone, Copy, Debug)]
pub struct Expect<'a> {
    /// What the finding is about.
    pub subject: &'a str,
    /// The status codes that are right.
    pub status: &'a [u16],
    /// Text that the body must hold.
    pub contains: Option<&'a str>,
}

/// Judges one answer.
pub fn judge(answer: &Answer, expect: Expect<'_>) -> Finding {
    let finding = verdict(answer, expect).data("status", answer.status).data("version", answer.version);
    match answer.header("location") {
        Some(raw) if answer.is_redirect() => finding.data("location", redacted(raw, Shown::Harmless)),
        _ => finding,
    }
}

/// Judges that there is no answer.
pub fn judge_failure(failure: &HttpFailure, expect: Expect<'_>) -> Finding {
    let status = if failure.is_the_sites() { Status::Fail } else { Status::Unknown };
    Finding::new(ID, expect.subject, status, format!("no answer: {failure}"))
        .expected(wanted(expect))
        .observed(failure.to_string())
        .fix("see whether the web server runs, listens on this address and is let through the firewall")
        .data("reason", failure.reason())
}

const ID: &str = "http.status";

fn verdict(answer: &Answer, expect: Expect<'_>) -> Finding {
    let subject = expect.subject;
    if !expect.status.contains(&answer.status) {
        return wrong_status(answer, expect);
    }
    let found = expect.contains.is_none_or(|text| answer.body_contains(text));
    if let Some(broken) = &answer.broken {
        return Finding::fail(ID, subject, format!("answers {}, but the body breaks off: {broken}", answer.status))
            .expected(wanted(expect))
            .observed(format!("{} bytes of the body came", answer.body.len()))
            .fix("look at the error logs of the web server and the application: a worker may have died or hang")
            .data("reason", broken.reason());
    }
    let Some(text) = expect.contains.map(printable) else {
        return Finding::pass(ID, subject, format!("answers {} over {}", answer.status, answer.version));
    };
    if found {
        return Finding::pass(
            ID,
            subject,
            format!("answers {} over {} and holds `{text}`", answer.status, answer.version),
        );
    }
    if answer.truncated {
        let read = answer.body.len();
        return Finding::unknown(ID, subject, format!("`{text}` is not in the first {read} bytes of the body"))
            .expected(wanted(expect))
            .observed(format!("a body that goes on after {read} bytes, where reading stops"))
            .fix("give `contains` a text from the head of the page")
            .data("reason", "body-cut");
    }
    Finding::fail(ID, subject, format!("answers {}, but the body does not hold `{text}`", answer.status))
        .expected(wanted(expect))
        .observed(format!("a body of {} bytes without it", answer.body.len()))
        .cause("another application or a default server answers for this name")
        .fix("see which `server` block of the web server answers for this name")
        .data("reason", "other-content")
}

fn wrong_status(answer: &Answer, expect: Expect<'_>) -> Finding {
    let finding = Finding::fail(ID, expect.subject, format!("answers {}", answer.status)).expected(wanted(expect));
    match (answer.status, answer.header("location")) {
        (500.., _) => finding
            .observed(format!("{} {}", answer.version, answer.status))
            .fix(
                "look at the logs of the web server and the application; 502 and 504 mean that nginx does not reach it",
            )
            .data("reason", "status-5xx"),
        (_, Some(raw)) if answer.is_redirect() => finding
            .observed(format!("{} with Location: {}", answer.status, redacted(raw, Shown::Harmless)))
            .fix(format!("where that is right, set `status = {}`, or `url` to the address it leads to", answer.status))
            // An application that believes it is asked over http redirects so.
            .data("reason", if raw.starts_with("http://") { "location-http" } else { "status-redirect" }),
        _ => finding
            .observed(format!("{} {}", answer.version, answer.status))
            .fix(format!("where that is right, set `status = {}`", answer.status))
            .data("reason", "status"),
    }
}

fn wanted(expect: Expect<'_>) -> String {
    let codes: Vec<String> = expect.status.iter().map(u16::to_string).collect();
    match expect.contains {
        Some(text) => format!("{} with `{}` in the body", codes.join(" or "), printable(text)),
        None => codes.join(" or "),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        report::Status::{Fail, Pass, Unknown},
        rules::http::{Stage, tests::answer},
    };

    const EXPECT: Expect<'static> = Expect { subject: "site", status: &[200], contains: None };

    fn with_body(body: &str) -> Answer {
        Answer { body: body.as_bytes().to_vec(), ..answer(200, &[]) }
    }

    #[test]
    fn the_status_and_the_text_both_decide() {
        let late = HttpFailure::Timeout { stage: Stage::Body, after: Duration::from_secs(10) };
        let marked = Expect { contains: Some("<title>Prime"), ..EXPECT };
        let either = Expect { status: &[200, 403], ..EXPECT };
        let table: Vec<(Answer, Expect<'_>, Status, Option<&str>)> = vec![
            (answer(200, &[]), EXPECT, Pass, None),
            (answer(403, &[]), either, Pass, None),
            (answer(404, &[]), EXPECT, Fail, Some("status")),
            (answer(503, &[]), EXPECT, Fail, Some("status-5xx")),
            (answer(302, &[("location", "/login")]), EXPECT, Fail, Some("status-redirect")),
            (answer(302, &[("location", "http://site.test/login")]), EXPECT, Fail, Some("location-http")),
            (answer(302, &[]), EXPECT, Fail, Some("status")),
            (with_body("<title>Prime</title>"), marked, Pass, None),
            (with_body("Welcome to nginx!"), marked, Fail, Some("other-content")),
            (Answer { truncated: true, ..with_body("xxx") }, marked, Unknown, Some("body-cut")),
            (Answer { truncated: true, ..with_body("xxx") }, EXPECT, Pass, None),
            (Answer { broken: Some(late), ..with_body("<title>Prime") }, marked, Fail, Some("timeout")),
            (Answer { broken: Some(HttpFailure::Closed), ..with_body("") }, EXPECT, Fail, Some("no-connection")),
        ];
        for (answer, expect, status, reason) in table {
            let finding = judge(&answer, expect);
            crate::report::assert_one_voice(&finding);
            assert_eq!(finding.status, status, "{finding:?}");
            assert_eq!(finding.data.get("reason").and_then(|reason| reason.as_str()), reason, "{finding:?}");
        }
    }

    #[test]
    fn a_redirect_of_the_root_shows_where_it_leads_and_what_to_set() {
        let finding = judge(&answer(302, &[("location", "/login?next=/")]), EXPECT);
        assert_eq!(finding.observed.unwrap(), "302 with Location: /login?next=/");
        assert!(finding.fix.unwrap().contains("`status = 302`"));
    }
}
