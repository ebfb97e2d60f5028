//! `mainstay schedule override`: one machine on or off until an instant, whatever its schedule says.

use super::{ID, Inventory, Settings, firings::override_firings, inventory, trouble::Trouble};
use crate::{
    error::{Error, Kind, Result},
    report::{Finding, Outcome, Report, State},
    rules::fleet::{Judgement, OVERRIDE, Obstacle, Override, Service, Tagged},
    system::{
        Context,
        aws::{ec2::Ec2Switch, rds::RdsSwitch},
    },
};

/// Sets the override of a machine, or ends it where there is none to set. One that is ended stays for the next run of `apply`: its
/// end is a boundary, without which what was done because of it would look like a person's doing. The machine is an id, a `Name`, or the name of a
/// schedule for all of its machines.
///
/// # Errors
///
/// No machine of any schedule is called so, or several are.
pub async fn override_(
    settings: &Settings,
    target: &str,
    wanted: Option<&Override>,
    report: &mut Report,
    context: &Context,
) -> Result<Inventory> {
    let now = context.clock.now();
    let found = inventory(settings, now, context).await;
    let is_schedule = settings.schedules.iter().any(|schedule| schedule.name == target);
    let named: Vec<_> = found
        .entries
        .iter()
        .filter(|entry| {
            let Judgement { schedule, machine, .. } = &entry.judgement;
            if is_schedule { schedule == target } else { machine.id == target || machine.name() == Some(target) }
        })
        .collect();
    let mut blind = found.findings.iter().filter(|finding| finding.data.contains_key("region"));
    if named.is_empty() {
        let error = Error::new(Kind::Usage, format!("find the machine `{target}`"));
        return Err(match blind.next() {
            Some(finding) => error.because(&finding.summary).because(finding.cause.clone().unwrap_or_default()),
            None => error.because("no machine of any schedule has this id or name"),
        }
        .hint("`mainstay schedule status` lists them"));
    }
    if !is_schedule && named.len() > 1 {
        let ids: Vec<&str> = named.iter().map(|entry| entry.judgement.machine.id.as_str()).collect();
        return Err(Error::new(Kind::Usage, format!("tell which `{target}` is meant"))
            .because(format!("it is the name of `{}`", ids.join("`, `")))
            .hint("give the id"));
    }
    let mut firings = Vec::new();
    let mut is_direct = false;
    for entry in named {
        let machine = &entry.judgement.machine;
        let Some(place) = found.places.get(entry.sighting) else { continue };
        let action = if wanted.is_some() { "override" } else { "clear" };
        let tagged = Tagged::of(&machine.tags, now);
        let ended = match &tagged {
            Tagged::Active(active) => Some(Override { until: now, ..active.clone() }),
            Tagged::Expired(_) | Tagged::Nothing | Tagged::Unreadable(_) => None,
        };
        let text = wanted.or(ended.as_ref()).map(ToString::to_string);
        let outcome =
            |state, detail: String, fix| Outcome { action: action.into(), target: machine.title(), state, detail, fix };
        if let Some(obstacle) = Obstacle::of(machine).filter(|_| wanted.is_some()) {
            let detail = format!("{}: {obstacle}, so it would have no effect", obstacle.word());
            report.outcomes.push(outcome(State::Skipped, detail, None));
            continue;
        }
        if wanted.is_none() && matches!(tagged, Tagged::Expired(_) | Tagged::Nothing) {
            report.outcomes.push(outcome(State::Unchanged, "no override holds for it".into(), None));
            continue;
        }
        let done = match (machine.kind.service(), &text) {
            (Service::Ec2, Some(text)) => Ec2Switch::new(&place.sdk).tag(&machine.id, OVERRIDE, text).await,
            (Service::Ec2, None) => Ec2Switch::new(&place.sdk).untag(&machine.id, OVERRIDE).await,
            (Service::Rds, Some(text)) => RdsSwitch::new(&place.sdk).tag(&machine.arn, OVERRIDE, text).await,
            (Service::Rds, None) => RdsSwitch::new(&place.sdk).untag(&machine.arn, OVERRIDE).await,
        };
        report.outcomes.push(match done {
            Ok(()) => {
                let schedule = settings.schedules.iter().find(|schedule| schedule.name == entry.judgement.schedule);
                if let Some(schedule) = schedule {
                    is_direct |= schedule.deploy.as_ref().is_some_and(|deploy| deploy.function.is_none());
                    let until = wanted.map(|wanted| wanted.until);
                    firings.extend(override_firings(settings, schedule, machine, until, context).await);
                }
                outcome(State::Done, text.unwrap_or_else(|| "what could not be read is gone".into()), None)
            }
            Err(refusal) => {
                let Trouble { reason, why, fix } = Trouble::of(&refusal);
                outcome(State::Failed, format!("{reason}: {why}"), Some(fix))
            }
        });
    }
    let done = report.outcomes.iter().any(|outcome| outcome.state == State::Done);
    if done && is_direct {
        let summary =
            "EventBridge starts and stops it by its hours all the same: it is deployed with `via = \"direct\"`";
        let fix = "deploy it with `via = \"lambda\"`, or let `mainstay schedule apply` run from cron in its place";
        report.findings.push(Finding::warn(ID, target, summary).fix(fix).data("reason", "direct"));
    } else if done {
        let summary = match firings.is_empty() {
            true => "the next `mainstay schedule apply` acts on it",
            false => "the function acts on it within two minutes",
        };
        report.findings.push(Finding::skip(ID, target, summary));
    }
    report.outcomes.extend(firings);
    Ok(found)
}
