//! Whether the credentials of this run suffice for what a schedule will want.

use super::{fleet::Act, schedule_drift::ID};
use crate::report::Finding;

/// What EC2 said to a dry run in one region.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rights {
    /// The region, and the role where it is not our own account.
    pub place: String,
    /// To start, or to stop.
    pub act: Act,
    /// Whether that is allowed for every one of the schedule's instances; `None` where EC2 said neither.
    pub allowed: Option<bool>,
}

/// What the credentials may not do. A warning and no failure: `check` may well run with credentials that are there for looking.
pub fn judge(schedule: &str, rights: &[Rights]) -> Vec<Finding> {
    let denied = rights.iter().filter(|right| right.allowed == Some(false));
    denied
        .map(|Rights { place, act, .. }| {
            let (verb, action) =
                if *act == Act::Stop { ("stop", "ec2:StopInstances") } else { ("start", "ec2:StartInstances") };
            let summary = format!("these credentials may not {verb} every instance in {place}");
            Finding::warn(ID, schedule, summary)
                .cause(format!("a dry run of `{action}` was answered with `UnauthorizedOperation`"))
                .fix("give the role what `mainstay schedule policy` prints, or run the check as whoever applies the schedule")
                .data("reason", "rights")
                .data("action", action)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Status, assert_one_voice};

    #[test]
    fn only_a_clear_no_is_told() {
        let right = |act, allowed| Rights { place: "us-east-2".into(), act, allowed };
        let rights = [right(Act::Stop, Some(false)), right(Act::Start, Some(true)), right(Act::Start, None)];
        let findings = judge("a", &rights);
        let [finding] = &findings[..] else { panic!("{findings:?}") };
        assert_one_voice(finding);
        assert_eq!((finding.status, finding.data["action"].as_str()), (Status::Warn, Some("ec2:StopInstances")));
    }
}
