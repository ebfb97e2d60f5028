//! `schedule.drift`: whether machines are where their schedule wants them, and what will move them without being asked.

use jiff::{SignedDuration, Timestamp};

use super::{
    calendar::{Calendar, State},
    fleet::{Act, Details, Judgement, OVERRIDE, Reason, window_inside},
};
use crate::report::Finding;

/// The id of the public contract.
pub const ID: &str = "schedule.drift";

/// `apply` runs every few minutes, and a database takes its time: what is not done so long after its boundary is not going
/// to be.
pub const GRACE: SignedDuration = SignedDuration::from_mins(30);

/// Judges the machines of one schedule. One finding a fact; a pass where there is none.
pub fn judge(schedule: &str, calendar: &Calendar, machines: &[Judgement], now: Timestamp) -> Vec<Finding> {
    let decision = calendar.decide(now);
    let since = decision.since.as_ref().map_or(Timestamp::MIN, |since| since.at);
    let settled = now.duration_since(since) > GRACE;
    let mut findings: Vec<Finding> = Vec::new();
    for row in machines {
        findings.extend(of_machine(schedule, row, settled));
        findings.extend(windows(schedule, calendar, row, now));
        findings.extend(restarts(schedule, calendar, row, now));
    }
    if findings.is_empty() {
        let left = machines.iter().filter(|row| row.verdict.reason.is_skip()).count();
        let summary = match (machines.len(), left) {
            (0, _) => {
                return vec![
                    Finding::warn(ID, schedule, "no machine belongs to it").fix(EMPTY).data("reason", "empty"),
                ];
            }
            (1, 0) => "its machine is where it should be".to_owned(),
            (all, 0) => format!("all {all} machines are where they should be"),
            (all, left) => format!("{} of {all} machines are where they should be, {left} are left alone", all - left),
        };
        let finding = Finding::pass(ID, schedule, summary).data("machines", machines.len()).data("left_alone", left);
        let notes: Vec<String> = machines.iter().filter_map(costs).collect();
        findings.push(if notes.is_empty() { finding } else { finding.data("notes", notes) });
    }
    findings
}

/// What a stop takes away that nobody thinks of (EC2 User Guide, "Stop and start Amazon EC2 instances").
fn costs(Judgement { machine, verdict, .. }: &Judgement) -> Option<String> {
    match &machine.details {
        Details::Instance(instance) if instance.public_address && !matches!(verdict.reason, Reason::Obstacle(_)) => {
            Some(format!("{} gets another public address at each start; an Elastic IP stays", machine.title()))
        }
        _ => None,
    }
}

const EMPTY: &str = "set the tags that it selects by, or correct `tags` and `regions`";

fn of_machine(schedule: &str, Judgement { machine, verdict, .. }: &Judgement, settled: bool) -> Option<Finding> {
    let title = machine.title();
    let finding = match (&verdict.reason, verdict.act) {
        (Reason::Unreadable(why), _) => {
            Finding::fail(ID, schedule, format!("the override of {title} cannot be read, so it is left alone for ever"))
                .cause(why.clone())
                .fix(format!("take the tag `{OVERRIDE}` off: `mainstay schedule override {} --clear`", machine.id))
                .data("reason", "override-unreadable")
        }
        (Reason::Broken(status), _) => Finding::fail(ID, schedule, format!("{title} is `{status}`"))
            .fix("look at it in Amazon's console: no schedule can mend it")
            .data("reason", "broken"),
        (Reason::Claimed(names), _) => Finding::fail(
            ID,
            schedule,
            format!("{title} belongs to `{}` at once, so it is left alone", names.join("`, `")),
        )
        .fix("let only one of the schedules select it")
        .data("reason", "claimed"),
        (_, Act::Stop) if settled || verdict.late => {
            Finding::fail(ID, schedule, format!("{title} runs and should be stopped"))
                .expected("off")
                .observed(machine.status.clone())
                .cause(verdict.reason.to_string())
                .fix("run `mainstay schedule apply`, and see why its timer has not")
                .data("reason", "running")
        }
        (_, Act::Start) if settled => Finding::fail(ID, schedule, format!("{title} is stopped and should run"))
            .expected("on")
            .observed(machine.status.clone())
            .cause(verdict.reason.to_string())
            .fix("run `mainstay schedule apply`, and see why its timer has not")
            .data("reason", "stopped"),
        _ => return None,
    };
    Some(finding.data("id", machine.id.clone()))
}

/// What RDS does in windows of its own, which a stopped database sleeps through (RDS User Guide, "Stopping an Amazon RDS DB
/// instance temporarily").
fn windows(schedule: &str, calendar: &Calendar, Judgement { machine, .. }: &Judgement, now: Timestamp) -> Vec<Finding> {
    let (backup, maintenance, days) = match &machine.details {
        Details::Instance(_) => return Vec::new(),
        Details::Database(database) if database.cluster.is_some() => return Vec::new(),
        Details::Database(database) => (&database.backup_window, &database.maintenance_window, database.backup_days),
        Details::Cluster(cluster) => (&cluster.backup_window, &cluster.maintenance_window, cluster.backup_days),
    };
    let asleep = |window: &Option<String>| {
        window.as_ref().filter(|window| window_inside(window, calendar, now) == Some(true)).cloned()
    };
    let mut findings = Vec::new();
    let title = machine.title();
    if let Some(window) = asleep(backup).filter(|_| days > 0) {
        let summary =
            format!("{title} is stopped in its backup window ({window} UTC), so it is never backed up by RDS");
        let finding = Finding::warn(ID, schedule, summary).fix("move `PreferredBackupWindow` into its hours");
        findings.push(finding.data("reason", "backup-window").data("id", machine.id.clone()));
    }
    if let Some(window) = asleep(maintenance) {
        let summary = format!("{title} is stopped in its maintenance window ({window} UTC), so updates wait");
        let finding = Finding::warn(ID, schedule, summary).fix("move `PreferredMaintenanceWindow` into its hours");
        findings.push(finding.data("reason", "maintenance-window").data("id", machine.id.clone()));
    }
    findings
}

/// A database that RDS starts before its schedule does.
fn restarts(
    schedule: &str,
    calendar: &Calendar,
    Judgement { machine, .. }: &Judgement,
    now: Timestamp,
) -> Option<Finding> {
    let at = machine.restart().filter(|at| *at > now)?;
    if calendar.decide(at).want != Some(State::Off)
        || calendar.transitions(now, at).iter().any(|act| act.state == State::On)
    {
        return None;
    }
    let when = at.strftime("%Y-%m-%d %H:%MZ");
    let summary = format!("RDS starts {} by itself at {when}, after seven days", machine.title());
    let finding = Finding::warn(ID, schedule, summary).fix("keep `mainstay schedule apply` running: it stops it again");
    Some(finding.data("reason", "restarts").data("id", machine.id.clone()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::tz::TimeZoneDatabase;

    use super::*;
    use crate::{
        report::{Status, assert_one_voice},
        rules::fleet::{Database, Instance, Kind, Machine, Turn, Wanted},
    };

    const DAY: &str = "2026-11-23T18:00:00Z";
    const EVENING: &str = "2026-11-24T02:00:00Z";

    fn calendar() -> Calendar {
        let zone = TimeZoneDatabase::bundled().get("America/Detroit").unwrap();
        Calendar::new(zone, vec!["Mon-Fri 07:00-19:00".parse().unwrap()]).unwrap()
    }

    fn machine(status: &str, details: Details) -> Machine {
        let kind = if matches!(details, Details::Instance(_)) { Kind::Instance } else { Kind::Database };
        Machine {
            id: "app".into(),
            kind,
            account: "111122223333".into(),
            region: "us-east-2".into(),
            arn: String::new(),
            tags: BTreeMap::new(),
            status: status.into(),
            classes: vec!["t3.large".into()],
            zone: None,
            turn: Turn::Earlier,
            state_reason: None,
            details,
        }
    }

    fn judged(machines: &[Machine], now: &str) -> Vec<Finding> {
        let (calendar, now): (_, Timestamp) = (calendar(), now.parse().unwrap());
        let wanted = Wanted { schedule: "a", calendar: &calendar, decision: calendar.decide(now), enforce: false, now };
        let rows: Vec<Judgement> = machines
            .iter()
            .map(|machine| Judgement { schedule: "a".into(), verdict: wanted.judge(machine), machine: machine.clone() })
            .collect();
        let findings = judge("a", &calendar, &rows, now);
        findings.iter().for_each(assert_one_voice);
        findings
    }

    fn told(findings: &[Finding]) -> Vec<(Status, &str)> {
        findings
            .iter()
            .map(|finding| (finding.status, finding.data.get("reason").and_then(|word| word.as_str()).unwrap_or("")))
            .collect()
    }

    fn instance(status: &str) -> Machine {
        machine(status, Details::Instance(Instance::default()))
    }

    #[test]
    fn what_runs_in_off_time_or_is_stopped_in_hours_is_told_once_its_time_is_over() {
        assert_eq!(told(&judged(&[instance("running")], DAY)), [(Status::Pass, "")]);
        assert_eq!(told(&judged(&[instance("running")], EVENING)), [(Status::Fail, "running")]);
        assert_eq!(
            told(&judged(&[instance("running")], "2026-11-24T00:10:00Z")),
            [(Status::Pass, "")],
            "a run may be under way"
        );
        assert_eq!(told(&judged(&[instance("stopped")], DAY)), [(Status::Fail, "stopped")]);
        assert_eq!(told(&judged(&[], DAY)), [(Status::Warn, "empty")]);
        let mut overridden = instance("running");
        overridden.tags.insert(OVERRIDE.into(), "on until 2027-11-24T03:00Z by ops".into());
        assert_eq!(told(&judged(&[overridden], EVENING)), [(Status::Fail, "override-unreadable")]);
        let broken = machine("storage-full", Details::Database(Database::default()));
        assert_eq!(told(&judged(&[broken], DAY)), [(Status::Fail, "broken")]);
    }

    #[test]
    fn schedule_case_60_and_61_what_rds_does_in_off_time_is_told_before_it_happens() {
        let database = Database {
            engine: "postgres".into(),
            restart: Some("2026-11-24T05:00:00Z".parse().unwrap()),
            backup_window: Some("05:00-05:30".into()),
            maintenance_window: Some("sun:06:00-sun:06:30".into()),
            backup_days: 7,
            ..Database::default()
        };
        let findings = judged(&[machine("stopped", Details::Database(database.clone()))], EVENING);
        assert_eq!(
            told(&findings),
            [(Status::Warn, "backup-window"), (Status::Warn, "maintenance-window"), (Status::Warn, "restarts")]
        );
        // No backups are kept, and the schedule starts it before RDS does.
        let early = Database {
            backup_days: 0,
            maintenance_window: None,
            restart: Some("2026-11-24T15:00:00Z".parse().unwrap()),
            ..database
        };
        assert_eq!(told(&judged(&[machine("stopped", Details::Database(early))], EVENING)), [(Status::Pass, "")]);
    }

    #[test]
    fn schedule_case_47_an_address_that_a_stop_takes_away_is_noted() {
        let public = machine("running", Details::Instance(Instance { public_address: true, ..Instance::default() }));
        let findings = judged(&[public], DAY);
        assert!(findings[0].data["notes"].to_string().contains("another public address"), "{findings:?}");
    }
}
