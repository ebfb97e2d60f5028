//! A Location header, and the walk that it leads to.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use mainstay::{
    report::Status,
    rules::{
        http::Answer,
        location::{Shown, printable, redacted, resolve},
        redirect::{End, Expect, Hop, Next, Walk, judge, next},
    },
};
use url::Url;

fuzz_target!(|text: &str| {
    let base = Url::parse("http://prime.example.test/a?b=1").expect("a good address");
    let goal = Url::parse("https://prime.example.test/").expect("a good address");
    let answer = Answer {
        version: "HTTP/1.1",
        status: 301,
        headers: vec![("location".to_owned(), text.to_owned())],
        body: Vec::new(),
        truncated: false,
        broken: None,
        date: None,
        took: Duration::ZERO,
    };
    for shown in [printable(text), redacted(text, Shown::Harmless), redacted(text, Shown::Public)] {
        assert!(!shown.chars().any(char::is_control), "a control character in {shown:?}");
    }
    let target = resolve(&base, &answer);
    let hops = vec![Hop { url: base, answer: Ok(answer) }];
    let end = match next(&hops) {
        Next::Ask(_) => End::Arrived,
        Next::End(end) => end,
    };
    let finding = judge(&Walk { hops, end }, Expect { subject: "prime", goal: &goal, closed: Status::Fail });
    if finding.status == Status::Pass {
        let target = target.expect("a pass leads somewhere").url;
        assert_eq!((target.scheme(), target.host_str()), ("https", goal.host_str()), "{text:?} passes");
    }
});
