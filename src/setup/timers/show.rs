//! When each job ran last and runs next.

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::{Job, Settings, Survey, cron, unit};
use crate::{rules::calendar::Repeat, system::systemd::Standing};

/// One job of the configuration.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Row {
    /// The job.
    pub job: &'static str,
    /// Its calendar, as the configuration writes it.
    pub calendar: String,
    /// What runs it: `systemd` or `cron`; `None` where nothing does.
    pub by: Option<&'static str>,
    /// The unit, with systemd.
    pub unit: Option<String>,
    /// How it stands.
    pub state: State,
    /// When it ran last; `None` when it never did, or nobody tells (cron keeps no record, but the history does).
    pub last: Option<Timestamp>,
    /// The exit status of that run.
    pub last_exit: Option<i32>,
    /// When it runs next.
    pub next: Option<Timestamp>,
    /// Why something about it could not be told.
    pub why: Option<String>,
}

/// How a timer stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It runs, as the configuration wants it.
    On,
    /// It runs, but not as the configuration wants it now.
    OutOfDate,
    /// It is there and does not wait.
    Off,
    /// There is none.
    Absent,
    /// It could not be looked at.
    Unknown,
}

impl State {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::OutOfDate => "out of date",
            Self::Off => "off",
            Self::Absent => "not installed",
            Self::Unknown => "unknown",
        }
    }
}

/// Every job that has a section, with its timer.
pub fn rows(settings: &Settings, survey: &Survey, now: Timestamp, zone: &TimeZone) -> Vec<Row> {
    settings.tasks.iter().map(|task| row(settings, survey, (task.job, task.calendar), now, zone)).collect()
}

fn row(settings: &Settings, survey: &Survey, (job, calendar): (Job, Repeat), now: Timestamp, zone: &TimeZone) -> Row {
    let mut row = Row {
        job: job.word(),
        calendar: calendar.to_string(),
        by: None,
        unit: None,
        state: State::Absent,
        last: None,
        last_exit: None,
        next: None,
        why: None,
    };
    let stem = settings.stem(job);
    let (timer, service) = (format!("{stem}.timer"), format!("{stem}.service"));
    if survey.ours(settings).contains(&timer.as_str()) {
        row.by = Some("systemd");
        let same = |file: &unit::File| survey.files.get(&file.name).is_some_and(|found| found.text == file.text);
        let wanted = unit::files(settings, survey.ground);
        let current = wanted.iter().filter(|file| file.name == timer || file.name == service).all(same);
        match (&survey.systemd, survey.timers.get(&timer)) {
            (Standing::Running, Some(Ok(found))) => {
                (row.last, row.last_exit, row.next) = (found.last, found.code, found.next);
                row.state = match (found.active, current) {
                    (false, _) => State::Off,
                    (true, false) => State::OutOfDate,
                    (true, true) => State::On,
                };
            }
            (Standing::Running, Some(Err(why))) | (Standing::Away(why), _) => {
                (row.state, row.why) = (State::Unknown, Some(why.clone()));
            }
            (Standing::Running, None) => row.state = State::Unknown,
        }
        row.unit = Some(timer);
        return row;
    }
    if let Some(found) = survey.roots.get(&timer) {
        (row.by, row.unit) = (Some("systemd"), Some(timer));
        let hint = "it is root's: `sudo mainstay timers show` tells more";
        match found {
            Ok(found) => {
                (row.last, row.last_exit, row.next) = (found.last, found.code, found.next);
                row.state = if found.active { State::On } else { State::Off };
                row.why = Some(hint.into());
            }
            Err(why) => (row.state, row.why) = (State::Unknown, Some(format!("{why}; {hint}"))),
        }
        return row;
    }
    let table = match &survey.crontab {
        Ok(table) => table,
        // Without systemd's unit and with a table that cannot be read, nobody knows.
        Err(why) if survey.has_crontab => {
            (row.state, row.why) = (State::Unknown, Some(why.clone()));
            return row;
        }
        Err(_) => return row,
    };
    let own = unit::mark(settings);
    let Some(task) = settings.tasks.iter().find(|task| task.job == job) else { return row };
    let wanted = cron::line(settings, task);
    let blocks: Vec<String> =
        table.blocks().iter().filter(|block| block.mark.gives_way_to(&own)).map(|block| table.text(block)).collect();
    let lines: Vec<&str> = blocks.iter().flat_map(|text| text.lines()).collect();
    if lines.contains(&wanted.as_str()) {
        (row.by, row.state) = (Some("cron"), State::On);
        row.next = calendar.next_by_cron(now, zone, cron::spread(settings, job));
        row.why = Some("cron keeps no record of what it ran".into());
    } else if lines.iter().any(|line| line.ends_with(&job.command().join(" "))) {
        (row.by, row.state) = (Some("cron"), State::OutOfDate);
    }
    row
}
