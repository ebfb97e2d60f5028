//! A bucket: Amazon's, or of a store that speaks its protocol.
//!
//! Archives go up whole or in parts under the name they keep: where overwriting is forbidden a bucket cannot rename. Nothing
//! of Amazon's libraries runs before the first call.
//!
//! Stores differ. Amazon's own checks CRC64NVME and conditions; of others only what all of them have is asked for
//! (Content-MD5), and what they might not keep (`If-None-Match`) is looked at beforehand as well.

mod checksum;
mod client;
mod exposure;
mod inspect;
mod parts;
mod probe;
mod reading;
mod settle;
mod shelf;
mod spool;
#[cfg(test)]
mod tests;
mod trouble;
mod unfinished;
mod upload;

use futures_util::future::BoxFuture;

pub use probe::{Proof, Verdict};

use super::{
    Body, Condition, Destination, Draft, Object, Options, Reading, Receipt, S3Options, Shelf, Trouble,
    object::expect_name,
};
use crate::system::{Context, aws::Pace};

/// A bucket and a prefix in it.
pub struct S3 {
    /// As the configuration has it.
    address: String,
    bucket: String,
    /// Ends with a slash, or is empty.
    prefix: String,
    options: S3Options,
    context: Context,
    pace: Pace,
    /// The set whose unfinished uploads are ours; empty where none are.
    set: String,
    access: client::Shared,
    /// Tests' own server is spoken to as if it were Amazon's.
    #[cfg(test)]
    amazon: bool,
}

/// The object that [`S3::probe`] leaves where it cannot delete it. Not listed.
const PROBE: &str = ".mainstay-probe";

impl S3 {
    /// The bucket, with a prefix without slashes at its ends. Nothing is asked yet, of nobody.
    pub fn new(bucket: &str, prefix: &str, options: &Options, context: &Context) -> Self {
        let prefix = prefix.trim_matches('/');
        let address = if prefix.is_empty() { format!("s3://{bucket}") } else { format!("s3://{bucket}/{prefix}") };
        Self {
            address,
            bucket: bucket.to_owned(),
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
            options: options.s3.clone(),
            context: context.clone(),
            pace: Pace::default(),
            set: options.set.clone(),
            access: client::Shared::default(),
            #[cfg(test)]
            amazon: false,
        }
    }

    /// The same with other limits.
    #[must_use]
    pub fn at(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

impl Shelf for S3 {
    fn address(&self) -> &str {
        &self.address
    }

    fn keeps_time(&self) -> bool {
        true
    }

    fn inspect(&self) -> BoxFuture<'_, Result<Condition, Trouble>> {
        Box::pin(self.look())
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Object>, Trouble>> {
        Box::pin(self.objects())
    }

    fn open<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Reading, Trouble>> {
        Box::pin(async move {
            expect_name(name)?;
            self.read(name).await
        })
    }
}

impl Destination for S3 {
    /// A bucket needs nothing: it is made, and made safe, by its administrator (`backup init --print-policy`).
    fn prepare(&self) -> BoxFuture<'_, Result<(), Trouble>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// An upload has the name from its beginning; the archive is spooled first.
    fn draft(&self) -> BoxFuture<'_, Result<Option<Box<dyn Draft>>, Trouble>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn put<'a>(&'a self, name: &'a str, body: Body) -> BoxFuture<'a, Result<Receipt, Trouble>> {
        Box::pin(async move {
            expect_name(name)?;
            self.store(name, body).await
        })
    }

    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        Box::pin(async move {
            expect_name(name)?;
            self.delete(name).await
        })
    }

    fn tidy(&self) -> BoxFuture<'_, Result<Vec<String>, Trouble>> {
        Box::pin(self.abort_unfinished())
    }
}
