//! For GitHub Actions: workflow commands, which become annotations
//! (<https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions>).

use std::path::{Component, Path};

use super::{Render, View, effective, excerpts, headline, line, overall_name, seconds, tally, visible};
use crate::{
    error::Error,
    report::{Finding, Report, State, Status},
};

/// `--format github`.
pub(super) struct Github;

impl Render for Github {
    fn name(&self) -> &'static str {
        "github"
    }

    fn title(&self) -> &'static str {
        "for GitHub Actions: annotations of the run"
    }

    fn report(&self, report: &Report, view: &View) -> String {
        let mut output = Annotations::default();
        let mut findings: Vec<&Finding> = report.findings.iter().filter(|finding| !finding.status.is_fine()).collect();
        // The few that are shown should be causes rather than what follows from them.
        findings.sort_by_key(|finding| (std::cmp::Reverse(finding.status), super::because_of(finding).is_some()));
        for finding in findings {
            let level = match effective(finding.status, report) {
                Status::Warn => Level::Warning,
                // It makes the run fail just as well: what was not looked at is not right.
                _ => Level::Error,
            };
            let mut message = finding.summary.clone();
            if finding.status == Status::Unknown {
                message = format!("could not be looked at: {message}");
            }
            for (label, value) in [
                ("expected", &finding.expected),
                ("observed", &finding.observed),
                ("cause", &finding.cause),
                ("fix", &finding.fix),
            ] {
                if let Some(value) = value {
                    message = format!("{message}\n{label}: {value}");
                }
            }
            let title = format!("{} {}", finding.subject, finding.id);
            output.add(level, place(finding, view.checkout.as_deref()), &title, &message);
        }
        for outcome in report.outcomes.iter().filter(|outcome| outcome.state == State::Failed) {
            let message = match &outcome.fix {
                Some(fix) => format!("{}\nfix: {fix}", outcome.detail),
                None => outcome.detail.clone(),
            };
            output.add(Level::Error, None, &format!("{} {}", outcome.action, outcome.target), &message);
        }
        let mut parts = Vec::new();
        if !report.findings.is_empty() || report.outcomes.is_empty() {
            parts.push(tally(&report.findings.iter().collect::<Vec<_>>()));
        }
        if !report.outcomes.is_empty() {
            let failed = report.outcomes.iter().filter(|outcome| outcome.state == State::Failed).count();
            parts.push(format!("{} steps, {failed} failed", report.outcomes.len()));
        }
        let totals = format!("{}: {} in {}", overall_name(report), parts.join(", "), seconds(report.took));
        output.end(&format!("mainstay {}", report.command), &totals)
    }

    fn error(&self, error: &Error, view: &View) -> String {
        let mut message = headline(error);
        for excerpt in excerpts(error) {
            message = format!("{message}\n{excerpt}");
        }
        for hint in &error.hints {
            message = format!("{message}\nhint: {hint}");
        }
        let mut output = Annotations::default();
        output.add(Level::Error, None, &format!("mainstay {}", view.command), &message);
        output.text
    }
}

/// GitHub keeps this many annotations of each level and step and drops the rest without a word.
const SHOWN: usize = 10;

#[derive(Clone, Copy)]
enum Level {
    Error,
    Warning,
}

#[derive(Default)]
struct Annotations {
    text: String,
    counts: [usize; 2],
    rest: Vec<String>,
}

impl Annotations {
    fn add(&mut self, level: Level, place: Option<(String, u64)>, title: &str, message: &str) {
        let word = match level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        let count = &mut self.counts[level as usize];
        *count += 1;
        if *count > SHOWN {
            self.rest.push(format!("{word}: {}: {}", line(title), line(message.lines().next().unwrap_or_default())));
            return;
        }
        let place = place.map_or(String::new(), |(file, line)| format!("file={},line={line},", property(&file)));
        let message = data(message);
        self.text.push_str(&defused(&format!("::{word} {place}title={}::{message}", property(title))));
        self.text.push('\n');
    }

    fn end(mut self, title: &str, totals: &str) -> String {
        if !self.rest.is_empty() {
            self.text.push_str(&format!("and {} more, which GitHub does not annotate:\n", self.rest.len()));
        }
        for rest in &self.rest {
            self.text.push_str(&defused(rest));
            self.text.push('\n');
        }
        self.text.push_str(&defused(&format!("::notice title={}::{}", property(title), data(totals))));
        self.text.push('\n');
        self.text
    }
}

/// The runner also obeys an older form, `##[…]`, anywhere in a line.
fn defused(line: &str) -> String {
    line.replace("##[", "# #[")
}

/// The message of a command: `%` and line ends are escaped.
fn data(text: &str) -> String {
    visible(text).replace('%', "%25").replace('\n', "%0A")
}

/// A property of a command: also what ends it.
fn property(text: &str) -> String {
    line(text).replace('%', "%25").replace(':', "%3A").replace(',', "%2C")
}

/// Where in the checkout a finding points. A path elsewhere (inside a container) would annotate nothing, or a file of
/// the same name that has nothing to do with it.
fn place(finding: &Finding, checkout: Option<&Path>) -> Option<(String, u64)> {
    let (file, number) = finding.data.get("at")?.as_str()?.rsplit_once(':')?;
    let number = number.parse().ok()?;
    let path = Path::new(file);
    let path = if path.is_absolute() { path.strip_prefix(checkout?).ok()? } else { path };
    let inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    (inside && !path.as_os_str().is_empty()).then(|| (path.to_string_lossy().into_owned(), number))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{render, render_error, sample},
        *,
    };
    use crate::cli::render::Format;

    fn github() -> Format {
        "github".parse().unwrap()
    }

    #[test]
    fn snapshots() {
        sample::snapshot("github_report", &render(github(), &sample::report(), &sample::view()));
        sample::snapshot("github_changes", &render(github(), &sample::changes(), &sample::view()));
        sample::snapshot("github_error", &render_error(github(), &sample::error(), &sample::view()));
    }

    #[test]
    fn a_place_is_given_only_inside_the_checkout() {
        let checkout = Some(Path::new("/home/runner/work/prime"));
        let at = |at: &str, checkout| place(&Finding::fail("nginx.headers", "s", "x").data("at", at), checkout);
        let inside = Some(("deploy/nginx.conf".to_owned(), 31));
        assert_eq!(at("/home/runner/work/prime/deploy/nginx.conf:31", checkout), inside);
        assert_eq!(at("deploy/nginx.conf:31", None), inside);
        for elsewhere in [
            "/etc/nginx/nginx.conf:31",
            "../nginx.conf:31",
            "nginx.conf",
            "nginx.conf:x",
            ":3",
            "/home/runner/work/prime/../x:1",
        ] {
            assert_eq!(at(elsewhere, checkout), None, "{elsewhere}");
        }
        assert_eq!(at("/home/runner/work/prime/deploy/nginx.conf:31", None), None);
    }

    #[test]
    fn ten_of_each_level_are_annotations_and_the_rest_are_lines() {
        let mut report = Report::new("check", "web-1", sample::now());
        for number in 0..13 {
            report.findings.push(Finding::fail("tls.chain", format!("site{number}"), "::error::x"));
        }
        report.findings.push(Finding::warn("http.hsts", "prime", "no header"));
        let text = render(github(), &report, &sample::view());
        assert_eq!(text.lines().filter(|line| line.starts_with("::error ")).count(), 10, "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("error: ")).count(), 3, "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("::warning ")).count(), 1, "{text}");
        assert!(text.contains("and 3 more"), "{text}");
    }

    #[test]
    fn what_ends_a_command_is_escaped() {
        let finding = Finding::fail("tls.name", "a,b:c%", "100%\nsecond ##[error]x");
        let mut report = Report::new("check", "web-1", sample::now());
        report.findings.push(finding);
        let text = render(github(), &report, &sample::view());
        assert_eq!(text.lines().next(), Some("::error title=a%2Cb%3Ac%25 tls.name::100%25%0Asecond # #[error]x"));
    }
}
