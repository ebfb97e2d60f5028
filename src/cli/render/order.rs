//! The order in which a person reads findings.

use std::collections::{HashMap, HashSet};

use super::because_of;
use crate::report::{Finding, Status};

/// Findings from fine to failed, skipped ones after those that passed, each symptom below the finding that explains it; `true` marks such a symptom.
pub(super) fn by_reading<'a>(findings: &[&'a Finding]) -> Vec<(&'a Finding, bool)> {
    let mut sorted = findings.to_vec();
    sorted.sort_by_key(|finding| (rank(finding.status), finding.status == Status::Skip));
    let roots: HashSet<&str> = sorted.iter().filter(|finding| !finding.status.is_fine()).map(|f| f.id).collect();
    let root_of: Vec<Option<&str>> = sorted
        .iter()
        .map(|finding| {
            because_of(finding).filter(|root| !finding.status.is_fine() && *root != finding.id && roots.contains(root))
        })
        .collect();
    // Several findings of one id (one an address) share their symptoms: those follow the last of them.
    let last: HashMap<&str, usize> =
        sorted.iter().enumerate().filter(|(at, _)| root_of[*at].is_none()).map(|(at, f)| (f.id, at)).collect();
    let mut symptoms: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, root) in root_of.iter().enumerate() {
        if let Some(root) = root {
            symptoms.entry(root).or_default().push(at);
        }
    }
    let mut ordered = Vec::with_capacity(sorted.len());
    let mut placed = vec![false; sorted.len()];
    for (at, finding) in sorted.iter().enumerate() {
        if root_of[at].is_some() {
            continue;
        }
        placed[at] = true;
        ordered.push((*finding, false));
        let mut ids = if last.get(finding.id) == Some(&at) { vec![finding.id] } else { Vec::new() };
        while let Some(id) = ids.pop() {
            for at in symptoms.remove(id).unwrap_or_default() {
                placed[at] = true;
                ordered.push((sorted[at], true));
                ids.push(sorted[at].id);
            }
        }
    }
    // Findings that blame each other in a circle have no root; they are shown in full.
    ordered.extend(sorted.iter().zip(placed).filter(|(_, placed)| !placed).map(|(finding, _)| (*finding, false)));
    ordered
}

/// The place of a status in reading order: what is fine first.
pub(super) fn rank(status: Status) -> u8 {
    match status {
        Status::Pass | Status::Skip => 0,
        Status::Warn => 1,
        Status::Unknown => 2,
        Status::Fail => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symptom_follows_its_root_and_a_circle_is_shown_in_full() {
        let root = Finding::fail("nginx.headers", "s", "root");
        let symptom = Finding::fail("oauth.redirect", "s", "symptom").because_of(&root);
        let late = Finding::unknown("http.host", "s", "symptom of the symptom").because_of(&symptom);
        let other = Finding::fail("tls.chain", "s", "other");
        let order: Vec<_> =
            by_reading(&[&late, &symptom, &root, &other]).iter().map(|(f, below)| (f.id, *below)).collect();
        assert_eq!(
            order,
            [("nginx.headers", false), ("oauth.redirect", true), ("http.host", true), ("tls.chain", false)]
        );

        let one = Finding::fail("a", "s", "x").data("because_of", "b");
        let two = Finding::fail("b", "s", "x").data("because_of", "a");
        assert_eq!(by_reading(&[&one, &two]).len(), 2);
        let gone = Finding::fail("a", "s", "x").data("because_of", "not in this report");
        assert!(!by_reading(&[&gone])[0].1, "shown in full when its root is not there");
    }
}
