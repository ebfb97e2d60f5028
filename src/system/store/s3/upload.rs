//! Storing: a small object in one call, a larger one in [`parts`](super::parts).
//!
//! Each object carries the number of its upload as metadata. Where a call got no answer, and the next one hears that the
//! name is taken, that number says whether the name was taken by us.

use std::hash::{BuildHasher, RandomState};

use aws_sdk_s3::{
    config::Config,
    operation::put_object::PutObjectOutput,
    primitives::{ByteStream, DateTime},
    types::{ObjectLockMode, ServerSideEncryption, StorageClass},
};
use sha2::{Digest, Sha256};

use super::{
    S3,
    checksum::{Sums, Whole, hex},
    client::{Conflict, Problem},
    settle::{Found, receipt},
    spool::Spool,
    trouble::{Doing, collision, interrupted},
};
use crate::system::store::{Body, Receipt, Trouble};

/// What is no larger goes up in one call; the smallest part otherwise. S3 wants 5 MiB at least.
pub(super) const PART: u64 = 8 << 20;
/// The metadata that tells our object from another one of the same name.
pub(super) const UPLOAD: &str = "mainstay-upload";
/// The metadata of what the object is: the SHA-256 of its bytes, in hexadecimal.
pub(super) const SHA256: &str = "mainstay-sha256";

/// What all calls of one upload have in common.
pub(super) struct Upload {
    pub(super) key: String,
    /// Its number: of this upload only.
    pub(super) id: String,
    pub(super) sha256: String,
    pub(super) bytes: u64,
    /// Whether it was seen, a moment ago, that nothing has the name.
    is_free: bool,
    /// Only archives: a sidecar in cold storage could not be listed, and a small object in `STANDARD_IA` is paid for as 128 KiB.
    pub(super) storage_class: Option<StorageClass>,
}

impl S3 {
    pub(super) async fn store(&self, name: &str, body: Body) -> Result<Receipt, Trouble> {
        let mut upload = self.upload(name, &body);
        if self.context.cancel.is_raised() {
            return Err(interrupted());
        }
        if !self.access().await?.account.is_amazon {
            // Stores that ignore `If-None-Match` would overwrite.
            match self.find(&upload, None).await {
                Found::Another | Found::Ours(_) => return Err(collision("another object has this name")),
                Found::Nothing => upload.is_free = true,
                // Without leave to read or list, whether it is there is not said; the condition must do.
                Found::Unseen(Problem::Refused(refusal)) if refusal.is_forbidden() => {}
                Found::Unseen(problem) => return Err(self.trouble(problem, Doing::Look)),
            }
        }
        match body {
            Body::Spool { file, bytes, sha256 } if bytes > PART => self.in_parts(&upload, file, sha256).await,
            Body::Spool { file, bytes, sha256 } => {
                let piece = Spool::new(file, bytes, sha256, bytes).next().await?;
                self.whole(&upload, piece.map_or_else(bytes::Bytes::new, |(piece, _)| piece.bytes)).await
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
            is_free: false,
            storage_class: class.map(StorageClass::from),
        }
    }

    /// Stores an object in one call.
    async fn whole(&self, upload: &Upload, bytes: bytes::Bytes) -> Result<Receipt, Trouble> {
        let whole = Whole::of_one(&Sums::of(&bytes));
        let mut answer = self.until_interrupted(self.put_once(upload, &bytes, true)).await?;
        if upload.goes_without_condition(&answer) {
            answer = self.until_interrupted(self.put_once(upload, &bytes, false)).await?;
        }
        match answer {
            Ok(answer) => receipt(whole.compare(answer.checksum_crc64_nvme(), answer.e_tag())),
            Err(Problem::Refused(refusal)) => self.settle(upload, refusal, &whole).await,
            Err(problem) => Err(self.trouble(problem, Doing::Put)),
        }
    }

    async fn put_once(
        &self,
        upload: &Upload,
        bytes: &bytes::Bytes,
        conditional: bool,
    ) -> Result<PutObjectOutput, Problem> {
        let sums = Sums::of(bytes);
        self.call(|access| {
            let amazon = access.account.is_amazon;
            let limits = Config::builder().timeout_config(self.pace.timeouts(upload.bytes)).retry_classifier(Conflict);
            access
                .client
                .put_object()
                .bucket(&self.bucket)
                .key(&upload.key)
                .set_if_none_match(conditional.then(|| "*".to_owned()))
                .metadata(UPLOAD, &upload.id)
                .metadata(SHA256, &upload.sha256)
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
        })
        .await
    }

    /// Does it unless the operator ends the run meanwhile.
    pub(super) async fn until_interrupted<T>(&self, work: impl Future<Output = T>) -> Result<T, Trouble> {
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
    pub(super) fn lock_mode(&self) -> Option<ObjectLockMode> {
        self.options.object_lock.is_some().then_some(ObjectLockMode::Governance)
    }

    pub(super) fn locked_until(&self) -> Option<DateTime> {
        let until = self.context.clock.now().checked_add(self.options.object_lock?).ok()?;
        Some(DateTime::from_secs(until.as_second()))
    }
}

impl Upload {
    /// Whether the store refuses the condition itself, and nothing had the name a moment ago: names are not used twice.
    pub(super) fn goes_without_condition<T>(&self, answer: &Result<T, Problem>) -> bool {
        self.is_free && matches!(answer, Err(Problem::Refused(refusal)) if refusal.is_unknown_call())
    }
}

/// A number that no other upload has: the keys of a hasher come from the system's random source.
fn number() -> String {
    let half = || RandomState::new().hash_one(0_u8);
    // Keys are drawn once a thread and counted up, which the hash spreads over all bits.
    format!("{:016x}{:016x}", half(), half())
}
