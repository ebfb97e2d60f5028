//! mainstay carries out a small team's maintenance runbook on AWS and Docker.
//!
//! Floors import downwards only; `tests/floors.rs` holds the table and reads every `crate::` path.
//!
//! ```text
//!  floor 5  cli       args, settings from flags + environment + file, render      knows a terminal exists
//!  floor 4  setup  overview                             init and timers; report, runbook, history   see all jobs
//!  floor 3  check                                       observe -> judge          knows no terminal, no clap
//!  floor 2  backup  schedule  renew_cert                observe -> plan -> apply  know no terminal, no clap
//!  floor 1  system    docker nginx gunicorn tls http resolve process clock state  everything outside this process
//!                     store archive signature tree git aws
//!  floor 0  rules     nginx gunicorn certificate redirect oauth units …           pure: no I/O, no async, no clock
//!                     manifest sidecar retention calendar difference
//!           report    Finding, Plan, Outcome, Report, Progress                    pure vocabulary of all floors
//!           error     Error { kind, what, why, hints }                            pure
//! ```

pub mod backup;
pub mod check;
pub mod cli;
pub mod error;
pub mod overview;
pub mod renew_cert;
pub mod report;
pub mod rules;
pub mod schedule;
pub mod setup;
pub mod system;
