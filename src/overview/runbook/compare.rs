//! Whether a committed runbook is the one that follows from the configuration.

use super::page::FOUND;

/// Where a committed text differs from what it should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// How many lines would go and how many would come.
    pub lines: usize,
    /// The first of them: `-` before what is there, `+` before what should be, `@@ line N` where they stand.
    pub shown: Vec<String>,
}

/// So many lines of a difference are shown.
const SHOWN: usize = 20;

/// Compares, without what was found on one machine; `None` where they are the same.
pub fn compare(committed: &str, wanted: &str) -> Option<Difference> {
    let (committed, wanted) = (lasting(committed), lasting(wanted));
    if committed == wanted {
        return None;
    }
    let changes = changes(&committed, &wanted);
    let lines = changes.iter().filter(|change| !change.starts_with("@@")).count();
    let more = changes.len().saturating_sub(SHOWN);
    let mut shown: Vec<String> = changes.into_iter().take(SHOWN).collect();
    if more > 0 {
        shown.push(format!("… and {more} more lines"));
    }
    Some(Difference { lines, shown })
}

/// The lines that follow from the configuration alone.
fn lasting(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line {
            line if line == FOUND.0 => inside = true,
            line if line == FOUND.1 => inside = false,
            // The blank line after a block that is left out belongs to it.
            "" if lines.last().is_some_and(|last| last.is_empty()) => {}
            line if !inside => lines.push(line),
            _ => {}
        }
    }
    while lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    lines
}

/// The lines that differ, in order. Where the texts have little in common, what is there comes before what should be.
fn changes(old: &[&str], new: &[&str]) -> Vec<String> {
    let start = old.iter().zip(new).take_while(|(one, other)| one == other).count();
    let (old_rest, new_rest) = (&old[start..], &new[start..]);
    let end = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(one, other)| one == other).count();
    let (old_rest, new_rest) = (&old_rest[..old_rest.len() - end], &new_rest[..new_rest.len() - end]);
    let mut changes = Vec::new();
    let mut last = None;
    let mut add = |at: usize, mark: char, line: &str| {
        if last.is_none_or(|last| at > last + 1) {
            changes.push(format!("@@ line {}", at + 1));
        }
        last = Some(at);
        changes.push(format!("{mark}{line}"));
    };
    let (rows, columns) = (old_rest.len(), new_rest.len());
    if rows * columns > LARGEST {
        old_rest.iter().enumerate().for_each(|(at, line)| add(start + at, '-', line));
        new_rest.iter().for_each(|line| add(start + rows, '+', line));
        return changes;
    }
    // How long the longest common sequence of what follows is.
    let mut common = vec![0_u32; (rows + 1) * (columns + 1)];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            let here = row * (columns + 1) + column;
            common[here] = if old_rest[row] == new_rest[column] {
                common[here + columns + 2] + 1
            } else {
                common[here + 1].max(common[here + columns + 1])
            };
        }
    }
    let (mut row, mut column) = (0, 0);
    while row < rows || column < columns {
        let here = row * (columns + 1) + column;
        if row < rows && column < columns && old_rest[row] == new_rest[column] {
            (row, column) = (row + 1, column + 1);
        } else if row < rows && (column == columns || common[here + columns + 1] >= common[here + 1]) {
            add(start + row, '-', old_rest[row]);
            row += 1;
        } else {
            add(start + row, '+', new_rest[column]);
            column += 1;
        }
    }
    changes
}

/// The largest table of line pairs: 2000 lines against 2000.
const LARGEST: usize = 4_000_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_found_on_a_machine_and_line_ends_of_windows_are_no_difference() {
        let (open, close) = FOUND;
        let live = format!("# A\n\none\n\n{open}\n\n- found\n\n{close}\n\ntwo\n");
        assert_eq!(compare(&live, "# A\n\none\n\ntwo\n"), None);
        assert_eq!(compare("# A\r\n\r\none\r\n\r\ntwo\r\n", "# A\n\none\n\ntwo\n"), None);
    }

    #[test]
    fn a_difference_names_its_lines_and_is_short() {
        let difference = compare("a\nb\nc\nd\ne\nf\n", "a\nB\nc\nd\ne\nf\ng\n").unwrap();
        assert_eq!(difference.shown, ["@@ line 2", "-b", "+B", "@@ line 7", "+g"]);
        assert_eq!(difference.lines, 3);
        let long: String = (0..100).map(|at| format!("{at}\n")).collect();
        let difference = compare(&long, "other\n").unwrap();
        assert_eq!((difference.shown.len(), difference.lines), (SHOWN + 1, 101));
        assert!(difference.shown.last().unwrap().starts_with("… and"), "{difference:?}");
        assert_eq!(compare("", "a\n").unwrap().shown, ["@@ line 1", "+a"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_changes_make_the_new_text_of_the_old_one(old in prop::collection::vec("[abc]", 0..12), new in prop::collection::vec("[abc]", 0..12)) {
            let (old, new): (Vec<&str>, Vec<&str>) = (old.iter().map(String::as_str).collect(), new.iter().map(String::as_str).collect());
            let changes = changes(&old, &new);
            let gone: Vec<&str> = changes.iter().filter_map(|line| line.strip_prefix('-')).collect();
            let come: Vec<&str> = changes.iter().filter_map(|line| line.strip_prefix('+')).collect();
            // What stays is as long on both sides, and nothing is told that is the same in both.
            prop_assert_eq!(old.len() - gone.len(), new.len() - come.len());
            prop_assert_eq!(changes.is_empty(), old == new);
        }
    }
}
