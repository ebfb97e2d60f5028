//! Which location answers: exact, then the longest prefix with what is nested in it, then expressions in file order.
//!
//! This follows `ngx_http_core_find_location`: expressions nested in the chosen prefix come before those of the outer
//! level, and `^~` silences only the expressions of its own level.

use super::{
    answer::Doubt,
    pattern::{Captures, Pattern},
    tree::Directive,
};

/// What the search came to.
#[derive(Clone, Debug, Default)]
pub struct Found<'a> {
    /// The locations around the answering one, outermost first, and itself; empty when none matches.
    pub chain: Vec<&'a Directive>,
    /// What the location's expression caught.
    pub captures: Option<Captures>,
    /// The request lacks only the slash at the end of a proxied location: nginx redirects it there.
    pub slash: bool,
}

/// The location for a decoded path.
///
/// # Errors
///
/// An expression that decides cannot be judged.
pub fn find<'a>(server: &'a Directive, path: &str) -> Result<Found<'a>, Doubt> {
    let mut found = Found::default();
    found.slash = descend(server, path, &mut found)? == Search::Slash;
    Ok(found)
}

/// The location of this name, with its `@`, directly in the server.
pub fn named<'a>(server: &'a Directive, name: &str) -> Option<&'a Directive> {
    server.all("location").find(|location| matches!(Rule::of(location), Rule::Named(own) if own == name))
}

/// The text of a location that is a prefix or an exact path; `None` for an expression or a named one.
pub fn prefix(location: &Directive) -> Option<&str> {
    match Rule::of(location) {
        Rule::Exact(text) | Rule::Prefix { text, .. } => Some(text),
        Rule::Named(_) | Rule::Regex { .. } => None,
    }
}

/// The head of a location without the word itself: `~ \.php$`.
pub fn label(location: &Directive) -> String {
    location.args.join(" ")
}

/// The path and the query of a request, as nginx normalises them for the search: decoded, with dots resolved and
/// slashes merged.
pub fn normalise(request: &str, merge_slashes: bool) -> (String, String) {
    let request = request.split('#').next().unwrap_or_default();
    let (path, query) = request.split_once('?').unwrap_or((request, ""));
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    let mut parts: Vec<&str> = Vec::new();
    let all: Vec<&str> = decoded.split('/').skip(usize::from(decoded.starts_with('/'))).collect();
    let last = all.len().saturating_sub(1);
    for (index, part) in all.iter().enumerate() {
        match *part {
            "" if index != last && merge_slashes => {}
            "." | ".." => {
                if *part == ".." {
                    parts.pop();
                }
                if index == last {
                    parts.push("");
                }
            }
            other => parts.push(other),
        }
    }
    (format!("/{}", parts.join("/")), query.to_owned())
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Search {
    /// A prefix matches; expressions of outer levels may still win.
    Again,
    /// Nothing matches at this level.
    Declined,
    /// Decided.
    Done,
    /// Decided: only the slash at the end is missing.
    Slash,
}

/// How a location matches.
enum Rule<'a> {
    Exact(&'a str),
    Named(&'a str),
    Prefix { text: &'a str, silences: bool },
    Regex { text: &'a str, caseless: bool },
}

impl<'a> Rule<'a> {
    fn of(location: &'a Directive) -> Self {
        let first = location.arg();
        if let Some(second) = location.args.get(1) {
            return match first {
                "=" => Rule::Exact(second),
                "^~" => Rule::Prefix { text: second, silences: true },
                "~" => Rule::Regex { text: second, caseless: false },
                "~*" => Rule::Regex { text: second, caseless: true },
                _ => Rule::Prefix { text: second, silences: false },
            };
        }
        // The sign may also stick to the text.
        if let Some(text) = first.strip_prefix('=') {
            Rule::Exact(text)
        } else if let Some(text) = first.strip_prefix("^~") {
            Rule::Prefix { text, silences: true }
        } else if let Some(text) = first.strip_prefix("~*") {
            Rule::Regex { text, caseless: true }
        } else if let Some(text) = first.strip_prefix('~') {
            Rule::Regex { text, caseless: false }
        } else if first.starts_with('@') {
            Rule::Named(first)
        } else {
            Rule::Prefix { text: first, silences: false }
        }
    }
}

fn descend<'a>(block: &'a Directive, path: &str, found: &mut Found<'a>) -> Result<Search, Doubt> {
    let depth = found.chain.len();
    let (mut search, silences) = fixed(block, path, &mut found.chain);
    if search == Search::Again
        && let Some(prefix) = found.chain.last().copied()
    {
        search = descend(prefix, path, found)?;
    }
    if matches!(search, Search::Done | Search::Slash) || silences {
        return Ok(search);
    }
    for location in block.all("location") {
        let Rule::Regex { text, caseless } = Rule::of(location) else { continue };
        let pattern = Pattern::new(text, caseless).map_err(|why| Doubt::undecided(&location.at, why))?;
        if let Some(captures) = pattern.captures(path) {
            found.captures = Some(captures);
            found.chain.truncate(depth);
            found.chain.push(location);
            descend(location, path, found)?;
            return Ok(Search::Done);
        }
    }
    // A prefix of this level matched when the nested search found nothing more.
    Ok(if found.chain.len() > depth { Search::Again } else { search })
}

/// The search among exact and prefix locations of one level; the second value is whether `^~` ends it.
fn fixed<'a>(block: &'a Directive, path: &str, chain: &mut Vec<&'a Directive>) -> (Search, bool) {
    let mut longest: Option<(&Directive, usize, bool)> = None;
    let mut slash = None;
    for location in block.all("location") {
        match Rule::of(location) {
            Rule::Exact(text) if text == path => {
                chain.push(location);
                return (Search::Done, false);
            }
            Rule::Prefix { text, silences } if path.starts_with(text) => {
                let longer = longest.is_none_or(|(_, length, _)| text.len() > length);
                longest = if longer { Some((location, text.len(), silences)) } else { longest };
            }
            Rule::Exact(text) | Rule::Prefix { text, .. }
                if text.len() == path.len() + 1
                    && text.ends_with('/')
                    && text.starts_with(path)
                    && passes(location) =>
            {
                slash = Some(location);
            }
            _ => {}
        }
    }
    match (longest, slash) {
        (Some((_, length, _)), Some(location)) if length < path.len() => {
            chain.push(location);
            (Search::Slash, false)
        }
        (None, Some(location)) => {
            chain.push(location);
            (Search::Slash, false)
        }
        (Some((location, _, silences)), _) => {
            chain.push(location);
            (Search::Again, silences)
        }
        (None, None) => (Search::Declined, false),
    }
}

/// Whether the location hands requests on, which is what makes nginx add a missing slash.
fn passes(location: &Directive) -> bool {
    location.children().iter().any(|child| child.name.ends_with("_pass") && HANDLERS.contains(&child.name.as_str()))
}

/// The directives that hand a request to an application.
pub const HANDLERS: [&str; 6] =
    ["fastcgi_pass", "grpc_pass", "memcached_pass", "proxy_pass", "scgi_pass", "uwsgi_pass"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_merged_and_resolved() {
        let table = [
            ("/a//b?x=1", "/a/b", "x=1"),
            ("/%61/./b/../c", "/a/c", ""),
            ("/a/..", "/", ""),
            ("/a/.", "/a/", ""),
            ("/../x", "/x", ""),
            ("/%2e%2E/x#f", "/x", ""),
            ("", "/", ""),
            ("/a%3Fb", "/a?b", ""),
            ("//", "/", ""),
        ];
        for (request, path, query) in table {
            assert_eq!(normalise(request, true), (path.to_owned(), query.to_owned()), "{request}");
        }
        assert_eq!(normalise("/a//b", false).0, "/a//b");
    }
}
