//! A folder of this machine: of its disk, of a stick, of whatever is mounted.
//!
//! A run opens the folder once, by its path, makes sure that it is the one that it was (its medium is mounted, its marker
//! has the known UUID), and works through that descriptor from then on. Every object is written under a temporary name,
//! flushed, and renamed.
//!
//! On the first use, the folder itself is made where the one above it exists and no medium is missing; its marker is made
//! then too. Afterwards a folder without its marker is refused.

mod folder;
mod marker;
mod mounted;
mod temporary;
#[cfg(test)]
mod tests;

use std::{
    fs::{self, File},
    os::unix::fs::{DirBuilderExt, FileExt, MetadataExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::BoxFuture;
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use self::{folder::Folder, marker::Marker, temporary::Temporary};
use super::{
    Body, Condition, Destination, Draft, Mounted, Object, Options, Reading, Reason, Receipt, Shelf, Trouble,
    object::expect_name,
};
use crate::system::{Cancel, Clock, Context};

/// A folder as a destination.
pub(super) struct Directory {
    address: String,
    site: Arc<Site>,
}

/// What the work needs, on whatever thread it is done.
struct Site {
    path: PathBuf,
    mounted: Mounted,
    /// The table of what should be mounted.
    fstab: PathBuf,
    /// The UUID that the marker must have: from the record, or what the first look found.
    identity: Mutex<Option<String>>,
    /// The folder that is written to, from the first write on.
    opened: Mutex<Option<Arc<Folder>>>,
    clock: Arc<dyn Clock>,
    cancel: Cancel,
}

/// What a look at the path found.
enum Found {
    /// The folder, and its marker if it has one.
    Folder(Folder, Option<Marker>),
    /// Nothing, and it may be made.
    Nothing,
}

impl Directory {
    /// The folder at `path`. Touches nothing.
    pub(super) fn new(path: &Path, options: &Options, context: &Context) -> Self {
        let site = Site {
            path: path.to_owned(),
            mounted: options.mounted,
            fstab: "/etc/fstab".into(),
            identity: Mutex::new(options.identity.clone()),
            opened: Mutex::default(),
            clock: Arc::clone(&context.clock),
            cancel: context.cancel.clone(),
        };
        Self { address: path.display().to_string(), site: Arc::new(site) }
    }

    /// Does work that may block on a thread of its own: a disk that hangs stops no other destination.
    fn on_a_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Site>) -> Result<T, Trouble> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, Trouble>> {
        let site = Arc::clone(&self.site);
        Box::pin(async move {
            match tokio::task::spawn_blocking(move || work(&site)).await {
                Ok(result) => result,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(error) => Err(Trouble::new(Reason::Other, error.to_string(), "run it again")),
                },
            }
        })
    }
}

impl Shelf for Directory {
    fn address(&self) -> &str {
        &self.address
    }

    fn inspect(&self) -> BoxFuture<'_, Result<Condition, Trouble>> {
        self.on_a_thread(|site| site.inspect())
    }

    /// A folder that does not exist yet is [`Reason::Missing`] and not empty; [`Shelf::inspect`] tells whether that is all
    /// right.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Object>, Trouble>> {
        self.on_a_thread(|site| site.existing()?.objects())
    }

    fn open<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Reading, Trouble>> {
        let name = name.to_owned();
        self.on_a_thread(move |site| {
            expect_name(&name)?;
            let file = site.existing()?.file(&name)?;
            file.map(Reading::of).ok_or_else(|| Trouble::missing(&site.path.join(&name).display().to_string()))
        })
    }
}

impl Destination for Directory {
    fn prepare(&self) -> BoxFuture<'_, Result<(), Trouble>> {
        self.on_a_thread(|site| site.writable().map(drop))
    }

    fn draft(&self) -> BoxFuture<'_, Result<Option<Box<dyn Draft>>, Trouble>> {
        self.on_a_thread(|site| {
            let folder = site.writable()?;
            let temporary = Temporary::new(&folder)?;
            Ok(Some(Box::new(Leaf { site: Arc::clone(site), folder, temporary }) as Box<dyn Draft>))
        })
    }

    fn put<'a>(&'a self, name: &'a str, body: Body) -> BoxFuture<'a, Result<Receipt, Trouble>> {
        let name = name.to_owned();
        self.on_a_thread(move |site| {
            expect_name(&name)?;
            let folder = site.writable()?;
            if let Some(largest) = folder.largest().filter(|largest| body.bytes() > *largest) {
                return Err(too_large(site, largest));
            }
            let temporary = Temporary::new(&folder)?;
            match &body {
                Body::Bytes(bytes) => temporary.write(bytes)?,
                Body::Spool { file, bytes, sha256 } => pour(file, *bytes, sha256, &temporary, &site.cancel)?,
            }
            temporary.keep(&name, || site.expect_still(&folder))?;
            Ok(Receipt::default())
        })
    }

    /// Their contents go to the disk together and before any of the names, the names in their order and with one flush.
    fn put_in_order(&self, objects: Vec<(String, Arc<[u8]>)>) -> BoxFuture<'_, Result<(), Trouble>> {
        self.on_a_thread(move |site| {
            let folder = site.writable()?;
            let mut temporaries = Vec::new();
            for (name, bytes) in &objects {
                expect_name(name)?;
                let temporary = Temporary::new(&folder)?;
                temporary.write(bytes)?;
                temporaries.push(temporary);
            }
            temporary::flush(&temporaries)?;
            site.expect_still(&folder)?;
            for (temporary, (name, _)) in temporaries.iter().zip(&objects) {
                temporary.name(name)?;
            }
            folder.flush().inspect_err(|_| {
                // Whether the names would outlive a power cut is not known, and the caller is told that there are none.
                for (name, _) in objects.iter().rev() {
                    folder.forget(name);
                }
            })
        })
    }

    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        let name = name.to_owned();
        self.on_a_thread(move |site| {
            expect_name(&name)?;
            site.existing()?.remove(&name).map(drop)
        })
    }

    fn tidy(&self) -> BoxFuture<'_, Result<Vec<String>, Trouble>> {
        self.on_a_thread(|site| site.existing()?.tidy(site.clock.now()))
    }
}

impl Site {
    fn inspect(&self) -> Result<Condition, Trouble> {
        let shown = self.path.display();
        let (folder, marker) = match self.find()? {
            Found::Folder(folder, marker) => (folder, marker),
            Found::Nothing => {
                let notes = vec![format!("`{shown}` does not exist yet, and is made by the first backup")];
                return Ok(Condition { is_new: true, notes, ..Condition::default() });
            }
        };
        let is_empty = folder.objects()?.is_empty();
        let mut notes = Vec::new();
        let found = folder.stat()?;
        if found.st_mode & 0o002 != 0 {
            notes.push(format!("everybody may write to `{shown}`, and so remove backups: `chmod o-w {shown}`"));
        }
        let me = rustix::process::geteuid().as_raw();
        if found.st_uid != 0 && found.st_uid != me {
            notes.push(format!("`{shown}` belongs to user {}, who can remove backups", found.st_uid));
        }
        if marker.is_none() && !is_empty {
            notes.push(format!("`{shown}` has files but no marker yet; the first backup makes one"));
        }
        Ok(Condition {
            is_new: marker.is_none() && is_empty,
            identity: marker.map(|marker| marker.id.to_string()),
            free: folder.free(),
            largest: folder.largest(),
            unwritable: folder.expect_writable().err(),
            notes,
        })
    }

    /// Looks at the path: whether its medium is there, and is the one that it was.
    fn find(&self) -> Result<Found, Trouble> {
        let expect_mounted = |device| mounted::expect(&self.path, self.mounted, &self.fstab, device);
        let folder = match Folder::open(&self.path) {
            Ok(folder) => folder,
            Err(Errno::NOENT) => {
                let (above, rest) = mounted::nearest(&self.path).map_err(|error| Trouble::of_io(&error, &self.path))?;
                let device = fs::metadata(above).map_err(|error| Trouble::of_io(&error, above))?.dev();
                expect_mounted(device)?;
                return self.expect_possible(above, rest).map(|()| Found::Nothing);
            }
            Err(errno) => return Err(Trouble::of_io(&errno.into(), &self.path)),
        };
        expect_mounted(folder.stat()?.st_dev)?;
        let marker = Marker::read(&folder)?;
        self.expect_identity(marker.as_ref())?;
        Ok(Found::Folder(folder, marker))
    }

    /// Refuses to make a folder anew that was there before, or a whole tree of folders: a misspelt path would be one.
    fn expect_possible(&self, above: &Path, rest: &Path) -> Result<(), Trouble> {
        let shown = self.path.display();
        if self.known().is_some() {
            let fix =
                "find out where it went; if the backups there are lost, run `mainstay backup init` to begin again";
            return Err(Trouble::new(Reason::MarkerGone, format!("`{shown}` is gone, and backups were there"), fix));
        }
        if rest.components().count() > 1 {
            let why = format!("there is no folder `{shown}`, and only `{}` of its path", above.display());
            return Err(Trouble::new(Reason::Missing, why, format!("correct the path, or run `mkdir -p {shown}`")));
        }
        Ok(())
    }

    /// Refuses a marker that is not the known one, and remembers the first one seen.
    fn expect_identity(&self, marker: Option<&Marker>) -> Result<(), Trouble> {
        let mut identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = self.path.display();
        let found = marker.map(|marker| marker.id.to_string());
        match (&*identity, found) {
            (Some(known), Some(found)) if *known != found => Err(Trouble::new(
                Reason::MediumOther,
                format!("`{shown}` is another medium: its marker is {found}, and backups went to {known}"),
                "plug in the right one, or run `mainstay backup init` to use this one from now on",
            )),
            (Some(known), None) => Err(Trouble::new(
                Reason::MarkerGone,
                format!(
                    "`{shown}` has lost its marker ({known}): the medium is not mounted, is another one, or was emptied"
                ),
                "see what is there; run `mainstay backup init` if it is the right place",
            )),
            (None, found) => {
                *identity = found;
                Ok(())
            }
            (Some(_), Some(_)) => Ok(()),
        }
    }

    fn known(&self) -> Option<String> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The folder for reading and removing: looked at anew each time, so that what is read is what the path leads to.
    fn existing(&self) -> Result<Folder, Trouble> {
        match self.find()? {
            Found::Folder(folder, _) => Ok(folder),
            Found::Nothing => Err(Trouble::new(
                Reason::Missing,
                format!("there is no `{}`", self.path.display()),
                "mount the medium if it lies on one; `mainstay backup create` makes a new folder",
            )),
        }
    }

    /// The folder for writing: opened, and made ready, once.
    fn writable(&self) -> Result<Arc<Folder>, Trouble> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = &*opened {
            return Ok(Arc::clone(folder));
        }
        let (folder, marker) = match self.find()? {
            Found::Folder(folder, marker) => (folder, marker),
            Found::Nothing => {
                self.make()?;
                (self.existing()?, None)
            }
        };
        folder.expect_writable()?;
        let folder = Arc::new(folder);
        if marker.is_none() {
            self.expect_identity(Some(&Marker::make(&folder)?))?;
        }
        Ok(Arc::clone(opened.insert(folder)))
    }

    /// Makes the folder itself, durable like what goes into it.
    fn make(&self) -> Result<(), Trouble> {
        match fs::DirBuilder::new().mode(0o700).create(&self.path) {
            // Another run has just made it.
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(Trouble::of_io(&error, &self.path).doing("make it"));
            }
            _ => {}
        }
        let above = self.path.parent().unwrap_or(Path::new("/"));
        Folder::open(above).map_err(|errno| Trouble::of_io(&errno.into(), above))?.flush()
    }

    /// Refuses to give a file its name where the folder is not what it was when it was opened.
    fn expect_still(&self, folder: &Folder) -> Result<(), Trouble> {
        self.expect_identity(Marker::read(folder)?.as_ref())?;
        folder.expect_same()
    }
}

/// An archive that is being written in the folder.
struct Leaf {
    site: Arc<Site>,
    folder: Arc<Folder>,
    temporary: Temporary,
}

impl Draft for Leaf {
    fn file(&self) -> &File {
        self.temporary.file()
    }

    fn keep(self: Box<Self>, name: &str) -> Result<Receipt, Trouble> {
        expect_name(name)?;
        let Self { site, folder, temporary } = *self;
        temporary.keep(name, || site.expect_still(&folder))?;
        Ok(Receipt::default())
    }
}

/// Copies a spooled archive and makes sure that it is what it was when it was spooled.
fn pour(spool: &File, bytes: u64, sha256: &[u8; 32], to: &Temporary, cancel: &Cancel) -> Result<(), Trouble> {
    let damaged = |why: &str| {
        Trouble::new(
            Reason::Damaged,
            format!("the spooled archive {why}"),
            "check the disk of the spool, and run it again",
        )
    };
    let (mut hash, mut block, mut done) = (Sha256::new(), vec![0; 1 << 20], 0);
    while done < bytes {
        if cancel.is_raised() {
            return Err(Trouble::new(Reason::Other, "the run was interrupted", "run it again"));
        }
        let want = usize::try_from(bytes - done).map_or(block.len(), |left| left.min(block.len()));
        match spool.read_at(&mut block[..want], done) {
            Ok(0) => return Err(damaged("is shorter than it was")),
            Ok(read) => {
                hash.update(&block[..read]);
                to.write(&block[..read])?;
                done += read as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(damaged(&format!("cannot be read: {error}"))),
        }
    }
    if hash.finalize().as_slice() == sha256 { Ok(()) } else { Err(damaged("is not what was written there")) }
}

fn too_large(site: &Site, largest: u64) -> Trouble {
    Trouble::new(
        Reason::Full,
        format!("the archive is larger than a file can be on `{}` ({largest} bytes: FAT)", site.path.display()),
        "format the medium with exFAT or ext4, or back up less: see `exclude`",
    )
}
