//! One stream into several files at once, of which one that breaks stops no other.

use std::{
    fs::File,
    io::{self, Write},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

/// The files. What could not be written to any more is left out of the rest.
pub(super) struct Tee {
    legs: Vec<Leg>,
    /// Whether the files are brought to the disk on the way.
    flushes: bool,
}

/// One file and what became of it.
struct Leg {
    file: File,
    /// Bytes since the file was last flushed.
    fresh: usize,
    flusher: Option<Flusher>,
    trouble: Option<io::Error>,
}

/// A thread that brings a file to the disk while it is still being written, so that nobody has to wait for all of it in the
/// end. The system alone would begin when a tenth of the memory is full.
struct Flusher {
    ask: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

/// So much is flushed at once.
const FLUSHED: usize = 32 << 20;

impl Tee {
    /// Writes go to all of these, from where they stand.
    pub fn new(files: Vec<File>) -> Self {
        let legs = files.into_iter().map(|file| Leg { file, fresh: 0, flusher: None, trouble: None }).collect();
        Self { legs, flushes: false }
    }

    /// Files that stay: they are brought to the disk while they are written.
    pub fn flushing(files: Vec<File>) -> Self {
        Self { flushes: true, ..Self::new(files) }
    }

    /// Why each file was left out, in the order in which they were given; `None` for one that has everything.
    pub fn into_troubles(self) -> Vec<Option<io::Error>> {
        self.legs.into_iter().map(Leg::into_trouble).collect()
    }
}

impl Leg {
    fn write(&mut self, bytes: &[u8], flushes: bool) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.fresh += bytes.len();
        if flushes && self.fresh >= FLUSHED {
            self.fresh = 0;
            let flusher = match self.flusher.take() {
                Some(flusher) => flusher,
                None => Flusher::start(self.file.try_clone()?),
            };
            // Still busy with what was written before: what is new now comes with the next.
            let _ = flusher.ask.try_send(());
            self.flusher = Some(flusher);
        }
        Ok(())
    }

    fn into_trouble(self) -> Option<io::Error> {
        let flushed = self.flusher.map_or(Ok(()), Flusher::end);
        self.trouble.or(flushed.err())
    }
}

impl Flusher {
    fn start(file: File) -> Self {
        let (ask, asked) = sync_channel(1);
        Self { ask, thread: thread::spawn(move || flush(&file, &asked)) }
    }

    /// The system tells each error of the disk once: here, and not to whoever flushes the file in the end.
    fn end(self) -> io::Result<()> {
        drop(self.ask);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn flush(file: &File, asked: &Receiver<()>) -> io::Result<()> {
    asked.iter().try_for_each(|()| file.sync_data())
}

impl Write for Tee {
    /// # Errors
    ///
    /// No file is left that can be written to; the error is the last one's.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = false;
        let mut last = None;
        for leg in self.legs.iter_mut().filter(|leg| leg.trouble.is_none()) {
            match leg.write(bytes, self.flushes) {
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
    fn a_long_file_is_flushed_while_it_is_written_and_has_every_byte() {
        let file = tempfile::tempfile().unwrap();
        let mut tee = Tee::flushing(vec![file.try_clone().unwrap()]);
        let piece = vec![7; 1 << 20];
        for _ in 0..70 {
            tee.write_all(&piece).unwrap();
        }
        assert!(tee.legs[0].flusher.is_some());
        assert!(tee.into_troubles()[0].is_none());
        assert_eq!(file.metadata().unwrap().len(), 70 << 20);
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
