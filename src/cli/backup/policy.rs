//! `mainstay backup init --print-policy`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    backup::Settings,
    error::{Error, Kind, Result},
    report::Report,
    system::store::Place,
};

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
            let roles = set.vault(bucket, prefix).policies();
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
