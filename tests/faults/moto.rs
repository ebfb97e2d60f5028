//! moto as an S3 of our own on a free port, and the few calls that a test makes itself.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
};

use jiff::Timestamp;
use tempfile::TempDir;

use crate::{listening::Listening, program::skip};

/// The bucket of these tests.
pub const BUCKET: &str = "faults";

/// A server in a process of its own; it ends with the value.
pub struct Moto {
    server: Listening,
    folder: TempDir,
}

/// Lets the server be told what time it is, so that an object can be old: it is read by Python before moto is.
const CLOCK: &str = r#"
import datetime, os
try:
    import moto.s3.models as models
except ImportError:
    models = None
if models:
    real = models.utcnow
    def told():
        try:
            with open(os.environ["MAINSTAY_TEST_CLOCK"]) as file:
                return datetime.datetime.fromtimestamp(int(file.read()), datetime.timezone.utc).replace(tzinfo=None)
        except (OSError, ValueError):
            return real()
    models.utcnow = told
"#;

impl Moto {
    /// Starts it with an empty bucket; `None`, and a line that says so, where it is not installed.
    pub fn start(test: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder in /tmp");
        fs::write(folder.path().join("sitecustomize.py"), CLOCK).expect("a file in it");
        let started = Listening::moto(|command| {
            command.env("PYTHONPATH", folder.path()).env("MAINSTAY_TEST_CLOCK", folder.path().join("now"));
            command.current_dir(folder.path());
        });
        let moto = Self { server: started.inspect_err(|why| skip(test, why)).ok()?, folder };
        moto.empty();
        Some(moto)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// Kills it: every connection breaks.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Forgets everything but that there is a bucket.
    pub fn empty(&self) {
        self.ask("POST", "/moto-api/reset", b"");
        self.ask("PUT", &format!("/{BUCKET}"), b"");
    }

    /// Stores an object as if it had been stored then.
    pub fn put(&self, name: &str, content: &[u8], stored: Timestamp) {
        let clock = self.folder.path().join("now");
        fs::write(&clock, stored.as_second().to_string()).expect("the server's clock");
        self.ask("PUT", &format!("/{BUCKET}/{name}"), content);
        fs::remove_file(clock).expect("the server's clock");
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        self.ask("GET", &format!("/{BUCKET}/{name}"), b"")
    }

    /// The names of all objects.
    pub fn names(&self) -> Vec<String> {
        within(&self.ask("GET", &format!("/{BUCKET}?list-type=2"), b""), "Key")
    }

    /// The names of all unfinished uploads.
    pub fn uploads(&self) -> Vec<String> {
        within(&self.ask("GET", &format!("/{BUCKET}?uploads"), b""), "Key")
    }

    fn ask(&self, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.server.address).expect("moto listens");
        // HTTP/1.0: the answer comes in one piece and ends with the connection.
        // moto looks at who asks, and not at whether the signature is right.
        let (address, length) = (self.server.address, body.len());
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/octet-stream\r\n\
             Content-Length: {length}\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential=AKIDTEST/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).expect("moto reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("moto answers");
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let status = String::from_utf8_lossy(&answer[..end]).into_owned();
        assert!(status.split(' ').nth(1).is_some_and(|code| code.starts_with('2')), "{method} {path}: {status}");
        answer.split_off(end + 4)
    }
}

/// What stands between the tags of this name.
fn within(xml: &[u8], tag: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(xml);
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    text.split(&open).skip(1).filter_map(|rest| Some(rest.split_once(&close)?.0.to_owned())).collect()
}
