//! Regular expressions of nginx (PCRE), matched by a library that never backtracks.
//!
//! What the two understand differently is refused with the reason: a guess would be worse than an unknown.

use regex::bytes::{Regex, RegexBuilder};

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

/// What an expression caught: the groups by number, the whole first, and the named ones.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Captures {
    /// `$0` and on.
    pub groups: Vec<String>,
    /// Named groups that nginx makes variables of.
    pub named: Vec<(String, String)>,
}

impl Pattern {
    /// Compiles an expression.
    ///
    /// # Errors
    ///
    /// Why it cannot be judged.
    pub fn new(text: &str, caseless: bool) -> Result<Self, String> {
        if let Some(what) = foreign(text) {
            return Err(format!("the regular expression `{text}` uses {what}, which cannot be judged here"));
        }
        // PCRE works on bytes unless a pattern asks otherwise, and nginx does not ask.
        RegexBuilder::new(text)
            .unicode(false)
            .case_insensitive(caseless)
            .size_limit(1 << 20)
            .nest_limit(50)
            .build()
            .map(Self)
            .map_err(|_| format!("the regular expression `{text}` cannot be judged here (PCRE only)"))
    }

    /// What it catches in the text, if it matches.
    pub fn captures(&self, text: &str) -> Option<Captures> {
        let found = self.0.captures(text.as_bytes())?;
        let read = |group: Option<regex::bytes::Match<'_>>| {
            group.map(|group| String::from_utf8_lossy(group.as_bytes()).into_owned()).unwrap_or_default()
        };
        let groups = found.iter().map(read).collect();
        let named = self.0.capture_names().flatten().map(|name| (name.to_owned(), read(found.name(name)))).collect();
        Some(Captures { groups, named })
    }

    /// Whether it matches.
    pub fn matches(&self, text: &str) -> bool {
        self.0.is_match(text.as_bytes())
    }
}

/// Something that PCRE reads in another way than our library, so that no error would tell.
fn foreign(text: &str) -> Option<&'static str> {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut class: Option<usize> = None;
    let mut repeated = false;
    while let Some(&byte) = bytes.get(at) {
        let next = bytes.get(at + 1).copied();
        let quantifier = repeated;
        repeated = false;
        match (byte, class) {
            (b'\\', _) => {
                match next {
                    Some(b'<' | b'>') => return Some("`\\<` or `\\>`"),
                    Some(b'1'..=b'9') if class.is_none() => return Some("a back-reference"),
                    _ => {}
                }
                at += 2;
                continue;
            }
            (b']', Some(first)) if at > first => class = None,
            (b'[', Some(_)) if next == Some(b':') => {
                // A named class such as `[:alpha:]` ends with its own bracket.
                let length = text[at..].find(":]").map_or(1, |length| length + 2);
                at += length;
                continue;
            }
            (b'[', Some(_)) => return Some("a `[` inside a class"),
            (b'&' | b'-' | b'~', Some(_)) if next == Some(byte) => return Some("a doubled sign inside a class"),
            (_, Some(_)) => {}
            (b'[', None) => {
                let first = if next == Some(b'^') { at + 2 } else { at + 1 };
                class = Some(first);
                at = first;
                if bytes.get(at) == Some(&b']') {
                    at += 1;
                }
                continue;
            }
            (b'(', None) if next == Some(b'?') => match bytes.get(at + 2) {
                Some(b'=' | b'!') => return Some("a look-around"),
                Some(b'<') if matches!(bytes.get(at + 3), Some(b'=' | b'!')) => return Some("a look-around"),
                Some(b'<' | b'P' | b':') => {}
                _ => {
                    let flags = bytes[at + 2..].iter().take_while(|byte| byte.is_ascii_lowercase() || **byte == b'-');
                    let length = flags.clone().count();
                    let plain = flags.clone().all(|flag| b"imsx-".contains(flag)) && length > 0;
                    if !plain || !matches!(bytes.get(at + 2 + length), Some(b')' | b':')) {
                        return Some("a group of a kind of its own");
                    }
                }
            },
            (b'+', None) if quantifier => return Some("a possessive quantifier"),
            (b'*' | b'+' | b'?', None) => repeated = !quantifier,
            (b'}', None) => repeated = true,
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_pcre_understands_is_refused_with_the_reason() {
        let table = [
            (r"^/(?!admin)", "a look-around"),
            (r"(?<=a)b", "a look-around"),
            (r"(a)\1", "a back-reference"),
            (r"a++b", "a possessive quantifier"),
            (r"[a[b]", "a `[` inside a class"),
            (r"(?R)", "a group of a kind of its own"),
            (r"(?>a)", "a group of a kind of its own"),
            (r"\Qa\E", "PCRE only"),
            (r"(", "PCRE only"),
        ];
        for (text, why) in table {
            let error = Pattern::new(text, false).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn what_both_understand_is_matched() {
        let table = [
            (r"\.php$", false, "/x.php", true),
            (r"\.php$", false, "/x.PHP", false),
            (r"\.php$", true, "/x.PHP", true),
            (r"^/[^/]+/(?<rest>.*)$", false, "/a/b", true),
            (r"^/[[:alpha:]]\d{2}\/$", false, "/a12/", true),
            (r"^/[]a]$", false, "/]", true),
            (r"^/a+?$", false, "/aa", true),
            (r"(?i)^/ab", false, "/AB", true),
        ];
        for (text, caseless, subject, expected) in table {
            assert_eq!(Pattern::new(text, caseless).unwrap().matches(subject), expected, "{text} {subject}");
        }
        let found = Pattern::new(r"^/(a)(?<rest>.*)$", false).unwrap().captures("/abc").unwrap();
        assert_eq!(found.groups, ["/abc", "a", "bc"]);
        assert_eq!(found.named, [("rest".to_owned(), "bc".to_owned())]);
    }
}
