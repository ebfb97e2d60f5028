//! `mainstay backup`: makes encrypted archives, keeps them in safe places, proves that they can be restored.

mod adopt;
mod catalog;
mod create;
mod drill;
mod dump;
mod holding;
mod init;
mod keygen;
mod list;
mod place;
mod proof;
pub mod prune;
mod record;
mod recovery;
pub mod restore;
mod settings;
mod stock;
mod tee;
#[cfg(test)]
mod testing;
mod verify;

pub use adopt::adopt;
pub use catalog::{Archive, Catalog, Incomplete, Lack, Origin, Query};
pub use create::{Create, create, lock, recipe};
pub use drill::drill;
pub use holding::{Holding, Learnt, remember};
pub use init::{identities, init};
pub use keygen::keygen;
pub use list::{Leftover, Listing, Row, Stand, list};
pub use record::{Drill, Good, Last, Record, Seen, Size};
pub use settings::{Dump, Padlock, Set, Settings};
pub use stock::Stock;
pub use verify::{Verify, verify};

use crate::{
    error::{Error, Kind, Result},
    system::Context,
};

/// The error of a run that a signal has ended; for the places where it may end.
fn interrupted(context: &Context) -> Result<()> {
    if context.cancel.is_raised() {
        return Err(Error::new(Kind::Interrupted, "finish the backup").because("a signal ended the run"));
    }
    Ok(())
}
