//! `mainstay backup restore`: plan, stage, authenticate, swap, check, and a way back.
//!
//! ```text
//!  plan     what would change, file by file; a fresh target needs no look into the archive
//!  apply    stage beside the target -> read to the archive's end -> journal -> swap -> check what is on the disk
//!  resume   goes on with a restore that was killed while it swapped
//!  undo     takes a restore back, killed or finished, until the next one
//! ```
//!
//! Everything is staged in `.mainstay-restore-…` in the target itself, on the same file system, so that the swap is nothing
//! but renames. What was replaced stays there afterwards.

mod apply;
mod arrange;
mod changes;
mod check;
mod commit;
mod ending;
mod journal;
mod plan;
mod request;
mod room;
mod selection;
mod source;
mod spool;
mod stage;
mod survey;
#[cfg(test)]
mod tests;
mod undo;
mod wanting;

pub use apply::apply;
pub use changes::{Changes, Count};
pub use plan::{Action, Planned, Refused, Restore, plan};
pub use request::{Listing, Overwrite, Privileges, Request, Restored, Revert, Source, Summary, Target, Unsigned};
pub use source::{Sealed, Unpack, Watch};
pub use undo::{Unfinished, pending, resume, undo};

/// The id of every finding of a restore.
const ID: &str = "backup.restore";

/// What the names of staging folders begin with. A backup leaves such folders out: they hold old secrets.
pub const STAGING: &str = ".mainstay-restore-";
