//! What is wrong with a configuration, where, and how it could be meant: file, line, column, the line and a caret.

use std::{fmt, ops::Range};

use unicode_width::UnicodeWidthChar;

use crate::system::secret::HIDDEN;

/// One mistake in a configuration file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Diagnostic {
    /// The file as the operator calls it.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The bytes of the file that are wrong.
    pub span: Range<usize>,
    /// What is wrong, in lower case and without a full stop.
    pub message: String,
    /// What to write instead.
    pub suggestion: Option<String>,
    /// The source line with the caret line below.
    snippet: String,
}

/// A mistake before it has a place in a file.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The bytes that are wrong.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub suggestion: Option<String>,
}

/// A file that diagnostics point into.
#[derive(Debug)]
pub struct Source<'a> {
    name: &'a str,
    text: &'a str,
    starts: Vec<usize>,
    hidden: Vec<Range<usize>>,
}

impl<'a> Source<'a> {
    /// A file of this name; the bytes in `hidden` are never shown.
    pub fn new(name: &'a str, text: &'a str, hidden: Vec<Range<usize>>) -> Self {
        let mut hidden = hidden;
        hidden.sort_by_key(|range| range.start);
        let hidden = hidden.into_iter().fold(Vec::<Range<usize>>::new(), |mut merged, range| {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
            merged
        });
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { name, text, starts, hidden }
    }

    /// The line of a byte, from 1.
    pub fn line(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte).max(1)
    }

    /// The hidden place that this byte lies in.
    fn hidden(&self, byte: usize) -> Option<&Range<usize>> {
        let before = self.hidden.partition_point(|range| range.start <= byte);
        self.hidden.get(before.checked_sub(1)?).filter(|range| range.contains(&byte))
    }

    /// The problem with its place and source line.
    pub fn locate(&self, problem: Problem) -> Diagnostic {
        let start = self.text.floor_char_boundary(problem.span.start);
        let end = self.text.ceil_char_boundary(problem.span.end).max(start);
        let line = self.line(start);
        let first = self.starts.get(line - 1).copied().unwrap_or(0).min(start);
        let length = self.text[first..].find('\n').unwrap_or(self.text.len() - first);
        let content = self.text[first..first + length].trim_end_matches('\r');
        let suggestion = problem.suggestion.map(|text| plain(&text));
        Diagnostic {
            file: plain(self.name),
            line,
            column: self.text[first..start].chars().count() + 1,
            snippet: self.snippet(line, first, content, start..end, suggestion.as_deref()),
            span: start..end,
            message: plain(&problem.message),
            suggestion,
        }
    }

    fn snippet(
        &self,
        line: usize,
        first: usize,
        content: &str,
        span: Range<usize>,
        suggestion: Option<&str>,
    ) -> String {
        let mut cells = self.cells(first, content);
        let from = cells.iter().position(|cell| cell.byte >= span.start).unwrap_or(cells.len());
        let to = cells.iter().position(|cell| cell.byte >= span.end).unwrap_or(cells.len()).max(from);
        let (mut from, mut to) = (from, to);
        // A caret inside a hidden place stands under its first character.
        if let Some(hidden) = self.hidden(span.start).filter(|hidden| hidden.start >= first) {
            from = cells.iter().position(|cell| cell.byte >= hidden.start).unwrap_or(from);
            to = to.max(from);
        }
        // A line that no screen shows is cut around the place.
        let before = from.saturating_sub(LONGEST / 2);
        if cells.len() > LONGEST {
            let rest = cells.len() - before;
            cells.truncate(before + rest.min(LONGEST));
            cells.drain(..before);
            from -= before;
            to = (to - before).min(cells.len());
        }
        let shown: String = cells.iter().map(|cell| cell.text).collect();
        let width = |cells: &[Cell]| cells.iter().map(|cell| cell.width).sum::<usize>();
        let from = from.min(cells.len());
        let indent = " ".repeat(width(&cells[..from]));
        let carets = "^".repeat(width(&cells[from..to.max(from)]).max(1));
        let gutter = line.to_string();
        let margin = " ".repeat(gutter.len());
        let mut text = format!("{margin} |\n{gutter} | {}\n{margin} | {indent}{carets}", shown.trim_end());
        if let Some(suggestion) = suggestion {
            text.push(' ');
            text.push_str(suggestion);
        }
        text
    }

    /// The line as it is shown: tabs as blanks, control characters made visible, secrets hidden.
    fn cells(&self, first: usize, content: &str) -> Vec<Cell> {
        let mut cells = Vec::with_capacity(content.len());
        let mut column = 0;
        let mut covered = false;
        for (offset, c) in content.char_indices() {
            let byte = first + offset;
            if self.hidden(byte).is_some() {
                if !covered {
                    cells.extend(HIDDEN.chars().map(|text| Cell { byte, text, width: 1 }));
                    column += HIDDEN.len();
                }
                covered = true;
                continue;
            }
            covered = false;
            if c == '\t' {
                let blanks = TAB - column % TAB;
                cells.extend((0..blanks).map(|_| Cell { byte, text: ' ', width: 1 }));
                column += blanks;
                continue;
            }
            let (text, width) = c.width().map_or((char::REPLACEMENT_CHARACTER, 1), |width| (c, width));
            cells.push(Cell { byte, text, width });
            column += width;
        }
        cells
    }
}

/// One character of a shown line.
struct Cell {
    byte: usize,
    text: char,
    width: usize,
}

/// Control characters would let a file write to the terminal of who reads its errors.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

const TAB: usize = 4;
const LONGEST: usize = 160;

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}\n{}", self.file, self.line, self.column, self.message, self.snippet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str, span: Range<usize>, hidden: Vec<Range<usize>>) -> String {
        let problem = Problem { span, message: "wrong".into(), suggestion: Some("write `x`".into()) };
        Source::new("mainstay.toml", text, hidden).locate(problem).to_string()
    }

    #[test]
    fn the_caret_stands_under_the_place() {
        assert_eq!(
            show("a = 1\nworkrs = 3\n", 6..12, vec![]),
            "mainstay.toml:2:1: wrong\n  |\n2 | workrs = 3\n  | ^^^^^^ write `x`"
        );
    }

    #[test]
    fn tabs_and_wide_characters_move_the_caret() {
        assert_eq!(show("\tk = 1", 1..2, vec![]), "mainstay.toml:1:2: wrong\n  |\n1 |     k = 1\n  |     ^ write `x`");
        let text = "\"日本\" = bad";
        let at = text.find("bad").unwrap();
        assert_eq!(
            show(text, at..at + 3, vec![]),
            "mainstay.toml:1:8: wrong\n  |\n1 | \"日本\" = bad\n  |          ^^^ write `x`"
        );
        let combining = "e\u{301}x = bad";
        let at = combining.find("bad").unwrap();
        assert!(show(combining, at..at + 3, vec![]).ends_with("\n  |      ^^^ write `x`"));
    }

    #[test]
    fn hidden_bytes_are_not_shown_and_do_not_tell_their_length() {
        let text = "pass = \"hunter2\", x = 1";
        let shown = show(text, 18..19, std::iter::once(7..16).collect());
        assert_eq!(
            shown,
            "mainstay.toml:1:19: wrong\n  |\n1 | pass = <secret>, x = 1\n  |                  ^ write `x`"
        );
        let inside = show(text, 9..12, std::iter::once(7..16).collect());
        assert!(!inside.contains("hunter2") && inside.contains("|        ^"), "{inside}");
    }

    #[test]
    fn places_at_and_past_the_end_and_long_lines_are_shown() {
        assert!(show("a = 1\n", 6..6, vec![]).starts_with("mainstay.toml:2:1: wrong"));
        assert!(show("", 0..0, vec![]).starts_with("mainstay.toml:1:1: wrong"));
        assert!(show("a", 90..95, vec![]).starts_with("mainstay.toml:1:2: wrong"));
        let long = format!("{}bad{}", " ".repeat(5000), "x".repeat(5000));
        let shown = show(&long, 5000..5003, vec![]);
        assert!(shown.len() < 400 && shown.contains("bad") && shown.contains("^^^ write"), "{shown}");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let shown = show("k = \"\u{1b}[31m\"", 4..6, vec![]);
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }
}
