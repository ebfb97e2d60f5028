//! Listing and removing.

use aws_sdk_s3::types::EncodingType;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use super::{
    PROBE, S3,
    client::Problem,
    trouble::{Doing, interrupted, without_end},
};
use crate::system::store::{Object, Reason, Trouble, object::is_object};

/// How many locks are looked at at the same time.
const AT_ONCE: usize = 8;

impl S3 {
    /// Every object directly under the prefix, page by page; the first failed page fails all.
    pub(super) async fn objects(&self) -> Result<Vec<Object>, Trouble> {
        let mut objects = Vec::new();
        let mut token: Option<String> = None;
        loop {
            if self.context.cancel.is_raised() {
                return Err(interrupted());
            }
            let page = self
                .call(|access| {
                    access
                        .client
                        .list_objects_v2()
                        .bucket(&self.bucket)
                        .prefix(&self.prefix)
                        // What lies deeper belongs to others, and may be a million.
                        .delimiter("/")
                        // Names that XML cannot hold would make the whole page unreadable.
                        .encoding_type(EncodingType::Url)
                        .set_continuation_token(token.clone())
                        .send()
                })
                .await
                .map_err(|problem| self.trouble(problem, Doing::List))?;
            let encoded = page.encoding_type() == Some(&EncodingType::Url);
            for object in page.contents() {
                let key = decoded(object.key().unwrap_or_default(), encoded);
                let Some(name) = key.strip_prefix(&self.prefix) else { continue };
                // A folder that a web console made is an object whose name is the prefix.
                if name.is_empty() || name == PROBE || !is_object(name) {
                    continue;
                }
                objects.push(Object {
                    name: name.to_owned(),
                    bytes: object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
                    modified: object.last_modified().and_then(timestamp),
                    retained_until: None,
                });
            }
            if page.is_truncated() != Some(true) {
                break;
            }
            let next = page.next_continuation_token().map(str::to_owned);
            if next.is_none() || next == token {
                return Err(without_end());
            }
            token = next;
        }
        if self.options.object_lock.is_some() {
            self.look_at_locks(&mut objects).await;
        }
        Ok(objects)
    }

    /// Fills in until when each object is kept. One call an object, so only where archives are locked at all. What the
    /// credentials may not see stays unknown.
    async fn look_at_locks(&self, objects: &mut [Object]) {
        let looks = (0..objects.len()).map(|at| (at, objects[at].name.clone()));
        let looks = looks.map(|(at, name)| async move { (at, self.retained_until(&name).await.ok().flatten()) });
        let locks: Vec<_> = stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
        for (at, until) in locks {
            objects[at].retained_until = until;
        }
    }

    /// Until when the store keeps an object from being removed, where it does.
    ///
    /// # Errors
    ///
    /// There is no such object, or the credentials may not look at it.
    async fn retained_until(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        let key = self.key(name);
        let head = self.call(|access| access.client.head_object().bucket(&self.bucket).key(&key).send()).await?;
        Ok(head.object_lock_retain_until_date().and_then(timestamp))
    }

    /// Removes an object that no lock holds. Where versions are kept, the store would hide a locked one behind a marker and
    /// say that all went well: so its lock is asked for first.
    pub(super) async fn delete(&self, name: &str) -> Result<(), Trouble> {
        match self.retained_until(name).await {
            Ok(Some(until)) if until > self.context.clock.now() => {
                return Err(Trouble::new(
                    Reason::Retained,
                    format!("the store keeps it until {until} (Object Lock)"),
                    "leave it; it can be removed after that date",
                ));
            }
            Err(Problem::Refused(refusal)) if refusal.is_missing() => return Ok(()),
            // Whether it is locked could not be seen; a store that locks it without versions says so below.
            _ => {}
        }
        let key = self.key(name);
        let answer = self.call(|access| access.client.delete_object().bucket(&self.bucket).key(&key).send()).await;
        match answer {
            Ok(_) => Ok(()),
            Err(Problem::Refused(refusal)) if refusal.is_missing() => Ok(()),
            Err(Problem::Refused(refusal)) if refusal.is("ObjectLocked") || refusal.message.contains("WORM") => {
                Err(Trouble::new(
                    Reason::Retained,
                    format!("the store keeps it ({})", refusal.message),
                    "leave it; it can be removed when its lock ends",
                ))
            }
            Err(problem) => Err(self.trouble(problem, Doing::Remove)),
        }
    }
}

fn decoded(key: &str, encoded: bool) -> String {
    if encoded {
        // A plus sign in a name comes as %2B, so one that is left is a space.
        percent_decode_str(&key.replace('+', "%20")).decode_utf8_lossy().into_owned()
    } else {
        key.to_owned()
    }
}

fn timestamp(at: &aws_sdk_s3::primitives::DateTime) -> Option<Timestamp> {
    Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded_only_where_they_are_encoded() {
        assert_eq!(decoded("a%2Bb+c%01", true), "a+b c\u{1}");
        assert_eq!(decoded("a%2Bb+c", false), "a%2Bb+c");
    }
}
