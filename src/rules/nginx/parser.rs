//! From text to tree, following includes as nginx does.

use std::{fmt, sync::Arc};

use super::{
    context::{self, Context},
    glob,
    lexer::{Lexer, Refusal, Statement},
    tree::{Config, Directive, Place},
};

/// Where included files come from: the rules themselves read nothing.
pub trait Source {
    /// The text of a file, or `None` when it is not there.
    fn read(&self, path: &str) -> Option<String>;

    /// The paths that match a pattern, in any order.
    fn glob(&self, pattern: &str) -> Vec<String>;
}

/// Why there is no tree.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ParseError {
    /// What sort of trouble it is.
    pub trouble: Trouble,
    /// Where, as far as one place can be named.
    pub at: Option<Place>,
    /// What nginx would say, or what we could not do.
    pub why: String,
}

/// What a [`ParseError`] says about the configuration, in alphabetical order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// It is larger or deeper than this evaluator reads.
    Limit,
    /// A file that it includes is not at hand.
    Missing,
    /// The text is not the output of `nginx -T`.
    NoDump,
    /// nginx would refuse it.
    Syntax,
}

/// Parses the main file and what it includes.
///
/// ```
/// use mainstay::rules::nginx::{Source, parse_files};
/// struct One;
/// impl Source for One {
///     fn read(&self, path: &str) -> Option<String> {
///         (path == "/etc/nginx/nginx.conf").then(|| "http { include sites/*.conf; }".to_owned())
///     }
///     fn glob(&self, _pattern: &str) -> Vec<String> {
///         Vec::new()
///     }
/// }
/// let config = parse_files("/etc/nginx/nginx.conf", &One)?;
/// assert_eq!(config.files(), ["/etc/nginx/nginx.conf"]);
/// # Ok::<(), mainstay::rules::nginx::ParseError>(())
/// ```
///
/// # Errors
///
/// A file is missing, or nginx would refuse what one says.
pub fn parse_files(main: &str, source: &dyn Source) -> Result<Config, ParseError> {
    let mut parser = Parser {
        source,
        folder: folder_of(main).to_owned(),
        files: Vec::new(),
        open: Vec::new(),
        directives: 0,
        bytes: 0,
    };
    let mut top = Vec::new();
    parser.file(main, None, Context::Main, 0, &mut top)?;
    if let Some(second) = top.iter().filter(|directive| directive.name == "http").nth(1) {
        return Err(syntax(second.at.clone(), "\"http\" directive is duplicate".to_owned()));
    }
    Ok(Config { top, files: parser.files })
}

/// The path of an include as nginx completes it: relative to the folder of the main file.
pub(super) fn complete(folder: &str, path: &str) -> String {
    if path.starts_with('/') || folder.is_empty() {
        path.to_owned()
    } else if folder == "/" {
        format!("/{path}")
    } else {
        format!("{folder}/{path}")
    }
}

/// The folder of a path; empty when it has none.
pub(super) fn folder_of(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) => "/",
        Some(end) => &path[..end],
        None => "",
    }
}

/// Includes inside includes; nginx itself ends when it runs out of file descriptors.
const DEEPEST_INCLUDE: usize = 40;
/// Blocks inside blocks: far beyond what anyone writes, far below what the stack holds.
const DEEPEST_BLOCK: usize = 60;
/// Directives after expansion; 400 servers with their includes need about 50 000.
const MOST_DIRECTIVES: usize = 400_000;
/// Bytes read, counting a file as often as it is included.
const MOST_BYTES: usize = 64 << 20;

struct Parser<'a> {
    source: &'a dyn Source,
    folder: String,
    files: Vec<String>,
    open: Vec<String>,
    directives: usize,
    bytes: usize,
}

/// Where inside a file the parser stands.
struct Reading<'a> {
    lexer: Lexer<'a>,
    file: Arc<str>,
    opened: usize,
}

impl Reading<'_> {
    fn place(&self, line: usize) -> Place {
        Place { file: Arc::clone(&self.file), line }
    }

    fn refused(&self, refusal: Refusal) -> ParseError {
        syntax(self.place(refusal.line), refusal.why)
    }
}

impl Parser<'_> {
    fn file(
        &mut self,
        path: &str,
        from: Option<&Place>,
        context: Context,
        depth: usize,
        into: &mut Vec<Directive>,
    ) -> Result<(), ParseError> {
        if self.open.iter().any(|open| open == path) {
            return Err(limit(from, format!("`{path}` includes itself")));
        }
        if self.open.len() >= DEEPEST_INCLUDE {
            return Err(limit(from, format!("more than {DEEPEST_INCLUDE} files include each other")));
        }
        let Some(text) = self.source.read(path) else {
            let why = format!("the included file `{path}` is not at hand");
            return Err(ParseError { trouble: Trouble::Missing, at: from.cloned(), why });
        };
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > MOST_BYTES {
            return Err(limit(from, format!("the configuration has more than {} MiB", MOST_BYTES >> 20)));
        }
        if !self.files.iter().any(|known| known == path) {
            self.files.push(path.to_owned());
        }
        self.open.push(path.to_owned());
        let mut reading = Reading { lexer: Lexer::new(&text), file: Arc::from(path), opened: 0 };
        self.block(&mut reading, context, depth, into)?;
        self.open.pop();
        Ok(())
    }

    /// Reads up to the end of the block, or of the file when no block of it is open.
    fn block(
        &mut self,
        reading: &mut Reading<'_>,
        context: Context,
        depth: usize,
        into: &mut Vec<Directive>,
    ) -> Result<(), ParseError> {
        loop {
            match reading.lexer.statement().map_err(|refusal| reading.refused(refusal))? {
                Statement::Close { line } if reading.opened == 0 => {
                    return Err(syntax(reading.place(line), "unexpected \"}\"".to_owned()));
                }
                Statement::Close { .. } => return Ok(()),
                Statement::End if reading.opened > 0 => {
                    let why = "unexpected end of file, expecting \"}\"".to_owned();
                    return Err(syntax(reading.place(reading.lexer.line()), why));
                }
                Statement::End => return Ok(()),
                Statement::Words { words, line, opens } => {
                    self.directive(reading, context, depth, words, line, opens, into)?;
                }
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one call site; a struct of these would only rename them")]
    fn directive(
        &mut self,
        reading: &mut Reading<'_>,
        context: Context,
        depth: usize,
        mut words: Vec<String>,
        line: usize,
        opens: bool,
        into: &mut Vec<Directive>,
    ) -> Result<(), ParseError> {
        let at = reading.place(line);
        let name = words.remove(0);
        if name == "include" && !opens && words.len() == 1 {
            return self.include(&words[0], &at, context, depth, into);
        }
        self.directives += 1;
        if self.directives > MOST_DIRECTIVES {
            return Err(limit(Some(&at), format!("the configuration has more than {MOST_DIRECTIVES} directives")));
        }
        let mut directive = Directive { name, args: words, at: at.clone(), block: None };
        if opens {
            if depth >= DEEPEST_BLOCK {
                return Err(limit(Some(&at), format!("more than {DEEPEST_BLOCK} blocks stand in each other")));
            }
            let mut children = Vec::new();
            if directive.name.ends_with("_by_lua_block") {
                reading.lexer.skip_lua().map_err(|refusal| reading.refused(refusal))?;
            } else {
                reading.opened += 1;
                self.block(reading, context.inside(&directive.name), depth + 1, &mut children)?;
                reading.opened -= 1;
            }
            directive.block = Some(children);
        }
        context::admit(context, &directive)
            .and_then(|()| context::admit_again(into, &directive))
            .map_err(|why| syntax(at, why))?;
        into.push(directive);
        Ok(())
    }

    fn include(
        &mut self,
        path: &str,
        at: &Place,
        context: Context,
        depth: usize,
        into: &mut Vec<Directive>,
    ) -> Result<(), ParseError> {
        let path = complete(&self.folder, path);
        if !glob::is_pattern(&path) {
            return self.file(&path, Some(at), context, depth, into);
        }
        let mut found = self.source.glob(&path);
        found.sort_unstable();
        for file in found {
            self.file(&file, Some(at), context, depth, into)?;
        }
        Ok(())
    }
}

fn syntax(at: Place, why: String) -> ParseError {
    ParseError { trouble: Trouble::Syntax, at: Some(at), why }
}

fn limit(at: Option<&Place>, why: String) -> ParseError {
    ParseError { trouble: Trouble::Limit, at: at.cloned(), why }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(at) => write!(f, "{} in {at}", self.why),
            None => f.write_str(&self.why),
        }
    }
}

impl std::error::Error for ParseError {}
