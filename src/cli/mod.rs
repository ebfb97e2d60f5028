//! The command line: the only floor that knows a terminal exists.

pub mod config;
pub mod settings;
