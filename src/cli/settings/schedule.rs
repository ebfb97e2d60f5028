//! What `mainstay schedule` works on: the `[schedule.NAME]` sections that were asked for, and the times.

use std::time::Duration;

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime},
};

use super::{shown, usage};
use crate::{
    cli::{
        args::{OverrideArgs, SimulateArgs},
        config::{self, Loaded, model},
    },
    error::{Error, Kind, Result},
    rules::{
        calendar::{self, Calendar},
        fleet::{LONGEST, Override, Service, Wish},
    },
    schedule::{Patience, Role, Schedule, Selector, Settings},
    system::{Context, secret::Secret, state::State, zone::Zones},
};

/// How many dates are simulated unless both ends are given: four weeks.
const DEFAULT_DAYS: i32 = 28;

/// How many dates can be simulated at once: ten years.
const MOST_DAYS: i32 = 3_653;

/// The years whose dates can be simulated: before, zones were ruled by the day; after, nobody knows.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=2199;

/// The schedule of this name.
///
/// # Errors
///
/// There is no such schedule, or none at all.
pub fn schedule_settings(loaded: &Loaded, name: &str, zones: &Zones) -> Result<Schedule> {
    let known = sections(loaded)?;
    let section = known.iter().find(|schedule| schedule.name == name).ok_or_else(|| unknown(name, known))?;
    schedule(section, zones)
}

/// The schedules of these names in the order of the command line, each once; all of them where no name is given.
///
/// The caller adds what only its own command line knows: `lock_wait` is zero and `yes` is not said.
///
/// # Errors
///
/// There is no such schedule, or none at all, or no folder for the state.
pub fn fleet_settings(loaded: &Loaded, names: &[String], zones: &Zones, context: &Context) -> Result<Settings> {
    let known = sections(loaded)?;
    let all = known.iter().map(|section| schedule(section, zones)).collect::<Result<Vec<_>>>()?;
    let mut schedules: Vec<Schedule> = Vec::new();
    for name in names {
        let found = all.iter().find(|schedule| schedule.name == *name).ok_or_else(|| unknown(name, known))?;
        if schedules.iter().all(|schedule| schedule.name != *name) {
            schedules.push(found.clone());
        }
    }
    if names.is_empty() {
        schedules.clone_from(&all);
    }
    Ok(Settings {
        project: loaded.model.project.clone(),
        schedules,
        all,
        state: State::find(context, loaded.model.state.as_deref())?,
        lock_wait: Duration::ZERO,
        command: "mainstay schedule".to_owned(),
        yes: false,
        patience: Patience::default(),
    })
}

/// The instant that a text names: with an offset for itself, without one in the zone of the schedules.
///
/// # Errors
///
/// It is no time, or the schedules have several zones and it says none.
pub fn instant(text: &str, schedules: &[Schedule]) -> Result<Timestamp> {
    let error = || usage(format!("use the time `{}`", shown(text)));
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let local: DateTime = text.parse().map_err(|_| {
        error().because("it is no time").hint("write `2026-11-24 19:00` in the schedule's zone, or `2026-11-25T00:00Z`")
    })?;
    let mut zones = schedules.iter().map(|schedule| schedule.calendar.zone());
    let first = zones.next().ok_or_else(|| error().because("there is no schedule"))?;
    if zones.any(|zone| zone.iana_name() != first.iana_name()) {
        return Err(error()
            .because("the schedules are in several time zones, and it says none")
            .hint("add an offset, like `2026-11-25T00:00Z`, or name one schedule"));
    }
    first.to_ambiguous_timestamp(local).compatible().map_err(|cause| error().because(cause))
}

/// The override that was asked for; `None` to take one off.
///
/// # Errors
///
/// It would end before now, or later than one may.
pub fn wanted_override(args: &OverrideArgs, schedules: &[Schedule], context: &Context) -> Result<Option<Override>> {
    if args.clear {
        return Ok(None);
    }
    let now = context.clock.now();
    let error = |why: String| usage(format!("override `{}`", shown(&args.target))).because(why);
    let until = match (&args.until, args.lasting) {
        (Some(text), _) => instant(text, schedules)?,
        (None, Some(length)) => now.saturating_add(length).map_err(|cause| error(cause.to_string()))?,
        (None, None) => return Err(error("it needs an end".into()).hint("add `--for 3h` or `--until TIME`")),
    };
    if until <= now {
        return Err(error(format!("{until} is over")).hint("give a later end"));
    }
    if until.duration_since(now) > LONGEST {
        return Err(error("no override lasts longer than seven days".into())
            .hint("what is meant for longer belongs into the schedule: `off_dates`, `on_dates`, `always_off`"));
    }
    // To the minute, as it is written, and never shorter than asked for; but not beyond the longest either.
    let minute =
        until.as_second().div_euclid(60) + i64::from(until.as_second().rem_euclid(60) > 0 && args.until.is_none());
    let until = Timestamp::from_second(minute * 60).unwrap_or(until);
    let until =
        if until.duration_since(now) > LONGEST { until.saturating_sub(1.minute()).unwrap_or(until) } else { until };
    let state = if args.on { calendar::State::On } else { calendar::State::Off };
    let by = context.variable("SUDO_USER").or_else(|| context.variable("USER")).map(str::to_owned);
    Ok(Some(Override { state, until, by }))
}

fn sections(loaded: &Loaded) -> Result<&[model::Schedule]> {
    let known = &loaded.model.schedules;
    if known.is_empty() {
        return Err(Error::new(Kind::Config, "find any schedule")
            .because(format!("{} has no [schedule.NAME] section", loaded.file_name()))
            .hint(
                "add a section: [schedule.office-hours] with `timezone = \"America/Detroit\"` and \
                 `on = [\"Mon-Fri 07:00-19:00\"]`",
            ));
    }
    Ok(known)
}

pub(super) fn schedule(section: &model::Schedule, zones: &Zones) -> Result<Schedule> {
    let ec2 = section.ec2.iter().map(|ec2| Selector {
        service: Service::Ec2,
        regions: ec2.regions.clone(),
        tags: ec2.tags.clone(),
        ids: ec2.ids.clone(),
        clusters: Vec::new(),
        role: role(ec2.role.as_ref(), ec2.external_id.as_ref()),
        hibernate: ec2.hibernate,
        snapshot: Wish::Never,
    });
    let rds = section.rds.iter().map(|rds| Selector {
        service: Service::Rds,
        regions: rds.regions.clone(),
        tags: rds.tags.clone(),
        ids: rds.ids.clone(),
        clusters: rds.clusters.clone(),
        role: role(rds.role.as_ref(), rds.external_id.as_ref()),
        hibernate: Wish::Never,
        snapshot: rds.snapshot,
    });
    Ok(Schedule {
        enforce: section.enforce,
        max_late: section.max_late,
        order: whole(&section.order),
        selectors: ec2.chain(rds).collect(),
        prices: section.prices.clone(),
        deploy: section.deploy.clone(),
        ..Schedule::new(section.name.clone(), calendar(section, zones)?)
    })
}

/// An order that names one service only still has the other, at its end.
fn whole(order: &[Service]) -> Vec<Service> {
    let mut whole = Vec::new();
    for service in order.iter().copied().chain([Service::Rds, Service::Ec2]) {
        if !whole.contains(&service) {
            whole.push(service);
        }
    }
    whole
}

fn role(arn: Option<&String>, external_id: Option<&Secret>) -> Option<Role> {
    Some(Role { arn: arn?.clone(), external_id: external_id.cloned() })
}

/// The first and the last date to simulate.
///
/// # Errors
///
/// They are in the wrong order, too far apart, or too far from today.
pub fn simulated_dates(args: &SimulateArgs, schedule: &Schedule, context: &Context) -> Result<(Date, Date)> {
    let first = args.from.unwrap_or_else(|| schedule.calendar.date(context.clock.now()));
    let last = args.to.unwrap_or_else(|| first.saturating_add((DEFAULT_DAYS - 1).days()));
    let error = |why: String| usage(format!("simulate `{}` from {first} to {last}", schedule.name)).because(why);
    if last < first {
        return Err(match args.from {
            Some(_) => error("it would end before it begins".into()).hint("give --from the earlier date"),
            None => error("it would end before it begins, which is today".into()).hint("give --from too"),
        });
    }
    if let Some(date) = [first, last].into_iter().find(|date| !YEARS.contains(&date.year())) {
        let (from, to) = (YEARS.start(), YEARS.end());
        return Err(error(format!("{date} is too far away")).hint(format!("stay between the years {from} and {to}")));
    }
    if first.saturating_add(MOST_DAYS.days()) <= last {
        let hint = format!("take {} as the last date, or an earlier one", first.saturating_add((MOST_DAYS - 1).days()));
        return Err(error("more than ten years is too much to read".into()).hint(hint));
    }
    Ok((first, last))
}

fn calendar(section: &model::Schedule, zones: &Zones) -> Result<Calendar> {
    let error = || Error::new(Kind::Config, format!("use the schedule `{}`", section.name));
    let zone = zones.zone(&section.timezone).ok_or_else(|| {
        error()
            .because(format!("there are no rules for the time zone `{}`", section.timezone))
            .hint("see `mainstay config check`")
    })?;
    if section.always_off {
        return Ok(Calendar::always_off(zone));
    }
    let calendar = Calendar::new(zone, section.on.clone())
        .map_err(|wrong| error().because(wrong).hint("write `always_off = true` if that is meant"))?;
    Ok(calendar.with_mode(section.mode).with_exceptions(section.off_dates.clone(), section.on_dates.clone()))
}

fn unknown(name: &str, known: &[model::Schedule]) -> Error {
    let names: Vec<&str> = known.iter().map(|schedule| schedule.name.as_str()).collect();
    let error = usage(format!("use the schedule `{}`", shown(name)))
        .because(format!("no schedule has this name; there are `{}`", names.join("`, `")));
    let near = config::nearest(name, names.into_iter());
    near.into_iter().fold(error, |error, near| error.hint(format!("did you mean `{near}`?")))
}
