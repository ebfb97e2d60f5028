//! The configuration as a tree of directives, each with the place where it was read.

use std::{fmt, sync::Arc};

/// A parsed configuration with every include expanded.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Config {
    /// The directives of the main file, with those of included files in place.
    pub top: Vec<Directive>,
    pub(super) files: Vec<String>,
}

/// One directive, with or without a block.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Directive {
    /// The first word.
    pub name: String,
    /// The other words, unquoted as nginx unquotes them.
    pub args: Vec<String>,
    /// Where the first word stands.
    pub at: Place,
    /// The directives between the braces; empty for Lua, which is not configuration.
    pub block: Option<Vec<Directive>>,
}

/// A file and a line in it, counted from 1.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Place {
    /// The path as the configuration or the dump names it.
    pub file: Arc<str>,
    /// The line.
    pub line: usize,
}

impl Config {
    /// Every file that was read, once, in the order in which nginx reads them.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// The `http` block, which holds the servers.
    pub fn http(&self) -> Option<&Directive> {
        self.top.iter().find(|directive| directive.name == "http" && directive.block.is_some())
    }
}

impl Directive {
    /// The directives of the block; none when there is no block.
    pub fn children(&self) -> &[Directive] {
        self.block.as_deref().unwrap_or_default()
    }

    /// The directives of this name directly inside the block.
    pub fn all<'a>(&'a self, name: &'a str) -> impl DoubleEndedIterator<Item = &'a Directive> {
        self.children().iter().filter(move |child| child.name == name)
    }

    /// The last directive of this name directly inside the block.
    pub fn last(&self, name: &str) -> Option<&Directive> {
        self.children().iter().rev().find(|child| child.name == name)
    }

    /// The first word after the name; empty when there is none.
    pub fn arg(&self) -> &str {
        self.args.first().map_or("", String::as_str)
    }

    /// The directive's head on one line, as a person would write it: `location ~ \.php$`.
    pub fn head(&self) -> String {
        let mut head = self.name.clone();
        for arg in &self.args {
            head.push(' ');
            head.push_str(arg);
        }
        head
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}
