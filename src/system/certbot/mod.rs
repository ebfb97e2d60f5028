//! certbot and its files. It is called as a tool and never trusted as a guard: what it did is read from the disk.

mod disk;
mod hooks;
mod lock;
mod run;

#[cfg(test)]
pub(crate) use disk::testing;
pub use disk::{Modes, Stored, names, read, relink};
pub use hooks::hooks;
pub use lock::is_locked;
pub use run::{Ended, command, ended, engine, version, version_call};
