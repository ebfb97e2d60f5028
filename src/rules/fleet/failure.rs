//! Why a start or a stop did not come to what was asked, out of Amazon's codes and sentences.

/// What a code means for whoever runs the machines.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// The word that tells failures apart: `capacity`, `kms`, `quota`, `protected`.
    pub reason: &'static str,
    /// What Amazon said, and what it means.
    pub why: String,
    /// What to do.
    pub fix: String,
}

/// Reads an error code of a call, or the code of a `StateReason`, with its sentence.
///
/// Sources: EC2 API Reference, "Error codes"; EC2 User Guide, "Troubleshoot instance launch issues"; RDS API Reference, the
/// errors of `StartDBInstance` and `StopDBInstance`.
pub fn decode(code: &str, message: &str) -> Failure {
    let known = MEANINGS.iter().find(|(codes, ..)| codes.iter().any(|known| is(code, known)));
    let Some((_, reason, meaning, fix)) = known else {
        return Failure {
            reason: "refused",
            why: said(code, message),
            fix: "read what Amazon says, mend it, and run it again".to_owned(),
        };
    };
    let why = if meaning.is_empty() { said(code, message) } else { format!("{meaning} ({})", said(code, message)) };
    Failure { reason, why, fix: (*fix).to_owned() }
}

type Meaning = (&'static [&'static str], &'static str, &'static str, &'static str);

const MEANINGS: &[Meaning] = &[
    (
        &[
            "InsufficientInstanceCapacity",
            "InsufficientHostCapacity",
            "InsufficientDBInstanceCapacity",
            "InsufficientDBClusterCapacityFault",
        ],
        "capacity",
        "Amazon has no machine of this type free in this zone just now",
        "wait for the next run, which tries again; a capacity reservation or another type helps for good",
    ),
    (
        &[
            "InstanceLimitExceeded",
            "VcpuLimitExceeded",
            "InstanceQuotaExceeded",
            "MaxSpotInstanceCountExceeded",
            "VolumeLimitExceeded",
        ],
        "quota",
        "the account's quota is used up",
        "stop something else, or ask for a higher quota in Service Quotas",
    ),
    (
        &["InternalError", "InvalidKMSKey.InvalidState", "KMSKeyNotAccessibleFault", "KMSKeyNotAccessible", "KMSGrant"],
        "kms",
        "it fell back to stopped: nearly always the KMS key of an encrypted volume cannot be used",
        "allow `kms:CreateGrant` on the key for whoever starts it (see `mainstay schedule policy`), and see that the key is enabled",
    ),
    (
        &["OperationNotPermitted"],
        "protected",
        "it is protected from being stopped",
        "switch off stop protection (`DisableApiStop`) if it is to follow a schedule",
    ),
    (
        &[
            "InvalidInstanceID.NotFound",
            "InvalidInstanceID.Malformed",
            "DBInstanceNotFound",
            "DBClusterNotFoundFault",
            "DBInstanceNotFoundFault",
        ],
        "gone",
        "",
        "take it out of the configuration if it is gone for good",
    ),
    (
        &[
            "IncorrectInstanceState",
            "InvalidDBInstanceState",
            "InvalidDBInstanceStateFault",
            "InvalidDBClusterStateFault",
            "IncorrectSpotRequestState",
            "IncorrectState",
        ],
        "state",
        "something else is being done to it",
        "wait for the next run, which looks again",
    ),
    (
        &["UnsupportedHibernationConfiguration"],
        "hibernate",
        "it cannot hibernate just now",
        "set `hibernate = \"prefer\"` to stop it all the same",
    ),
    (
        &["UnsupportedOperation", "InvalidParameterValue", "InvalidParameterCombination"],
        "unsupported",
        "Amazon does not do this with it",
        "take it out of the schedule",
    ),
    (
        &[
            "DBSnapshotAlreadyExists",
            "SnapshotQuotaExceeded",
            "SnapshotQuotaExceededFault",
            "DBSnapshotAlreadyExistsFault",
        ],
        "snapshot",
        "the snapshot before the stop could not be made",
        "remove old snapshots, or set `snapshot = \"best-effort\"` to stop all the same",
    ),
    (
        &["UnauthorizedOperation", "AccessDenied", "AccessDeniedException"],
        "denied",
        "the credentials do not allow it",
        "`mainstay schedule policy` prints what they need",
    ),
    (
        &["RequestLimitExceeded", "Throttling", "ThrottlingException", "EC2ThrottledException"],
        "throttled",
        "Amazon asks to slow down",
        "wait for the next run; other programs may be calling the same account",
    ),
    (
        &["LicenseConfigurationNotFound", "LicenseLimitExceeded", "InvalidLicenseConfiguration"],
        "licence",
        "its licence configuration does not allow it",
        "look at AWS License Manager",
    ),
];

/// Whether a code is this one: a `StateReason` has `Client.` or `Server.` before it.
fn is(code: &str, known: &str) -> bool {
    let bare = code.strip_prefix("Client.").or_else(|| code.strip_prefix("Server."));
    match bare {
        // Of the two internal errors only the client's is about what belongs to the caller.
        Some("InternalError") => known == "InternalError" && code.starts_with("Client."),
        Some(bare) => bare == known,
        None => code == known && known != "InternalError",
    }
}

fn said(code: &str, message: &str) -> String {
    match message.trim().trim_end_matches('.') {
        "" => code.to_owned(),
        // A StateReason begins with its code already.
        message if message.starts_with(code) || code.is_empty() => message.to_owned(),
        message => format!("{code}: {message}"),
    }
}

/// The ids of instances in a sentence, each once. An error of a batch names which of it are wrong.
pub fn ids_in(message: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for word in message.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')) {
        let digits = word.strip_prefix("i-").unwrap_or_default();
        let right = (8..=17).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if right && !found.iter().any(|other| other == word) {
            found.push(word.to_owned());
        }
    }
    found
}
