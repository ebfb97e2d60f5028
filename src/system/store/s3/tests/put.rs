use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use super::*;
use crate::system::store::{Destination, Reason, Receipt};

const MIB: usize = 1024 * 1024;

fn count(server: &Server, call: &str) -> usize {
    server.calls().iter().filter(|made| *made == call).count()
}

#[tokio::test]
async fn backup_case_38_a_part_is_sent_again_when_the_store_is_busy() {
    let tries = AtomicUsize::new(0);
    let server = Server::start(move |asked, _| match asked.call().as_str() {
        "PUT part 1" => match tries.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::no(503, "SlowDown", "Please reduce your request rate."),
            1 => Reply::no(500, "InternalError", "We encountered an internal error. Please try again."),
            _ => Reply::with(&[("etag", "\"1\"")]),
        },
        _ => willing(asked),
    })
    .await;
    store(&server).put(ARCHIVE, spool(8 * MIB + 5)).await.unwrap();
    let parts: Vec<Asked> = server.asked().into_iter().filter(|asked| asked.call() == "PUT part 1").collect();
    assert_eq!(parts.len(), 3, "{:?}", server.calls());
    assert!(parts.iter().all(|part| part.body.len() == 8 * MIB && part.body == parts[0].body));
    assert_eq!(server.first("PUT part 2").body.len(), 5);
    let end = String::from_utf8(server.first("POST upload").body).unwrap();
    assert!(end.contains("<PartNumber>1</PartNumber>") && end.contains("<PartNumber>2</PartNumber>"), "{end}");
}

#[tokio::test]
async fn backup_case_38_a_store_that_hangs_is_asked_again() {
    let server = Server::start(|asked, before| match asked.call().as_str() {
        "PUT" if before == 1 => Reply::Hang,
        _ => willing(asked),
    })
    .await;
    store(&server).at(impatient()).put("a.json", little("{}")).await.unwrap();
    assert!(count(&server, "PUT") >= 2, "{:?}", server.calls());
}

#[tokio::test]
async fn backup_case_38_a_store_that_stays_busy_is_given_up() {
    let server = Server::start(|asked, _| match asked.call().as_str() {
        "PUT" => Reply::no(503, "SlowDown", "Please reduce your request rate."),
        _ => willing(asked),
    })
    .await;
    let trouble = store(&server).put("a.json", little("{}")).await.unwrap_err();
    assert_eq!(trouble.reason, Reason::Unreachable);
    assert!(trouble.why.contains("SlowDown: Please reduce your request rate"), "{trouble}");
    assert_eq!(count(&server, "PUT"), 5, "each try once");
}

/// A store whose first PUT is done and gets no answer.
async fn forgetful(ours: bool) -> Server {
    let number = Mutex::new(None::<String>);
    Server::start(move |asked, _| {
        let mut number = number.lock().unwrap();
        match (asked.call().as_str(), &*number) {
            ("PUT", None) => {
                *number = asked.header("x-amz-meta-mainstay-upload").map(str::to_owned);
                Reply::Hang
            }
            ("PUT", Some(_)) => Reply::no(412, "PreconditionFailed", "At least one of the pre-conditions failed"),
            ("HEAD", Some(number)) => Reply::with(&[
                ("content-length", "2"),
                ("x-amz-meta-mainstay-upload", if ours { number } else { "0123" }),
                // The MD5 of `{}`.
                ("etag", "\"99914b932bd37a50b983c5e7c90ae93b\""),
            ]),
            _ => willing(asked),
        }
    })
    .await
}

#[tokio::test]
async fn backup_case_39_an_object_that_a_try_without_answer_stored_is_ours() {
    let server = forgetful(true).await;
    let receipt = store(&server).at(impatient()).put("a.json", little("{}")).await.unwrap();
    assert_eq!(receipt, Receipt { checksum: true });
}

#[tokio::test]
async fn backup_case_39_an_object_of_somebody_elses_is_a_collision() {
    let server = forgetful(false).await;
    let trouble = store(&server).at(impatient()).put("a.json", little("{}")).await.unwrap_err();
    assert_eq!(trouble.reason, Reason::Collision);
}

#[tokio::test]
async fn backup_case_39_our_number_over_other_bytes_is_damage_and_not_success() {
    let number = Mutex::new(String::new());
    let server = Server::start(move |asked, _| match asked.call().as_str() {
        "PUT" => {
            *number.lock().unwrap() = asked.header("x-amz-meta-mainstay-upload").unwrap().to_owned();
            Reply::no(412, "PreconditionFailed", "")
        }
        "HEAD" => Reply::with(&[
            ("content-length", "2"),
            ("x-amz-meta-mainstay-upload", &number.lock().unwrap()),
            ("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="),
        ]),
        _ => willing(asked),
    })
    .await;
    assert_eq!(amazon(&server).put("a.json", little("{}")).await.unwrap_err().reason, Reason::Damaged);
}

#[tokio::test]
async fn backup_case_39_a_conflict_is_tried_again() {
    let server = Server::start(|asked, before| match asked.call().as_str() {
        "PUT" if before == 0 => Reply::no(409, "ConditionalRequestConflict", "Conflicting operation."),
        _ => willing(asked),
    })
    .await;
    amazon(&server).put("a.json", little("{}")).await.unwrap();
    assert_eq!(server.calls(), ["PUT", "PUT"]);
}

#[tokio::test]
async fn backup_case_39_an_upload_in_parts_begins_anew_after_a_conflict_at_its_end() {
    let ends = AtomicUsize::new(0);
    let server = Server::start(move |asked, _| match asked.call().as_str() {
        "POST upload" if ends.fetch_add(1, Ordering::SeqCst) == 0 => {
            Reply::no(409, "ConditionalRequestConflict", "Conflicting operation.")
        }
        _ => willing(asked),
    })
    .await;
    amazon(&server).put(ARCHIVE, spool(8 * MIB + 1)).await.unwrap();
    assert_eq!((count(&server, "POST uploads"), count(&server, "DELETE upload")), (2, 1), "{:?}", server.calls());
}

#[tokio::test]
async fn backup_case_39_the_end_of_an_upload_without_an_answer_is_looked_at() {
    // The end is done, its answer lost, and the upload not known when it is asked for again.
    let number = Mutex::new(String::new());
    let server = Server::start(move |asked, _| match asked.call().as_str() {
        "POST uploads" => {
            *number.lock().unwrap() = asked.header("x-amz-meta-mainstay-upload").unwrap().to_owned();
            willing(asked)
        }
        "POST upload" => Reply::no(404, "NoSuchUpload", "The specified upload does not exist."),
        "HEAD" => {
            Reply::with(&[("content-length", "8388609"), ("x-amz-meta-mainstay-upload", &number.lock().unwrap())])
        }
        _ => willing(asked),
    })
    .await;
    assert_eq!(amazon(&server).put(ARCHIVE, spool(8 * MIB + 1)).await, Ok(Receipt { checksum: false }));
    assert_eq!(count(&server, "DELETE upload"), 0, "what has become an object is not aborted");
}

#[tokio::test]
async fn backup_case_41_an_upload_that_a_twin_cleaned_up_begins_anew() {
    for gone in ["PUT part 2", "POST upload"] {
        let tries = AtomicUsize::new(0);
        let server = Server::start(move |asked, _| {
            if asked.call() == gone && tries.fetch_add(1, Ordering::SeqCst) == 0 {
                Reply::no(404, "NoSuchUpload", "The specified upload does not exist.")
            } else {
                willing(asked)
            }
        })
        .await;
        amazon(&server).put(ARCHIVE, spool(8 * MIB + 1)).await.unwrap();
        assert_eq!(count(&server, "POST uploads"), 2, "{gone}: {:?}", server.calls());
    }
}

#[tokio::test]
async fn backup_case_41_an_upload_that_fails_is_aborted_and_what_that_needs_is_said() {
    for abort in [204, 403] {
        let server = Server::start(move |asked, _| match asked.call().as_str() {
            "PUT part 2" => Reply::no(403, "AccessDenied", "Access Denied"),
            "DELETE upload" if abort == 403 => Reply::no(403, "AccessDenied", "Access Denied"),
            _ => willing(asked),
        })
        .await;
        let trouble = store(&server).put(ARCHIVE, spool(8 * MIB + 1)).await.unwrap_err();
        assert_eq!(trouble.reason, Reason::Permission);
        assert_eq!(count(&server, "DELETE upload"), 1);
        assert_eq!(trouble.why.contains("s3:AbortMultipartUpload"), abort == 403, "{trouble}");
    }
}

#[tokio::test]
async fn backup_case_41_a_signal_and_a_dropped_future_abort_the_upload() {
    for dropped in [false, true] {
        let server = Server::start(|asked, _| match asked.call().as_str() {
            "PUT part 2" => Reply::Hang,
            _ => willing(asked),
        })
        .await;
        let destination = store(&server);
        let cancel = destination.context.cancel.clone();
        let hanging = async {
            while count(&server, "PUT part 2") == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let put = destination.put(ARCHIVE, spool(8 * MIB + 1));
        if dropped {
            tokio::select! {
                result = put => panic!("{result:?}"),
                () = hanging => {}
            }
        } else {
            let raise = async {
                hanging.await;
                cancel.raise(15);
            };
            let (result, ()) = futures_util::join!(put, raise);
            assert!(result.unwrap_err().why.contains("interrupted"));
        }
        while count(&server, "DELETE upload") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn backup_case_41_tidy_aborts_the_unfinished_uploads_of_its_own_set() {
    let server = Server::start(|asked, _| match asked.call().as_str() {
        "GET uploads" if asked.path.contains("key-marker=") => Reply::xml(format!(
            "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>\
             <Upload><Key>app/{ARCHIVE}</Key><UploadId>u2</UploadId></Upload></ListMultipartUploadsResult>"
        )),
        "GET uploads" => Reply::xml(format!(
            "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>\
             <NextUploadIdMarker>u</NextUploadIdMarker>\
             <Upload><Key>app/{ARCHIVE}</Key><UploadId>u1</UploadId></Upload>\
             <Upload><Key>app/prime-app-dump.bin</Key><UploadId>u3</UploadId></Upload>\
             <Upload><Key>app/prime-app-b-20261123T181500Z-000042.tar.gz.age</Key><UploadId>u4</UploadId></Upload>\
             </ListMultipartUploadsResult>"
        )),
        _ => willing(asked),
    })
    .await;
    let gone = store(&server).tidy().await.unwrap();
    assert_eq!(gone.len(), 2, "{gone:?}");
    let aborted: Vec<String> =
        server.asked().into_iter().filter(|asked| asked.method == "DELETE").map(|asked| asked.path).collect();
    assert!(aborted[0].contains("uploadId=u1") && aborted[1].contains("uploadId=u2"), "{aborted:?}");
    let nobodys = S3 { set: String::new(), ..store(&server) };
    assert_eq!(nobodys.tidy().await, Ok(vec![]), "without a set nothing is ours");
}

#[tokio::test]
async fn backup_case_42_amazon_gets_a_checksum_over_the_whole_object() {
    let Body::Spool { file, .. } = spool(8 * MIB + 9) else { unreachable!() };
    let mut content = vec![0; 8 * MIB + 9];
    std::os::unix::fs::FileExt::read_exact_at(&*file, &mut content, 0).unwrap();
    let sums = super::super::checksum::Sums::of(&content);
    let crc = super::super::checksum::Whole::of_one(&sums).crc64nvme();
    let answer = crc.clone();
    let server = Server::start(move |asked, _| match asked.call().as_str() {
        "POST upload" => Reply::xml(format!(
            "<CompleteMultipartUploadResult><ETag>\"x-2\"</ETag><ChecksumCRC64NVME>{answer}</ChecksumCRC64NVME>\
             </CompleteMultipartUploadResult>"
        )),
        _ => willing(asked),
    })
    .await;
    assert_eq!(amazon(&server).put(ARCHIVE, spool(8 * MIB + 9)).await, Ok(Receipt { checksum: true }));
    let begin = server.first("POST uploads");
    assert_eq!(begin.header("x-amz-checksum-algorithm"), Some("CRC64NVME"));
    assert_eq!(begin.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
    assert!(server.first("PUT part 1").header("x-amz-checksum-crc64nvme").is_some());
    let end = server.first("POST upload");
    assert_eq!(end.header("x-amz-checksum-crc64nvme"), Some(crc.as_str()));
    assert_eq!(end.header("x-amz-mp-object-size"), Some("8388617"));
}

#[tokio::test]
async fn backup_case_42_other_stores_get_content_md5_and_no_checksum_that_they_might_refuse() {
    let server = Server::start(|asked, _| willing(asked)).await;
    assert_eq!(store(&server).put(ARCHIVE, spool(8 * MIB + 1)).await, Ok(Receipt { checksum: false }));
    store(&server).put("a.json", little("{}")).await.unwrap();
    for asked in server.asked() {
        let strange: Vec<_> = asked
            .headers
            .keys()
            .filter(|name| {
                name.starts_with("x-amz-checksum") || name.starts_with("x-amz-sdk-checksum") || *name == "x-amz-trailer"
            })
            .collect();
        assert!(strange.is_empty(), "{strange:?}");
        if asked.call() == "PUT" || asked.call().starts_with("PUT part") {
            assert!(asked.header("content-md5").is_some(), "{asked:?}");
        }
    }
}

#[tokio::test]
async fn backup_case_43_nothing_is_overwritten() {
    let server = Server::start(|asked, _| match asked.call().as_str() {
        "HEAD" => Reply::with(&[("content-length", "2")]),
        "PUT" | "POST upload" => Reply::no(412, "PreconditionFailed", ""),
        _ => willing(asked),
    })
    .await;
    assert_eq!(amazon(&server).put("a.json", little("{}")).await.unwrap_err().reason, Reason::Collision);
    assert_eq!(server.first("PUT").header("if-none-match"), Some("*"));
    assert_eq!(amazon(&server).put(ARCHIVE, spool(8 * MIB + 1)).await.unwrap_err().reason, Reason::Collision);
    assert_eq!(server.first("POST upload").header("if-none-match"), Some("*"));
    assert_eq!(count(&server, "DELETE upload"), 1, "the parts are not left behind");
    // A store that may ignore the condition is looked at first, and nothing is sent.
    let before = count(&server, "PUT");
    assert_eq!(store(&server).put("a.json", little("{}")).await.unwrap_err().reason, Reason::Collision);
    assert_eq!(count(&server, "PUT"), before);
}

#[tokio::test]
async fn backup_case_44_a_lock_is_set_with_a_checksum() {
    for amazons in [false, true] {
        let server = Server::start(|asked, _| willing(asked)).await;
        let mut destination = S3 { amazon: amazons, ..store(&server) };
        destination.options.object_lock = Some(Duration::from_secs(30 * 24 * 3600));
        destination.put("a.json", little("{}")).await.unwrap();
        destination.put(ARCHIVE, spool(8 * MIB + 1)).await.unwrap();
        for call in ["PUT", "POST uploads"] {
            let asked = server.first(call);
            assert_eq!(asked.header("x-amz-object-lock-mode"), Some("GOVERNANCE"));
            assert_eq!(asked.header("x-amz-object-lock-retain-until-date"), Some("2026-12-23T18:15:00Z"));
        }
        let sum = if amazons { "x-amz-checksum-crc64nvme" } else { "content-md5" };
        assert!(server.first("PUT").header(sum).is_some());
    }
}

#[tokio::test]
async fn the_storage_class_is_the_archives_and_the_key_is_everybodys() {
    let server = Server::start(|asked, _| willing(asked)).await;
    let mut destination = store(&server);
    destination.options.storage_class = Some("STANDARD_IA".to_owned());
    destination.options.kms_key = Some("key-1".to_owned());
    destination.put(ARCHIVE, spool(10)).await.unwrap();
    let archive = server.first("PUT");
    assert_eq!(archive.header("x-amz-storage-class"), Some("STANDARD_IA"));
    assert_eq!(archive.header("x-amz-server-side-encryption"), Some("aws:kms"));
    assert_eq!(archive.header("x-amz-server-side-encryption-aws-kms-key-id"), Some("key-1"));
    destination.put("a.json", little("{}")).await.unwrap();
    let sidecar = server.asked().into_iter().rfind(|asked| asked.method == "PUT").unwrap();
    assert_eq!(sidecar.header("x-amz-storage-class"), None, "a sidecar in cold storage could not be read");
    assert_eq!(sidecar.header("x-amz-server-side-encryption"), Some("aws:kms"));
}

#[tokio::test]
async fn a_store_that_refuses_the_condition_itself_gets_the_object_without_it() {
    let server = Server::start(|asked, _| match asked.header("if-none-match") {
        Some(_) => {
            Reply::no(501, "NotImplemented", "A header you provided implies functionality that is not implemented")
        }
        None => willing(asked),
    })
    .await;
    store(&server).put("a.json", little("{}")).await.unwrap();
    store(&server).put(ARCHIVE, spool(8 * MIB + 1)).await.unwrap();
    assert!(server.calls().starts_with(&["HEAD".to_owned()]), "that nothing has the name is seen first");
    let trouble = amazon(&server).put("a.json", little("{}")).await.unwrap_err();
    assert_eq!(trouble.reason, Reason::Configuration, "Amazon's knows it: {trouble}");
}
