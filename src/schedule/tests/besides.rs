//! What is asked of Amazon beside what machines do: of moto where it knows it, of the cloud of our own where rights are missing.

use aws_sdk_ec2::types::{BlockDeviceMapping, EbsBlockDevice, ResourceType, Tag, TagSpecification};

use super::{
    cloud::{Call, Cloud, Fake, Reply},
    moto::Moto,
    *,
};
use crate::{
    report::Status,
    rules::database_maintenance::{Policy, judge as judge_upkeep},
};

#[tokio::test]
async fn schedule_case_43_and_37_what_a_stop_empties_and_which_keys_a_start_needs_is_asked_of_amazon() {
    let Some(moto) = Moto::start("schedule_case_43_and_37_what_a_stop_empties_and_which_keys_a_start_needs") else {
        return;
    };
    let plain = moto.launch("us-east-2", 1, &[]).await;
    let sdk = moto.sdk("us-east-2").await;
    let client = aws_sdk_ec2::Client::new(&sdk);
    let image = client.describe_instances().instance_ids(&plain[0]).send().await.unwrap();
    let image = image.reservations()[0].instances()[0].image_id().unwrap().to_owned();
    let key = "arn:aws:kms:us-east-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let disk = EbsBlockDevice::builder().encrypted(true).kms_key_id(key).volume_size(8).build();
    let disk = BlockDeviceMapping::builder().device_name("/dev/sdf").ebs(disk).build();
    let tag = Tag::builder().key("Schedule").value("office-hours").build();
    let tags = TagSpecification::builder().resource_type(ResourceType::Instance).tags(tag).build();
    let run = client.run_instances().image_id(image).min_count(1).max_count(1).instance_type("m5d.large".into());
    let run = run.block_device_mappings(disk).tag_specifications(tags).send().await.unwrap();
    let id = run.instances()[0].instance_id().unwrap().to_owned();

    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), vec![office_hours()]);
    let context = context(&moto.url(), DAY);
    let keys = volume_keys(&settings, &context).await;
    let own = keys.get(&None).unwrap().as_ref().unwrap();
    assert_eq!(own.iter().map(String::as_str).collect::<Vec<_>>(), [key], "the plain one has none");

    let found = inventory(&settings, context.clock.now(), &context).await;
    let (stores, rights) = besides(&settings.schedules[0], &found).await;
    assert_eq!(stores.len(), 1);
    let sizes = stores[0].sizes.as_ref().unwrap();
    assert_eq!(sizes.iter().collect::<Vec<_>>(), [(&"m5d.large".to_owned(), &75)], "{id}: t3.large has none");
    assert!(rights.len() == 2 && rights.iter().all(|right| right.allowed == Some(true)), "{rights:?}");
    let after = client.describe_instances().instance_ids(&id).send().await.unwrap();
    let state = after.reservations()[0].instances()[0].state().unwrap().name().unwrap().as_str().to_owned();
    assert_eq!(state, "running", "a dry run does nothing");
}

#[tokio::test]
async fn what_the_credentials_may_not_do_is_told_by_dry_runs_before_it_is_needed() {
    let cloud =
        Cloud::start(vec![Fake::instance("i-0000000000000000a", "running")], |call, _, _| match call.action.as_str() {
            "StopInstances" => Some(Reply(403, "UnauthorizedOperation", "You are not authorized.".into())),
            "StartInstances" => Some(Reply(412, "DryRunOperation", "Request would have succeeded.".into())),
            "DescribeInstanceTypes" => Some(Reply(403, "UnauthorizedOperation", "You are not authorized.".into())),
            _ => None,
        })
        .await;
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), vec![office_hours()]);
    let context = context(&cloud.url, DAY);
    let found = inventory(&settings, context.clock.now(), &context).await;
    let (stores, rights) = besides(&settings.schedules[0], &found).await;
    assert!(stores[0].sizes.as_ref().is_err_and(|why| why.contains("UnauthorizedOperation")), "{stores:?}");
    assert_eq!(rights.iter().map(|right| right.allowed).collect::<Vec<_>>(), [Some(true), Some(false)]);
    let asked: Vec<_> = cloud.calls().into_iter().filter(|call| call.action.ends_with("tInstances")).collect();
    let pretends = |call: &Call| call.parameters.get("DryRun").is_some_and(|value| value == "true");
    assert!(cloud.changes().iter().any(|change| change.starts_with("StopInstances")));
    assert!(asked.iter().all(pretends), "nothing but dry runs: {asked:?}");
}

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

#[tokio::test]
async fn the_upkeep_of_databases_is_read_and_what_is_refused_beside_it_is_told_with_each() {
    let waits = Fake { reason: "system-update".into(), ..Fake::database("db", "available") };
    let cloud = Cloud::start(vec![waits.clone(), Fake::database("quiet", "stopped")], |_, _, _| None).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), vec![office_hours()]);
    let at = context(&cloud.url, DAY);
    let found = inventory(&settings, at.clock.now(), &at).await;
    let (all, unseen) = upkeep(&settings.schedules[0], &found).await;
    assert!(unseen.is_empty() && all.len() == 2, "{all:?} {unseen:?}");
    assert_eq!(all[0].support_ends, Ok(Some("2031-02-28T00:00:00Z".parse().unwrap())), "the ordinary support");
    let pending = all[0].pending.as_ref().unwrap();
    assert!(pending.len() == 1 && pending[0].forced && all[1].pending == Ok(Vec::new()), "{pending:?}");
    let policy = Policy { warn: days(90), fail: days(14), public: Some(Status::Warn) };
    let findings = judge_upkeep("office-hours", &all[..1], policy, at.clock.now());
    findings.iter().for_each(crate::report::assert_one_voice);
    let reason = |finding: &crate::report::Finding| finding.data["reason"].as_str().unwrap().to_owned();
    let told: Vec<(Status, String)> = findings.iter().map(|finding| (finding.status, reason(finding))).collect();
    let word = |status, word: &str| (status, word.to_owned());
    assert_eq!(
        told,
        [
            word(Status::Warn, "pending"),
            word(Status::Warn, "authority"),
            // The support lasts for 95 days more.
            word(Status::Fail, "no-backups"),
            word(Status::Warn, "public"),
        ]
    );

    let refusing = Cloud::start(vec![waits], |call, _, _| {
        let refused =
            ["DescribePendingMaintenanceActions", "DescribeDBMajorEngineVersions"].contains(&call.action.as_str());
        refused.then(|| Reply(403, "AccessDenied", "User is not authorized to perform it".into()))
    })
    .await;
    let at = context(&refusing.url, DAY);
    let found = inventory(&settings, at.clock.now(), &at).await;
    let (all, _) = upkeep(&settings.schedules[0], &found).await;
    assert!(all[0].pending.as_ref().is_err_and(|why| why.starts_with("AccessDenied: ")), "{all:?}");
    assert!(all[0].support_ends.is_err());
}

#[tokio::test]
async fn what_moto_does_not_know_of_the_upkeep_is_not_known() {
    let Some(moto) = Moto::start("what_moto_does_not_know_of_the_upkeep_is_not_known") else { return };
    moto.database("us-east-2", "app", "postgres", None).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), vec![office_hours()]);
    let at = context(&moto.url(), DAY);
    let found = inventory(&settings, at.clock.now(), &at).await;
    let (all, unseen) = upkeep(&settings.schedules[0], &found).await;
    assert!(unseen.is_empty(), "{unseen:?}");
    assert_eq!((all.len(), all[0].id.as_str(), all[0].public), (1, "app", false));
    assert!(all[0].backup_days.is_some(), "moto sets a retention");
    assert!(all[0].pending.is_err() && all[0].support_ends.is_err(), "{all:?}");
}
