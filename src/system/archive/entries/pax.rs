//! The records of a pax header (POSIX.1-2024, `pax`, "pax Extended Header"), and those of GNU tar for files with holes.
//!
//! Not read by the `tar` crate: it splits records at line ends, and names may hold those.

use super::{Damage, altered, hostile, sparse::Sparse, text_of};
use crate::rules::manifest::Mtime;

/// What records say about an entry, where they say it.
#[derive(Clone, Debug, Default)]
pub(super) struct Pax {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) user: Option<String>,
    pub(super) group: Option<String>,
    pub(super) mtime: Option<Mtime>,
    pub(super) sparse: Sparse,
    /// Whether the file has capabilities, an extended attribute.
    pub(super) capabilities: bool,
}

/// For which entries records hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Scope {
    /// All that follow.
    All,
    /// The next one.
    Next,
}

impl Pax {
    /// Takes in the records of a header's body.
    ///
    /// Refused is what two readers could understand in two ways: a record twice, and one that names the place or the length
    /// of all entries that follow.
    pub(super) fn read(&mut self, body: &[u8], scope: Scope) -> Result<(), Damage> {
        let mut seen = Vec::new();
        let mut rest = body;
        while !rest.is_empty() {
            let (key, value, after) = record(rest).ok_or_else(|| altered("an extended header is malformed"))?;
            rest = after;
            if matches!(key, b"path" | b"linkpath" | b"size") || key.starts_with(b"GNU.sparse.") {
                let name = key.escape_ascii();
                if scope == Scope::All {
                    return Err(hostile(format!("one `{name}` is said for all entries")));
                }
                // The oldest way to write maps repeats these two for each piece.
                let repeats = matches!(key, b"GNU.sparse.offset" | b"GNU.sparse.numbytes");
                if !repeats && seen.contains(&key) {
                    return Err(hostile(format!("`{name}` is said twice for one entry")));
                }
                seen.push(key);
            }
            self.take(key, value)?;
        }
        Ok(())
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), Damage> {
        let text = || std::str::from_utf8(value).unwrap_or_default();
        let wrong = || altered(format!("an extended header has a wrong `{}`", key.escape_ascii()));
        // An empty value takes back what was said before.
        let number = || match value {
            [] => Ok(None),
            digits if digits.iter().all(u8::is_ascii_digit) => text().parse().map(Some).map_err(|_| wrong()),
            _ => Err(wrong()),
        };
        let bytes = || Some(value.to_vec()).filter(|value| !value.is_empty());
        match key {
            b"path" => self.path = bytes(),
            b"linkpath" => self.link = bytes(),
            b"size" => self.size = number()?,
            b"uid" => self.uid = number()?,
            b"gid" => self.gid = number()?,
            b"uname" => self.user = text_of(value),
            b"gname" => self.group = text_of(value),
            b"mtime" if value.is_empty() => self.mtime = None,
            b"mtime" => self.mtime = Some(Mtime::from_text(text()).ok_or_else(wrong)?),
            b"SCHILY.xattr.security.capability" => self.capabilities = true,
            _ => {
                if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
                    self.sparse.take(key, value)?;
                }
                // Whatever else there is (comments, access times, attributes) is not brought back.
            }
        }
        Ok(())
    }
}

/// The first record, `LENGTH KEY=VALUE\n` with the length of all of it: key, value, and what comes after.
fn record(body: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = body.iter().take(20).position(|byte| *byte == b' ')?;
    let digits = &body[..blank];
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let length: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let content = body.get(blank + 1..length)?.strip_suffix(b"\n")?;
    let equals = content.iter().position(|byte| *byte == b'=')?;
    Some((&content[..equals], &content[equals + 1..], &body[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &[u8], scope: Scope) -> Result<Pax, Damage> {
        let mut pax = Pax::default();
        pax.read(body, scope).map(|()| pax)
    }

    #[test]
    fn backup_case_46_records_are_cut_by_their_lengths_and_not_by_lines() {
        let pax = read(b"12 path=a\nb\n13 size=1234\n22 mtime=-1.250000000\n", Scope::Next);
        // 12 is right: two digits, a blank, `path=a`, a line end, `b`, a line end.
        let pax = pax.unwrap();
        assert_eq!(pax.path.as_deref(), Some(&b"a\nb"[..]));
        assert_eq!(pax.size, Some(1234));
        assert_eq!(pax.mtime, Some(Mtime { seconds: -2, nanos: 750_000_000 }));
    }

    #[test]
    fn what_two_readers_could_understand_in_two_ways_is_refused() {
        for (body, scope) in [
            (&b"9 path=a\n9 path=b\n"[..], Scope::Next),
            (b"9 size=1\n9 size=2\n", Scope::Next),
            (b"9 path=a\n", Scope::All),
            (b"9 size=1\n", Scope::All),
            (b"26 GNU.sparse.realsize=10\n", Scope::All),
        ] {
            assert!(read(body, scope).is_err(), "{}", body.escape_ascii());
        }
        assert_eq!(
            read(b"9 uid=100\n", Scope::All).map(|pax| pax.uid),
            Err(altered("an extended header is malformed"))
        );
        assert_eq!(read(b"11 uid=100\n", Scope::All).unwrap().uid, Some(100));
    }

    #[test]
    fn malformed_records_are_refused() {
        for body in [
            &b"x"[..],
            b"9 path=a",
            b"99 path=a\n",
            b"0 path=a\n",
            b"2 \n",
            b" path=a\n",
            b"-9 path=a\n",
            b"10 size=-1\n",
            b"10 size=1x\n",
            b"7 path\n",
            b"18446744073709551616 a=b\n",
            b"13 mtime=now\n",
            b"29 size=18446744073709551616\n",
        ] {
            assert!(read(body, Scope::Next).is_err(), "{}", body.escape_ascii());
        }
    }
}
