//! `mainstay schedule`: machines that run at some times and are stopped at others.
//!
//! The calendar says what is wanted, Amazon says what is, and the difference is brought about. Nothing is remembered about
//! people: whoever started or stopped a machine after the last boundary is read from Amazon's own record of it.

#[cfg(feature = "aws")]
mod apply;
#[cfg(feature = "aws")]
mod besides;
#[cfg(feature = "aws")]
mod deploy;
#[cfg(feature = "aws")]
mod firings;
#[cfg(feature = "aws")]
mod inventory;
#[cfg(feature = "aws")]
mod override_;
#[cfg(feature = "aws")]
mod place;
mod plan;
mod settings;
mod simulate;
#[cfg(test)]
#[cfg(feature = "aws")]
mod tests;
#[cfg(feature = "aws")]
mod trouble;

#[cfg(feature = "aws")]
pub use apply::apply;
#[cfg(feature = "aws")]
pub use besides::{besides, upkeep, volume_keys};
#[cfg(feature = "aws")]
pub use deploy::{Request as DeployRequest, deploy, undeployed};
#[cfg(feature = "aws")]
pub use inventory::{Blind, Inventory, inventory};
#[cfg(feature = "aws")]
pub use override_::override_;
#[cfg(feature = "aws")]
pub use place::Place;
pub use plan::{Action, Entry, ID, Sighting, findings, hold_late, hold_order, judge, missing, steps, wanted};
pub use settings::{Deploy, Patience, Role, Schedule, Selector, Settings};
pub use simulate::{Moment, Simulation, simulate};
#[cfg(feature = "aws")]
pub use trouble::Trouble;
