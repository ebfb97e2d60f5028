//! What nginx's variables hold for one question.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    answer::{Question, Value},
    pattern::{Captures, Pattern},
    server::bare_host,
    tree::Directive,
};

/// The variables of one request, while it walks through the configuration.
#[derive(Clone, Debug)]
pub struct Variables<'a> {
    question: &'a Question,
    http: &'a Directive,
    server: &'a Directive,
    /// The path, which rewrites change.
    pub path: String,
    /// The query, which rewrites change.
    pub query: String,
    /// `$proxy_host`, once the upstream is known.
    pub proxy_host: Option<String>,
    values: BTreeMap<String, Value>,
    declared: BTreeSet<&'a str>,
    groups: Vec<String>,
    looked_up: Cell<u32>,
}

/// A `map` may lead to another; nginx itself ends a cycle.
const DEEPEST: usize = 8;
/// Maps that lead to several maps each would otherwise take for ever.
const MOST_LOOK_UPS: u32 = 50_000;
/// Longer values than this do not fit into a request.
const LONGEST: usize = 16 << 10;

impl<'a> Variables<'a> {
    /// Before anything was set.
    pub fn new(
        http: &'a Directive,
        server: &'a Directive,
        question: &'a Question,
        path: String,
        query: String,
    ) -> Self {
        let mut declared = BTreeSet::new();
        declare(http, &mut declared);
        Self {
            question,
            http,
            server,
            path,
            query,
            proxy_host: None,
            values: BTreeMap::new(),
            declared,
            groups: Vec::new(),
            looked_up: Cell::new(0),
        }
    }

    /// Keeps what an expression caught: `$1`, `$name`.
    pub fn catch(&mut self, captures: Captures) {
        self.groups = captures.groups;
        for (name, text) in captures.named {
            self.values.insert(name, Value::Known(text));
        }
    }

    /// `set $name value`.
    pub fn set(&mut self, name: &str, value: Value) {
        self.values.insert(name.trim_start_matches('$').to_owned(), value);
    }

    /// A text with its variables filled in.
    pub fn expand(&self, text: &str) -> Value {
        self.expand_within(text, 0)
    }

    fn expand_within(&self, text: &str, depth: usize) -> Value {
        let mut known = String::new();
        let mut client = None;
        for part in parts(text) {
            match part {
                Part::Text(text) => known.push_str(text),
                Part::Variable(name) => match self.variable(name, depth) {
                    Value::Known(text) => known.push_str(&text),
                    Value::Client(through) => client = Some(through),
                    open @ Value::Open(_) => return open,
                },
            }
            if known.len() > LONGEST {
                return Value::Open("the value is too long".to_owned());
            }
        }
        client.map_or(Value::Known(known), Value::Client)
    }

    fn variable(&self, name: &str, depth: usize) -> Value {
        self.looked_up.set(self.looked_up.get().saturating_add(1));
        if depth > DEEPEST || self.looked_up.get() > MOST_LOOK_UPS {
            return Value::Open(format!("`${name}` leads through too many maps"));
        }
        if let Some(value) = self.values.get(name) {
            return value.clone();
        }
        if let Ok(number) = name.parse::<usize>() {
            return Value::Known(self.groups.get(number).cloned().unwrap_or_default());
        }
        if let Some(header) = name.strip_prefix("http_") {
            return self.request_header(header);
        }
        if let Some(wanted) = name.strip_prefix("arg_") {
            let pairs = self.query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
            let value = pairs.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value);
            return Value::Known(value.unwrap_or_default().to_owned());
        }
        if name.starts_with("cookie_") {
            return Value::Client(format!("${name}"));
        }
        if let Some(map) =
            self.http.all("map").find(|map| map.args.get(1).is_some_and(|arg| arg.get(1..) == Some(name)))
        {
            return self.map(map, depth);
        }
        let question = self.question;
        let known = match name {
            "scheme" => if question.tls { "https" } else { "http" }.to_owned(),
            "https" => if question.tls { "on" } else { "" }.to_owned(),
            "host" => match bare_host(&question.host) {
                host if host.is_empty() => self.server_name(),
                host => host,
            },
            "server_port" => question.port.to_string(),
            "server_name" => self.server_name(),
            "request_method" => "GET".to_owned(),
            "request_uri" => question.path.clone(),
            "uri" | "document_uri" => self.path.clone(),
            "args" | "query_string" => self.query.clone(),
            "is_args" => if self.query.is_empty() { "" } else { "?" }.to_owned(),
            "proxy_host" if self.proxy_host.is_some() => self.proxy_host.clone().unwrap_or_default(),
            "server_addr" if question.address.is_some() => {
                question.address.map(|address| address.to_string()).unwrap_or_default()
            }
            _ if self.declared.contains(name) => String::new(),
            _ => return Value::Open(format!("`${name}`, which the file alone does not decide")),
        };
        Value::Known(known)
    }

    /// The first name, as nginx keeps it.
    fn server_name(&self) -> String {
        let first = self.server.all("server_name").next().map_or("", Directive::arg);
        if first.starts_with('~') {
            return first.to_owned();
        }
        first.strip_prefix('.').unwrap_or(first).to_ascii_lowercase()
    }

    /// A header of the request: the client's, unless a trusted proxy in front says it.
    fn request_header(&self, name: &str) -> Value {
        if name == "host" {
            return Value::Known(self.question.host.clone());
        }
        let through = format!("$http_{name}");
        let Some(front) = &self.question.front else { return Value::Client(through) };
        match name {
            "x_forwarded_proto" | "x_forwarded_scheme" | "x_scheme" => Value::Known(front.scheme.clone()),
            "x_forwarded_host" => Value::Known(front.host.clone()),
            "x_forwarded_port" => Value::Known(front.port.to_string()),
            "x_forwarded_ssl" => Value::Known(if front.scheme == "https" { "on" } else { "off" }.to_owned()),
            "x_forwarded_for" | "x_real_ip" => Value::Open(format!("`{through}`, which the proxy in front sets")),
            _ => Value::Client(through),
        }
    }

    /// `map`: exact keys without case, then wildcards, then expressions in order, then `default`.
    fn map(&self, map: &Directive, depth: usize) -> Value {
        let source = match self.expand_within(map.arg(), depth + 1) {
            Value::Known(source) => source,
            unknown => return self.constant(map, depth).unwrap_or(unknown),
        };
        let plain = |entry: &&Directive| !entry.name.starts_with('~') && !SPECIAL.contains(&entry.name.as_str());
        let entries = || map.children().iter();
        let hostnames = entries().any(|entry| entry.name == "hostnames");
        let key = |entry: &Directive| entry.name.strip_prefix('\\').unwrap_or(&entry.name).to_lowercase();
        let lower = source.to_lowercase();
        let mut chosen = entries().filter(plain).find(|entry| key(entry) == lower);
        let wild = |entry: &Directive| entry.name.contains('*') || entry.name.starts_with('.');
        if chosen.is_none() && hostnames && entries().filter(plain).any(wild) {
            return self.constant(map, depth).unwrap_or(Value::Open(format!("the host name map at {}", map.at)));
        }
        if chosen.is_none() {
            for entry in entries().filter(|entry| entry.name.starts_with('~')) {
                let (text, caseless) = match entry.name.strip_prefix("~*") {
                    Some(text) => (text, true),
                    None => (&entry.name[1..], false),
                };
                match Pattern::new(text, caseless) {
                    Ok(pattern) if pattern.matches(&source) => {
                        if entry.arg().contains('$') {
                            return Value::Open(format!("what the map at {} catches", entry.at));
                        }
                        chosen = Some(entry);
                        break;
                    }
                    Ok(_) => {}
                    Err(why) => return Value::Open(why),
                }
            }
        }
        let chosen = chosen.or_else(|| entries().find(|entry| entry.name == "default"));
        chosen.map_or(Value::Known(String::new()), |entry| self.expand_within(entry.arg(), depth + 1))
    }

    /// The value of a map whose entries all say the same, whatever its source is.
    fn constant(&self, map: &Directive, depth: usize) -> Option<Value> {
        let mut entries =
            map.children().iter().filter(|entry| !matches!(entry.name.as_str(), "hostnames" | "volatile"));
        let first = entries.next()?.arg();
        let has_default = map.children().iter().any(|entry| entry.name == "default");
        (has_default && entries.all(|entry| entry.arg() == first)).then(|| self.expand_within(first, depth + 1))
    }
}

const SPECIAL: [&str; 3] = ["default", "hostnames", "volatile"];

/// A piece of a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part<'a> {
    /// As it is.
    Text(&'a str),
    /// The name of a variable, without `$` and braces.
    Variable(&'a str),
}

/// Cuts a text at its variables.
pub fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        let after = &rest[dollar + 1..];
        let (name, length) = match after.strip_prefix('{').and_then(|braced| braced.split_once('}')) {
            Some((name, _)) => (name, name.len() + 2),
            None => {
                let digit = after.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
                let word = after.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
                let length = if digit { 1 } else { word };
                (&after[..length], length)
            }
        };
        if name.is_empty() {
            parts.push(Part::Text(&rest[..=dollar]));
        } else {
            if dollar > 0 {
                parts.push(Part::Text(&rest[..dollar]));
            }
            parts.push(Part::Variable(name));
        }
        rest = &after[length..];
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    parts
}

/// The variables that a `set` inside this block makes: empty until it runs.
fn declare<'a>(block: &'a Directive, into: &mut BTreeSet<&'a str>) {
    for child in block.children() {
        if child.name == "set" {
            into.extend(child.arg().strip_prefix('$'));
        }
        declare(child, into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_their_variables() {
        use Part::{Text, Variable};
        let table: &[(&str, &[Part<'_>])] = &[
            ("a$b-${c}d", &[Text("a"), Variable("b"), Text("-"), Variable("c"), Text("d")]),
            ("$1x", &[Variable("1"), Text("x")]),
            ("5$", &[Text("5$")]),
            ("${a", &[Text("$"), Text("{a")]),
            ("", &[]),
        ];
        for (text, expected) in table {
            assert_eq!(parts(text), *expected, "{text}");
        }
    }
}
