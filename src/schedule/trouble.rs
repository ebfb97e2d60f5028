//! What Amazon's refusals mean for whoever runs schedules, and what to do.

use crate::{
    rules::fleet::decode,
    system::aws::{Cause, Refusal},
};

/// A refusal in words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trouble {
    /// The word that tells them apart.
    pub reason: &'static str,
    /// What it is.
    pub why: String,
    /// What to do.
    pub fix: String,
}

impl Trouble {
    /// Reads a refusal.
    pub fn of(refusal: &Refusal) -> Self {
        let (reason, meaning, fix) = match refusal {
            refusal if refusal.cause == Cause::Credentials => (
                "credentials",
                "no credentials of Amazon can be had",
                "set AWS_PROFILE or run it where a role gives them; `aws sts get-caller-identity` shows whose they are",
            ),
            refusal if refusal.is_expired() => {
                ("expired", "the credentials have expired", "sign in again (`aws sso login`), or renew the keys")
            }
            refusal if is_skew(refusal) => (
                "clock",
                "this machine's clock is off, so Amazon does not take its signatures",
                "set the clock: `timedatectl set-ntp true`",
            ),
            refusal if is_stranger(refusal) => (
                "credentials",
                "Amazon does not know these credentials there",
                "check the keys; a region that the account has not switched on says the same",
            ),
            refusal if refusal.cause == Cause::Unsent => {
                ("unreachable", "it cannot be reached", "check the region's name and the network")
            }
            refusal if refusal.cause == Cause::Silent => {
                ("silent", "no answer came in time", "try again; `-v` shows the calls")
            }
            refusal => {
                let failure = decode(refusal.code.as_deref().unwrap_or_default(), &refusal.message);
                return Self { reason: failure.reason, why: failure.why, fix: failure.fix };
            }
        };
        // What was tried in vain for credentials fills many lines, and is for the log.
        let message = refusal.message.lines().next().unwrap_or_default();
        let message = message.split(". Attempted").next().unwrap_or_default();
        let said = match (&refusal.code, message.trim_end_matches('.')) {
            (Some(code), message) => format!("{code}: {message}"),
            (None, message) => message.to_owned(),
        };
        Self { reason, why: format!("{meaning} ({said})"), fix: fix.to_owned() }
    }
}

/// A signature is good for five minutes (EC2 API Reference, "Query requests"; SDKs and Tools Reference Guide).
fn is_skew(refusal: &Refusal) -> bool {
    let message = refusal.message.to_lowercase();
    refusal.is("RequestTimeTooSkewed")
        || refusal.is("RequestExpired")
        || message.contains("signature expired")
        || message.contains("signature not yet current")
}

fn is_stranger(refusal: &Refusal) -> bool {
    [
        "AuthFailure",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "InvalidAccessKeyId",
        "OptInRequired",
    ]
    .iter()
    .any(|code| refusal.is(code))
}

/// Whether Amazon only asks to slow down: what was asked is right and will be granted later.
pub fn is_throttled(refusal: &Refusal) -> bool {
    ["RequestLimitExceeded", "Throttling", "ThrottlingException", "EC2ThrottledException", "TooManyRequestsException"]
        .iter()
        .any(|code| refusal.is(code))
        || refusal.status.is_some_and(|status| status >= 500) && !is_capacity(refusal)
}

/// Whether Amazon has no machine free.
pub fn is_capacity(refusal: &Refusal) -> bool {
    [
        "InsufficientInstanceCapacity",
        "InsufficientHostCapacity",
        "InsufficientDBInstanceCapacity",
        "InsufficientDBClusterCapacityFault",
    ]
    .iter()
    .any(|code| refusal.is(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(cause: Cause, code: Option<&str>, message: &str) -> Refusal {
        Refusal { cause, code: code.map(str::to_owned), status: None, message: message.into(), region: None }
    }

    #[test]
    fn schedule_case_32_a_wrong_clock_is_named_and_every_trouble_says_what_to_do() {
        let answered = |code, message| refusal(Cause::Answered, Some(code), message);
        for (refusal, reason) in [
            (refusal(Cause::Credentials, None, "no providers in chain"), "credentials"),
            (answered("ExpiredToken", "The security token included in the request is expired"), "expired"),
            (answered("RequestExpired", "Request has expired."), "expired"),
            (answered("SignatureDoesNotMatch", "Signature not yet current: 2026 is still later than 2025"), "clock"),
            (answered("InvalidSignatureException", "Signature expired: 2026 is now earlier than 2027"), "clock"),
            (answered("AuthFailure", "AWS was not able to validate the provided access credentials"), "credentials"),
            (answered("UnauthorizedOperation", "You are not authorized to perform this operation."), "denied"),
            (answered("InsufficientInstanceCapacity", "no capacity"), "capacity"),
            (refusal(Cause::Unsent, None, "dns error"), "unreachable"),
            (refusal(Cause::Silent, None, "operation timed out"), "silent"),
        ] {
            let trouble = Trouble::of(&refusal);
            assert_eq!(trouble.reason, reason, "{refusal:?}");
            assert!(!trouble.fix.is_empty() && !trouble.why.ends_with('.'), "{trouble:?}");
        }
    }
}
