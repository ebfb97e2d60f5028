//! The real binary, as an operator, cron and CI meet it: one module a topic.

#![expect(clippy::disallowed_methods, reason = "tests start the binary and make the world it sees")]
#![expect(clippy::print_stdout, reason = "a skipped test says so; tests/run counts these lines")]

#[cfg(feature = "aws")]
mod amazon;
mod backup;
mod backup_check;
mod bed;
mod config;
mod hidden;
mod history;
mod hook;
mod host;
mod init;
#[cfg(feature = "aws")]
mod lambda;
#[cfg(feature = "aws")]
#[path = "../testbed/listening.rs"]
mod listening;
mod notify;
mod package;
mod pages;
mod program;
mod quickstart;
mod report;
mod runbook;
mod schedule;
mod server;
mod signals;
mod site;
mod timers;
mod trouble;
mod usage;
