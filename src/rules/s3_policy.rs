//! The least that a bucket's users need, as the JSON that Amazon takes.
//!
//! Three roles, so that no stolen credential can do all: the host writes and cannot delete, a pruner deletes, whoever
//! restores reads. The bucket itself refuses what is not TLS, and what would overwrite: the conditions are those of the
//! Amazon S3 User Guide, "Enforce conditional writes on Amazon S3 buckets".

use serde_json::{Value, json};

use super::arn;

/// What the policies are for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Vault<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// The prefix without slashes at its ends; may be empty.
    pub prefix: &'a str,
    /// The KMS key that encrypts the objects: its ARN, or its id in `region` of any account.
    pub kms_key: Option<&'a str>,
    /// The bucket's region; it tells the partition, and the address of a key that is given by its id.
    pub region: &'a str,
    /// For how many days each archive is locked by its writer, where the configuration asks for that.
    pub locked_days: Option<u64>,
}

impl Vault<'_> {
    /// Every policy with its name and whom it is for.
    pub fn policies(&self) -> [(&'static str, &'static str, Value); 4] {
        [
            ("writer", "for the host that makes backups", self.writer()),
            ("pruner", "for whoever removes old archives", self.pruner()),
            ("restorer", "for whoever restores", self.restorer()),
            ("bucket", "for the bucket itself", self.bucket()),
        ]
    }

    /// The host that makes backups. It can read back what it wrote, which is ciphertext, and see what is there, and can
    /// delete nothing.
    pub fn writer(&self) -> Value {
        let mut statements = vec![
            json!({
                "Sid": "WriteAndReadBack",
                "Effect": "Allow",
                "Action": ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
                "Resource": self.objects(),
            }),
            self.list(),
            json!({
                "Sid": "LookAtTheBucket",
                "Effect": "Allow",
                "Action": [
                    "s3:GetBucketAcl",
                    "s3:GetBucketObjectLockConfiguration",
                    "s3:GetBucketPolicyStatus",
                    "s3:GetBucketPublicAccessBlock",
                    "s3:GetBucketVersioning",
                    "s3:GetLifecycleConfiguration",
                    "s3:ListBucketMultipartUploads",
                ],
                "Resource": self.arn(),
            }),
        ];
        if let Some(days) = self.locked_days {
            // Setting a lock needs leave of its own. It can lengthen locks and not shorten them; how far is limited, because
            // a lock of a hundred years is paid for as long.
            statements.push(json!({
                "Sid": "LockWhatIsWritten",
                "Effect": "Allow",
                "Action": ["s3:GetObjectRetention", "s3:PutObjectRetention"],
                "Resource": self.objects(),
                "Condition": {
                    "NumericLessThanEqualsIfExists": { "s3:object-lock-remaining-retention-days": days + 1 },
                    "StringEqualsIfExists": { "s3:object-lock-mode": "GOVERNANCE" },
                },
            }));
        }
        // An upload in parts is encrypted with a data key that its later parts need in the clear.
        statements.extend(self.key(&["kms:Decrypt", "kms:GenerateDataKey"]));
        policy(statements)
    }

    /// Whoever runs `backup prune`, from another machine than the host's.
    pub fn pruner(&self) -> Value {
        let mut statements = vec![
            json!({
                "Sid": "ReadAndDelete",
                "Effect": "Allow",
                "Action": ["s3:DeleteObject", "s3:GetObject", "s3:GetObjectRetention"],
                "Resource": self.objects(),
            }),
            self.list(),
        ];
        statements.extend(self.key(&["kms:Decrypt"]));
        policy(statements)
    }

    /// Whoever restores: a person, or the host after a disaster.
    pub fn restorer(&self) -> Value {
        let mut statements = vec![
            json!({ "Sid": "Read", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": self.objects() }),
            self.list(),
        ];
        statements.extend(self.key(&["kms:Decrypt"]));
        policy(statements)
    }

    /// The bucket's own policy, for everybody: TLS alone, and nothing is overwritten under the prefix.
    ///
    /// Beginning an upload in parts and sending its parts carry no condition, so these are exempt; its end is not.
    pub fn bucket(&self) -> Value {
        policy(vec![
            json!({
                "Sid": "OnlyOverTls",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [self.arn(), format!("{}/*", self.arn())],
                "Condition": { "Bool": { "aws:SecureTransport": "false" } },
            }),
            json!({
                "Sid": "NothingIsOverwritten",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:PutObject",
                "Resource": self.objects(),
                "Condition": {
                    "Null": { "s3:if-none-match": "true" },
                    "Bool": { "s3:ObjectCreationOperation": "true" },
                },
            }),
        ])
    }

    fn list(&self) -> Value {
        let mut statement = json!({
            "Sid": "SeeWhatIsThere",
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": self.arn(),
        });
        if !self.prefix.is_empty() {
            statement["Condition"] = json!({ "StringLike": { "s3:prefix": [format!("{}/*", self.prefix)] } });
        }
        statement
    }

    fn key(&self, actions: &[&str]) -> Option<Value> {
        let key = self.kms_key?;
        let arn = if key.starts_with("arn:") {
            key.to_owned()
        } else if key.starts_with("alias/") {
            // A policy names keys by their id; an alias is a condition.
            format!("arn:{}:kms:{}:*:key/*", self.partition(), self.region)
        } else {
            format!("arn:{}:kms:{}:*:key/{key}", self.partition(), self.region)
        };
        let mut statement = json!({ "Sid": "UseTheKey", "Effect": "Allow", "Action": actions, "Resource": arn });
        if key.starts_with("alias/") {
            statement["Condition"] = json!({ "ForAnyValue:StringEquals": { "kms:ResourceAliases": key } });
        }
        Some(statement)
    }

    fn arn(&self) -> String {
        format!("arn:{}:s3:::{}", self.partition(), self.bucket)
    }

    fn objects(&self) -> String {
        if self.prefix.is_empty() { format!("{}/*", self.arn()) } else { format!("{}/{}/*", self.arn(), self.prefix) }
    }

    fn partition(&self) -> &'static str {
        arn::partition(self.region)
    }
}

fn policy(statements: Vec<Value>) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Vault<'_> =
        Vault { bucket: "prime-backups", prefix: "app", kms_key: None, region: "us-east-2", locked_days: None };

    #[test]
    fn the_policies_of_a_plain_bucket() {
        insta::assert_json_snapshot!("writer", PLAIN.writer());
        insta::assert_json_snapshot!("pruner", PLAIN.pruner());
        insta::assert_json_snapshot!("restorer", PLAIN.restorer());
        insta::assert_json_snapshot!("bucket", PLAIN.bucket());
    }

    #[test]
    fn the_policy_of_a_writer_with_a_key_and_locks() {
        let vault = Vault { kms_key: Some("1234abcd"), locked_days: Some(30), region: "cn-north-1", ..PLAIN };
        insta::assert_json_snapshot!("writer_with_a_key_and_locks", vault.writer());
    }

    #[test]
    fn a_writer_can_delete_nothing_and_shorten_no_lock() {
        for vault in [PLAIN, Vault { prefix: "", kms_key: Some("alias/backups"), locked_days: Some(9), ..PLAIN }] {
            let text = vault.writer().to_string();
            for forbidden in ["Delete", "Bypass", "PutBucket", "PutLifecycle", "s3:*", "\"*\""] {
                assert!(!text.contains(forbidden), "{forbidden}: {text}");
            }
        }
    }

    #[test]
    fn a_key_is_named_by_its_address_or_found_in_the_region() {
        let resource = |key| {
            let policy = Vault { kms_key: Some(key), ..PLAIN }.restorer();
            policy["Statement"][2].clone()
        };
        assert_eq!(resource("arn:aws:kms:us-east-2:1:key/k")["Resource"], "arn:aws:kms:us-east-2:1:key/k");
        assert_eq!(resource("k")["Resource"], "arn:aws:kms:us-east-2:*:key/k");
        let alias = resource("alias/backups");
        assert_eq!(alias["Resource"], "arn:aws:kms:us-east-2:*:key/*");
        assert_eq!(alias["Condition"]["ForAnyValue:StringEquals"]["kms:ResourceAliases"], "alias/backups");
    }

    #[test]
    fn a_bucket_without_a_prefix_is_meant_whole() {
        let whole = Vault { prefix: "", ..PLAIN };
        assert_eq!(whole.restorer()["Statement"][0]["Resource"], "arn:aws:s3:::prime-backups/*");
        assert_eq!(whole.restorer()["Statement"][1].get("Condition"), None);
    }
}
