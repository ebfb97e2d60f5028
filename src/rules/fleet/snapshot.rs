//! Snapshots that are made before a stop: their names, and which of them go again.

use jiff::Timestamp;

/// So many of an instance's own snapshots stay: the new one, and the one before it.
const KEPT: usize = 2;

/// The name of a snapshot: `mainstay-app-20261124001000`, UTC.
pub fn snapshot_name(id: &str, at: Timestamp) -> String {
    format!("mainstay-{id}-{}", at.strftime("%Y%m%d%H%M%S"))
}

/// Which of an instance's snapshots go, once `new` is done: those of ours beyond the newest two. `known` are names with whether
/// they are done. Nothing goes while the new one is not there, whole.
pub fn superseded<'a>(id: &str, new: &str, known: &'a [(String, bool)]) -> Vec<&'a str> {
    if !known.iter().any(|(name, done)| name == new && *done) {
        return Vec::new();
    }
    let prefix = format!("mainstay-{id}-");
    let is_ours = |name: &str| {
        name.strip_prefix(&prefix)
            .is_some_and(|time| time.len() == 14 && time.bytes().all(|byte| byte.is_ascii_digit()))
    };
    // The names sort as their times do. What is not done counts for nothing, and is no burden that we may take away.
    let mut ours: Vec<&str> =
        known.iter().filter(|(name, done)| *done && is_ours(name)).map(|(name, _)| name.as_str()).collect();
    ours.sort_unstable();
    ours.truncate(ours.len().saturating_sub(KEPT));
    ours
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedule_case_62_older_snapshots_of_ours_go_once_the_new_one_is_whole() {
        let at = |text: &str| snapshot_name("app", text.parse().unwrap());
        let (first, second, new) = (at("2026-11-22T00:10:00Z"), at("2026-11-23T00:10:00Z"), at("2026-11-24T00:10:00Z"));
        assert_eq!(new, "mainstay-app-20261124001000");
        let known = |done: bool| {
            let others = ["mainstay-app-by-hand", "mainstay-app-copy-20261101000000", "before-the-upgrade"];
            let mut all = vec![(first.clone(), true), (second.clone(), true), (new.clone(), done)];
            all.extend(others.map(|name| (name.to_owned(), true)));
            all
        };
        assert_eq!(superseded("app", &new, &known(true)), [first.as_str()]);
        assert!(superseded("app", &new, &known(false)).is_empty(), "it is not whole yet");
        assert!(superseded("app", "mainstay-app-20261125001000", &known(true)).is_empty(), "it is not there");
    }
}
