//! The looking half of prune.

use futures_util::future::join_all;
use jiff::{Timestamp, tz::TimeZone};

use super::{
    ID, Proposal, PruneAction,
    outlook::{Outlook, look},
};
use crate::{
    backup::{Set, Stock, list::unlisted},
    error::{Error, Kind, Result},
    report::{Finding, Plan, Risk, Step},
    system::store::Shelf,
};

/// Decides about everything at these destinations. A destination that cannot be listed is a finding and has no steps.
///
/// # Errors
///
/// A `keep` without any rule, which would remove everything, or a time zone that is none.
pub async fn plan(stocks: &[Stock<'_, dyn Shelf + '_>], now: Timestamp) -> Result<Proposal> {
    let zones: Vec<TimeZone> = stocks.iter().map(|stock| policy(stock.set)).collect::<Result<_>>()?;
    let looks = stocks.iter().zip(&zones).map(|(stock, zone)| look(stock, stock.shelf, zone, now));
    let outlooks = join_all(looks).await;
    let mut proposal = Proposal { plan: Plan::new("remove old archives"), findings: Vec::new() };
    for (stock, outlook) in stocks.iter().zip(outlooks) {
        let (name, destination) = (stock.set.name.as_str(), stock.shelf.address());
        match outlook {
            Ok(outlook) => proposal.add(name, destination, outlook, now),
            Err(trouble) => proposal.findings.push(unlisted(ID, name, destination, &trouble)),
        }
    }
    let removed = proposal.plan.steps.iter().filter(|step| step.action.removes()).count();
    let s = if removed == 1 { "" } else { "s" };
    proposal.plan.title = format!("remove {removed} old archive{s}, keep {}", proposal.plan.steps.len() - removed);
    Ok(proposal)
}

/// The time zone of a policy that has rules.
pub(super) fn policy(set: &Set) -> Result<TimeZone> {
    let what = format!("prune the backup `{}`", set.name);
    if set.keep.is_empty() {
        return Err(Error::new(Kind::Config, what)
            .because("its `keep` has no rule: every archive would go")
            .hint("write how many shall stay, for example `keep = { last = 3, daily = 7 }`"));
    }
    TimeZone::get(&set.timezone).map_err(|error| {
        Error::new(Kind::Config, what).because(error).hint("write a name such as \"Europe/Berlin\" as `timezone`")
    })
}

impl Proposal {
    fn add(&mut self, name: &str, destination: &str, outlook: Outlook, now: Timestamp) {
        let finding = |finding: Finding, reason: &str, fix: &str| {
            finding.fix(fix).data("reason", reason).data("destination", destination)
        };
        if let Some(newest) = &outlook.late {
            self.findings.push(finding(
                Finding::fail(ID, name, format!("`{destination}`: this machine's clock is before the newest archive"))
                    .expected(format!("a clock after the date of {newest}"))
                    .observed(format!("{now:.0}")),
                "clock",
                "set the clock (`timedatectl`); if it is right, remove that archive's three files by hand",
            ));
        }
        if let Some(count) = outlook.stripped {
            self.findings.push(finding(
                Finding::warn(ID, name, format!("`{destination}`: {count} archives have no sidecar and are left alone")),
                "stripped",
                "copy their .json and .json.minisig files there too, or adopt them with `mainstay backup verify --adopt`",
            ));
        }
        if outlook.locked > 0 {
            self.plan.notes.push(format!("{name} at {destination}: {} kept by lock", outlook.locked));
        }
        self.plan.steps.extend(outlook.fates.into_iter().map(|fate| {
            let removes = fate.action.removes();
            Step {
                target: fate.action.work().target(),
                reason: fate.reason,
                risk: if removes { Risk::Destructive } else { Risk::Safe },
                requires: removes.then(|| "a second listing says the same".to_owned()).into_iter().collect(),
                owed: false,
                action: fate.action,
            }
        }));
    }
}

impl PruneAction {
    /// Whether it belongs to this backup at this destination.
    pub(super) fn is_at<S: ?Sized>(&self, stock: &Stock<'_, S>, address: &str) -> bool {
        let work = self.work();
        work.name == stock.set.name && work.destination == address
    }
}
