//! The whole suite over stores that others wrote: moto, and s3s-fs. Each is started on a free port and ended by its process.

#![expect(clippy::print_stdout, reason = "what is skipped is said")]

use std::path::Path;

use futures_util::future::BoxFuture;

use super::*;
use crate::system::{
    process::listening::Listening,
    store::{
        Condition, Destination, Reason, Receipt, Shelf,
        conformance::{self, Lack, content, names},
    },
};

/// A store in a process of its own.
struct Process {
    server: Listening,
    /// What it writes to; gone with it.
    _folder: tempfile::TempDir,
}

impl Process {
    /// Starts a program that is given its port and its folder; `None`, and a line that says so, where it is not installed.
    fn start(test: &str, start: impl Fn(&Path) -> Result<Listening, String>) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        match start(folder.path()) {
            Ok(server) => Some(Self { server, _folder: folder }),
            Err(why) => {
                println!("SKIPPED system::store::s3::tests::real::{test}: {why}");
                None
            }
        }
    }

    fn moto(test: &str) -> Option<Self> {
        Self::start(test, |folder| {
            Listening::moto(|command| {
                command.current_dir(folder);
            })
        })
    }

    fn store(&self, prefix: &str) -> S3 {
        S3::new("bucket", prefix, &options(self.server.address), &context())
    }

    /// Makes the bucket, as an administrator does.
    async fn with_bucket(self, locked: bool) -> Self {
        let access = self.store("").access().await.unwrap();
        let create = access.client.create_bucket().bucket("bucket");
        create.object_lock_enabled_for_bucket(locked).send().await.unwrap();
        self
    }
}

/// A fresh handle on each call.
fn handles(process: &Process) -> impl Fn() -> Box<dyn Destination> {
    || Box::new(process.store("app"))
}

#[tokio::test]
async fn moto_conforms() {
    let Some(moto) = Process::moto("moto_conforms") else { return };
    let moto = moto.with_bucket(false).await;
    conformance::conforms("S3 of moto", handles(&moto), &[]).await;
}

#[tokio::test]
async fn s3s_conforms() {
    let start = |folder: &Path| {
        let fixed = ["--host", "127.0.0.1", "--access-key", "AKIDTEST", "--secret-key", "secret", "--port"];
        Listening::start("s3s-fs", |command, port| {
            command.args(fixed).arg(port.to_string()).arg(folder).current_dir(folder);
        })
    };
    let Some(s3s) = Process::start("s3s_conforms", start) else { return };
    let s3s = s3s.with_bucket(false).await;
    // It keeps no two writers of one name apart: it does not know `If-None-Match`.
    conformance::conforms("S3 of s3s-fs", handles(&s3s), &[Lack::Exclusion]).await;
}

#[tokio::test]
async fn moto_takes_amazons_checksums_and_says_them_again() {
    let Some(moto) = Process::moto("moto_takes_amazons_checksums_and_says_them_again") else { return };
    let moto = moto.with_bucket(false).await;
    let amazons = S3 { amazon: true, ..moto.store("app") };
    let much = conformance::noise(9 << 20);
    let stored = amazons.put(ARCHIVE, conformance::spool(&much)).await;
    assert_eq!(stored, Ok(Receipt { checksum: true }), "joined from those of its parts");
    assert!(content(&amazons, ARCHIVE).await.unwrap() == much);
    assert_eq!(amazons.put("a.json", little("{}")).await, Ok(Receipt { checksum: true }));
    assert_eq!(amazons.put("a.json", little("{}")).await.unwrap_err().reason, Reason::Collision);
    assert_eq!(names(&amazons).await, ["a.json", ARCHIVE]);
}

#[tokio::test]
async fn backup_case_44_a_locked_bucket_keeps_what_is_locked() {
    let Some(moto) = Process::moto("backup_case_44_a_locked_bucket_keeps_what_is_locked") else { return };
    let moto = moto.with_bucket(true).await;
    let mut store = moto.store("app");
    store.options.object_lock = Some(Duration::from_secs(30 * 24 * 3600));
    let Condition { notes, .. } = store.inspect().await.unwrap();
    assert!(notes.iter().any(|note| note.starts_with("Object Lock is on")), "{notes:?}");
    store.put("a.json", little("{}")).await.unwrap();
    assert_eq!(store.list().await.unwrap()[0].retained_until, Some("2026-12-23T18:15:00Z".parse().unwrap()));
    assert_eq!(store.remove("a.json").await.unwrap_err().reason, Reason::Retained);
}

#[tokio::test]
async fn a_bucket_of_moto_is_looked_at() {
    let Some(moto) = Process::moto("a_bucket_of_moto_is_looked_at") else { return };
    assert_eq!(moto.store("").inspect().await.unwrap_err().reason, Reason::Configuration, "no bucket");
    let moto = moto.with_bucket(false).await;
    let store = moto.store("app");
    let client = &store.access().await.unwrap().client;
    let public = client.put_bucket_acl().bucket("bucket").acl(aws_sdk_s3::types::BucketCannedAcl::PublicRead);
    public.send().await.unwrap();
    assert_eq!(store.inspect().await.unwrap_err().reason, Reason::Public);
}

#[tokio::test]
async fn backup_case_41_an_unfinished_upload_is_found_and_aborted() {
    let Some(moto) = Process::moto("backup_case_41_an_unfinished_upload_is_found_and_aborted") else { return };
    let moto = moto.with_bucket(false).await;
    let store = moto.store("app");
    let client = &store.access().await.unwrap().client;
    let begin = |key: String| -> BoxFuture<'_, ()> {
        Box::pin(async move { drop(client.create_multipart_upload().bucket("bucket").key(key).send().await.unwrap()) })
    };
    begin(format!("app/{ARCHIVE}")).await;
    begin("app/somebody-elses.bin".to_owned()).await;
    assert_eq!(store.tidy().await, Ok(vec![format!("the unfinished upload of {ARCHIVE}")]));
    assert_eq!(store.tidy().await, Ok(vec![]));
    assert_eq!(names(&store).await, [""; 0]);
}
