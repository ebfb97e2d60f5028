//! Compares our reading of gunicorn's configuration with the installed gunicorn's own, case by case.
//!
//! `MAINSTAY_TEST_PYTHON` may name the interpreter; else `python3` and `/usr/bin/python3` are tried. Without gunicorn the
//! test is counted as skipped, and where `CI=true` it fails.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use mainstay::rules::gunicorn::{Evidence, File, Location, Name, Reading, Settings, Value, Version, location};
use serde_json::{Value as Json, json};

/// What the environment can hold, and the files; each is chosen independently.
const ENVIRONMENTS: [&[(&str, &str)]; 8] = [
    &[],
    &[],
    &[("WEB_CONCURRENCY", "5")],
    &[("WEB_CONCURRENCY", "many"), ("PORT", "9000")],
    &[("FORWARDED_ALLOW_IPS", "*"), ("PORT", "")],
    &[("GUNICORN_CMD_ARGS", "-w 9 --forwarded-allow-ips='*' --bind=\"0.0.0.0:80\"")],
    &[("GUNICORN_CMD_ARGS", "-c other.py --thr 8"), ("WEB_CONCURRENCY", " 7 ")],
    &[("GUNICORN_CMD_ARGS", "--timeout 5 'unclosed")],
];

/// Configuration files, and whether everything in them can be known without running them.
const FILES: [(&str, bool); 14] = [
    ("", true),
    ("workers = 3\nthreads = 0x10\nbind = 'unix:/run/x'\n", true),
    ("# comment\nforwarded_allow_ips = '10.0.0.1 , ::1'  # end\nworkers = '0o7'; timeout = 1_0\n", true),
    ("bind = ['a:1',\n  \"b:2\" # two\n]\nworker_class = r'''gthread'''\n", true),
    ("bind = ('127.0.0.1:'\n  '8001')\ngraceful_timeout: int = 45\nkeepalive = 5\n", true),
    ("def when_ready(server):\n    workers = 99\nclass A:\n    threads = 99\nworkers = True\n", true),
    ("workers = 2\nworkers = 4\nbind = None\nforwarded_allow_ips = None\n", true),
    ("x = '''\nworkers = 50\n'''\nworkers = \\\n  6\nif True:\n    pass\n", true),
    ("workers = '010'\n", true),
    ("timeout = -1\n", true),
    ("forwarded_allow_ips = ['*']\n", true),
    ("import os\nworkers = int('3') * 2\nthreads = 2\n", false),
    ("workers = 1\nif True:\n    workers = 2\ntimeout = 7\n", false),
    ("bind = ['a:1']\nbind.append('b:2')\nworkers = 2\n", false),
];

const VALUES: [&str; 26] = [
    "3",
    "010",
    "0x3",
    "-3",
    " 4 ",
    "1_0",
    "1__0",
    "x",
    "",
    "+2",
    "*",
    "10.0.0.0/8",
    "10.0.0.1/8",
    "\"*\"",
    "fd00::1",
    "127.0.0.1, 10.0.0.1,",
    "web",
    "0.0.0.0:9000",
    "unix:/tmp/x",
    "gthread",
    "-",
    "-1.5",
    "-x y",
    "--",
    "0",
    "00",
];

const NAMES: [&str; 7] =
    ["--workers", "--threads", "--timeout", "--graceful-timeout", "--worker-class", "--bind", "--forwarded-allow-ips"];

/// Words that are not an option with a value.
const WORDS: [&str; 22] = [
    "app:app",
    "app:app",
    "-D",
    "-R",
    "-Dw3",
    "-DRw",
    "-D3",
    "-Dt=5",
    "--daemon",
    "--daemon=yes",
    "--reload",
    "--",
    "-",
    "-5",
    "--nonsense",
    "-z",
    "--help",
    "-v",
    "-c",
    "other.py",
    "--config=other.py",
    "--max-requests=9",
];

#[test]
fn our_reading_is_the_installed_gunicorns() {
    let test = "gunicorn_differential::our_reading_is_the_installed_gunicorns";
    let Some(mut oracle) = Oracle::start() else {
        skipped(test, "gunicorn cannot be imported by python3 (apt-get install gunicorn)");
        return;
    };
    let mut compared = Counts::default();
    oracle.every_prefix(&mut compared);
    oracle.random_lines(&mut compared);
    oracle.say(&compared);
    assert!(compared.cases > 1500 && compared.refused > 200 && compared.known > 5000, "{compared:?}");
}

#[derive(Debug, Default)]
struct Counts {
    cases: u32,
    refused: u32,
    known: u32,
    unknown: u32,
}

/// The installed gunicorn behind its interpreter.
struct Oracle {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    version: Version,
    shown: String,
    options: Vec<String>,
}

struct Case {
    argv: Vec<String>,
    environment: BTreeMap<String, String>,
    files: BTreeMap<&'static str, (&'static str, bool)>,
    mode: &'static str,
}

impl Oracle {
    #[expect(clippy::disallowed_methods, reason = "a test runs the component it compares with")]
    fn start() -> Option<Self> {
        let named = std::env::var("MAINSTAY_TEST_PYTHON").ok();
        let interpreters = named.map_or_else(|| vec!["python3".into(), "/usr/bin/python3".into()], |named| vec![named]);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gunicorn_differential/oracle.py");
        interpreters.iter().find_map(|interpreter: &String| {
            let mut command = Command::new(interpreter);
            command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut child = command.spawn().ok()?;
            let (input, output) = (child.stdin.take()?, child.stdout.take()?);
            let mut output = BufReader::new(output);
            let mut line = String::new();
            output.read_line(&mut line).ok()?;
            let Ok(hello) = serde_json::from_str::<Json>(&line) else {
                let _ = child.wait();
                return None;
            };
            let shown = hello["version"].as_str()?.to_owned();
            let mut numbers = shown.split('.').map(|number| number.parse().unwrap_or(0)).chain([0, 0]);
            let mut version = Version(numbers.next()?, numbers.next()?, numbers.next()?);
            let options = hello["options"].as_array()?.iter().filter_map(|option| option[0].as_array()).flatten();
            let options: Vec<String> = options.filter_map(|name| name.as_str().map(str::to_owned)).collect();
            // Debian calls its patched 20.1 by the same number.
            if version == Version(20, 1, 0) && options.iter().any(|name| name == "--tolerate-dangerous-framing") {
                version = Version(20, 1, 1);
            }
            let shown = format!("gunicorn {shown} on Python {}", hello["python"].as_str()?);
            Some(Self { child, input, output, version, shown, options })
        })
    }

    /// Every way to shorten every option the installed release has, with a value that numbers take and one they do not.
    fn every_prefix(&mut self, counts: &mut Counts) {
        let options = self.options.clone();
        assert!(options.len() > 60, "{options:?}");
        for option in &options {
            for end in 2..=option.len() {
                let prefix = &option[..end];
                for argv in [
                    vec![prefix.to_owned(), "3".to_owned()],
                    vec![format!("{prefix}=127.0.0.1"), "app:app".to_owned()],
                    vec![prefix.to_owned()],
                ] {
                    self.compare(
                        &Case { argv, environment: BTreeMap::new(), files: BTreeMap::new(), mode: "parse" },
                        counts,
                    );
                }
            }
        }
    }

    /// Command lines, environments and files from the lists above, mixed by a fixed sequence of numbers.
    fn random_lines(&mut self, counts: &mut Counts) {
        let mut dice = Dice(20_261_123);
        for environment in ENVIRONMENTS {
            let environment: BTreeMap<String, String> =
                environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            for _ in 0..120 {
                let mut argv = Vec::new();
                for _ in 0..dice.below(5) {
                    item(&mut dice, &mut argv);
                }
                let mut files = BTreeMap::new();
                for name in ["gunicorn.conf.py", "other.py"] {
                    if dice.below(3) > 0 {
                        files.insert(name, FILES[dice.below(FILES.len())]);
                    }
                }
                self.compare(&Case { argv, environment: environment.clone(), files, mode: "load" }, counts);
            }
        }
    }

    fn compare(&mut self, case: &Case, counts: &mut Counts) {
        let theirs = self.ask(case);
        let ours = self.ours(case);
        let seen = format!("{:?} {:?} {:?}\ntheirs {theirs}\nours {ours:?}", case.argv, case.environment, case.files);
        counts.cases += 1;
        let (Some(theirs), Ok(ours)) = (theirs.get("settings"), &ours) else {
            assert!(theirs.get("refused").is_some() && ours.is_err(), "{}: one of us refuses: {seen}", self.shown);
            counts.refused += 1;
            return;
        };
        let all_readable = case.files.values().all(|(_, readable)| *readable);
        for name in Name::ALL {
            let expected = &theirs[name.key()];
            match ours.reading(name) {
                Reading::Known(value, _) => {
                    assert_eq!(&json_of(value), expected, "{}: {}: {seen}", self.shown, name.key());
                    counts.known += 1;
                }
                Reading::Unknown(reason) => {
                    assert!(!all_readable, "{}: {} is unknown ({reason}): {seen}", self.shown, name.key());
                    counts.unknown += 1;
                }
            }
        }
    }

    fn ask(&mut self, case: &Case) -> Json {
        let files: BTreeMap<_, _> = case.files.iter().map(|(name, (text, _))| (name, text)).collect();
        let question = json!({"argv": case.argv, "environment": case.environment, "files": files, "mode": case.mode});
        writeln!(self.input, "{question}").expect("the oracle listens");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the oracle answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?} for {question}"))
    }

    fn ours(&self, case: &Case) -> Result<Settings, String> {
        let file =
            |name: &str| case.files.get(name).map(|(text, _)| File { path: name.to_owned(), text: (*text).to_owned() });
        // Where the releases disagree on the file, or all of them refuse, `resolve_for` refuses too.
        let file = match location(&case.argv, Ok(&case.environment)) {
            Ok(Location::Default) | Err(_) => file("gunicorn.conf.py"),
            Ok(Location::Path(path)) if case.mode == "load" => {
                Some(file(&path).ok_or_else(|| format!("{path} does not exist"))?)
            }
            Ok(Location::Path(_) | Location::Module(_)) => None,
        };
        let evidence =
            Evidence { arguments: case.argv.clone(), environment: Ok(case.environment.clone()), file: Ok(file) };
        Settings::resolve_for(&evidence, self.version)
    }

    #[expect(clippy::print_stdout, reason = "says what was compared with what")]
    fn say(&self, counts: &Counts) {
        println!("{}: {counts:?}", self.shown);
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One option with its value in one of its spellings, or another word.
fn item(dice: &mut Dice, argv: &mut Vec<String>) {
    if dice.below(4) == 0 {
        argv.push(WORDS[dice.below(WORDS.len())].to_owned());
        return;
    }
    let name = NAMES[dice.below(NAMES.len())];
    // Half of the values are ones that the option takes, or hardly any line would start.
    let value = match (dice.below(4), name) {
        (0, _) => VALUES[dice.below(VALUES.len())],
        (_, "--bind") => ["0.0.0.0:8000", "unix:/run/app.sock", " :80 "][dice.below(3)],
        (_, "--worker-class") => ["sync", "gthread", " gevent "][dice.below(3)],
        (_, "--forwarded-allow-ips") => ["*", "127.0.0.1", "10.0.0.1, ::1,,", ""][dice.below(4)],
        _ => ["1", "3", "010", "40"][dice.below(4)],
    };
    let letter = match name {
        "--workers" => Some("-w"),
        "--timeout" => Some("-t"),
        "--worker-class" => Some("-k"),
        "--bind" => Some("-b"),
        _ => None,
    };
    let shortened = &name[..name.len() - dice.below(name.len() - 5)];
    match (dice.below(6), letter) {
        (0, _) => argv.push(format!("{name}={value}")),
        (1, _) => argv.push(format!("{shortened}={value}")),
        (2, _) => argv.extend([shortened.to_owned(), value.to_owned()]),
        (3, Some(letter)) => argv.push(format!("{letter}{value}")),
        (4, Some(letter)) => argv.push(format!("{letter}={value}")),
        (5, Some(letter)) => argv.extend([letter.to_owned(), value.to_owned()]),
        _ => argv.extend([name.to_owned(), value.to_owned()]),
    }
}

fn json_of(value: &Value) -> Json {
    match value {
        Value::List(list) => json!(list),
        Value::Number(number) => json!(number),
        Value::Text(text) => json!(text),
    }
}

/// The same numbers on every machine (a linear congruence of Knuth's).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % limit.max(1)
    }
}

#[expect(clippy::print_stdout, reason = "a skipped test is counted by its name")]
#[expect(clippy::disallowed_methods, reason = "CI says that nothing may be skipped")]
fn skipped(test: &str, reason: &str) {
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{test} must not be skipped: {reason}");
    println!("SKIPPED {test}: {reason}");
}
