//! Uploads in parts that never ended: invisible in a listing, and paid for.

use std::sync::Arc;

use super::{
    S3,
    client::{Access, Problem},
    trouble::{Doing, interrupted, without_end},
};
use crate::{
    rules::archive_id::{ArchiveId, Part},
    system::store::Trouble,
};

/// An upload in parts that is going on. Dropped without an ending, as when a wait for it is cut, it is aborted behind our
/// back as far as the process still lives; the next [`tidy`](crate::system::store::Destination::tidy) does the rest.
pub(super) struct Unfinished {
    access: Arc<Access>,
    bucket: String,
    key: String,
    pub(super) id: String,
    open: bool,
}

impl Unfinished {
    pub(super) fn new(access: Arc<Access>, bucket: &str, key: &str, id: String) -> Self {
        Self { access, bucket: bucket.to_owned(), key: key.to_owned(), id, open: true }
    }

    /// It is an object now, or aborted.
    pub(super) fn ended(mut self) {
        self.open = false;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.open {
            let abort = self.access.client.abort_multipart_upload();
            let abort = abort.bucket(&self.bucket).key(&self.key).upload_id(&self.id).send();
            // Nobody is left who could be told.
            runtime.spawn(async { drop(abort.await) });
        }
    }
}

impl S3 {
    /// Aborts an upload that came to nothing. What that failed for is added to the trouble, because the parts that stay are
    /// paid for.
    pub(super) async fn give_up(&self, unfinished: Unfinished, trouble: Option<&mut Trouble>) {
        let abort = self.abort(&unfinished.key, &unfinished.id);
        let failed = match tokio::time::timeout(self.pace.answer, abort).await {
            Ok(Ok(())) => None,
            Ok(Err(failed)) => Some(failed.why),
            Err(_) => Some("the store does not answer".to_owned()),
        };
        unfinished.ended();
        if let (Some(failed), Some(trouble)) = (failed, trouble) {
            trouble.why = format!("{}; its unfinished upload stays in the store: {failed}", trouble.why);
        }
    }

    /// Aborts the uploads that killed runs of this backup left behind, and says which.
    ///
    /// The lock of the backup excludes a running one of this machine. A twin on another machine under the same name would
    /// see its upload go, and begin it again.
    pub(super) async fn abort_unfinished(&self) -> Result<Vec<String>, Trouble> {
        let set = self.set.as_str();
        if set.is_empty() {
            return Ok(Vec::new());
        }
        let (mut key, mut id) = (None, None);
        let mut gone = Vec::new();
        loop {
            if self.context.cancel.is_raised() {
                return Err(interrupted());
            }
            let page = self
                .call(|access| {
                    access
                        .client
                        .list_multipart_uploads()
                        .bucket(&self.bucket)
                        .prefix(format!("{}{set}-", self.prefix))
                        .set_key_marker(key.clone())
                        .set_upload_id_marker(id.clone())
                        .send()
                })
                .await;
            let page = match page {
                Ok(page) => page,
                // What a store does not show cannot be tidied; a rule of its own may do that.
                Err(Problem::Refused(refusal)) if refusal.is_unknown_call() => return Ok(gone),
                Err(problem) => return Err(self.trouble(problem, Doing::ListUploads)),
            };
            for upload in page.uploads() {
                let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else { continue };
                let Some(name) = key.strip_prefix(&self.prefix) else { continue };
                if !is_archive_of(set, name) {
                    continue;
                }
                self.abort(key, id).await?;
                gone.push(format!("the unfinished upload of {name}"));
            }
            if page.is_truncated() != Some(true) {
                return Ok(gone);
            }
            let next = (page.next_key_marker().map(str::to_owned), page.next_upload_id_marker().map(str::to_owned));
            if next.0.is_none() || next == (key.clone(), id.clone()) {
                return Err(without_end());
            }
            (key, id) = next;
        }
    }

    /// Aborts one upload. One that is gone already is no error.
    pub(super) async fn abort(&self, key: &str, id: &str) -> Result<(), Trouble> {
        let answer = self
            .call(|access| access.client.abort_multipart_upload().bucket(&self.bucket).key(key).upload_id(id).send())
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(Problem::Refused(refusal)) if refusal.is("NoSuchUpload") || refusal.is_missing() => Ok(()),
            Err(problem) => Err(self.trouble(problem, Doing::Abort)),
        }
    }
}

/// Whether a name is an archive's of this set.
fn is_archive_of(set: &str, name: &str) -> bool {
    ArchiveId::of_file(name).is_some_and(|(id, part)| part == Part::Archive && id.set() == set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_archives_of_the_set_are_ours() {
        assert!(is_archive_of("prime-app", "prime-app-20261123T181500Z-000042.tar.gz.age"));
        assert!(is_archive_of("prime-app", "prime-app-20261123T181500Z-000042.tar.zst.age"));
        assert!(!is_archive_of("prime", "prime-app-20261123T181500Z-000042.tar.gz.age"), "the set of another backup");
        assert!(!is_archive_of("prime-app", "prime-app-dump.tar.gz.age"));
        assert!(!is_archive_of("prime-app", "deeper/prime-app-20261123T181500Z-000042.tar.gz.age"));
        assert!(!is_archive_of("prime-app", "prime-app-20261123T181500Z-000042"));
    }
}
