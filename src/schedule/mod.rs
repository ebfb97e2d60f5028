//! `mainstay schedule`: machines that run at some times and are stopped at others.
//!
//! So far what needs no machine: the calendar of a schedule, followed over a span of dates.

mod settings;
mod simulate;

pub use settings::Schedule;
pub use simulate::{Moment, Simulation, simulate};
