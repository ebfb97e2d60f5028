//! `mainstay backup`: makes encrypted archives, keeps them in safe places, proves that they can be restored.

mod catalog;
mod list;
pub mod prune;
mod record;
pub mod restore;
mod settings;
mod stock;
#[cfg(test)]
mod testing;

pub use catalog::{Archive, Catalog, Incomplete, Lack, Origin, Query};
pub use list::{Leftover, Listing, Row, Stand, list, list_all};
pub use record::{Drill, Good, Last, Record, Seen};
pub use settings::{Dump, Padlock, Set, Settings};
pub use stock::Stock;
