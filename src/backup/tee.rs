//! One stream into several files at once, of which one that breaks stops no other.

use std::{
    fs::File,
    io::{self, Write},
};

/// The files. What could not be written to any more is left out of the rest.
pub(super) struct Tee {
    legs: Vec<Leg>,
}

/// One file and what became of it.
struct Leg {
    file: File,
    trouble: Option<io::Error>,
}

impl Tee {
    /// Writes go to all of these, from where they stand.
    pub fn new(files: Vec<File>) -> Self {
        Self { legs: files.into_iter().map(|file| Leg { file, trouble: None }).collect() }
    }

    /// Why each file was left out, in the order in which they were given; `None` for one that has everything.
    pub fn into_troubles(self) -> Vec<Option<io::Error>> {
        self.legs.into_iter().map(|leg| leg.trouble).collect()
    }
}

impl Write for Tee {
    /// # Errors
    ///
    /// No file is left that can be written to; the error is the last one's.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = false;
        let mut last = None;
        for leg in self.legs.iter_mut().filter(|leg| leg.trouble.is_none()) {
            match leg.file.write_all(bytes) {
                Ok(()) => written = true,
                Err(error) => {
                    last = Some(io::Error::new(error.kind(), error.to_string()));
                    leg.trouble = Some(error);
                }
            }
        }
        if written { Ok(bytes.len()) } else { Err(last.unwrap_or_else(|| io::ErrorKind::BrokenPipe.into())) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use super::*;

    fn full() -> File {
        File::options().write(true).open("/dev/full").unwrap()
    }

    #[test]
    fn one_full_file_stops_no_other_and_the_last_one_is_an_error() {
        let mut good = tempfile::tempfile().unwrap();
        let mut tee = Tee::new(vec![full(), good.try_clone().unwrap()]);
        tee.write_all(b"one").unwrap();
        tee.write_all(b"two").unwrap();
        let troubles = tee.into_troubles();
        assert_eq!(troubles[0].as_ref().map(io::Error::kind), Some(io::ErrorKind::StorageFull));
        assert!(troubles[1].is_none());
        let mut text = String::new();
        good.rewind().unwrap();
        good.read_to_string(&mut text).unwrap();
        assert_eq!(text, "onetwo");

        assert_eq!(Tee::new(vec![full()]).write_all(b"x").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(Tee::new(Vec::new()).write_all(b"x").is_err());
    }
}
