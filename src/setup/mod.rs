//! Setting mainstay up on a machine: a first configuration, and the timers that run its jobs.

pub mod init;
pub mod timers;
