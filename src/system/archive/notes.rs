//! What the operator should know about the sources: a list that stays short when a million files have the same trouble.

use std::io;

use super::{Note, Oddity};
use crate::system::file;

/// So many are kept one by one; the rest is counted.
const KEPT: usize = 1000;

/// Notes in the order in which they were made.
#[derive(Default)]
pub(super) struct Notes {
    kept: Vec<Note>,
    beyond: Option<(Note, u64)>,
    unreadable: u64,
}

impl Notes {
    /// How many things should be in the archive and are not.
    pub(super) fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Notes that something which should be in the archive cannot be. What a pattern found may go as it came; what is
    /// `named` must be there.
    pub(super) fn miss(&mut self, path: &[u8], named: bool, error: &io::Error) {
        let gone = error.kind() == io::ErrorKind::NotFound;
        if gone && !named {
            return self.push(path, Oddity::Vanished, "it was there when its folder was listed, and is gone");
        }
        self.unreadable += 1;
        let detail = match gone {
            true => "`include` names it, and it is gone".to_owned(),
            false => file::why(error),
        };
        self.push(path, Oddity::Unreadable, detail);
    }

    /// Adds one.
    pub(super) fn push(&mut self, path: &[u8], what: Oddity, detail: impl Into<String>) {
        if self.kept.len() < KEPT {
            self.kept.push(Note { path: path.to_vec(), what, detail: detail.into() });
        } else if let Some((worst, count)) = &mut self.beyond {
            *count += 1;
            // The last line stands for all that have none of their own: for the worst of them.
            worst.what = worst.what.max(what);
        } else {
            self.beyond = Some((Note { path: path.to_vec(), what, detail: String::new() }, 1));
        }
    }

    /// All of them; where there were too many, the last one says so.
    pub(super) fn into_vec(self) -> Vec<Note> {
        let mut notes = self.kept;
        if let Some((last, count)) = self.beyond {
            let detail = match count {
                1 => "the last one that is listed".to_owned(),
                _ => format!("and {} more that are not listed", count - 1),
            };
            notes.push(Note { detail, ..last });
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_troubles_are_a_thousand_lines_and_one() {
        let mut notes = Notes::default();
        for _ in 0..=1_000_000 {
            notes.push(b"x", Oddity::Vanished, "");
        }
        let notes = notes.into_vec();
        assert_eq!(notes.len(), KEPT + 1);
        assert_eq!(notes[KEPT].detail, "and 999000 more that are not listed");
    }
}
