//! `mainstay config check`: what a file that is right by itself still lacks on this machine.

use std::path::Path;

use super::{
    load::Loaded,
    value::{Origin, Tree, Value, bare},
};
use crate::{
    report::Finding,
    system::{Context, secret::Secret},
};

/// Looks for the files and variables that the configuration names; nothing is read, run or written.
///
/// What a job makes or mounts itself (destinations, state, certbot's folder) is left to that job.
pub fn check(loaded: &Loaded, context: &Context) -> Vec<Finding> {
    let subject = loaded.path.display().to_string();
    let model = &loaded.model;
    let sections = [
        ("site", model.sites.len()),
        ("backup", model.backups.len()),
        ("certificate", model.certificates.len()),
        ("schedule", model.schedules.len()),
    ];
    let single =
        [("host", model.host.is_some()), ("domain", model.domain.is_some()), ("database", model.database.is_some())];
    let single = single.iter().filter(|(_, is_there)| *is_there).map(|(name, _)| format!("[{name}]"));
    let counts: Vec<String> = sections
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{count} {name}{}", if *count == 1 { "" } else { "s" }))
        .chain(single)
        .collect();
    let counts = if counts.is_empty() { "no section of a job".to_owned() } else { counts.join(", ") };
    let counts = format!("{counts}; found by {}", loaded.found.words());
    let mut findings = vec![Finding::pass("config.file", &subject, counts)];
    for warning in &loaded.warnings {
        findings.push(Finding::warn("config.secrets", &subject, warning));
    }
    let mut found = Vec::new();
    walk(&loaded.tree, "", context, &mut found);
    findings.extend(found);
    findings
}

fn walk(tree: &Tree, path: &str, context: &Context, findings: &mut Vec<Finding>) {
    for entry in tree.entries.iter().filter(|entry| entry.origin != Origin::Default) {
        let key = if path.is_empty() { bare(&entry.name) } else { format!("{path}.{}", bare(&entry.name)) };
        match &entry.value {
            Value::Table(inner) => walk(inner, &key, context, findings),
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    if let Value::Table(inner) = item {
                        walk(inner, &format!("{key}[{index}]"), context, findings);
                    }
                }
            }
            Value::Path(file) if INPUTS.contains(&entry.name.as_str()) => {
                findings.extend(absent("config.paths", &key, file));
            }
            Value::Secret(Secret::File(file)) => findings.extend(absent("config.secrets", &key, file)),
            Value::Secret(Secret::Environment(name)) if context.variable(name).is_none() => {
                let summary = format!("the variable `{name}` is not set here");
                let fix =
                    "set it where the job runs: `Environment=` or `EnvironmentFile=` of the timer's unit, or cron";
                findings.push(Finding::warn("config.secrets", key, summary).fix(fix));
            }
            _ => {}
        }
    }
}

/// A finding when a file that is only read can not be seen.
fn absent(id: &'static str, key: &str, file: &Path) -> Option<Finding> {
    match file.metadata() {
        Ok(_) => None,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Some(Finding::fail(id, key, format!("`{}` does not exist", file.display())).fix("correct the path"))
        }
        Err(error) => Some(Finding::unknown(id, key, format!("could not look at `{}`: {error}", file.display()))),
    }
}

/// Keys whose files and folders must be there before any job runs.
const INPUTS: &[&str] = &["ca_file", "dump", "files", "recipients_file", "root"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{cli::config::load, report::Status};

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test makes the file that is examined")]
    fn what_is_named_and_not_there_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mainstay.toml");
        let text = "state = \"made-by-the-job\"\n\
            [site.a]\nurl = \"https://a.example\"\nca_file = \"absent.pem\"\n\
            [site.b]\nurl = \"https://b.example\"\nca_file = \"mainstay.toml/x.pem\"\n\
            [backup.b]\nroot = \".\"\nto = [\"absent-folder\"]\npassphrase = { env = \"UNSET\" }\n\
            [notify]\nwebhook = { env = \"SET\" }\n[notify.ping]\ncheck = { file = \"absent\" }\n";
        std::fs::write(&path, text).unwrap();
        let variables: BTreeMap<_, _> = [("SET".into(), "x".into())].into();
        let context = Context::real(variables, folder.path().to_path_buf());
        let loaded = load(Some(&path), &context).unwrap().unwrap();
        let found: Vec<_> = check(&loaded, &context).into_iter().map(|f| (f.id, f.subject, f.status)).collect();
        let expected = [
            ("config.file", path.display().to_string(), Status::Pass),
            ("config.paths", "site.a.ca_file".into(), Status::Fail),
            ("config.paths", "site.b.ca_file".into(), Status::Unknown),
            ("config.secrets", "backup.b.passphrase".into(), Status::Warn),
            ("config.secrets", "notify.ping.check".into(), Status::Fail),
        ];
        assert_eq!(found, expected);
    }
}
