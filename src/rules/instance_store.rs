//! Disks of the host that an instance runs on: whatever a schedule stops loses what is on them.

use std::collections::BTreeMap;

use super::{
    fleet::{Judgement, Kind, Reason},
    schedule_drift::ID,
};
use crate::report::Finding;

/// What EC2 said of the types of the instances of one region.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stores {
    /// The region, and the role where it is not our own account.
    pub place: String,
    /// Gigabytes by type, for those that have any; or why nothing was said.
    pub sizes: Result<BTreeMap<String, i64>, String>,
}

/// Which machines of a schedule lose data at each stop (EC2 User Guide, "Data persistence for Amazon EC2 instance store
/// volumes"). Those that are never stopped lose nothing.
pub fn judge(schedule: &str, machines: &[Judgement], stores: &[Stores]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut emptied = Vec::new();
    for Stores { place, sizes } in stores {
        let sizes = match sizes {
            Ok(sizes) => sizes,
            Err(why) => {
                let summary =
                    format!("whether instances in {place} have instance stores, which a stop empties, is not known");
                let finding = Finding::unknown(ID, schedule, summary).cause(why.clone());
                findings.push(
                    finding
                        .fix("allow `ec2:DescribeInstanceTypes` (see `mainstay schedule policy`)")
                        .data("reason", "unseen"),
                );
                continue;
            }
        };
        let region = place.split(' ').next().unwrap_or_default();
        let ours = machines.iter().filter(|row| {
            let machine = &row.machine;
            machine.kind == Kind::Instance
                && machine.region == region
                && !matches!(row.verdict.reason, Reason::Obstacle(_))
        });
        emptied.extend(ours.filter_map(|row| {
            let class = row.machine.classes.first()?;
            let size = sizes.get(class)?;
            Some((row.machine.id.clone(), format!("{} ({size} GB, {class})", row.machine.title())))
        }));
    }
    emptied.sort_unstable();
    emptied.dedup();
    if emptied.is_empty() {
        return findings;
    }
    let (ids, told): (Vec<String>, Vec<String>) = emptied.into_iter().unzip();
    let summary = match told.as_slice() {
        [only] => format!("each stop empties the instance store of {only}"),
        _ => format!("each stop empties the instance stores of {} machines", told.len()),
    };
    let finding = Finding::warn(ID, schedule, summary)
        .observed(told.join(", "))
        .fix("keep nothing there that is needed after a stop, or take a type without an instance store");
    findings.push(finding.data("reason", "instance-store").data("ids", ids));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::{Status, assert_one_voice},
        rules::fleet::{Act, Details, Instance, Machine, Turn, Verdict},
    };

    fn row(id: &str, class: &str, reason: Reason) -> Judgement {
        let machine = Machine {
            id: id.into(),
            kind: Kind::Instance,
            account: "111122223333".into(),
            region: "us-east-2".into(),
            arn: String::new(),
            tags: BTreeMap::new(),
            status: "running".into(),
            classes: vec![class.into()],
            zone: None,
            turn: Turn::Earlier,
            state_reason: None,
            details: Details::Instance(Instance::default()),
        };
        let verdict = Verdict { act: Act::Nothing, desired: None, next: None, late: false, expired: false, reason };
        Judgement { schedule: "a".into(), machine, verdict }
    }

    #[test]
    fn schedule_case_43_a_stop_that_empties_an_instance_store_is_warned_of() {
        let rows = [
            row("i-1", "m5d.large", Reason::Unsure),
            row("i-2", "m5.large", Reason::Unsure),
            row("i-3", "m5d.large", Reason::Obstacle(crate::rules::fleet::Obstacle::Tagged)),
        ];
        let sizes =
            |region: &str| Stores { place: region.into(), sizes: Ok(BTreeMap::from([("m5d.large".to_owned(), 75)])) };
        let findings = judge("a", &rows, &[sizes("us-east-2")]);
        let [finding] = &findings[..] else { panic!("{findings:?}") };
        assert_one_voice(finding);
        assert_eq!(finding.status, Status::Warn);
        assert_eq!(finding.summary, "each stop empties the instance store of i-1 (75 GB, m5d.large)");
        assert_eq!(finding.data["ids"], serde_json::json!(["i-1"]));
        assert!(judge("a", &rows, &[sizes("eu-west-1")]).is_empty());
        let unseen = Stores { place: "us-east-2".into(), sizes: Err("denied".into()) };
        let findings = judge("a", &rows, &[unseen]);
        findings.iter().for_each(assert_one_voice);
        assert_eq!(findings[0].status, Status::Unknown);
    }
}
