//! `mainstay timers …`: settings in, report out.

use std::fmt::Write as _;

use jiff::{Timestamp, tz::TimeZone};
use serde_json::json;

use super::{
    Done,
    args::{Cli, TimersArgs, TimersChangeArgs, TimersCommand},
    configuration, elapsed, host,
    settings::timers_settings,
    warn,
};
use crate::{
    error::Result,
    overview::history::{Filter, look},
    report::{Outcome, Report, State},
    setup::timers::{self, Row, Settings, Survey},
    system::Context,
};

/// Runs one of the subcommands.
pub(super) async fn run(args: &TimersArgs, cli: &Cli, context: &Context) -> Result<Done> {
    let started = context.clock.now();
    let loaded = configuration(cli, context)?;
    warn(Some(&loaded));
    let settings = timers_settings(&loaded, context)?;
    let survey = Survey::of(&settings, context).await?;
    let mut report = Report::new(args.command.name(), host(), started);
    match &args.command {
        TimersCommand::Show => {
            let zone = TimeZone::system();
            let mut rows = timers::rows(&settings, &survey, started, &zone);
            remember(&mut rows, &settings, started);
            report.result = Some(json!({ "timers": rows }));
            report.took = elapsed(started, context);
            return Ok(Done::Data { text: table(&rows, started, &zone), report: Box::new(report) });
        }
        TimersCommand::Install(args) => install(args, &settings, &survey, &mut report, context).await?,
        TimersCommand::Remove(args) => {
            let plan = timers::plan_removal(&settings, &survey, args.aim())?;
            report.add_plan(&plan);
            if plan.steps.is_empty() {
                report
                    .outcomes
                    .extend((!args.dry_run).then(|| unchanged(&settings, "there are none of this configuration")));
            } else if !args.dry_run {
                report.outcomes.extend(timers::apply(plan, &settings, context).await);
            }
        }
    }
    report.took = elapsed(started, context);
    Ok(Done::Report(Box::new(report)))
}

/// Takes from the history what cron does not tell: when a job ran last, whoever started it.
fn remember(rows: &mut [Row], settings: &Settings, now: Timestamp) {
    if rows.iter().all(|row| row.by != Some("cron")) {
        return;
    }
    let listing = look(&settings.state.history(), &Filter::of_project(&settings.project, now));
    for (row, task) in rows.iter_mut().zip(&settings.tasks).filter(|(row, _)| row.by == Some("cron")) {
        let command = task.job.command().join(" ");
        row.why = Some(match &listing {
            Ok(listing) => {
                let run = listing.runs.iter().find(|run| run.command == command && !run.partial);
                (row.last, row.last_exit) = (run.map(|run| run.started), run.map(|run| run.exit.into()));
                "cron keeps no record: `last` is the last run in the history, whoever started it".to_owned()
            }
            Err(error) => format!("cron keeps no record, and the history cannot be read: {error}"),
        });
    }
}

async fn install(
    args: &TimersChangeArgs,
    settings: &Settings,
    survey: &Survey,
    report: &mut Report,
    context: &Context,
) -> Result<()> {
    let sketch = timers::plan(settings, survey, args.aim(), args.dry_run)?;
    report.add_plan(&sketch.plan);
    let units =
        sketch.units.iter().map(|file| json!({ "path": settings.home.units.join(&file.name), "text": file.text }));
    report.result = Some(json!({ "units": units.collect::<Vec<_>>(), "crontab": sketch.lines }));
    if args.dry_run {
        let mut text = String::new();
        for file in &sketch.units {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "==> {} <==\n{}", settings.home.units.join(&file.name).display(), file.text);
        }
        text.extend(sketch.lines.iter().map(|lines| format!("==> the table of cron <==\n{lines}\n")));
        report.text = Some(text.trim_end().to_owned() + "\n");
    } else if sketch.plan.steps.is_empty() {
        report.outcomes.push(unchanged(settings, "everything is as the configuration wants it"));
    } else {
        // A unit can only be let into a folder that is there.
        settings.state.open()?;
        report.outcomes.extend(timers::apply(sketch.plan, settings, context).await);
    }
    Ok(())
}

fn unchanged(settings: &Settings, detail: &str) -> Outcome {
    Outcome {
        action: "timers".into(),
        target: format!("of `{}`", settings.project),
        state: State::Unchanged,
        detail: detail.to_owned(),
        fix: None,
    }
}

/// The jobs as a person reads them, a line each.
fn table(rows: &[Row], now: Timestamp, zone: &TimeZone) -> String {
    if rows.is_empty() {
        return "no job has a section in the configuration, so none has a timer\n".to_owned();
    }
    let mut lines = vec![["job", "when", "timer", "last", "next"].map(str::to_owned)];
    lines.extend(rows.iter().map(|row| cells(row, now, zone)));
    let widths: Vec<usize> =
        (0..5).map(|at| lines.iter().map(|cells| cells[at].len()).max().unwrap_or_default()).collect();
    let mut text = String::new();
    for cells in &lines {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", padded.join("  ").trim_end());
    }
    let absent =
        |row: &&Row| matches!(row.state, timers::State::Absent | timers::State::OutOfDate | timers::State::Off);
    if rows.iter().any(|row| absent(&row)) {
        text.push_str("\n`mainstay timers install` brings them to what the configuration wants\n");
    }
    let reasons: std::collections::BTreeSet<&String> = rows.iter().filter_map(|row| row.why.as_ref()).collect();
    for why in reasons {
        let _ = writeln!(text, "\nnote: {why}");
    }
    text
}

/// One line of the table.
fn cells(row: &Row, now: Timestamp, zone: &TimeZone) -> [String; 5] {
    let timer = match row.by {
        Some(by) if row.state == timers::State::On => by.to_owned(),
        Some(by) => format!("{by}: {}", row.state.word()),
        None => row.state.word().to_owned(),
    };
    let last = match (row.last, row.last_exit) {
        (Some(last), Some(0) | None) => ago(now, last),
        (Some(last), Some(code)) => format!("{} (exit {code})", ago(now, last)),
        (None, _) if row.by == Some("systemd") && row.state != timers::State::Unknown => "never".to_owned(),
        (None, _) if row.state == timers::State::Absent => "-".to_owned(),
        (None, _) => "unknown".to_owned(),
    };
    let next = row.next.map(|next| zone.to_datetime(next).strftime("%a %d %b %H:%M").to_string());
    [row.job.to_owned(), row.calendar.clone(), timer, last, next.unwrap_or_else(|| "-".to_owned())]
}

/// How long ago, in the largest unit that says enough.
fn ago(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs();
    match seconds {
        ..0 => "ahead of the clock".to_owned(),
        0..120 => format!("{seconds} s ago"),
        120..7200 => format!("{} min ago", seconds / 60),
        7200..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_line_a_job() {
        let time = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let row = |job, state, by, last, last_exit, next, why: Option<&str>| Row {
            job,
            calendar: "weekly Sun 03:00".into(),
            by,
            unit: None,
            state,
            last,
            last_exit,
            next,
            why: why.map(str::to_owned),
        };
        use timers::State::{Absent, On, OutOfDate, Unknown};
        let rows = [
            row(
                "check",
                On,
                Some("systemd"),
                time("2026-11-26T00:15:00Z"),
                Some(1),
                time("2026-11-26T01:30:00Z"),
                None,
            ),
            row("backup", OutOfDate, Some("systemd"), None, None, None, None),
            row("renew-cert", Absent, None, None, None, None, None),
            row("schedule", Unknown, Some("systemd"), None, None, None, Some("no bus")),
        ];
        let text = table(&rows, "2026-11-26T01:15:00Z".parse().unwrap(), &TimeZone::UTC);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains("60 min ago (exit 1)") && lines[1].ends_with("Thu 26 Nov 01:30"), "{text}");
        assert!(lines[2].contains("systemd: out of date") && lines[2].contains("never"), "{text}");
        assert!(lines[3].contains("not installed") && lines[4].contains("systemd: unknown"), "{text}");
        assert!(text.contains("`mainstay timers install`") && text.ends_with("note: no bus\n"), "{text}");
        assert!(table(&[], Timestamp::UNIX_EPOCH, &TimeZone::UTC).contains("no job has a section"));
    }
}
