//! What opens archives: the files of `--identity`, the configured passphrase, or what somebody types.

use std::{path::PathBuf, sync::Arc};

use super::Job;
use crate::{
    backup::{Holding, Padlock},
    cli::confirm::Terminal,
    error::{Error, Kind, Result},
    system::archive::Keys,
};

/// The keys that were given; `None` where there are none, and nobody is asked.
pub(super) async fn given(identities: &[PathBuf], holdings: &[Holding], job: Job<'_>) -> Result<Option<Arc<Keys>>> {
    if !identities.is_empty() {
        let paths: Vec<PathBuf> = identities.iter().map(|path| job.context.folder.join(path)).collect();
        return Keys::read(&paths, &Terminal::of(job.console)).map(Arc::new).map(Some);
    }
    let secret = holdings.iter().find_map(|holding| match &holding.set.lock {
        Padlock::Passphrase(secret) => Some(secret),
        Padlock::Recipients { .. } => None,
    });
    match secret {
        Some(secret) => Ok(Some(Arc::new(Keys::passphrase(secret.resolve(job.context).await?)))),
        None => Ok(None),
    }
}

/// The keys that were given, or the passphrase that somebody types.
///
/// # Errors
///
/// There is nothing to open an archive with.
pub(super) async fn needed(identities: &[PathBuf], holdings: &[Holding], job: Job<'_>) -> Result<Arc<Keys>> {
    if let Some(keys) = given(identities, holdings, job).await? {
        return Ok(keys);
    }
    let typed = Terminal::of(job.console).passphrase("passphrase of the archive (none: name a key with --identity)");
    typed.map(|passphrase| Arc::new(Keys::passphrase(passphrase))).ok_or_else(|| {
        Error::new(Kind::Usage, "open the archive")
            .because("no key was given")
            .hint("name the file with the private key: --identity key.txt")
    })
}
