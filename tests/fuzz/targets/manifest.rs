//! A line of a manifest: what is read is written as it would be read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mainstay::rules::manifest::Entry;

fuzz_target!(|line: &str| match Entry::from_line(line) {
    Ok(entry) => {
        let line = entry.to_line();
        assert!(!line.contains('\n'), "more than a line: {line:?}");
        assert_eq!(Entry::from_line(&line), Ok(entry));
    }
    Err(wrong) => assert!(!wrong.0.is_empty()),
});
