//! What `mainstay schedule` works on: a `[schedule.NAME]` section, and the dates that were asked for.

use jiff::{ToSpan, civil::Date};

use super::{shown, usage};
use crate::{
    cli::{
        args::SimulateArgs,
        config::{self, Loaded, model},
    },
    error::{Error, Kind, Result},
    rules::calendar::Calendar,
    schedule::Schedule,
    system::{Context, zone::Zones},
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
    let known = &loaded.model.schedules;
    if known.is_empty() {
        return Err(Error::new(Kind::Config, "find any schedule")
            .because(format!("{} has no [schedule.NAME] section", loaded.file_name()))
            .hint(
                "add a section: [schedule.office-hours] with `timezone = \"America/Detroit\"` and \
                 `on = [\"Mon-Fri 07:00-19:00\"]`",
            ));
    }
    let section = known.iter().find(|schedule| schedule.name == name).ok_or_else(|| unknown(name, known))?;
    Ok(Schedule { name: section.name.clone(), calendar: calendar(section, zones)? })
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
