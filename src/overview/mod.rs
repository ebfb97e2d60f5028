//! What is seen from above all jobs.

pub mod history;
