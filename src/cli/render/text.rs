//! Text from elsewhere made harmless, and lines that fit.
//!
//! Names of containers, headers and certificates are written by strangers. A terminal obeys control characters, and
//! bidirectional overrides make a text read as another one (CVE-2021-42574); both are shown instead of sent.

use std::{borrow::Cow, fmt::Write as _};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

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

/// Cuts text into lines of at most `width` columns: at blanks, and inside a word only when the word alone is too long.
/// Without a width only the line ends of the text count. Never empty.
pub fn wrap(text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else {
        return text.split('\n').map(str::to_owned).collect();
    };
    let width = width.max(8);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        if paragraph.width() <= width {
            // Kept as it is: blanks inside may be there to line things up.
            lines.push(paragraph.to_owned());
            continue;
        }
        let mut current = String::new();
        let mut used = 0;
        for word in paragraph.split(' ') {
            let wide = word.width();
            if !current.is_empty() && used + 1 + wide > width {
                lines.push(std::mem::take(&mut current));
                used = 0;
            }
            if !current.is_empty() {
                current.push(' ');
                used += 1;
            }
            for c in word.chars() {
                let wide = c.width().unwrap_or(0);
                if used + wide > width {
                    lines.push(std::mem::take(&mut current));
                    used = 0;
                }
                current.push(c);
                used += wide;
            }
        }
        lines.push(current);
    }
    lines
}

/// Cuts a command line at blanks outside quotes and joins the pieces with ` \`, so that it can still be copied. A piece
/// that has no such blank stays whole, however long: a shell would not understand it in two.
pub fn wrap_command(command: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else {
        return command.split('\n').map(str::to_owned).collect();
    };
    let width = width.max(8);
    let mut lines = Vec::new();
    for paragraph in command.split('\n') {
        let mut current = String::new();
        for piece in pieces(paragraph) {
            // Two columns for the ` \` at the end.
            if !current.is_empty() && current.width() + 1 + piece.width() + 2 > width {
                current.push_str(" \\");
                lines.push(std::mem::take(&mut current));
                current.push_str("  ");
            } else if !current.is_empty() {
                current.push(' ');
            }
            current.push_str(piece);
        }
        lines.push(current);
    }
    lines
}

/// The pieces of a command line between blanks outside quotes, by the quoting rules of a POSIX shell.
fn pieces(command: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut quote, mut escaped) = (0, None, false);
    for (at, c) in command.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (None | Some('"'), '\\') => escaped = true,
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, ' ') => {
                pieces.push(&command[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(&command[start..]);
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert_eq!(visible("a\u{1b}[31mb"), "a\\u{1b}[31mb");
        assert_eq!(visible("\u{202e}moc.live"), "\\u{202e}moc.live");
        assert_eq!(visible("one\r\ntwo\tthree\rfour"), "one\ntwo three\\rfour");
        assert_eq!(line("one\ntwo\n"), "one\\ntwo");
        assert!(matches!(visible("naïve 漢字 – ok\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn lines_break_at_blanks_and_long_words_inside() {
        assert_eq!(wrap("the quick brown fox", Some(10)), ["the quick", "brown fox"]);
        assert_eq!(wrap("0123456789abcdef x", Some(10)), ["0123456789", "abcdef x"]);
        assert_eq!(wrap("漢字漢字漢字", Some(8)), ["漢字漢字", "漢字"]);
        assert_eq!(wrap("a  b\n    ^", Some(20)), ["a  b", "    ^"]);
        assert_eq!(wrap("", Some(20)), [""]);
    }

    #[test]
    fn a_command_stays_one_command_in_several_lines() {
        let command = "curl -sS --resolve 'a b:443:10.0.0.7' https://prime.example.edu/";
        let lines = wrap_command(command, Some(30));
        assert_eq!(lines, ["curl -sS --resolve \\", "  'a b:443:10.0.0.7' \\", "  https://prime.example.edu/"]);
        let joined = lines.join("\n").replace("\\\n", "");
        assert_eq!(shell_words::split(&joined).unwrap(), shell_words::split(command).unwrap());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_is_wider_than_asked_and_no_word_is_lost(text in "[a-zé漢 ]{0,120}", width in 8_usize..60) {
            let lines = wrap(&text, Some(width));
            for line in &lines {
                prop_assert!(line.width() <= width, "{line:?}");
            }
            let letters = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }

        #[test]
        fn a_wrapped_command_means_the_same(words in prop::collection::vec("[a-z'\" $|]{0,12}", 1..12), width in 8_usize..60) {
            let command = shell_words::join(&words);
            let joined = wrap_command(&command, Some(width)).join("\n").replace("\\\n", "");
            prop_assert_eq!(shell_words::split(&joined).unwrap(), words);
        }
    }
}
