//! File name patterns as glob(3) understands them, matched against names that are already known.

/// Whether `name` matches `pattern`, part by part: no wildcard matches a `/`, nor a dot at the beginning of a part.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (mut patterns, mut names) = (pattern.split('/'), name.split('/'));
    loop {
        match (patterns.next(), names.next()) {
            (None, None) => return true,
            (Some(pattern), Some(name)) => {
                let pattern: Vec<char> = pattern.chars().collect();
                let name: Vec<char> = name.chars().collect();
                let hidden = name.first() == Some(&'.') && pattern.first() != Some(&'.');
                if hidden || !part(&pattern, &name) {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

/// Whether nginx treats an include as a pattern.
pub fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// One part, with one place to go back to: the last `*`, so the work is at most length times length.
fn part(pattern: &[char], name: &[char]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < name.len() {
        let step = match pattern.get(at) {
            Some('*') => {
                star = Some((at + 1, read));
                at += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('[') => match set(&pattern[at..], name[read]) {
                Some((length, true)) => Some(length),
                Some((_, false)) => None,
                None => (name[read] == '[').then_some(1),
            },
            Some('\\') if at + 1 < pattern.len() => (pattern[at + 1] == name[read]).then_some(2),
            Some(&literal) => (literal == name[read]).then_some(1),
            None => None,
        };
        match (step, star) {
            (Some(length), _) => {
                at += length;
                read += 1;
            }
            (None, Some((after, from))) => {
                at = after;
                read = from + 1;
                star = Some((after, from + 1));
            }
            (None, None) => return false,
        }
    }
    pattern[at..].iter().all(|&left| left == '*')
}

/// A `[…]` at the beginning of the pattern: its length and whether the character is in it; `None` when it never closes.
fn set(pattern: &[char], character: char) -> Option<(usize, bool)> {
    let negated = matches!(pattern.get(1), Some('!' | '^'));
    let first = if negated { 2 } else { 1 };
    let mut at = first;
    let mut found = false;
    loop {
        match *pattern.get(at)? {
            ']' if at > first => return Some((at + 1, found != negated)),
            low => {
                if let (Some('-'), Some(&high)) = (pattern.get(at + 1), pattern.get(at + 2))
                    && high != ']'
                {
                    found |= (low..=high).contains(&character);
                    at += 3;
                } else {
                    found |= low == character;
                    at += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_wildcard_stays_inside_one_visible_part() {
        let table = [
            ("/c/*.conf", "/c/a.conf", true),
            ("/c/*.conf", "/c/.a.conf", false),
            ("/c/.*.conf", "/c/.a.conf", true),
            ("/c/*.conf", "/c/d/a.conf", false),
            ("/c/*/x", "/c/d/x", true),
            ("/c/[ab].conf", "/c/b.conf", true),
            ("/c/[!ab].conf", "/c/b.conf", false),
            ("/c/[a-c]?", "/c/bz", true),
            ("/c/[", "/c/[", true),
            ("/c/a*b*c", "/c/aXbYbZc", true),
            ("/c/a*b*c", "/c/aXbYbZ", false),
            ("*", "", true),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
