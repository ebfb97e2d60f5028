//! `mainstay config`.

use clap::{Args, Subcommand};

/// Check, show or describe the configuration file
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct ConfigArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// One variant a subcommand.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Subcommand)]
pub enum ConfigCommand {
    /// Report every error of the file at once
    Check {
        /// Also send a test message to every channel of `[notify]`, and a ping that counts for nothing to every switch
        #[arg(long)]
        notify: bool,
    },
    /// Print every value and where it came from; secrets are never shown
    Show,
    /// Print the JSON Schema that editors use
    Schema,
}

const EXAMPLES: &str = "\
Examples:
  mainstay config check                        every error at once, with line and column
  mainstay config check --notify               a test message to everybody who is told
  mainstay config show                         each value and where it came from
  mainstay config schema > mainstay.schema.json   completion and checking in an editor";
