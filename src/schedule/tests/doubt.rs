//! What could not be seen, and what two schedules claim: nothing is deleted, stopped or handed on because of it.

use super::{
    moto::Moto,
    on_moto::{bring, deployed},
    *,
};
use crate::{
    rules::{calendar::State as Power, fleet::Override},
    system::aws::scheduler::Scheduler,
};

fn direct() -> Schedule {
    deployed(None)
}

async fn bring_all(settings: &Settings, context: &Context) -> Report {
    bring(settings, DeployRequest { all: true, ..DeployRequest::default() }, context).await
}

#[tokio::test]
async fn schedule_case_65_a_deploy_deletes_nothing_of_machines_that_it_could_not_look_at() {
    let Some(moto) = Moto::start("schedule_case_65_a_deploy_deletes_nothing_of_machines_that_it_could_not_look_at")
    else {
        return;
    };
    let ids = moto.launch("us-east-2", 1, &[]).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), vec![direct()]);
    let seeing = context(&moto.url(), DAY);
    assert_eq!(bring_all(&settings, &seeing).await.outcomes.len(), 3);
    let mut variables = (*seeing.environment).clone();
    variables.insert("AWS_ENDPOINT_URL_EC2".into(), "http://127.0.0.1:1".into());
    let blind = Context { environment: Arc::new(variables), ..seeing.clone() };
    let report = bring_all(&settings, &blind).await;
    assert_eq!(
        (came(&report), report.exit()),
        (vec!["deploy mainstay in us-east-2: unchanged".to_owned()], 1),
        "{report:#?}"
    );
    assert!(report.plan.as_ref().unwrap()["notes"].to_string().contains("nothing of `office-hours` is deleted"));
    let names = Scheduler::new(&moto.sdk("us-east-2").await).names("mainstay").await.unwrap();
    assert!(names.contains(&format!("prime.office-hours.off-1900.{}", ids[0])), "{names:?}");
    // Seen again, and gone: then they go.
    let bare = Schedule { selectors: vec![by_tag(Service::Rds, &["us-east-2"])], ..direct() };
    let report = bring_all(&super::settings(folder.path(), vec![bare]), &seeing).await;
    assert_eq!((report.outcomes.len(), report.exit()), (2, 0), "{report:#?}");
}

#[tokio::test]
async fn what_two_schedules_claim_is_not_handed_to_eventbridge() {
    let Some(moto) = Moto::start("what_two_schedules_claim_is_not_handed_to_eventbridge") else { return };
    moto.launch("us-east-2", 1, &[]).await;
    let folder = tempfile::tempdir().unwrap();
    let other = Schedule { name: "always".into(), ..office_hours() };
    let settings = Settings { schedules: vec![direct()], ..settings(folder.path(), vec![direct(), other]) };
    let report = bring_all(&settings, &context(&moto.url(), DAY)).await;
    assert_eq!((came(&report), report.exit()), (vec!["create group mainstay: done".to_owned()], 1), "{report:#?}");
    assert!(report.findings.iter().any(|finding| finding.summary.contains("`office-hours`, `always` at once")));
}

#[tokio::test]
async fn a_schedule_that_is_not_asked_for_claims_what_it_reaches_by_another_way() {
    let Some(moto) = Moto::start("a_schedule_that_is_not_asked_for_claims_what_it_reaches_by_another_way") else {
        return;
    };
    moto.launch("us-east-2", 1, &[]).await;
    let folder = tempfile::tempdir().unwrap();
    let in_account = |account: &str| {
        let role = Role { arn: format!("arn:aws:iam::{account}:role/mainstay"), external_id: None };
        let selector = Selector { role: Some(role), ..by_tag(Service::Ec2, &["us-east-2"]) };
        Schedule { selectors: vec![selector], ..Schedule::new("by-role", calendar()) }
    };
    let evening = context(&moto.url(), EVENING);
    for (account, asked, reason) in [
        ("123456789012", "office-hours", "claimed"),
        ("123456789012", "by-role", "claimed"),
        ("444455556666", "office-hours", "schedule"),
    ] {
        let all = settings(folder.path(), vec![office_hours(), in_account(account)]);
        let schedules = all.schedules.iter().filter(|schedule| schedule.name == asked).cloned().collect();
        let settings = Settings { schedules, ..all };
        let found = inventory(&settings, evening.clock.now(), &evening).await;
        let told: Vec<_> = found.entries.iter().map(|entry| entry.judgement.verdict.reason.word()).collect();
        assert_eq!(told, [reason], "{asked} beside {account}: {:#?}", found.findings);
    }
}

#[tokio::test]
async fn schedule_case_70_an_override_of_a_machine_that_eventbridge_switches_itself_is_a_warning() {
    let Some(moto) = Moto::start("schedule_case_70_an_override_of_a_machine_that_eventbridge_switches_itself") else {
        return;
    };
    let ids = moto.launch("us-east-2", 1, &[]).await;
    let folder = tempfile::tempdir().unwrap();
    let context = context(&moto.url(), DAY);
    let on = Override { state: Power::On, until: "2030-11-26T03:00:00Z".parse().unwrap(), by: None };
    let mut report = Report::new("schedule override", "web-1", context.clock.now());
    override_(&settings(folder.path(), vec![direct()]), &ids[0], Some(&on), &mut report, &context).await.unwrap();
    let told = report.findings.iter().find(|finding| finding.data.get("reason") == Some(&"direct".into())).unwrap();
    assert!(told.summary.contains("all the same") && report.exit() == 0, "{report:#?}");
}
