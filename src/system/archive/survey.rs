//! What would go into an archive, without reading any of it.

use std::{collections::HashSet, os::unix::ffi::OsStrExt};

use rustix::fs::{Stat, fstat};
use sha2::{Digest, Sha256};

use super::{
    Note, Recipe,
    walk::{Identity, Walk, What, identity},
};
use crate::{
    error::{Error, Kind, Result},
    system::Cancel,
};

/// How many paths a survey shows.
const FIRST: usize = 20;

/// What would go into an archive.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Survey {
    /// Regular files, hard links and files from elsewhere included.
    pub files: u64,
    /// Folders.
    pub directories: u64,
    /// Symbolic links.
    pub links: u64,
    /// The content of all files; of hard links once.
    pub bytes: u64,
    /// The first paths, at most 20.
    pub first: Vec<Vec<u8>>,
    /// A digest of what the file system says of everything: where it stays the same, nothing has changed. A folder counts
    /// by name, mode and owner, since its time also changes by what is left out.
    pub metadata: [u8; 32],
    /// What the operator should know.
    pub notes: Vec<Note>,
}

/// Looks at everything that the recipe is about, in the order of the archive, and tells each path to `each`.
///
/// # Errors
///
/// The root cannot be read, a pattern is none, an entry of `include` that must match something matches nothing, nothing
/// matches at all, or the operator wants the run to end.
pub fn survey(recipe: &Recipe, cancel: &Cancel, mut each: impl FnMut(&[u8])) -> Result<Survey> {
    let mut survey = Survey::default();
    let mut digest = Sha256::new();
    let mut linked: HashSet<Identity> = HashSet::new();
    let mut walk = Walk::new(recipe, cancel)?;
    walk.run(&mut |found, _| {
        each(found.path);
        if survey.first.len() < FIRST {
            survey.first.push(found.path.to_vec());
        }
        feed(&mut digest, found.path, found.stat, found.what == What::Directory);
        match found.what {
            What::Directory => survey.directories += 1,
            What::Symlink(_) => survey.links += 1,
            What::File => {
                survey.files += 1;
                // Only files with several names are remembered: a million others must not cost memory.
                if found.stat.st_nlink == 1 || linked.insert(identity(found.stat)) {
                    survey.bytes += size(found.stat);
                }
            }
        }
        Ok(())
    })?;
    walk.check(survey.files)?;
    for extra in &recipe.extra {
        let stat = fstat(&extra.file).map_err(|error| {
            let path = std::ffi::OsStr::from_bytes(&extra.path).display();
            Error::new(Kind::Failed, format!("look at `{path}`")).because(error)
        })?;
        each(&extra.path);
        feed(&mut digest, &extra.path, &stat, false);
        survey.files += 1;
        survey.bytes += size(&stat);
    }
    survey.metadata = digest.finalize().into();
    survey.notes = walk.into_notes().into_vec();
    Ok(survey)
}

/// The length of a file.
fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

fn feed(digest: &mut Sha256, path: &[u8], stat: &Stat, is_folder: bool) {
    digest.update((path.len() as u64).to_be_bytes());
    digest.update(path);
    for number in [stat.st_mode, stat.st_uid, stat.st_gid] {
        digest.update(number.to_be_bytes());
    }
    if is_folder {
        return;
    }
    for number in [stat.st_size, stat.st_mtime, stat.st_ctime] {
        digest.update(number.to_be_bytes());
    }
    // Their width differs between architectures.
    #[expect(clippy::useless_conversion, reason = "they are u32 on some architectures")]
    for number in [u64::from(stat.st_mtime_nsec), u64::from(stat.st_ctime_nsec), u64::from(stat.st_ino)] {
        digest.update(number.to_be_bytes());
    }
}
