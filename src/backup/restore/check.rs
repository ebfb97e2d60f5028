//! Whether what is on the disk is what was wanted: content, mode, owner, time. A system can say yes and do nothing.

use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader},
    thread,
};

use super::{ID, ending::For, stage::ENTRIES, wanting::Wanting};
use crate::{
    report::Finding,
    rules::{
        difference::{FoundKind, Wanted},
        manifest::{Entry, Kind, hex},
    },
    system::tree::{Seen, Tree, join, shown},
};

/// How many mismatches of one sort are told one by one.
const TOLD: usize = 20;

/// How many entries a thread gets at once.
const BATCH: usize = 512;

/// What the check saw.
#[derive(Default)]
pub(super) struct Checked {
    pub entries: u64,
    pub files: u64,
    pub bytes: u64,
    pub findings: Vec<Finding>,
}

/// Something that is not as it should be.
struct Mismatch {
    reason: &'static str,
    path: String,
    expected: String,
    observed: String,
}

/// Compares every entry that was written with the disk, on all cores.
pub(super) fn check(tree: &mut Tree, folder: &[u8], wanting: &Wanting, whom: For<'_>) -> io::Result<Checked> {
    let mut checked = Checked::default();
    let mut mismatches: HashMap<&'static str, (u64, Vec<Mismatch>)> = HashMap::new();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let file = tree.file(&join(folder, ENTRIES))?;
    let mut lines = BufReader::new(file).lines();
    loop {
        let entries = (&mut lines).take(BATCH * cores).map(|line| parse(&line?)).collect::<io::Result<Vec<_>>>()?;
        if entries.is_empty() {
            break;
        }
        checked.entries += entries.len() as u64;
        for entry in &entries {
            checked.files += u64::from(matches!(entry.kind, Kind::File { .. } | Kind::HardLink { .. }));
            checked.bytes += entry.size();
        }
        let found = thread::scope(|scope| {
            let threads: Vec<_> = entries
                .chunks(entries.len().div_ceil(cores))
                .map(|part| {
                    let mut tree = tree.again();
                    scope.spawn(move || {
                        let mut found = Vec::new();
                        part.iter().for_each(|entry| compare(&mut tree, entry, wanting, &mut found));
                        found
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("the check does not panic")).collect::<Vec<_>>()
        });
        for mismatch in found.into_iter().flatten() {
            let (count, first) = mismatches.entry(mismatch.reason).or_default();
            *count += 1;
            if first.len() < TOLD {
                first.push(mismatch);
            }
        }
    }
    checked.findings = findings(mismatches, wanting, &checked, whom);
    Ok(checked)
}

fn compare(tree: &mut Tree, entry: &Entry, wanting: &Wanting, found: &mut Vec<Mismatch>) {
    let mut tell = |reason, expected: String, observed: String| {
        found.push(Mismatch { reason, path: shown(&entry.path), expected, observed });
    };
    let seen = match tree.look(&entry.path) {
        Ok(Some(seen)) => seen,
        Ok(None) => return tell("missing", kind_word(entry).to_owned(), "nothing".to_owned()),
        Err(error) => return tell("content", "can be looked at".to_owned(), error.to_string()),
    };
    match (&entry.kind, &seen.found.kind) {
        (Kind::Directory, FoundKind::Directory { .. }) => {}
        (Kind::File { size, sha256 }, FoundKind::File { size: found }) => {
            let hash = if size == found {
                tree.hash(&entry.path).map(|hash| hex(&hash))
            } else {
                Ok(format!("{found} bytes"))
            };
            match hash {
                Ok(hash) if hash == hex(sha256) => {}
                Ok(hash) => return tell("content", hex(sha256), hash),
                // Who may not read a file cannot say that it is wrong; but neither that it is right.
                Err(error) => return tell("content", hex(sha256), error.to_string()),
            }
        }
        (Kind::HardLink { target }, FoundKind::File { .. }) => {
            let same = |other: Seen| (other.device, other.inode) == (seen.device, seen.inode);
            // Between two file systems one file cannot have two names; its content has been compared under the other one.
            let linked =
                tree.look(target).ok().flatten().is_some_and(|other| other.device != seen.device || same(other));
            if !linked {
                tell("link", format!("the file `{}`", shown(target)), "another file".to_owned());
            }
            return;
        }
        (Kind::Symlink { target }, FoundKind::Symlink { target: found }) => {
            if target != found {
                return tell("content", shown(target), shown(found));
            }
        }
        _ => return tell("kind", kind_word(entry).to_owned(), "something else".to_owned()),
    }
    let Wanted { mode, .. } = wanting.of(entry);
    let is_link = matches!(entry.kind, Kind::Symlink { .. });
    if !is_link && mode != seen.found.mode {
        tell("mode", format!("{mode:04o}"), format!("{:04o}", seen.found.mode));
    }
    let owner = wanting.owner(entry);
    if owner != (seen.found.uid, seen.found.gid) {
        tell("owner", format!("{}:{}", owner.0, owner.1), format!("{}:{}", seen.found.uid, seen.found.gid));
    }
    if matches!(entry.kind, Kind::File { .. }) && entry.mtime.seconds != seen.found.mtime.seconds {
        // FAT has steps of two seconds, and others cut the nanoseconds.
        if entry.mtime.seconds.abs_diff(seen.found.mtime.seconds) > 1 {
            tell("mtime", entry.mtime.to_text(), seen.found.mtime.to_text());
        }
    }
}

fn findings(
    mut mismatches: HashMap<&'static str, (u64, Vec<Mismatch>)>,
    wanting: &Wanting,
    checked: &Checked,
    whom: For<'_>,
) -> Vec<Finding> {
    let target = whom.target.display();
    if mismatches.is_empty() {
        let text = match checked.entries {
            1 => format!("one entry in {target} is as in the archive: content, mode, owner and time"),
            count => format!("{count} entries in {target} are as in the archive: content, mode, owner and time"),
        };
        return vec![Finding::pass(ID, whom.name, text).data("entries", checked.entries)];
    }
    let mut findings = Vec::new();
    for (reason, what, fix) in [
        ("missing", "is not there", "take the restore back with `--undo`, and find out who works in the folder"),
        ("kind", "is something else", "take the restore back with `--undo`, and find out who works in the folder"),
        ("content", "has another content", "take the restore back with `--undo`, and check the disk"),
        ("link", "is not the same file as its other name", "link it by hand with `ln -f`"),
        ("mode", "has another mode", "set it by hand with `chmod`; the file system may know no modes"),
        ("owner", "belongs to somebody else", "run the restore as root, or set it by hand with `chown`"),
        ("mtime", "has another time", "nothing, unless a program goes by it"),
    ] {
        let Some((count, first)) = mismatches.remove(reason) else { continue };
        // Without root nobody can give files away, and a time is no damage.
        let mild = reason == "mtime" || reason == "link" || (reason == "owner" && !wanting.may_give());
        for mismatch in &first {
            let text = format!("{} in {target} {what}", mismatch.path);
            let finding = if mild { Finding::warn(ID, whom.name, text) } else { Finding::fail(ID, whom.name, text) };
            findings.push(
                finding
                    .expected(mismatch.expected.clone())
                    .observed(mismatch.observed.clone())
                    .fix(fix)
                    .data("reason", reason)
                    .data("path", mismatch.path.clone()),
            );
        }
        let more = count - first.len() as u64;
        if more > 0 {
            let text = format!("and {more} more in {target}, of which each {what}");
            let finding = if mild { Finding::warn(ID, whom.name, text) } else { Finding::fail(ID, whom.name, text) };
            findings.push(finding.fix(fix).data("reason", reason).data("more", more));
        }
    }
    findings
}

fn parse(line: &str) -> io::Result<Entry> {
    Entry::from_line(line).map_err(|wrong| io::Error::new(io::ErrorKind::InvalidData, wrong.0))
}

fn kind_word(entry: &Entry) -> &'static str {
    match entry.kind {
        Kind::Directory => "a folder",
        Kind::File { .. } | Kind::HardLink { .. } => "a file",
        Kind::Symlink { .. } => "a link",
    }
}
