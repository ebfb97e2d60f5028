//! `GUNICORN_CMD_ARGS` and shell command lines, cut into words the way Python's `shlex.split` does it.

/// Cuts a text into words: blanks separate, quotes and backslashes join, nothing is expanded.
///
/// # Errors
///
/// Python's own words for a quote or a backslash that nothing follows.
pub fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next() {
                        None => return Err("No closing quotation".to_owned()),
                        Some('\'') => break,
                        Some(inside) => word.push(inside),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next() {
                        None => return Err("No closing quotation".to_owned()),
                        Some('"') => break,
                        // Between double quotes a backslash shields only itself and the quote.
                        Some('\\') => match characters.next() {
                            None => return Err("No escaped character".to_owned()),
                            Some(shielded @ ('"' | '\\')) => word.push(shielded),
                            Some(other) => word.extend(['\\', other]),
                        },
                        Some(inside) => word.push(inside),
                    }
                }
            }
            '\\' => {
                let shielded = characters.next().ok_or("No escaped character")?;
                word.get_or_insert_default().push(shielded);
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

/// The words of a shell command line that no shell would change: no variable, pattern, pipe or second command.
pub(super) fn plain_shell(text: &str) -> Option<Vec<String>> {
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            (Some('\''), _) => {}
            (_, '$' | '`') => return None,
            (_, '\\') => {
                characters.next();
            }
            (None, '*' | '?' | '[' | '{' | '~' | '#' | '&' | ';' | '|' | '<' | '>' | '(' | ')' | '!' | '\n') => {
                return None;
            }
            _ => {}
        }
    }
    split(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_as_shlex_cuts_them() {
        for (text, words) in [
            ("-w 3  --threads\t4", &["-w", "3", "--threads", "4"][..]),
            ("--forwarded-allow-ips='*' ''", &["--forwarded-allow-ips=*", ""]),
            (r#"a\ b "c\"d\e" x'y'"z""#, &["a b", r#"c"d\e"#, "xyz"]),
            ("a # b", &["a", "#", "b"]),
            ("", &[]),
        ] {
            assert_eq!(split(text).unwrap(), words, "{text}");
        }
        assert_eq!(split("'a").unwrap_err(), "No closing quotation");
        assert_eq!(split("a\\").unwrap_err(), "No escaped character");
    }

    #[test]
    fn only_a_plain_command_line_is_read() {
        assert_eq!(plain_shell("exec gunicorn -w 3 'a*b'").unwrap(), ["exec", "gunicorn", "-w", "3", "a*b"]);
        for line in ["gunicorn -w $N", "gunicorn --forwarded-allow-ips *", "a && b", "a; b", "a \"`b`\"", "cd x\ny"] {
            assert_eq!(plain_shell(line), None, "{line}");
        }
    }
}
