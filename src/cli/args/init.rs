//! `mainstay init`.

use clap::Args;

/// Write a first mainstay.toml from what is found here
///
/// Looks at this folder, git, the running containers, nginx and its servers, gunicorn, certbot's certificates, age keys and
/// AWS's settings, says what it found and from where, and writes a configuration with comments that `mainstay check` can run
/// on at once. Nothing is asked on the network, and no file is ever overwritten.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct InitArgs {
    /// Print the configuration and write nothing, no key either
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

const EXAMPLES: &str = "\
Examples:
  mainstay init --dry-run                      what would be written
  mainstay init                                ./mainstay.toml, and a key for backups where none is found
  sudo mainstay init --config /etc/mainstay/mainstay.toml";
