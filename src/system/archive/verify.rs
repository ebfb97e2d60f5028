//! Proves an archive good without writing anything.

use std::io::Read;

use super::{
    Damage, Terms, Verified,
    entries::{Map, Piece},
    reading::{self, Sink},
};
use crate::rules::manifest::Entry;

/// Decrypts and unpacks an archive to its very end, hashes every file, and holds all of it against the manifest.
///
/// `each` gets the entries as they are in the archive, in its order: only when this returns `Ok` can they be believed. What
/// the manifest alone knows, that a file changed while it was read, is among the notes.
///
/// # Errors
///
/// Why the archive is not good.
pub fn verify(reader: impl Read + Send, terms: &Terms<'_>, each: &mut dyn FnMut(&Entry)) -> Result<Verified, Damage> {
    reading::read(reader, terms, &mut Onlooker(each))
}

/// Looks at the entries, and lets the content go.
struct Onlooker<'a>(&'a mut dyn FnMut(&Entry));

impl Sink for Onlooker<'_> {
    fn begin(&mut self, _entry: &Entry, _map: Option<&Map>) -> Result<(), Damage> {
        Ok(())
    }

    fn piece(&mut self, _piece: Piece<'_>) -> Result<(), Damage> {
        Ok(())
    }

    fn end(&mut self, entry: &Entry) -> Result<(), Damage> {
        (self.0)(entry);
        Ok(())
    }
}
