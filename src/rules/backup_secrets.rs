//! Whether the secrets that are backed up are secrets still: not in git, not for everybody on the machine to read.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    report::{Finding, Status},
    rules::secret::Sign,
};

/// The id of the check.
pub const ID: &str = "backup.secrets";

/// A file of the backup that holds a secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Secret {
    /// Its absolute path.
    pub path: PathBuf,
    /// Why it is taken for one.
    pub sign: Sign,
    /// Its permission bits, where everybody on the machine can read it: no folder above it is closed to them.
    pub open: Option<u32>,
    /// What git knows of it; `None` outside of every work tree, or where git gave no answer.
    pub git: Option<InGit>,
}

/// What git knows of a secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InGit {
    /// The top of the work tree.
    pub top: PathBuf,
    /// Where the file is below it.
    pub place: PathBuf,
    /// Whether git tracks it.
    pub tracked: bool,
    /// Whether git ignores it.
    pub ignored: bool,
    /// Whether it was ever committed.
    pub history: History,
}

/// Whether a file was ever committed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum History {
    /// Never, as far as this clone tells.
    Never,
    /// With other content.
    Before,
    /// With the content that it has now.
    AsItIs,
}

/// A destination that is a folder in a work tree.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InTree {
    /// As the configuration has it.
    pub destination: String,
    /// The top of the work tree.
    pub top: PathBuf,
    /// Where it is below.
    pub place: PathBuf,
    /// Whether git ignores what is stored there.
    pub ignored: bool,
    /// Whether git tracks something in it.
    pub tracked: bool,
}

/// A work tree that git gave no answer about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Blind {
    /// The top of the work tree.
    pub top: PathBuf,
    /// The word of `data.reason`.
    pub reason: &'static str,
    /// What git said, as a fragment after "git could not be asked: ".
    pub why: String,
}

/// Everything that was seen of one backup.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Observation {
    /// Its secrets.
    pub secrets: Vec<Secret>,
    /// Its destinations in work trees.
    pub destinations: Vec<InTree>,
    /// Where git could not be asked.
    pub blind: Vec<Blind>,
}

/// So many names are told to a person; programs get all of them.
const NAMED: usize = 3;

/// Judges `backup.secrets`: a finding for each sort of trouble in each work tree, or one that all is well.
pub fn judge(subject: &str, seen: &Observation) -> Vec<Finding> {
    let mut findings: Vec<Finding> = seen.destinations.iter().filter_map(|place| stored(subject, place)).collect();
    let mut trees: BTreeMap<&PathBuf, Vec<(&Secret, &InGit)>> = BTreeMap::new();
    for secret in &seen.secrets {
        if let Some(git) = &secret.git {
            trees.entry(&git.top).or_default().push((secret, git));
        }
    }
    for (top, secrets) in &trees {
        findings.extend(SORTS.iter().filter_map(|sort| sort.judge(subject, top, secrets)));
    }
    findings.extend(readable(subject, &seen.secrets));
    for Blind { top, reason, why } in &seen.blind {
        let top = shell(top);
        findings.push(
            Finding::unknown(ID, subject, format!("git could not be asked about the secrets in `{top}`"))
                .cause(why.clone())
                .fix(match *reason {
                    "git-missing" => "install git".to_owned(),
                    "git-owner" => format!(
                        "look as the owner of {top}, or trust it: git config --global --add safe.directory {top}"
                    ),
                    _ => format!("see what git says: git -C {top} status"),
                })
                .data("reason", *reason),
        );
    }
    if findings.is_empty() {
        findings.push(fine(subject, seen));
    }
    findings
}

/// A sort of trouble with secrets in a work tree.
struct Sort {
    reason: &'static str,
    has: fn(&InGit) -> bool,
    /// A credential may be a harmless one.
    certain: Status,
    uncertain: Status,
    /// Fits after the names of the files.
    says: &'static str,
    expected: &'static str,
    /// Of the top and the places, both as a shell takes them.
    fix: fn(&str, &[String]) -> String,
}

/// The worst first; a file that is tracked is not also told to be in the history.
const SORTS: &[Sort] = &[
    Sort {
        reason: "tracked",
        has: |git| git.tracked,
        certain: Status::Fail,
        uncertain: Status::Warn,
        says: "in git",
        expected: "secrets are in no commit",
        fix: |top, places| {
            format!(
                "run `git -C {top} rm --cached -- {}`, add {} to {top}/.gitignore, commit, and replace the secrets: every clone has them",
                places.join(" "),
                lines(places)
            )
        },
    },
    Sort {
        reason: "in-history",
        has: |git| !git.tracked && git.history == History::AsItIs,
        certain: Status::Fail,
        uncertain: Status::Warn,
        says: "in the history of git with today's content",
        expected: "what was ever committed is replaced",
        fix: |top, places| {
            format!(
                "replace the secrets: every clone has them (`git -C {top} log --all --full-history -- {}`)",
                places.join(" ")
            )
        },
    },
    Sort {
        reason: "was-in-history",
        has: |git| !git.tracked && git.history == History::Before,
        certain: Status::Warn,
        uncertain: Status::Warn,
        says: "in the history of git with other content",
        expected: "what was ever committed is replaced",
        fix: |top, places| {
            format!(
                "make sure that none of the old values is in use (`git -C {top} log --all --full-history -p -- {}`), then take the file out of the history with git filter-repo",
                places.join(" ")
            )
        },
    },
    Sort {
        reason: "not-ignored",
        has: |git| !git.tracked && !git.ignored,
        certain: Status::Warn,
        uncertain: Status::Warn,
        says: "not ignored by git: one `git add .` commits it",
        expected: "git ignores secrets",
        fix: |top, places| format!("add {} to {top}/.gitignore", lines(places)),
    },
];

impl Sort {
    fn judge(&self, subject: &str, top: &Path, secrets: &[(&Secret, &InGit)]) -> Option<Finding> {
        let found: Vec<_> = secrets.iter().filter(|(_, git)| (self.has)(git)).collect();
        let certain = found.iter().any(|(secret, _)| secret.sign != Sign::Credential);
        let status = if certain { self.certain } else { self.uncertain };
        let files: Vec<&PathBuf> = found.iter().map(|(secret, _)| &secret.path).collect();
        let places: Vec<String> = found.iter().map(|(_, git)| shell(&git.place)).collect();
        let is = if found.len() == 1 { "is" } else { "are" };
        let summary = format!("{} {is} {}", said(subject_names(&places)?), self.says);
        let finding = Finding::new(ID, subject, status, summary)
            .expected(self.expected)
            .fix((self.fix)(&shell(top), &places))
            .data("reason", self.reason)
            .data("files", shown(&files));
        Some(if certain { finding } else { finding.cause("something in it is written as a password or a token is") })
    }
}

/// Everybody on the machine can read it.
fn readable(subject: &str, secrets: &[Secret]) -> Option<Finding> {
    let open: Vec<(&PathBuf, u32)> = secrets.iter().filter_map(|secret| Some((&secret.path, secret.open?))).collect();
    let places: Vec<String> = open.iter().map(|(path, _)| shell(path)).collect();
    let modes: Vec<String> = open.iter().map(|(_, mode)| format!("{mode:04o}")).take(NAMED).collect();
    let files: Vec<&PathBuf> = open.iter().map(|(path, _)| *path).collect();
    let names = said(subject_names(&places)?);
    Some(
        Finding::warn(ID, subject, format!("everybody on this machine can read {names}"))
            .expected("only the application's user and group can read secrets")
            .observed(format!("mode {}", modes.join(", ")))
            .fix(format!(
                "run `chmod o-rwx {}`; the application's user must own the file or be in its group",
                places.join(" ")
            ))
            .data("reason", "world-readable")
            .data("files", shown(&files)),
    )
}

/// Archives that the next commit takes along.
fn stored(subject: &str, seen: &InTree) -> Option<Finding> {
    let InTree { destination, place, .. } = seen;
    // Where the whole work tree is the destination, only the archives themselves can be told apart.
    let pattern = if place.as_os_str().is_empty() { "/*.age*".to_owned() } else { format!("/{}/", shell(place)) };
    let (top, place) = (shell(&seen.top), shell(place));
    let (summary, reason, fix) = if seen.tracked {
        let fix = format!(
            "run `git -C {top} rm -r --cached -- {place}`, add `{pattern}` to {top}/.gitignore and commit, or choose another destination"
        );
        (format!("git tracks archives in `{destination}`"), "destination-tracked", fix)
    } else if !seen.ignored {
        let fix = format!("add `{pattern}` to {top}/.gitignore, or choose another destination");
        (format!("`{destination}` is in a git work tree and not ignored"), "destination-in-git", fix)
    } else {
        return None;
    };
    Some(
        Finding::fail(ID, subject, summary)
            .expected("archives are kept apart from what they secure, and in no commit")
            .observed(format!("the work tree {top}"))
            .fix(fix)
            .data("reason", reason)
            .data("destination", destination.clone()),
    )
}

fn fine(subject: &str, seen: &Observation) -> Finding {
    let count = seen.secrets.len();
    let in_git = seen.secrets.iter().filter(|secret| secret.git.is_some()).count();
    let files = if count == 1 { "secret file is" } else { "secret files are" };
    let summary = match (count, in_git) {
        (0, _) => return Finding::skip(ID, subject, "no file of the backup looks like a secret"),
        (_, 0) => format!("{count} {files} in no git work tree, and not for everybody to read"),
        _ => format!("{count} {files} ignored by git and not for everybody to read"),
    };
    Finding::pass(ID, subject, summary).data("secrets", count)
}

/// The first names and how many there are; `None` where there is none.
fn subject_names(places: &[String]) -> Option<(Vec<String>, usize)> {
    let first = places.iter().take(NAMED).map(|place| format!("`{place}`")).collect();
    (!places.is_empty()).then_some((first, places.len().saturating_sub(NAMED)))
}

fn said((names, more): (Vec<String>, usize)) -> String {
    match (names.split_last(), more) {
        (_, 1..) => format!("{} and {more} more", names.join(", ")),
        (Some((last, [])), _) => last.clone(),
        (Some((last, rest)), _) => format!("{} and {last}", rest.join(", ")),
        (None, _) => String::new(),
    }
}

/// The lines of `.gitignore` for these places.
fn lines(places: &[String]) -> String {
    places.iter().map(|place| format!("`/{place}`")).collect::<Vec<_>>().join(" ")
}

fn shown(files: &[&PathBuf]) -> Vec<String> {
    files.iter().map(|path| path.display().to_string()).collect()
}

/// A path as a shell takes it, on one line.
fn shell(path: &std::path::Path) -> String {
    let text: String = path.display().to_string().chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    shell_words::quote(&text).into_owned()
}

#[cfg(test)]
mod tests;
