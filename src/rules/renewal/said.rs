//! What certbot's output means. Its exit status says little: 0 also when nothing was renewed or a hook failed, 1 for all else.
//!
//! The texts are those of certbot 2.1 to 5.8, which are not translated; the problem types are those of RFC 8555, 6.7.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::Offset};

use super::due::span;

/// What went wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trouble {
    /// Which sort.
    pub word: Word,
    /// In one line, in certbot's or the authority's words.
    pub detail: String,
    /// Before this the authority wants to hear nothing.
    pub retry_after: Option<Timestamp>,
}

/// The sorts of trouble, in alphabetical order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Word {
    /// The authority does not know the account.
    Account,
    /// The authority refuses a nonce; the same again usually works.
    BadNonce,
    /// The authority cannot be reached, or does not work.
    Authority,
    /// The authority did not get the token.
    Challenge,
    /// certbot cannot read its own files.
    Configuration,
    /// It did not end in time.
    Deadline,
    /// A command of the renewal configuration failed.
    Hook,
    /// Another certbot is at work.
    Locked,
    /// There is no such program, or it could not be started.
    Missing,
    /// It says that all is well, and nothing was renewed.
    Nothing,
    /// Anything else.
    Other,
    /// Port 80 is held by another program.
    Port,
    /// The authority's limits.
    RateLimit,
    /// No room on the disk, or no right to write there.
    Disk,
    /// The authority refuses the names: not allowed for it, or malformed.
    Refused,
    /// A signal came to us.
    Signal,
}

/// Reads what a certbot that did not succeed printed; `ending` is how it ended, in words.
pub fn read(text: &str, ending: &str, now: Timestamp) -> Trouble {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let error = lines.iter().find_map(|line| line.split_once(" with error: ").map(|(_, error)| error));
    let told = error.map(str::to_owned).or_else(|| unexpected(&lines)).or_else(|| last(&lines));
    let detail = told.unwrap_or_else(|| format!("certbot {ending} and said nothing"));
    let has = |part: &str| text.contains(part);
    let word = if has("Another instance of Certbot is already running") {
        Word::Locked
    } else if has(":rateLimited") || has("too many certificates") || has("too many failed authorizations") {
        Word::RateLimit
    } else if has(":badNonce") {
        Word::BadNonce
    } else if has(":accountDoesNotExist")
        || has("You should register before running non-interactively")
        || has("Account at ") && has(" does not exist")
    {
        Word::Account
    } else if has("Could not bind TCP port") {
        Word::Port
    } else if has("reported these problems:") || has("Some challenges have failed") {
        Word::Challenge
    } else if has("No space left on device")
        || has("Read-only file system")
        || has("Permission denied")
        || has("Disk quota")
    {
        Word::Disk
    } else if has(":serverInternal")
        || has("Service Unavailable")
        || has("Service busy")
        || has("Connection refused")
        || has("Max retries exceeded")
        || has("Failed to resolve")
        || has("Name or service not known")
        || has("Temporary failure in name resolution")
        || has("Network is unreachable")
        || has("Read timed out")
        || has("Connection aborted")
        || has("CERTIFICATE_VERIFY_FAILED")
        || has("ConnectTimeout")
    {
        Word::Authority
    } else if has(":rejectedIdentifier") || has(":malformed") || has(":caa") || has(":unauthorized") {
        Word::Refused
    } else if has("parse failure(s)") && !has(" 0 parse failure(s)")
        || has("is broken.")
        || has("No certificate found with name")
        || has("to be a symlink")
    {
        Word::Configuration
    } else {
        Word::Other
    };
    let detail = match word {
        Word::Challenge => challenge(&lines).unwrap_or(detail),
        _ => detail,
    };
    let retry_after = (word == Word::RateLimit).then(|| retry_after(text, now)).flatten();
    Trouble { word, detail: one_line(&detail), retry_after }
}

/// What a hook of the renewal configuration said, where one failed: certbot ends with 0 all the same.
pub fn failed_hook(text: &str) -> Option<&str> {
    text.lines().map(str::trim).find(|line| {
        line.contains("-hook") && line.contains("reported error code")
            || line.contains("hook command") && line.contains("returned error code")
    })
}

impl Word {
    /// The word for `data.reason`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Account => "account-unknown",
            Self::Authority => "authority-down",
            Self::BadNonce => "bad-nonce",
            Self::Challenge => "challenge-failed",
            Self::Configuration => "renewal-file",
            Self::Deadline => "deadline",
            Self::Disk => "disk",
            Self::Hook => "hook-failed",
            Self::Locked => "certbot-locked",
            Self::Missing => "certbot-missing",
            Self::Nothing => "nothing-renewed",
            Self::Other => "certbot-failed",
            Self::Port => "port-held",
            Self::RateLimit => "rate-limited",
            Self::Refused => "refused",
            Self::Signal => "signal",
        }
    }

    /// Whether the authority was asked: such a failure counts against its limits and is rehearsed before the next try.
    pub fn is_authoritys(self) -> bool {
        matches!(
            self,
            Self::Authority
                | Self::BadNonce
                | Self::Challenge
                | Self::Deadline
                | Self::Other
                | Self::RateLimit
                | Self::Refused
                | Self::Account
                | Self::Nothing
        )
    }

    /// What to do about it.
    pub fn fix(self) -> &'static str {
        match self {
            Self::Account => {
                "the authority does not know the account that the renewal file names (a copied or restored folder?): bring \
                 accounts/ back from a backup, or register anew with `certbot register` and correct `account` in the file"
            }
            Self::Authority => "nothing: the next run tries again; see the authority's status page when it goes on",
            Self::BadNonce => "nothing: the next run tries again",
            Self::Challenge => "let port 80 of each address in the DNS lead here, then run it again",
            Self::Configuration => "correct the renewal file that certbot names, or bring it back from a backup",
            Self::Deadline => "see whether the authority answers; raise `deadline` where it is only slow",
            Self::Disk => "make room, or run with sudo",
            Self::Hook => {
                "correct the command (in the renewal file or in certbot's renewal-hooks), or take it out: mainstay reloads the server itself"
            }
            Self::Locked => {
                "wait for the other certbot (a timer of the distribution?) and run it again; never delete its lock files"
            }
            Self::Missing => "install certbot (`apt install certbot`), or name the command in `certbot`",
            Self::Nothing => "read what certbot says; `certbot certificates` shows what it knows",
            Self::Other => "read what certbot says, and its log in /var/log/letsencrypt",
            Self::Port => {
                "find out what holds port 80 (`ss -ltnp sport = :80`) and stop it, or use `method = \"webroot\"`"
            }
            Self::RateLimit => "nothing before the time that the authority names: every try makes it longer",
            Self::Signal => "run it again",
            Self::Refused => "see whether the authority may issue for these names (CAA records, its policy)",
        }
    }
}

/// The problems that the authority reports of challenges: "app.test: unauthorized: …", at most three.
fn challenge(lines: &[&str]) -> Option<String> {
    let mut told: Vec<String> = Vec::new();
    let (mut domain, mut kind) = ("", "");
    for line in lines {
        if let Some(value) = ["Domain:", "Identifier:"].iter().find_map(|label| line.strip_prefix(label)) {
            domain = value.trim();
        } else if let Some(value) = line.strip_prefix("Type:") {
            kind = value.trim();
        } else if let Some(value) = line.strip_prefix("Detail:") {
            told.push(format!("{domain}: {kind}: {}", value.trim()));
        }
    }
    told.sort();
    told.truncate(3);
    (!told.is_empty()).then(|| told.join("; "))
}

/// What follows "An unexpected error occurred:".
fn unexpected(lines: &[&str]) -> Option<String> {
    let at = lines.iter().position(|line| line.starts_with("An unexpected error occurred"))?;
    lines.get(at + 1).map(|line| (*line).to_owned())
}

/// The last line that says something.
fn last(lines: &[&str]) -> Option<String> {
    let noise = [
        "- - -",
        "Saving debug log",
        "Ask for help",
        "If you like",
        "* Donating",
        "All ",
        "1 renew failure",
        "Processing ",
    ];
    let telling = lines
        .iter()
        .rev()
        .find(|line| !noise.iter().any(|start| line.starts_with(start)) && !line.ends_with("(failure)"));
    telling.map(|line| (*line).to_owned())
}

/// "retry after 2026-12-01 00:00:00 UTC" of Let's Encrypt, RFC 3339, or a header's "Retry-After: 122400".
fn retry_after(text: &str, now: Timestamp) -> Option<Timestamp> {
    let lower = text.to_ascii_lowercase();
    if let Some(rest) = lower.split("retry after ").nth(1) {
        let words: Vec<&str> = rest.split_whitespace().take(2).collect();
        let first = words.first().copied().unwrap_or_default().trim_end_matches([',', '.', ':']);
        if let Ok(moment) = first.to_ascii_uppercase().parse::<Timestamp>() {
            return Some(moment);
        }
        if let Some(civil) = words
            .get(1)
            .and_then(|time| format!("{first}T{}", time.trim_end_matches([',', ':', '.'])).parse::<DateTime>().ok())
        {
            return Offset::UTC.to_timestamp(civil).ok();
        }
    }
    let rest = lower.split("retry-after: ").nth(1)?;
    let seconds: i64 = rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    now.checked_add(SignedDuration::from_secs(seconds)).ok()
}

/// Without line ends and control characters, at most 240 letters.
fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut short: String = plain.trim().chars().take(240).collect();
    if short.len() < plain.trim().len() {
        short.push('…');
    }
    short
}

impl Trouble {
    /// certbot was ended at its deadline.
    pub fn deadline(after: std::time::Duration) -> Self {
        let after = span(SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX));
        Self {
            word: Word::Deadline,
            detail: format!("certbot did not end within {after} and was ended"),
            retry_after: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Trouble {
        read(text, "exited with status 1", "2026-11-25T00:00:00Z".parse().unwrap())
    }

    /// As certbot 2.1.0 printed them against pebble.
    fn failed(error: &str) -> String {
        format!(
            "Saving debug log to /var/log/letsencrypt/letsencrypt.log\n\n- - - - -\nProcessing /etc/letsencrypt/renewal/app.example.test.conf\n- - - - -\n\
             Renewing an existing certificate for app.example.test and www.example.test\n\
             Failed to renew certificate app.example.test with error: {error}\n\n- - - - -\nAll renewals failed. The following certificates could not be renewed:\n  \
             /etc/letsencrypt/live/app.example.test/fullchain.pem (failure)\n- - - - -\n1 renew failure(s), 0 parse failure(s)\n\
             Ask for help or search for solutions at https://community.letsencrypt.org.\n"
        )
    }

    #[test]
    fn renew_case_44_a_rate_limit_carries_its_time() {
        let limited = said(&failed(
            "urn:ietf:params:acme:error:rateLimited :: There were too many requests of a given type :: too many certificates (5) already \
             issued for this exact set of identifiers in the last 168h0m0s, retry after 2026-12-01 00:00:00 UTC: see https://letsencrypt.org/docs/rate-limits/",
        ));
        assert_eq!(
            (limited.word, limited.retry_after),
            (Word::RateLimit, Some("2026-12-01T00:00:00Z".parse().unwrap()))
        );
        let header = said(&failed("urn:ietf:params:acme:error:rateLimited :: Retry-After: 122400"));
        assert_eq!(header.retry_after, Some("2026-11-26T10:00:00Z".parse().unwrap()));
        assert_eq!(said(&failed("urn:ietf:params:acme:error:rateLimited :: too many")).retry_after, None);
    }

    #[test]
    fn renew_case_45_an_authority_that_is_down_is_told_from_one_that_refuses() {
        for error in [
            "urn:ietf:params:acme:error:serverInternal :: The server experienced an internal error :: down for maintenance",
            "Requesting 127.0.0.1/dir: Connection refused",
            "HTTPSConnectionPool(host='acme.test', port=443): Max retries exceeded with url: /dir (Caused by NameResolutionError(\"Failed to resolve 'acme.test'\"))",
        ] {
            let trouble = said(&failed(error));
            assert_eq!(trouble.word, Word::Authority, "{error}");
            assert!(error.starts_with(&trouble.detail[..20]), "{trouble:?}");
        }
        let rejected = said(
            "An unexpected error occurred:\nurn:ietf:params:acme:error:rejectedIdentifier :: not allowed\nAsk for help\n",
        );
        assert_eq!((rejected.word, rejected.detail.ends_with("not allowed")), (Word::Refused, true));
        let late = Trouble::deadline(std::time::Duration::from_secs(300));
        assert_eq!(late.detail, "certbot did not end within 5 minutes and was ended");
    }

    #[test]
    fn renew_case_46_a_refused_nonce_is_told_apart() {
        assert_eq!(
            said(&failed("urn:ietf:params:acme:error:badNonce :: The client sent an unacceptable anti-replay nonce"))
                .word,
            Word::BadNonce
        );
    }

    #[test]
    fn renew_case_47_an_unknown_account_is_explained_and_not_registered_anew() {
        let unknown = said(&failed(
            "urn:ietf:params:acme:error:accountDoesNotExist :: The request specified an account that does not exist :: Account https://127.0.0.1:14000/my-account/246af14f1245be32 not found.",
        ));
        assert_eq!(unknown.word, Word::Account);
        assert!(unknown.word.fix().contains("from a backup"));
        // Of 2.1.0 and 5.8.0, where its own folder of accounts is gone.
        let lost = said(&failed("Account at /etc/letsencrypt/accounts/acme.test/dir/6f95179449baa0cd does not exist"));
        assert_eq!(lost.word, Word::Account);
        let none = said(&failed(
            "You should register before running non-interactively, or provide --agree-tos and --email <email_address> flags.",
        ));
        assert_eq!(none.word, Word::Account);
    }

    #[test]
    fn renew_case_48_another_certbot_is_waited_for() {
        let locked =
            said("Another instance of Certbot is already running.\nAsk for help or search for solutions at …\n");
        assert_eq!(
            (locked.word, locked.detail.as_str()),
            (Word::Locked, "Another instance of Certbot is already running.")
        );
        assert!(!locked.word.is_authoritys() && locked.word.fix().contains("never delete"));
    }

    #[test]
    fn renew_case_18_a_held_port_is_told() {
        let held = said(&failed(
            "Could not bind TCP port 80 because it is already in use by another process on this system (such as a web server). Please stop the program in question and then try again.",
        ));
        assert_eq!((held.word, held.word.is_authoritys()), (Word::Port, false));
    }

    #[test]
    fn failed_challenges_are_told_by_name() {
        let text = "Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported these problems:\n  \
                    Domain: www.example.test\n  Type:   unauthorized\n  Detail: Non-200 status code from HTTP: returned 404\n\n  \
                    Identifier: app.example.test\n  Type:   connection\n  Detail: timeout\n"
            .to_owned()
            + &failed("Some challenges have failed.");
        let trouble = said(&text);
        assert_eq!(trouble.word, Word::Challenge);
        assert_eq!(
            trouble.detail,
            "app.example.test: connection: timeout; www.example.test: unauthorized: Non-200 status code from HTTP: returned 404"
        );
    }

    #[test]
    fn what_certbot_cannot_read_and_what_it_cannot_write_are_told() {
        assert_eq!(
            said("No certificate found with name nope (expected /le/renewal/nope.conf).\n").word,
            Word::Configuration
        );
        assert_eq!(said("Renewal configuration file /le/renewal/two.conf is broken.\nThe error was: expected /le/live/two/cert.pem to be a symlink\n1 renew failure(s), 1 parse failure(s)").word, Word::Configuration);
        assert_eq!(said(&failed("[Errno 28] No space left on device: '/le/archive/a/privkey2.pem'")).word, Word::Disk);
        let nothing = said("");
        assert_eq!(
            (nothing.word, nothing.detail.as_str()),
            (Word::Other, "certbot exited with status 1 and said nothing")
        );
    }

    #[test]
    fn a_failed_hook_is_found_although_certbot_ends_well() {
        assert_eq!(
            failed_hook("x\nHook 'deploy-hook' reported error code 3\n"),
            Some("Hook 'deploy-hook' reported error code 3")
        );
        assert_eq!(failed_hook("Congratulations"), None);
    }
}
