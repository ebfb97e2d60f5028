//! `mainstay renew-cert`.

use clap::Args;

/// Start again what a renewal that was cut off had stopped
///
/// Waits for a run that is at work, ends what its certbot left, starts the containers and units that it had stopped, proves
/// that they are back, and gives them back their restart policy. Does nothing when nothing is owed. Every command that may
/// change something does the same first.
#[derive(Args, Debug)]
pub struct RenewCertArgs {
    /// Start what an earlier run owes, and nothing else
    #[arg(long, required = true)]
    pub recover: bool,
}
