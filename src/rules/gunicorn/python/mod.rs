//! What a gunicorn configuration file says, as far as that can be read without running it.
//!
//! The file is a Python program. Only literal assignments at its top level are certain: whatever is computed,
//! conditional, imported or reachable by a function that changes globals is unknown, and says why.

mod statements;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};

use statements::{Group, groups};
use tokens::{Kind, Token, tokenize};

/// A literal of Python's source.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Literal {
    /// `True`, `False`.
    Bool(bool),
    /// A list or a tuple of texts.
    List(Vec<String>),
    /// `None`.
    None,
    /// A whole number.
    Number(i128),
    /// A text.
    Text(String),
}

/// What a name is at the end of the file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Binding {
    /// This literal, assigned on this line.
    Literal(Literal, u32),
    /// Only running the file would tell; the reason with its line.
    Unknown(String),
}

/// The names that a file binds.
#[derive(Clone, Debug, Default)]
pub struct Module {
    bindings: BTreeMap<String, Binding>,
    /// Names that a function may rebind whenever it is called.
    volatile: BTreeMap<String, u32>,
    /// Why every name that is not bound after it is unknown.
    anything: Option<String>,
    /// The same, whatever comes after it.
    hidden: Option<String>,
}

impl Module {
    /// Reads a file. What is not Python makes every name unknown.
    pub fn read(source: &str) -> Self {
        let mut module = Self::default();
        match tokenize(source) {
            Ok(tokens) => groups(&tokens).iter().for_each(|group| module.execute(group)),
            Err(line) => module.hidden = Some(format!("line {line} is not Python that can be read")),
        }
        module
    }

    /// What `name` is; `None` when the file does not bind it.
    pub fn binding(&self, name: &str) -> Option<Binding> {
        if let Some(reason) = &self.hidden {
            return Some(Binding::Unknown(reason.clone()));
        }
        if let Some(line) = self.volatile.get(name) {
            return Some(Binding::Unknown(format!("a function may change it, line {line}")));
        }
        match self.bindings.get(name) {
            Some(binding) => Some(binding.clone()),
            None => self.anything.clone().map(Binding::Unknown),
        }
    }

    fn execute(&mut self, group: &Group<'_>) {
        if group.is_definition() {
            self.define(group);
            return;
        }
        for statement in &group.statements {
            if group.is_block() { self.block_statement(statement) } else { self.statement(statement) }
        }
    }

    /// One plain statement at the top level.
    fn statement(&mut self, statement: &[Token]) {
        let line = statement.first().map_or(0, |token| token.line);
        if self.imports(statement, line) || self.reaches_namespace(statement, line) {
            return;
        }
        let parts = split_assignment(statement);
        let Some((value, targets)) = parts.split_last() else { return };
        // A list is changed in place by whoever mentions it: `bind.append(…)`, `extend(bind)`.
        let mentioned = value.iter().filter(|token| token.is_name());
        for name in mentioned.map(|token| token.text.clone()).collect::<BTreeSet<_>>() {
            if let Some(Binding::Literal(Literal::List(_), _)) = self.bindings.get(&name) {
                self.unknown(&name, format!("its list may be changed, line {line}"));
            }
        }
        self.walrus(statement);
        for target in targets {
            match single_name(target) {
                Some(name) => {
                    let binding = literal(value).map_or_else(
                        || Binding::Unknown(format!("computed, line {line}")),
                        |literal| Binding::Literal(literal, line),
                    );
                    self.bindings.insert(name.to_owned(), binding);
                }
                None => self.unknown_all(target, &format!("not a plain assignment, line {line}")),
            }
        }
        let changes = statement.first().is_some_and(|token| token.is("del"))
            || statement.iter().any(Token::is_augmented_assignment);
        if changes {
            self.unknown_all(statement, &format!("changed after it was set, line {line}"));
        }
    }

    /// One statement of a block that may or may not run.
    fn block_statement(&mut self, statement: &[Token]) {
        let line = statement.first().map_or(0, |token| token.line);
        if self.imports(statement, line) || self.reaches_namespace(statement, line) {
            return;
        }
        let reason = format!("set inside a block, line {line}");
        let binds = ["for", "with", "async", "except", "case", "match", "del", "global", "def", "class"];
        if statement.iter().any(|token| binds.contains(&token.text.as_str()) || token.is_augmented_assignment()) {
            self.unknown_all(statement, &reason);
        }
        let parts = split_assignment(statement);
        for target in &parts[..parts.len().saturating_sub(1)] {
            self.unknown_all(target, &reason);
        }
        let lists: Vec<String> = statement
            .iter()
            .filter(|token| matches!(self.bindings.get(&token.text), Some(Binding::Literal(Literal::List(_), _))))
            .map(|token| token.text.clone())
            .collect();
        for name in lists {
            self.unknown(&name, reason.clone());
        }
        self.walrus(statement);
    }

    /// A function or a class: its own names stay inside, unless it says `global`.
    fn define(&mut self, group: &Group<'_>) {
        for statement in &group.statements {
            let line = statement.first().map_or(0, |token| token.line);
            for (at, token) in statement.iter().enumerate() {
                if token.is("global") {
                    for name in statement[at + 1..].iter().filter(|token| token.is_name()) {
                        self.volatile.insert(name.text.clone(), line);
                    }
                }
                // `bind.append(…)` in a function works on the global list.
                let list = matches!(self.bindings.get(&token.text), Some(Binding::Literal(Literal::List(_), _)));
                if list && statement.get(at + 1).is_some_and(|next| next.is(".")) {
                    self.volatile.insert(token.text.clone(), line);
                }
                let sets = token.is("cfg")
                    && statement.get(at + 1).is_some_and(|next| next.is("."))
                    && statement.get(at + 2).is_some_and(|next| next.is("set"));
                if sets || is_namespace(token) {
                    self.hidden = Some(format!("a function may change any setting, line {line}"));
                }
            }
        }
        let header = group.statements.first().copied().unwrap_or_default();
        let keyword = header.iter().position(|token| token.is("def") || token.is("class"));
        if let Some(name) = keyword.and_then(|at| header.get(at + 1)) {
            self.unknown(&name.text, format!("not a value, line {}", name.line));
        }
    }

    fn imports(&mut self, statement: &[Token], line: u32) -> bool {
        let Some(at) = statement.iter().position(|token| token.is("import")) else { return false };
        if statement[at + 1..].iter().any(|token| token.is("*")) {
            self.bindings.clear();
            self.anything = Some(format!("a star import may set it, line {line}"));
        } else {
            self.unknown_all(&statement[at + 1..], &format!("imported, line {line}"));
        }
        true
    }

    /// Statements that can set any name without naming it.
    fn reaches_namespace(&mut self, statement: &[Token], line: u32) -> bool {
        let reaches = statement.iter().any(is_namespace);
        if reaches {
            self.bindings.clear();
            self.anything = Some(format!("line {line} may set it"));
        }
        reaches
    }

    fn walrus(&mut self, statement: &[Token]) {
        for pair in statement.windows(2) {
            if pair[1].is(":=") {
                self.unknown(&pair[0].text, format!("computed, line {}", pair[0].line));
            }
        }
    }

    fn unknown_all(&mut self, tokens: &[Token], reason: &str) {
        for token in tokens.iter().filter(|token| token.is_name()) {
            self.unknown(&token.text, reason.to_owned());
        }
    }

    fn unknown(&mut self, name: &str, reason: String) {
        self.bindings.insert(name.to_owned(), Binding::Unknown(reason));
    }
}

fn is_namespace(token: &Token) -> bool {
    token.is_name() && ["exec", "globals", "locals", "vars", "setattr", "__dict__"].contains(&token.text.as_str())
}

/// The statement cut at every `=` outside brackets: targets first, the value last.
fn split_assignment(statement: &[Token]) -> Vec<&[Token]> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0_usize);
    for (at, token) in statement.iter().enumerate() {
        match token.text.as_str() {
            "(" | "[" | "{" if token.kind == Kind::Operator => depth += 1,
            ")" | "]" | "}" if token.kind == Kind::Operator => depth = depth.saturating_sub(1),
            "=" if token.kind == Kind::Operator && depth == 0 => {
                parts.push(&statement[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&statement[start..]);
    parts
}

/// `name`, or `name: annotation`.
fn single_name(target: &[Token]) -> Option<&str> {
    match target {
        [name] if name.is_name() => Some(&name.text),
        [name, colon, ..] if name.is_name() && colon.is(":") => Some(&name.text),
        _ => None,
    }
}

fn literal(tokens: &[Token]) -> Option<Literal> {
    match tokens {
        [open, inside @ .., close] if open.is("[") && close.is("]") => list(inside),
        [open, close] if open.is("(") && close.is(")") => list(&[]),
        [open, inside @ .., close] if open.is("(") && close.is(")") => {
            if inside.iter().any(|token| token.is("(") || token.is(")")) {
                None
            } else if inside.iter().any(|token| token.is(",")) {
                list(inside)
            } else {
                literal(inside)
            }
        }
        tokens if tokens.len() > 1 && tokens.iter().any(|token| token.is(",")) => list(tokens),
        tokens => scalar(tokens),
    }
}

fn scalar(tokens: &[Token]) -> Option<Literal> {
    match tokens {
        [token] if token.is("True") => Some(Literal::Bool(true)),
        [token] if token.is("False") => Some(Literal::Bool(false)),
        [token] if token.is("None") => Some(Literal::None),
        [token] if token.kind == Kind::Number => super::number::literal(&token.text).map(Literal::Number),
        [sign, token] if token.kind == Kind::Number && (sign.is("-") || sign.is("+")) => {
            let number = super::number::literal(&token.text)?;
            Some(Literal::Number(if sign.is("-") { -number } else { number }))
        }
        [_, ..] => text(tokens).map(Literal::Text),
        [] => None,
    }
}

/// Adjacent texts are one text.
fn text(tokens: &[Token]) -> Option<String> {
    tokens.iter().map(|token| if token.kind == Kind::Text { token.value.as_deref() } else { None }).collect()
}

fn list(tokens: &[Token]) -> Option<Literal> {
    let mut items: Vec<&[Token]> = tokens.split(|token| token.is(",")).collect();
    if items.last().is_some_and(|item| item.is_empty()) {
        items.pop();
    }
    let texts = items.into_iter().map(|item| if item.is_empty() { None } else { text(item) });
    texts.collect::<Option<Vec<String>>>().map(Literal::List)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(source: &str, name: &str) -> Option<Binding> {
        Module::read(source).binding(name)
    }

    #[test]
    fn literal_assignments_are_read_with_their_line() {
        let source = "# coding: utf-8\n\"\"\"Settings.\n\nworkers = 9\n\"\"\"\nworkers = 3\nthreads: int = 0x4\n\
            bind = [\n  'unix:/run/a.sock',  # socket\n  \"127.0.0.1:\" '8000',\n]\ntimeout = graceful_timeout = 90; \
            forwarded_allow_ips = (\n  '10.0.0.0/8,'\n  '127.0.0.1'\n)\nworker_class = r'gthread'\r\nreuse_port = True\n";
        let expected = [
            ("workers", Literal::Number(3), 6),
            ("threads", Literal::Number(4), 7),
            ("bind", Literal::List(vec!["unix:/run/a.sock".into(), "127.0.0.1:8000".into()]), 8),
            ("timeout", Literal::Number(90), 12),
            ("graceful_timeout", Literal::Number(90), 12),
            ("forwarded_allow_ips", Literal::Text("10.0.0.0/8,127.0.0.1".into()), 12),
            ("worker_class", Literal::Text("gthread".into()), 16),
            ("reuse_port", Literal::Bool(true), 17),
        ];
        for (name, literal, line) in expected {
            assert_eq!(binding(source, name), Some(Binding::Literal(literal, line)), "{name}");
        }
        assert_eq!(binding(source, "keepalive"), None);
    }

    #[test]
    fn what_only_running_tells_is_unknown() {
        for source in [
            "workers = multiprocessing.cpu_count() * 2 + 1",
            "workers = 2 * 2",
            "workers = int(os.environ.get('W', 3))",
            "workers = 3\nif os.environ.get('W'):\n    workers = 4",
            "workers = 3\nif x: workers = 4",
            "workers = 3\nif x: pass; workers = 4",
            "workers = 3\ntry:\n  from local import workers\nexcept ImportError: pass",
            "workers = 3\nfrom local import *",
            "workers = 3\nfrom local import workers",
            "workers = 3\nimport local as workers",
            "workers = 3\nworkers += 1",
            "workers = 3\ndel workers",
            "workers = 3\nfor workers in range(9): pass",
            "workers, threads = 3, 4",
            "(workers) = 3",
            "workers = 3\nprint(workers := 5)",
            "def f():\n    global workers\n    workers = 9\nworkers = 3\nf()",
            "def workers(): pass",
            "workers = 3\nglobals()['workers'] = 5",
            "workers = 3\nexec(open('x').read())",
            "def on_starting(server):\n    server.cfg.set('workers', 9)\nworkers = 3",
            "workers = 3\nx = 'unclosed",
            "workers = (3",
            "workers = f'3'",
            "workers = 3.0",
            "with open('x') as workers:\n  pass",
        ] {
            assert!(matches!(binding(source, "workers"), Some(Binding::Unknown(_))), "{source}");
        }
        for source in
            ["bind = ['a']\nbind.append('b')", "bind = ['a']\nif x:\n  bind.append('b')", "bind = ['a']\ny = bind"]
        {
            assert!(matches!(binding(source, "bind"), Some(Binding::Unknown(_))), "{source}");
        }
    }

    #[test]
    fn what_does_not_touch_a_setting_leaves_it_known() {
        for source in [
            "if x:\n    workers = 4\nworkers = 3",
            "workers = 3\nif workers > 2:\n    threads = 4",
            "from local import *\nworkers = 3",
            "def post_fork(server, worker):\n    workers = 9\n    server.log.info('x')\nworkers = 3",
            "class A:\n    workers = 9\nworkers = 3",
            "workers = 3\nprint(f'{workers}', end='')",
            "workers = \\\n  3",
            "x = '''\nworkers = 9\n'''\nworkers = 3",
            "settings = {'workers': 9}\nworkers = 3\nrun(workers=9)",
            "import multiprocessing\nworkers = 3",
        ] {
            assert!(
                matches!(binding(source, "workers"), Some(Binding::Literal(Literal::Number(3), _))),
                "{source}: {:?}",
                binding(source, "workers")
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(source in "([a-z]{1,4}|workers|=|:=|if |def |\\(|\\)|\\[|\\]|'|\"\"\"|\\\\|\n| |[0-9]|,|#|;|\\PC){0,60}") {
            let _ = Module::read(&source).binding("workers");
        }
    }
}
