//! Whether the certificates are valid now, and for how long.

use std::time::Duration;

use jiff::Timestamp;

use super::{Threshold, TlsObservation, chain::days};
use crate::report::{Finding, Status};

/// Judges `tls.validity`: `None` when no certificate can be read.
///
/// The end is the earliest of the path, when there is one. `server_time` is the server's own clock, which decides where
/// the verdict depends on this machine's.
pub fn validity(
    subject: &str,
    tls: &TlsObservation,
    warn: Threshold,
    fail: Threshold,
    server_time: Option<Timestamp>,
) -> Option<Finding> {
    let leaf = tls.leaf()?;
    let now = tls.path.at;
    let end = tls.path.until.map_or(leaf.not_after, |until| until.min(leaf.not_after));
    let limits = Limits { warn: warn.of(leaf.lifetime()), fail: fail.of(leaf.lifetime()) };
    let left = end.duration_since(now).as_secs();
    let (status, reason, summary) = if now < leaf.not_before {
        let wait = days(leaf.not_before.duration_since(now).as_secs());
        (Status::Fail, Some("not-yet-valid"), format!("not valid before {}, in {wait}", leaf.not_before))
    } else if left < 0 {
        (Status::Fail, Some("expired"), format!("expired {} ago, on {end}", days(left)))
    } else if below(left, limits.fail) {
        (Status::Fail, Some("expires-soon"), format!("expires in {}, on {end}", days(left)))
    } else if below(left, limits.warn) {
        (Status::Warn, Some("expires-soon"), format!("expires in {}, on {end}", days(left)))
    } else {
        (Status::Pass, None, format!("valid for another {}, until {end}", days(left)))
    };
    let skew = server_time.map(|theirs| now.duration_since(theirs).as_secs()).filter(|skew| skew.abs() > TOLERATED);
    let theirs = server_time.filter(|theirs| (leaf.not_before..=end).contains(theirs));
    let finding = match (reason, skew, theirs) {
        (Some("expired" | "not-yet-valid"), Some(skew), Some(theirs)) => {
            let ahead = if skew > 0 { "ahead of" } else { "behind" };
            Finding::warn(
                "tls.validity",
                subject,
                format!("{summary}, by a clock that is {} {ahead} the server's", days(skew)),
            )
            .cause(format!("this machine says {now}, the server {theirs}, and then the certificate is valid"))
            .fix("set the clocks right (timedatectl set-ntp true)")
            .data("reason", "clock")
        }
        (Some(reason), ..) => Finding::new("tls.validity", subject, status, summary)
            .fix(match reason {
                "not-yet-valid" => "check the clocks; else serve the previous certificate until then",
                _ => "renew it (`certbot renew`, where certbot made it) and reload the server",
            })
            .data("reason", reason),
        (None, ..) => Finding::pass("tls.validity", subject, summary),
    };
    let finding = match tls.path.until {
        Some(until) if until < leaf.not_after => {
            let walk = tls.walk();
            let bound = walk.iter().find(|(_, sent)| sent.not_after == until).map(|(_, sent)| sent.title());
            let finding = finding.data("leaf_not_after", leaf.not_after.to_string());
            match bound {
                Some(title) if finding.cause.is_none() => {
                    finding.cause(format!("the path ends with its intermediate `{title}`, not with the certificate"))
                }
                _ => finding,
            }
        }
        _ => finding,
    };
    let finding = match skew {
        Some(skew) => finding.data("clock_skew_seconds", skew),
        None => finding,
    };
    Some(
        finding
            .expected(format!("at least {} left, better {}", days_of(limits.fail), days_of(limits.warn)))
            .observed(format!("{} to {end}", leaf.not_before))
            .data("days_left", left.div_euclid(DAY))
            .data("not_after", end.to_string())
            .data("not_before", leaf.not_before.to_string())
            // Both ends are part of the validity (RFC 5280, 4.1.2.5), so 90 days are written as one second less.
            .data("lifetime_days", (leaf.lifetime().as_secs() + 1) / DAY.unsigned_abs())
            .data("warn_days", rounded(limits.warn))
            .data("fail_days", rounded(limits.fail)),
    )
}

struct Limits {
    warn: Duration,
    fail: Duration,
}

const DAY: i64 = 86_400;

/// A difference of clocks that nobody needs to hear about, in seconds.
pub(super) const TOLERATED: i64 = 300;

fn below(left: i64, limit: Duration) -> bool {
    left < i64::try_from(limit.as_secs()).unwrap_or(i64::MAX)
}

fn days_of(limit: Duration) -> String {
    days(i64::try_from(limit.as_secs()).unwrap_or(i64::MAX))
}

fn rounded(limit: Duration) -> f64 {
    (limit.as_secs_f64() / 86_400.0 * 100.0).round() / 100.0
}
