//! The checks of a subject with the commands that they replace, in the words of the checks themselves.

use super::page::Page;
use crate::check::{Check, Subject};

/// Every check that applies to this subject.
pub(super) fn write<S: Subject>(checks: &[&dyn Check<S>], subject: &S, page: &mut Page) {
    let applies: Vec<&&dyn Check<S>> = checks.iter().filter(|check| check.applies(subject).is_ok()).collect();
    page.shell(&lines(applies.iter().map(|check| (check.id(), check.title(), check.by_hand(subject)))));
}

/// One block: what each makes sure of, and its command.
pub(super) fn lines(checks: impl Iterator<Item = (&'static str, &'static str, String)>) -> String {
    let entry = |(id, title, command): (&str, &str, String)| format!("# {id}: {title}\n{command}");
    checks.map(entry).collect::<Vec<_>>().join("\n\n")
}
