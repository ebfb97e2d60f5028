//! Which paths an archive may have.

use super::{Damage, hostile};

/// Linux takes no longer path (`PATH_MAX`), and manifests hold none.
const LONGEST: usize = 4096;

/// Folders inside folders; a restore holds all of them open, and a process may have 1024 open files.
const DEEPEST: usize = 512;

/// The path of an entry from where it is unpacked, with plain slashes; `None` for that place itself, which `tar c .` has.
///
/// Leading `./` is what `tar c .` writes. A slash at the front is an error and is not cut off: whoever wrote it wanted
/// another place.
pub(super) fn clean(raw: &[u8]) -> Result<Option<Vec<u8>>, Damage> {
    let shown = || shown(raw);
    if raw.is_empty() {
        return Err(hostile("it holds an entry without a name"));
    }
    if raw.starts_with(b"/") {
        return Err(hostile(format!("it holds the absolute path `{}`", shown())));
    }
    if raw.contains(&0) || raw.len() > LONGEST {
        return Err(hostile("it holds a path that no file system takes"));
    }
    let mut path = Vec::with_capacity(raw.len());
    let mut depth = 0;
    for part in raw.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => continue,
            b".." => return Err(hostile(format!("it holds the path `{}`, which leads out of it", shown()))),
            _ => {}
        }
        depth += 1;
        if depth > DEEPEST {
            return Err(hostile(format!("it holds folders inside folders, more than {DEEPEST} deep")));
        }
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(part);
    }
    Ok(Some(path).filter(|path| !path.is_empty()))
}

/// A path for people: control characters and what is not UTF-8 escaped.
pub(in super::super) fn shown(path: &[u8]) -> String {
    match std::str::from_utf8(path) {
        Ok(text) => {
            text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
        }
        Err(_) => path.escape_ascii().to_string(),
    }
}

/// The folder that a path is in, and its name there. The folder at the top is empty.
pub(in super::super) fn parted(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backup_case_30_a_path_that_leads_out_is_refused_and_a_plain_one_is_made_plainer() {
        for (raw, clean_one) in [
            (&b".env"[..], Some(&b".env"[..])),
            (b"./a/./b//c/", Some(b"a/b/c")),
            (b"..a/b..", Some(b"..a/b..")),
            (b"a\nb\xff", Some(b"a\nb\xff")),
            (b".", None),
            (b"./", None),
        ] {
            assert_eq!(clean(raw).unwrap().as_deref(), clean_one, "{}", shown(raw));
        }
        let deep = b"a/".repeat(DEEPEST + 1);
        for raw in
            [&b""[..], b"/etc/passwd", b"//a", b"..", b"../a", b"a/../../b", b"a/..", b"a\0b", &[b'a'; 4097], &deep]
        {
            assert!(clean(raw).is_err(), "{}", shown(raw));
        }
    }

    #[test]
    fn backup_case_46_paths_are_shown_on_one_line() {
        assert_eq!(shown("é\n\u{1b}".as_bytes()), "é\\n\\u{1b}");
        assert_eq!(shown(b"a\xe9b"), "a\\xe9b");
        assert_eq!(parted(b"a/b/c"), (&b"a/b"[..], &b"c"[..]));
        assert_eq!(parted(b"c"), (&b""[..], &b"c"[..]));
    }
}
