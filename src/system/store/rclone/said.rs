//! What `rclone` says when it fails, as a trouble with what to do.

use crate::system::{
    process::{Failure, Output},
    store::{Reason, Trouble},
};

/// Its exit status for a folder that is not there, and for a file (rclone's documentation, "List of exit codes").
const NO_FOLDER: i32 = 3;
const NO_FILE: i32 = 4;

/// What its messages contain, in lower case, and what that means: the first that fits. They come from many backends and
/// many versions, so that what is not in the table stays what it is, in its own words.
const WORDS: &[(&[&str], Reason)] = &[
    (&["didn't find section in config file", "didn't find backend called"], Reason::Configuration),
    (&["unable to decrypt configuration", "config password", "configuration is encrypted"], Reason::Credentials),
    // Before quotas: Google calls too many requests a quota, too.
    (&["ratelimitexceeded", "too many requests", "slow down", "slowdown", "error 429"], Reason::Unreachable),
    (
        &["no space left", "disk full", "remaining disk space", "insufficient storage", "insufficient_space", "quota"],
        Reason::Full,
    ),
    (
        &[
            "invalid_grant",
            "token expired",
            "expired_access_token",
            "empty token",
            "unauthorized",
            "error 401",
            "unable to authenticate",
        ],
        Reason::Credentials,
    ),
    (
        &[
            "permission denied",
            "forbidden",
            "accessdenied",
            "access denied",
            "insufficientpermissions",
            "error 403",
            "read-only",
        ],
        Reason::Permission,
    ),
    (&["corrupted on transfer", "hash differ", "sizes differ"], Reason::Damaged),
    (
        &[
            "connection refused",
            "connection reset",
            "no such host",
            "timeout",
            "timed out",
            "unreachable",
            "x509:",
            "tls:",
            "unexpected eof",
            "service unavailable",
            "internal server error",
            "bad gateway",
        ],
        Reason::Unreachable,
    ),
    (&["directory not found", "object not found", "is a directory or doesn't exist"], Reason::Missing),
];

/// What came of a run of rclone: its output, or what went wrong.
///
/// # Errors
///
/// It did not run, or not well.
pub(super) fn decode(result: Result<Output, Failure>, remote: &str) -> Result<Output, Trouble> {
    match result {
        Ok(output) if output.success() => Ok(output),
        Ok(output) => Err(complaint(&output, remote)),
        Err(failure) => Err(not_run(&failure)),
    }
}

fn not_run(failure: &Failure) -> Trouble {
    let (reason, fix) = match failure {
        Failure::Missing(_) => (Reason::Tool, "install rclone, for example with `apt-get install rclone`"),
        Failure::TimedOut(_) => (Reason::Unreachable, "see whether the connection is too slow, and run it again"),
        Failure::Cancelled | Failure::System(_) => (Reason::Other, "run it again"),
    };
    Trouble::new(reason, failure.to_string(), fix)
}

fn complaint(output: &Output, remote: &str) -> Trouble {
    let said = String::from_utf8_lossy(&output.stderr);
    // A notice is no reason: that there is no configuration file, for example, where none is needed.
    let lines: Vec<&str> = said.lines().filter(|line| !line.contains(" NOTICE: ") && !line.trim().is_empty()).collect();
    let text = lines.join("\n").to_lowercase();
    let by_words = WORDS.iter().find(|(words, _)| words.iter().any(|word| text.contains(word)));
    let reason = match (by_words, output.code) {
        (Some((_, reason)), _) => *reason,
        (None, Some(NO_FOLDER | NO_FILE)) => Reason::Missing,
        // 5 is "temporary error": it has already tried again itself.
        (None, Some(5)) => Reason::Unreachable,
        _ => Reason::Other,
    };
    let last = lines.last().map_or_else(|| output.ending(), |line| without_time(line).to_owned());
    let name = remote.split_once(':').map_or(remote, |(name, _)| name);
    let fix = match reason {
        Reason::Configuration => {
            format!(
                "run `rclone config` as the user who runs backups, and make the remote `{name}` (`rclone listremotes`)"
            )
        }
        Reason::Credentials => {
            format!("run `rclone config reconnect {name}:`, or give rclone its configuration's password")
        }
        Reason::Damaged => "run it again; if it happens again, look at this machine's memory and disk".to_owned(),
        Reason::Full => "free some space there, or order more; the backups that are there are untouched".to_owned(),
        Reason::Missing => format!("see what there is: `rclone lsf {remote}`"),
        Reason::Permission => {
            format!("let the account of `{name}` write there: `rclone touch {remote}/probe` shows it")
        }
        Reason::Unreachable => format!("see whether it answers: `rclone lsf {remote}`"),
        _ => format!("try by hand: `rclone lsf {remote}`"),
    };
    Trouble::new(reason, format!("rclone: {last}"), fix)
}

/// A line of its log without the time in front.
fn without_time(line: &str) -> &str {
    let stamp = |c: char| c.is_ascii_digit() || matches!(c, '/' | ':' | ' ');
    let rest = line.trim_start_matches(stamp);
    if rest.is_empty() { line } else { rest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::store::conformance::one_voice;

    /// What rclone 1.60 really says, and what its backends' servers do.
    #[test]
    fn what_it_says_decides_the_reason() {
        for (code, said, reason) in [
            (
                1,
                r#"Failed to create file system for "gone:x": didn't find section in config file"#,
                Reason::Configuration,
            ),
            (
                1,
                r#"Failed to create file system for ":odd:x": didn't find backend called "odd""#,
                Reason::Configuration,
            ),
            (
                3,
                "Failed to lsjson with 2 errors: last error was: error in ListJSON: directory not found",
                Reason::Missing,
            ),
            (1, "Failed to copyto: preallocate: file too big for remaining disk space", Reason::Full),
            (1, "Failed to copyto: write /x/a: no space left on device", Reason::Full),
            (
                1,
                "Failed to copyto: googleapi: Error 403: The user's Drive storage quota has been exceeded., storageQuotaExceeded",
                Reason::Full,
            ),
            (
                1,
                "Failed to copyto: googleapi: Error 403: Quota exceeded for quota metric 'Queries', rateLimitExceeded",
                Reason::Unreachable,
            ),
            (
                1,
                "Failed to lsjson: googleapi: Error 403: Insufficient Permission, insufficientPermissions",
                Reason::Permission,
            ),
            (1, "Failed to copyto: open /x/a: permission denied", Reason::Permission),
            (
                1,
                r#"couldn't fetch token: oauth2: "invalid_grant" "Token has been expired or revoked.""#,
                Reason::Credentials,
            ),
            (
                1,
                r#"Propfind "http://127.0.0.1:1/a": dial tcp 127.0.0.1:1: connect: connection refused"#,
                Reason::Unreachable,
            ),
            (5, "Failed to lsjson: something odd", Reason::Unreachable),
            (4, "Failed to cat: something odd", Reason::Missing),
            (1, "ERROR : a: corrupted on transfer: md5 hash differ", Reason::Damaged),
            (7, "Failed to lsjson: something odd", Reason::Other),
            (1, "", Reason::Other),
        ] {
            let stderr = format!(
                "2026/11/25 18:12:39 NOTICE: Config file \"/x\" not found - quota\n2026/11/25 18:12:39 {said}\n"
            );
            let output = Output { code: Some(code), stderr: stderr.into(), ..Output::default() };
            let trouble = decode(Ok(output), "gdrive:backups").unwrap_err();
            assert_eq!(trouble.reason, reason, "{trouble:?}");
            assert!(said.is_empty() || trouble.why.ends_with(&said[said.len() - 5..]), "{trouble:?}");
            if !said.ends_with('.') {
                one_voice(&trouble);
            }
        }
    }

    #[test]
    fn a_program_that_did_not_run_says_so() {
        let missing = decode(Err(Failure::Missing("rclone".into())), "gdrive:").unwrap_err();
        assert_eq!(missing.reason, Reason::Tool);
        assert!(missing.fix.contains("apt-get install rclone"), "{missing:?}");
        let late = decode(Err(Failure::TimedOut(std::time::Duration::from_secs(9))), "gdrive:").unwrap_err();
        assert_eq!(late.reason, Reason::Unreachable);
    }
}
