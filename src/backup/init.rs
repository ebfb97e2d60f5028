//! `mainstay backup init`: this host's signing key, the destinations' markers, and what is still missing.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Padlock, Record, Set, Settings, place::Opened};
use crate::{
    error::Result,
    report::{Finding, Outcome, Report, State},
    system::{
        Context,
        archive::{Keys, Nobody, Person},
        signature::Signer,
    },
};

/// Makes the signing key and prepares every destination of every backup; says what an operator should know.
///
/// # Errors
///
/// The key cannot be made, or a record not be written.
pub async fn init(settings: &Settings, report: &mut Report, context: &Context) -> Result<()> {
    let key = Signer::open(&settings.state)?;
    report.outcomes.push(Outcome {
        action: "sign".into(),
        target: "with this host's key".into(),
        state: State::Done,
        detail: format!("public key {}", key.public()),
        fix: None,
    });
    for set in &settings.sets {
        let Some(_lock) = super::create::lock(settings, set, report, context).await? else { continue };
        let mut record = Record::load(&settings.state, &settings.project, &set.name)?;
        // Whoever says `init` vouches for what is there now: another stick, or one that has lost its marker.
        let mut blank = record.clone();
        blank.destinations.values_mut().for_each(|seen| seen.identity = None);
        for place in &Opened::all(set, settings, &blank, context).await {
            prepare(set, place, &mut record, report).await;
        }
        record.save(&settings.state, &settings.project, &set.name)?;
        report.findings.extend(keys_at_home(set, context));
    }
    Ok(())
}

/// Marks a new destination, and tells what was found there.
async fn prepare(set: &Set, place: &Opened, record: &mut Record, report: &mut Report) {
    let result = match &place.state {
        Ok((destination, condition)) => {
            async {
                destination.prepare().await?;
                Ok((destination.inspect().await?, condition.is_new))
            }
            .await
        }
        Err(trouble) => Err(trouble.clone()),
    };
    match result {
        Ok((condition, was_new)) => {
            let seen = record.at(&place.address);
            seen.identity = condition.identity.or(seen.identity.take());
            let what = if was_new { "is ready, used for the first time" } else { "is ready, as it was" };
            let mut finding = Finding::pass(ID, &set.name, format!("{} {what}", place.address));
            if !condition.notes.is_empty() {
                finding = finding.data("notes", condition.notes);
            }
            report.findings.push(finding.data("destination", place.address.as_str()));
        }
        Err(trouble) => report.findings.push(
            Finding::fail(ID, &set.name, format!("{} cannot be used: {trouble}", place.address))
                .fix(&trouble.fix)
                .data("destination", place.address.as_str())
                .data("reason", trouble.reason.word()),
        ),
    }
}

/// Warns where everybody who can open the archives lives on the machine that is backed up: with it the archives are lost
/// (borgbackup/borg#7959, #4236).
fn keys_at_home(set: &Set, context: &Context) -> Option<Finding> {
    let Padlock::Recipients { keys, file } = &set.lock else { return None };
    let listed = file.as_ref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let wanted: Vec<&str> = keys
        .iter()
        .map(String::as_str)
        .chain(listed.lines())
        .map(str::trim)
        .filter(|key| !key.is_empty() && !key.starts_with('#'))
        .collect();
    let found = identities(&set.root, context);
    let at_home = |key: &&str| found.iter().find(|(known, _)| known == key).map(|(_, path)| path);
    let homes: Vec<&PathBuf> = wanted.iter().filter_map(at_home).collect();
    if wanted.is_empty() || homes.len() < wanted.len() {
        return None;
    }
    let names: Vec<String> = homes.iter().map(|path| format!("`{}`", path.display())).collect();
    Some(
        Finding::warn(
            ID,
            &set.name,
            format!("every key that opens the archives lives on this machine: {}", names.join(", ")),
        )
        .fix("copy the key to a safe place and remove it here, or add a recipient whose key is elsewhere")
        .data("reason", "keys-at-home"),
    )
}

/// The private keys that lie where people keep them, in a folder and in the caller's home: who each is for, and its file.
/// One that is locked by a passphrase does not tell.
pub fn identities(root: &Path, context: &Context) -> Vec<(String, PathBuf)> {
    let person: Arc<dyn Person> = Arc::new(Nobody);
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    for path in likely_identities(root, context) {
        let Ok(keys) = Keys::read(std::slice::from_ref(&path), &person) else { continue };
        found.extend(keys.fingerprints().iter().map(|key| (key.clone(), path.clone())));
    }
    found
}

/// Files that people keep identities in.
fn likely_identities(root: &Path, context: &Context) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = vec![root.to_owned(), context.folder.clone()];
    if let Some(home) = context.variable("HOME").map(PathBuf::from) {
        folders.extend([home.join(".config/age"), home.join(".config/sops/age"), home.join(".ssh"), home]);
    }
    let mut files: Vec<PathBuf> = folders.iter().flat_map(|folder| small_files(folder).unwrap_or_default()).collect();
    files.sort();
    files.dedup();
    files
}

/// The files of a folder that are small enough to be an identity; what cannot be listed has none for us.
fn small_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.metadata()?;
        if found.is_file() && (100..16 << 10).contains(&found.len()) {
            files.push(entry.path());
        }
    }
    Ok(files)
}

/// What the findings of this job are called.
const ID: &str = "backup.init";
