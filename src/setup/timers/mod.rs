//! `mainstay timers`: the jobs of the configuration as timers of systemd, or as lines of cron.
//!
//! [`Survey::of`] looks at what is there, [`plan()`] compares it with what the configuration wants, [`apply()`] brings it
//! about. Nothing of others is touched: units and lines carry a marker with the project and the configuration that they
//! are from, and without it they are not ours.

mod apply;
mod cron;
mod job;
mod mark;
mod plan;
mod sandbox;
mod settings;
mod show;
mod survey;
#[cfg(test)]
mod tests;
mod unit;
mod word;

pub use apply::apply;
pub use cron::Table;
pub use job::Job;
pub use plan::{Act, Aim, Sketch, plan, plan_removal};
pub use settings::{Home, Needs, Settings, Task};
pub use show::{Row, State, rows};
pub use survey::Survey;
pub use unit::{File, files};
