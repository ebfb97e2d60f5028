//! A certificate as a server sends it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mainstay::rules::certificate::{Certificate, covers, fingerprint};

fuzz_target!(|der: &[u8]| match Certificate::parse(der) {
    Ok(certificate) => {
        // Names come as the server wrote them: escaping them is the renderers' business.
        let _ = (certificate.title(), certificate.issuer_title(), certificate.key.to_string());
        let _ = (certificate.lifetime(), certificate.is_self_issued(), fingerprint(&certificate.sha256));
        for host in ["prime.example.test", "127.0.0.1", "::1", "", "*"] {
            let _ = covers(&certificate.names, host);
        }
    }
    Err(unreadable) => assert!(!unreadable.why.is_empty()),
});
