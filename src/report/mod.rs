//! The vocabulary of every floor: what was found, what will be done, what was done.
//!
//! Plain data, serialised as schema 1 of `docs/report.md`; grows compatibly.

mod finding;
mod outcome;
mod plan;
mod progress;
#[cfg(test)]
mod voice;

pub use finding::{Finding, Status};
pub use outcome::{Counts, Outcome, Report, SCHEMA, State};
pub use plan::{Plan, Risk, Step};
pub use progress::{Progress, Silent};
#[cfg(test)]
pub(crate) use voice::assert_one_voice;
