//! `mainstay backup`: makes encrypted archives, keeps them in safe places, proves that they can be restored.

mod catalog;
mod record;
mod settings;

pub use catalog::{Archive, Catalog, Incomplete, Lack, Origin, Query};
pub use record::{Drill, Good, Last, Record, Seen};
pub use settings::{Dump, Padlock, Set, Settings};
