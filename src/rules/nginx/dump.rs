//! The output of `nginx -T`: every file once, in the order of first reading, however often it is included.
//!
//! A section is a comment line with the file's path, the raw text, and one more newline (`ngx_conf_add_dump` and
//! `main` in `src/core/nginx.c`). A file may hold such a comment line itself, so the text is cut only at names that an
//! include asks for.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    mem,
};

use super::{
    glob,
    lexer::{Lexer, Statement},
    parser::{ParseError, Source, Trouble, complete, folder_of, parse_files},
    tree::Config,
};

/// Parses the standard output of `nginx -T`.
///
/// # Errors
///
/// It is no dump, an included file has no section, or nginx would refuse what a file says.
pub fn parse_dump(text: &str) -> Result<Config, ParseError> {
    let Some(headers) = Headers::find(text) else {
        let why = "it does not begin with `# configuration file …:`".to_owned();
        return Err(ParseError { trouble: Trouble::NoDump, at: None, why });
    };
    let first = headers.parse(false);
    match first {
        Ok(config) => Ok(config),
        // A comment inside a file may name a file that is really included. A true header follows the newline that the
        // dump adds, so a second reading believes only those.
        Err(error) => headers.parse(true).or(Err(error)),
    }
}

const MARK: &str = "# configuration file ";

/// More than this many comparisons of a name with a pattern are somebody's joke.
const MOST_MATCHES: usize = 2_000_000;

/// Every line that could begin a section.
struct Headers<'a> {
    text: &'a str,
    lines: Vec<Header<'a>>,
}

#[derive(Clone, Copy)]
struct Header<'a> {
    name: &'a str,
    /// Where the comment line begins.
    start: usize,
    /// Where the text after it begins.
    body: usize,
    /// Whether an empty line, or nothing, stands before it.
    apart: bool,
}

impl<'a> Headers<'a> {
    fn find(text: &'a str) -> Option<Self> {
        let mut lines = Vec::new();
        let mut start = 0;
        let mut blank = true;
        for line in text.split_inclusive('\n') {
            let bare = line.trim_end_matches(['\n', '\r']);
            if let Some(name) = bare.strip_prefix(MARK).and_then(|rest| rest.strip_suffix(':')) {
                lines.push(Header { name, start, body: start + line.len(), apart: blank });
            } else if lines.is_empty() && !(bare.is_empty() || bare.starts_with("nginx: ")) {
                // Only nginx's own messages may come first, for a dump that was saved with `2>&1`.
                return None;
            }
            blank = bare.is_empty();
            start += line.len();
        }
        (!lines.is_empty()).then_some(Self { text, lines })
    }

    fn parse(&self, only_apart: bool) -> Result<Config, ParseError> {
        let candidates: Vec<Header<'a>> =
            self.lines.iter().enumerate().filter(|(i, h)| *i == 0 || !only_apart || h.apart).map(|(_, h)| *h).collect();
        let main = candidates[0].name;
        let asked = Asked::by(self.text, &candidates, folder_of(main));
        let mut known = BTreeSet::new();
        let mut starts = Vec::new();
        let mut budget = MOST_MATCHES;
        for (index, header) in candidates.iter().enumerate() {
            if known.contains(header.name) {
                continue;
            }
            if index == 0 || asked.wants(header.name, &mut budget)? {
                known.insert(header.name);
                starts.push(*header);
            }
        }
        let mut sections = BTreeMap::new();
        for (index, header) in starts.iter().enumerate() {
            let end = starts.get(index + 1).map_or(self.text.len(), |next| next.start);
            sections.insert(header.name, &self.text[header.body..end]);
        }
        let sections = Sections { texts: sections, found: RefCell::default(), budget: Cell::new(MOST_MATCHES) };
        let config = parse_files(main, &sections);
        if sections.budget.get() == 0 { Err(too_many()) } else { config }
    }
}

/// The paths that include directives anywhere in the dump ask for.
///
/// Each piece between two candidates is either a file or the rest of one, so what it includes is included.
struct Asked {
    names: BTreeSet<String>,
    patterns: BTreeSet<String>,
}

impl Asked {
    fn by(text: &str, candidates: &[Header<'_>], folder: &str) -> Self {
        let mut asked = Self { names: BTreeSet::new(), patterns: BTreeSet::new() };
        for (index, header) in candidates.iter().enumerate() {
            let end = candidates.get(index + 1).map_or(text.len(), |next| next.start);
            let mut lexer = Lexer::new(&text[header.body..end]);
            loop {
                match lexer.statement() {
                    Ok(Statement::Words { words, opens: true, .. }) if words[0].ends_with("_by_lua_block") => {
                        if lexer.skip_lua().is_err() {
                            break;
                        }
                    }
                    Ok(Statement::Words { mut words, opens: false, .. })
                        if words.len() == 2 && words[0] == "include" =>
                    {
                        let path = complete(folder, &mem::take(&mut words[1]));
                        if glob::is_pattern(&path) {
                            asked.patterns.insert(path);
                        } else {
                            asked.names.insert(path);
                        }
                    }
                    Ok(Statement::End) | Err(_) => break,
                    Ok(_) => {}
                }
            }
        }
        asked
    }

    fn wants(&self, name: &str, budget: &mut usize) -> Result<bool, ParseError> {
        if self.names.contains(name) {
            return Ok(true);
        }
        for pattern in &self.patterns {
            *budget = budget.checked_sub(cost(pattern, name)).ok_or_else(too_many)?;
            if glob::matches(pattern, name) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// What a comparison costs, roughly.
fn cost(pattern: &str, name: &str) -> usize {
    1 + pattern.len().saturating_mul(name.len()) / 64
}

fn too_many() -> ParseError {
    ParseError { trouble: Trouble::Limit, at: None, why: "the dump has too many files and patterns".to_owned() }
}

/// The sections of a dump as the files of a configuration.
struct Sections<'a> {
    texts: BTreeMap<&'a str, &'a str>,
    /// What patterns found, because one pattern usually stands in many servers.
    found: RefCell<BTreeMap<String, Vec<String>>>,
    /// What may still be compared; nothing is found any more when it is spent.
    budget: Cell<usize>,
}

impl Source for Sections<'_> {
    fn read(&self, path: &str) -> Option<String> {
        self.texts.get(path).map(|text| (*text).to_owned())
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        if let Some(found) = self.found.borrow().get(pattern) {
            return found.clone();
        }
        let mut found = Vec::new();
        for name in self.texts.keys() {
            let left = self.budget.get().saturating_sub(cost(pattern, name));
            self.budget.set(left);
            if left == 0 {
                return Vec::new();
            }
            if glob::matches(pattern, name) {
                found.push((*name).to_owned());
            }
        }
        self.found.borrow_mut().insert(pattern.to_owned(), found.clone());
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_26_a_file_is_dumped_once_and_expanded_everywhere() {
        let dump = "# configuration file /etc/nginx/nginx.conf:\nhttp { server { include p.conf; location / { include p.conf; } } }\n\n\
                    # configuration file /etc/nginx/p.conf:\nproxy_set_header A b;\n\n";
        let config = parse_dump(dump).unwrap();
        assert_eq!(config.files(), ["/etc/nginx/nginx.conf", "/etc/nginx/p.conf"]);
        let server = config.http().unwrap().last("server").unwrap();
        assert_eq!(server.children()[0].head(), "proxy_set_header A b");
        assert_eq!(server.children()[0].at.to_string(), "/etc/nginx/p.conf:1");
        assert_eq!(server.last("location").unwrap().children()[0].head(), "proxy_set_header A b");
    }

    #[test]
    fn only_an_include_makes_a_comment_line_a_section() {
        let dump = "nginx: the configuration file x syntax is ok\n# configuration file /n/nginx.conf:\nhttp {\n\
                    # configuration file /n/other.conf:\n  server { listen 1; }\n  include d/*.conf;\n}\n\n\
                    # configuration file /n/d/b.conf:\nserver { listen 2; }\n\n# configuration file /n/d/.c.conf:\n";
        let config = parse_dump(dump).unwrap();
        assert_eq!(config.files(), ["/n/nginx.conf", "/n/d/b.conf"]);
        let listens: Vec<_> =
            config.http().unwrap().all("server").map(|server| server.last("listen").unwrap()).collect();
        assert_eq!(listens[0].at.to_string(), "/n/nginx.conf:3");
        assert_eq!(listens[1].at.to_string(), "/n/d/b.conf:1");
    }

    #[test]
    fn a_comment_with_an_included_name_does_not_cut_its_file() {
        let dump = "# configuration file /n/nginx.conf:\nhttp {\n# configuration file /n/d/b.conf:\ninclude d/*.conf;\n}\n\n\
                    # configuration file /n/d/b.conf:\nserver { listen 2; }\n\n";
        let config = parse_dump(dump).unwrap();
        assert_eq!(config.http().unwrap().all("server").count(), 1);
    }

    #[test]
    fn a_literal_include_without_a_section_is_missing_and_an_empty_pattern_is_not() {
        let error = parse_dump("# configuration file /n/nginx.conf:\nhttp { include a.conf; }\n").unwrap_err();
        assert_eq!(error.trouble, Trouble::Missing);
        assert_eq!(error.at.unwrap().to_string(), "/n/nginx.conf:1");
        assert!(parse_dump("# configuration file /n/nginx.conf:\nhttp { include a/*.conf; }\n").is_ok());
        assert_eq!(parse_dump("server {}").unwrap_err().trouble, Trouble::NoDump);
    }

    #[test]
    fn what_nginx_refuses_is_an_error_with_its_place() {
        let table = [
            ("http { server { location ~ ^/a{2}$ { } } }", "unknown directive \"2}$\""),
            (
                "http { server { location / { if ($a) { proxy_set_header A b; } } } }",
                "\"proxy_set_header\" directive is not allowed here",
            ),
            ("http { server { proxy_pass http://a; } }", "\"proxy_pass\" directive is not allowed here"),
            ("http {", "unexpected end of file, expecting \"}\""),
            ("http { } }", "unexpected \"}\""),
            (
                "http { server { location / { proxy_pass http://a; proxy_pass http://b; } } }",
                "\"proxy_pass\" directive is duplicate",
            ),
            ("http { } http { }", "\"http\" directive is duplicate"),
        ];
        for (text, why) in table {
            let error = parse_dump(&format!("# configuration file /n/nginx.conf:\n{text}\n")).unwrap_err();
            assert_eq!((error.trouble, error.why.as_str()), (Trouble::Syntax, why), "{text}");
        }
    }
}
