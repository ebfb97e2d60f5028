//! Python's ways to write a whole number.

/// `int(text)`: decimal, a sign, blanks around, single underscores between digits; `010` is ten.
pub(super) fn decimal(text: &str) -> Option<i128> {
    let (negative, digits) = sign(text.trim());
    value(digits, 10).map(|number| if negative { -number } else { number })
}

/// `int(text, 0)`: the notations of Python's source, where `010` is wrong.
pub(super) fn literal(text: &str) -> Option<i128> {
    let (negative, digits) = sign(text.trim());
    let prefix = digits.get(..2).map(str::to_ascii_lowercase);
    let number = match prefix.as_deref() {
        Some("0x") => prefixed(&digits[2..], 16),
        Some("0o") => prefixed(&digits[2..], 8),
        Some("0b") => prefixed(&digits[2..], 2),
        _ if digits.starts_with('0') => value(digits, 10).filter(|number| *number == 0),
        _ => value(digits, 10),
    }?;
    Some(if negative { -number } else { number })
}

/// gunicorn's own reading of `--umask`: like [`literal`], but a leading 0 means octal.
pub(super) fn mode(text: &str) -> Option<i128> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some('0'), Some(digit)) if digit.is_ascii_digit() => literal(&text.replacen('0', "0o", 1)),
        _ => literal(text),
    }
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Digits after `0x`, `0o` or `0b`, where one underscore may come first.
fn prefixed(digits: &str, radix: u32) -> Option<i128> {
    value(digits.strip_prefix('_').unwrap_or(digits), radix)
}

/// Digits with single underscores between them. A number beyond 128 bits is no number of workers, so it is refused.
fn value(digits: &str, radix: u32) -> Option<i128> {
    let mut number: i128 = 0;
    let mut after_digit = false;
    for character in digits.chars() {
        if character == '_' && after_digit {
            after_digit = false;
            continue;
        }
        number = number.checked_mul(i128::from(radix))?.checked_add(i128::from(character.to_digit(radix)?))?;
        after_digit = true;
    }
    after_digit.then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_notations() {
        for (text, plain, source) in [
            ("3", Some(3), Some(3)),
            ("010", Some(10), None),
            ("0x3", None, Some(3)),
            ("0o17", None, Some(15)),
            ("0b_11", None, Some(3)),
            ("1_000", Some(1000), Some(1000)),
            ("1__0", None, None),
            ("_1", None, None),
            ("1_", None, None),
            (" 3\n", Some(3), Some(3)),
            ("+3", Some(3), Some(3)),
            ("-3", Some(-3), Some(-3)),
            ("--3", None, None),
            ("", None, None),
            ("00", Some(0), Some(0)),
            ("3.0", None, None),
            ("é", None, None),
        ] {
            assert_eq!((decimal(text), literal(text)), (plain, source), "{text:?}");
        }
        assert_eq!((mode("022"), mode("0x12"), mode("18"), mode("09")), (Some(18), Some(18), Some(18), None));
    }
}
