//! What the credentials can do and should not be able to: tried out, not read from policies.

use aws_sdk_s3::primitives::ByteStream;

use super::{
    PROBE, S3,
    checksum::Sums,
    client::Problem,
    trouble::{Doing, said},
    unfinished::Unfinished,
};
use crate::system::store::{Body, Trouble};

/// What the credentials were seen to be able to do with an object of our own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Proof {
    /// Deleting it. They should not.
    pub delete: Verdict,
    /// Overwriting it without the condition that it does not exist. They should not.
    pub overwrite: Verdict,
    /// Reading it back, which checks after writing need.
    pub read: Verdict,
    /// Storing in parts, which large archives need; with a KMS key this takes `kms:Decrypt` besides
    /// `kms:GenerateDataKey`.
    pub parts: Verdict,
    /// Aborting an upload in parts.
    pub abort: Verdict,
}

/// How a try ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It was done.
    Can,
    /// The store forbids it, in these words.
    Cannot(String),
    /// It could not be tried, or the answer says neither.
    Unclear(String),
}

impl S3 {
    /// Stores a small object `.mainstay-probe` and tries what the credentials of a backup should not be able to do with it.
    /// Where they cannot, the object stays, and the next probe uses it again. For `backup init` alone: it writes.
    ///
    /// # Errors
    ///
    /// Nothing can be stored at all: without the permission, or with a KMS key that the credentials cannot use.
    pub async fn probe(&self) -> Result<Proof, Trouble> {
        let key = self.key(PROBE);
        let text: &[u8] = b"mainstay tries out here what the credentials of the backup can do. It may be deleted.\n";
        // No lock: what cannot be deleted because of one would say nothing about the credentials.
        let put = |condition: Option<&'static str>| {
            let key = &key;
            self.call(move |access| {
                access
                    .client
                    .put_object()
                    .bucket(&self.bucket)
                    .key(key)
                    .set_if_none_match(condition.map(str::to_owned))
                    .set_server_side_encryption(self.encryption())
                    .set_ssekms_key_id(self.options.kms_key.clone())
                    // A bucket with Object Lock refuses what has no checksum.
                    .content_md5(Sums::of(text).content_md5())
                    .body(ByteStream::from_static(text))
                    .send()
            })
        };
        match put(Some("*")).await {
            Ok(_) => {}
            // The one that an earlier probe could not delete.
            Err(Problem::Refused(refusal)) if refusal.status == Some(412) => {}
            Err(problem) => return Err(self.trouble(problem, Doing::Put)),
        }
        let overwrite = verdict(put(None).await.map(drop));
        let read = verdict(
            self.call(|access| access.client.get_object().bucket(&self.bucket).key(&key).send()).await.map(drop),
        );
        let (parts, abort) = self.probe_parts().await?;
        let delete = verdict(
            self.call(|access| access.client.delete_object().bucket(&self.bucket).key(&key).send()).await.map(drop),
        );
        Ok(Proof { delete, overwrite, read, parts, abort })
    }

    /// Begins an upload, sends one part and aborts it.
    async fn probe_parts(&self) -> Result<(Verdict, Verdict), Trouble> {
        let upload = self.upload(PROBE, &Body::Bytes([].into()));
        let untried = || Verdict::Unclear("it could not be tried".to_owned());
        let unfinished: Unfinished = match self.begin(&upload).await {
            Ok(unfinished) => unfinished,
            Err(trouble) => return Ok((Verdict::Cannot(trouble.why), untried())),
        };
        let part = b"mainstay\n";
        let sums = Sums::of(part);
        let part = self.call(|access| {
            let amazon = access.account.is_amazon;
            access
                .client
                .upload_part()
                .bucket(&self.bucket)
                .key(&upload.key)
                .upload_id(&unfinished.id)
                .part_number(1)
                .set_checksum_crc64_nvme(amazon.then(|| sums.crc64nvme()))
                .set_content_md5((!amazon).then(|| sums.content_md5()))
                .body(ByteStream::from_static(part))
                .send()
        });
        let parts = verdict(part.await.map(drop));
        let abort = match self.abort(&upload.key, &unfinished.id).await {
            Ok(()) => Verdict::Can,
            Err(trouble) => Verdict::Cannot(trouble.why),
        };
        unfinished.ended();
        Ok((parts, abort))
    }
}

fn verdict(answer: Result<(), Problem>) -> Verdict {
    match answer {
        Ok(()) => Verdict::Can,
        Err(Problem::Refused(refusal)) if refusal.is_forbidden() => Verdict::Cannot(said(&refusal)),
        Err(Problem::Refused(refusal)) => Verdict::Unclear(said(&refusal)),
        Err(Problem::Trouble(trouble)) => Verdict::Unclear(trouble.why),
    }
}
