//! `backup.secrets`: what is backed up because it is secret is in no commit, and not for everybody to read.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use futures_util::{FutureExt, future::BoxFuture};

use super::{Backup, BackupScope, Check};
use crate::{
    error::Error,
    report::Finding,
    rules::backup_secrets::{Blind, History, ID, InGit, InTree, Observation, Secret, judge},
    system::{
        git::{Repository, Trouble},
        secrets::Found,
    },
};

/// `backup.secrets`.
pub struct BackupSecrets;

impl Check<Backup> for BackupSecrets {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "backed-up secrets are in no commit and not for everybody to read"
    }

    fn needs(&self) -> &'static str {
        "a `[backup.NAME]` section; `git` where the files are in a work tree"
    }

    fn applies(&self, _backup: &Backup) -> Result<(), String> {
        Ok(())
    }

    fn run<'a>(&'a self, scope: &'a BackupScope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        look(scope).boxed()
    }

    fn by_hand(&self, backup: &Backup) -> String {
        let root = shell_words::quote(&backup.set.root.to_string_lossy()).into_owned();
        format!(
            "cd {root}; ls -l .env*; git ls-files -- .env*; git log --all --full-history --oneline -- .env*; git check-ignore -v .env*"
        )
    }
}

async fn look(scope: &BackupScope<'_>) -> Vec<Finding> {
    let (name, root) = (&scope.set().name, scope.set().root.display());
    let mut seen = Observation::default();
    let mut findings = Vec::new();
    match scope.sources().await {
        Ok(sources) => secrets(&sources.secrets, scope, &mut seen).await,
        Err(error) => findings.push(unseen(name, &root.to_string(), error)),
    }
    for folder in scope.folders() {
        destination(folder, scope, &mut seen).await;
    }
    findings.extend(judge(name, &seen));
    // What was not looked at cannot be fine.
    if findings.len() > 1 {
        findings.retain(|finding| !finding.status.is_fine());
    }
    findings
}

/// The files cannot be looked at: what `create` would stumble over, too.
pub(super) fn unseen(name: &str, root: &str, error: &Error) -> Finding {
    let hint = error.hints.first().cloned();
    Finding::unknown(ID, name, format!("the files below `{root}` cannot be looked at"))
        .cause(error.to_string())
        .fix(hint.unwrap_or_else(|| format!("see what a backup would say: mainstay backup create {name} --dry-run")))
        .data("reason", "sources")
}

/// Asks git about the secrets, work tree by work tree.
async fn secrets(found: &[Found], scope: &BackupScope<'_>, seen: &mut Observation) {
    let mut trees: BTreeMap<PathBuf, (Repository, Vec<(Found, PathBuf)>)> = BTreeMap::new();
    for file in found {
        let real = file.path.canonicalize().unwrap_or_else(|_| file.path.clone());
        let repository = real.parent().and_then(|folder| Repository::find(folder, scope.context));
        let place = repository.as_ref().and_then(|repository| repository.place(&real));
        match repository.zip(place) {
            Some((repository, place)) => {
                let top = repository.top().to_owned();
                trees.entry(top).or_insert_with(|| (repository, Vec::new())).1.push((file.clone(), place));
            }
            None => seen.secrets.push(secret(file, None)),
        }
    }
    for (top, (repository, files)) in trees {
        let places: Vec<PathBuf> = files.iter().map(|(_, place)| place.clone()).collect();
        match standing(&repository, &places).await {
            Ok(known) => {
                seen.secrets.extend(files.iter().zip(known).map(|((file, _), git)| secret(file, Some(git))));
            }
            Err(trouble) => {
                seen.secrets.extend(files.iter().map(|(file, _)| secret(file, None)));
                seen.blind.push(blind(top, &trouble));
            }
        }
    }
}

/// What git knows of each of these places: four questions, however many there are.
async fn standing(repository: &Repository, places: &[PathBuf]) -> Result<Vec<InGit>, Trouble> {
    let tracked = repository.tracked(places).await?;
    let loose: Vec<PathBuf> = places.iter().filter(|place| !tracked.contains(*place)).cloned().collect();
    let ignored = repository.ignored(&loose).await?;
    let history = repository.history(&loose).await?;
    let committed: Vec<PathBuf> = history.keys().cloned().collect();
    // A file that git cannot read is judged as changed.
    let today = repository.blobs(&committed).await.unwrap_or_default();
    let today: BTreeMap<&PathBuf, &String> = committed.iter().zip(&today).collect();
    let known = places.iter().map(|place| InGit {
        top: repository.top().to_owned(),
        place: place.clone(),
        tracked: tracked.contains(place),
        ignored: ignored.contains(place),
        history: match history.get(place) {
            None => History::Never,
            Some(blobs) if today.get(place).is_some_and(|blob| blobs.contains(*blob)) => History::AsItIs,
            Some(_) => History::Before,
        },
    });
    Ok(known.collect())
}

/// Looks whether the next commit would take archives along.
async fn destination(folder: &Path, scope: &BackupScope<'_>, seen: &mut Observation) {
    let Some(repository) = Repository::find(folder, scope.context) else { return };
    let Some(place) = repository.place(folder) else { return };
    // A pattern may be meant for the folder or for what is in it: only a file tells.
    let archive = place.join("x-20260101T000000Z-000001.tar.gz.age");
    let asked = async {
        let ignored = !repository.ignored(&[archive]).await?.is_empty();
        let below = if place.as_os_str().is_empty() { PathBuf::from(".") } else { place.clone() };
        let tracked = repository.tracked(&[below]).await?;
        let tracked = tracked.iter().any(|path| path.extension().is_some_and(|end| end == "age"));
        Ok::<_, Trouble>((ignored, tracked))
    };
    let top = repository.top().to_owned();
    match asked.await {
        Ok((ignored, tracked)) => {
            let destination = folder.display().to_string();
            seen.destinations.push(InTree { destination, top, place, ignored, tracked });
        }
        Err(_) if seen.blind.iter().any(|blind| blind.top == top) => {}
        Err(trouble) => seen.blind.push(blind(top, &trouble)),
    }
}

fn secret(file: &Found, git: Option<InGit>) -> Secret {
    Secret { path: file.path.clone(), sign: file.sign, open: file.open, git }
}

fn blind(top: PathBuf, trouble: &Trouble) -> Blind {
    Blind { top, reason: trouble.word(), why: trouble.to_string() }
}
