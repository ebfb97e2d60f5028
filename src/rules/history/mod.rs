//! What is remembered of a run, and what is new in it.
//!
//! One record a run. Each carries since when things have been wrong, also what it did not look at itself, so that the
//! next run of the same kind needs this one record to know what is new and what has recovered.

mod compare;
mod record;
mod run;
#[cfg(test)]
mod tests;

pub use compare::{Gone, Known, Recovered};
pub use record::{Facts, LONGEST, read, write};
pub use run::{Change, Ending, Fine, Run, SCHEMA, Trouble};
