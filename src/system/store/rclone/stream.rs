//! An object as `rclone cat` writes it into a pipe.

use std::{
    fs::File,
    io::{self, PipeReader, Read},
    os::fd::OwnedFd,
    sync::Arc,
};

use tokio::task::JoinHandle;

use super::said;
use crate::system::{
    process::{Command, Runner},
    store::{Reading, Reason, Trouble},
};

/// Starts a command that writes an object of `bytes` bytes (where that is known), and reads what it writes.
///
/// The command runs by itself from here on, whether or not anybody awaits `done` while reading; it is ended when `done` is
/// dropped.
///
/// # Errors
///
/// There is no pipe.
pub(super) fn read(
    runner: &Arc<dyn Runner>,
    command: Command,
    bytes: Option<u64>,
    remote: &str,
) -> Result<Reading, Trouble> {
    let (reader, writer) =
        io::pipe().map_err(|error| Trouble::new(Reason::Other, error.to_string(), "run it again"))?;
    let command = command.pour_into(File::from(OwnedFd::from(writer)));
    let runner = Arc::clone(runner);
    let producer = Producer(tokio::spawn(async move { runner.run(command).await }));
    let remote = remote.to_owned();
    let done = async move {
        let mut producer = producer;
        match (&mut producer.0).await {
            Ok(result) => said::decode(result, &remote).map(drop),
            Err(error) => Err(Trouble::new(Reason::Other, format!("rclone: {error}"), "run it again")),
        }
    };
    Ok(Reading { reader: Box::new(Measured { reader, left: bytes }), done: Box::pin(done) })
}

/// The task of a program that is ended, and its process with it, when nobody waits for it any more.
struct Producer<T>(JoinHandle<T>);

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Bytes that must be as many as were announced: a producer that is killed looks like an early end.
struct Measured {
    reader: PipeReader,
    /// How many must still come, where that is known.
    left: Option<u64>,
}

impl Read for Measured {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(into)?;
        match &mut self.left {
            Some(left) if read == 0 && *left > 0 && !into.is_empty() => {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("rclone ended {left} bytes early")))
            }
            Some(left) => {
                *left = left.checked_sub(read as u64).ok_or_else(|| {
                    io::Error::new(io::ErrorKind::InvalidData, "rclone sent more than the object has")
                })?;
                Ok(read)
            }
            None => Ok(read),
        }
    }
}
