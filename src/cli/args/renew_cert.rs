//! `mainstay renew-cert`.

use clap::Args;

use super::Kept;

/// Renew certificates through certbot without leaving the site down, and prove that they are served
///
/// Decides for each certificate whether it is due, finds a way that works (by webroot where a token is really served, else
/// with what holds port 80 stopped and started again), calls certbot, lets the server load the result, and compares what
/// every address serves with the file. Where nothing is due and an older certificate is served, it only reloads.
#[derive(Args, Debug, Default)]
#[command(after_long_help = EXAMPLES)]
pub struct RenewCertArgs {
    /// Certificates of the configuration; all of them when none is given
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,

    /// Print what would be done and stopped, with the commands it stands for, and change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,

    /// Print the decision for each certificate with everything it rests on
    #[arg(long)]
    pub explain: bool,

    /// Rehearse at the authority's staging; nothing is kept, and nothing is stopped without --yes
    #[arg(long, conflicts_with = "force", help_heading = "Renewing")]
    pub staging: bool,

    /// Renew although nothing is due, still not before a pause after failures is over
    #[arg(long, help_heading = "Renewing")]
    pub force: bool,

    /// Let the renewal file keep how it was renewed this time
    #[arg(long, help_heading = "Renewing")]
    pub remember: bool,

    /// Link the lineage to its newest version that is whole, where a copy or a kill has broken it
    #[arg(long, conflicts_with_all = ["rollback", "force", "staging", "remember", "recover"], help_heading = "Mending")]
    pub repair: bool,

    /// Go back to the certificate before this one
    #[arg(long, conflicts_with_all = ["force", "staging", "remember", "recover"], help_heading = "Mending")]
    pub rollback: bool,

    /// Start again what a run that was killed had stopped
    #[arg(long, conflicts_with_all = ["names", "force", "staging", "remember"], help_heading = "Mending")]
    pub recover: bool,
}

impl RenewCertArgs {
    /// What the history says of it.
    pub(super) fn kept(&self) -> Option<Kept<'_>> {
        let mends = self.repair || self.rollback || self.recover;
        let kept = Kept {
            partial: mends,
            otherwise: self.staging,
            timed: !mends && !self.staging,
            ..Kept::of("renew-cert", &self.names)
        };
        (!self.dry_run).then_some(kept)
    }
}

const EXAMPLES: &str = "\
Examples:
  mainstay renew-cert --dry-run                what is due, why, and what would be stopped
  mainstay renew-cert                          from cron or a timer, twice a day
  mainstay renew-cert prime --staging          a rehearsal that costs no limit of the authority
  mainstay renew-cert prime --force            renew now
  mainstay renew-cert prime --repair           links that a copied volume has broken
  mainstay renew-cert prime --rollback         the certificate before this one
  mainstay renew-cert --recover                after a crash: start what was stopped";
