//! How large the archives of a set usually are, and whether one is suspiciously small.

use super::pending;
use crate::{
    backup::{Record, Size, place::Opened},
    rules::{
        archive_id::ArchiveId,
        sidecar::{Contents, Sidecar},
        units::tell_size,
    },
};

/// The size of the newest good archive: as this host remembers it, else as the destinations say, so that a host which lost
/// its memory is warned all the same. `None` where there is none, or none that can be read.
pub(super) async fn usual(record: &Record, set: &str, places: &[Opened]) -> Option<Size> {
    if record.usual.is_some() {
        return record.usual.clone();
    }
    let mut newest: Option<(u64, Size)> = None;
    for place in places {
        let Some(destination) = place.destination() else { continue };
        let Ok(objects) = destination.list().await else { continue };
        let mut ids: Vec<ArchiveId> = objects
            .iter()
            .filter_map(|object| Some(ArchiveId::of_file(&object.name)?.0))
            .filter(|id| id.set() == set)
            .collect();
        ids.sort_by_key(|id| std::cmp::Reverse(id.sequence()));
        ids.dedup();
        for id in ids.into_iter().take(LOOKED_AT) {
            if newest.as_ref().is_some_and(|(sequence, _)| *sequence >= id.sequence()) {
                break;
            }
            if let Ok(Some(sidecar)) = pending::examine(destination, &id.to_string()).await
                && sidecar.suspect.is_none()
            {
                newest = Some((id.sequence(), size(&sidecar)));
                break;
            }
        }
    }
    newest.map(|(_, size)| size)
}

/// How much an archive holds, by its sidecar.
pub(super) fn size(sidecar: &Sidecar) -> Size {
    let Contents { files, bytes, .. } = sidecar.contents;
    Size { id: sidecar.id.clone(), files, bytes }
}

/// Why a set that is so much smaller than the last good one is suspect: a source that was not mounted looks like that
/// (kiwix/operations#405).
pub(super) fn shrunk(contents: &Contents, usual: Option<&Size>) -> Option<String> {
    if contents.bytes == 0 {
        return Some("it holds no bytes at all".to_owned());
    }
    let usual = usual?;
    let halved = |now: u64, before: u64| now < before.div_ceil(2);
    if halved(contents.files, usual.files) {
        return Some(format!("it has {} files, and {} had {}", contents.files, usual.id, usual.files));
    }
    let (now, before) = (tell_size(contents.bytes), tell_size(usual.bytes));
    halved(contents.bytes, usual.bytes).then(|| format!("it has {now}, and {} had {before}", usual.id))
}

/// Suspect ones that follow each other are few: somebody is told of each.
const LOOKED_AT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backup_case_21_a_set_that_shrank_below_half_or_to_nothing_is_suspect() {
        let usual = Size { id: "a-42".into(), files: 10, bytes: 1000 };
        let contents = |files, bytes| Contents { files, bytes, ..Contents::default() };
        for (files, bytes, says) in [
            (5, 500, None),
            (4, 1000, Some("it has 4 files, and a-42 had 10")),
            (10, 499, Some("it has 499 B, and a-42 had 1000 B")),
            (10, 0, Some("it holds no bytes at all")),
        ] {
            assert_eq!(shrunk(&contents(files, bytes), Some(&usual)).as_deref(), says, "{files} {bytes}");
        }
        assert_eq!(shrunk(&contents(1, 1), None), None, "nothing to compare with");
        assert!(shrunk(&contents(1, 0), None).is_some());
    }
}
