//! Where nginx allows the directives that this evaluator understands.
//!
//! Only these are held against a file: modules bring directives of their own, so a name that is not listed is let
//! through, unless no module could have such a name.

use super::tree::Directive;

/// The kind of block that a directive stands in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Context {
    /// Outside every block.
    Main,
    /// `http`.
    Http,
    /// `server` of `http`.
    Server,
    /// `if` of a server.
    ServerIf,
    /// `location`, nested or not.
    Location,
    /// `if` of a location.
    LocationIf,
    /// `limit_except`.
    LimitExcept,
    /// A block whose lines are not directives (`map`, `types`), or whose rules are not known here (`stream`).
    Other,
}

impl Context {
    /// The kind of block that this directive opens here.
    pub fn inside(self, name: &str) -> Context {
        match (self, name) {
            (Context::Main, "http") => Context::Http,
            (Context::Http, "server") => Context::Server,
            (Context::Server, "if") => Context::ServerIf,
            (Context::Server | Context::Location, "location") => Context::Location,
            (Context::Location, "if") => Context::LocationIf,
            (Context::Location, "limit_except") => Context::LimitExcept,
            _ => Context::Other,
        }
    }

    fn bit(self) -> u8 {
        match self {
            Context::Main => 0,
            Context::Http => H,
            Context::Server => S,
            Context::ServerIf => SI,
            Context::Location => L,
            Context::LocationIf => LI,
            Context::LimitExcept => LE,
            Context::Other => u8::MAX,
        }
    }
}

/// What nginx would say about a directive in this kind of block, if it refuses it.
///
/// # Errors
///
/// nginx's sentence.
pub fn admit(context: Context, directive: &Directive) -> Result<(), String> {
    if context == Context::Other {
        return Ok(());
    }
    let name = directive.name.as_str();
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(format!("unknown directive \"{name}\""));
    }
    let Some(&(_, places, least, most, block)) = RULES.iter().find(|rule| rule.0 == name) else {
        return Ok(());
    };
    if context.bit() & places == 0 {
        return Err(format!("\"{name}\" directive is not allowed here"));
    }
    match (block, directive.block.is_some()) {
        (true, false) => return Err(format!("directive \"{name}\" has no opening \"{{\"")),
        (false, true) => return Err(format!("directive \"{name}\" is not terminated by \";\"")),
        _ => {}
    }
    if !(least..=most).contains(&directive.args.len()) {
        return Err(format!("invalid number of arguments in \"{name}\" directive"));
    }
    Ok(())
}

/// What nginx would say about a second directive of a name that may stand only once in a block.
///
/// # Errors
///
/// nginx's sentence.
pub fn admit_again(earlier: &[Directive], directive: &Directive) -> Result<(), String> {
    let name = directive.name.as_str();
    if ONCE.contains(&name) && earlier.iter().any(|other| other.name == name) {
        return Err(format!("\"{name}\" directive is duplicate"));
    }
    Ok(())
}

const H: u8 = 1;
const S: u8 = 2;
const SI: u8 = 4;
const L: u8 = 8;
const LI: u8 = 16;
const LE: u8 = 32;
const ANY: usize = usize::MAX;

/// Name, places, fewest and most arguments, whether a block follows: from the `ngx_command_t` tables of nginx.
static RULES: &[(&str, u8, usize, usize, bool)] = &[
    ("error_page", H | S | L | LI, 2, ANY, false),
    ("fastcgi_pass", L | LI, 1, 1, false),
    ("geo", H, 1, 2, true),
    ("grpc_pass", L | LI, 1, 1, false),
    ("if", S | L, 1, ANY, true),
    ("internal", L, 0, 0, false),
    ("limit_except", L, 1, ANY, true),
    ("listen", S, 1, ANY, false),
    ("location", S | L, 1, 2, true),
    ("map", H, 2, 2, true),
    ("merge_slashes", H | S, 1, 1, false),
    ("proxy_http_version", H | S | L, 1, 1, false),
    ("proxy_pass", L | LI | LE, 1, 1, false),
    ("proxy_pass_request_headers", H | S | L, 1, 1, false),
    ("proxy_redirect", H | S | L, 1, 2, false),
    ("proxy_set_header", H | S | L, 2, 2, false),
    ("return", S | SI | L | LI, 1, 2, false),
    ("rewrite", S | SI | L | LI, 2, 3, false),
    ("scgi_pass", L | LI, 1, 1, false),
    ("server", H, 0, 0, true),
    ("server_name", S, 1, ANY, false),
    ("set", S | SI | L | LI, 2, 2, false),
    ("split_clients", H, 2, 2, true),
    ("ssl_certificate", H | S, 1, 1, false),
    ("try_files", S | L, 2, ANY, false),
    ("upstream", H, 1, 1, true),
    ("uwsgi_pass", L | LI, 1, 1, false),
];

/// Directives that nginx calls duplicate when they stand twice in one block.
const ONCE: [&str; 6] =
    ["fastcgi_pass", "merge_slashes", "proxy_http_version", "proxy_pass", "proxy_pass_request_headers", "uwsgi_pass"];
