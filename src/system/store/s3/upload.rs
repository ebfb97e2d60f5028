//! Storing: small objects in one call, larger ones in parts.
//!
//! Each object carries the number of its upload as metadata. Where a call got no answer, and the next one hears that the
//! name is taken, that number says whether the name was taken by us.

use std::{
    fs::File,
    hash::{BuildHasher, RandomState},
    os::unix::fs::FileExt,
    sync::Arc,
};

use aws_sdk_s3::{
    config::Config,
    primitives::{ByteStream, DateTime},
    types::{
        ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart, ObjectLockMode,
        ServerSideEncryption, StorageClass,
    },
};
use futures_util::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};

use super::{
    S3,
    checksum::{Proves, Sums, Whole, hex},
    client::{Conflict, Problem},
    trouble::{Doing, collision, interrupted},
    unfinished::Unfinished,
};
use crate::system::{
    aws::Refusal,
    store::{Body, Reason, Receipt, Trouble},
};

const MIB: u64 = 1024 * 1024;
/// What is no larger goes up in one call; the smallest part otherwise. S3 wants 5 MiB at least.
const PART: u64 = 8 * MIB;
/// How many parts S3 takes (Amazon S3 User Guide, "multipart upload limits").
const PARTS: u64 = 10_000;
/// How many parts are in memory, on their way, at the same time: 16 MiB up to archives of 80 GB, 32 MiB up to 160 GB.
const AT_ONCE: usize = 2;
/// How often an upload in parts begins anew when another writer, or one who cleans up, took it away.
const BEGINNINGS: u32 = 3;
/// The metadata that tells our object from another one of the same name.
const UPLOAD: &str = "mainstay-upload";

/// What all calls of one upload have in common.
pub(super) struct Upload {
    pub(super) key: String,
    /// Its number: of this upload only.
    id: String,
    sha256: String,
    bytes: u64,
    /// Only archives: a sidecar in cold storage could not be listed, and a small object in `STANDARD_IA` is paid for as 128 KiB.
    storage_class: Option<StorageClass>,
}

/// What is under the name.
enum Found {
    /// Something else.
    Another,
    /// Nothing.
    Nothing,
    /// Our object, and what the store says about its bytes.
    Ours(Proves),
    /// It cannot be looked at.
    Unseen(Problem),
}

/// How an upload in parts went that did not end well.
enum Ending {
    /// It was taken away; beginning anew may help.
    Again(Problem),
    /// No answer came, or one that does not say what became of the object.
    Unclear(Refusal, Whole),
    Failed(Trouble),
}

impl S3 {
    pub(super) async fn store(&self, name: &str, body: Body) -> Result<Receipt, Trouble> {
        let upload = self.upload(name, &body);
        if self.context.cancel.is_raised() {
            return Err(interrupted());
        }
        if !self.access().await?.account.is_amazon {
            // Stores that ignore `If-None-Match` would overwrite.
            match self.find(&upload, None).await {
                Found::Another | Found::Ours(_) => return Err(collision("another object has this name")),
                Found::Nothing => {}
                // Without leave to read or list, whether it is there is not said; the condition must do.
                Found::Unseen(Problem::Refused(refusal)) if refusal.is_forbidden() => {}
                Found::Unseen(problem) => return Err(self.trouble(problem, Doing::Look)),
            }
        }
        match body {
            Body::Spool { file, bytes, .. } if bytes > PART => self.in_parts(&upload, &file).await,
            Body::Spool { file, bytes, .. } => {
                let bytes = piece(file, 0, bytes).await?;
                self.whole(&upload, bytes).await
            }
            Body::Bytes(bytes) => self.whole(&upload, bytes::Bytes::copy_from_slice(&bytes)).await,
        }
    }

    pub(super) fn upload(&self, name: &str, body: &Body) -> Upload {
        let (sha256, archive) = match body {
            Body::Bytes(bytes) => (Sha256::digest(bytes).into(), false),
            Body::Spool { sha256, .. } => (*sha256, true),
        };
        let class = self.options.storage_class.as_deref().filter(|_| archive);
        Upload {
            key: self.key(name),
            id: number(),
            sha256: hex(&sha256),
            bytes: body.bytes(),
            storage_class: class.map(StorageClass::from),
        }
    }

    /// Stores an object in one call.
    async fn whole(&self, upload: &Upload, bytes: bytes::Bytes) -> Result<Receipt, Trouble> {
        let sums = Sums::of(&bytes);
        let whole = Whole::of_one(&sums);
        let put = self.call(|access| {
            let amazon = access.account.is_amazon;
            let limits = Config::builder().timeout_config(self.pace.timeouts(upload.bytes)).retry_classifier(Conflict);
            access
                .client
                .put_object()
                .bucket(&self.bucket)
                .key(&upload.key)
                .if_none_match("*")
                .metadata(UPLOAD, &upload.id)
                .metadata("mainstay-sha256", &upload.sha256)
                .set_checksum_crc64_nvme(amazon.then(|| sums.crc64nvme()))
                .set_content_md5((!amazon).then(|| sums.content_md5()))
                .set_storage_class(upload.storage_class.clone())
                .set_server_side_encryption(self.encryption())
                .set_ssekms_key_id(self.options.kms_key.clone())
                .set_object_lock_mode(self.lock_mode())
                .set_object_lock_retain_until_date(self.locked_until())
                .body(ByteStream::from(bytes.clone()))
                .customize()
                .config_override(limits)
                .send()
        });
        let refusal = match self.until_interrupted(put).await? {
            Ok(answer) => return receipt(whole.compare(answer.checksum_crc64_nvme(), answer.e_tag())),
            Err(Problem::Refused(refusal)) => refusal,
            Err(problem) => return Err(self.trouble(problem, Doing::Put)),
        };
        self.settle(upload, refusal, &whole).await
    }

    /// Stores an object in parts. Begun anew where it was taken away, aborted where it fails.
    async fn in_parts(&self, upload: &Upload, file: &Arc<File>) -> Result<Receipt, Trouble> {
        let size = part_size(upload.bytes);
        for beginning in 1.. {
            let unfinished = self.begin(upload).await?;
            let parts = self.until_interrupted(self.send_parts(upload, file, size, &unfinished.id)).await;
            let ending = match parts {
                Ok(Ok(receipt)) => {
                    unfinished.ended();
                    return Ok(receipt);
                }
                Ok(Err(ending)) => ending,
                Err(trouble) => Ending::Failed(trouble),
            };
            let trouble = match ending {
                Ending::Again(problem) if beginning == BEGINNINGS => self.trouble(problem, Doing::Put),
                Ending::Again(_) => {
                    self.give_up(unfinished, None).await;
                    continue;
                }
                Ending::Unclear(refusal, whole) => match self.settle(upload, refusal, &whole).await {
                    Ok(receipt) => {
                        unfinished.ended();
                        return Ok(receipt);
                    }
                    Err(trouble) => trouble,
                },
                Ending::Failed(trouble) => trouble,
            };
            let mut trouble = trouble;
            self.give_up(unfinished, Some(&mut trouble)).await;
            return Err(trouble);
        }
        unreachable!("the last beginning returns")
    }

    pub(super) async fn begin(&self, upload: &Upload) -> Result<Unfinished, Trouble> {
        let create = self.call(|access| {
            let amazon = access.account.is_amazon;
            access
                .client
                .create_multipart_upload()
                .bucket(&self.bucket)
                .key(&upload.key)
                .metadata(UPLOAD, &upload.id)
                .metadata("mainstay-sha256", &upload.sha256)
                .set_checksum_algorithm(amazon.then_some(ChecksumAlgorithm::Crc64Nvme))
                .set_checksum_type(amazon.then_some(ChecksumType::FullObject))
                .set_storage_class(upload.storage_class.clone())
                .set_server_side_encryption(self.encryption())
                .set_ssekms_key_id(self.options.kms_key.clone())
                .set_object_lock_mode(self.lock_mode())
                .set_object_lock_retain_until_date(self.locked_until())
                .send()
        });
        let answer = self.until_interrupted(create).await?.map_err(|problem| self.trouble(problem, Doing::Put))?;
        let id = answer.upload_id.filter(|id| !id.is_empty()).ok_or_else(|| {
            Trouble::new(Reason::Other, "the store began an upload and did not name it", "use a store that speaks S3")
        })?;
        Ok(Unfinished::new(self.access().await?, &self.bucket, &upload.key, id))
    }

    async fn send_parts(&self, upload: &Upload, file: &Arc<File>, size: u64, id: &str) -> Result<Receipt, Ending> {
        let count = upload.bytes.div_ceil(size);
        let parts: Vec<(Sums, CompletedPart)> = stream::iter(0..count)
            .map(|number| self.send_part(upload, file, size, number, id))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let (sums, parts): (Vec<Sums>, Vec<CompletedPart>) = parts.into_iter().unzip();
        let whole = Whole::of_parts(&sums);
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let bytes = i64::try_from(upload.bytes).ok();
        let answer = self
            .call(|access| {
                let amazon = access.account.is_amazon;
                access
                    .client
                    .complete_multipart_upload()
                    .bucket(&self.bucket)
                    .key(&upload.key)
                    .upload_id(id)
                    .if_none_match("*")
                    .set_checksum_crc64_nvme(amazon.then(|| whole.crc64nvme()))
                    .set_checksum_type(amazon.then_some(ChecksumType::FullObject))
                    .set_mpu_object_size(bytes.filter(|_| amazon))
                    .multipart_upload(parts.clone())
                    .send()
            })
            .await;
        match answer {
            Ok(answer) => receipt(whole.compare(answer.checksum_crc64_nvme(), answer.e_tag())).map_err(Ending::Failed),
            Err(Problem::Refused(refusal))
                if refusal.is("ConditionalRequestConflict") || refusal.is("OperationAborted") =>
            {
                Err(Ending::Again(Problem::Refused(refusal)))
            }
            Err(Problem::Refused(refusal)) => Err(Ending::Unclear(refusal, whole)),
            Err(Problem::Trouble(trouble)) => Err(Ending::Failed(trouble)),
        }
    }

    async fn send_part(
        &self,
        upload: &Upload,
        file: &Arc<File>,
        size: u64,
        number: u64,
        id: &str,
    ) -> Result<(Sums, CompletedPart), Ending> {
        let at = number * size;
        let length = size.min(upload.bytes - at);
        let bytes = piece(file.clone(), at, length).await.map_err(Ending::Failed)?;
        let sums = Sums::of(&bytes);
        let number = i32::try_from(number + 1).expect("at most 10,000 parts");
        let answer = self
            .call(|access| {
                let amazon = access.account.is_amazon;
                let limits = Config::builder().timeout_config(self.pace.timeouts(length));
                access
                    .client
                    .upload_part()
                    .bucket(&self.bucket)
                    .key(&upload.key)
                    .upload_id(id)
                    .part_number(number)
                    .set_checksum_crc64_nvme(amazon.then(|| sums.crc64nvme()))
                    .set_content_md5((!amazon).then(|| sums.content_md5()))
                    .body(ByteStream::from(bytes.clone()))
                    .customize()
                    .config_override(limits)
                    .send()
            })
            .await;
        match answer {
            Ok(answer) => {
                let amazon = answer.checksum_crc64_nvme().is_some();
                let part = CompletedPart::builder()
                    .part_number(number)
                    .set_e_tag(answer.e_tag)
                    .set_checksum_crc64_nvme(amazon.then(|| sums.crc64nvme()))
                    .build();
                Ok((sums, part))
            }
            Err(Problem::Refused(refusal)) if refusal.is("NoSuchUpload") => {
                Err(Ending::Again(Problem::Refused(refusal)))
            }
            Err(problem) => Err(Ending::Failed(self.trouble(problem, Doing::Put))),
        }
    }

    /// Finds out what became of an object whose upload was refused or got no answer.
    async fn settle(&self, upload: &Upload, refusal: Refusal, whole: &Whole) -> Result<Receipt, Trouble> {
        let taken = refusal.status == Some(412) || refusal.is("PreconditionFailed");
        // An upload that an earlier try has ended is not known any more.
        if !taken && !refusal.is_ambiguous() && !refusal.is("NoSuchUpload") {
            return Err(self.trouble(Problem::Refused(refusal), Doing::Put));
        }
        match self.find(upload, Some(whole)).await {
            Found::Ours(proves) => receipt(proves),
            Found::Another => Err(collision("another object has this name")),
            Found::Nothing if taken => Err(collision("another object had this name and is gone")),
            Found::Unseen(_) if taken => Err(collision(
                "an object has this name, and without s3:GetObject it cannot be told whether a try that got no answer \
                 stored it",
            )),
            Found::Nothing | Found::Unseen(_) => Err(self.trouble(Problem::Refused(refusal), Doing::Put)),
        }
    }

    /// What is under the name of this upload.
    async fn find(&self, upload: &Upload, whole: Option<&Whole>) -> Found {
        let answer = self
            .call(|access| {
                let mode = access.account.is_amazon.then_some(ChecksumMode::Enabled);
                access.client.head_object().bucket(&self.bucket).key(&upload.key).set_checksum_mode(mode).send()
            })
            .await;
        let head = match answer {
            Ok(head) => head,
            Err(Problem::Refused(refusal)) if refusal.is_missing() => return Found::Nothing,
            Err(problem) => return Found::Unseen(problem),
        };
        let id = head.metadata().and_then(|metadata| metadata.get(UPLOAD));
        let complete = head.content_length() == i64::try_from(upload.bytes).ok();
        if id != Some(&upload.id) || !complete {
            return Found::Another;
        }
        Found::Ours(whole.map_or(Proves::Nothing, |whole| whole.compare(head.checksum_crc64_nvme(), head.e_tag())))
    }

    /// Does it unless the operator ends the run meanwhile.
    async fn until_interrupted<T>(&self, work: impl Future<Output = T>) -> Result<T, Trouble> {
        tokio::select! {
            biased;
            result = work => Ok(result),
            () = self.context.cancel.raised(1) => Err(interrupted()),
        }
    }

    pub(super) fn encryption(&self) -> Option<ServerSideEncryption> {
        self.options.kms_key.is_some().then_some(ServerSideEncryption::AwsKms)
    }

    /// Governance: an administrator with a permission of its own can still end it. Compliance, which nobody can, belongs to
    /// the bucket's default.
    fn lock_mode(&self) -> Option<ObjectLockMode> {
        self.options.object_lock.is_some().then_some(ObjectLockMode::Governance)
    }

    fn locked_until(&self) -> Option<DateTime> {
        let until = self.context.clock.now().checked_add(self.options.object_lock?).ok()?;
        Some(DateTime::from_secs(until.as_second()))
    }
}

/// What the store said about an object that it has.
fn receipt(proves: Proves) -> Result<Receipt, Trouble> {
    match proves {
        Proves::Damage => Err(Trouble::new(
            Reason::Damaged,
            "the store has other bytes under this name than were sent: its checksum differs",
            "run it again, and look at the store",
        )),
        Proves::Nothing => Ok(Receipt { checksum: false }),
        Proves::Same => Ok(Receipt { checksum: true }),
    }
}

/// How large the parts of an object are.
fn part_size(bytes: u64) -> u64 {
    bytes.div_ceil(PARTS).next_multiple_of(MIB).max(PART)
}

/// A piece of the spool, read by position on a thread that may block.
async fn piece(file: Arc<File>, at: u64, length: u64) -> Result<bytes::Bytes, Trouble> {
    let read = move || {
        let mut bytes = vec![0; usize::try_from(length).map_err(std::io::Error::other)?];
        file.read_exact_at(&mut bytes, at)?;
        Ok::<_, std::io::Error>(bytes::Bytes::from(bytes))
    };
    let trouble = |error: &dyn std::fmt::Display| {
        Trouble::new(
            Reason::Other,
            format!("the spooled archive cannot be read: {error}"),
            "check the disk and run it again",
        )
    };
    tokio::task::spawn_blocking(read).await.map_err(|error| trouble(&error))?.map_err(|error| trouble(&error))
}

/// A number that no other upload has: the keys of a hasher come from the system's random source.
pub(super) fn number() -> String {
    let half = || RandomState::new().hash_one(0_u8);
    // Keys are drawn once a thread and counted up, which the hash spreads over all bits.
    format!("{:016x}{:016x}", half(), half())
}
