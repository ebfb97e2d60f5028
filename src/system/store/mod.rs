//! Where archives are kept: a folder, S3, anything that rclone reaches.
//!
//! A destination is cut in two: [`Shelf`] looks, [`Destination`] acts, so that what makes a plan cannot write. A new one is
//! a file here and a line in [`open`]. `conformance` runs over all of them.

#[cfg(test)]
pub(crate) mod conformance;
mod directory;
#[cfg(test)]
pub(crate) mod memory;
mod object;
mod place;
mod rclone;
#[cfg(feature = "aws")]
pub mod s3;
mod trouble;

use std::{fs::File, io::Read, sync::Arc};

use futures_util::future::BoxFuture;
pub use object::{Body, Condition, Object, Reading, Receipt};
pub use place::{Mounted, Options, Place, S3Options};
pub use trouble::{Reason, Trouble};

use super::Context;
use crate::error::Result;

/// The looking half of a destination.
pub trait Shelf: Send + Sync {
    /// The address as the configuration has it; what people call the destination.
    fn address(&self) -> &str;

    /// Whether [`Object::modified`] is by the store's own clock, which nobody who stores something can set: then a name with
    /// another date is a sign of a wrong clock or of a forgery. The dates of files are anybody's.
    fn keeps_time(&self) -> bool {
        false
    }

    /// Whether the destination is there and is the right one: mounted, with its marker, reachable, not public. Writes
    /// nothing.
    ///
    /// # Errors
    ///
    /// Why it cannot be used, for example [`Reason::MediumAbsent`]. What can be read and not written to is no error here, see
    /// [`Condition::unwritable`].
    fn inspect(&self) -> BoxFuture<'_, Result<Condition, Trouble>>;

    /// Every object there, ours or not, without what killed runs left behind. A failed listing is an error and never an
    /// empty one.
    ///
    /// # Errors
    ///
    /// The destination cannot be listed, or not to the end.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Object>, Trouble>>;

    /// Opens an object for reading from its beginning to its end.
    ///
    /// # Errors
    ///
    /// There is none ([`Reason::Missing`]), or it cannot be read.
    fn open<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Reading, Trouble>>;
}

/// The acting half of a destination.
pub trait Destination: Shelf {
    /// Makes the destination ready on the first use (a folder's marker); changes nothing on later ones.
    ///
    /// # Errors
    ///
    /// It cannot be written to.
    fn prepare(&self) -> BoxFuture<'_, Result<(), Trouble>>;

    /// A file of the destination's own that an archive can be written into before it has its name; `None` where there are
    /// no such files and the archive is spooled elsewhere first.
    ///
    /// # Errors
    ///
    /// The destination cannot be written to.
    fn draft(&self) -> BoxFuture<'_, Result<Option<Box<dyn Draft>>, Trouble>>;

    /// Stores an object under a name that does not exist yet: whole and durable, or not at all. Never overwrites.
    ///
    /// # Errors
    ///
    /// It could not be stored; [`Reason::Collision`] where another object has the name.
    fn put<'a>(&'a self, name: &'a str, body: Body) -> BoxFuture<'a, Result<Receipt, Trouble>>;

    /// Stores small objects one after the other: none of them is ever there without those before it. Where one fails,
    /// those before it stay.
    ///
    /// # Errors
    ///
    /// As [`Destination::put`].
    fn put_in_order(&self, objects: Vec<(String, Arc<[u8]>)>) -> BoxFuture<'_, Result<(), Trouble>> {
        Box::pin(async move {
            for (name, bytes) in objects {
                self.put(&name, Body::Bytes(bytes)).await?;
            }
            Ok(())
        })
    }

    /// Removes an object. One that is gone already is no error.
    ///
    /// # Errors
    ///
    /// It is still there, for example [`Reason::Retained`].
    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), Trouble>>;

    /// Removes what killed runs left behind (temporary files, unfinished uploads), and says what. Only what is certainly
    /// ours and of no running run: the caller holds the lock of the backup.
    ///
    /// # Errors
    ///
    /// What could not be removed; nobody's backup fails for it.
    fn tidy(&self) -> BoxFuture<'_, Result<Vec<String>, Trouble>>;
}

/// An archive that is being written at its destination and has no name yet. Dropped without [`Draft::keep`], it is gone.
pub trait Draft: Send {
    /// The file to write to. The descriptor, not a path: what is mounted over the folder meanwhile does not get it.
    fn file(&self) -> &File;

    /// Flushes it to the disk and gives it its name; never overwrites.
    ///
    /// # Errors
    ///
    /// It could not be kept; it is gone then.
    fn keep(self: Box<Self>, name: &str) -> Result<Receipt, Trouble>;
}

/// Reads a small object whole.
///
/// # Errors
///
/// As [`Shelf::open`], or it is larger than `limit` bytes.
pub async fn fetch(shelf: &dyn Shelf, name: &str, limit: u64) -> Result<Vec<u8>, Trouble> {
    let Reading { reader, done } = shelf.open(name).await?;
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        reader.take(limit + 1).read_to_end(&mut bytes).map(|_| bytes)
    });
    let (bytes, done) = tokio::join!(read, done);
    done?;
    let broken =
        |why: String| Trouble::new(Reason::Damaged, format!("`{name}` cannot be read: {why}"), "check the medium");
    let bytes = bytes.map_err(|panic| broken(panic.to_string()))?.map_err(|error| broken(error.to_string()))?;
    if bytes.len() as u64 > limit { Err(broken(format!("it is larger than {limit} bytes"))) } else { Ok(bytes) }
}

/// Opens the destination at a place: one line for each sort.
///
/// # Errors
///
/// This build leaves that sort out. Whether the place is there is [`Shelf::inspect`]'s business.
pub fn open(place: &Place, options: &Options, context: &Context) -> Result<Box<dyn Destination>> {
    match place {
        Place::Folder(path) => Ok(Box::new(directory::Directory::new(path, options, context))),
        Place::Rclone(remote) => Ok(Box::new(rclone::Rclone::new(remote, options, context))),
        #[cfg(feature = "aws")]
        Place::S3 { bucket, prefix } => Ok(Box::new(s3::S3::new(bucket, prefix, options, context))),
        #[cfg(not(feature = "aws"))]
        Place::S3 { .. } => Err(left_out(place)),
    }
}

/// S3 in a build without it.
#[cfg(not(feature = "aws"))]
fn left_out(place: &Place) -> crate::error::Error {
    crate::error::Error::new(crate::error::Kind::Config, format!("use `{place}`"))
        .because("this build of mainstay leaves out S3 (it was made without the feature `aws`)")
        .hint("install the full build, or reach the bucket through rclone: `rclone:REMOTE:BUCKET/PREFIX`")
}

/// Opens the looking half of the destination at a place.
///
/// # Errors
///
/// As [`open`].
pub fn look(place: &Place, options: &Options, context: &Context) -> Result<Box<dyn Shelf>> {
    Ok(open(place, options, context)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_place_has_its_sort_and_its_address() {
        let context = Context::real(BTreeMap::new(), "/".into());
        for (place, address) in [
            (Place::Folder("/mnt/usb/backups".into()), "/mnt/usb/backups"),
            (Place::Rclone("gdrive:backups/prime".into()), "rclone:gdrive:backups/prime"),
        ] {
            assert_eq!(open(&place, &Options::default(), &context).unwrap().address(), address);
            assert_eq!(look(&place, &Options::default(), &context).unwrap().address(), place.to_string());
        }
    }
}
