//! The marker of a folder: a small file that says "this is the one", and that an empty mount point or another stick lacks.

use rustix::{
    fs::{Mode, OFlags, openat},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{folder::Folder, temporary::Temporary};
use crate::system::store::{Reason, Trouble, object::MARKER};

/// What the marker holds.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Marker {
    /// The version of this format.
    schema: u32,
    /// A random UUID: what makes this medium this one.
    pub(super) id: Uuid,
    /// For a person who finds the file.
    #[serde(default)]
    about: String,
}

/// More than this is no marker.
const LONGEST: usize = 4096;

impl Marker {
    /// Reads the marker of a folder; `None` where there is none.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is not one.
    pub(super) fn read(folder: &Folder) -> Result<Option<Self>, Trouble> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = match openat(folder, MARKER, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(folder.trouble(errno).doing("read its marker")),
        };
        let mut text = vec![0; LONGEST];
        let mut read = 0;
        while read < LONGEST {
            match rustix::io::read(&file, &mut text[read..]) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(folder.trouble(errno).doing("read its marker")),
            }
        }
        serde_json::from_slice(&text[..read]).map(Some).map_err(|error| {
            let path = folder.path().join(MARKER);
            Trouble::new(
                Reason::Damaged,
                format!("`{}` is not a marker of mainstay: {error}", path.display()),
                "see whether this is the right medium; if it is, remove that file and run `mainstay backup init`",
            )
        })
    }

    /// Marks a folder, or finds that somebody else has just done so.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub(super) fn make(folder: &std::sync::Arc<Folder>) -> Result<Self, Trouble> {
        let about =
            "encrypted backups of mainstay go into the folder that has this file; without it none do".to_owned();
        let marker = Self { schema: 1, id: Uuid::new_v4(), about };
        let mut text = serde_json::to_vec_pretty(&marker).expect("a marker is plain data");
        text.push(b'\n');
        let temporary = Temporary::new(folder)?;
        temporary.write(&text)?;
        match temporary.keep(MARKER, || Ok(())) {
            Ok(()) => Ok(marker),
            Err(trouble) if trouble.reason == Reason::Collision => match Self::read(folder)? {
                Some(theirs) => Ok(theirs),
                None => Err(trouble),
            },
            Err(trouble) => Err(trouble.doing("mark it")),
        }
    }
}
