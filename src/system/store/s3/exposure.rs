//! Whether everybody could read a bucket: what the answers to four questions mean together.
//!
//! Amazon blocks public policies and lists of grants by one setting, and says of a policy whether it is public. Other stores
//! know some of these calls or none; there a stranger's own try is all there is, and one that fails proves nothing.

/// What was found out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Known<T> {
    /// The answer.
    Is(T),
    /// The credentials may not ask.
    Forbidden,
    /// The store does not know the question, or gave no usable answer.
    Unasked,
}

/// Of the setting "Block Public Access" of the bucket. The account may have one as well, which only adds to it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Block {
    /// All four of it are on.
    pub(super) whole: bool,
    /// Grants to everybody have no effect.
    pub(super) ignores_grants: bool,
    /// A public policy has no effect for strangers.
    pub(super) restricts_policy: bool,
}

/// The answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Answers {
    pub(super) block: Known<Block>,
    /// Whether the bucket's policy is public.
    pub(super) policy: Known<bool>,
    /// Whether everybody, or everybody with an account, has a grant on the bucket.
    pub(super) grants: Known<bool>,
    /// Whether a stranger could list the bucket or read an object of ours.
    pub(super) stranger: Known<bool>,
}

/// What they come to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Exposure {
    /// Nobody without credentials, with a thing that would be better.
    Private(Option<String>),
    /// Everybody, for this reason.
    Public(&'static str),
    /// It cannot be said, and why.
    Unknown(String),
}

/// Judges the answers.
pub(super) fn judge(answers: &Answers) -> Exposure {
    let block = match answers.block {
        Known::Is(block) => block,
        _ => Block::default(),
    };
    if answers.stranger == Known::Is(true) {
        return Exposure::Public("a stranger without credentials can read it");
    }
    if answers.policy == Known::Is(true) && !block.restricts_policy {
        return Exposure::Public("its policy lets everybody in");
    }
    if answers.grants == Known::Is(true) && !block.ignores_grants {
        return Exposure::Public("its list of grants (ACL) lets everybody in");
    }
    let by_policy = block.restricts_policy || answers.policy == Known::Is(false);
    let by_grants = block.ignores_grants || answers.grants == Known::Is(false);
    if by_policy && by_grants {
        let better = (!block.whole).then(|| {
            "not public, but Block Public Access of the bucket is not wholly on: one wrong policy would open it"
                .to_owned()
        });
        return Exposure::Private(better);
    }
    let forbidden: Vec<&str> = [
        (answers.block == Known::Forbidden, "s3:GetBucketPublicAccessBlock"),
        (!by_policy && answers.policy == Known::Forbidden, "s3:GetBucketPolicyStatus"),
        (!by_grants && answers.grants == Known::Forbidden, "s3:GetBucketAcl"),
    ]
    .into_iter()
    .filter_map(|(missing, permission)| missing.then_some(permission))
    .collect();
    Exposure::Unknown(if forbidden.is_empty() {
        "unknown whether the bucket is public: the store does not say; look at its console".to_owned()
    } else {
        format!("unknown whether the bucket is public: the credentials lack {}", forbidden.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::{Known::*, *};

    const ON: Block = Block { whole: true, ignores_grants: true, restricts_policy: true };
    const HALF: Block = Block { whole: false, ignores_grants: true, restricts_policy: false };
    const OFF: Block = Block { whole: false, ignores_grants: false, restricts_policy: false };

    #[test]
    fn the_answers_mean_together_what_the_store_would_do() {
        // Block, policy, grants, stranger, and the first words of what they come to.
        let cases = [
            (Is(ON), Unasked, Unasked, Is(false), "private"),
            (Is(ON), Is(true), Is(true), Is(false), "private"),
            (Is(OFF), Is(false), Is(false), Is(false), "not wholly on"),
            (Is(OFF), Is(true), Is(false), Is(false), "public: its policy"),
            (Is(OFF), Is(false), Is(true), Is(false), "public: its list"),
            (Is(HALF), Is(false), Is(true), Is(false), "not wholly on"),
            (Is(HALF), Is(true), Is(false), Is(false), "public: its policy"),
            (Is(HALF), Forbidden, Unasked, Is(false), "lack s3:GetBucketPolicyStatus"),
            // What may not be asked is unknown, whatever a stranger did not reach.
            (
                Forbidden,
                Forbidden,
                Forbidden,
                Is(false),
                "lack s3:GetBucketPublicAccessBlock, s3:GetBucketPolicyStatus, s3:Ge",
            ),
            (Forbidden, Is(true), Forbidden, Is(false), "public: its policy"),
            (Forbidden, Is(false), Is(false), Unasked, "not wholly on"),
            // A store that knows none of the calls.
            (Unasked, Unasked, Unasked, Is(false), "the store does not say"),
            (Unasked, Unasked, Unasked, Is(true), "public: a stranger"),
            (Unasked, Unasked, Is(false), Unasked, "the store does not say"),
            // What a stranger can do is so, whatever the settings say.
            (Is(ON), Is(false), Is(false), Is(true), "public: a stranger"),
        ];
        for (block, policy, grants, stranger, expected) in cases {
            let said = match judge(&Answers { block, policy, grants, stranger }) {
                Exposure::Private(None) => "private".to_owned(),
                Exposure::Private(Some(better)) => better,
                Exposure::Public(why) => format!("public: {why}"),
                Exposure::Unknown(why) => why,
            };
            assert!(said.contains(expected), "{block:?} {policy:?} {grants:?} {stranger:?}: {said} is not {expected}");
        }
    }
}
