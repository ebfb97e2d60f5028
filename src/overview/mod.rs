//! What the four jobs look like from above: everything at a glance, and as a page.

pub mod glance;
pub mod page;
