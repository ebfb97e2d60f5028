//! What the jobs look like from above: everything at a glance, as a page, what was done, and the
//! document that says how all of it is done by hand.

pub mod glance;
pub mod history;
pub mod page;
pub mod runbook;
