//! The state of everything on a terminal: `mainstay report`. Fits into 80 columns.

use std::fmt::Write as _;

use anstyle::Style;
use jiff::Timestamp;
use unicode_width::UnicodeWidthStr;

use super::{View, line, padded, wrap};
use crate::{
    cli::{
        schedule::grid,
        style::{Palette, paint},
    },
    overview::glance::{Archives, Certificate, Failure, Glance, Lane, Site, Timetable, Trouble},
    report::Status,
    rules::units::{tell_age, tell_size},
};

/// The whole text. With `--quiet` only what is not fine, and nothing at all when all is well.
pub fn text(glance: &Glance, view: &View) -> String {
    let mut page = Page { text: String::new(), palette: Palette::new(view.colour), width: view.width };
    if view.quiet {
        page.todo(&glance.troubles);
        return page.text;
    }
    page.head(glance);
    page.todo(&glance.troubles);
    page.sites(&glance.sites);
    page.certificates(&glance.certificates);
    page.backups(&glance.backups);
    page.schedules(&glance.schedules);
    page.past(glance);
    page.text
}

struct Page {
    text: String,
    palette: Palette,
    width: Option<usize>,
}

/// Where the text of a row begins: after the mark and its word.
const INDENT: usize = 12;

/// How long a bar is.
const BAR: usize = 24;

impl Page {
    fn head(&mut self, glance: &Glance) {
        let title = format!("{} on {}, {}", glance.project, glance.host, moment(glance.at));
        self.put(&paint(self.palette.strong, line(&title)));
        let counts = glance.counts;
        let tally: Vec<String> = [
            (counts.fail, Status::Fail),
            (counts.unknown, Status::Unknown),
            (counts.warn, Status::Warn),
            (counts.pass, Status::Pass),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, status)| format!("{count} {}", status.word()))
        .collect();
        let tally = if tally.is_empty() { "nothing to look at".to_owned() } else { tally.join(", ") };
        let (mark, style) = self.mark(glance.status);
        self.put(&format!("{} {tally}", paint(style, mark)));
    }

    fn todo(&mut self, troubles: &[Trouble]) {
        if troubles.is_empty() {
            return;
        }
        self.heading("To be looked at");
        for trouble in troubles {
            let subject = if trouble.subject.is_empty() { String::new() } else { format!("{}: ", trouble.subject) };
            self.row(trouble.status, &format!("{subject}{} ({})", trouble.summary, trouble.id), Style::new());
            if let Some(cause) = &trouble.cause {
                self.below(&format!("because {cause}"));
            }
            if let Some(fix) = &trouble.fix {
                self.below(&format!("fix: {fix}"));
            }
        }
    }

    fn sites(&mut self, sites: &[Site]) {
        if sites.is_empty() {
            return;
        }
        self.heading("Sites");
        let wide = widest(sites.iter().map(|site| &site.name));
        for site in sites {
            let counts = site.counts;
            let all = counts.pass + counts.warn + counts.unknown + counts.fail;
            let name = padded(&site.name, wide);
            self.row(site.status, &format!("{name}  {}, {} of {all} pass", site.url, counts.pass), Style::new());
        }
    }

    fn certificates(&mut self, certificates: &[Certificate]) {
        if certificates.is_empty() {
            return;
        }
        self.heading("Certificates");
        let wide = widest(certificates.iter().map(|certificate| &certificate.name));
        for certificate in certificates {
            let name = padded(&certificate.name, wide);
            let head = format!("{name}  {:<7}", certificate.source.word());
            let text = match (certificate.days_left, certificate.share()) {
                (Some(left), Some(share)) => format!("{head}  {left:>4} d left  {}", bar(share)),
                (Some(left), None) => format!("{head}  {left:>4} d left"),
                (None, _) => format!("{head}  {}", certificate.summary),
            };
            self.row(certificate.status, &text, Style::new());
        }
    }

    fn backups(&mut self, backups: &[Archives]) {
        if backups.is_empty() {
            return;
        }
        self.heading("Backups");
        let wide = widest(backups.iter().map(|backup| &backup.name));
        for backup in backups {
            let name = padded(&backup.name, wide);
            let held = match (&backup.newest, backup.archives) {
                (Some(newest), Some(count)) => format!(
                    "{} old, {}; {count} there, {}",
                    tell_age(newest.age_seconds),
                    tell_size(newest.bytes),
                    tell_size(backup.bytes)
                ),
                (_, Some(0)) => "no archive".to_owned(),
                (_, Some(1)) => "the only archive there cannot be relied upon".to_owned(),
                (_, Some(count)) => format!("none of {count} archives can be relied upon"),
                (_, None) => format!("could not be listed: {}", backup.error.as_deref().unwrap_or("unknown why")),
            };
            self.row(backup.status, &format!("{name}  {held}"), Style::new());
            self.below(&format!("at {}", backup.destination));
        }
    }

    fn schedules(&mut self, schedules: &[Timetable]) {
        for (at, schedule) in schedules.iter().enumerate() {
            if at == 0 {
                self.heading("Schedules");
            } else {
                self.text.push('\n');
            }
            let next = schedule.next.iter().map(|next| format!("; {} from {}", next.state, next.local));
            let next: String = next.collect();
            let text = format!(
                "{}: now {}, {}{next} ({})",
                schedule.name, schedule.desired, schedule.reason, schedule.timezone
            );
            self.row(schedule.status, &text, Style::new());
            if let Some(machines) = schedule.machines {
                self.below(&format!("{machines} {}", if machines == 1 { "machine" } else { "machines" }));
            }
            let mut lines = Vec::new();
            grid(&schedule.week, schedule.mode, &mut lines);
            for line in lines {
                self.put(&format!("  {line}"));
            }
        }
    }

    fn past(&mut self, glance: &Glance) {
        let past = &glance.past;
        if let Some(error) = &past.error {
            self.heading("History");
            self.row(Status::Unknown, &format!("it cannot be read: {error}"), Style::new());
        }
        if past.error.is_none() && past.lanes.is_empty() {
            self.heading("History");
            self.put("  No run is on record yet: each run of a job leaves one.");
        }
        if !past.lanes.is_empty() {
            self.heading("The last 30 days");
            let wide = widest(past.lanes.iter().map(|lane| &lane.job));
            for lane in &past.lanes {
                let days = self.days(lane);
                self.put(&format!("  {}  {days}", padded(&lane.job, wide)));
            }
            self.put(&format!("  {}  ✓ pass  ! warn  ? unknown  ✗ fail  · no run", padded("", wide)));
        }
        if !past.failures.is_empty() {
            self.heading("Recent failures");
            for failure in &past.failures {
                self.failure(failure);
            }
        }
    }

    fn failure(&mut self, failure: &Failure) {
        let times = if failure.runs > 1 { format!(", {} runs", failure.runs) } else { String::new() };
        let end = match failure.recovered {
            Some(at) => format!("recovered {}", moment(at)),
            None => "not recovered since".to_owned(),
        };
        let text = format!("{} {}{times}; {end}", moment(failure.at), failure.command);
        self.row(failure.status, &text, Style::new());
        self.below(&failure.summary);
    }

    /// A mark for each of the last 30 days.
    fn days(&self, lane: &Lane) -> String {
        let last = lane.days.iter().rev().take(30).rev();
        last.map(|day| match day.status {
            Some(status) => {
                let (mark, style) = self.mark(status);
                paint(style, mark)
            }
            None => "·".to_owned(),
        })
        .collect()
    }

    fn heading(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.put(&paint(self.palette.strong, text));
    }

    /// A row with its mark; what is too long goes on below itself.
    fn row(&mut self, status: Status, text: &str, style: Style) {
        let (mark, colour) = self.mark(status);
        let head = paint(colour, format_args!("{mark} {:<7}", status.word()));
        let room = self.width.map(|width| width.saturating_sub(INDENT));
        for (at, part) in wrap(&line(text), room).iter().enumerate() {
            if at == 0 {
                self.put(&format!("  {head} {}", paint(style, part)));
            } else {
                self.put(&format!("{:INDENT$}{}", "", paint(style, part)));
            }
        }
    }

    fn below(&mut self, text: &str) {
        let room = self.width.map(|width| width.saturating_sub(INDENT));
        for part in wrap(&line(text), room) {
            self.put(&format!("{:INDENT$}{}", "", paint(self.palette.faint, part)));
        }
    }

    fn put(&mut self, row: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{}", row.trim_end());
    }

    fn mark(&self, status: Status) -> (&'static str, Style) {
        match status {
            Status::Skip => ("-", self.palette.faint),
            Status::Pass => ("✓", self.palette.good),
            Status::Warn => ("!", self.palette.caution),
            Status::Unknown => ("?", self.palette.unsure),
            Status::Fail => ("✗", self.palette.bad),
        }
    }
}

/// How much is left of a life.
fn bar(share: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "0 to 24")]
    let full = (share * BAR as f64).ceil() as usize;
    let full = full.min(BAR);
    format!("{}{}", "█".repeat(full), "░".repeat(BAR - full))
}

fn widest<'a>(texts: impl Iterator<Item = &'a String>) -> usize {
    texts.map(|text| line(text).width()).max().unwrap_or_default().min(28)
}

fn moment(at: Timestamp) -> String {
    at.strftime("%a %Y-%m-%d %H:%MZ").to_string()
}
