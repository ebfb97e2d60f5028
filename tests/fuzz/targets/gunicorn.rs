//! A gunicorn's words, environment and configuration file: three parts of the input, split by NUL.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use mainstay::rules::gunicorn::{Evidence, File, Settings, command, of_first_process, role};

fuzz_target!(|text: &str| {
    let mut parts = text.splitn(3, '\0');
    let words: Vec<String> = parts.next().unwrap_or_default().split('\n').map(str::to_owned).collect();
    let environment: BTreeMap<String, String> = parts
        .next()
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let file = parts.next().map(|text| File { path: "gunicorn.conf.py".to_owned(), text: text.to_owned() });
    let _ = (role(&words), command(&words), of_first_process(&words));
    let evidence = Evidence { arguments: words, environment: Ok(environment), file: Ok(file) };
    if let Ok(settings) = Settings::resolve(&evidence) {
        let _ = settings.to_json();
    }
});
