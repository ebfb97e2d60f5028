//! Paths in a folder: bytes, without a slash at either end.

/// The folder and the last name of a path; both may be empty.
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

/// A path in a folder.
pub fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    match folder {
        b"" => name.to_vec(),
        _ => [folder, b"/", name].concat(),
    }
}

/// A path as people read it.
pub fn shown(path: &[u8]) -> String {
    // Escaped, so that a name with a line end cannot pretend to be two.
    path.utf8_chunks()
        .flat_map(|chunk| {
            let text = chunk.valid().chars().map(|c| match c.is_control() {
                true => c.escape_default().to_string(),
                false => c.to_string(),
            });
            text.chain(chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}"))).collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_on_one_line() {
        assert_eq!(shown(b"a\nb\xff \xc3\xa9"), "a\\nb\\xFF é");
    }
}
