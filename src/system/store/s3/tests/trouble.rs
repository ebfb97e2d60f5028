use super::*;
use crate::system::store::{
    Destination, Reason, Shelf,
    s3::{Proof, Verdict},
};

#[tokio::test]
async fn backup_case_40_what_cannot_get_better_is_said_at_once() {
    // Status, code, message, and what comes of it: reason, words of why, words of fix.
    let cases = [
        (
            403,
            "InvalidAccessKeyId",
            "The Id does not exist.",
            Reason::Credentials,
            "does not know the access key",
            "check",
        ),
        (403, "SignatureDoesNotMatch", "", Reason::Credentials, "secret key does not belong", "set the secret key"),
        (400, "InvalidToken", "", Reason::Credentials, "session token", "temporary credentials"),
        (403, "RequestTimeTooSkewed", "", Reason::Clock, "the clock of this machine", "set the clock"),
        (404, "NoSuchBucket", "", Reason::Configuration, "there is no bucket `bucket`", "--print-policy"),
        (301, "PermanentRedirect", "", Reason::Configuration, "not in this region", "`region`"),
        (
            400,
            "AuthorizationHeaderMalformed",
            "the region 'us-east-1' is wrong; expecting 'eu-west-1'",
            Reason::Configuration,
            "is in the region eu-west-1",
            "region = \"eu-west-1\"",
        ),
        (
            403,
            "AccessDenied",
            "Access Denied",
            Reason::Permission,
            "lack s3:PutObject on `s3://bucket/app`",
            "allow s3:PutObject",
        ),
        (
            403,
            "AccessDenied",
            "User: arn:aws:iam::1:user/b is not authorized to perform: kms:GenerateDataKey on resource: k",
            Reason::Permission,
            "lack kms:GenerateDataKey",
            "allow kms:GenerateDataKey",
        ),
        (400, "KMS.DisabledException", "key is disabled", Reason::Configuration, "KMS key cannot be used", "`kms_key`"),
        (
            400,
            "InvalidStorageClass",
            "The storage class is not valid",
            Reason::Configuration,
            "InvalidStorageClass",
            "`s3`",
        ),
        (400, "EntityTooLarge", "", Reason::Full, "EntityTooLarge", "room"),
        (400, "BadDigest", "", Reason::Damaged, "other bytes", "again"),
    ];
    for (status, code, message, reason, why, fix) in cases {
        let server = Server::start(move |_, _| Reply::no(status, code, message)).await;
        let trouble = amazon(&server).put("a.json", little("{}")).await.unwrap_err();
        assert_eq!(trouble.reason, reason, "{code}: {trouble}");
        assert!(trouble.why.contains(why), "{code}: {trouble}");
        assert!(trouble.fix.contains(fix), "{code}: {}", trouble.fix);
        assert_eq!(server.calls(), ["PUT"], "{code} was tried again");
    }
}

#[tokio::test]
async fn backup_case_40_the_region_in_the_header_is_named() {
    let server =
        Server::start(|_, _| Reply::Say(301, vec![("x-amz-bucket-region", "eu-central-1".to_owned())], String::new()))
            .await;
    let trouble = amazon(&server).list().await.unwrap_err();
    assert!(trouble.why.contains("is in the region eu-central-1"), "{trouble}");
}

#[tokio::test]
async fn backup_case_40_expired_credentials_are_fetched_again_once() {
    let server = Server::start(|_, before| match before {
        0 => Reply::no(400, "ExpiredToken", "The provided token has expired."),
        _ => Reply::ok(),
    })
    .await;
    amazon(&server).put("a.json", little("{}")).await.unwrap();
    let server = Server::start(|_, _| Reply::no(400, "ExpiredToken", "The provided token has expired.")).await;
    let trouble = amazon(&server).put("a.json", little("{}")).await.unwrap_err();
    assert_eq!((trouble.reason, server.calls().len()), (Reason::Credentials, 2));
}

#[tokio::test]
async fn backup_case_40_no_credentials_and_no_region_are_told_apart() {
    let server = Server::start(|_, _| Reply::ok()).await;
    let context = context_with(&[("AWS_EC2_METADATA_DISABLED", "true")]);
    let trouble = S3::new("bucket", "", &options(server.address), &context).list().await.unwrap_err();
    assert_eq!(trouble.reason, Reason::Credentials, "{trouble}");
    assert!(trouble.fix.contains("AWS_PROFILE"), "{}", trouble.fix);
    assert!(server.asked().is_empty());
    let trouble = S3::new("bucket", "", &Options::default(), &context).list().await.unwrap_err();
    assert!(trouble.why.contains("no region"), "{trouble}");
}

#[tokio::test]
async fn a_store_that_is_not_there_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let trouble = S3::new("bucket", "", &options(address), &context()).at(pace()).list().await.unwrap_err();
    assert_eq!(trouble.reason, Reason::Unreachable);
    assert!(trouble.why.contains("refused"), "{trouble}");
}

#[tokio::test]
async fn a_probe_tells_what_the_credentials_can_do() {
    let server = Server::start(|asked, before| match asked.call().as_str() {
        "PUT" if before == 0 => Reply::no(412, "PreconditionFailed", "there from an earlier probe"),
        "PUT" | "DELETE" => Reply::no(403, "AccessDenied", "Access Denied"),
        _ => willing(asked),
    })
    .await;
    let proof = amazon(&server).probe().await.unwrap();
    let denied = Verdict::Cannot("AccessDenied: Access Denied".to_owned());
    let expected = Proof {
        delete: denied.clone(),
        overwrite: denied,
        read: Verdict::Can,
        parts: Verdict::Can,
        abort: Verdict::Can,
    };
    assert_eq!(proof, expected);
    let server = Server::start(|asked, _| match asked.call().as_str() {
        "PUT part 1" => Reply::no(403, "AccessDenied", "not authorized to perform: kms:Decrypt on resource: k"),
        _ => willing(asked),
    })
    .await;
    let proof = amazon(&server).probe().await.unwrap();
    assert_eq!((proof.delete, proof.overwrite), (Verdict::Can, Verdict::Can));
    assert!(matches!(proof.parts, Verdict::Cannot(why) if why.contains("kms:Decrypt")));
}
