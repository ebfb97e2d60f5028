//! The numbered cases of S3, against a scripted store; the real ones come after them.

mod put;
mod real;
mod server;
mod shelf;
mod trouble;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Seek, Write},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use sha2::{Digest, Sha256};
use url::Url;

use self::server::{Asked, Reply, Server};
use super::S3;
use crate::system::{
    Context,
    aws::Pace,
    clock::Fixed,
    store::{Body, Options, S3Options},
};

/// The name of an archive of the set `prime-app`.
const ARCHIVE: &str = "prime-app-20261123T181500Z-000042.tar.gz.age";

fn context() -> Context {
    context_with(&[("AWS_ACCESS_KEY_ID", "AKIDTEST"), ("AWS_SECRET_ACCESS_KEY", "secret")])
}

fn context_with(variables: &[(&str, &str)]) -> Context {
    let variables: BTreeMap<_, _> = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let clock = Arc::new(Fixed("2026-11-23T18:15:00Z".parse().unwrap()));
    Context { clock, ..Context::real(variables, PathBuf::from("/")) }
}

fn options(address: impl std::fmt::Display) -> Options {
    let s3 = S3Options {
        region: Some("us-east-1".to_owned()),
        endpoint: Some(Url::parse(&format!("http://{address}")).unwrap()),
        ..S3Options::default()
    };
    Options { s3, set: "prime-app".to_owned(), ..Options::default() }
}

/// Short waits between tries, and much time for each: only what hangs runs into its limit.
fn pace() -> Pace {
    Pace { wait: Duration::from_millis(1), longest_wait: Duration::from_millis(5), ..Pace::default() }
}

/// For stores that hang.
fn impatient() -> Pace {
    Pace { answer: Duration::from_secs(1), ..pace() }
}

/// A store of somebody's.
fn store(server: &Server) -> S3 {
    S3::new("bucket", "app", &options(server.address), &context()).at(pace())
}

/// A store of Amazon's.
fn amazon(server: &Server) -> S3 {
    S3 { amazon: true, ..store(server) }
}

/// A spooled archive of so many bytes.
fn spool(bytes: usize) -> Body {
    let content: Vec<u8> = (0..bytes).map(|at| (at / 1024) as u8 ^ at as u8).collect();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&content).unwrap();
    file.rewind().unwrap();
    of_file(file, &content)
}

fn of_file(file: File, content: &[u8]) -> Body {
    Body::Spool { file: Arc::new(file), bytes: content.len() as u64, sha256: Sha256::digest(content).into() }
}

fn little(text: &str) -> Body {
    Body::Bytes(text.as_bytes().into())
}

/// What a store says to the calls of an upload that goes well, and that nothing has the name yet.
fn willing(asked: &Asked) -> Reply {
    match asked.call().as_str() {
        "POST uploads" => Reply::xml(
            "<InitiateMultipartUploadResult><Bucket>bucket</Bucket><Key>k</Key><UploadId>u1</UploadId></InitiateMultipartUploadResult>",
        ),
        "POST upload" => {
            Reply::xml("<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>")
        }
        "DELETE upload" | "DELETE" => Reply::Say(204, Vec::new(), String::new()),
        "HEAD" => Reply::Say(404, Vec::new(), String::new()),
        _ => Reply::with(&[("etag", "\"piece\"")]),
    }
}
