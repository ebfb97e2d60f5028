//! Reading an object: from the network on the runtime, to a reader that blocks on a thread of its own.

use std::{
    io::{self, Read},
    sync::Arc,
};

use aws_sdk_s3::primitives::ByteStream;
use tokio::sync::mpsc;

use super::{
    S3,
    client::{Access, Problem},
    trouble::Doing,
};
use crate::system::{
    aws::Pace,
    store::{Reading, Reason, Trouble},
};

/// How many pieces may lie between the network and the reader; a piece is what one read from the network gave, at most a few
/// hundred KiB.
const PIECES: usize = 8;

/// What the runtime hands to the reader.
type Piece = io::Result<bytes::Bytes>;

impl S3 {
    pub(super) async fn read(&self, name: &str) -> Result<Reading, Trouble> {
        let key = self.key(name);
        let answer = self
            .call(|access| access.client.get_object().bucket(&self.bucket).key(&key).send())
            .await
            .map_err(|problem| match problem {
                Problem::Refused(refusal) if refusal.is_missing() => Trouble::missing(name),
                problem => self.trouble(problem, Doing::Read),
            })?;
        let (sender, receiver) = mpsc::channel(PIECES);
        let transfer = Transfer {
            access: self.access().await?,
            bucket: self.bucket.clone(),
            key,
            etag: answer.e_tag,
            length: answer.content_length.and_then(|length| u64::try_from(length).ok()),
            pace: self.pace,
            sender,
        };
        // It ends when the reader is dropped, or with the object.
        let task = tokio::spawn(transfer.run(answer.body));
        let done = async {
            task.await.unwrap_or_else(|error| {
                Err(Trouble::new(Reason::Other, format!("reading from the store ended: {error}"), "run it again"))
            })
        };
        Ok(Reading { reader: Box::new(Pieces { receiver, rest: bytes::Bytes::new() }), done: Box::pin(done) })
    }
}

/// An object on its way.
struct Transfer {
    access: Arc<Access>,
    bucket: String,
    key: String,
    etag: Option<String>,
    length: Option<u64>,
    pace: Pace,
    sender: mpsc::Sender<Piece>,
}

impl Transfer {
    /// Carries all bytes over. A connection that breaks is taken up again where it broke, as long as each one brings
    /// something.
    async fn run(self, mut body: ByteStream) -> Result<(), Trouble> {
        let (mut at, mut idle) = (0_u64, 0);
        loop {
            let before = at;
            let broke = match self.carry(&mut body, &mut at).await {
                Ending::Gone => return Ok(()),
                Ending::Whole => return Ok(()),
                Ending::Broke(why) => why,
            };
            idle = if at > before { 0 } else { idle + 1 };
            if self.etag.is_some()
                && idle < self.pace.attempts
                && let Some(next) = self.again(at).await
            {
                body = next;
                continue;
            }
            let of = self.length.map(|length| format!(" of {length}")).unwrap_or_default();
            let why = format!("the store broke off after {at}{of} bytes: {broke}");
            // Without this the reader would take the break for the end.
            let _ = self.sender.send(Err(io::Error::new(io::ErrorKind::UnexpectedEof, why.clone()))).await;
            return Err(Trouble::new(Reason::Unreachable, why, "run it again"));
        }
    }

    async fn carry(&self, body: &mut ByteStream, at: &mut u64) -> Ending {
        loop {
            let piece = match tokio::time::timeout(self.pace.answer, body.next()).await {
                Err(_) => return Ending::Broke(format!("nothing came for {} s", self.pace.answer.as_secs_f32())),
                Ok(Some(Err(error))) => return Ending::Broke(error.to_string()),
                Ok(None) if self.length.is_some_and(|length| *at != length) => {
                    return Ending::Broke("the connection was closed".to_owned());
                }
                Ok(None) => return Ending::Whole,
                Ok(Some(Ok(piece))) => piece,
            };
            *at += piece.len() as u64;
            if self.sender.send(Ok(piece)).await.is_err() {
                return Ending::Gone;
            }
        }
    }

    /// The rest of the same object from this byte on.
    async fn again(&self, at: u64) -> Option<ByteStream> {
        tokio::time::sleep(self.pace.wait).await;
        let ask = self.access.client.get_object().bucket(&self.bucket).key(&self.key);
        let answer = ask.range(format!("bytes={at}-")).set_if_match(self.etag.clone()).send().await.ok()?;
        // A store that does not know ranges sends it from the start.
        let expected = format!("bytes {at}-");
        answer.content_range().is_some_and(|range| range.starts_with(&expected)).then_some(answer.body)
    }
}

enum Ending {
    Broke(String),
    /// Nobody reads any longer.
    Gone,
    Whole,
}

/// The reader's end.
struct Pieces {
    receiver: mpsc::Receiver<Piece>,
    rest: bytes::Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.rest = piece?,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.rest.len());
        buffer[..length].copy_from_slice(&self.rest.split_to(length));
        Ok(length)
    }
}
