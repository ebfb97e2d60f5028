//! Looking at a bucket before anything is written to it.

use aws_sdk_s3::{
    operation::list_objects_v2::ListObjectsV2Output,
    types::{BucketVersioningStatus, ExpirationStatus, LifecycleRule, Permission},
};

use url::{Host, Url};

use super::{
    S3,
    client::{Access, Problem},
    exposure::{Answers, Block, Exposure, Known, judge},
    trouble::Doing,
};
use crate::system::{
    aws::Refusal,
    store::{Condition, Reason, Trouble},
};

/// Everybody, and everybody with an account (Amazon S3 User Guide, "predefined groups").
const EVERYBODY: [&str; 2] =
    ["http://acs.amazonaws.com/groups/global/AllUsers", "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"];

impl S3 {
    /// Whether the bucket is there, can be used and is not public.
    pub(super) async fn look(&self) -> Result<Condition, Trouble> {
        let mut condition = Condition::default();
        // Listing comes first: unlike HEAD it says why it is refused.
        let listing = match self.first_page().await {
            Ok(page) => Some(page),
            Err(Problem::Refused(refusal)) if refusal.is_forbidden() => {
                let why = self.trouble(Problem::Refused(refusal), Doing::List).why;
                condition
                    .notes
                    .push(format!("what is in it cannot be listed, so its freshness cannot be checked: {why}"));
                None
            }
            Err(problem) => return Err(self.trouble(problem, Doing::List)),
        };
        // What cannot be listed is not called new.
        condition.is_new = listing.as_ref().is_some_and(|page| page.contents().is_empty());
        let sample = listing.as_ref().and_then(|page| page.contents().iter().find_map(|object| object.key()));
        let access = self.access().await?;
        let (exposure, locks, versions, lifecycle) =
            futures_util::join!(self.exposure(&access, sample), self.locks(), self.versions(), self.lifecycle());
        match exposure {
            Exposure::Public(why) => {
                return Err(Trouble::new(
                    Reason::Public,
                    format!("the bucket `{}` is public: {why}", self.bucket),
                    format!(
                        "turn on Block Public Access: `aws s3api put-public-access-block --bucket {} \
                         --public-access-block-configuration BlockPublicAcls=true,IgnorePublicAcls=true,\
                         BlockPublicPolicy=true,RestrictPublicBuckets=true`",
                        self.bucket
                    ),
                ));
            }
            Exposure::Private(note) => condition.notes.extend(note),
            Exposure::Unknown(note) => condition.notes.push(note),
        }
        self.say_locks(locks, &mut condition)?;
        match versions {
            Known::Is(true) => condition.notes.push(
                "versions are kept: what `prune` removes stays as an old version until a lifecycle rule expires it"
                    .to_owned(),
            ),
            Known::Is(false) => condition.notes.push(
                "versions are not kept: whoever may write here can destroy what is stored; turn on versioning"
                    .to_owned(),
            ),
            Known::Forbidden => condition.notes.push(lacks("whether versions are kept", "s3:GetBucketVersioning")),
            Known::Unasked => condition.notes.push(unsaid("whether versions are kept")),
        }
        match lifecycle {
            Known::Is(true) => {}
            Known::Is(false) => condition.notes.push(
                "no lifecycle rule removes unfinished uploads (AbortIncompleteMultipartUpload): their parts are paid for"
                    .to_owned(),
            ),
            Known::Forbidden => {
                condition.notes.push(lacks("whether unfinished uploads are removed", "s3:GetLifecycleConfiguration"));
            }
            Known::Unasked => condition.notes.push(unsaid("whether unfinished uploads are removed")),
        }
        if access.account.endpoint.as_deref().is_some_and(is_in_the_clear) {
            condition.notes.push("the endpoint is reached without TLS: who listens sees names and sizes".to_owned());
        }
        Ok(condition)
    }

    async fn first_page(&self) -> Result<ListObjectsV2Output, Problem> {
        // Two, because a folder made by a web console is an object of its own.
        let page = self.call(|access| {
            access.client.list_objects_v2().bucket(&self.bucket).prefix(&self.prefix).max_keys(2).send()
        });
        let mut page = page.await?;
        if let Some(contents) = &mut page.contents {
            contents.retain(|object| object.key() != Some(&self.prefix) || self.prefix.is_empty());
        }
        Ok(page)
    }

    async fn exposure(&self, access: &Access, sample: Option<&str>) -> Exposure {
        let (block, policy, grants, stranger) = futures_util::join!(
            self.block(),
            self.policy_is_public(),
            self.grants_are_public(),
            self.stranger_gets_in(access, sample)
        );
        judge(&Answers { block, policy, grants, stranger })
    }

    async fn block(&self) -> Known<Block> {
        let answer = self.call(|access| access.client.get_public_access_block().bucket(&self.bucket).send()).await;
        match answer {
            Ok(answer) => {
                let block = answer.public_access_block_configuration();
                let on = |flag: Option<bool>| flag == Some(true);
                Known::Is(block.map_or(Block::default(), |block| Block {
                    whole: on(block.block_public_acls)
                        && on(block.ignore_public_acls)
                        && on(block.block_public_policy)
                        && on(block.restrict_public_buckets),
                    ignores_grants: on(block.ignore_public_acls),
                    restricts_policy: on(block.restrict_public_buckets),
                }))
            }
            Err(problem) => absent(&problem, &["NoSuchPublicAccessBlockConfiguration"], Block::default()),
        }
    }

    async fn policy_is_public(&self) -> Known<bool> {
        let answer = self.call(|access| access.client.get_bucket_policy_status().bucket(&self.bucket).send()).await;
        match answer {
            Ok(answer) => {
                answer.policy_status().and_then(|status| status.is_public()).map_or(Known::Unasked, Known::Is)
            }
            Err(problem) => absent(&problem, &["NoSuchBucketPolicy"], false),
        }
    }

    async fn grants_are_public(&self) -> Known<bool> {
        let answer = self.call(|access| access.client.get_bucket_acl().bucket(&self.bucket).send()).await;
        match answer {
            Ok(answer) => Known::Is(answer.grants().iter().any(|grant| {
                let everybody =
                    grant.grantee().and_then(|grantee| grantee.uri()).is_some_and(|uri| EVERYBODY.contains(&uri));
                everybody && grant.permission().is_some_and(|permission| *permission != Permission::ReadAcp)
            })),
            Err(problem) => absent(&problem, &["AccessControlListNotSupported"], false),
        }
    }

    /// Tries without credentials: to list, and to see an object that is known to be there. Not on this very machine, where
    /// no stranger comes.
    async fn stranger_gets_in(&self, access: &Access, sample: Option<&str>) -> Known<bool> {
        let account = &access.account;
        if !account.is_amazon && account.endpoint.as_deref().is_some_and(is_here) {
            return Known::Unasked;
        }
        let stranger = self.stranger(&access.account);
        let list = stranger.list_objects_v2().bucket(&self.bucket).prefix(&self.prefix).max_keys(1).send().await;
        let listed = reached(list.map(drop).map_err(|error| Refusal::of(&error)));
        if listed == Known::Is(true) {
            return listed;
        }
        let Some(key) = sample else { return listed };
        let head = stranger.head_object().bucket(&self.bucket).key(key).send().await;
        reached(head.map(drop).map_err(|error| Refusal::of(&error)))
    }

    /// Whether Object Lock is on, and the default of new objects.
    async fn locks(&self) -> Known<Option<String>> {
        let answer =
            self.call(|access| access.client.get_object_lock_configuration().bucket(&self.bucket).send()).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(problem) => return absent(&problem, &["ObjectLockConfigurationNotFoundError"], None),
        };
        let Some(lock) = answer.object_lock_configuration().filter(|lock| lock.object_lock_enabled().is_some()) else {
            return Known::Is(None);
        };
        let retention = lock.rule().and_then(|rule| rule.default_retention());
        Known::Is(Some(retention.map_or_else(
            || "no default".to_owned(),
            |retention| {
                let mode = retention.mode().map_or("locked", |mode| mode.as_str()).to_lowercase();
                match (retention.days(), retention.years()) {
                    (Some(days), _) => format!("{mode} for {days} days"),
                    (None, Some(years)) => format!("{mode} for {years} years"),
                    (None, None) => mode,
                }
            },
        )))
    }

    fn say_locks(&self, locks: Known<Option<String>>, condition: &mut Condition) -> Result<(), Trouble> {
        let wanted = self.options.object_lock.is_some();
        match locks {
            Known::Is(Some(default)) => condition.notes.push(format!("Object Lock is on ({default})")),
            Known::Is(None) if wanted => {
                return Err(Trouble::new(
                    Reason::Configuration,
                    format!("`object_lock` is configured, and the bucket `{}` has no Object Lock", self.bucket),
                    "turn Object Lock on for the bucket, or remove `object_lock`",
                ));
            }
            Known::Is(None) => {
                condition
                    .notes
                    .push("Object Lock is off: stolen administrator's credentials can delete archives".to_owned());
            }
            Known::Forbidden => {
                condition.notes.push(lacks("whether Object Lock is on", "s3:GetBucketObjectLockConfiguration"))
            }
            Known::Unasked => condition.notes.push(unsaid("whether Object Lock is on")),
        }
        Ok(())
    }

    async fn versions(&self) -> Known<bool> {
        let answer = self.call(|access| access.client.get_bucket_versioning().bucket(&self.bucket).send()).await;
        match answer {
            Ok(answer) => Known::Is(answer.status() == Some(&BucketVersioningStatus::Enabled)),
            Err(problem) => absent(&problem, &[], false),
        }
    }

    /// Whether a rule removes unfinished uploads under our prefix.
    async fn lifecycle(&self) -> Known<bool> {
        let answer =
            self.call(|access| access.client.get_bucket_lifecycle_configuration().bucket(&self.bucket).send()).await;
        match answer {
            Ok(answer) => Known::Is(answer.rules().iter().any(|rule| aborts(rule, &self.prefix))),
            Err(problem) => absent(&problem, &["NoSuchLifecycleConfiguration"], false),
        }
    }
}

/// Whether a rule removes unfinished uploads under this prefix. One that is filtered by tags or sizes cannot: unfinished
/// uploads have neither.
fn aborts(rule: &LifecycleRule, prefix: &str) -> bool {
    let narrowed = rule.filter().is_some_and(|filter| {
        filter.and().is_some()
            || filter.tag().is_some()
            || filter.object_size_greater_than().is_some()
            || filter.object_size_less_than().is_some()
    });
    #[expect(deprecated, reason = "old buckets still have rules of this form")]
    let old = rule.prefix();
    let filter = rule.filter().and_then(|filter| filter.prefix());
    rule.status() == &ExpirationStatus::Enabled
        && !narrowed
        && rule.abort_incomplete_multipart_upload().is_some()
        && prefix.starts_with(old.or(filter).unwrap_or_default())
}

/// What an error says about a thing that may simply not be there. These codes mean that it is not.
fn absent<T>(problem: &Problem, codes: &[&str], nothing: T) -> Known<T> {
    match problem {
        Problem::Refused(refusal) if codes.iter().any(|code| refusal.is(code)) => Known::Is(nothing),
        Problem::Refused(refusal) if refusal.is_forbidden() => Known::Forbidden,
        // A store that does not know the call, one that does not answer it, or one that answers something else.
        Problem::Refused(_) | Problem::Trouble(_) => Known::Unasked,
    }
}

/// Whether a stranger's call came through.
fn reached(answer: Result<(), Refusal>) -> Known<bool> {
    match answer {
        Ok(()) => Known::Is(true),
        Err(refusal) if refusal.is_forbidden() || refusal.status == Some(401) => Known::Is(false),
        Err(_) => Known::Unasked,
    }
}

fn lacks(what: &str, permission: &str) -> String {
    format!("unknown {what}: the credentials lack {permission}")
}

fn unsaid(what: &str) -> String {
    format!("unknown {what}: the store does not say")
}

/// Whether an address goes over a network without TLS.
fn is_in_the_clear(endpoint: &str) -> bool {
    endpoint.starts_with("http:") && !is_here(endpoint)
}

/// Whether an address is this machine's own.
fn is_here(endpoint: &str) -> bool {
    match Url::parse(endpoint).ok().as_ref().and_then(Url::host) {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{AbortIncompleteMultipartUpload, LifecycleRuleAndOperator, LifecycleRuleFilter, Tag};

    use super::*;

    #[test]
    fn only_this_machine_needs_no_tls() {
        assert!(is_in_the_clear("http://minio.example:9000/"));
        assert!(!is_in_the_clear("https://minio.example/"));
        for here in ["http://127.0.0.1:5000", "http://[::1]:5000", "http://localhost/"] {
            assert!(is_here(here) && !is_in_the_clear(here), "{here}");
        }
    }

    #[test]
    fn a_rule_must_cover_the_prefix_and_be_on() {
        let rule = |status, filter: LifecycleRuleFilter| {
            let abort = AbortIncompleteMultipartUpload::builder().days_after_initiation(2).build();
            let rule = LifecycleRule::builder().status(status).filter(filter).abort_incomplete_multipart_upload(abort);
            rule.build().unwrap()
        };
        let prefix = |prefix: &str| LifecycleRuleFilter::builder().prefix(prefix).build();
        assert!(aborts(&rule(ExpirationStatus::Enabled, prefix("")), "app/"));
        assert!(aborts(&rule(ExpirationStatus::Enabled, prefix("app/")), "app/"));
        assert!(!aborts(&rule(ExpirationStatus::Enabled, prefix("other/")), "app/"));
        assert!(!aborts(&rule(ExpirationStatus::Disabled, prefix("")), "app/"));
        let tag = Tag::builder().key("k").value("v").build().unwrap();
        let tagged = LifecycleRuleFilter::builder().tag(tag).build();
        assert!(!aborts(&rule(ExpirationStatus::Enabled, tagged), "app/"), "unfinished uploads have no tags");
        let both = LifecycleRuleAndOperator::builder().prefix("app/").build();
        assert!(!aborts(&rule(ExpirationStatus::Enabled, LifecycleRuleFilter::builder().and(both).build()), "app/"));
    }
}
