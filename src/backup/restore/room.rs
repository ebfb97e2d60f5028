//! Whether what is restored fits, before a byte is written.

use std::{collections::BTreeMap, path::Path};

use super::{apply::is_written, changes::Changes, plan::target_error, request::Request};
use crate::{
    error::{Error, Kind, Result},
    rules::units,
    system::tree::{Tree, split},
};

/// What a file takes besides its content, on average: its last block, its entry in a folder.
const OVERHEAD: u64 = 2048;

/// Refuses a restore that does not fit: all of it is unpacked beside the target, what goes to another file system in it is
/// copied there.
pub(super) fn check(tree: &mut Tree, request: &Request, changes: Option<&Changes>, folder: &Path) -> Result<()> {
    let trouble = |error: &std::io::Error| target_error(folder, error);
    let home = tree.ground(b"").map_err(|error| trouble(&error))?;
    // By file system: one of its folders, bytes, files.
    let mut needs = BTreeMap::from([(home, (Vec::new(), 0_u64, 0_u64))]);
    match (changes, &request.source.sidecar) {
        (Some(changes), _) => changes
            .each(|difference, entry| {
                if is_written(difference) {
                    let bytes = entry.size() + OVERHEAD;
                    // The next folder around it that is there.
                    let mut around = split(&entry.path).0;
                    while !around.is_empty() && tree.folder(around).is_err() {
                        around = split(around).0;
                    }
                    let ground = tree.ground(around)?;
                    for ground in [Some(home), Some(ground).filter(|ground| *ground != home)].into_iter().flatten() {
                        let need = needs.entry(ground).or_insert_with(|| (around.to_vec(), 0, 0));
                        need.1 += bytes;
                        need.2 += 1;
                    }
                }
                Ok(())
            })
            .map_err(|error| trouble(&error))?,
        (None, Some(sidecar)) => {
            let contents = &sidecar.contents;
            let files = contents.files + contents.directories + contents.links;
            needs.insert(home, (Vec::new(), contents.bytes + files * OVERHEAD, files));
        }
        // Without a sidecar there is always a list.
        (None, None) => {}
    }
    for (path, bytes, files) in needs.into_values() {
        let (free, free_files) = tree.room(&path).map_err(|error| trouble(&error))?;
        let error = || Error::new(Kind::Failed, format!("restore to `{}`", folder.display()));
        let df = folder.join(std::ffi::OsStr::new(&*String::from_utf8_lossy(&path)));
        if bytes > free {
            let (need, have) = (units::tell_size(bytes), units::tell_size(free));
            return Err(error()
                .because(format!("it needs {need} there, and {have} are free"))
                .hint(format!("free some space (`df -h {}`), or restore elsewhere with `--to DIR`", df.display())));
        }
        if free_files.is_some_and(|free| files > free) {
            return Err(error()
                .because(format!("it needs {files} files there, and {} are free", free_files.unwrap_or(0)))
                .hint(format!("free some (`df -i {}`), or restore elsewhere with `--to DIR`", df.display())));
        }
    }
    Ok(())
}
