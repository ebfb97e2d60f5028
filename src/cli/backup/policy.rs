//! `mainstay backup init --print-policy`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    backup::Settings,
    error::{Error, Kind, Result},
    report::Report,
    rules::s3_policy::Vault,
    system::store::Place,
};

/// A bucket without a region of its own is in this one (Amazon S3, GetBucketLocation).
const HOME: &str = "us-east-1";

/// Adds the policies of every bucket to the report.
///
/// # Errors
///
/// No backup goes to a bucket.
pub(super) fn print(settings: &Settings, report: &mut Report) -> Result<()> {
    let (mut text, mut result) = (String::new(), Vec::new());
    for set in &settings.sets {
        for place in &set.to {
            let Place::S3 { bucket, prefix } = place else { continue };
            let vault = Vault {
                bucket,
                prefix,
                kms_key: set.s3.kms_key.as_deref(),
                region: set.s3.region.as_deref().unwrap_or(HOME),
                locked_days: set.s3.object_lock.map(|lock| lock.as_secs().div_ceil(86_400)),
            };
            let roles = [
                ("writer", "for the host that makes backups", vault.writer()),
                ("pruner", "for whoever removes old archives", vault.pruner()),
                ("restorer", "for whoever restores", vault.restorer()),
                ("bucket", "for the bucket itself", vault.bucket()),
            ];
            for (role, what, policy) in &roles {
                let pretty = serde_json::to_string_pretty(policy).expect("plain data always serialises");
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{place}: {role}, {what}\n{pretty}\n");
            }
            let policies: serde_json::Map<String, Value> =
                roles.into_iter().map(|(role, _, policy)| (role.to_owned(), policy)).collect();
            result.push(json!({ "destination": place.to_string(), "policies": policies }));
        }
    }
    if result.is_empty() {
        return Err(Error::new(Kind::Config, "print a policy")
            .because("no backup goes to an `s3://` destination")
            .hint("add one to `to`, for example \"s3://prime-backups/app\""));
    }
    report.text = Some(text.trim_end().to_owned());
    report.result = Some(json!({ "policies": result }));
    Ok(())
}
