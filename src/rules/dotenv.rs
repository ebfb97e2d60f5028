//! What differs between two `.env` files, key by key. Values are compared and never shown.

use std::collections::BTreeMap;

/// What a restore would do to the keys of an `.env` file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Keys {
    /// Keys that only the archive has.
    pub added: Vec<String>,
    /// Keys whose value is another one.
    pub changed: Vec<String>,
    /// Keys that only the disk has.
    pub removed: Vec<String>,
}

/// Whether a path is named like a file of environment variables: `.env`, `.env.production`, `web.env`.
pub fn is_named_so(path: &[u8]) -> bool {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    name == b".env" || name.starts_with(b".env.") || name.ends_with(b".env")
}

/// Compares what is on the disk with what the archive has.
pub fn compare(disk: &str, archive: &str) -> Keys {
    let (disk, archive) = (read(disk), read(archive));
    let mut keys = Keys::default();
    for (key, value) in &archive {
        match disk.get(key) {
            None => keys.added.push((*key).to_owned()),
            Some(other) if other != value => keys.changed.push((*key).to_owned()),
            Some(_) => {}
        }
    }
    keys.removed = disk.keys().filter(|key| !archive.contains_key(*key)).map(|key| (*key).to_owned()).collect();
    keys
}

/// Keys with all of their value; what is no assignment belongs to the value before it (a certificate of many lines).
fn read(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut keys: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut last = None;
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let assignment = line.strip_prefix("export ").unwrap_or(line).split_once('=');
        let is_key = |key: &str| {
            !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
        };
        match assignment.map(|(key, value)| (key.trim(), value.trim())) {
            Some((key, value)) if is_key(key) => {
                // The last one counts, as it does for those who read the file.
                keys.insert(key, vec![value]);
                last = Some(key);
            }
            _ => {
                if let Some(value) = last.and_then(|key| keys.get_mut(key)) {
                    value.push(line);
                }
            }
        }
    }
    keys
}

impl Keys {
    /// Whether nothing differs but comments and order.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

impl std::fmt::Display for Keys {
    /// For example `changes A, B; adds C`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [("changes", &self.changed), ("adds", &self.added), ("removes", &self.removed)];
        let parts = parts.iter().filter(|(_, keys)| !keys.is_empty());
        let text: Vec<_> = parts.map(|(verb, keys)| format!("{verb} {}", keys.join(", "))).collect();
        f.write_str(if text.is_empty() { "changes no key" } else { "" })?;
        f.write_str(&text.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_are_told_and_values_are_not() {
        let disk = "# old\nA=1\nexport B = two\nKEY=\"-----BEGIN\nabc\n-----END\"\nGONE=x\nSAME=s\n";
        let archive = "A=2\nB=two\nKEY=\"-----BEGIN\nabd\n-----END\"\nNEW=secret\nSAME=s\n";
        let keys = compare(disk, archive);
        assert_eq!(keys.to_string(), "changes A, KEY; adds NEW; removes GONE");
        assert_eq!(compare("A=1\n#x\nB=2", "B=2\nA=1").to_string(), "changes no key");
    }

    #[test]
    fn names_of_such_files_are_known() {
        for (path, expected) in [
            (".env", true),
            ("a/.env.production", true),
            ("web.env", true),
            ("env", false),
            (".envrc", false),
            (".env/config", false),
        ] {
            assert_eq!(is_named_so(path.as_bytes()), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_value_is_ever_shown(disk in "([A-C]=[xyz]{1,9}\n|[xyz]{1,3}\n){0,5}", archive in "([A-C]=[xyz]{1,9}\n|[xyz]{1,3}\n){0,5}") {
            let text = compare(&disk, &archive).to_string();
            let words = text.replace("changes no key", "");
            prop_assert!(!words.contains(['x', 'y', 'z']), "{}", text);
        }
    }
}
