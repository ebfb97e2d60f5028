//! `schedule.drift`: machines are where their schedule wants them, and nothing will move them without being asked.

use futures_util::{FutureExt, future::BoxFuture};

use super::{Check, Timetable, TimetableScope};
use crate::{report::Finding, rules::schedule_drift::ID};

/// `schedule.drift`.
pub struct ScheduleDrift;

impl Check<Timetable> for ScheduleDrift {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "machines are where their schedule wants them, and EventBridge has what the file says"
    }

    fn needs(&self) -> &'static str {
        "a `[schedule.NAME]` section, and credentials that may look"
    }

    fn applies(&self, _timetable: &Timetable) -> Result<(), String> {
        if cfg!(feature = "aws") { Ok(()) } else { Err("this mainstay was built without Amazon's clients".into()) }
    }

    fn run<'a>(&'a self, scope: &'a TimetableScope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        look(scope).boxed()
    }

    fn by_hand(&self, timetable: &Timetable) -> String {
        let regions = timetable.schedule.selectors.iter().flat_map(|selector| &selector.regions);
        let region = regions.into_iter().next().map_or("us-east-1", String::as_str);
        format!(
            "aws ec2 describe-instances --region {region} --query 'Reservations[].Instances[].[InstanceId,State.Name]'"
        )
    }
}

#[cfg(feature = "aws")]
async fn look(scope: &TimetableScope<'_>) -> Vec<Finding> {
    use crate::{
        rules::{instance_store, schedule_drift::judge, schedule_rights},
        schedule::{self, besides, undeployed},
    };

    let Timetable { schedule, settings, .. } = scope.timetable;
    let now = scope.context.clock.now();
    let settings = schedule::Settings { schedules: vec![schedule.clone()], yes: true, ..(**settings).clone() };
    let seen = scope.inventory().await;
    let mut findings = Vec::new();
    let (stores, rights) = besides(schedule, seen).await;
    for blind in seen.findings.iter().filter(|finding| finding.data.contains_key("region")).cloned() {
        findings.push(Finding { id: ID, ..blind });
    }
    let rows: Vec<_> = seen.entries.iter().map(|entry| entry.judgement.clone()).collect();
    // Where something could not be seen, that nothing belongs to it is not known.
    if !rows.is_empty() || findings.is_empty() {
        let judged = judge(&schedule.name, &schedule.calendar, &rows, now);
        findings.extend(
            judged.into_iter().filter(|finding| findings.is_empty() || !finding.status.is_fine()).collect::<Vec<_>>(),
        );
    }
    findings.extend(instance_store::judge(&schedule.name, &rows, &stores));
    findings.extend(schedule_rights::judge(&schedule.name, &rights));
    if schedule.deploy.is_some() {
        findings.extend(deployed(&schedule.name, undeployed(&settings, scope.context).await));
    }
    findings
}

/// Whether EventBridge has what the file says.
#[cfg(feature = "aws")]
fn deployed(name: &str, found: Result<Vec<String>, crate::error::Error>) -> Option<Finding> {
    match found {
        Ok(changes) if changes.is_empty() => None,
        Ok(changes) => {
            let summary = format!("EventBridge does not have what the file says: {} differences", changes.len());
            let finding = Finding::fail(ID, name, summary).observed(changes.join("; "));
            Some(finding.fix("look with `mainstay schedule deploy --dry-run`, then deploy").data("reason", "deployed"))
        }
        Err(error) => {
            let fix = error.hints.first().cloned();
            let finding = Finding::unknown(ID, name, "what EventBridge has could not be seen").cause(error.to_string());
            Some(
                finding
                    .fix(fix.unwrap_or_else(|| "see `mainstay schedule deploy --dry-run`".into()))
                    .data("reason", "unseen"),
            )
        }
    }
}

#[cfg(not(feature = "aws"))]
async fn look(scope: &TimetableScope<'_>) -> Vec<Finding> {
    vec![Finding::skip(ID, &scope.timetable.schedule.name, "this mainstay was built without Amazon's clients")]
}
