//! Walks the TOML document by the vocabulary and goes on after a mistake, so that all of them are reported at once.

mod kind;
mod relations;

use std::{collections::BTreeSet, ops::Range, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use kind::{fits, short};

use crate::system::secret::Secret;

use super::{
    diagnostic::{Diagnostic, Problem, Source},
    hide,
    nearest::nearest,
    table::{self, Default, Key, Kind, Table, Text},
    value::{Entry, Origin, Tree, Value, bare},
};

/// A document that was read as far as it is right.
pub struct Document {
    /// What is right in it, with defaults.
    pub tree: Tree,
    /// What is wrong in it, in the order of the file.
    pub problems: Vec<Diagnostic>,
    /// Lines that hold a secret as it is.
    pub literal_secrets: Vec<usize>,
}

/// Reads a configuration; `base` is the folder that its relative paths start from.
pub fn read(text: &str, name: &str, base: &Path) -> Document {
    let (document, errors) = DeTable::parse_recoverable(text);
    let lines = Source::new(name, text, Vec::new());
    let mut walk = Walk { base, lines: Some(&lines), problems: Vec::new(), hidden: Vec::new(), secrets: Vec::new() };
    for error in errors.iter().take(MOST + 1) {
        let span = error.span().unwrap_or(0..0);
        walk.problems.push(Problem { span, message: error.message().replace('\n', ", "), suggestion: None });
    }
    let syntax = walk.problems.len();
    let broken: BTreeSet<usize> = walk.problems.iter().map(|problem| lines.line(problem.span.start)).collect();
    let mut tree = walk.table(&table::ROOT, document.get_ref(), "", document.span());
    name_project(&mut tree, base);
    if !errors.is_empty() {
        // What the parser made up to go on is not the operator's mistake.
        let mut kept = syntax;
        walk.problems.retain(|problem| {
            let is_syntax = kept > 0;
            kept = kept.saturating_sub(1);
            let follows = problem.message.starts_with("missing") || broken.contains(&lines.line(problem.span.start));
            is_syntax || !follows
        });
    }
    let Walk { mut problems, mut hidden, secrets, .. } = walk;
    hidden.extend(hide::by_look(text));
    problems.sort_by_key(|problem| problem.span.start);
    let source = Source::new(name, text, hidden);
    Document {
        tree,
        problems: located(&source, problems),
        literal_secrets: secrets.into_iter().map(|byte| source.line(byte)).collect(),
    }
}

/// All problems with their places; a file that is not a configuration at all is not worth a book.
fn located(source: &Source<'_>, mut problems: Vec<Problem>) -> Vec<Diagnostic> {
    let more = problems.len() > MOST;
    problems.truncate(MOST);
    if let (Some(last), true) = (problems.last().cloned(), more) {
        problems.push(Problem { message: "and there are more mistakes".into(), suggestion: None, ..last });
    }
    problems.into_iter().map(|problem| source.locate(problem)).collect()
}

/// How many mistakes are shown.
const MOST: usize = 200;

/// The project's default is the name of the folder.
fn name_project(tree: &mut Tree, base: &Path) {
    if tree.value("project").is_none() {
        let name = base.file_name().map_or_else(|| "mainstay".into(), |name| name.to_string_lossy().into_owned());
        let clean: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
        let clean = clean.trim_start_matches(['.', '-']);
        let value = Value::Text(if clean.is_empty() { "mainstay".into() } else { clean.into() });
        tree.entries.insert(0, Entry { name: "project".into(), value, origin: Origin::Default });
    }
}

/// One walk over a document.
pub struct Walk<'a> {
    /// The folder that relative paths start from.
    pub base: &'a Path,
    /// The document's lines; none while a default is read.
    lines: Option<&'a Source<'a>>,
    problems: Vec<Problem>,
    /// What must not be shown.
    hidden: Vec<Range<usize>>,
    /// Where a secret is written out.
    secrets: Vec<usize>,
}

/// A value of the document.
pub type Node<'a> = Spanned<DeValue<'a>>;

impl Walk<'_> {
    /// Remembers a mistake.
    pub fn wrong(&mut self, span: Range<usize>, message: impl Into<String>, suggestion: Option<String>) {
        self.problems.push(Problem { span, message: message.into(), suggestion });
    }

    /// Whether so much is wrong that nobody reads more of it; looking for near words would only cost time.
    fn is_full(&self) -> bool {
        self.problems.len() > MOST
    }

    fn origin(&self, span: &Range<usize>) -> Origin {
        self.lines.map_or(Origin::Default, |lines| Origin::File(lines.line(span.start)))
    }

    /// Reads a table with fixed keys. `header` is where it begins.
    fn table(&mut self, table: &'static Table, document: &DeTable<'_>, path: &str, header: Range<usize>) -> Tree {
        let mut given: Vec<&str> = Vec::new();
        for (key, value) in document {
            match table.key(key.get_ref()) {
                Some(known) => given.push(known.name),
                None if self.is_full() => break,
                None => given.extend(self.unknown(table, key, value, path)),
            }
        }
        let mut tree = Tree::default();
        for known in table.keys {
            let origin_and_value = match document.get_key_value(known.name) {
                Some((key, node)) => {
                    let path = join(path, known.name);
                    self.value(&known.kind, node, &path, key.span()).map(|value| (self.origin(&key.span()), value))
                }
                None => self.default(known).map(|value| (Origin::Default, value)),
            };
            if let Some((origin, value)) = origin_and_value {
                tree.entries.push(Entry { name: known.name.into(), value, origin });
            } else if matches!(known.default, Default::Required) && !given.contains(&known.name) {
                self.wrong(
                    header.clone(),
                    format!("missing `{}` in {}", known.name, section(path)),
                    Some(format!("write `{} = {}`", known.name, known.example)),
                );
            }
        }
        self.rules(table, document, &tree, &given, path, &header);
        tree
    }

    /// Reports an unknown key; the known key that was probably meant.
    fn unknown(
        &mut self,
        table: &'static Table,
        key: &Spanned<impl AsRef<str>>,
        value: &Node<'_>,
        path: &str,
    ) -> Option<&'static str> {
        let typed = key.get_ref().as_ref();
        let near = nearest(typed, table.keys.iter().map(|key| key.name)).and_then(|near| table.key(near));
        // What was meant to be a secret must not be shown by the complaint about its key.
        let is_open = near.map_or_else(|| table::is_open(typed), |near| !matches!(near.kind, Kind::Secret(_)));
        let holds_text = matches!(value.get_ref(), DeValue::String(_) | DeValue::Array(_));
        if holds_text && !is_open {
            self.hidden.push(value.span());
        }
        let is_table = |node: &DeValue<'_>| node.as_table().is_some();
        let is_section = path.is_empty()
            && match value.get_ref() {
                DeValue::Array(items) => items.iter().any(|item| is_table(item.get_ref())),
                node => is_table(node),
            };
        let suggestion = match near {
            Some(near) => Some(format!("did you mean `{}`?", near.name)),
            None => table::home_of(typed).map(|home| format!("`{typed}` belongs in {home}")),
        };
        let suggestion = suggestion.or_else(|| {
            let names: Vec<&str> = table.keys.iter().map(|key| key.name).collect();
            (names.len() <= 12).then(|| format!("there are `{}`", names.join("`, `")))
        });
        let message = if is_section {
            format!("unknown section `{typed}`")
        } else {
            format!("unknown key `{typed}` in {}", section(path))
        };
        self.wrong(key.span(), message, suggestion);
        near.map(|near| near.name)
    }

    fn default(&mut self, key: &'static Key) -> Option<Value> {
        let Default::Value(text) = key.default else { return None };
        let node = DeValue::parse(text).ok()?;
        let mut walk = Walk { base: self.base, lines: None, problems: vec![], hidden: vec![], secrets: vec![] };
        walk.value(&key.kind, &node, key.name, 0..0)
    }

    /// Reads a value; `key` is where its key stands.
    fn value(&mut self, kind: &'static Kind, node: &Node<'_>, path: &str, key: Range<usize>) -> Option<Value> {
        if self.is_full() {
            return None;
        }
        match (kind, node.get_ref()) {
            (Kind::Either(kinds), found) => match kinds.iter().find(|kind| fits(kind, found)) {
                // A word that is none may have been meant as one of the other kinds: `mounted = "yes"`.
                Some(Kind::Text(Text::Word(words))) if found.as_str().is_some_and(|text| !words.contains(&text)) => {
                    let not = found.as_str().map(short).unwrap_or_default();
                    self.wrong(node.span(), format!("`{path}` must be {}, not \"{not}\"", kind.words()), None);
                    None
                }
                Some(kind) => self.value(kind, node, path, key),
                None => self.wrong_type(kind, node, path),
            },
            (Kind::Flag, DeValue::Boolean(flag)) => Some(Value::Flag(*flag)),
            (Kind::Only(only), DeValue::Boolean(flag)) if flag == only => Some(Value::Flag(*flag)),
            (Kind::List(of, least), DeValue::Array(items)) => {
                if items.len() < *least {
                    self.wrong(node.span(), format!("`{path}` is an empty list"), Some("leave the key out".into()));
                    return None;
                }
                let values: Vec<_> = items.iter().map(|item| self.value(of, item, path, key.clone())).collect();
                values.into_iter().collect::<Option<_>>().map(Value::List)
            }
            (Kind::Many(table), DeValue::Array(items)) => {
                let mut values = Vec::new();
                for item in items {
                    match item.get_ref() {
                        _ if self.is_full() => break,
                        DeValue::Table(found) => {
                            let header = self.header(item.span(), &key);
                            values.push(Value::Table(self.table(table, found, path, header)));
                        }
                        _ => {
                            self.wrong_type(kind, item, path);
                        }
                    }
                }
                Some(Value::List(values))
            }
            (Kind::Map(names, of), DeValue::Table(found)) => Some(Value::Table(self.map(*names, of, found, path))),
            (Kind::Named(table), DeValue::Table(found)) => Some(Value::Table(self.named(table, found, path))),
            (Kind::Price, DeValue::Integer(_) | DeValue::Float(_)) => self.price(node, path),
            (Kind::Secret(text), found) => self.secret(*text, found, node, path, key),
            (Kind::Table(table), DeValue::Table(found)) => {
                let header = self.header(node.span(), &key);
                Some(Value::Table(self.table(table, found, path, header)))
            }
            (Kind::Text(text), DeValue::String(found)) => self.text(*text, found, node.span(), path),
            (Kind::Whole(least, most), DeValue::Integer(found)) => {
                match u64::from_str_radix(found.as_str(), found.radix()) {
                    Ok(number) if (*least..=*most).contains(&number) => Some(Value::Whole(number)),
                    _ => {
                        let message = format!("`{path}` must be {}, not {found}", kind.words());
                        self.wrong(node.span(), message, None);
                        None
                    }
                }
            }
            _ => self.wrong_type(kind, node, path),
        }
    }

    fn text(&mut self, text: Text, found: &str, span: Range<usize>, path: &str) -> Option<Value> {
        match text.read(found, self.base) {
            Ok(value) => Some(value),
            Err(wrong) => {
                let message = if wrong.secret {
                    self.hidden.push(span.clone());
                    format!("`{path}`: {}", wrong.why)
                } else {
                    let not = if found.is_empty() { String::new() } else { format!(", not \"{}\"", short(found)) };
                    let why = if wrong.why.is_empty() { String::new() } else { format!(": {}", wrong.why) };
                    format!("`{path}` must be {}{not}{why}", text.words())
                };
                self.wrong(span, message, wrong.suggestion);
                None
            }
        }
    }

    fn secret(
        &mut self,
        text: Text,
        found: &DeValue<'_>,
        node: &Node<'_>,
        path: &str,
        key: Range<usize>,
    ) -> Option<Value> {
        match found {
            DeValue::Table(found) => {
                let before = self.problems.len();
                let header = self.header(node.span(), &key);
                let tree = self.table(&table::SECRET, found, path, header);
                if self.problems.len() > before {
                    return None;
                }
                let secret = match (tree.maybe("env")?, tree.maybe("file")?, tree.maybe("command")?) {
                    (Some(name), None, None) => Secret::Environment(name),
                    (None, Some(path), None) => Secret::File(path),
                    (None, None, Some(command)) => Secret::Command(command),
                    _ => return None,
                };
                Some(Value::Secret(secret))
            }
            DeValue::String(found) => {
                // A mail server's address is a secret only with a password in it.
                let open = matches!(text, Text::Url(["smtp", ..])) && !found.contains('@');
                if open {
                    return self.text(text, found, node.span(), path);
                }
                self.hidden.push(node.span());
                self.secrets.push(node.span().start);
                match text.read(found, self.base) {
                    Ok(_) => Some(Value::Secret(Secret::Literal(found.to_string().into()))),
                    Err(wrong) => {
                        let why = if wrong.why.is_empty() { String::new() } else { format!(": {}", wrong.why) };
                        self.wrong(node.span(), format!("`{path}` must be {}{why}", text.words()), None);
                        None
                    }
                }
            }
            _ => {
                self.hidden.push(node.span());
                let message = format!(
                    "`{path}` must be a text or {{ env = \"NAME\" }}, {{ file = \"PATH\" }}, {{ command = [\"…\"] }}"
                );
                self.wrong(node.span(), message, None);
                None
            }
        }
    }

    fn price(&mut self, node: &Node<'_>, path: &str) -> Option<Value> {
        let text = match node.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            _ => "",
        };
        match text.parse::<f64>() {
            Ok(price) if price > 0.0 && price < 1e6 => Some(Value::Number(price)),
            _ => {
                self.wrong(node.span(), format!("`{path}` must be {}", Kind::Price.words()), None);
                None
            }
        }
    }

    fn map(&mut self, names: Text, of: &'static Kind, found: &DeTable<'_>, path: &str) -> Tree {
        let mut tree = Tree::default();
        let mut pairs: Vec<_> = found.iter().collect();
        pairs.sort_by_key(|(key, _)| key.span().start);
        for (key, node) in pairs {
            let right = self.text(names, key.get_ref(), key.span(), path).is_some();
            let path = join(path, key.get_ref());
            if let (Some(value), true) = (self.value(of, node, &path, key.span()), right) {
                let origin = self.origin(&key.span());
                tree.entries.push(Entry { name: key.get_ref().to_string(), value, origin });
            }
        }
        tree
    }

    fn named(&mut self, table: &'static Table, found: &DeTable<'_>, path: &str) -> Tree {
        let mut tree = Tree::default();
        let mut pairs: Vec<_> = found.iter().collect();
        pairs.sort_by_key(|(key, _)| key.span().start);
        for (key, node) in pairs {
            let name = key.get_ref();
            if self.is_full() {
                break;
            }
            let DeValue::Table(inner) = node.get_ref() else {
                if table.key(name).is_some_and(|key| matches!(key.kind, Kind::Secret(_))) {
                    self.hidden.push(node.span());
                }
                self.wrong(
                    key.span(),
                    format!("`{name}` stands in no named section"),
                    Some(format!("write [{path}.NAME] above it")),
                );
                continue;
            };
            let right = self.text(Text::Name, name, key.span(), path).is_some();
            let header = self.header(node.span(), &key.span());
            let inner = self.table(table, inner, &join(path, name), header);
            if right {
                let origin = self.origin(&key.span());
                tree.entries.push(Entry { name: name.to_string(), value: Value::Table(inner), origin });
            }
        }
        tree
    }

    /// Where a table begins: its own place when it has one on a line, else its key's.
    fn header(&self, span: Range<usize>, key: &Range<usize>) -> Range<usize> {
        if span.is_empty() { key.clone() } else { span }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { bare(name) } else { format!("{path}.{}", bare(name)) }
}

fn section(path: &str) -> String {
    if path.is_empty() { "the file".into() } else { format!("[{path}]") }
}
