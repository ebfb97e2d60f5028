//! One backup at one destination: what most jobs work on, a pair at a time.

use jiff::Timestamp;

use super::{Catalog, Query, Record, Set};
use crate::system::{
    signature::PublicKey,
    store::{Shelf, Trouble},
};

/// A backup, a destination that it goes to, and what this host remembers. `S` is the half of the destination that the job
/// may use.
#[derive(Debug)]
pub struct Stock<'a, S: ?Sized> {
    /// The project of the configuration.
    pub project: &'a str,
    /// The backup.
    pub set: &'a Set,
    /// The destination.
    pub shelf: &'a S,
    /// Whose archives are accepted: this host's key and `signers`.
    pub accepted: &'a [PublicKey],
    /// What this host remembers of the backup.
    pub record: &'a Record,
}

impl<S: ?Sized> Clone for Stock<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: ?Sized> Copy for Stock<'_, S> {}

impl<'a, S: ?Sized> Stock<'a, S> {
    /// What is asked of the destination.
    pub fn query(&self, now: Timestamp) -> Query<'a> {
        Query::of(self.project, self.set, self.accepted, self.record, now)
    }

    /// The archives there, once the destination has proved to be the right one.
    ///
    /// # Errors
    ///
    /// It is not there, is another one, or cannot be listed: never an empty catalogue.
    pub(super) async fn catalog(&self, shelf: &dyn Shelf, now: Timestamp) -> Result<Catalog, Trouble> {
        shelf.inspect().await?;
        Catalog::read(shelf, &self.query(now)).await
    }
}
