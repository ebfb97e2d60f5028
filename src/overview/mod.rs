//! What the jobs look like from above: everything at a glance, as a page, and what was done.

pub mod glance;
pub mod history;
pub mod page;
