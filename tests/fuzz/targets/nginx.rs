//! The output of `nginx -T`, and the question where a request ends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mainstay::rules::nginx::{Question, evaluate, parse_dump};

fuzz_target!(|text: &str| {
    let Ok(config) = parse_dump(text) else { return };
    for path in ["/", "/auth/login?next=%2Fa", "/a//b/../c.php"] {
        for (tls, port) in [(true, 443), (false, 80)] {
            let host = "prime.example.test".to_owned();
            let question = Question { tls, address: None, port, host, path: path.to_owned(), front: None };
            // The same file gives the same answer.
            assert_eq!(format!("{:?}", evaluate(&config, &question)), format!("{:?}", evaluate(&config, &question)));
        }
    }
});
