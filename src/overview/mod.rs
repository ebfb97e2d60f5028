//! What stands above the jobs and sees all of them together.

pub mod runbook;
