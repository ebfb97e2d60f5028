//! The binary as the function of AWS Lambda, against a Runtime API of our own on loopback.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    amazon::Amazon,
    program::{PROGRAM, Running, World},
};

/// What the function said: the path of its call and the body.
type Said = (String, Value);

/// A runtime that has these events, and then no more.
fn runtime(events: Vec<Value>) -> (String, mpsc::Receiver<Said>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of loopback");
    let address = listener.local_addr().expect("its address").to_string();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut events = events.into_iter().enumerate();
        // Connections of those that wait for an event that does not come.
        let mut waiting: Vec<TcpStream> = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let (path, body) = request(&mut stream);
            if !path.ends_with("/invocation/next") {
                answer(&mut stream, 202, "", "{}");
                if tell.send((path, serde_json::from_slice(&body).unwrap_or(Value::Null))).is_err() {
                    return;
                }
                continue;
            }
            match events.next() {
                Some((at, event)) => {
                    let deadline = jiff::Timestamp::now().as_millisecond() + 60_000;
                    let head = format!(
                        "Lambda-Runtime-Aws-Request-Id: event-{at}\r\nLambda-Runtime-Deadline-Ms: {deadline}\r\n"
                    );
                    answer(&mut stream, 200, &head, &event.to_string());
                }
                None => waiting.push(stream),
            }
        }
    });
    (address, told)
}

fn request(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(stream);
    let (mut path, mut length) = (String::new(), 0);
    for at in 0.. {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if at == 0 {
            path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        }
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.parse().expect("a number");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    (path, body)
}

fn answer(stream: &mut TcpStream, status: u16, head: &str, body: &str) {
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\n{head}Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).expect("the function reads");
}

/// A function with this file in its package, until it has answered so often.
fn invoke(world: &mut World, events: Vec<Value>) -> Vec<Said> {
    let count = events.len();
    let (address, told) = runtime(events);
    let folder = world.folder().to_path_buf();
    world.set("AWS_LAMBDA_RUNTIME_API", &address).set("LAMBDA_TASK_ROOT", &folder);
    world.set("MAINSTAY_STATE", folder.join("tmp"));
    let running = Running::start(&mut world.command(&[]));
    let said = (0..count).map(|_| told.recv_timeout(Duration::from_secs(50)).expect("an answer")).collect();
    rustix::process::kill_process(running.id(), rustix::process::Signal::KILL).expect("a child of ours");
    running.finish();
    said
}

const NEVER: &str = "project = 'prime'\n[schedule.never]\ntimezone = 'Europe/Berlin'\nalways_off = true\nenforce = true\n\
                     [[schedule.never.ec2]]\nregions = ['us-east-2']\ntags = { Schedule = 'never' }\n";

#[test]
fn an_event_applies_the_schedules_and_is_answered_with_the_report() {
    let test = "lambda::an_event_applies_the_schedules_and_is_answered_with_the_report";
    let Some(amazon) = Amazon::start(test) else { return };
    amazon.launch("us-east-2", &[("Schedule", "never")]);
    let mut world = World::new();
    amazon.introduce(&mut world);
    world.file("mainstay.toml", NEVER);
    let said = invoke(&mut world, vec![json!({ "schedules": ["never"] }), json!({ "schedules": ["nobody"] })]);
    let (path, report) = &said[0];
    assert_eq!(path, "/2018-06-01/runtime/invocation/event-0/response", "{report}");
    assert_eq!((&report["command"], &report["status"]), (&json!("schedule apply"), &json!("pass")), "{report}");
    assert_eq!((&report["outcomes"][0]["action"], &report["outcomes"][0]["state"]), (&json!("stop"), &json!("done")));
    assert_eq!(amazon.states("us-east-2"), ["stopped"]);
    // The second event names no schedule of the file, which its sender has to hear.
    let (path, error) = &said[1];
    assert_eq!(path, "/2018-06-01/runtime/invocation/event-1/error");
    assert!(error["errorMessage"].as_str().expect("a message").contains("nobody"), "{error}");
}

#[test]
fn the_configuration_can_come_in_a_variable_and_a_failure_is_an_error_of_the_function() {
    let mut world = World::new();
    // Nothing listens there.
    world.set("AWS_ENDPOINT_URL", "http://127.0.0.1:9").set("AWS_ACCESS_KEY_ID", "AKIDTEST");
    world.set("AWS_SECRET_ACCESS_KEY", "secret").set("MAINSTAY_CONFIG_TEXT", NEVER);
    let said = invoke(&mut world, vec![json!({})]);
    let (path, error) = &said[0];
    assert_eq!(path, "/2018-06-01/runtime/invocation/event-0/error");
    let message = error["errorMessage"].as_str().expect("a message");
    assert!(message.contains("could not look at the instances in us-east-2"), "{message}");
}

#[test]
fn the_package_holds_the_program_and_the_configuration() {
    let world = World::new();
    world.file("mainstay.toml", NEVER);
    let run = world.run(&["schedule", "deploy", "--package", "mainstay.zip", "--format", "json"]);
    run.expect_code(0);
    let result = run.json()["result"].clone();
    let packed = std::fs::read(world.folder().join("mainstay.zip")).expect("the package");
    assert_eq!(result["bytes"], packed.len(), "{run}");
    assert!(packed.starts_with(b"PK\x03\x04") && packed.windows(9).any(|name| name == b"bootstrap"));
    assert!(["x86_64", "arm64"].contains(&result["architecture"].as_str().expect("a word")), "{run}");
}

/// Lambda's `provided.al2023` has glibc 2.34.
#[test]
fn the_program_asks_for_no_newer_c_library_than_lambda_has() {
    let program = std::fs::read(Path::new(PROGRAM)).expect("the program");
    let mut newest = (0, 0);
    for at in program.windows(8).enumerate().filter(|(_, window)| *window == b"GLIBC_2.").map(|(at, _)| at) {
        let digits: String =
            program[at + 8..].iter().take(3).map(|byte| char::from(*byte)).take_while(char::is_ascii_digit).collect();
        newest = newest.max((2, digits.parse().unwrap_or(0)));
    }
    assert!(newest > (0, 0) && newest <= (2, 34), "it needs glibc {}.{}", newest.0, newest.1);
}
