//! The same glance as one page of HTML that needs nothing else: no script, no picture, no font, no network. Light and dark
//! as the reader's system has it, for a phone, a desk and paper.
//!
//! The page says of itself that nothing may be fetched (`Content-Security-Policy`), so a browser keeps the promise too.

mod drawing;

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::glance::{Archives, Certificate, Glance, Site, Timetable, Trouble};
use crate::{
    report::Status,
    rules::units::{tell_age, tell_size},
};
use drawing::{bar, lane, months, week};

const STYLE: &str = include_str!("style.css");

/// Nothing but the style that stands in it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The whole page.
pub fn page(glance: &Glance) -> String {
    let title = format!("{} on {}", glance.project, glance.host);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                meta name="generator" content={ "mainstay " (glance.version) };
                title { (mark(glance.status).0) " " (title) }
                // It is ours, and holds no text from elsewhere.
                style { (PreEscaped(STYLE)) }
            }
            body {
                (head(glance))
                main {
                    (todo(&glance.troubles))
                    (sites(&glance.sites))
                    (certificates(&glance.certificates))
                    (backups(&glance.backups))
                    (schedules(&glance.schedules))
                    (past(glance))
                }
                footer { "Written by mainstay " (glance.version) ". The same in the terminal: " code { "mainstay report" } }
            }
        }
    }
    .into_string()
}

fn head(glance: &Glance) -> Markup {
    let counts = glance.counts;
    let looked = counts.fail + counts.unknown + counts.warn + counts.pass > 0;
    let said = match glance.status {
        Status::Pass | Status::Skip if !looked => "nothing is configured that could be looked at",
        Status::Pass | Status::Skip => "all is well",
        Status::Warn => "works, should be looked at",
        Status::Unknown => "not everything could be seen",
        Status::Fail => "something is wrong",
    };
    let tally = [
        (Status::Fail, counts.fail),
        (Status::Unknown, counts.unknown),
        (Status::Warn, counts.warn),
        (Status::Pass, counts.pass),
    ];
    html! {
        header {
            h1 { (glance.project) }
            p.where { "seen from " b { (glance.host) } " on " (moment(glance.at)) }
            p.overall { (chip(glance.status)) " " (said) }
            ul.tally {
                @for (status, count) in tally {
                    @if count > 0 || status == Status::Pass { li { b { (count) } " " (status.word()) } }
                }
            }
        }
    }
}

fn todo(troubles: &[Trouble]) -> Markup {
    html! {
        @if !troubles.is_empty() {
            section #todo {
                h2 { "To be looked at" }
                ul.plain {
                    @for trouble in troubles {
                        li.trouble {
                            p { (chip(trouble.status)) " " b { (trouble.subject) } " " span.id { (trouble.id) } }
                            p { (trouble.summary) }
                            @if let Some(cause) = &trouble.cause { p.faint { (cause) } }
                            @if let Some(fix) = &trouble.fix { p.fix { "→ " (fix) } }
                        }
                    }
                }
            }
        }
    }
}

fn sites(sites: &[Site]) -> Markup {
    html! {
        @if !sites.is_empty() {
            section #sites {
                h2 { "Sites" }
                ul.plain.rows {
                    @for site in sites {
                        li {
                            (chip(site.status))
                            span.name { (site.name) }
                            span.wide { (site.url) }
                            span.faint { (site.counts.pass) " of " (judged(site)) " checks pass" }
                        }
                    }
                }
            }
        }
    }
}

fn judged(site: &Site) -> usize {
    let counts = site.counts;
    counts.pass + counts.warn + counts.unknown + counts.fail
}

fn certificates(certificates: &[Certificate]) -> Markup {
    html! {
        @if !certificates.is_empty() {
            section #certificates {
                h2 { "Certificates" }
                ul.plain.rows {
                    @for certificate in certificates {
                        li {
                            (chip(certificate.status))
                            span.name { (certificate.name) }
                            span.faint { (certificate.source.word()) }
                            @match (certificate.days_left, certificate.share()) {
                                (Some(left), share) => {
                                    span.left { b { (left) } " days left" }
                                    @if let Some(share) = share { (bar(share, certificate.status)) }
                                    @if let Some(end) = &certificate.not_after { span.faint { "until " (day(end)) } }
                                }
                                (None, _) => { span.wide { (certificate.summary) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn backups(backups: &[Archives]) -> Markup {
    html! {
        @if !backups.is_empty() {
            section #backups {
                h2 { "Backups" }
                ul.plain.rows {
                    @for backup in backups {
                        li {
                            (chip(backup.status))
                            span.name { (backup.name) }
                            span.wide { (backup.destination) }
                            @match &backup.newest {
                                Some(newest) => {
                                    span { b { (tell_age(newest.age_seconds)) } " old" }
                                    span { (tell_size(newest.bytes)) ", " (newest.files) " files" }
                                }
                                None => { span { "no good archive seen" } }
                            }
                            @if let Some(archives) = backup.archives {
                                span.faint { (archives) @if archives == 1 { " archive, " } @else { " archives, " } (tell_size(backup.bytes)) " in all" }
                            }
                            @if !backup.status.is_fine() { @if let Some(summary) = &backup.summary { span.full { (summary) } } }
                        }
                    }
                }
            }
        }
    }
}

fn schedules(schedules: &[Timetable]) -> Markup {
    html! {
        @if !schedules.is_empty() {
            section #schedules {
                h2 { "Schedules" }
                @for schedule in schedules {
                    article {
                        h3 { (chip(schedule.status)) " " (schedule.name) }
                        p {
                            "now " b { (schedule.desired) } ", " (schedule.reason)
                            @if let Some(next) = &schedule.next { "; " b { (next.state) } " from " (next.local) }
                            span.faint { " (" (schedule.timezone) ")" }
                        }
                        @if let Some(machines) = schedule.machines {
                            p.faint { (machines) @if machines == 1 { " machine belongs to it" } @else { " machines belong to it" } }
                        }
                        @if let Some(summary) = &schedule.summary { p { (summary) } }
                        (week(schedule))
                    }
                }
            }
        }
    }
}

fn past(glance: &Glance) -> Markup {
    let past = &glance.past;
    html! {
        section #past {
            h2 { "The last 90 days" }
            @if let Some(error) = &past.error { p { (chip(Status::Unknown)) " the history cannot be read: " (error) } }
            @if past.lanes.is_empty() {
                @if past.error.is_none() {
                    p.faint { "No run is on record yet. Every run of a job leaves one from now on." }
                }
            } @else {
                div.lanes {
                    (months(past))
                    @for row in &past.lanes { (lane(row)) }
                }
                p.legend {
                    @for status in [Status::Pass, Status::Warn, Status::Unknown, Status::Fail] {
                        span { span.key.(mark(status).1) {} " " (status.word()) }
                    }
                    span { span.key.groove {} " no run" }
                }
            }
        }
        @if !past.failures.is_empty() {
            section #failures {
                h2 { "Recent failures" }
                ul.plain.rows {
                    @for failure in &past.failures {
                        li {
                            (chip(failure.status))
                            span.name { (failure.command) }
                            span { (moment(failure.at)) }
                            span.wide { (failure.summary) }
                            @match failure.recovered {
                                Some(at) => { span.faint { "recovered " (moment(at)) } }
                                None => { span { b { "not recovered since" } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A status as a shape, a word and a colour: nobody has to see the colour.
fn chip(status: Status) -> Markup {
    let (shape, class) = mark(status);
    html! { span.chip.(class) { (shape) " " (status.word()) } }
}

/// The shape of a status, and the class that has its colour.
fn mark(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::Skip => ("–", "skip"),
        Status::Pass => ("✓", "pass"),
        Status::Warn => ("!", "warn"),
        Status::Unknown => ("?", "unknown"),
        Status::Fail => ("✗", "fail"),
    }
}

fn moment(at: Timestamp) -> Markup {
    html! { time datetime=(at) { (at.strftime("%a %Y-%m-%d %H:%M UTC")) } }
}

/// The date of an instant that stands as text.
fn day(instant: &str) -> &str {
    instant.split('T').next().unwrap_or(instant)
}
