//! `database.maintenance`: nothing waits for the databases of a schedule that nobody knows of, and nothing of them ends soon.

use futures_util::{FutureExt, future::BoxFuture};

use super::{Check, Timetable, TimetableScope};
use crate::{
    report::Finding,
    rules::{database_maintenance::ID, fleet::Service},
};

/// `database.maintenance`.
pub struct DatabaseMaintenance;

impl Check<Timetable> for DatabaseMaintenance {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "databases of schedules have backups and no public address, and no upkeep, certificate or support that runs out"
    }

    fn needs(&self) -> &'static str {
        "a `[database]` section, and a schedule with `rds`"
    }

    fn applies(&self, timetable: &Timetable) -> Result<(), String> {
        let has_databases = timetable.schedule.selectors.iter().any(|selector| selector.service == Service::Rds);
        match timetable.upkeep {
            _ if !has_databases => Err("the schedule has no databases".into()),
            None => Err("there is no `[database]` section".into()),
            Some(_) if cfg!(feature = "aws") => Ok(()),
            Some(_) => Err("this mainstay was built without Amazon's clients".into()),
        }
    }

    fn run<'a>(&'a self, scope: &'a TimetableScope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        look(scope).boxed()
    }

    fn by_hand(&self, timetable: &Timetable) -> String {
        let databases = timetable.schedule.selectors.iter().filter(|selector| selector.service == Service::Rds);
        let region = databases.flat_map(|selector| &selector.regions).next().map_or("us-east-1", String::as_str);
        format!("aws rds describe-pending-maintenance-actions --region {region}")
    }
}

#[cfg(feature = "aws")]
async fn look(scope: &TimetableScope<'_>) -> Vec<Finding> {
    use crate::rules::database_maintenance::judge;

    let Timetable { schedule, upkeep: Some(policy), .. } = scope.timetable else { return Vec::new() };
    let seen = scope.inventory().await;
    let (upkeep, unseen) = crate::schedule::upkeep(schedule, seen).await;
    let mut findings: Vec<Finding> = Vec::new();
    for (place, trouble) in unseen {
        let summary = format!("could not look at the upkeep of the databases in {place}");
        let finding = Finding::unknown(ID, &schedule.name, summary).cause(trouble.why).fix(trouble.fix);
        findings.push(finding.data("reason", trouble.reason).data("region", place));
    }
    if !upkeep.is_empty() || findings.is_empty() {
        findings.extend(judge(&schedule.name, &upkeep, *policy, scope.context.clock.now()));
    }
    findings
}

#[cfg(not(feature = "aws"))]
async fn look(scope: &TimetableScope<'_>) -> Vec<Finding> {
    vec![Finding::skip(ID, &scope.timetable.schedule.name, "this mainstay was built without Amazon's clients")]
}
