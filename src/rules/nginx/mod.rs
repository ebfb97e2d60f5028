//! What an nginx configuration says about one request: which server and location answer it, and with which headers it
//! reaches the application.
//!
//! Text goes in (the output of `nginx -T`, or files through a [`Source`]), an [`Answer`] comes out, and [`judge`]
//! turns it into findings. It describes the file, not the running process. What nginx decides at
//! run time (Lua, PCRE of its own kind, a request's headers) is a [`Doubt`] with its place, never a guess. It is held
//! against the real nginx by `tests/nginx_differential`.

mod answer;
mod context;
mod dump;
mod effective;
mod evaluate;
mod glob;
mod judge;
mod lexer;
mod listen;
mod location;
mod outline;
mod parser;
mod pattern;
mod rewrite;
mod server;
mod tree;
mod variables;

#[cfg(test)]
mod properties;

pub use answer::{
    Answer, Doubt, DoubtKind, Dropped, Ending, Header, Location, Public, Question, Server, Setting, Upstream, Value,
};
pub use dump::parse_dump;
pub use evaluate::evaluate;
pub use judge::{Expected, judge, judge_config, judge_doubt, judge_failed_dump, judge_headers, judge_unparsed};
pub use outline::{Outline, outline};
pub use parser::{ParseError, Source, Trouble, parse_files};
pub use tree::{Config, Directive, Place};
