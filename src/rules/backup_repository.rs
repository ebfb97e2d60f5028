//! Whether what git keeps is kept elsewhere too: pushed and committed, judged from what the last push or fetch told.

use std::{path::PathBuf, time::Duration};

use jiff::Timestamp;

use crate::{report::Finding, rules::units::print_duration};

/// The id of the check.
pub const ID: &str = "backup.repository";

/// What was seen of a work tree.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Observation {
    /// The top of the work tree.
    pub top: PathBuf,
    /// The names of its remotes.
    pub remotes: Vec<String>,
    /// When each commit was made that no remote has.
    pub unpushed: Vec<Timestamp>,
    /// Files that differ from the last commit and are not in the backup, with the time of their last change.
    pub changed: Vec<(PathBuf, Option<Timestamp>)>,
}

/// So many names are told to a person.
const NAMED: usize = 3;

/// Judges `backup.repository`: one finding, with what is worst.
pub fn judge(subject: &str, seen: &Observation, max_age: Duration, now: Timestamp) -> Finding {
    let limit = now.checked_sub(max_age).unwrap_or(Timestamp::MIN);
    let top = shell_words::quote(&seen.top.display().to_string()).into_owned();
    let allowed = print_duration(max_age);
    let facts = |finding: Finding| {
        finding
            .data("top", seen.top.display().to_string())
            .data("remotes", seen.remotes.clone())
            .data("unpushed", seen.unpushed.len())
            .data("uncommitted", seen.changed.len())
    };
    if seen.remotes.is_empty() {
        return facts(
            Finding::fail(
                ID,
                subject,
                format!("the repository `{}` has no remote: it exists once", seen.top.display()),
            )
            .expected("a remote has a copy of the repository")
            .fix(format!("add one and push: git -C {top} remote add origin URL && git -C {top} push -u origin HEAD"))
            .data("reason", "no-remote"),
        );
    }
    if let Some(oldest) = seen.unpushed.iter().min().filter(|oldest| **oldest < limit) {
        let count = seen.unpushed.len();
        let commits = if count == 1 { "commit is" } else { "commits are" };
        return facts(
            Finding::fail(ID, subject, format!("{count} {commits} not pushed, the oldest for {}", days(*oldest, now)))
                .expected(format!("commits are pushed within {allowed}"))
                .fix(format!("run `git -C {top} push --all`"))
                .data("reason", "unpushed"),
        );
    }
    let old: Vec<&(PathBuf, Option<Timestamp>)> =
        seen.changed.iter().filter(|(_, since)| since.is_some_and(|since| since < limit)).collect();
    if let Some(since) = old.iter().filter_map(|(_, since)| *since).min() {
        let mut names: Vec<String> = old.iter().take(NAMED).map(|(path, _)| format!("`{}`", path.display())).collect();
        if old.len() > NAMED {
            names.push(format!("and {} more", old.len() - NAMED));
        }
        let summary = match old.len() {
            1 => format!("a change has not been committed for {}", days(since, now)),
            count => format!("{count} changes have not been committed, the oldest for {}", days(since, now)),
        };
        return facts(
            Finding::fail(ID, subject, summary)
                .expected(format!("changes are committed within {allowed}"))
                .observed(names.join(", "))
                .fix(format!("commit and push them, or ignore them: git -C {top} status"))
                .data("reason", "uncommitted"),
        );
    }
    let rest = match (seen.unpushed.len(), seen.changed.len()) {
        (0, 0) => "everything is pushed".to_owned(),
        (unpushed, changed) => format!("{unpushed} commits and {changed} changes wait, none for longer than {allowed}"),
    };
    facts(Finding::pass(ID, subject, rest))
}

fn days(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).as_secs().max(0).unsigned_abs();
    match seconds / 86_400 {
        0 => print_duration(Duration::from_secs(seconds / 60 * 60)),
        days => format!("{days}d"),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::report::{Status, assert_one_voice};

    #[test]
    fn what_is_nowhere_else_for_too_long_fails() {
        let now: Timestamp = "2026-11-23T18:00:00Z".parse().unwrap();
        let ago = |days: i64| now - SignedDuration::from_hours(24 * days);
        let remotes = vec!["origin".to_owned()];
        let seen = |unpushed: &[i64], changed: &[i64]| Observation {
            top: "/srv/prime".into(),
            remotes: remotes.clone(),
            unpushed: unpushed.iter().map(|days| ago(*days)).collect(),
            changed: changed.iter().map(|days| (format!("f{days}").into(), Some(ago(*days)))).collect(),
        };
        let table = [
            (Observation { remotes: Vec::new(), ..seen(&[], &[]) }, Status::Fail, "no-remote"),
            (seen(&[], &[]), Status::Pass, "everything is pushed"),
            (seen(&[1, 6], &[2]), Status::Pass, "2 commits and 1 changes wait, none for longer than 1w"),
            (seen(&[1, 8], &[9]), Status::Fail, "unpushed"),
            (seen(&[], &[1, 9, 8, 10, 11]), Status::Fail, "uncommitted"),
            (
                Observation { changed: vec![("gone".into(), None)], ..seen(&[], &[]) },
                Status::Pass,
                "0 commits and 1 changes wait, none for longer than 1w",
            ),
        ];
        for (seen, status, said) in table {
            let finding = judge("app", &seen, Duration::from_secs(7 * 86_400), now);
            assert_one_voice(&finding);
            let word = finding.data.get("reason").map_or(finding.summary.as_str(), |reason| reason.as_str().unwrap());
            assert_eq!((finding.status, word), (status, said), "{seen:?}");
        }
        let several = judge("app", &seen(&[], &[1, 9, 8, 10, 11]), Duration::from_secs(7 * 86_400), now);
        assert_eq!(several.observed.as_deref(), Some("`f9`, `f8`, `f10`, and 1 more"));
        assert_eq!(several.summary, "4 changes have not been committed, the oldest for 11d");
    }
}
