//! `backup.repository`: what git keeps of the application is kept elsewhere too.

use std::{collections::BTreeSet, ffi::OsStr, os::unix::ffi::OsStrExt, path::PathBuf};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::task;

use super::{Backup, BackupScope, Check};
use crate::{
    report::Finding,
    rules::backup_repository::{ID, Observation, judge},
    system::{
        archive,
        git::{Change, Repository, Trouble},
    },
};

/// `backup.repository`.
pub struct BackupRepository;

impl Check<Backup> for BackupRepository {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "the git repository has a remote, and nothing waits to be committed or pushed"
    }

    fn needs(&self) -> &'static str {
        "a `[backup.NAME]` section whose `root` is in a git work tree; `git`"
    }

    fn applies(&self, _backup: &Backup) -> Result<(), String> {
        Ok(())
    }

    fn run<'a>(&'a self, scope: &'a BackupScope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        async move { vec![look(scope).await] }.boxed()
    }

    fn by_hand(&self, backup: &Backup) -> String {
        let root = shell_words::quote(&backup.set.root.to_string_lossy()).into_owned();
        format!(
            "cd {root} && git remote -v && git log --exclude=refs/stash --all --not --remotes --oneline && git status --short"
        )
    }
}

async fn look(scope: &BackupScope<'_>) -> Finding {
    let (name, root) = (&scope.set().name, &scope.set().root);
    let Some(repository) = Repository::find(root, scope.context) else {
        return Finding::skip(ID, name, format!("`{}` is in no git work tree", root.display()));
    };
    let top = repository.top().display().to_string();
    match observe(&repository, scope).await {
        Ok(seen) => judge(name, &seen, scope.set().max_age, scope.context.clock.now()),
        Err(trouble) => Finding::unknown(ID, name, format!("git could not be asked about `{top}`"))
            .cause(trouble.to_string())
            .fix(match &trouble {
                Trouble::Missing => "install git".to_owned(),
                Trouble::Owner => {
                    format!("look as its owner, or trust it: git config --global --add safe.directory {top}")
                }
                Trouble::Failed(_) | Trouble::TimedOut => format!("see what git says: git -C {top} status"),
            })
            .data("reason", trouble.word()),
    }
}

async fn observe(repository: &Repository, scope: &BackupScope<'_>) -> Result<Observation, Trouble> {
    let remotes = repository.remotes().await?;
    let unpushed = repository.unpushed().await?;
    let changes = repository.changes().await?;
    let changed = not_kept(changes, repository, scope).await;
    let changed = changed.into_iter().map(|change| (change.path, change.since)).collect();
    Ok(Observation { top: repository.top().to_owned(), remotes, unpushed, changed })
}

/// The changes that the backup does not keep: a new `.env` belongs into it, and not into git.
async fn not_kept(changes: Vec<Change>, repository: &Repository, scope: &BackupScope<'_>) -> Vec<Change> {
    let (new, known): (Vec<Change>, Vec<Change>) = changes.into_iter().partition(|change| change.untracked);
    if new.is_empty() {
        return known;
    }
    let (backup, cancel) = (scope.backup.clone(), scope.context.cancel.clone());
    let Some(below) = repository.place(&backup.set.root) else { return known };
    let mut left: BTreeSet<PathBuf> = new.iter().map(|change| change.path.clone()).collect();
    let walk = task::spawn_blocking(move || {
        let kept = |path: &[u8]| {
            left.remove(&below.join(OsStr::from_bytes(path)));
        };
        // Of sources that cannot be walked nothing more is known to be kept.
        let _ = backup.recipe().and_then(|recipe| archive::survey(&recipe, &cancel, kept));
        left
    });
    let Ok(left) = walk.await else { return known };
    known.into_iter().chain(new.into_iter().filter(|change| left.contains(&change.path))).collect()
}
