//! Properties that hold for any text: no panic, no endless work, and trees that survive being written out.

use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::{
    Directive, Expected, Public, Question, Source, Value, evaluate, judge, parse_dump, parse_files,
    variables::{Part, parts},
};

/// Words that make random text look like a configuration.
const WORDS: [&str; 44] = [
    "http",
    "server",
    "location",
    "{",
    "}",
    ";",
    "{",
    "}",
    ";",
    "\n",
    "listen 80",
    "listen 80 ssl",
    "server_name a",
    "/",
    "~ \\.php$",
    "= /",
    "^~ /a",
    "@a",
    "proxy_pass http://a",
    "proxy_set_header A b",
    "include a.conf",
    "include d/*.conf",
    "try_files $uri @a",
    "error_page 404 = @a",
    "rewrite ^ / last",
    "return 301 /",
    "if ($host)",
    "set $a $b",
    "map $a $b",
    "$a",
    "${",
    "\"",
    "'",
    "\\",
    "#",
    "\n# configuration file /n/a.conf:\n",
    "\n# configuration file /n/d/b.conf:\n",
    "content_by_lua_block",
    "--[[",
    "[[",
    "é",
    "internal",
    "limit_except POST",
    "upstream a",
];

fn text() -> impl Strategy<Value = String> {
    let word = prop_oneof![4 => proptest::sample::select(&WORDS[..]).prop_map(str::to_owned), 1 => ".{0,8}"];
    proptest::collection::vec(word, 0..120).prop_map(|words| words.join(" "))
}

fn question() -> impl Strategy<Value = Question> {
    (any::<bool>(), any::<u16>(), "[a.:\\[\\]é]{0,6}", "[/a.?%0-9]{0,12}", any::<bool>()).prop_map(
        |(tls, port, host, path, behind)| {
            let front = behind.then(|| Public { scheme: "https".to_owned(), host: host.clone(), port });
            Question { tls, address: None, port: if port % 2 == 0 { 80 } else { port }, host, path, front }
        },
    )
}

fn expected() -> Expected {
    Expected {
        public: Public { scheme: "https".to_owned(), host: "a".to_owned(), port: 443 },
        headers: [("A".to_owned(), "$scheme".to_owned())].into_iter().collect(),
        http_version: Some("1.1".to_owned()),
        redirect: None,
        version: None,
    }
}

/// A file that includes everything, itself too.
struct Everything(String);

impl Source for Everything {
    fn read(&self, _path: &str) -> Option<String> {
        Some(self.0.clone())
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        (0..3).map(|index| pattern.replace('*', &format!("{index}{}", pattern.len()))).collect()
    }
}

/// Directives with any words, some with a block.
fn directives() -> impl Strategy<Value = Vec<(String, Vec<String>, bool)>> {
    let word = "[a-zA-Z0-9 $/{};'\"\\\\#é\t\n~^=.]{0,10}";
    proptest::collection::vec(("[a-z]{3,8}x", proptest::collection::vec(word, 0..4), any::<bool>()), 0..8)
}

/// A word between quotes, with what quotes need.
fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_text_gets_a_verdict_in_time(text in text(), question in question()) {
        let begun = Instant::now();
        let dump = format!("# configuration file /n/nginx.conf:\n{text}");
        for text in [&text, &dump, &format!("# configuration file /n/nginx.conf:\nhttp {{ server {{ listen 80; {text} }} }}")] {
            let config = parse_dump(text);
            let findings = judge("any", &config, &question, &expected());
            prop_assert!(findings.iter().any(|finding| finding.id == "nginx.headers"));
            prop_assert!(findings.iter().all(|finding| finding.data["describes"] == "file"));
        }
        prop_assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }

    #[test]
    fn files_that_include_each_other_end(text in text()) {
        let begun = Instant::now();
        let _ = parse_files("/n/nginx.conf", &Everything(format!("include a*; include b*c*; {text}")));
        prop_assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }

    #[test]
    fn a_tree_that_is_written_out_reads_the_same(written in directives()) {
        let mut text = String::from("# configuration file /n/nginx.conf:\nevents {\n");
        for (name, args, block) in &written {
            text.push_str(name);
            for arg in args {
                text.push(' ');
                text.push_str(&quoted(arg));
            }
            text.push_str(if *block { " { inner 'x'; }\n" } else { ";\n" });
        }
        text.push_str("}\n");
        let config = parse_dump(&text).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let read: Vec<&Directive> = config.top[0].children().iter().collect();
        prop_assert_eq!(read.len(), written.len());
        for (directive, (name, args, block)) in read.iter().zip(&written) {
            prop_assert_eq!(&directive.name, name);
            prop_assert_eq!(&directive.args, args);
            prop_assert_eq!(directive.block.as_ref().map(Vec::len), block.then_some(1));
        }
    }

    #[test]
    fn the_pieces_of_a_text_are_the_text(text in "[a-z$1{}_ é]{0,30}") {
        let joined: String = parts(&text).iter().map(|part| match part {
            Part::Text(text) => (*text).to_owned(),
            Part::Variable(name) => format!("${name}"),
        }).collect();
        let bare = |text: &str| text.replace(['{', '}'], "");
        prop_assert_eq!(bare(&joined), bare(&text));
    }
}

#[test]
fn maps_that_multiply_are_cut_short() {
    let mut text = String::from(
        "# configuration file /n/nginx.conf:\nhttp { server { listen 80; location / { proxy_set_header A $m0; proxy_pass http://127.0.0.1; } }\n",
    );
    for index in 0..12 {
        let next = format!("$m{}", index + 1).repeat(50);
        text.push_str(&format!("map $host $m{index} {{ default {next}; }}\n"));
    }
    text.push('}');
    let question =
        Question { tls: false, address: None, port: 80, host: "a".to_owned(), path: "/".to_owned(), front: None };
    let begun = Instant::now();
    let answer = evaluate(&parse_dump(&text).unwrap(), &question).unwrap();
    assert!(matches!(answer.headers[0].meaning, Value::Open(_)));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn blocks_without_end_and_headers_without_number_are_bounded() {
    let deep = format!("# configuration file /n/nginx.conf:\n{}", "a {".repeat(100_000));
    assert!(parse_dump(&deep).unwrap_err().why.contains("blocks"));
    let mut many = String::from("# configuration file /n/nginx.conf:\ninclude *;\n");
    for index in 0..8_000 {
        many.push_str(&format!("\n# configuration file /n/{index}:\ninclude {}*{index}*;\n", "x*".repeat(20)));
    }
    let begun = Instant::now();
    assert!(parse_dump(&many).is_err());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
