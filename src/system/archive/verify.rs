//! Proves an archive good without writing anything.

use std::io::Read;

use super::{
    Damage, Terms, Verified,
    entries::{Map, Piece},
    reading::{self, Sink},
};
use crate::rules::manifest::{Entry, Kind};

/// Decrypts and unpacks an archive to its very end, hashes every file, and holds all of it against the manifest.
///
/// `each` gets the entries as they are in the archive, in its order: only when this returns `Ok` can they be believed. What
/// the manifest alone knows, that a file changed while it was read, is among the notes.
///
/// # Errors
///
/// Why the archive is not good.
pub fn verify(reader: impl Read + Send, terms: &Terms<'_>, each: &mut dyn FnMut(&Entry)) -> Result<Verified, Damage> {
    let nothing = Glance { select: &|_| false, limit: 0, content: &mut |_, _| {} };
    glance(reader, terms, each, nothing)
}

/// A look at the content of a few small files.
pub struct Glance<'a> {
    /// Of which files, by their paths.
    pub select: &'a dyn Fn(&[u8]) -> bool,
    /// No content is longer; a longer file is not looked at.
    pub limit: u64,
    /// Gets path and content.
    pub content: &'a mut dyn FnMut(&[u8], Vec<u8>),
}

/// The same, and hands over the content of a few small files: what a plan compares with the disk without writing it anywhere.
///
/// # Errors
///
/// As [`verify`].
pub fn glance(
    reader: impl Read + Send,
    terms: &Terms<'_>,
    each: &mut dyn FnMut(&Entry),
    glance: Glance<'_>,
) -> Result<Verified, Damage> {
    reading::read(reader, terms, &mut Onlooker { each, glance, content: None })
}

/// Looks at the entries, and lets nearly all content go.
struct Onlooker<'a, 'b> {
    each: &'a mut dyn FnMut(&Entry),
    glance: Glance<'b>,
    /// What there is so far of a file that is looked at.
    content: Option<Vec<u8>>,
}

impl Sink for Onlooker<'_, '_> {
    fn begin(&mut self, entry: &Entry, map: Option<&Map>) -> Result<(), Damage> {
        // A file with holes is no text.
        let is_small = matches!(entry.kind, Kind::File { size, .. } if size <= self.glance.limit) && map.is_none();
        self.content = (is_small && (self.glance.select)(&entry.path)).then(Vec::new);
        Ok(())
    }

    fn piece(&mut self, piece: Piece<'_>) -> Result<(), Damage> {
        if let (Some(content), Piece::Data(bytes)) = (&mut self.content, piece) {
            content.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn end(&mut self, entry: &Entry) -> Result<(), Damage> {
        if let Some(content) = self.content.take() {
            (self.glance.content)(&entry.path, content);
        }
        (self.each)(entry);
        Ok(())
    }
}
