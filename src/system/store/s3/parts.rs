//! Storing a large object: in parts that can each be sent again.

use std::{fs::File, sync::Arc};

use aws_sdk_s3::{
    config::Config,
    operation::complete_multipart_upload::CompleteMultipartUploadOutput,
    primitives::ByteStream,
    types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart},
};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{
    S3,
    checksum::{Sums, Whole},
    client::Problem,
    settle::{Found, receipt},
    spool::{Piece, Spool},
    trouble::Doing,
    unfinished::Unfinished,
    upload::{PART, SHA256, UPLOAD, Upload},
};
use crate::system::{
    aws::Refusal,
    store::{Reason, Receipt, Trouble},
};

/// How many parts S3 takes (Amazon S3 User Guide, "multipart upload limits").
const PARTS: u64 = 10_000;
/// How many parts are in memory, on their way, at the same time: 16 MiB up to archives of 80 GB, 32 MiB up to 160 GB.
const AT_ONCE: usize = 2;
/// How often an upload begins anew when another writer, or one who cleans up, took it away.
const BEGINNINGS: u32 = 3;

/// How an upload in parts went that did not end well.
enum Ending {
    /// It was taken away; beginning anew may help.
    Again(Problem),
    /// No answer came, or one that does not say what became of the object.
    Unclear(Refusal, Whole),
    Failed(Trouble),
}

impl S3 {
    /// Stores an object in parts. Begun anew where it was taken away, aborted where it fails.
    pub(super) async fn in_parts(
        &self,
        upload: &Upload,
        file: Arc<File>,
        sha256: [u8; 32],
    ) -> Result<Receipt, Trouble> {
        let size = part_size(upload.bytes);
        let mut beginnings = 0;
        loop {
            beginnings += 1;
            let unfinished = self.begin(upload).await?;
            let spool = Spool::new(file.clone(), upload.bytes, sha256, size);
            let parts = self.until_interrupted(self.send_parts(upload, spool, &unfinished.id)).await;
            let ending = match parts {
                Ok(Ok(receipt)) => {
                    unfinished.ended();
                    return Ok(receipt);
                }
                Ok(Err(Ending::Unclear(refusal, whole))) if refusal.is("NoSuchUpload") => {
                    // Ended by a try that got no answer, or aborted by somebody who cleaned up.
                    match self.find(upload, Some(&whole)).await {
                        Found::Nothing => Ending::Again(Problem::Refused(refusal)),
                        _ => Ending::Unclear(refusal, whole),
                    }
                }
                Ok(Err(ending)) => ending,
                Err(trouble) => Ending::Failed(trouble),
            };
            let mut trouble = match ending {
                Ending::Again(problem) if beginnings == BEGINNINGS => self.trouble(problem, Doing::Put),
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
            self.give_up(unfinished, Some(&mut trouble)).await;
            return Err(trouble);
        }
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
                .metadata(SHA256, &upload.sha256)
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

    async fn send_parts(&self, upload: &Upload, spool: Spool, id: &str) -> Result<Receipt, Ending> {
        let numbers = stream::iter(1_i32..);
        let pieces = stream::try_unfold(spool, |spool| async { spool.next().await.map_err(Ending::Failed) });
        let parts: Vec<(Sums, CompletedPart)> = pieces
            .zip(numbers)
            .map(|(piece, number)| piece.map(|piece| self.send_part(upload, piece, number, id)))
            .try_buffered(AT_ONCE)
            .try_collect()
            .await?;
        let (sums, parts): (Vec<Sums>, Vec<CompletedPart>) = parts.into_iter().unzip();
        let whole = Whole::of_parts(&sums);
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let mut answer = self.complete(upload, &whole, &parts, id, true).await;
        if upload.goes_without_condition(&answer) {
            answer = self.complete(upload, &whole, &parts, id, false).await;
        }
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

    async fn complete(
        &self,
        upload: &Upload,
        whole: &Whole,
        parts: &CompletedMultipartUpload,
        id: &str,
        conditional: bool,
    ) -> Result<CompleteMultipartUploadOutput, Problem> {
        let bytes = i64::try_from(upload.bytes).ok();
        self.call(|access| {
            let amazon = access.account.is_amazon;
            access
                .client
                .complete_multipart_upload()
                .bucket(&self.bucket)
                .key(&upload.key)
                .upload_id(id)
                .set_if_none_match(conditional.then(|| "*".to_owned()))
                .set_checksum_crc64_nvme(amazon.then(|| whole.crc64nvme()))
                .set_checksum_type(amazon.then_some(ChecksumType::FullObject))
                .set_mpu_object_size(bytes.filter(|_| amazon))
                .multipart_upload(parts.clone())
                .send()
        })
        .await
    }

    async fn send_part(
        &self,
        upload: &Upload,
        Piece { bytes, sums }: Piece,
        number: i32,
        id: &str,
    ) -> Result<(Sums, CompletedPart), Ending> {
        let length = bytes.len() as u64;
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
}

/// How large the parts of an object are.
fn part_size(bytes: u64) -> u64 {
    bytes.div_ceil(PARTS).next_multiple_of(1 << 20).max(PART)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_archive_fits_into_ten_thousand_parts_in_little_memory() {
        const MIB: u64 = 1 << 20;
        for (bytes, size) in [(PART + 1, 8), (20_000_000_000, 8), (160_000_000_000, 16), (5 << 40, 525)] {
            assert_eq!(part_size(bytes), size * MIB, "{bytes}");
            assert!(bytes.div_ceil(part_size(bytes)) <= PARTS, "{bytes}");
        }
    }
}
