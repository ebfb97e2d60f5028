//! What became of an object whose upload was refused, or got no answer.

use aws_sdk_s3::types::ChecksumMode;

use super::{
    S3,
    checksum::{Proves, Whole},
    client::Problem,
    trouble::{Doing, collision},
    upload::{UPLOAD, Upload},
};
use crate::system::{
    aws::Refusal,
    store::{Reason, Receipt, Trouble},
};

/// What is under the name.
pub(super) enum Found {
    /// Something else.
    Another,
    /// Nothing.
    Nothing,
    /// Our object, and what the store says about its bytes.
    Ours(Proves),
    /// It cannot be looked at.
    Unseen(Problem),
}

impl S3 {
    /// Finds out what became of an object whose upload was refused or got no answer.
    pub(super) async fn settle(&self, upload: &Upload, refusal: Refusal, whole: &Whole) -> Result<Receipt, Trouble> {
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
    pub(super) async fn find(&self, upload: &Upload, whole: Option<&Whole>) -> Found {
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
}

/// What the store said about an object that it has.
pub(super) fn receipt(proves: Proves) -> Result<Receipt, Trouble> {
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
