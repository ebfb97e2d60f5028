//! `mainstay check`.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::Kept;
use crate::{check::Family, rules::units::parse_duration};

/// Look at live sites, backups and certificates and judge what is really there
///
/// Looks at the certificate chain, the redirects, the nginx configuration, gunicorn's settings and the OAuth login of
/// every configured site at once, at every backup (its age, its secrets, its repository), at every certificate that is
/// renewed here, and at every schedule. With sections for them also at this machine (`host`), at the registration of domains
/// (`domain`) and at the databases of schedules. Changes nothing. With an address instead of a name no configuration is needed: all that can be seen from
/// outside is checked.
#[derive(Args, Debug, Default)]
#[command(after_long_help = EXAMPLES)]
pub struct CheckArgs {
    /// Sites, backups, certificates and schedules of the configuration, `host`, `domain`, or addresses; everything
    /// configured when none is given
    #[arg(value_name = "NAME|URL")]
    pub targets: Vec<String>,

    /// Run only these checks: ids or their first words, separated by commas
    #[arg(long, value_name = "ID,..", value_delimiter = ',', help_heading = "Selection")]
    pub only: Vec<String>,

    /// Leave these checks out: ids or their first words, separated by commas
    #[arg(long, value_name = "ID,..", value_delimiter = ',', help_heading = "Selection")]
    pub skip: Vec<String>,

    /// List the checks, what each makes sure of and what it needs
    #[arg(long, help_heading = "Selection")]
    pub list: bool,

    /// Repeat what a deploy can still mend (refused, 5xx, wrong certificate) for this long
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, help_heading = "Looking")]
    pub wait: Option<Duration>,

    /// Connect to this address instead of what the DNS says (can be repeated)
    #[arg(long, value_name = "HOST:PORT:ADDR", help_heading = "Looking")]
    pub resolve: Vec<String>,

    /// Trust the certificates in this PEM file too
    #[arg(long, value_name = "PEM", help_heading = "Looking")]
    pub ca_file: Option<PathBuf>,

    /// Use IPv4 addresses only
    #[arg(short = '4', long, conflicts_with = "ipv6", help_heading = "Looking")]
    pub ipv4: bool,

    /// Use IPv6 addresses only
    #[arg(short = '6', long, help_heading = "Looking")]
    pub ipv6: bool,

    /// Print for each check the hand-run command that it replaces
    #[arg(long, help_heading = "Judging")]
    pub explain: bool,

    /// Count a warning as a failure
    #[arg(long, help_heading = "Judging")]
    pub strict: bool,
}

impl CheckArgs {
    /// Whether nothing but addresses is to be looked at, which needs no configuration.
    pub fn only_addresses(&self) -> bool {
        !self.targets.is_empty() && self.targets.iter().all(|target| target.contains("://"))
    }

    /// What the history says of it.
    pub(super) fn kept(&self) -> Option<Kept<'_>> {
        let partial = !self.only.is_empty() || !self.skip.is_empty();
        let otherwise = !self.resolve.is_empty() || self.ca_file.is_some() || self.family() != Family::Any;
        let kept = Kept { partial, otherwise, timed: true, ..Kept::of("check", &self.targets) };
        (!self.only_addresses()).then_some(kept)
    }

    /// The address families to use.
    pub fn family(&self) -> Family {
        match (self.ipv4, self.ipv6) {
            (true, _) => Family::V4,
            (_, true) => Family::V6,
            _ => Family::Any,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  mainstay check                               every site and backup of mainstay.toml
  mainstay check https://www.example.org       no configuration needed
  mainstay check prime --only tls,http.status  some checks of one site
  mainstay check --only backup                 backups only
  mainstay check --wait 60s --output junit=check.xml    after a deploy
  mainstay check --resolve www.example.org:443:192.0.2.7    a new host before the DNS is switched
  mainstay check --quiet                       from cron: silent when all is well
  mainstay check --list                        what there is to check";
