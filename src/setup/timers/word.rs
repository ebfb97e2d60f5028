//! Words of unit files, quoted as systemd.syntax(7) and systemd.service(5) read them.

/// A word of `ExecStart=`: neither specifiers nor variables are replaced in it.
pub(super) fn of_command(word: &str) -> String {
    quoted(&word.replace('%', "%%").replace('$', "$$"), word)
}

/// A word of any other list, for example of `ReadWritePaths=`: no specifiers.
pub(super) fn of_list(word: &str) -> String {
    quoted(&word.replace('%', "%%"), word)
}

/// A whole value that is not split into words, for example of `EnvironmentFile=`.
pub(super) fn of_line(value: &str) -> String {
    value.replace('%', "%%")
}

/// In quotes where it must be.
fn quoted(escaped: &str, word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%$~".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return escaped.to_owned();
    }
    let mut text = String::from("\"");
    for c in escaped.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            c if c.is_ascii_control() => text.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_only_where_they_must_be() {
        for (word, command, list) in [
            ("/usr/bin/mainstay", "/usr/bin/mainstay", "/usr/bin/mainstay"),
            ("-/srv/a b", "\"-/srv/a b\"", "\"-/srv/a b\""),
            ("/srv/100%/$HOME", "/srv/100%%/$$HOME", "/srv/100%%/$HOME"),
            ("a\"b\\c", "\"a\\\"b\\\\c\"", "\"a\\\"b\\\\c\""),
            ("a\nb\u{1}", "\"a\\nb\\x01\"", "\"a\\nb\\x01\""),
            ("", "\"\"", "\"\""),
            ("it's;#", "\"it's;#\"", "\"it's;#\""),
        ] {
            assert_eq!((of_command(word).as_str(), of_list(word).as_str()), (command, list), "{word:?}");
        }
        assert_eq!(of_line("/home/50%/x y.env"), "/home/50%%/x y.env");
    }
}
