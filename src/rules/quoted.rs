//! Keys and texts as TOML writes them.

/// A key as TOML: bare where it can be.
pub fn bare(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(plain) { name.into() } else { quote(name) }
}

/// A basic string of TOML.
pub fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(key in ".{0,12}", text in ".{0,20}|[\\PC\"\\\\\n\r\t]{0,6}") {
            let table: toml::Table = format!("{} = {}", bare(&key), quote(&text)).parse().unwrap();
            prop_assert_eq!(table.get(&key).and_then(toml::Value::as_str), Some(text.as_str()));
        }
    }
}
