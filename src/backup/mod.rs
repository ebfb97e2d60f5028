//! `mainstay backup`: makes encrypted archives, keeps them in safe places, proves that they can be restored.

mod catalog;
mod record;
pub mod restore;
mod settings;

pub use catalog::{Archive, Catalog, Incomplete, Origin};
pub use record::{Drill, Good, Last, Record, Seen};
pub use settings::{Dump, Padlock, Set, Settings};
