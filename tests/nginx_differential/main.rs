//! The evaluator against the real nginx: the same configurations, the same requests, the same answers.
//!
//! An application of our own echoes what reaches it, every block names itself in a response header, and the
//! configuration that is evaluated is what `nginx -T` prints. Without nginx the tests say so, and fail where `CI=true`.
#![expect(clippy::disallowed_methods, reason = "a test bed of its own: it starts nginx and writes its files")]

mod compare;
mod echo;
mod generate;
mod request;
mod served;
mod tls;

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

use compare::{Asked, compare};
use generate::{Dice, scenario};
use mainstay::rules::nginx::{Trouble, parse_files};
use served::{Files, Nginx, free_ports};

/// The path of nginx, or a line that says what was not tested.
#[expect(clippy::print_stderr, reason = "a skipped test says so by name")]
fn nginx(test: &str) -> Option<PathBuf> {
    let places = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx", "/usr/local/nginx/sbin/nginx"];
    let found = places.iter().map(PathBuf::from).find(|path| path.exists());
    if found.is_none() {
        eprintln!("SKIPPED {test}: nginx is not installed");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must run {test}, and nginx is not installed");
    }
    found
}

#[test]
fn generated_configurations_are_answered_alike() {
    let Some(program) = nginx("generated_configurations_are_answered_alike") else { return };
    let echo = echo::start();
    let mut dice = Dice::new(20_261_123);
    let (mut asked, mut scenarios, mut doubts, mut failures) = (0, 0, 0, String::new());
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for batch in 0..10 {
        let ports = free_ports(48);
        let mut files = Files::default();
        let mut requests: Vec<Asked> = Vec::new();
        for index in 0..24 {
            let pair = [ports[index * 2], ports[index * 2 + 1]];
            let (text, more) = scenario(&mut dice, pair, echo);
            files.add(&format!("sites/{index:02}.conf"), &text);
            requests.extend(more);
            scenarios += 1;
        }
        for (name, text) in generate::shared(&mut dice) {
            files.add(name, &text);
        }
        let http = generate::http(&mut dice, echo);
        let nginx = Nginx::start(&program, &files, &http, &requests);
        let config = nginx.evaluated();
        for request in &requests {
            asked += 1;
            match compare(&config, request) {
                Ok(word) => *kinds.entry(word).or_insert(0) += 1,
                Err(compare::Difference::Doubt(_)) => doubts += 1,
                Err(compare::Difference::Other(what)) => {
                    let _ = writeln!(failures, "batch {batch}: {request:?}\n  {what}");
                }
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
    assert_eq!(doubts, 0, "nothing in these configurations is undecided");
    for kind in ["proxied", "refused", "returned", "static"] {
        assert!(kinds.get(kind).is_some_and(|count| *count >= 40), "too few are {kind}: {kinds:?}");
    }
    assert!(scenarios >= 200 && asked >= 2000, "{scenarios} configurations, {asked} requests");
}

#[test]
fn reference_cases_are_answered_alike() {
    let Some(program) = nginx("reference_cases_are_answered_alike") else { return };
    let echo = echo::start();
    let ports = free_ports(generate::CASES.len());
    let mut files = Files::default();
    let mut requests = Vec::new();
    for (case, port) in generate::CASES.iter().zip(ports) {
        let text = case.text.replace("ECHO", &format!("http://127.0.0.1:{echo}")).replace("PORT", &port.to_string());
        files.add(&format!("sites/{}.conf", case.name), &text);
        for (host, path) in case.requests {
            requests.push(Asked::plain("127.0.0.1", port, host, path));
        }
    }
    files.add("proxy.conf", "proxy_set_header X-Forwarded-Proto $scheme;\nproxy_set_header X-A included;\n");
    let nginx = Nginx::start(&program, &files, &generate::plain_http(), &requests);
    let config = nginx.evaluated();
    let mut failures = String::new();
    for request in &requests {
        if let Err(difference) = compare(&config, request) {
            let _ = writeln!(failures, "{request:?}\n  {difference:?}");
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn certificates_are_chosen_alike() {
    let Some(program) = nginx("certificates_are_chosen_alike") else { return };
    tls::certificates(&program);
}

#[test]
fn what_nginx_refuses_is_refused() {
    let Some(program) = nginx("what_nginx_refuses_is_refused") else { return };
    let mut failures = String::new();
    for text in generate::FILES {
        let folder = tempfile::tempdir().expect("a folder for one file");
        let main = folder.path().join("nginx.conf");
        std::fs::write(&main, format!("pid {}/pid;\nerror_log stderr;\n{text}", folder.path().display()))
            .expect("written");
        let accepted = served::accepts(&program, folder.path());
        let parsed = parse_files(&main.display().to_string(), &served::Folder);
        let same = match &parsed {
            Ok(_) => accepted,
            Err(error) => !accepted && error.trouble == Trouble::Syntax,
        };
        if !same {
            let _ = writeln!(failures, "nginx accepts it: {accepted}, we: {parsed:?}\n{text}");
        }
    }
    assert!(failures.is_empty(), "{failures}");
}
