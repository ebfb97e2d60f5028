//! The command line itself: help, typing errors, streams.

use std::process::Stdio;

use crate::program::{PROGRAM, Running, World, full};

#[test]
fn bare_mainstay_prints_short_help_and_ends_with_2() {
    let run = World::new().run(&[]);
    run.expect_code(2).expect_text("check");
    assert!(run.stdout.is_empty(), "help for a wrong call is no result: {run}");
    assert!(run.stderr.lines().count() < 60, "short: {run}");
}

#[test]
fn help_is_a_result_and_tells_the_exit_codes_and_examples() {
    let run = World::new().run(&["--help"]);
    run.expect_code(0).expect_text("Exit codes").expect_text("143");
    assert!(run.stderr.is_empty(), "{run}");
    let run = World::new().run(&["check", "--help"]);
    run.expect_code(0).expect_text("Examples").expect_text("--resolve").expect_text("--explain");
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 100), "wider than 100 columns: {run}");
}

#[test]
fn the_version_is_one_line() {
    let run = World::new().run(&["--version"]);
    run.expect_code(0);
    assert_eq!(run.stdout, format!("mainstay {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_version_with_verbose_tells_of_which_build_it_is() {
    for arguments in [&["--version", "--verbose"][..], &["-Vv"], &["-v", "--version"]] {
        let run = World::new().run(arguments);
        run.expect_code(0)
            .expect_text(env!("CARGO_PKG_VERSION"))
            .expect_text("rustls on aws-lc-rs")
            .expect_text("rustc 1.");
        let features = if cfg!(feature = "aws") { "features    aws" } else { "features    none" };
        run.expect_text(features).expect_text(std::env::consts::ARCH);
    }
    let facts = World::new().run(&["--version", "--format", "json"]).json();
    assert_eq!(facts["version"], env!("CARGO_PKG_VERSION"), "{facts}");
    assert!(facts["compiler"].as_str().is_some_and(|text| text.starts_with("rustc ")), "{facts}");
}

#[test]
fn a_typing_error_gets_a_suggestion_and_2() {
    for (arguments, suggestion) in [
        (&["chekc"][..], "check"),
        (&["check", "--formt", "json"], "--format"),
        (&["check", "--format", "jsn"], "json"),
    ] {
        let run = World::new().run(arguments);
        run.expect_code(2);
        assert!(run.stdout.is_empty(), "{run}");
        assert!(run.stderr.contains(suggestion), "no `{suggestion}`: {run}");
    }
}

#[test]
fn an_unknown_check_is_wrong_usage_and_names_what_is_near() {
    let run = World::new().run(&["check", "https://localhost:1", "--only", "tls.validty"]);
    run.expect_code(2).expect_text("tls.validity");
    let run = World::new().run(&["check", "https://localhost:1", "--skip", "ngnix"]);
    run.expect_code(2).expect_text("nginx");
}

#[test]
fn wrong_values_are_wrong_usage() {
    for arguments in [
        &["check", "https://localhost:1", "--wait", "soon"][..],
        &["check", "https://localhost:1", "--lock-wait", "banana"],
        &["config", "schema", "--lock-wait", "5"],
        &["check", "https://localhost:1", "--resolve", "localhost"],
        &["check", "https://localhost:1", "--resolve", "localhost:1:nowhere"],
        &["check", "https://localhost:1", "--ca-file", "absent.pem"],
        &["check", "https://localhost:1", "--output", "junit"],
        &["check", "https://localhost:1", "--output", "jnit=a.xml"],
        &["check", "ftp://localhost"],
        &["check", "https://localhost:1", "--lock-wait", "soon"],
        &["check", "https://localhost:1", "--output", "json=a", "--output", "junit=./a"],
        &["check", "-4", "-6", "https://localhost:1"],
        &["--config", "absent.toml", "check"],
    ] {
        let run = World::new().run(arguments);
        assert!(run.code == Some(2), "{arguments:?}: {run}");
        assert!(run.stdout.is_empty() && !run.stderr.is_empty(), "{arguments:?}: {run}");
    }
}

#[test]
fn a_check_without_anything_to_look_at_says_what_to_do() {
    let run = World::new().run(&["check"]);
    run.expect_code(2).expect_text("mainstay check https://");
}

#[test]
fn nagios_plugins_end_with_3_for_wrong_usage() {
    for arguments in [
        &["check", "--format", "nagios", "--only", "nonsense", "https://localhost:1"][..],
        &["check", "--format=nagios", "--nonsense"],
        &["check", "--output=nagios=-", "--nonsense"],
        &["chekc", "--output", "nagios=-"],
        &["check", "--format", "nagios", "--output", "junit"],
        &["check", "--format", "nagios", "--lock-wait", "soon"],
        &["check", "--format", "nagios", "--config", "absent.toml"],
        &["check", "--format", "nagios", "absent"],
        &["--format", "nagios"],
    ] {
        let run = World::new().run(arguments);
        run.expect_code(3);
        assert!(run.stdout.starts_with("UNKNOWN - "), "{arguments:?}: {run}");
    }
}

#[test]
fn data_is_written_to_every_output() {
    let world = World::new();
    world.file("mainstay.toml", "[site.prime]\nurl = 'https://prime.example.test'\n");
    for (arguments, key) in [(&["check", "--list"][..], "checks"), (&["config", "show"], "values")] {
        let run = world.run(&[arguments, &["--output", "json=data.json"]].concat());
        run.expect_code(0);
        assert!(!run.stdout.starts_with('{'), "a person reads there: {run}");
        let data = std::fs::read_to_string(world.folder().join("data.json")).expect("the second output");
        let data: serde_json::Value = serde_json::from_str(&data).expect("JSON");
        assert!(!data["result"][key].is_null(), "no `{key}` in {data}");
    }
}

#[test]
fn the_list_names_every_check_of_the_contract() {
    let run = World::new().run(&["check", "--list"]);
    run.expect_code(0);
    for id in [
        "tls.chain",
        "tls.name",
        "tls.validity",
        "tls.key",
        "tls.protocols",
        "tls.hygiene",
        "tls.served",
        "http.status",
        "http.redirect",
        "http.hsts",
        "http.host",
        "nginx.config",
        "nginx.headers",
        "nginx.fresh",
        "gunicorn.trust",
        "gunicorn.settings",
        "gunicorn.exposed",
        "oauth.redirect",
    ] {
        let times = run.stdout.lines().filter(|line| line.split_whitespace().next() == Some(id)).count();
        assert_eq!(times, 1, "{id} must be listed once: {run}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let world = World::new();
    let script = format!("'{PROGRAM}' check --help | head -1; echo \"${{PIPESTATUS[0]}}\" >&2");
    let run = Running::start(&mut world.wrapped("bash", &["-c", &script])).finish();
    run.expect_code(0);
    assert_eq!(run.stderr, "0\n", "{run}");
    // A reader that is gone before the first byte.
    let script = format!("'{PROGRAM}' check https://localhost:1 | true; echo \"${{PIPESTATUS[0]}}\" >&2");
    let run = Running::start(&mut world.wrapped("bash", &["-c", &script])).finish();
    assert!(!run.stderr.contains("panick") && !run.stderr.contains("Broken pipe"), "{run}");
}

#[test]
fn a_full_disk_is_an_error_that_says_so() {
    let world = World::new();
    let mut command = world.command(&["check", "--list"]);
    let run = Running::start(command.stdout(Stdio::from(full()))).finish();
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.stderr.contains("No space left"), "{run}");
    let run = world.run(&["check", "https://localhost:1", "--output", "junit=/dev/full"]);
    assert!(!matches!(run.code, Some(0 | 70)), "{run}");
    let run = world.run(&["check", "https://localhost:1", "--output", "junit=/nowhere/at/all.xml"]);
    assert!(!matches!(run.code, Some(0 | 70)), "{run}");
    run.expect_text("/nowhere/at/all.xml");
}

#[test]
fn there_is_colour_where_it_is_asked_for_and_nowhere_else() {
    let mut world = World::new();
    let coloured = |run: &crate::program::Run| run.stdout.contains('\x1b') || run.stderr.contains('\x1b');
    let arguments = ["check", "https://localhost:1"];
    assert!(!coloured(&world.run(&arguments)), "a pipe is no terminal");
    let always = world.run(&["check", "https://localhost:1", "--color", "always"]);
    assert!(coloured(&always), "{always}");
    world.set("NO_COLOR", "1");
    assert!(!coloured(&world.run(&arguments)));
}

#[test]
fn what_is_printed_fits_the_terminal_and_is_not_cut_in_a_pipe() {
    let world = World::new();
    let arguments = ["check", "https://localhost:1", "--color", "never", "--no-progress"];
    for columns in [80, 50] {
        let run = world.run_on_terminal(columns, &arguments);
        run.expect_code(1);
        for line in run.stdout.lines() {
            assert!(line.chars().count() <= columns, "`{line}` is wider than {columns} columns: {run}");
        }
    }
    // What `grep` reads is one line a sentence.
    let run = world.run(&arguments);
    assert!(run.stdout.lines().any(|line| line.chars().count() > 80), "{run}");
}

#[test]
fn a_terminal_gets_colour_unless_it_is_refused() {
    let mut world = World::new();
    let arguments = ["check", "https://localhost:1"];
    assert!(world.run_on_terminal(80, &arguments).stdout.contains("\x1b["));
    let never = world.run_on_terminal(80, &["check", "https://localhost:1", "--color", "never", "--no-progress"]);
    assert!(!never.stdout.contains('\x1b'), "{never}");
    world.set("NO_COLOR", "1");
    let refused = world.run_on_terminal(80, &["check", "https://localhost:1", "--no-progress"]);
    assert!(!refused.stdout.contains('\x1b'), "{refused}");
}

#[test]
fn completions_and_manual_pages_are_written() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish"] {
        let run = world.run(&["completions", shell]);
        run.expect_code(0);
        assert!(run.stdout.contains("mainstay"), "{run}");
    }
    world.run(&["man", "pages"]).expect_code(0);
    let pages: Vec<_> = std::fs::read_dir(world.folder().join("pages")).expect("a folder").flatten().collect();
    assert!(pages.iter().any(|page| page.file_name() == "mainstay-check.1"), "{pages:?}");
}
