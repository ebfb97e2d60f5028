//! What a run has to say: one finding for each destination, and one for each thing about the sources that is not fine.

use std::time::Duration;

use serde_json::json;

use super::ID;
use crate::{
    backup::{Last, Set, place::Opened},
    report::{Finding, Status},
    rules::{
        sidecar::{Proof, Sidecar},
        units::tell_size,
    },
    system::{
        archive::{Note, Oddity},
        store::Trouble,
    },
};

/// The finding of a destination that cannot be used; `None` where it can.
pub(super) fn blocked(set: &Set, place: &Opened) -> Option<Finding> {
    place.state.as_ref().err().map(|trouble| failed(set, place, trouble))
}

/// A destination without its archive: a failure where it must have one.
pub(super) fn failed(set: &Set, place: &Opened, trouble: &Trouble) -> Finding {
    let status = if place.required { Status::Fail } else { Status::Warn };
    Finding::new(ID, &set.name, status, format!("nothing was stored at {}: {trouble}", place.address))
        .fix(&trouble.fix)
        .data("destination", place.address.as_str())
        .data("reason", trouble.reason.word())
}

/// How long a destination was busy.
#[derive(Clone, Copy)]
pub(super) struct Took {
    /// From the first file that was read until the archive had its name there, durably.
    pub writing: Duration,
    /// Reading it back.
    pub checking: Duration,
}

/// A destination with a good archive.
pub(super) fn stored(set: &Set, place: &Opened, sidecar: &Sidecar, proof: Proof, took: Took) -> Finding {
    let how = match proof {
        Proof::Decrypted => "read back, opened and compared",
        Proof::ReadBack => "read back and compared",
        Proof::Checksum => "confirmed by the store's checksum only, since these credentials may not read",
    };
    let (files, size) = (sidecar.contents.files, tell_size(sidecar.file.bytes));
    let (id, address) = (&sidecar.id, &place.address);
    let finding = match &sidecar.suspect {
        None => Finding::pass(ID, &set.name, format!("{id} is good at {address}: {files} files, {size}, {how}")),
        Some(why) => {
            Finding::warn(ID, &set.name, format!("{id} is whole at {address}, but it counts for nothing: {why}"))
                .fix("look at the sources, then run the command again")
        }
    };
    finding
        .data("destination", place.address.as_str())
        .data("archive", sidecar.id.as_str())
        .data("bytes", sidecar.file.bytes)
        .data("files", files)
        .data("verified", json!(proof))
        .data("write_seconds", took.writing.as_millis() as f64 / 1000.0)
        .data("check_seconds", took.checking.as_millis() as f64 / 1000.0)
}

/// `--if-changed`, and nothing has.
pub(super) fn unchanged(set: &Set, last: Option<&Last>) -> Finding {
    let id = last.map_or("the newest archive", |last| &last.id);
    Finding::pass(ID, &set.name, format!("nothing has changed since {id}"))
        .data("reason", "unchanged")
        .data("archive", id)
}

/// An archive that is whole, but not what it should be.
pub(super) fn suspect(set: &Set, why: &str, is_small: bool) -> Finding {
    let finding = Finding::fail(ID, &set.name, format!("the archive is kept, but it is suspect: {why}"))
        .fix("look at the sources; a suspect archive never pushes out a good one")
        .data("reason", "suspect");
    match is_small {
        true => finding.fix("where the set became smaller on purpose, run it once with --accept-smaller"),
        false => finding,
    }
}

/// A set that became smaller, and somebody said that it should.
pub(super) fn accepted(set: &Set, how: &str) -> Finding {
    Finding::pass(ID, &set.name, format!("accepted as it is: {how}")).data("reason", "accepted")
}

/// What was odd about the sources, one finding for each sort of oddity.
pub(super) fn sources(set: &Set, notes: &[Note]) -> Vec<Finding> {
    let mut sorts: Vec<Oddity> = notes.iter().map(|note| note.what).collect();
    sorts.sort_unstable();
    sorts.dedup();
    sorts.into_iter().map(|sort| oddity(set, sort, notes)).collect()
}

fn oddity(set: &Set, sort: Oddity, notes: &[Note]) -> Finding {
    let all: Vec<&Note> = notes.iter().filter(|note| note.what == sort).collect();
    let count = all.len();
    let (status, what, fix, reason) = match sort {
        Oddity::Changed => {
            (Status::Warn, "changed while read", "back up while nothing writes, or dump instead", "changed")
        }
        Oddity::Damaged => {
            (Status::Fail, "shrank while read and is damaged in the archive", "run the command again", "damaged")
        }
        Oddity::Destination => (Status::Pass, "holds the archives themselves and was left out", "", "destination"),
        Oddity::Privileged => (Status::Pass, "is setuid, setgid or sticky", "", "privileged"),
        Oddity::Reserved => (
            Status::Fail,
            "has a name that the archive needs for something else, and was left out",
            "rename it, or the dump of this name",
            "reserved",
        ),
        Oddity::LeavesRoot => (Status::Pass, "is a link that leads out of the root", "", "leaves-root"),
        Oddity::OtherFileSystem => {
            (Status::Pass, "is on another file system and was left out", "", "other-file-system")
        }
        Oddity::Special => (Status::Pass, "is a socket, pipe or device and was left out", "", "special"),
        Oddity::Unreadable => (
            Status::Fail,
            "could not be read and is missing in the archive",
            "run as a user who may read it, or exclude it",
            "unreadable",
        ),
        Oddity::Unsearched => (
            Status::Warn,
            "could not be looked into for what the patterns may match in it",
            "run as a user who may, or exclude it",
            "unsearched",
        ),
        Oddity::Vanished => {
            (Status::Warn, "vanished while the run went on", "nothing, unless it should be there", "vanished")
        }
    };
    let names: Vec<String> =
        all.iter().take(SHOWN).map(|note| String::from_utf8_lossy(&note.path).into_owned()).collect();
    let more = if count > SHOWN { format!(" and {} more", count - SHOWN) } else { String::new() };
    let summary = format!("`{}`{more} {what}", names.join("`, `"));
    let finding =
        Finding::new(ID, &set.name, status, summary).data("reason", reason).data("count", count).data("paths", names);
    let finding = match all.iter().map(|note| &note.detail).find(|detail| !detail.is_empty()) {
        Some(detail) => finding.cause(detail),
        None => finding,
    };
    if status.is_fine() { finding } else { finding.fix(fix) }
}

/// So many names say enough.
const SHOWN: usize = 3;
