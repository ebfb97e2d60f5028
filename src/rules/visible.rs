//! Text from elsewhere made harmless.
//!
//! Names of containers, headers and certificates are written by strangers. A terminal obeys control characters, and
//! bidirectional overrides make a text read as another one (CVE-2021-42574); both are shown instead of sent.

use std::{borrow::Cow, fmt::Write as _};

/// Whether a character does something other than showing itself.
pub fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
            | '\u{e0000}'..='\u{e007f}')
}

/// The text with dangerous characters written out, like `\u{1b}`; lines stay lines and a tab becomes a blank.
pub fn visible(text: &str) -> Cow<'_, str> {
    written(text, |c| c == '\n')
}

/// The same for a place that holds one line: line ends are written out too.
pub fn line(text: &str) -> Cow<'_, str> {
    written(text.trim_end_matches('\n'), |_| false)
}

fn written(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(|c| is_dangerous(c) && !stays(c)) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\t' => safe.push(' '),
            // A line end of Windows is a line end.
            '\r' if rest.peek() == Some(&'\n') => {}
            c if is_dangerous(c) && !stays(c) => {
                let _ = write!(safe, "{}", c.escape_default());
            }
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert_eq!(visible("a\u{1b}[31mb"), "a\\u{1b}[31mb");
        assert_eq!(visible("\u{202e}moc.live"), "\\u{202e}moc.live");
        assert_eq!(visible("one\r\ntwo\tthree\rfour"), "one\ntwo three\\rfour");
        assert_eq!(line("one\ntwo\n"), "one\\ntwo");
        assert!(matches!(visible("naïve 漢字 – ok\n"), Cow::Borrowed(_)));
    }
}
