//! Keeps the drawing in `src/lib.rs` true: floors import downwards only.
//!
//! Every path of `src/` that starts at `crate` or `super` is read from the tokens, so comments, documentation and
//! strings do not count; nor does what is compiled for tests only.

use std::{
    collections::BTreeSet,
    fmt, fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Every part of the crate with its floor. A part of `system` is one of its modules; `system` alone is its root.
const FLOORS: &[(&str, u8)] = &[
    ("error", 0),
    ("report", 0),
    ("rules", 0),
    ("system", 1),
    ("backup", 2),
    ("renew_cert", 2),
    ("schedule", 2),
    ("check", 3),
    ("setup", 4),
    ("overview", 4),
    ("cli", 5),
    ("main", 6),
];

/// Who may import whom on the same floor, besides itself.
const ALONGSIDE: &[(&str, &str)] = &[
    ("rules", "report"),
    ("rules", "error"),
    ("report", "error"),
    ("system::http", "system::tls"),
    // An authority is asked over our own connections, and a token is fetched as it would fetch it.
    ("system::acme", "system::fetch"),
    ("system::acme", "system::http"),
    ("system::acme", "system::resolve"),
    ("system::acme", "system::tls"),
    // A list or an object of somebody else's comes over the same connections as a site's page.
    ("system::fetch", "system::http"),
    ("system::fetch", "system::resolve"),
    ("system::fetch", "system::tls"),
    ("system::rdap", "system::fetch"),
    ("system::notify", "system::http"),
    ("system::notify", "system::resolve"),
    ("system::notify", "system::secret"),
    ("system::notify", "system::tls"),
    ("system::certbot", "system::docker"),
    ("system::gunicorn", "system::docker"),
    ("system::nginx", "system::docker"),
    // Its program lies where cron's PATH does not lead.
    ("system::nginx", "system::program"),
    ("system::store", "system::http"),
    ("overview", "setup"),
];

/// Parts of `system` that all others of that floor may import.
const FOR_ALL_OF_SYSTEM: &[&str] = &[
    "system",
    "system::aws",
    "system::cancel",
    "system::clock",
    "system::file",
    "system::process",
    "system::procfs",
    "system::state",
];

/// Paths outside the crate that only the floors from this one up may use.
const OUTSIDE: &[(&str, u8)] = &[
    ("futures_util", 1),
    ("hyper", 1),
    ("lettre", 1),
    ("rustix", 1),
    ("std::env", 1),
    ("std::fs", 1),
    ("std::net::TcpListener", 1),
    ("std::net::TcpStream", 1),
    ("std::net::UdpSocket", 1),
    ("std::process", 1),
    ("std::thread", 1),
    ("std::time::Instant", 1),
    ("std::time::SystemTime", 1),
    ("tokio", 1),
    ("tokio_rustls", 1),
    ("anstream", 5),
    ("anstyle", 5),
    ("clap", 5),
    ("clap_complete", 5),
    ("clap_mangen", 5),
    ("indicatif", 5),
    ("maud", 4),
];

/// Names that say nothing about what is in a module.
const EMPTY_NAMES: &[&str] =
    &["common", "helper", "helpers", "manager", "managers", "misc", "util", "utilities", "utils"];

/// Past this a file holds two nouns.
const LONGEST: usize = 600;

#[test]
fn every_import_goes_down_the_floors() {
    let wrong: Vec<String> = sources().iter().flat_map(judge).map(|wrong| wrong.to_string()).collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn the_drawing_is_the_same_in_the_crate_and_on_its_page_and_names_every_floor() {
    let drawing = |text: &str| -> Vec<String> {
        let lines = text.lines().map(|line| line.trim_start_matches("//!").trim().to_owned());
        lines.skip_while(|line| !line.starts_with("floor 5")).take_while(|line| !line.starts_with("```")).collect()
    };
    let own = drawing(include_str!("../src/lib.rs"));
    assert_eq!(own, drawing(include_str!("../docs/architecture.md")));
    for (name, floor) in FLOORS.iter().filter(|(name, _)| *name != "main") {
        let from = own.iter().position(|line| line.starts_with(&format!("floor {floor}"))).expect("its floor");
        let rows = own[from..].iter().enumerate().take_while(|(at, line)| *at == 0 || !line.starts_with("floor "));
        assert!(
            rows.into_iter().any(|(_, row)| row.split(' ').any(|word| word == *name)),
            "{name} is not on floor {floor}"
        );
    }
}

/// The references by what the names of their tests begin with, and how many numbered cases each has.
const CASES: &[(&str, usize)] = &[("case", 63), ("backup_case", 54), ("renew_case", 59), ("schedule_case", 71)];

#[test]
fn every_numbered_case_of_the_references_has_a_test() {
    let mut files = Vec::new();
    for folder in ["src", "tests"] {
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut files);
    }
    let text: String = files.iter().map(|file| fs::read_to_string(file).expect("a source file")).collect();
    for (name, count) in CASES {
        let tested: BTreeSet<usize> = text.split(&format!("fn {name}_")).skip(1).flat_map(numbers).collect();
        let missing: Vec<usize> = (1..=*count).filter(|case| !tested.contains(case)).collect();
        assert!(missing.is_empty(), "no test is named {name}_NN_ for {missing:?}");
    }
}

/// The numbers that the name of a test goes on with: `20_and_21_a_source…`.
fn numbers(rest: &str) -> Vec<usize> {
    let words =
        rest.split('_').map_while(|word| if word == "and" { Some(None) } else { Some(Some(word.parse().ok()?)) });
    words.flatten().collect()
}

#[test]
fn no_file_is_longer_than_600_lines() {
    let long: Vec<String> = sources()
        .iter()
        .map(|source| (source, source.text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(source, lines)| format!("{}: {lines} lines, look for the second noun", source.file.display()))
        .collect();
    assert!(long.is_empty(), "\n{}\n", long.join("\n"));
}

#[test]
fn every_module_is_named_for_something() {
    let empty: Vec<String> = sources()
        .iter()
        .filter(|source| source.module.iter().any(|name| EMPTY_NAMES.contains(&name.as_str())))
        .map(|source| source.file.display().to_string())
        .collect();
    assert!(empty.is_empty(), "named for nothing: {}", empty.join(", "));
}

#[test]
fn every_module_is_on_a_floor() {
    let sources = sources();
    assert!(sources.len() > 10, "only {} files read", sources.len());
    let lost: Vec<String> = sources
        .iter()
        .filter(|source| !source.module.is_empty() && floor(&unit(&source.module)).is_none())
        .map(|source| source.file.display().to_string())
        .collect();
    assert!(lost.is_empty(), "on no floor: {}", lost.join(", "));
}

#[test]
fn a_wrong_import_is_found() {
    // File, content, what must be said about it.
    let cases: &[(&str, &str, &[&str])] = &[
        ("rules/redirect.rs", "use crate::system::http::Answer;", &["1: rules imports system::http"]),
        ("rules/redirect.rs", "\n\nfn f() { crate::check::run() }", &["3: rules imports check"]),
        ("rules/a.rs", "use crate::{error::Error, cli::{args, config}};", &["1: rules imports cli"; 2]),
        ("rules/a/b.rs", "use super::super::super::cli::Cli;", &["1: rules imports cli"]),
        ("rules/a/b.rs", "use super::{super::c, D};", &[]),
        (
            "rules/a.rs",
            "mod inner { use super::super::c; use super::super::super::system; }",
            &["1: rules imports system"],
        ),
        ("report/plan.rs", "use crate::rules::units;", &["1: report imports rules"]),
        ("error.rs", "use crate::report::Finding;", &["1: error imports report"]),
        ("system/tls.rs", "use crate::system::http;", &["1: system::tls imports system::http"]),
        ("system/tls.rs", "use super::http::Answer;", &["1: system::tls imports system::http"]),
        ("system/process/mod.rs", "use crate::system::docker;", &["1: system::process imports system::docker"]),
        ("system/docker.rs", "use crate::check::Site;", &["1: system::docker imports check"]),
        ("backup/create.rs", "use crate::schedule::plan;", &["1: backup imports schedule"]),
        ("setup/init.rs", "use crate::overview::page;", &["1: setup imports overview"]),
        ("check/run.rs", "use crate::cli;", &["1: check imports cli"]),
        ("check/run.rs", "use crate::nowhere::At;", &["1: check imports nowhere, which is on no floor"]),
        (
            "rules/a.rs",
            "use std::{fs, net::{IpAddr, TcpStream}};",
            &["1: rules uses std::fs", "1: rules uses std::net::TcpStream"],
        ),
        (
            "rules/a.rs",
            "fn f() -> std::time::SystemTime { tokio::time::now() }",
            &["1: rules uses std::time::SystemTime", "1: rules uses tokio"],
        ),
        ("check/run.rs", "#[derive(clap::Parser)]\nstruct A;", &["1: check uses clap"]),
        ("system/tls.rs", "macro_rules! m { () => { $crate::cli::run() } }", &["1: system::tls imports cli"]),
        // What is right, or does not count.
        ("system/http.rs", "use crate::{error::Error, rules::redirect, system::{Context, tls}};", &[]),
        ("system/mod.rs", "pub use crate::system::process::Runner;", &[]),
        ("check/run.rs", "use crate::{backup, rules, schedule::plan, system::tls};", &[]),
        ("overview/page.rs", "use crate::setup::timers;", &[]),
        ("rules/a.rs", "// use crate::cli;\n/// [`x`](crate::cli::x)\nfn f() { \"crate::cli::x\"; }", &[]),
        (
            "rules/a.rs",
            "#[cfg(test)]\nmod tests { use crate::cli; }\nfn f() { crate::cli::x() }",
            &["3: rules imports cli"],
        ),
        (
            "rules/a.rs",
            "#[cfg(test)]\n#[expect(x)]\nuse crate::cli::{a, b};\nuse crate::check;",
            &["4: rules imports check"],
        ),
        ("rules/a.rs", "#[cfg(not(test))]\nuse crate::cli;", &["2: rules imports cli"]),
        ("rules/a.rs", "pub(crate) fn crate_name() { let std_fs = 1; a.tokio(); }", &[]),
    ];
    for (file, text, expected) in cases {
        let source = Source::new(Path::new(file), (*text).to_owned());
        let found: Vec<String> = judge(&source).iter().map(|wrong| format!("{}: {}", wrong.line, wrong.what)).collect();
        assert_eq!(found.len(), expected.len(), "{file}: {text}\n{found:?}");
        for (found, expected) in found.iter().zip(*expected) {
            assert!(found.starts_with(expected), "{file}: {text}\n{found} is not {expected}");
        }
    }
}

/// One file of `src/`.
struct Source {
    /// From the top of the repository.
    file: PathBuf,
    /// Its module path below the crate; empty for `lib.rs`.
    module: Vec<String>,
    text: String,
}

/// A path that starts at `crate`, or at a crate outside, with the line it stands on.
struct Import {
    path: Vec<String>,
    line: usize,
}

/// One sentence about one line.
struct Wrong {
    file: PathBuf,
    line: usize,
    what: String,
}

impl Source {
    fn new(below_src: &Path, text: String) -> Self {
        let mut module: Vec<String> =
            below_src.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if module.last().is_some_and(|name| name == "mod" || name == "lib") {
            module.pop();
        }
        Self { file: Path::new("src").join(below_src), module, text }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.what)
    }
}

/// Every file of `src/` that is part of the product: files of modules for tests only are left out.
fn sources() -> Vec<Source> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&top, &mut files);
    files.sort();
    let read = |file: &PathBuf| {
        let text = fs::read_to_string(file).expect("a source file is readable text");
        Source::new(file.strip_prefix(&top).expect("collected below it"), text)
    };
    let sources: Vec<Source> = files.iter().map(read).collect();
    let mut for_tests = Vec::new();
    for source in &sources {
        test_modules(tokens(source), &source.module, &mut for_tests);
    }
    sources.into_iter().filter(|source| !for_tests.iter().any(|module| source.module.starts_with(module))).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry of it").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn tokens(source: &Source) -> TokenStream {
    source.text.parse().unwrap_or_else(|error| panic!("{} is no Rust: {error}", source.file.display()))
}

/// Everything wrong with the imports of one file.
fn judge(source: &Source) -> Vec<Wrong> {
    // The crate root declares the modules, and that is all it does.
    if source.module.is_empty() {
        return Vec::new();
    }
    let from = unit(&source.module);
    let mut imports = Vec::new();
    walk(tokens(source), &source.module, &mut imports);
    let wrong = |import: &Import| {
        let what = if import.path.first().is_some_and(|first| first == "crate") {
            inside(&from, &unit(&import.path[1..]))
        } else {
            outside(&from, &import.path)
        };
        what.map(|what| Wrong { file: source.file.clone(), line: import.line, what })
    };
    imports.iter().filter_map(wrong).collect()
}

/// The part of the crate that a module path belongs to.
fn unit(path: &[String]) -> String {
    match path {
        // A capital letter is a type of the root: `crate::system::Context`.
        [first, second, ..] if first == "system" && second.starts_with(|c: char| c.is_ascii_lowercase()) => {
            format!("system::{second}")
        }
        [first, ..] => first.clone(),
        [] => String::new(),
    }
}

fn floor(unit: &str) -> Option<u8> {
    let first = unit.split("::").next().unwrap_or_default();
    FLOORS.iter().find(|(name, _)| *name == first).map(|(_, floor)| *floor)
}

/// What is wrong when `from` imports `to`, both in this crate.
fn inside(from: &str, to: &str) -> Option<String> {
    let (Some(own), Some(other)) = (floor(from), floor(to)) else {
        return Some(format!("{from} imports {to}, which is on no floor of tests/floors.rs"));
    };
    let alongside = || {
        from == to
            || from == "system"
            || ALONGSIDE.contains(&(from, to))
            || from.starts_with("system::") && FOR_ALL_OF_SYSTEM.contains(&to)
    };
    match own.cmp(&other) {
        std::cmp::Ordering::Greater => None,
        std::cmp::Ordering::Equal if alongside() => None,
        std::cmp::Ordering::Equal => Some(format!("{from} imports {to}, its neighbour on floor {own}")),
        std::cmp::Ordering::Less => Some(format!("{from} imports {to}: floor {own} does not know floor {other}")),
    }
}

/// What is wrong when `from` uses this path of another crate.
fn outside(from: &str, path: &[String]) -> Option<String> {
    let path = path.join("::");
    let own = floor(from)?;
    let (name, from_floor) =
        OUTSIDE.iter().find(|(name, _)| path == *name || path.starts_with(&format!("{name}::")))?;
    (own < *from_floor).then(|| format!("{from} uses {name}, which belongs to floor {from_floor} and above"))
}

/// Collects every path of these tokens that starts at `crate`, `super` or a crate of [`OUTSIDE`].
fn walk(stream: TokenStream, module: &[String], imports: &mut Vec<Import>) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        if let Some(end) = test_item(&tokens, at) {
            at = end;
            continue;
        }
        match &tokens[at] {
            TokenTree::Group(group) => {
                let inner = module_name(&tokens, at).filter(|_| group.delimiter() == Delimiter::Brace);
                let deeper: Vec<String> = module.iter().cloned().chain(inner).collect();
                walk(group.stream(), &deeper, imports);
                at += 1;
            }
            TokenTree::Ident(ident) if starts_path(&tokens, at) && is_path(&tokens, at + 1) => {
                let name = ident.to_string();
                let outside = OUTSIDE.iter().any(|(path, _)| path.split("::").next() == Some(name.as_str()));
                if name == "crate" || name == "super" || outside {
                    at = read_path(&tokens, at, &[], module, imports);
                } else {
                    at += 1;
                }
            }
            _ => at += 1,
        }
    }
}

/// Reads the path at `at`, with its `{…}` groups; the index after it.
fn read_path(
    tokens: &[TokenTree],
    mut at: usize,
    prefix: &[String],
    module: &[String],
    imports: &mut Vec<Import>,
) -> usize {
    let mut path = prefix.to_vec();
    let line = tokens[at].span().start().line;
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(ident)) => path.push(ident.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                read_group(group.stream(), &path, module, imports);
                return at + 1;
            }
            Some(TokenTree::Punct(punct)) if punct.as_char() == '*' => {}
            _ => break,
        }
        at += 1;
        if !is_path(tokens, at) {
            break;
        }
        at += 2;
    }
    if let Some(path) = absolute(path, module) {
        imports.push(Import { path, line });
    }
    at
}

/// The members of a `{…}` in a `use`.
fn read_group(stream: TokenStream, prefix: &[String], module: &[String], imports: &mut Vec<Import>) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        let member = matches!(&tokens[at], TokenTree::Ident(ident) if ident != "as");
        let renamed = at > 0 && matches!(&tokens[at - 1], TokenTree::Ident(ident) if ident == "as");
        if (member && !renamed) || matches!(&tokens[at], TokenTree::Group(_)) {
            at = read_path(&tokens, at, prefix, module, imports);
        } else {
            at += 1;
        }
    }
}

/// A path with its `super`s taken away; `None` for one that leads nowhere, which is the compiler's business.
fn absolute(path: Vec<String>, module: &[String]) -> Option<Vec<String>> {
    let path: Vec<String> = path.into_iter().filter(|name| name != "self").collect();
    let supers = path.iter().take_while(|name| *name == "super").count();
    if supers == 0 {
        return Some(path);
    }
    let above = module.get(..module.len().checked_sub(supers)?)?;
    let full: Vec<String> = above.iter().chain(&path[supers..]).cloned().collect();
    (!full.is_empty()).then(|| std::iter::once("crate".to_owned()).chain(full).collect())
}

/// Whether a path can start here: not after `::` or a dot.
fn starts_path(tokens: &[TokenTree], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|index| tokens.get(index));
    match before(1) {
        Some(TokenTree::Punct(punct)) if punct.as_char() == '.' => false,
        Some(TokenTree::Punct(punct)) if punct.as_char() == ':' => {
            // `::std::fs` is a path all the same, `a::std` is not; `name: std::…` has one colon only.
            !matches!(before(2), Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
                || !matches!(before(3), Some(TokenTree::Ident(_)))
        }
        _ => true,
    }
}

/// Whether `::` stands here.
fn is_path(tokens: &[TokenTree], at: usize) -> bool {
    let colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    colon(at) && colon(at + 1)
}

/// The `NAME` of `mod NAME` right before this token.
fn module_name(tokens: &[TokenTree], at: usize) -> Option<String> {
    let (keyword, name) = (tokens.get(at.checked_sub(2)?)?, tokens.get(at - 1)?);
    match (keyword, name) {
        (TokenTree::Ident(keyword), TokenTree::Ident(name)) if keyword == "mod" => Some(name.to_string()),
        _ => None,
    }
}

/// When `#[cfg(test)]` stands here, the index after the item that it belongs to.
fn test_item(tokens: &[TokenTree], at: usize) -> Option<usize> {
    let mut end = attribute(tokens, at).filter(|text| is_for_tests(text)).map(|_| at + 2)?;
    while attribute(tokens, end).is_some() {
        end += 2;
    }
    let is_use = tokens[end..].iter().take(4).any(|token| matches!(token, TokenTree::Ident(word) if word == "use"));
    while let Some(token) = tokens.get(end) {
        end += 1;
        match token {
            TokenTree::Punct(punct) if punct.as_char() == ';' => break,
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && !is_use => break,
            _ => {}
        }
    }
    Some(end)
}

/// The text of the outer attribute that stands here.
fn attribute(tokens: &[TokenTree], at: usize) -> Option<String> {
    match (tokens.get(at)?, tokens.get(at + 1)?) {
        (TokenTree::Punct(punct), TokenTree::Group(group))
            if punct.as_char() == '#' && group.delimiter() == Delimiter::Bracket =>
        {
            Some(group.stream().to_string().replace(' ', ""))
        }
        _ => None,
    }
}

fn is_for_tests(attribute: &str) -> bool {
    attribute == "cfg(test)" || attribute.starts_with("cfg(all(test,")
}

/// The modules that are declared, below this one, for tests only and live in files of their own.
fn test_modules(stream: TokenStream, module: &[String], found: &mut Vec<Vec<String>>) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    for at in 0..tokens.len() {
        let Some(end) = test_item(&tokens, at) else { continue };
        // `… mod NAME ;`
        if let Some(name) = module_name(&tokens, end - 1) {
            found.push(module.iter().cloned().chain([name]).collect());
        }
    }
}
