//! `mainstay schedule override`: one machine on or off until an instant, whatever its schedule says.

use super::{ID, Inventory, Settings, firings::override_firings, inventory, trouble::Trouble};
use crate::{
    error::{Error, Kind, Result},
    report::{Finding, Outcome, Report, State},
    rules::fleet::{Judgement, OVERRIDE, Obstacle, Override, Service},
    system::{
        Context,
        aws::{ec2::Ec2Switch, rds::RdsSwitch},
    },
};

/// Sets the override of a machine, or takes it off where there is none to set. The machine is an id, a `Name`, or the name of a
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
    let found = inventory(settings, context.clock.now(), context).await;
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
    for entry in named {
        let machine = &entry.judgement.machine;
        let Some(place) = found.places.get(entry.sighting) else { continue };
        let (action, text) = match wanted {
            Some(wanted) => ("override", wanted.to_string()),
            None => ("clear", String::new()),
        };
        let outcome =
            |state, detail: String, fix| Outcome { action: action.into(), target: machine.title(), state, detail, fix };
        if let Some(obstacle) = Obstacle::of(machine).filter(|_| wanted.is_some()) {
            let detail = format!("{}: {obstacle}, so it would have no effect", obstacle.word());
            report.outcomes.push(outcome(State::Skipped, detail, None));
            continue;
        }
        if wanted.is_none() && !machine.tags.contains_key(OVERRIDE) {
            report.outcomes.push(outcome(State::Unchanged, "it has no override".into(), None));
            continue;
        }
        let done = match (machine.kind.service(), wanted) {
            (Service::Ec2, Some(_)) => Ec2Switch::new(&place.sdk).tag(&machine.id, OVERRIDE, &text).await,
            (Service::Ec2, None) => Ec2Switch::new(&place.sdk).untag(&machine.id, OVERRIDE).await,
            (Service::Rds, Some(_)) => RdsSwitch::new(&place.sdk).tag(&machine.arn, OVERRIDE, &text).await,
            (Service::Rds, None) => RdsSwitch::new(&place.sdk).untag(&machine.arn, OVERRIDE).await,
        };
        report.outcomes.push(match done {
            Ok(()) => {
                let schedule = settings.schedules.iter().find(|schedule| schedule.name == entry.judgement.schedule);
                if let Some(schedule) = schedule {
                    let until = wanted.map(|wanted| wanted.until);
                    firings.extend(override_firings(settings, schedule, machine, until, context).await);
                }
                outcome(State::Done, text, None)
            }
            Err(refusal) => {
                let Trouble { reason, why, fix } = Trouble::of(&refusal);
                outcome(State::Failed, format!("{reason}: {why}"), Some(fix))
            }
        });
    }
    let done = report.outcomes.iter().any(|outcome| outcome.state == State::Done);
    if done {
        let summary = match firings.is_empty() {
            true => "the next `mainstay schedule apply` acts on it",
            false => "the function acts on it within two minutes",
        };
        report.findings.push(Finding::skip(ID, target, summary));
    }
    report.outcomes.extend(firings);
    Ok(found)
}
