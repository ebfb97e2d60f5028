//! Names in the DNS.

/// Whether a text is one label of a host name (RFC 1123, 2.1): up to 63 letters, digits and hyphens, none at its ends. An
/// underscore is taken too, which names have that nobody should have given (RFC 2181, 11).
pub fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 63
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_has_letters_digits_and_hyphens_inside() {
        for label in ["a", "prime", "xn--bcher-kva", "web_1", "9", &"a".repeat(63)] {
            assert!(is_label(label), "{label}");
        }
        for text in ["", "-a", "a-", "a.b", "*", "b\u{fc}cher", "a b", &"a".repeat(64)] {
            assert!(!is_label(text), "{text}");
        }
    }
}
