//! Runs other programs: own process group, deadline, bounded output, TERM and then KILL.

mod command;
#[cfg(all(test, feature = "aws"))]
#[path = "../../../tests/testbed/listening.rs"]
pub(crate) mod listening;
mod machine;
pub mod room;
mod scripted;
pub mod session;

pub use command::{Command, Failure, Output};
pub use machine::Machine;
pub use scripted::Scripted;

use futures_util::future::BoxFuture;

/// Runs a program to its end. The only way to start one.
pub trait Runner: Send + Sync {
    /// Runs `command`; a program that ran and failed is an [`Output`], not a [`Failure`].
    fn run(&self, command: Command) -> BoxFuture<'_, Result<Output, Failure>>;
}
