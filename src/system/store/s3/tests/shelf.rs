use std::io::Read;

use super::*;
use crate::system::store::{Destination, Reading, Reason, Shelf, Trouble};

async fn all(reading: Reading) -> (std::io::Result<Vec<u8>>, Result<(), Trouble>) {
    let Reading { mut reader, done } = reading;
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map(|_| bytes)
    });
    (read.await.unwrap(), done.await)
}

fn page(objects: &[(&str, u64)], rest: &str) -> Reply {
    let objects: String = objects
        .iter()
        .map(|(key, size)| {
            format!(
                "<Contents><Key>{key}</Key><Size>{size}</Size><LastModified>2026-11-23T18:15:01.000Z</LastModified></Contents>"
            )
        })
        .collect();
    Reply::xml(format!("<ListBucketResult>{objects}{rest}</ListBucketResult>"))
}

const MORE: &str = "<IsTruncated>true</IsTruncated><NextContinuationToken>next</NextContinuationToken>";

#[tokio::test]
async fn every_page_is_listed_without_the_prefix() {
    let server = Server::start(|asked, _| {
        if asked.path.contains("continuation-token=next") {
            page(&[("app/b%20c", 3)], "<IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>")
        } else {
            page(&[("app/", 0), ("app/.mainstay-probe", 9), ("app/a", 2)], MORE)
        }
    })
    .await;
    let objects = store(&server).list().await.unwrap();
    let names: Vec<_> = objects.iter().map(|object| (object.name.as_str(), object.bytes)).collect();
    assert_eq!(names, [("a", 2), ("b c", 3)]);
    assert_eq!(objects[0].modified, Some("2026-11-23T18:15:01Z".parse().unwrap()));
    assert!(server.first("GET list").path.contains("prefix=app%2F"), "{:?}", server.asked()[0].path);
}

#[tokio::test]
async fn backup_case_18_a_page_that_fails_fails_the_listing() {
    let server = Server::start(|asked, _| {
        if asked.path.contains("continuation-token=next") {
            Reply::no(403, "AccessDenied", "Access Denied")
        } else {
            page(&[("app/a", 2)], MORE)
        }
    })
    .await;
    let trouble = store(&server).list().await.unwrap_err();
    assert_eq!(trouble.reason, Reason::Permission);
    assert!(trouble.why.contains("s3:ListBucket"), "{trouble}");
    // One that says that it goes on and not where, and one that goes round in a circle.
    for rest in ["<IsTruncated>true</IsTruncated>", MORE] {
        let server = Server::start(move |_, _| page(&[("app/a", 2)], rest)).await;
        assert!(store(&server).list().await.unwrap_err().why.contains("broke the listing off"));
    }
}

#[tokio::test]
async fn backup_case_44_locks_are_read_and_what_is_locked_is_not_hidden() {
    let server = Server::start(|asked, _| match asked.call().as_str() {
        "HEAD" => Reply::with(&[
            ("content-length", "2"),
            ("x-amz-object-lock-mode", "GOVERNANCE"),
            ("x-amz-object-lock-retain-until-date", "2026-12-23T18:15:00Z"),
        ]),
        "GET list" => page(&[("app/a", 2)], "<IsTruncated>false</IsTruncated>"),
        _ => willing(asked),
    })
    .await;
    let mut destination = store(&server);
    assert_eq!(destination.list().await.unwrap()[0].retained_until, None, "not asked for");
    destination.options.object_lock = Some(Duration::from_secs(3600));
    let until = "2026-12-23T18:15:00Z".parse().unwrap();
    assert_eq!(destination.list().await.unwrap()[0].retained_until, Some(until));
    let trouble = destination.remove("a").await.unwrap_err();
    assert_eq!(trouble.reason, Reason::Retained);
    assert!(trouble.why.contains("2026-12-23"), "{trouble}");
    assert!(!server.calls().contains(&"DELETE".to_owned()), "a delete would have made a marker over it");
}

#[tokio::test]
async fn removing_what_is_gone_is_no_error() {
    let server = Server::start(|asked, _| willing(asked)).await;
    store(&server).remove("a").await.unwrap();
}

#[tokio::test]
async fn a_connection_that_breaks_is_taken_up_where_it_broke() {
    let server = Server::start(|asked, _| match asked.header("range") {
        None => Reply::Half(vec![("etag", "\"e\"".to_owned())], "abc".to_owned(), 9),
        Some("bytes=3-") => Reply::Half(vec![("content-range", "bytes 3-8/9".to_owned())], "def".to_owned(), 6),
        Some(_) => Reply::Say(206, vec![("content-range", "bytes 6-8/9".to_owned())], "ghi".to_owned()),
    })
    .await;
    let (read, done) = all(store(&server).open("a").await.unwrap()).await;
    assert_eq!((read.unwrap().as_slice(), done), (&b"abcdefghi"[..], Ok(())));
    assert_eq!(server.asked()[1].header("if-match"), Some("\"e\""), "of the same object");
}

#[tokio::test]
async fn a_connection_that_stays_broken_is_no_end() {
    let server = Server::start(|asked, _| match asked.header("range") {
        None => Reply::Half(vec![("etag", "\"e\"".to_owned())], "abc".to_owned(), 9),
        // A store that sends it from the start.
        Some(_) => Reply::Say(200, Vec::new(), "abcdefghi".to_owned()),
    })
    .await;
    let (read, done) = all(store(&server).open("a").await.unwrap()).await;
    assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    assert_eq!(done.unwrap_err().reason, Reason::Unreachable);
    let server = Server::start(|_, _| Reply::no(404, "NoSuchKey", "The specified key does not exist.")).await;
    assert_eq!(store(&server).open("a").await.err().unwrap().reason, Reason::Missing);
}

/// What a private bucket of Amazon's says.
fn bucket(asked: &Asked) -> Reply {
    let signed = asked.headers.contains_key("authorization");
    match asked.call().as_str() {
        _ if !signed => Reply::no(403, "AccessDenied", "Access Denied"),
        "GET list" => page(&[], "<IsTruncated>false</IsTruncated>"),
        "GET publicAccessBlock" => Reply::xml(
            "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls>\
             <BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets>\
             </PublicAccessBlockConfiguration>",
        ),
        "GET policyStatus" => Reply::no(404, "NoSuchBucketPolicy", "The bucket policy does not exist"),
        "GET acl" => Reply::xml("<AccessControlPolicy><AccessControlList></AccessControlList></AccessControlPolicy>"),
        "GET versioning" => Reply::xml("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"),
        "GET object-lock" => {
            Reply::no(404, "ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist")
        }
        "GET lifecycle" => Reply::xml(
            "<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter><Prefix></Prefix></Filter>\
             <AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation></AbortIncompleteMultipartUpload>\
             </Rule></LifecycleConfiguration>",
        ),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_private_bucket_is_fine_and_what_it_lacks_is_said() {
    let server = Server::start(|asked, _| bucket(asked)).await;
    let condition = amazon(&server).inspect().await.unwrap();
    assert!(condition.is_new);
    assert_eq!(condition.notes.len(), 2, "{:?}", condition.notes);
    assert!(condition.notes[0].starts_with("Object Lock is off"), "{:?}", condition.notes);
    assert!(condition.notes[1].starts_with("versions are kept"), "{:?}", condition.notes);
    let mut locked = amazon(&server);
    locked.options.object_lock = Some(Duration::from_secs(3600));
    assert_eq!(locked.inspect().await.unwrap_err().reason, Reason::Configuration);
}

#[tokio::test]
async fn a_public_bucket_is_refused() {
    // By its policy, by its grants, and by what a stranger can do.
    for by in ["policy", "acl", "stranger"] {
        let server = Server::start(move |asked, _| match (asked.call().as_str(), by) {
            ("GET publicAccessBlock", "policy" | "acl") => {
                Reply::no(404, "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found")
            }
            ("GET policyStatus", "policy") => Reply::xml("<PolicyStatus><IsPublic>true</IsPublic></PolicyStatus>"),
            ("GET acl", "acl") => Reply::xml(
                "<AccessControlPolicy><AccessControlList><Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
                 xsi:type=\"Group\"><URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee>\
                 <Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>",
            ),
            ("GET list", "stranger") => page(&[("app/a", 1)], "<IsTruncated>false</IsTruncated>"),
            _ => bucket(asked),
        })
        .await;
        let trouble = amazon(&server).inspect().await.unwrap_err();
        assert_eq!(trouble.reason, Reason::Public, "{by}: {trouble}");
        assert!(trouble.fix.contains("put-public-access-block --bucket bucket"), "{}", trouble.fix);
    }
}

#[tokio::test]
async fn credentials_that_may_only_write_get_notes_of_what_is_unknown() {
    let server = Server::start(|_, _| Reply::no(403, "AccessDenied", "Access Denied")).await;
    let condition = amazon(&server).inspect().await.unwrap();
    assert!(!condition.is_new, "what cannot be listed is not called new");
    let notes = condition.notes.join("\n");
    for permission in [
        "s3:ListBucket",
        "s3:GetBucketPublicAccessBlock, s3:GetBucketPolicyStatus, s3:GetBucketAcl",
        "s3:GetBucketObjectLockConfiguration",
        "s3:GetBucketVersioning",
        "s3:GetLifecycleConfiguration",
    ] {
        assert!(notes.contains(permission), "{notes}");
    }
    assert_eq!(condition.notes.len(), 5, "{notes}");
}

#[tokio::test]
async fn a_store_that_knows_none_of_the_questions_is_not_called_private() {
    let server = Server::start(|asked, _| match asked.call().as_str() {
        "GET list" if asked.headers.contains_key("authorization") => {
            page(&[("app/a", 1)], "<IsTruncated>false</IsTruncated>")
        }
        "GET list" | "HEAD" => Reply::no(403, "AccessDenied", "Access Denied"),
        _ => Reply::no(501, "NotImplemented", "A header you provided implies functionality that is not implemented"),
    })
    .await;
    let condition = store(&server).inspect().await.unwrap();
    assert!(!condition.is_new);
    assert!(condition.notes[0].starts_with("unknown whether the bucket is public"), "{:?}", condition.notes);
}
