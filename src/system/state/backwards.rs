//! The lines of a file from its end to its begin, without reading more of it than is asked for.

use std::{fs::File, io, os::unix::fs::FileExt};

/// How much is read at once.
const BLOCK: u64 = 64 << 10;

/// The lines, the last one first, without their line ends.
#[derive(Debug)]
pub struct Backwards {
    file: File,
    /// Where what has not been read ends.
    end: u64,
    /// What has been read and not been given out.
    rest: Vec<u8>,
    /// Lines longer than this are left out.
    longest: usize,
    /// Whether `rest` is the end of a line that is left out.
    skips: bool,
}

impl Backwards {
    /// The lines of `file` as it is now; what is appended later does not count.
    ///
    /// # Errors
    ///
    /// The file cannot be asked for its length.
    pub fn new(file: File, longest: usize) -> io::Result<Self> {
        let end = file.metadata()?.len();
        Ok(Self { file, end, rest: Vec::new(), longest, skips: false })
    }

    /// One block more in front of the rest.
    fn read(&mut self) -> io::Result<()> {
        let start = self.end.saturating_sub(BLOCK);
        let mut block = vec![0; usize::try_from(self.end - start).unwrap_or_default()];
        self.file.read_exact_at(&mut block, start)?;
        block.append(&mut self.rest);
        (self.rest, self.end) = (block, start);
        Ok(())
    }
}

impl Iterator for Backwards {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(at) = self.rest.iter().rposition(|byte| *byte == b'\n') {
                let line = self.rest.split_off(at + 1);
                self.rest.truncate(at);
                if std::mem::take(&mut self.skips) || line.len() > self.longest || line.is_empty() {
                    continue;
                }
                return Some(Ok(line));
            }
            if self.end == 0 {
                let line = std::mem::take(&mut self.rest);
                let whole = !line.is_empty() && !self.skips && line.len() <= self.longest;
                return whole.then_some(Ok(line));
            }
            if self.rest.len() > self.longest {
                self.skips = true;
                self.rest.clear();
            }
            if let Err(error) = self.read() {
                // A file that was cut off meanwhile has no more to give.
                self.end = 0;
                self.rest.clear();
                return Some(Err(error));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn lines(content: &[u8], longest: usize) -> Vec<Vec<u8>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        Backwards::new(file, longest).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn lines_come_from_the_end_and_empty_ones_do_not() {
        for (content, expected) in [
            (&b""[..], &[][..]),
            (b"\n\n", &[]),
            (b"a", &[&b"a"[..]]),
            (b"a\n\nbc\n", &[b"bc", b"a"]),
            (b"a\ntorn", &[b"torn", b"a"]),
        ] {
            assert_eq!(lines(content, 100), expected, "{content:?}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_left_out_whole() {
        let long = vec![b'x'; 300_000];
        let content = [b"first\n", &long[..], b"\nlast\n"].concat();
        assert_eq!(lines(&content, 100_000), [&b"last"[..], b"first"]);
        assert_eq!(lines(&content, 300_000).len(), 3);
        assert_eq!(lines(&long, 1000).len(), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn they_are_the_lines_of_the_file_whatever_their_lengths(lengths in prop::collection::vec(0usize..90_000, 0..8), end: bool) {
            let letters = (b'a'..=b'z').cycle();
            let mut content: Vec<u8> = Vec::new();
            for (length, letter) in lengths.iter().zip(letters) {
                content.extend(vec![letter; *length]);
                content.push(b'\n');
            }
            if end {
                content.pop();
            }
            let expected: Vec<Vec<u8>> =
                content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).rev().collect();
            prop_assert_eq!(lines(&content, 100_000), expected);
        }
    }
}
