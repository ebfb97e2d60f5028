//! The two moments of an override of a deployed schedule, at which EventBridge invokes the function.

use jiff::{SignedDuration, Timestamp};

use super::{
    Deploy, Schedule, Settings,
    deploy::{OVERRIDE, name, plain},
    trouble::Trouble,
};
use crate::{
    report::{Outcome, State},
    rules::{calendar, eventbridge::Firing, fleet::Machine},
    system::{
        Context,
        aws::{
            Pace, Wanted as Reached, account,
            scheduler::{Scheduler, SchedulerSwitch, Wanted},
        },
    },
};

/// Lets EventBridge invoke the function at the beginning and at the end of an override, or, where it has been ended, now: without
/// it nothing looks at a machine between two boundaries. Both fire once and are removed then. Where the schedule is not deployed with a
/// function there is nothing to do.
pub async fn override_firings(
    settings: &Settings,
    schedule: &Schedule,
    machine: &Machine,
    until: Option<Timestamp>,
    context: &Context,
) -> Vec<Outcome> {
    let Some(Deploy { group, role, function: Some(function), dead_letter_queue }) = &schedule.deploy else {
        return Vec::new();
    };
    let pace = Pace::default();
    let own = account(context, Reached { service: "SCHEDULER", ..Reached::default() }, &pace).await;
    let sdk = own.at(function.split(':').nth(3).unwrap_or_default(), &pace);
    let (scheduler, switch) = (Scheduler::new(&sdk), SchedulerSwitch::new(&sdk));
    let mut outcomes = Vec::new();
    // EventBridge takes no time that is over, and fires within the minute.
    let begin = context.clock.now().saturating_add(SignedDuration::from_secs(90)).unwrap_or(Timestamp::MAX);
    for (word, at) in [("begin", Some(begin)), ("end", until)] {
        let key = format!("{OVERRIDE}{word}");
        let firing = Firing { key, expression: String::new(), state: calendar::State::On, once: true };
        let name = name(settings, schedule, &firing, &format!(".{}", plain(&machine.id)));
        let is_there = scheduler.get(group, &name).await.is_ok();
        let done = match (at, is_there) {
            (None, false) => continue,
            (None, true) => switch.delete(group, &name).await,
            (Some(at), _) => {
                let wanted = Wanted {
                    name: name.clone(),
                    expression: format!("at({})", at.strftime("%Y-%m-%dT%H:%M:%S")),
                    timezone: "UTC".to_owned(),
                    description: format!("mainstay: the override of {} has its {word}", machine.id),
                    target: function.clone(),
                    role: role.clone(),
                    input: serde_json::json!({ "schedules": [schedule.name] }).to_string(),
                    queue: dead_letter_queue.clone(),
                    once: true,
                };
                // An earlier override of the same machine gives way.
                let removed = if is_there { switch.delete(group, &name).await } else { Ok(()) };
                match removed {
                    Ok(()) => switch.create(group, &wanted).await,
                    refused => refused,
                }
            }
        };
        let action = if at.is_some() { "create" } else { "delete" };
        let (state, detail, fix) = match done {
            Ok(()) => (State::Done, format!("the function looks at its {word}"), None),
            Err(refusal) => {
                let Trouble { reason, why, fix } = Trouble::of(&refusal);
                (State::Failed, format!("{reason}: {why}"), Some(fix))
            }
        };
        outcomes.push(Outcome { action: action.into(), target: name, state, detail, fix });
    }
    outcomes
}
