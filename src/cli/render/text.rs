//! Lines that fit.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub use crate::rules::visible::{is_dangerous, line, visible};

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

/// One line of at least `wide` columns.
pub fn padded(text: &str, wide: usize) -> String {
    let text = line(text);
    format!("{text}{}", " ".repeat(wide.saturating_sub(text.width())))
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
