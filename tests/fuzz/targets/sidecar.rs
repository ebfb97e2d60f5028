//! A sidecar: what is read is written as it would be read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mainstay::rules::sidecar::Sidecar;

fuzz_target!(|bytes: &[u8]| match Sidecar::from_bytes(bytes) {
    Ok(sidecar) => assert_eq!(Sidecar::from_bytes(&sidecar.to_bytes()), Ok(sidecar)),
    Err(why) => assert!(!why.is_empty()),
});
