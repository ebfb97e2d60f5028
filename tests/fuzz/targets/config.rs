//! A configuration file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mainstay::cli::config::parse;

fuzz_target!(|text: &str| {
    if let Err(problems) = parse(text, "/srv/prime/mainstay.toml") {
        assert!(!problems.is_empty(), "refused without a reason");
        for problem in problems {
            assert!(problem.to_string().contains("mainstay.toml:"), "no place: {problem}");
        }
    }
});
