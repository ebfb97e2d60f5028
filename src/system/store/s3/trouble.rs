//! What a store's answer means for the operator, and what to do about it.

use super::{S3, client::Problem};
use crate::system::{
    aws::{Cause, Refusal},
    store::{Reason, Trouble},
};

/// What was being done: it names the permission that is missing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Doing {
    Abort,
    List,
    ListUploads,
    Look,
    Put,
    Read,
    Remove,
}

impl Doing {
    /// The IAM action that the call needs (Service Authorization Reference, "Actions defined by Amazon S3").
    pub(super) fn permission(self) -> &'static str {
        match self {
            Self::Abort => "s3:AbortMultipartUpload",
            Self::List => "s3:ListBucket",
            Self::ListUploads => "s3:ListBucketMultipartUploads",
            Self::Look | Self::Read => "s3:GetObject",
            Self::Put => "s3:PutObject",
            Self::Remove => "s3:DeleteObject",
        }
    }
}

/// Codes of credentials that the store does not take, with what they mean and what to do.
const CREDENTIALS: &[(&str, &str, &str)] = &[
    (
        "InvalidAccessKeyId",
        "the store does not know the access key",
        "check the access key, and that it belongs to this store and not to another one",
    ),
    ("SignatureDoesNotMatch", "the secret key does not belong to the access key", "set the secret key anew"),
    ("InvalidToken", "the session token is not one of the store's", "fetch new temporary credentials"),
    ("ExpiredToken", "the credentials have expired", "fetch new temporary credentials"),
    ("ExpiredTokenException", "the credentials have expired", "fetch new temporary credentials"),
    ("TokenRefreshRequired", "the credentials have expired", "fetch new temporary credentials"),
    ("AccountProblem", "the account has a problem", "look at the account's page"),
    ("NotSignedUp", "the account is not signed up for S3", "sign the account up for S3"),
    ("UnauthorizedAccess", "the account is not signed up for this region", "use an account of this region"),
];

/// Codes of a store that is there and cannot now.
const BUSY: &[&str] = &[
    "InternalError",
    "OperationAborted",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "ThrottlingException",
    "TooManyRequests",
];

/// Codes of no room.
const FULL: &[&str] = &["EntityTooLarge", "InsufficientStorage", "QuotaExceeded", "XMinioStorageFull"];

/// Codes of bytes that did not arrive as they were sent.
const DAMAGED: &[&str] =
    &["BadDigest", "IncompleteBody", "InvalidDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"];

impl S3 {
    /// What a call that did not succeed means.
    pub(super) fn trouble(&self, problem: Problem, doing: Doing) -> Trouble {
        match problem {
            Problem::Refused(refusal) => self.explain(&refusal, doing),
            Problem::Trouble(trouble) => trouble,
        }
    }

    fn explain(&self, refusal: &Refusal, doing: Doing) -> Trouble {
        let said = said(refusal);
        let code = refusal.code.as_deref().unwrap_or_default();
        match refusal.cause {
            Cause::Credentials => return no_credentials(refusal),
            Cause::Silent | Cause::Unsent => {
                return Trouble::new(
                    Reason::Unreachable,
                    format!("the store of `{}` does not answer: {said}", self.bucket),
                    "check the network, `endpoint` and `region`, and run it again",
                );
            }
            Cause::Answered => {}
        }
        if let Some((_, why, fix)) = CREDENTIALS.iter().find(|(known, ..)| *known == code) {
            return Trouble::new(Reason::Credentials, format!("{why} ({code})"), *fix);
        }
        if code == "RequestTimeTooSkewed" {
            return Trouble::new(
                Reason::Clock,
                "the clock of this machine differs from the store's by more than 15 minutes (RequestTimeTooSkewed)",
                "set the clock, for example with `timedatectl set-ntp true`",
            );
        }
        if let Some(region) = self.other_region(refusal) {
            return region;
        }
        if code == "NoSuchBucket" {
            return Trouble::new(
                Reason::Configuration,
                format!("there is no bucket `{}` (NoSuchBucket)", self.bucket),
                "make the bucket (`mainstay backup init --print-policy` prints how it should be), or correct `to`",
            );
        }
        if code.starts_with("KMS.") {
            return Trouble::new(
                Reason::Configuration,
                format!("the KMS key cannot be used: {said}"),
                "check that `kms_key` exists in this region and is enabled",
            );
        }
        if refusal.is_forbidden() {
            return self.forbidden(refusal, doing);
        }
        if refusal.status == Some(412) || code == "PreconditionFailed" {
            return collision("another object has this name");
        }
        if FULL.contains(&code) || refusal.status == Some(507) {
            return Trouble::new(Reason::Full, said, "make room in the store, or raise its quota");
        }
        if DAMAGED.contains(&code) {
            return Trouble::new(
                Reason::Damaged,
                format!("the store got other bytes than were sent: {said}"),
                "run it again",
            );
        }
        if refusal.is_unknown_call() {
            let fix = "use a store that speaks more of S3, or reach this one through rclone";
            return Trouble::new(Reason::Configuration, format!("the store does not know this call: {said}"), fix);
        }
        if BUSY.contains(&code)
            || code == "ConditionalRequestConflict"
            || refusal.status.is_some_and(|status| status >= 500)
        {
            let fix = "run it again later; nothing was left half-done";
            return Trouble::new(
                Reason::Unreachable,
                format!("the store of `{}` cannot now: {said}", self.bucket),
                fix,
            );
        }
        if code == "InvalidObjectState" {
            return Trouble::new(
                Reason::Other,
                format!("it is in cold storage: {said}"),
                "restore it from cold storage first, for example with `aws s3api restore-object`",
            );
        }
        if refusal.is_missing() {
            return Trouble::new(
                Reason::Missing,
                "there is no such object",
                "list what is there with `mainstay backup list`",
            );
        }
        if refusal.status.is_some_and(|status| (400..500).contains(&status)) {
            let fix = "check the table `s3` of the backup and what the store supports";
            return Trouble::new(Reason::Configuration, format!("the store refuses the request: {said}"), fix);
        }
        Trouble::new(Reason::Other, said, "run it again with -vv and look at what the store said")
    }

    /// The bucket is in another region. Amazon's answers say where in a header, or in the sentence.
    fn other_region(&self, refusal: &Refusal) -> Option<Trouble> {
        let code = refusal.code.as_deref().unwrap_or_default();
        let moved = matches!(refusal.status, Some(301 | 307));
        let malformed = ["AuthorizationHeaderMalformed", "IllegalLocationConstraintException"].contains(&code);
        if !(moved || malformed || code == "PermanentRedirect") {
            return None;
        }
        let named =
            || refusal.message.split_once("expecting '")?.1.split_once('\'').map(|(region, _)| region.to_owned());
        Some(match refusal.region.clone().or_else(named) {
            Some(region) => Trouble::new(
                Reason::Configuration,
                format!("the bucket `{}` is in the region {region}", self.bucket),
                format!("set `region = \"{region}\"` in the table `s3` of the backup"),
            ),
            None => Trouble::new(
                Reason::Configuration,
                format!("the bucket `{}` is not in this region, or not at this endpoint", self.bucket),
                "set `region` in the table `s3` of the backup, or correct `endpoint`",
            ),
        })
    }

    fn forbidden(&self, refusal: &Refusal, doing: Doing) -> Trouble {
        // Amazon often names the action: "User: arn:… is not authorized to perform: kms:GenerateDataKey on resource: …".
        let named = refusal.message.split_once("perform: ").and_then(|(_, rest)| rest.split([' ', ',']).next());
        let permission = named.filter(|named| named.contains(':')).unwrap_or(doing.permission());
        Trouble::new(
            Reason::Permission,
            format!("the credentials lack {permission} on `{}` ({})", self.address, said(refusal)),
            format!("allow {permission}; `mainstay backup init --print-policy` prints the least policy"),
        )
    }
}

/// No credentials at all, or a profile whose credentials cannot be fetched.
fn no_credentials(refusal: &Refusal) -> Trouble {
    Trouble::new(
        Reason::Credentials,
        format!("no credentials were found: {}", refusal.message),
        "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role",
    )
}

/// No region anywhere.
pub(super) fn no_region() -> Trouble {
    Trouble::new(
        Reason::Configuration,
        "no region is known for the bucket",
        "set `region` in the table `s3` of the backup, or AWS_REGION",
    )
}

/// The operator ended the run.
pub(super) fn interrupted() -> Trouble {
    Trouble::new(Reason::Other, "the run was interrupted", "run it again")
}

/// Another object has the name.
pub(super) fn collision(why: &str) -> Trouble {
    Trouble::new(Reason::Collision, why, "nothing was overwritten; run it again, each run has a name of its own")
}

/// A listing that says it goes on, and not where.
pub(super) fn without_end() -> Trouble {
    Trouble::new(
        Reason::Other,
        "the store broke the listing off: it says that there is more, and not where it goes on",
        "run it again; if it stays, the store does not list as S3 does",
    )
}

/// The store's own words, or its status.
pub(super) fn said(refusal: &Refusal) -> String {
    let code = match (&refusal.code, refusal.status) {
        (Some(code), _) => Some(code.clone()),
        (None, Some(status)) => Some(format!("HTTP status {status}")),
        (None, None) => None,
    };
    // A sentence of the other side, in our line: without its full stop and without control characters.
    let message: String = refusal.message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match (code, message.trim().trim_end_matches('.')) {
        (Some(code), "" | "unhandled error" | "service error") => code,
        (Some(code), message) => format!("{code}: {message}"),
        (None, message) => message.to_owned(),
    }
}
