//! A backup as something to check: its sources, seen once for all of its checks.

use std::{sync::Arc, time::Duration};

use tokio::{sync::OnceCell, task};

use super::Subject;
use crate::{
    backup::{self, Record, Set},
    error::{Error, Kind, Result},
    system::{
        Context,
        archive::{self, Recipe},
        secrets::{Found, Search},
        signature::PublicKey,
        store::Place,
    },
};

/// One configured backup.
#[derive(Clone, Debug)]
pub struct Backup {
    /// What is backed up and where to.
    pub set: Set,
    /// What it shares with the other backups of the configuration.
    pub settings: Arc<backup::Settings>,
}

/// One backup in one run.
pub struct BackupScope<'a> {
    /// What is expected.
    pub backup: &'a Backup,
    /// The world.
    pub context: &'a Context,
    sources: OnceCell<Result<Sources>>,
    content: OnceCell<Result<String>>,
}

/// The files of a backup, as they are now.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The digest of what the file system says of them, as [`backup::Last::metadata`] has it.
    pub metadata: String,
    /// The length of all files together.
    pub bytes: u64,
    /// Those that hold a secret.
    pub secrets: Vec<Found>,
}

/// What this host knows of a backup without looking at a destination.
#[derive(Debug)]
pub struct Memory {
    /// Of earlier runs.
    pub record: Record,
    /// Whose archives are accepted: this host's key and `signers`.
    pub accepted: Vec<PublicKey>,
}

/// A destination far away and a tree of a million files take their time.
const TIMEOUT: Duration = Duration::from_secs(120);

impl Backup {
    /// The backups of these settings.
    pub fn all(settings: backup::Settings) -> Vec<Self> {
        let settings = Arc::new(settings);
        let sets = settings.sets.iter().cloned();
        sets.map(|set| Self { set, settings: Arc::clone(&settings) }).collect()
    }

    /// What would go into its next archive.
    ///
    /// # Errors
    ///
    /// The configuration file cannot be read.
    pub fn recipe(&self) -> Result<Recipe> {
        backup::recipe(&self.settings, &self.set)
    }
}

impl Subject for Backup {
    type Scope<'a> = BackupScope<'a>;

    fn name(&self) -> &str {
        &self.set.name
    }

    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    fn scope<'a>(&'a self, context: &'a Context) -> BackupScope<'a> {
        BackupScope { backup: self, context, sources: OnceCell::new(), content: OnceCell::new() }
    }
}

impl BackupScope<'_> {
    /// The backup itself.
    pub fn set(&self) -> &Set {
        &self.backup.set
    }

    /// What this host remembers of the backup, and whose archives it accepts.
    ///
    /// # Errors
    ///
    /// There is something to read, and it cannot be read.
    pub fn memory(&self) -> Result<Memory> {
        let settings = &self.backup.settings;
        let record = Record::load(&settings.state, &settings.project, &self.set().name)?;
        let accepted = settings.accepted(self.set())?;
        Ok(Memory { record, accepted })
    }

    /// One look at the files of the backup.
    pub async fn sources(&self) -> &Result<Sources> {
        self.sources
            .get_or_init(|| async {
                let (backup, cancel) = (self.backup.clone(), self.context.cancel.clone());
                // A walk blocks, and others are being looked at on this thread.
                let walk = task::spawn_blocking(move || {
                    let mut search = Search::below(&backup.set.root);
                    let survey = archive::survey(&backup.recipe()?, &cancel, |path| search.look(path))?;
                    Ok(Sources { metadata: hex(&survey.metadata), bytes: survey.bytes, secrets: search.finish() })
                });
                walk.await.unwrap_or_else(|error| Err(Error::new(Kind::Failed, "look at the files").because(error)))
            })
            .await
    }

    /// The digest of what is in the files, as [`backup::Last::content`] has it. Reads all of them.
    pub async fn content(&self) -> &Result<String> {
        self.content
            .get_or_init(|| async {
                let (backup, cancel) = (self.backup.clone(), self.context.cancel.clone());
                let read = task::spawn_blocking(move || archive::content(&backup.recipe()?, &cancel));
                let read =
                    read.await.unwrap_or_else(|error| Err(Error::new(Kind::Failed, "read the files").because(error)));
                read.map(|digest| hex(&digest))
            })
            .await
    }

    /// The destinations that are folders of this machine.
    pub fn folders(&self) -> impl Iterator<Item = &std::path::Path> {
        self.set().to.iter().filter_map(|place| match place {
            Place::Folder(path) => Some(path.as_path()),
            Place::Rclone(_) | Place::S3 { .. } => None,
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
