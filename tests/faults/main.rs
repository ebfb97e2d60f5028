//! The real binary while the ground gives way: killed at any moment, cut off from its store, on a full disk.

#![expect(clippy::disallowed_methods, reason = "tests start programs and make the world that they see")]
#![expect(clippy::print_stdout, reason = "a skipped test says so; a long one says how it went")]

mod acme;
mod aftermath;
mod callers;
mod cron;
mod cut;
mod dice;
mod full;
mod history;
mod kills;
#[path = "../testbed/listening.rs"]
mod listening;
mod meanwhile;
mod moto;
mod outage;
mod podman;
#[path = "../cli/program.rs"]
#[expect(dead_code, reason = "the tests of the command line use more of it")]
mod program;
mod renewal;
mod scene;
mod tree;
