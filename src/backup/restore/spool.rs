//! Values in a file that has no name, so that a million of them are no weight.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    marker::PhantomData,
    path::Path,
};

use serde::{Serialize, de::DeserializeOwned};

use super::changes::At;

/// Values that were put away, in their order.
pub(super) struct Spool<T> {
    out: BufWriter<File>,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned + Serialize> Spool<T> {
    /// Nothing yet; `folder` is where the nameless file takes its space.
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self { out: BufWriter::new(tempfile::tempfile_in(folder)?), of: PhantomData })
    }

    /// Puts a value away.
    pub(super) fn add(&mut self, value: &T) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        self.out.write_all(b"\n")
    }

    /// All of them, from the first on.
    pub(super) fn read(&mut self) -> io::Result<impl Iterator<Item = io::Result<T>> + '_> {
        self.out.flush()?;
        let lines = BufReader::with_capacity(1 << 16, At { file: self.out.get_ref(), at: 0 }).lines();
        Ok(lines.map(|line| Ok(serde_json::from_str(&line?)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_in_their_order_as_often_as_one_asks() {
        let place = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(place.path()).unwrap();
        for number in 0..10_000 {
            spool.add(&(number, format!("line\n{number}"))).unwrap();
        }
        for _ in 0..2 {
            let read: Vec<(u32, String)> = spool.read().unwrap().map(Result::unwrap).collect();
            assert_eq!(read.len(), 10_000);
            assert!(
                read.iter()
                    .enumerate()
                    .all(|(at, (number, text))| at as u32 == *number && *text == format!("line\n{at}"))
            );
        }
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0, "it has no name");
    }
}
