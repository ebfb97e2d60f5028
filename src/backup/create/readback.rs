//! Reads back what was stored: only that makes an archive good.

use std::sync::Arc;

use crate::{
    backup::proof::{self, Opener, Unproved},
    rules::sidecar::Proof,
    system::{
        Context,
        archive::{Keys, Limits, Written},
        store::{Reason, Receipt, Shelf, Trouble},
    },
};

/// Reads an archive back and compares it with what was written: with keys to the last file, without to the last byte.
///
/// Credentials that may only write cannot read it; then it is as good as the checksum that the store confirmed.
///
/// # Errors
///
/// What is stored is not what was written, or cannot be known to be.
pub(super) async fn prove(
    shelf: &dyn Shelf,
    name: &str,
    written: &Written,
    keys: Option<&Arc<Keys>>,
    receipt: Receipt,
    context: &Context,
) -> Result<Proof, Trouble> {
    let opener = keys.map(|keys| Opener {
        keys: Arc::clone(keys),
        sealed_for: Vec::new(),
        limits: Limits::of(&written.contents),
    });
    let read = match proof::read(shelf, name, opener, context).await {
        Ok(read) => read,
        Err(Unproved::Place(trouble)) if trouble.reason == Reason::Permission && receipt.checksum => {
            return Ok(Proof::Checksum);
        }
        Err(Unproved::Place(trouble)) => return Err(trouble),
        Err(unproved) => {
            return Err(bad(format!("what was read back is not good: {}", unproved.why())));
        }
    };
    let same = read.bytes == written.bytes && read.sha256 == written.sha256;
    match read.opened {
        _ if !same => Err(bad("what was read back is not what was written".to_owned())),
        None => Ok(Proof::ReadBack),
        Some(opened) if opened.content == written.content => Ok(Proof::Decrypted),
        Some(_) => Err(bad("what was read back holds other files than were written".to_owned())),
    }
}

fn bad(why: String) -> Trouble {
    Trouble::new(Reason::Damaged, why, "check the medium, then run the command again")
}
