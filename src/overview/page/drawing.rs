//! What is drawn: how much of a life is left, an ordinary week of a schedule, and a row of days for each job.

use maud::{Markup, html};

use super::mark;
use crate::{
    overview::glance::{Day, Lane, Past, Timetable},
    report::Status,
    rules::calendar::Mode,
};

/// How much is left; the number stands beside it.
pub(super) fn bar(share: f64, status: Status) -> Markup {
    html! {
        span.bar.groove aria-hidden="true" { span.(mark(status).1) style={ "width:" (format!("{:.1}", share * 100.0)) "%" } {} }
    }
}

/// Seven rows of 24 hours; the opacity of an hour is how much of it is inside a window.
pub(super) fn week(schedule: &Timetable) -> Markup {
    let (inside, outside) = match schedule.mode {
        Mode::Both => ("on", "off"),
        Mode::StartOnly => ("started", "left as it is"),
        Mode::StopOnly => ("left as it is", "stopped"),
    };
    html! {
        div.week role="img" aria-label={ "the week of " (schedule.name) } {
            span {}
            @for hour in (0..24).step_by(3) { span.hour { (format!("{hour:02}")) } }
            @for (name, hours) in schedule.week.days() {
                span.day { (name) }
                @for (hour, minutes) in hours.iter().enumerate() {
                    span.groove title={ (name) " " (format!("{hour:02}:00")) ", " (minutes) " min" } {
                        @if *minutes > 0 { span.pass style={ "opacity:" (opacity(*minutes)) } {} }
                    }
                }
            }
        }
        p.legend {
            span { span.key.pass {} " " (inside) }
            span { span.key.groove {} " " (outside) }
            span.faint { "exceptions aside" }
        }
    }
}

/// The names of the months, each above its first day.
pub(super) fn months(past: &Past) -> Markup {
    let days = past.lanes.first().map(|lane| &lane.days[..]).unwrap_or_default();
    html! {
        div.lane aria-hidden="true" {
            span {}
            div.days {
                @for (at, day) in days.iter().enumerate().filter(|(_, day)| day.date.day() == 1) {
                    // A name that would run out of the row begins earlier.
                    span.month style={ "grid-column:" (at.min(SHORTEST) + 1) "/span 12" } { (day.date.strftime("%b %Y")) }
                }
            }
        }
    }
}

/// A job's days, the oldest first.
pub(super) fn lane(lane: &Lane) -> Markup {
    html! {
        div.lane {
            span.name { (lane.job) }
            div.days role="img" aria-label={ "the days of " (lane.job) ": " (told(lane)) } {
                @for day in &lane.days { span.(class(day)) title=(title(day)) {} }
            }
        }
    }
}

/// The days of a row in one sentence, for who hears the page.
fn told(lane: &Lane) -> String {
    let count = |status| lane.days.iter().filter(|day| day.status == Some(status)).count();
    let words =
        [Status::Pass, Status::Warn, Status::Unknown, Status::Fail].into_iter().filter(|status| count(*status) > 0);
    words.map(|status| format!("{} {}", count(status), status.word())).collect::<Vec<_>>().join(", ")
}

fn class(day: &Day) -> &'static str {
    day.status.map_or("groove", |status| mark(status).1)
}

fn title(day: &Day) -> String {
    match (day.status, day.runs) {
        (Some(status), 1) => format!("{}: {}, 1 run", day.date, status.word()),
        (Some(status), runs) => format!("{}: {}, {runs} runs", day.date, status.word()),
        (None, _) => format!("{}: no run", day.date),
    }
}

/// Part of an hour is seen as such: never fainter than a third.
fn opacity(minutes: u8) -> String {
    format!("{:.2}", 0.35 + 0.65 * f64::from(minutes.min(60)) / 60.0)
}

/// The last of 90 days at which the name of a month has room.
const SHORTEST: usize = 78;
